// SPDX-License-Identifier: Apache-2.0
#include "parallel/watchdog.h"

#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

#include "core/base/error.h"
#include "parallel/live_communicators.h"
#include "parallel/mpi.h"
#include "parallel/parallel.h"
#include "parallel/verdict.h"

namespace trireme {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kLine = 1;  // tags: a table of lines, and the last one of a rank that leaves
constexpr int kLast = 2;
constexpr double kShortestPeriod = 0.05;  // seconds between two tables
constexpr double kLongestPeriod = 5.0;
constexpr int kAllToAll = 32;       // up to here everyone tells everyone
constexpr double kLetOneSpeak = 3;  // seconds that the others give the speaker, whose end ends them too

static_assert(std::is_trivially_copyable_v<RankLine>);

/// Seconds in which this process was awake: a jump, when it was stopped or starved, counts as one period.
class AwakeClock {
 public:
  explicit AwakeClock(double period) : period_(period) {}
  double now() {
    const auto time = Clock::now();
    const double passed = std::chrono::duration<double>(time - last_).count();
    last_ = time;
    awake_ += passed > 1.0 + 4 * period_ ? period_ : passed;
    return awake_;
  }

 private:
  double period_;
  double awake_ = 0;
  Clock::time_point last_ = Clock::now();
};

/// Turns moments of the board into this rank's line: how long each thing lasts is seen from here.
class BoardReader {
 public:
  explicit BoardReader(const StatusBoard& board) : board_(board) {}

  RankLine read(double now) {
    auto seen = board_.snapshot();
    add_devices(seen);
    if (seen.changes != changes_) changed_at_ = now;
    if (seen.host_changes != host_changes_) host_changed_at_ = now;
    changes_ = seen.changes;
    host_changes_ = seen.host_changes;
    RankLine line{.step = seen.step,
                  .still = now - changed_at_,
                  .host_still = now - host_changed_at_,
                  .collective = seen.last_ended,
                  .phase = seen.phase,
                  .in_data = seen.in_data};
    std::map<std::uint64_t, double> since;
    for (const auto& running : seen.running) {
      const auto before = since_.find(running.id);
      const double start = before == since_.end() ? now : before->second;
      since[running.id] = start;
      if (now - start <= line.waits) continue;
      line.waits = now - start;
      line.collective = running.collective;
    }
    since_ = std::move(since);
    return line;
  }

 private:
  /// What devices tell of themselves, as if it were on the board.
  void add_devices(StatusBoard::Snapshot& seen) {
    constexpr std::uint64_t kOfDevices = std::uint64_t{1} << 63U;
    const Collective on_board = seen.last_ended;
    const bool newer = on_board.number != on_board_.number || on_board.group != on_board_.group;
    on_board_ = on_board;
    if (newer) last_ = on_board;
    std::map<std::uint64_t, std::uint64_t> ended;
    for (const auto& [number, moment] : live_communicators().moments()) {
      seen.changes += moment.begun + moment.ended;
      if (moment.running) {
        seen.running.push_back({.id = kOfDevices | number << 32U | moment.begun, .collective = *moment.running});
      }
      if (moment.last && ended_[number] != moment.ended) last_ = *moment.last;
      ended[number] = moment.ended;
    }
    ended_ = std::move(ended);
    seen.last_ended = last_;
  }

  const StatusBoard& board_;
  Collective on_board_, last_;                    // the last that ended there, and anywhere
  std::map<std::uint64_t, std::uint64_t> ended_;  // how far communicators were
  std::uint64_t changes_ = 0, host_changes_ = 0;
  double changed_at_ = 0, host_changed_at_ = 0;
  std::map<std::uint64_t, double> since_;  // of running collectives
};

/// The ranks that this one exchanges tables with: all of a small world; otherwise those 1, 2, 4, ... away on both
/// sides, so that news reaches everyone in log2(size) periods and goes around those who are silent.
std::vector<int> peers_of(int rank, int size) {
  std::vector<int> peers;
  for (int step = 1; step < size; step = size <= kAllToAll ? step + 1 : step * 2) {
    for (const int peer : {(rank + step) % size, (rank - step + size) % size}) {
      if (peer != rank && std::ranges::find(peers, peer) == peers.end()) peers.push_back(peer);
    }
  }
  return peers;
}

/// The tables on their way to and from one other rank. An error of MPI about it is the same as silence.
class Link {
 public:
  Link(int peer, std::size_t lines) : peer_(peer), out_(lines), in_(lines) {}

