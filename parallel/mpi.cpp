// SPDX-License-Identifier: Apache-2.0
// The world of MPI ranks: start, groups, and the two ends (in good order, or by abort).
#include "parallel/mpi.h"

#include <mpi.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "parallel/connecting.h"
#include "parallel/live_communicators.h"
#include "parallel/nccl_group.h"
#include "parallel/parallel.h"
#include "parallel/part.h"

namespace trireme {

namespace {

// MPI_Abort asks the launcher to end the job; where it is out of reach, the call may never return.
constexpr std::chrono::seconds kAbortGrace{5};

}  // namespace

void check(MpiCode code, std::string_view call, std::source_location where) {
  if (code.value == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING + 1> text{};
  int length = 0;
  MPI_Error_string(code.value, text.data(), &length);
  throw Error(fmt::format("{} failed: {}", call, text.data()), ExitCode::failed, where);
}

void end_job(int exit_code) {
  std::thread([exit_code] {
    std::this_thread::sleep_for(kAbortGrace);
    std::_Exit(exit_code);
  }).detach();
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);
}

namespace {

// A rank that fails waits this long before it speaks, unless it is rank 0: where all ranks fail alike, rank 0 speaks
// for all of them and its abort ends the others in the meantime: by SIGTERM, and a second later by SIGKILL.
constexpr std::chrono::milliseconds kLetRankZeroSpeak{2000};

/// "0-3,8": the cores that this process may run on.
std::string allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return "?";
  std::string text;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &set)) continue;
    const int first = core;
    while (core + 1 < CPU_SETSIZE && CPU_ISSET(core + 1, &set)) ++core;
    text += fmt::format("{}{}", text.empty() ? "" : ",", first);
    if (core > first) text += fmt::format("-{}", core);
  }
  return text;
}

class MpiWorld final : public World {
 public:
  /// Takes the communicator, unless that is MPI_COMM_WORLD.
  explicit MpiWorld(MPI_Comm comm) : comm_(comm) {
    check(MpiCode{MPI_Comm_rank(MPI_COMM_WORLD, &rank_of_job_)}, "MPI_Comm_rank");
    check(MpiCode{MPI_Comm_size(MPI_COMM_WORLD, &size_of_job_)}, "MPI_Comm_size");
    check(MpiCode{MPI_Comm_rank(comm_, &rank_)}, "MPI_Comm_rank");
    check(MpiCode{MPI_Comm_size(comm_, &size_)}, "MPI_Comm_size");
    std::array<char, MPI_MAX_PROCESSOR_NAME + 1> host{};
    int length = 0;
    check(MpiCode{MPI_Get_processor_name(host.data(), &length)}, "MPI_Get_processor_name");
    host_ = host.data();
    const Connecting noted("new", comm_ == MPI_COMM_WORLD ? "world" : "part", size_,
                           lowest_world_rank(MPI_Comm_c2f(comm_)));
    MPI_Comm local = MPI_COMM_NULL;
    check(MpiCode{MPI_Comm_split_type(comm_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local)},
          "MPI_Comm_split_type");
    check(MpiCode{MPI_Comm_rank(local, &local_rank_)}, "MPI_Comm_rank");
    check(MpiCode{MPI_Comm_size(local, &local_size_)}, "MPI_Comm_size");
    int node = rank_;
    check(MpiCode{MPI_Bcast(&node, 1, MPI_INT, 0, local)}, "MPI_Bcast");
    check(MpiCode{MPI_Comm_free(&local)}, "MPI_Comm_free");
    gather_homes(node);
    group_ = make_mpi_group(MPI_Comm_c2f(comm_), comm_ == MPI_COMM_WORLD ? "world" : "part");
  }

  ~MpiWorld() override {
    if (std::uncaught_exceptions() > 0) return;  // peers may be waiting for this rank: only abort() can end the job
    group_.reset();
    if (comm_ == MPI_COMM_WORLD) {
      MPI_Finalize();
    } else {
      MPI_Comm_free(&comm_);
    }
  }

