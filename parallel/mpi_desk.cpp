// SPDX-License-Identifier: Apache-2.0
// A desk over MPI messages: a thread of rank 0 hears them and sends the answers.
#include <mpi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_board.h"
#include "parallel/connecting.h"
#include "parallel/desk.h"
#include "parallel/mpi.h"

namespace trireme {
namespace {

using Clock = std::chrono::steady_clock;

enum Tag : int { kAsk = 1, kTell, kAnswer, kClosing };
constexpr std::chrono::microseconds kShortSleep{50};
constexpr std::chrono::microseconds kLongSleep{5000};  // the longest that an answer lies unread
constexpr std::chrono::milliseconds kBetweenLooks{50};

/// A pause that grows while nothing happens.
class Sleep {
 public:
  void pause() {
    std::this_thread::sleep_for(next_);
    next_ = std::min(next_ * 2, kLongSleep);
  }
  void reset() { next_ = kShortSleep; }

 private:
  std::chrono::microseconds next_ = kShortSleep;
};

struct Message {
  int from = 0;
  int tag = 0;
  std::string words;
};

std::optional<Message> receive(MPI_Comm comm, int source, int tag) {
  int found = 0;
  MPI_Message handle = MPI_MESSAGE_NULL;
  MPI_Status status;
  check(MpiCode{MPI_Improbe(source, tag, comm, &found, &handle, &status)}, "MPI_Improbe");
  if (found == 0) return std::nullopt;
  int bytes = 0;
  check(MpiCode{MPI_Get_count(&status, MPI_BYTE, &bytes)}, "MPI_Get_count");
  Message message{status.MPI_SOURCE, status.MPI_TAG, std::string(static_cast<std::size_t>(bytes), '\0')};
  check(MpiCode{MPI_Mrecv(message.words.data(), bytes, MPI_BYTE, &handle, MPI_STATUS_IGNORE)}, "MPI_Mrecv");
  return message;
}

void send(MPI_Comm comm, int to, int tag, const std::string& words) {
  check(MpiCode{MPI_Send(words.data(), static_cast<int>(words.size()), MPI_BYTE, to, tag, comm)}, "MPI_Send");
}

class MpiDesk final : public Desk {
 public:
  MpiDesk(MPI_Comm parent, Clerk* clerk) : clerk_(clerk) {
    check(MpiCode{MPI_Comm_rank(parent, &rank_)}, "MPI_Comm_rank");
    check(MpiCode{MPI_Comm_size(parent, &size_)}, "MPI_Comm_size");
    const Connecting noted("new", "desk", size_, 0);
    check(MpiCode{MPI_Comm_dup(parent, &comm_)}, "MPI_Comm_dup");
    if (rank_ == 0) service_ = std::thread([this] { serve(); });
  }

  ~MpiDesk() override {
    const bool in_order = std::uncaught_exceptions() == 0;
    if (in_order) {
      closing();
      const Connecting noted("end of", "desk", size_, 0);
      MPI_Barrier(comm_);  // nobody asks any more
    }
    stop_ = true;
    if (service_.joinable()) service_.join();
    if (in_order) MPI_Comm_free(&comm_);
  }

  MpiDesk(const MpiDesk&) = delete;
  MpiDesk& operator=(const MpiDesk&) = delete;

  std::string ask(const std::string& words) override {
    const Collective note{
        .group = short_name("desk"), .size = size_, .number = ++asked_, .kind = CollectiveKind::host_broadcast};
    process_status().begin(note);
    say(kAsk, words);
    Sleep sleep;
    for (;;) {
      if (auto answer = answered()) {
        process_status().end(note);
        return std::move(*answer);
      }
      sleep.pause();
    }
  }

  void tell(const std::string& words) override { say(kTell, words); }

  bool closing() override {
    if (!closing_ && rank_ != 0) closing_ = receive(comm_, 0, kClosing).has_value();
    return closing_;
  }

 private:
  void say(Tag tag, const std::string& words) {
    if (rank_ != 0) return send(comm_, 0, tag, words);
    const std::lock_guard lock(mutex_);
    own_.push_back({0, tag, words});
  }

  std::optional<std::string> answered() {
    if (rank_ == 0) {
      const std::lock_guard lock(mutex_);
      return std::exchange(answer_, std::nullopt);
    }
    auto message = receive(comm_, 0, kAnswer);
    if (!message) return std::nullopt;
    return std::move(message->words);
  }

  /// What rank 0 itself has said, or what a message says.
  std::optional<Message> heard() {
    {
      const std::lock_guard lock(mutex_);
      if (!own_.empty()) {
        Message message = std::move(own_.front());
        own_.erase(own_.begin());
        return message;
      }
    }
    for (const Tag tag : {kAsk, kTell}) {
      if (auto message = receive(comm_, MPI_ANY_SOURCE, tag)) return message;
    }
    return std::nullopt;
  }

  void serve() {
    try {
      Sleep sleep;
      auto looked = Clock::now();
      for (bool last = false; !last;) {
        last = stop_;  // one more round, for what was told before the end
        bool busy = false;
        while (const auto message = heard()) {
          busy = true;
          if (message->tag == kAsk) give(clerk_->asked(message->from, message->words));
          if (message->tag == kTell) clerk_->told(message->from, message->words);
        }
        if (Clock::now() - looked >= kBetweenLooks) {
          looked = Clock::now();
          give(clerk_->look());
        }
        if (busy) {
          sleep.reset();
        } else if (!last) {
          sleep.pause();
        }
      }
    } catch (const std::exception& e) {
      // Nobody can be told: the other ranks wait for an answer.
      std::fprintf(stderr, "the desk of rank 0: %s\n", explained(e).what());
      end_job(static_cast<int>(ExitCode::failed));
    }
  }

  void give(const std::vector<Clerk::Answer>& answers) {
    if (clerk_->closing() && !closing_) {
      closing_ = true;
      for (int r = 1; r < size_; ++r) send(comm_, r, kClosing, "");
    }
    for (const Clerk::Answer& answer : answers) {
      if (answer.rank != 0) {
        send(comm_, answer.rank, kAnswer, answer.words);
        continue;
      }
      const std::lock_guard lock(mutex_);
      answer_ = answer.words;
    }
  }

  Clerk* const clerk_;
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  std::uint64_t asked_ = 0;
  std::atomic<bool> closing_{false};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<Message> own_;           // of rank 0, on the way to its clerk
  std::optional<std::string> answer_;  // to rank 0
  std::thread service_;
};

}  // namespace

std::unique_ptr<Desk> make_mpi_desk(int fortran_communicator, Clerk* clerk) {
  return std::make_unique<MpiDesk>(MPI_Comm_f2c(fortran_communicator), clerk);
}

}  // namespace trireme
