// SPDX-License-Identifier: Apache-2.0
// Collectives of threads meet in shared memory. For tests of everything that is parallel.
#include "parallel/thread_group.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/base/error.h"
#include "parallel/rank_order.h"

namespace trireme {
namespace {

// A rank that waits longer than this for another one is told so: a test that would hang fails instead.
constexpr std::chrono::seconds kMeetingTimeout{60};

}  // namespace

void Court::meet(int channel, std::uint64_t number, int rank, const Post& post,
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

void Court::poison() {
  const std::lock_guard lock(mutex_);
  poisoned_ = true;
  changed_.notify_all();
}

void Court::await(std::unique_lock<std::mutex>& lock, const char* what, int rank, const std::function<bool()>& ready) {
  const bool in_time = changed_.wait_until(lock, std::chrono::steady_clock::now() + kMeetingTimeout,
                                           [&] { return poisoned_ || ready(); });
  if (ready()) return;
  if (poisoned_) throw PeerFailed(fmt::format("rank {} gives up {}: another rank has failed", rank, what));
  check(in_time, "rank {} has waited {} s for the other ranks to come to {}", rank, kMeetingTimeout.count(), what);
}

namespace {

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

}  // namespace

std::unique_ptr<Group> make_thread_group(std::shared_ptr<Court> court, std::string name, int rank, int size) {
  return std::make_unique<ThreadGroup>(std::move(court), std::move(name), rank, size);
}

}  // namespace trireme