  MpiWorld(const MpiWorld&) = delete;
  MpiWorld& operator=(const MpiWorld&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string host() const override { return host_; }
  int local_rank() const override { return local_rank_; }
  int local_size() const override { return local_size_; }
  Group& group() override { return *group_; }
  MPI_Comm communicator() const { return comm_; }

  std::span<const RankHome> homes() const override { return homes_; }

  std::unique_ptr<Group> split(const std::string& name, std::int64_t colour, std::int64_t key, Device& device,
                               const NcclOptions& nccl) override {
    const Connecting noted("new", name, size_, homes_.front().world_rank);
    MPI_Comm axis = MPI_COMM_NULL;
    check(MpiCode{MPI_Comm_split(comm_, static_cast<int>(colour), static_cast<int>(key), &axis)}, "MPI_Comm_split");
    int size = 0;
    check(MpiCode{MPI_Comm_size(axis, &size)}, "MPI_Comm_size");
    std::unique_ptr<Group> group;
    if (size == 1) {
      group = make_self_group(name);
    } else if (device.kind() == DeviceKind::cuda) {
      const int handle = MPI_Comm_c2f(axis);
      group = make_nccl_group(make_plain_mpi_group(handle, name), nccl, lowest_world_rank(handle));
    } else {
      group = make_mpi_group(MPI_Comm_c2f(axis), name);
    }
    check(MpiCode{MPI_Comm_free(&axis)}, "MPI_Comm_free");
    return group;
  }

  std::unique_ptr<World> part(std::span<const int> ranks) override {
    check_part(ranks, rank_, size_);
    const auto first = static_cast<std::size_t>(ranks.front());
    const Connecting noted("new", "part", static_cast<int>(ranks.size()), homes_[first].world_rank);
    MPI_Group all = MPI_GROUP_NULL;
    MPI_Group some = MPI_GROUP_NULL;
    check(MpiCode{MPI_Comm_group(comm_, &all)}, "MPI_Comm_group");
    check(MpiCode{MPI_Group_incl(all, static_cast<int>(ranks.size()), ranks.data(), &some)}, "MPI_Group_incl");
    // Parts that others make at the same time must not meet: the set is in the tag.
    constexpr std::uint32_t kTags = 32749;  // MPI grants 32767
    std::uint32_t tag = 0;
    for (const int rank : ranks) tag = (tag * 31 + static_cast<std::uint32_t>(rank) + 1) % kTags;
    MPI_Comm comm = MPI_COMM_NULL;
    check(MpiCode{MPI_Comm_create_group(comm_, some, static_cast<int>(tag), &comm)}, "MPI_Comm_create_group");
    check(MpiCode{MPI_Group_free(&some)}, "MPI_Group_free");
    check(MpiCode{MPI_Group_free(&all)}, "MPI_Group_free");
    check(MpiCode{MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN)}, "MPI_Comm_set_errhandler");
    return std::make_unique<MpiWorld>(comm);
  }

  std::unique_ptr<Desk> open_desk(Clerk* clerk) override { return make_mpi_desk(MPI_Comm_c2f(comm_), clerk); }

  [[noreturn]] void abort(const std::string& message, int exit_code) override {
    static std::atomic<bool> spoken{false};
    if (!spoken.exchange(true)) {
      std::signal(SIGTERM, SIG_DFL);  // whoever saves on request has nothing to save any more
      if (rank_of_job_ != 0) std::this_thread::sleep_for(kLetRankZeroSpeak);
      std::fflush(stdout);
      const std::string line = fmt::format("rank {} of {} on {}: {}\n", rank_of_job_, size_of_job_, host_, message);
      std::fwrite(line.data(), 1, line.size(), stderr);
      std::fflush(stderr);
      live_communicators().abort_all();
    }
    end_job(exit_code);
  }

 private:
  /// Every rank tells the others where it runs.
  void gather_homes(int node) {
    struct Told {
      int node, local_rank, world_rank;
      std::array<char, 64> host, cores;
    };
    Told own{.node = node, .local_rank = local_rank_, .world_rank = rank_of_job_, .host = {}, .cores = {}};
    host_.copy(own.host.data(), own.host.size() - 1);
    allowed_cores().copy(own.cores.data(), own.cores.size() - 1);
    std::vector<Told> all(static_cast<std::size_t>(size_));
    check(MpiCode{MPI_Allgather(&own, sizeof own, MPI_BYTE, all.data(), sizeof own, MPI_BYTE, comm_)}, "MPI_Allgather");
    for (const Told& told : all) {
      homes_.push_back({told.node, told.host.data(), told.local_rank, told.cores.data(), told.world_rank});
    }
  }

  MPI_Comm comm_;
  int rank_of_job_ = 0;  // among all
  int size_of_job_ = 1;
  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
  std::string host_;
  std::vector<RankHome> homes_;
  std::unique_ptr<Group> group_;
};

}  // namespace

std::unique_ptr<World> World::connect(int* argc, char*** argv) {
  int initialized = 0;
  check(MpiCode{MPI_Initialized(&initialized)}, "MPI_Initialized");
  check(initialized == 0, "the world is connected already: it is made once, at the start of main");
  int provided = MPI_THREAD_SINGLE;
  check(MpiCode{MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &provided)}, "MPI_Init_thread");
  check(MpiCode{MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN)}, "MPI_Comm_set_errhandler");
  check(provided >= MPI_THREAD_MULTIPLE,
        "this MPI gives thread level {} where MPI_THREAD_MULTIPLE ({}) is needed: use an MPI library that was built "
        "with support for threads",
        provided, static_cast<int>(MPI_THREAD_MULTIPLE));
  return std::make_unique<MpiWorld>(MPI_COMM_WORLD);
}

std::optional<int> communicator_of(const World& world) {
  const auto* mpi = dynamic_cast<const MpiWorld*>(&world);
  if (mpi == nullptr) return std::nullopt;
  return MPI_Comm_c2f(mpi->communicator());
}

}  // namespace trireme
