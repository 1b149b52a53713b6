// SPDX-License-Identifier: Apache-2.0
// Ranks as threads of one process: collectives meet in shared memory. For tests of everything that is parallel.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <source_location>
#include <sstream>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "parallel/parallel.h"
#include "parallel/rank_order.h"

namespace trireme {
namespace {

// A rank that waits longer than this for another one is told so: a test that would hang fails instead.
constexpr std::chrono::seconds kMeetingTimeout{60};

/// Another rank has failed; its own error is the one to report.
class PeerFailed : public Error {
 public:
  explicit PeerFailed(const std::string& message) : Error(message, ExitCode::failed, std::source_location::current()) {}
};

/// What one rank brings to a collective.
struct Post {
  const char* what = "";  // the collective's name
  std::size_t bytes = 0;  // must be the same on all ranks
  const void* in = nullptr;
  void* out = nullptr;
};

/// Where ranks meet, one meeting per collective.
class Court {
 public:
  explicit Court(int size) : size_(static_cast<std::size_t>(size)) {}

  /// Meeting `number` of the channel: when all ranks have come, each runs `work` on what all have brought; returns when
  /// all have run it.
  void meet(int channel, std::uint64_t number, int rank, const Post& post,
            const std::function<void(const std::vector<Post>&)>& work) {
    Meeting* meeting = nullptr;
    {
      std::unique_lock lock(mutex_);
      meeting = &meetings_[{channel, number}];
      meeting->posts.resize(size_);
      meeting->posts[static_cast<std::size_t>(rank)] = post;
      if (++meeting->came == size_) changed_.notify_all();
      await(lock, post.what, rank, [&] { return meeting->came == size_; });
    }
    for (const Post& other : meeting->posts) {
      check(std::strcmp(other.what, post.what) == 0 && other.bytes == post.bytes,
            "one rank calls {} with {} bytes where another calls {} with {}", other.what, other.bytes, post.what,
            post.bytes);
    }
    work(meeting->posts);
    std::unique_lock lock(mutex_);
    if (++meeting->done == size_) changed_.notify_all();
    await(lock, post.what, rank, [&] { return meeting->done == size_; });
    if (++meeting->left == size_) meetings_.erase({channel, number});
  }

  /// Whoever waits, or comes later, throws.
  void poison() {
    const std::lock_guard lock(mutex_);
    poisoned_ = true;
    changed_.notify_all();
  }

  std::atomic<std::int64_t> ticket{0};

 private:
  struct Meeting {
    std::vector<Post> posts;
    std::size_t came = 0;
    std::size_t done = 0;
    std::size_t left = 0;
  };

  template <class Ready>
  void await(std::unique_lock<std::mutex>& lock, const char* what, int rank, const Ready& ready) {
    const bool in_time = changed_.wait_until(lock, std::chrono::steady_clock::now() + kMeetingTimeout,
                                             [&] { return poisoned_ || ready(); });
    if (ready()) return;
    if (poisoned_) throw PeerFailed(fmt::format("rank {} gives up {}: another rank has failed", rank, what));
    check(in_time, "rank {} has waited {} s for the other ranks to come to {}", rank, kMeetingTimeout.count(), what);
  }

  std::size_t size_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<int, std::uint64_t>, Meeting> meetings_;
  bool poisoned_ = false;
};

class ThreadGroup final : public Group {
 public:
  ThreadGroup(std::shared_ptr<Court> court, std::string name, int rank, int size)
      : court_(std::move(court)), name_(std::move(name)), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string_view name() const override { return name_; }

  void all_reduce(Stream& stream, const Tensor& t, Reduction reduction) override {
    const Post post{"all_reduce", t.bytes(), t.data, t.data};
    enqueue(stream, post, [this, t, reduction](const std::vector<Post>& posts) {
      // This rank's part: nobody else reads or writes it, so the sum may go straight to every rank's tensor.
      const std::int64_t begin = part_begin(t.elements(), rank_, size_);
      const std::int64_t count = part_begin(t.elements(), rank_ + 1, size_) - begin;
      const std::size_t offset = static_cast<std::size_t>(begin) * size_of(t.dtype);
      reduce_in_rank_order(t.dtype, reduction, at(t.data, offset), parts(posts, offset), count);
      for (const Post& other : posts) {
        if (other.out != t.data) {
          std::memcpy(at(other.out, offset), at(t.data, offset), static_cast<std::size_t>(count) * size_of(t.dtype));
        }
      }
    });
  }