  void listen(MPI_Comm comm) { MPI_Irecv(in_.data(), bytes(in_), MPI_BYTE, peer_, MPI_ANY_TAG, comm, &receiving_); }
  /// Sends the table unless the one before is still on its way.
  bool send(MPI_Comm comm, const std::vector<RankLine>& table, int tag) {
    if (!sent()) return false;
    out_ = table;
    MPI_Isend(out_.data(), bytes(out_), MPI_BYTE, peer_, tag, comm, &sending_);
    return true;
  }
  bool sent() {
    int done = 1;
    if (sending_ != MPI_REQUEST_NULL) MPI_Test(&sending_, &done, MPI_STATUS_IGNORE);
    return done != 0;
  }
  /// Calls `use(table)` for every table that has come.
  template <class Use>
  void receive(MPI_Comm comm, const Use& use) {
    while (!said_last_ && !broken_) {
      int done = 0;
      MPI_Status status;
      broken_ = MPI_Test(&receiving_, &done, &status) != MPI_SUCCESS;
      if (broken_ || done == 0) return;
      use(in_);
      said_last_ = status.MPI_TAG == kLast;
      if (!said_last_) listen(comm);
    }
  }
  bool said_last() const { return said_last_; }

 private:
  static int bytes(const std::vector<RankLine>& table) { return static_cast<int>(table.size() * sizeof(RankLine)); }

  int peer_;
  std::vector<RankLine> out_, in_;
  MPI_Request sending_ = MPI_REQUEST_NULL;
  MPI_Request receiving_ = MPI_REQUEST_NULL;
  bool said_last_ = false;
  bool broken_ = false;
};

class MpiWatchdog final : public Watchdog {
 public:
  MpiWatchdog(World& world, StatusBoard& board, double seconds)
      : work_(std::make_unique<Work>(world, board, seconds)), thread_([this] { work_->run(); }) {}

  ~MpiWatchdog() override {
    const bool in_order = std::uncaught_exceptions() == 0;
    work_->stop(in_order ? Stop::together : Stop::at_once);
    thread_.join();
    if (in_order) {
      work_->ended();
      work_->free();
    } else {
      (void)work_.release();  // MPI may still write into its tables until the process ends
    }
  }

 private:
  enum class Stop { no, together, at_once };

  class Work {
   public:
    Work(World& world, StatusBoard& board, double seconds)
        : rank_(world.rank()),
          size_(world.size()),
          seconds_(seconds),
          period_(std::clamp(seconds / 20, kShortestPeriod, kLongestPeriod)),
          board_(board),
          reader_(board),
          clock_(period_),
          table_(static_cast<std::size_t>(size_)),
          heard_(table_.size(), 0.0),
          homes_(world.homes().begin(), world.homes().end()),
          end_{.group = short_name("end"), .first = homes_.front().world_rank, .size = size_, .number = 1} {
      check(MpiCode{MPI_Comm_dup(MPI_Comm_f2c(*communicator_of(world)), &comm_)}, "MPI_Comm_dup");
      for (const int peer : peers_of(rank_, size_)) links_.emplace_back(peer, table_.size()).listen(comm_);
    }

    void run() {
      while (pause()) {
        listen();
        tell(kLine);
        if (someone_fell()) follow();
        if (const auto error = live_communicators().first_error(); !error.empty()) report(error);
        if (const auto verdict = judge(views(), rank_, seconds_)) act(*verdict);
        if (stop_ == Stop::together && all_leave()) return leave();
      }
    }

    void stop(Stop how) {
      if (how == Stop::together) {
        // The others may still be at work: the wait for them is one that may be too long, as any other.
        board_.enter(Phase::end);
        board_.begin(end_);
      }
      const std::lock_guard lock(mutex_);
      stop_ = how;
      stopped_.notify_all();
    }

    /// After the wait for the others' end, which then is over on the board as well.
    void ended() { board_.end(end_); }
    void free() { MPI_Comm_free(&comm_); }

   private:
    /// A period, cut short when it is time to stop; false: at once.
    bool pause() {
      std::unique_lock lock(mutex_);
      const bool was = stop_ != Stop::no;
      stopped_.wait_for(lock, std::chrono::duration<double>(was ? kShortestPeriod / 5 : period_),
                        [&] { return !was && stop_ != Stop::no; });
      return stop_ != Stop::at_once;
    }

