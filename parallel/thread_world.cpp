// SPDX-License-Identifier: Apache-2.0
// A world whose ranks are threads of this process, for tests.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "parallel/parallel.h"
#include "parallel/part.h"
#include "parallel/thread_group.h"

namespace trireme {
namespace {

/// The desk of a world of threads: whoever waits there lends its thread to the clerk.
class Office {
 public:
  explicit Office(int /*size*/) {}

  void open(Clerk* clerk) {
    const std::lock_guard lock(mutex_);
    clerk_ = clerk;
  }
  std::string ask(int rank, const std::string& words) {
    std::unique_lock lock(mutex_);
    give(clerk_->asked(rank, words));
    while (!answers_.contains(rank)) {
      if (poisoned_) throw PeerFailed(fmt::format("rank {} leaves the desk: another rank has failed", rank));
      if (changed_.wait_for(lock, kBetweenLooks) == std::cv_status::timeout) give(clerk_->look());
    }
    auto answer = std::move(answers_.at(rank));
    answers_.erase(rank);
    return answer;
  }
  void tell(int rank, const std::string& words) {
    const std::lock_guard lock(mutex_);
    clerk_->told(rank, words);
  }
  bool closing() {
    const std::lock_guard lock(mutex_);
    return clerk_->closing();
  }
  void poison() {
    const std::lock_guard lock(mutex_);
    poisoned_ = true;
    changed_.notify_all();
  }

 private:
  static constexpr std::chrono::milliseconds kBetweenLooks{10};

  void give(const std::vector<Clerk::Answer>& answers) {
    for (const Clerk::Answer& answer : answers) answers_[answer.rank] = answer.words;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Clerk* clerk_ = nullptr;
  std::map<int, std::string> answers_;
  bool poisoned_ = false;
};

class ThreadDesk final : public Desk {
 public:
  ThreadDesk(std::shared_ptr<Office> office, Group& world) : office_(std::move(office)), world_(world) {}
  ~ThreadDesk() override {
    if (std::uncaught_exceptions() > 0) return;
    try {
      world_.barrier();
    } catch (const std::exception&) {  // another rank has failed, and says so itself
    }
  }
  ThreadDesk(const ThreadDesk&) = delete;
  ThreadDesk& operator=(const ThreadDesk&) = delete;

  std::string ask(const std::string& words) override { return office_->ask(world_.rank(), words); }
  void tell(const std::string& words) override { office_->tell(world_.rank(), words); }
  bool closing() override { return office_->closing(); }

 private:
  std::shared_ptr<Office> office_;
  Group& world_;
};

/// What the ranks of one world share.
class Town {
 public:
  explicit Town(int size) : size_(size) {}

  int size() const { return size_; }

  /// The meeting place of all ranks that call with these words, which are the same on each.
  std::shared_ptr<Court> court(const std::string& words, int size) { return found(courts_, words, size); }
  /// The same for a part of the world.
  std::shared_ptr<Town> part(const std::string& words, int size) { return found(parts_, words, size); }

  std::shared_ptr<Office> office(const std::string& words) { return found(offices_, words, size_); }

  void poison() {
    const std::lock_guard lock(mutex_);
    poisoned_ = true;
    for (auto& [words, office] : offices_) office->poison();
    for (auto& [words, court] : courts_) court->poison();
    for (auto& [words, part] : parts_) part->poison();
  }

 private:
  template <class Place>
  std::shared_ptr<Place> found(std::map<std::string, std::shared_ptr<Place>>& places, const std::string& words,
                               int size) {
    const std::lock_guard lock(mutex_);
    auto& place = places[words];
    if (!place) {
      place = std::make_shared<Place>(size);
      if (poisoned_) place->poison();
    }
    return place;
  }

  int size_;
  std::mutex mutex_;
  bool poisoned_ = false;
  std::map<std::string, std::shared_ptr<Court>> courts_;
  std::map<std::string, std::shared_ptr<Town>> parts_;
  std::map<std::string, std::shared_ptr<Office>> offices_;
};

class ThreadWorld final : public World {
 public:
  static constexpr int kRanksPerNode = 2;

