// SPDX-License-Identifier: Apache-2.0
// What this process is doing right now: written without locks by whoever does it, read by the watchdog.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace trireme {

/// What the thread that drives the work is at. `training` stands for enqueuing steps and waiting for the device, whose
/// own phase then tells more.
enum class Phase : std::uint8_t {
  start,
  data,
  training,
  forward_backward,
  reduce,
  optimizer,
  evaluation,
  checkpoint,
  end
};
/// "forward/backward"
std::string_view name(Phase phase);

enum class CollectiveKind : std::uint8_t {
  all_reduce,
  all_gather,
  reduce_scatter,
  broadcast,
  barrier,
  host_reduce,
  host_broadcast,
  host_gather,
};
constexpr std::size_t kCollectiveKinds = 8;
std::string_view name(CollectiveKind kind);

/// One call of a group, as others may know it: plain bytes.
struct Collective {
  std::array<char, 16> group{};  // the group's name, ended by a zero
  std::int32_t first = 0;        // the group's lowest rank in the world, which tells groups of one name apart
  std::int32_t size = 0;         // ranks of the group
  std::uint64_t number = 0;      // of the group's calls of this sort (tensors or host), from 1
  std::uint64_t bytes = 0;
  CollectiveKind kind = CollectiveKind::barrier;
};
/// Names at most 15 characters of it.
std::array<char, 16> short_name(std::string_view group);

class StatusBoard {
 public:
  /// The driving thread goes over to another phase; returns the one before.
  Phase enter(Phase phase);
  /// The device goes over to another phase (called in stream order).
  void device_enters(Phase phase);
  /// `steps` updates have been made.
  void at_step(std::int64_t steps);
  /// The driving thread is alive within a long phase: another batch scored, another piece written.
  void tick();

  /// A collective starts and ends, on whatever thread. Beyond kSlots at a time, further ones are not noted.
  void begin(const Collective& collective);
  void end(const Collective& collective);

  struct Running {
    std::uint64_t id = 0;  // of this occasion: no other begin() ever gets it
    Collective collective;
  };
  /// A moment of the board.
  struct Snapshot {
    Phase phase = Phase::start;  // of the driving thread; while it is training, of the device
    bool in_data = false;        // the driving thread waits for data
    std::int64_t step = 0;
    std::uint64_t changes = 0;       // counts whatever has happened on this board
    std::uint64_t host_changes = 0;  // counts what the driving thread has done
    std::vector<Running> running;
    bool any_ended = false;
    Collective last_ended;
  };
  Snapshot snapshot() const;

 private:
  static constexpr std::size_t kSlots = 32;
  static constexpr std::uint64_t kFree = 0, kWriting = 1, kFull = 2, kStates = 4;

  /// A collective whose state says whether it may be read: state = kStates * occasion + kFree, kWriting or kFull.
  struct Slot {
    std::atomic<std::uint64_t> state{0};
    std::array<std::atomic<std::uint64_t>, 6> words{};
  };
  static bool write(Slot& slot, std::uint64_t expected, const Collective& collective);
  static bool read(const Slot& slot, std::uint64_t& state, Collective& collective);

  std::atomic<Phase> phase_{Phase::start};
  std::atomic<Phase> device_{Phase::training};
  std::atomic<std::int64_t> step_{0};
  std::atomic<std::uint64_t> changes_{0};
  std::atomic<std::uint64_t> host_changes_{0};
  std::array<Slot, kSlots> slots_;
  Slot last_;
};

/// The driving thread is in `phase` until the end of the scope.
class PhaseScope {
 public:
  PhaseScope(StatusBoard& board, Phase phase) : board_(board), before_(board.enter(phase)) {}
  ~PhaseScope() { board_.enter(before_); }
  PhaseScope(const PhaseScope&) = delete;
  PhaseScope& operator=(const PhaseScope&) = delete;

 private:
  StatusBoard& board_;
  Phase before_;
};

/// The board of this process.
StatusBoard& process_status();

}  // namespace trireme
