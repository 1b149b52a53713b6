// SPDX-License-Identifier: Apache-2.0
// Collectives over MPI messages. Each is made of sends and receives that carry the collective's number as tag, so that
// two streams may run theirs at the same time, and its sums are taken in the order of ranks: the same bits everywhere.
#include <mpi.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "parallel/connecting.h"
#include "parallel/mpi.h"
#include "parallel/mpi_tickets.h"
#include "parallel/observed_group.h"
#include "parallel/parallel.h"
#include "parallel/patience.h"
#include "parallel/rank_order.h"
#include "parallel/scratch_pool.h"

namespace trireme {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{16} << 20U;  // larger tensors go in pieces: bounds scratch and counts
constexpr std::size_t kSmallBytes = 2048;  // up to here everyone sends everything to everyone: one trip
constexpr int kTags = 1 << 14;             // collectives in flight stay far below; MPI grants 32767

class MpiGroup final : public Group {
 public:
  MpiGroup(MPI_Comm parent, std::string name) : name_(std::move(name)) {
    check(MpiCode{MPI_Comm_rank(parent, &rank_)}, "MPI_Comm_rank");
    check(MpiCode{MPI_Comm_size(parent, &size_)}, "MPI_Comm_size");
    first_ = lowest_world_rank(MPI_Comm_c2f(parent));
    const Connecting noted("new", name_, size_, first_);
    check(MpiCode{MPI_Comm_dup(parent, &stream_comm_)}, "MPI_Comm_dup");
    check(MpiCode{MPI_Comm_dup(parent, &host_comm_)}, "MPI_Comm_dup");
    tickets_ = make_mpi_tickets(MPI_Comm_c2f(parent));
  }

  ~MpiGroup() override {
    // Freeing a communicator takes all its ranks, and a rank with an exception in flight may be the only one here.
    if (std::uncaught_exceptions() > 0) return;
    const Connecting noted("end of", name_, size_, first_);
    MPI_Barrier(host_comm_);  // nobody still waits for a ticket
    tickets_.reset();
    MPI_Comm_free(&host_comm_);
    MPI_Comm_free(&stream_comm_);
  }

