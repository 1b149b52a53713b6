// SPDX-License-Identifier: Apache-2.0
// The world of MPI ranks: start, axes of the mesh, and the two ends (in good order, or by abort).
#include "parallel/mpi.h"

#include <mpi.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>

#include "core/base/error.h"
#include "parallel/parallel.h"

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

class MpiWorld final : public World {
 public:
  MpiWorld() {
    check(MpiCode{MPI_Comm_rank(MPI_COMM_WORLD, &rank_)}, "MPI_Comm_rank");
    check(MpiCode{MPI_Comm_size(MPI_COMM_WORLD, &size_)}, "MPI_Comm_size");
    std::array<char, MPI_MAX_PROCESSOR_NAME + 1> host{};
    int length = 0;
    check(MpiCode{MPI_Get_processor_name(host.data(), &length)}, "MPI_Get_processor_name");
    host_ = host.data();
    MPI_Comm local = MPI_COMM_NULL;
    check(MpiCode{MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local)},
          "MPI_Comm_split_type");
    check(MpiCode{MPI_Comm_rank(local, &local_rank_)}, "MPI_Comm_rank");
    check(MpiCode{MPI_Comm_size(local, &local_size_)}, "MPI_Comm_size");
    check(MpiCode{MPI_Comm_free(&local)}, "MPI_Comm_free");
    group_ = make_mpi_group(MPI_Comm_c2f(MPI_COMM_WORLD), "world");
  }

  ~MpiWorld() override {
    if (std::uncaught_exceptions() > 0) return;  // peers may be waiting for this rank: only abort() can end the job
    group_.reset();
    MPI_Finalize();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string host() const override { return host_; }
  int local_rank() const override { return local_rank_; }
  int local_size() const override { return local_size_; }
  Group& group() override { return *group_; }

  std::unique_ptr<Group> replica_group(const MeshShape& mesh) override {
    const MeshPlace place = checked_place(mesh);
    return split("replica", place.shard * mesh.tensor + place.tensor, place.replica);
  }
  std::unique_ptr<Group> shard_group(const MeshShape& mesh) override {
    const MeshPlace place = checked_place(mesh);
    return split("shard", place.replica * mesh.tensor + place.tensor, place.shard);
  }
  std::unique_ptr<Group> tensor_group(const MeshShape& mesh) override {
    const MeshPlace place = checked_place(mesh);
    return split("tensor", place.data(mesh), place.tensor);
  }

  [[noreturn]] void abort(const std::string& message, int exit_code) override {
    static std::atomic<bool> spoken{false};
    if (!spoken.exchange(true)) {
      std::signal(SIGTERM, SIG_DFL);  // whoever saves on request has nothing to save any more
      if (rank_ != 0) std::this_thread::sleep_for(kLetRankZeroSpeak);
      std::fflush(stdout);
      const std::string line = fmt::format("rank {} of {} on {}: {}\n", rank_, size_, host_, message);
      std::fwrite(line.data(), 1, line.size(), stderr);
      std::fflush(stderr);
    }
    end_job(exit_code);
  }

 private:
  MeshPlace checked_place(const MeshShape& mesh) const {
    check_usage(mesh.replica >= 1 && mesh.shard >= 1 && mesh.tensor >= 1 && mesh.ranks() == size_,
                "mesh.replica * mesh.shard * mesh.tensor = {} * {} * {} must be the number of ranks, which is {}",
                mesh.replica, mesh.shard, mesh.tensor, size_);
    return place_of(mesh, rank_);
  }

  /// The ranks of one colour, in the order of `key`.
  static std::unique_ptr<Group> split(const char* name, std::int64_t colour, std::int64_t key) {
    MPI_Comm axis = MPI_COMM_NULL;
    check(MpiCode{MPI_Comm_split(MPI_COMM_WORLD, static_cast<int>(colour), static_cast<int>(key), &axis)},
          "MPI_Comm_split");
    auto group = make_mpi_group(MPI_Comm_c2f(axis), name);
    check(MpiCode{MPI_Comm_free(&axis)}, "MPI_Comm_free");
    return group;
  }

  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
  std::string host_;
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
  return std::make_unique<MpiWorld>();
}

}  // namespace trireme