  void all_gather(Stream& stream, const Tensor& out, const Tensor& in) override {
    check(out.bytes() == in.bytes() * static_cast<std::size_t>(size_), "group {} of {}: all_gather of {} bytes into {}",
          name_, size_, in.bytes(), out.bytes());
    const Post post{"all_gather", in.bytes(), in.data, out.data};
    enqueue(stream, post, [this, in](const std::vector<Post>& posts) {
      for (const Post& other : posts) {
        void* place = at(other.out, static_cast<std::size_t>(rank_) * in.bytes());
        if (place != in.data) std::memmove(place, in.data, in.bytes());
      }
    });
  }

  void reduce_scatter(Stream& stream, const Tensor& out, const Tensor& in) override {
    check(in.bytes() == out.bytes() * static_cast<std::size_t>(size_) && in.dtype == out.dtype,
          "group {} of {}: reduce_scatter of {} bytes into {}", name_, size_, in.bytes(), out.bytes());
    const Post post{"reduce_scatter", in.bytes(), in.data, out.data};
    enqueue(stream, post, [this, out](const std::vector<Post>& posts) {
      const std::size_t offset = static_cast<std::size_t>(rank_) * out.bytes();
      reduce_in_rank_order(out.dtype, Reduction::sum, out.data, parts(posts, offset), out.elements());
    });
  }

  void broadcast(Stream& stream, const Tensor& t, int root) override {
    check_root(root);
    enqueue(stream, {"broadcast", t.bytes(), t.data, t.data}, [this, t, root](const std::vector<Post>& posts) {
      if (rank_ != root && t.bytes() > 0) std::memcpy(t.data, posts[static_cast<std::size_t>(root)].in, t.bytes());
    });
  }

  void barrier() override {
    meet_on_host({"barrier", 0, nullptr, nullptr}, [](const std::vector<Post>&) {});
  }
  void host_reduce(std::span<double> values, Reduction reduction) override {
    reduce_on_host("host_reduce", values, [reduction](double a, double b) {
      if (reduction == Reduction::sum) return a + b;
      return a != a || b <= a ? a : b;
    });
  }
  void host_reduce(std::span<std::int64_t> values, Reduction reduction) override {
    reduce_on_host("host_reduce", values, [reduction](std::int64_t a, std::int64_t b) {
      return reduction == Reduction::sum ? a + b : std::max(a, b);
    });
  }
  void host_sum(std::span<std::uint64_t> values) override {
    reduce_on_host("host_sum", values, [](std::uint64_t a, std::uint64_t b) { return a + b; });
  }
  void host_broadcast(std::string& bytes, int root) override {
    check_root(root);
    meet_on_host({"host_broadcast", 0, &bytes, nullptr}, [&](const std::vector<Post>& posts) {
      if (rank_ != root) bytes = *static_cast<const std::string*>(posts[static_cast<std::size_t>(root)].in);
    });
  }
  std::vector<std::string> host_gather(const std::string& bytes) override {
    std::vector<std::string> all;
    meet_on_host({"host_gather", 0, &bytes, nullptr}, [&](const std::vector<Post>& posts) {
      for (const Post& other : posts) all.push_back(*static_cast<const std::string*>(other.in));
    });
    return all;
  }
  std::int64_t next_ticket() override { return court_->ticket++; }
  void reset_tickets() override {
    barrier();
    court_->ticket = 0;
    barrier();
  }

 private:
  static constexpr int kStreams = 0;
  static constexpr int kHost = 1;

  static void* at(void* data, std::size_t offset) { return static_cast<std::byte*>(data) + offset; }
  void check_root(int root) const { check(root >= 0 && root < size_, "root {} of {} ranks", root, size_); }

  static std::vector<const void*> parts(const std::vector<Post>& posts, std::size_t offset) {
    std::vector<const void*> all;
    all.reserve(posts.size());
    for (const Post& post : posts) all.push_back(static_cast<const std::byte*>(post.in) + offset);
    return all;
  }

  void enqueue(Stream& stream, const Post& post, std::function<void(const std::vector<Post>&)> work) {
    // The number is taken in the caller's order: two streams may reach their collectives in another one.
    stream.call([this, post, number = collectives_++, work = std::move(work)] {
      court_->meet(kStreams, number, rank_, post, work);
    });
  }
  void meet_on_host(const Post& post, const std::function<void(const std::vector<Post>&)>& work) {
    court_->meet(kHost, host_calls_++, rank_, post, work);
  }

