// SPDX-License-Identifier: Apache-2.0
#include "core/base/status_board.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace trireme {

std::string_view name(Phase phase) {
  constexpr std::array<std::string_view, 9> kNames{
      "start", "data", "training", "forward/backward", "reduce", "optimizer", "evaluation", "checkpoint", "end"};
  const auto at = static_cast<std::size_t>(phase);
  return at < kNames.size() ? kNames[at] : "unknown";
}

std::string_view name(CollectiveKind kind) {
  constexpr std::array<std::string_view, kCollectiveKinds> kNames{"all_reduce",     "all_gather", "reduce_scatter",
                                                                  "broadcast",      "barrier",    "host_reduce",
                                                                  "host_broadcast", "host_gather"};
  const auto at = static_cast<std::size_t>(kind);
  return at < kNames.size() ? kNames[at] : "unknown";
}

std::array<char, 16> short_name(std::string_view group) {
  std::array<char, 16> name{};
  std::copy_n(group.begin(), std::min(group.size(), name.size() - 1), name.begin());
  return name;
}

Phase StatusBoard::enter(Phase phase) {
  tick();
  return phase_.exchange(phase, std::memory_order_relaxed);
}

void StatusBoard::device_enters(Phase phase) {
  device_.store(phase, std::memory_order_relaxed);
  changes_.fetch_add(1, std::memory_order_relaxed);
}

void StatusBoard::at_step(std::int64_t steps) {
  step_.store(steps, std::memory_order_relaxed);
  tick();
}

void StatusBoard::tick() {
  changes_.fetch_add(1, std::memory_order_relaxed);
  host_changes_.fetch_add(1, std::memory_order_relaxed);
}

bool StatusBoard::write(Slot& slot, std::uint64_t expected, const Collective& collective) {
  const std::uint64_t occasion = expected / kStates + 1;
  if (!slot.state.compare_exchange_strong(expected, occasion * kStates + kWriting, std::memory_order_acq_rel)) {
    return false;
  }
  static_assert(std::is_trivially_copyable_v<Collective> && sizeof(Collective) <= sizeof(slot.words));
  std::array<std::uint64_t, 6> words{};
  std::memcpy(words.data(), &collective, sizeof collective);
  for (std::size_t i = 0; i < words.size(); ++i) slot.words[i].store(words[i], std::memory_order_release);
  slot.state.store(occasion * kStates + kFull, std::memory_order_release);
  return true;
}

bool StatusBoard::read(const Slot& slot, std::uint64_t& state, Collective& collective) {
  state = slot.state.load(std::memory_order_acquire);
  if (state % kStates != kFull) return false;
  std::array<std::uint64_t, 6> words;
  // Words are released after the state that announces their change: whoever reads a new word sees the new state below.
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = slot.words[i].load(std::memory_order_acquire);
  std::memcpy(static_cast<void*>(&collective), words.data(), sizeof collective);
  return slot.state.load(std::memory_order_relaxed) == state;
}

void StatusBoard::begin(const Collective& collective) {
  changes_.fetch_add(1, std::memory_order_relaxed);
  for (Slot& slot : slots_) {
    const std::uint64_t state = slot.state.load(std::memory_order_relaxed);
    if (state % kStates == kFree && write(slot, state, collective)) return;
  }
}

void StatusBoard::end(const Collective& collective) {
  changes_.fetch_add(1, std::memory_order_relaxed);
  for (Slot& slot : slots_) {
    std::uint64_t state = 0;
    Collective found;
    if (!read(slot, state, found) || found.number != collective.number || found.kind != collective.kind ||
        found.group != collective.group) {
      continue;
    }
    slot.state.store(state / kStates * kStates + kFree, std::memory_order_release);
    break;
  }
  const std::uint64_t state = last_.state.load(std::memory_order_relaxed);
  if (state % kStates != kWriting) write(last_, state, collective);  // or another thread writes one as recent
}

StatusBoard::Snapshot StatusBoard::snapshot() const {
  Snapshot seen;
  const Phase phase = phase_.load(std::memory_order_relaxed);
  seen.phase = phase == Phase::training ? device_.load(std::memory_order_relaxed) : phase;
  seen.in_data = phase == Phase::data;
  seen.step = step_.load(std::memory_order_relaxed);
  seen.changes = changes_.load(std::memory_order_relaxed);
  seen.host_changes = host_changes_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    std::uint64_t state = 0;
    Running running;
    if (!read(slots_[i], state, running.collective)) continue;
    running.id = state / kStates * kSlots + i;
    seen.running.push_back(running);
  }
  std::uint64_t state = 0;
  seen.any_ended = read(last_, state, seen.last_ended);
  return seen;
}

StatusBoard& process_status() {
  static StatusBoard board;
  return board;
}

}  // namespace trireme