  /// Rank `rank` of a town whose ranks live there.
  ThreadWorld(std::shared_ptr<Town> town, int rank, std::vector<RankHome> homes)
      : town_(std::move(town)),
        rank_(rank),
        group_(make_thread_group(town_->court("world", size()), "world", rank, size())),
        homes_(std::move(homes)) {}

  int rank() const override { return rank_; }
  int size() const override { return town_->size(); }
  std::string host() const override { return "threads"; }
  int local_rank() const override { return homes_[static_cast<std::size_t>(rank_)].local_rank; }
  int local_size() const override {
    const int node = homes_[static_cast<std::size_t>(rank_)].node;
    return static_cast<int>(std::ranges::count_if(homes_, [&](const RankHome& home) { return home.node == node; }));
  }
  Group& group() override { return *group_; }
  std::span<const RankHome> homes() const override { return homes_; }

  std::unique_ptr<Group> split(const std::string& name, std::int64_t colour, std::int64_t key, Device& /*device*/,
                               const NcclOptions& /*nccl*/) override {
    const auto all = group_->host_gather(fmt::format("{} {}", colour, key));
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
    return make_thread_group(town_->court(words, ranks), name, static_cast<int>(at - members.begin()), ranks);
  }

  std::unique_ptr<World> part(std::span<const int> ranks) override {
    check_part(ranks, rank_, size());
    std::vector<RankHome> homes;
    std::string words = "part";
    std::map<int, int> first;   // by node here, the part's first rank on it
    std::map<int, int> living;  // ranks of the part there so far
    int own = 0;
    for (const int r : ranks) {
      const int at = static_cast<int>(homes.size());
      RankHome home = homes_[static_cast<std::size_t>(r)];
      home.local_rank = living[home.node]++;
      home.node = first.emplace(home.node, at).first->second;
      homes.push_back(home);
      words += fmt::format(" {}", r);
      if (r == rank_) own = at;
    }
    words += fmt::format(" time {}", parts_[words]++);
    auto town = town_->part(words, static_cast<int>(ranks.size()));
    return std::make_unique<ThreadWorld>(std::move(town), own, std::move(homes));
  }

  std::unique_ptr<Desk> open_desk(Clerk* clerk) override {
    auto office = town_->office(fmt::format("desk {}", desks_++));
    if (rank_ == 0) office->open(clerk);
    group_->barrier();
    return std::make_unique<ThreadDesk>(std::move(office), *group_);
  }

  [[noreturn]] void abort(const std::string& message, int exit_code) override {
    throw Error(message, static_cast<ExitCode>(exit_code), std::source_location::current());
  }

 private:
  std::shared_ptr<Town> town_;
  int rank_;
  std::unique_ptr<Group> group_;
  std::vector<RankHome> homes_;
  int splits_ = 0;
  int desks_ = 0;
  std::map<std::string, int> parts_;  // made so far, of each set of ranks
};

std::vector<RankHome> thread_homes(int ranks) {
  std::vector<RankHome> homes;
  for (int r = 0; r < ranks; ++r) {
    constexpr int kEach = ThreadWorld::kRanksPerNode;
    homes.push_back({r / kEach * kEach, "threads", r % kEach, "", r});
  }
  return homes;
}

}  // namespace

void run_thread_world(int ranks, const std::function<void(World&)>& body) {
  check(ranks >= 1, "{} thread ranks asked for: at least 1 is needed", ranks);
  const auto town = std::make_shared<Town>(ranks);
  std::mutex mutex;
  std::exception_ptr first;        // what went wrong
  std::exception_ptr consequence;  // what others made of it; reported only when nothing else is known
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(ranks));
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadWorld world(town, rank, thread_homes(ranks));
      try {
        body(world);
      } catch (const PeerFailed&) {
        const std::lock_guard lock(mutex);
        if (!consequence) consequence = std::current_exception();
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!first) first = std::current_exception();
      }
      if (const std::lock_guard lock(mutex); first || consequence) town->poison();
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