  MpiGroup(const MpiGroup&) = delete;
  MpiGroup& operator=(const MpiGroup&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string_view name() const override { return name_; }

  void all_reduce(Stream& stream, const Tensor& t, Reduction reduction) override {
    enqueue(stream, t.bytes(), [this, t, reduction](int tag) {
      if (t.bytes() <= kSmallBytes) {
        reduce_small(t, reduction, tag);
      } else {
        reduce_large(t, reduction, tag);
      }
    });
  }

  void all_gather(Stream& stream, const Tensor& out, const Tensor& in) override {
    check(out.bytes() == in.bytes() * unsigned_size(), "group {} of {}: all_gather of {} bytes into {}", name_, size_,
          in.bytes(), out.bytes());
    enqueue(stream, in.bytes(), [this, out, in](int tag) {
      auto* to = static_cast<std::byte*>(out.data);
      const auto* own = static_cast<const std::byte*>(in.data);
      std::byte* own_place = to + static_cast<std::size_t>(rank_) * in.bytes();
      if (own_place != own) std::memmove(own_place, own, in.bytes());
      Requests requests;
      for (std::size_t begin = 0; begin < in.bytes(); begin += kPieceBytes) {
        const std::size_t bytes = std::min(kPieceBytes, in.bytes() - begin);
        for (const int peer : peers()) {
          receive(requests, to + static_cast<std::size_t>(peer) * in.bytes() + begin, bytes, peer, tag);
          send(requests, own_place + begin, bytes, peer, tag);
        }
        wait(requests);
      }
    });
  }

  void reduce_scatter(Stream& stream, const Tensor& out, const Tensor& in) override {
    check(in.bytes() == out.bytes() * unsigned_size() && in.dtype == out.dtype,
          "group {} of {}: reduce_scatter of {} bytes ({}) into {} ({})", name_, size_, in.bytes(),
          trireme::name(in.dtype), out.bytes(), trireme::name(out.dtype));
    enqueue(stream, out.bytes(), [this, out, in](int tag) {
      const std::int64_t part = out.elements();
      const std::int64_t piece = std::max<std::int64_t>(1, piece_elements(in.dtype) / size_);
      for (std::int64_t begin = 0; begin < part; begin += piece) {
        const std::int64_t count = std::min(piece, part - begin);
        sum_part(in, Reduction::sum, tag, count, element(out, begin), [&](int r) {
          return std::pair{r * part + begin, count};
        });
      }
    });
  }

  void broadcast(Stream& stream, const Tensor& t, int root) override {
    check_root(root);
    enqueue(stream, t.bytes(), [this, t, root](int tag) { send_down(stream_comm_, t.data, t.bytes(), root, tag); });
  }

  void barrier() override {
    Requests requests(1);
    check(MpiCode{MPI_Ibarrier(host_comm_, requests.data())}, "MPI_Ibarrier");
    wait(requests);
  }
  void host_reduce(std::span<double> values, Reduction reduction) override {
    reduce_on_host(values, [reduction](double a, double b) {
      if (reduction == Reduction::sum) return a + b;
      return a != a || b <= a ? a : b;
    });
  }
  void host_reduce(std::span<std::int64_t> values, Reduction reduction) override {
    reduce_on_host(values, [reduction](std::int64_t a, std::int64_t b) {
      return reduction == Reduction::sum ? a + b : std::max(a, b);
    });
  }
  void host_sum(std::span<std::uint64_t> values) override {
    reduce_on_host(values, [](std::uint64_t a, std::uint64_t b) { return a + b; });
  }
  void host_broadcast(std::string& bytes, int root) override {
    check_root(root);
    std::uint64_t size = bytes.size();
    send_down(host_comm_, &size, sizeof size, root, 0);
    bytes.resize(size);
    send_down(host_comm_, bytes.data(), size, root, 0);
  }
  std::vector<std::string> host_gather(const std::string& bytes) override {
    std::vector<std::string> all(unsigned_size());
    for (int r = 0; r < size_; ++r) {
      std::string& part = all[static_cast<std::size_t>(r)];
      if (r == rank_) part = bytes;
      host_broadcast(part, r);
    }
    return all;
  }
  std::int64_t next_ticket() override { return tickets_->next(); }
  void reset_tickets() override {
    barrier();
    tickets_->reset();
    barrier();
  }

 private:
  using Requests = std::vector<MPI_Request>;

  std::size_t unsigned_size() const { return static_cast<std::size_t>(size_); }
  void check_root(int root) const {
    check(root >= 0 && root < size_, "group {}: root {} of {} ranks", name_, root, size_);
  }
  static std::int64_t piece_elements(Dtype dtype) { return static_cast<std::int64_t>(kPieceBytes / size_of(dtype)); }
  static std::byte* element(const Tensor& t, std::int64_t i) {
    return static_cast<std::byte*>(t.data) + static_cast<std::size_t>(i) * size_of(t.dtype);
  }

  /// The other ranks, each rank starting with the next one: no rank is everybody's first.
  std::vector<int> peers() const {
    std::vector<int> others;
    for (int k = 1; k < size_; ++k) others.push_back((rank_ + k) % size_);
    return others;
  }

  /// Takes the collective's number now, in the caller's order, and runs it in the stream's.
  template <class Work>
  void enqueue(Stream& stream, std::size_t bytes, Work work) {
    const int tag = static_cast<int>(collectives_++ % kTags);
    if (bytes == 0) return;
    stream.call([work = std::move(work), tag] { work(tag); });
  }

  void send(Requests& requests, const void* data, std::size_t bytes, int to, int tag) const {
    check(MpiCode{MPI_Isend(data, static_cast<int>(bytes), MPI_BYTE, to, tag, stream_comm_,
                            &requests.emplace_back(MPI_REQUEST_NULL))},
          "MPI_Isend");
  }
  void receive(Requests& requests, void* data, std::size_t bytes, int from, int tag) const {
    check(MpiCode{MPI_Irecv(data, static_cast<int>(bytes), MPI_BYTE, from, tag, stream_comm_,
                            &requests.emplace_back(MPI_REQUEST_NULL))},
          "MPI_Irecv");
  }
  static void wait(Requests& requests) {
    Patience patience;
    for (int done = 0;;) {
      check(MpiCode{MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE)},
            "MPI_Testall");
      if (done != 0) break;
      patience.pause();
    }
    requests.clear();
  }

