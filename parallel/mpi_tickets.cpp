// SPDX-License-Identifier: Apache-2.0
#include "parallel/mpi_tickets.h"

#include <mpi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <thread>

#include "core/base/error.h"
#include "parallel/mpi.h"
#include "parallel/patience.h"

namespace trireme {
namespace {

constexpr int kAsk = 1;
constexpr int kAnswer = 2;
constexpr std::chrono::microseconds kSleep{20};
constexpr std::chrono::microseconds kIdle{1000};

class Tickets final : public MpiTickets {
 public:
  explicit Tickets(MPI_Comm parent) {
    check(MpiCode{MPI_Comm_dup(parent, &comm_)}, "MPI_Comm_dup");
    int size = 1;
    check(MpiCode{MPI_Comm_rank(comm_, &rank_)}, "MPI_Comm_rank");
    check(MpiCode{MPI_Comm_size(comm_, &size)}, "MPI_Comm_size");
    if (rank_ == 0 && size > 1) service_ = std::thread([this] { serve(); });
  }

  ~Tickets() override {
    stop_ = true;
    if (service_.joinable()) service_.join();
    if (std::uncaught_exceptions() == 0) MPI_Comm_free(&comm_);
  }

  Tickets(const Tickets&) = delete;
  Tickets& operator=(const Tickets&) = delete;

  std::int64_t next() override {
    if (rank_ == 0) return next_++;
    std::int64_t ticket = 0;
    MPI_Request answer = MPI_REQUEST_NULL;
    check(MpiCode{MPI_Irecv(&ticket, 1, MPI_INT64_T, 0, kAnswer, comm_, &answer)}, "MPI_Irecv");
    check(MpiCode{MPI_Send(nullptr, 0, MPI_BYTE, 0, kAsk, comm_)}, "MPI_Send");
    Patience patience;
    for (int done = 0;;) {
      check(MpiCode{MPI_Test(&answer, &done, MPI_STATUS_IGNORE)}, "MPI_Test");
      if (done != 0) return ticket;
      patience.pause();
    }
  }

  void reset() override { next_ = 0; }

 private:
  void serve() {
    try {
      for (std::chrono::microseconds sleep = kSleep; !stop_;) {
        int asked = 0;
        MPI_Status status;
        check(MpiCode{MPI_Iprobe(MPI_ANY_SOURCE, kAsk, comm_, &asked, &status)}, "MPI_Iprobe");
        if (asked == 0) {
          std::this_thread::sleep_for(sleep);
          sleep = std::min(sleep * 2, kIdle);
          continue;
        }
        check(MpiCode{MPI_Recv(nullptr, 0, MPI_BYTE, status.MPI_SOURCE, kAsk, comm_, MPI_STATUS_IGNORE)}, "MPI_Recv");
        const std::int64_t ticket = next_++;
        check(MpiCode{MPI_Send(&ticket, 1, MPI_INT64_T, status.MPI_SOURCE, kAnswer, comm_)}, "MPI_Send");
        sleep = kSleep;
      }
    } catch (const std::exception& e) {
      // Nobody can be told: the other ranks wait for an answer.
      std::fprintf(stderr, "tickets: %s\n", e.what());
      MPI_Abort(MPI_COMM_WORLD, static_cast<int>(ExitCode::failed));
    }
  }

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  std::atomic<std::int64_t> next_{0};
  std::atomic<bool> stop_{false};
  std::thread service_;
};

}  // namespace

std::unique_ptr<MpiTickets> make_mpi_tickets(int fortran_communicator) {
  return std::make_unique<Tickets>(MPI_Comm_f2c(fortran_communicator));
}

}  // namespace trireme