    void listen() {
      now_ = clock_.now();
      for (Link& link : links_) {
        link.receive(comm_, [this](const std::vector<RankLine>& theirs) {
          for (std::size_t r = 0; r < table_.size(); ++r) {
            if (r == static_cast<std::size_t>(rank_) || theirs[r].beat <= table_[r].beat) continue;
            table_[r] = theirs[r];
            heard_[r] = now_;
          }
        });
      }
      RankLine& own = table_[static_cast<std::size_t>(rank_)];
      const auto beat = own.beat;
      own = reader_.read(now_);
      own.beat = beat + 1;
      own.leaving = stop_ == Stop::together;
      own.fallen = fallen_;
    }

    void tell(int tag) {
      for (Link& link : links_) link.send(comm_, table_, tag);
    }

    /// What this rank knows.
    std::vector<RankView> views() const {
      std::vector<RankView> views;
      for (std::size_t r = 0; r < table_.size(); ++r) {
        const bool other = r != static_cast<std::size_t>(rank_);
        views.push_back({.host = homes_[r].host,
                         .line = table_[r],
                         .silent = other ? now_ - heard_[r] : 0.0,
                         .world_rank = homes_[r].world_rank});
      }
      return views;
    }

    bool someone_fell() const {
      return std::ranges::any_of(table_, [](const RankLine& line) { return line.fallen; });
    }
    bool all_leave() const {
      return std::ranges::all_of(table_, [](const RankLine& line) { return line.leaving; });
    }

    /// Goes on telling for a while, so that the others hear of it.
    void linger(double seconds) {
      for (const double until = now_ + seconds; now_ < until;) {
        std::this_thread::sleep_for(std::chrono::duration<double>(std::min(kShortestPeriod, period_)));
        listen();
        tell(kLine);
      }
    }

    /// A library's own threads have met an error that no call will return.
    [[noreturn]] void report(const std::string& error) {
      const RankHome& home = homes_[static_cast<std::size_t>(rank_)];
      say(fmt::format("rank {} on {}: {}; step {}", home.world_rank, home.host, error,
                      table_[static_cast<std::size_t>(rank_)].step));
    }

    [[noreturn]] void act(const Verdict& verdict) {
      if (verdict.speaker != rank_) {
        // Whoever speaks ends this process as well; it can fail to.
        for (const double until = now_ + kLetOneSpeak; now_ < until && !someone_fell();) linger(kShortestPeriod);
        if (someone_fell()) follow();
      }
      say(verdict.text);
    }

    [[noreturn]] void say(const std::string& what) {
      const auto text = fmt::format("watchdog: {}\n", what);
      std::fwrite(text.data(), 1, text.size(), stderr);
      std::fflush(stderr);
      fallen_ = true;
      linger(4 * kShortestPeriod);
      end_job(static_cast<int>(ExitCode::failed));
    }

    /// Another rank has spoken and ends the job; where its abort does not come, this process ends by itself.
    [[noreturn]] void follow() {
      fallen_ = true;
      linger(kLetOneSpeak);
      end_job(static_cast<int>(ExitCode::failed));
    }

    /// All ranks have come to the end: each sends a last table, which says so, to whoever has not heard it from others.
    void leave() {
      for (Link& link : links_) {
        while (!link.send(comm_, table_, kLast)) await_others();
      }
      while (!std::ranges::all_of(links_, [](Link& link) { return link.sent() && link.said_last(); })) await_others();
    }
    void await_others() {
      std::this_thread::sleep_for(std::chrono::duration<double>(kShortestPeriod / 10));
      listen();
    }

    const int rank_;
    const int size_;
    const double seconds_;
    const double period_;
    StatusBoard& board_;
    BoardReader reader_;
    AwakeClock clock_;
    double now_ = 0;
    std::vector<RankLine> table_;
    std::vector<double> heard_;  // when each rank's newest line came
    const std::vector<RankHome> homes_;
    const Collective end_;  // the wait for the others' end
    MPI_Comm comm_ = MPI_COMM_NULL;
    std::vector<Link> links_;
    bool fallen_ = false;
    std::mutex mutex_;
    std::condition_variable stopped_;
    std::atomic<Stop> stop_{Stop::no};
  };

  std::unique_ptr<Work> work_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Watchdog> make_watchdog(World& world, StatusBoard& board, double seconds) {
  if (seconds <= 0 || world.size() == 1 || !communicator_of(world)) return nullptr;
  return std::make_unique<MpiWatchdog>(world, board, seconds);
}

}  // namespace trireme