  /// One trip: everyone gets everything and sums for itself.
  void reduce_small(const Tensor& t, Reduction reduction, int tag) {
    ScratchPool::Lease scratch = scratch_.lease(t.bytes() * unsigned_size());
    std::vector<const void*> parts(unsigned_size());
    Requests requests;
    for (const int peer : peers()) {
      std::byte* part = scratch.data() + static_cast<std::size_t>(peer) * t.bytes();
      parts[static_cast<std::size_t>(peer)] = part;
      receive(requests, part, t.bytes(), peer, tag);
      send(requests, t.data, t.bytes(), peer, tag);
    }
    parts[static_cast<std::size_t>(rank_)] = t.data;
    wait(requests);
    reduce_in_rank_order(t.dtype, reduction, t.data, parts, t.elements());
  }

  /// Each rank sums one part of every piece and sends the sum to all.
  void reduce_large(const Tensor& t, Reduction reduction, int tag) {
    const std::int64_t piece = piece_elements(t.dtype);
    for (std::int64_t begin = 0; begin < t.elements(); begin += piece) {
      const std::int64_t count = std::min(piece, t.elements() - begin);
      const auto part = [&](int r) {
        const std::int64_t first = part_begin(count, r, size_);
        return std::pair{begin + first, part_begin(count, r + 1, size_) - first};
      };
      const auto [own, own_count] = part(rank_);
      sum_part(t, reduction, tag, own_count, element(t, own), part);
      Requests requests;
      for (const int peer : peers()) {
        const auto [first, elements] = part(peer);
        receive(requests, element(t, first), static_cast<std::size_t>(elements) * size_of(t.dtype), peer, tag);
        send(requests, element(t, own), static_cast<std::size_t>(own_count) * size_of(t.dtype), peer, tag);
      }
      wait(requests);
    }
  }

  /// Sends part(r) of `in` to each rank r, and writes the sum of what comes for this rank to `out`.
  template <class Part>
  void sum_part(const Tensor& in, Reduction reduction, int tag, std::int64_t own_count, std::byte* out,
                const Part& part) {
    const std::size_t own_bytes = static_cast<std::size_t>(own_count) * size_of(in.dtype);
    ScratchPool::Lease scratch = scratch_.lease(own_bytes * unsigned_size());
    std::vector<const void*> parts(unsigned_size());
    Requests requests;
    for (const int peer : peers()) {
      std::byte* place = scratch.data() + static_cast<std::size_t>(peer) * own_bytes;
      parts[static_cast<std::size_t>(peer)] = place;
      receive(requests, place, own_bytes, peer, tag);
      const auto [first, elements] = part(peer);
      send(requests, element(in, first), static_cast<std::size_t>(elements) * size_of(in.dtype), peer, tag);
    }
    parts[static_cast<std::size_t>(rank_)] = element(in, part(rank_).first);
    wait(requests);
    reduce_in_rank_order(in.dtype, reduction, out, parts, own_count);
  }