  template <class T, class Combine>
  void reduce_on_host(const char* what, std::span<T> values, const Combine& combine) {
    const std::vector<T> own(values.begin(), values.end());
    meet_on_host({what, values.size_bytes(), own.data(), nullptr}, [&](const std::vector<Post>& posts) {
      for (std::size_t r = 0; r < posts.size(); ++r) {
        const T* other = static_cast<const T*>(posts[r].in);
        for (std::size_t i = 0; i < values.size(); ++i) {
          values[i] = r == 0 ? other[i] : combine(values[i], other[i]);
        }
      }
    });
  }

  std::shared_ptr<Court> court_;
  std::string name_;
  int rank_;
  int size_;
  std::uint64_t collectives_ = 0;
  std::uint64_t host_calls_ = 0;
};

/// What the ranks of one world share.
class Town {
 public:
  explicit Town(int size) : size_(size) {}

  int size() const { return size_; }

  /// The meeting place of all ranks that call with these words, which are the same on each.
  std::shared_ptr<Court> court(const std::string& words, int size) {
    const std::lock_guard lock(mutex_);
    auto& court = courts_[words];
    if (!court) {
      court = std::make_shared<Court>(size);
      if (poisoned_) court->poison();
    }
    return court;
  }
  void poison() {
    const std::lock_guard lock(mutex_);
    poisoned_ = true;
    for (auto& [words, court] : courts_) court->poison();
  }

 private:
  int size_;
  std::mutex mutex_;
  bool poisoned_ = false;
  std::map<std::string, std::shared_ptr<Court>> courts_;
};

class ThreadWorld final : public World {
 public:
  static constexpr int kRanksPerNode = 2;

  ThreadWorld(Town& town, int rank)
      : town_(town), rank_(rank), group_(town.court("world", size()), "world", rank, size()) {
    for (int r = 0; r < size(); ++r) {
      homes_.push_back({r / kRanksPerNode * kRanksPerNode, "threads", r % kRanksPerNode, ""});
    }
  }

  int rank() const override { return rank_; }
  int size() const override { return town_.size(); }
  std::string host() const override { return "threads"; }
  int local_rank() const override { return rank_ % kRanksPerNode; }
  int local_size() const override { return std::min(kRanksPerNode, size() - rank_ / kRanksPerNode * kRanksPerNode); }
  Group& group() override { return group_; }
  std::span<const RankHome> homes() const override { return homes_; }

  std::unique_ptr<Group> split(const std::string& name, std::int64_t colour, std::int64_t key, Device& /*device*/,
                               const NcclOptions& /*nccl*/) override {
    const auto all = group_.host_gather(fmt::format("{} {}", colour, key));
    std::vector<std::pair<std::int64_t, int>> members;  // key, rank
    for (int r = 0; r < size(); ++r) {
      std::istringstream words(all[static_cast<std::size_t>(r)]);
      std::int64_t other_colour = 0;
      std::int64_t other_key = 0;
      words >> other_colour >> other_key;
      if (other_colour == colour) members.emplace_back(other_key, r);
    }
    std::sort(members.begin(), members.end());
    const auto at = std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.second == rank_; });
    const int ranks = static_cast<int>(members.size());
    const auto words = fmt::format("split {} colour {}", splits_++, colour);
    if (ranks == 1) return make_self_group(name);
    return std::make_unique<ThreadGroup>(town_.court(words, ranks), name, static_cast<int>(at - members.begin()),
                                         ranks);
  }

  [[noreturn]] void abort(const std::string& message, int exit_code) override {
    throw Error(message, static_cast<ExitCode>(exit_code), std::source_location::current());
  }

 private:
  Town& town_;
  int rank_;
  ThreadGroup group_;
  std::vector<RankHome> homes_;
  int splits_ = 0;
};

}  // namespace

void run_thread_world(int ranks, const std::function<void(World&)>& body) {
  check(ranks >= 1, "{} thread ranks asked for: at least 1 is needed", ranks);
  Town town(ranks);
  std::mutex mutex;
  std::exception_ptr first;        // what went wrong
  std::exception_ptr consequence;  // what others made of it; reported only when nothing else is known
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(ranks));
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadWorld world(town, rank);
      try {
        body(world);
      } catch (const PeerFailed&) {
        const std::lock_guard lock(mutex);
        if (!consequence) consequence = std::current_exception();
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!first) first = std::current_exception();
      }
      if (const std::lock_guard lock(mutex); first || consequence) town.poison();
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
  if (consequence) std::rethrow_exception(consequence);
}

void run_thread_ranks(int ranks, const std::function<void(Group&)>& body) {
  run_thread_world(ranks, [&](World& world) { body(world.group()); });
}

}  // namespace trireme