  /// Root's bytes down a binomial tree, piece by piece.
  void send_down(MPI_Comm comm, void* data, std::size_t total, int root, int tag) const {
    const int place = (rank_ - root + size_) % size_;  // in the tree; root is 0
    const auto rank_at = [&](int at) { return (at + root) % size_; };
    for (std::size_t begin = 0; begin < total; begin += kPieceBytes) {
      std::byte* piece = static_cast<std::byte*>(data) + begin;
      const int bytes = static_cast<int>(std::min(kPieceBytes, total - begin));
      int bit = 1;
      Requests requests;
      for (; bit < size_ && (place & bit) == 0; bit <<= 1) {
      }
      if (place != 0) {
        check(MpiCode{MPI_Irecv(piece, bytes, MPI_BYTE, rank_at(place - bit), tag, comm,
                                &requests.emplace_back(MPI_REQUEST_NULL))},
              "MPI_Irecv");
        wait(requests);
      }
      for (bit >>= 1; bit > 0; bit >>= 1) {
        if (place + bit >= size_) continue;
        check(MpiCode{MPI_Isend(piece, bytes, MPI_BYTE, rank_at(place + bit), tag, comm,
                                &requests.emplace_back(MPI_REQUEST_NULL))},
              "MPI_Isend");
      }
      wait(requests);
    }
  }

  template <class T, class Combine>
  void reduce_on_host(std::span<T> values, const Combine& combine) {
    const std::string own(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    const std::vector<std::string> all = host_gather(own);
    for (std::size_t r = 0; r < all.size(); ++r) {
      check(all[r].size() == own.size(), "group {}: rank {} reduces {} bytes where rank {} reduces {}", name_, r,
            all[r].size(), rank_, own.size());
      for (std::size_t i = 0; i < values.size(); ++i) {
        T value;
        std::memcpy(&value, all[r].data() + i * sizeof(T), sizeof(T));
        values[i] = r == 0 ? value : combine(values[i], value);
      }
    }
  }

  std::string name_;
  int rank_ = 0;
  int size_ = 1;
  int first_ = 0;                         // the lowest of its ranks in the world
  MPI_Comm stream_comm_ = MPI_COMM_NULL;  // collectives in stream order
  MPI_Comm host_comm_ = MPI_COMM_NULL;    // host calls, which must not meet them
  std::uint64_t collectives_ = 0;
  ScratchPool scratch_;
  std::unique_ptr<MpiTickets> tickets_;
};

}  // namespace

int lowest_world_rank(int fortran_communicator) {
  const MPI_Comm comm = MPI_Comm_f2c(fortran_communicator);
  int size = 1;
  check(MpiCode{MPI_Comm_size(comm, &size)}, "MPI_Comm_size");
  MPI_Group members = MPI_GROUP_NULL;
  MPI_Group world = MPI_GROUP_NULL;
  check(MpiCode{MPI_Comm_group(comm, &members)}, "MPI_Comm_group");
  check(MpiCode{MPI_Comm_group(MPI_COMM_WORLD, &world)}, "MPI_Comm_group");
  std::vector<int> here(static_cast<std::size_t>(size));
  std::vector<int> there(here.size());
  std::iota(here.begin(), here.end(), 0);
  check(MpiCode{MPI_Group_translate_ranks(members, size, here.data(), world, there.data())},
        "MPI_Group_translate_ranks");
  check(MpiCode{MPI_Group_free(&world)}, "MPI_Group_free");
  check(MpiCode{MPI_Group_free(&members)}, "MPI_Group_free");
  return *std::min_element(there.begin(), there.end());
}

std::unique_ptr<Group> make_plain_mpi_group(int fortran_communicator, std::string name) {
  const MPI_Comm comm = MPI_Comm_f2c(fortran_communicator);
  int size = 1;
  check(MpiCode{MPI_Comm_size(comm, &size)}, "MPI_Comm_size");
  if (size == 1) return make_self_group(std::move(name));
  return std::make_unique<MpiGroup>(comm, std::move(name));
}

std::unique_ptr<Group> make_mpi_group(int fortran_communicator, std::string name) {
  auto group = make_plain_mpi_group(fortran_communicator, std::move(name));
  return std::make_unique<ObservedGroup>(std::move(group), process_status(), lowest_world_rank(fortran_communicator));
}

}  // namespace trireme
