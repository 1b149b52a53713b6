// SPDX-License-Identifier: Apache-2.0
#include "parallel/nccl_copy_gather.h"

#include <cuda_runtime.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "core/base/error.h"
#include "parallel/live_communicators.h"
#include "parallel/nccl_stream_words.h"
#include "parallel/nccl_track.h"

namespace trireme {
namespace {

/// What a rank tells of memory that it offers.
struct Offer {
  cudaIpcMemHandle_t handle{};
  std::uint64_t bytes = 0;
  std::uint64_t mark = 0;  // what lies at its start meanwhile, by which the others know it

  std::size_t mark_bytes() const { return std::min<std::size_t>(bytes, sizeof mark); }
};

std::string as_text(const Offer& offer) { return {reinterpret_cast<const char*>(&offer), sizeof offer}; }

Offer as_offer(const std::string& text) {
  Offer offer;
  std::memcpy(&offer, text.data(), std::min(text.size(), sizeof offer));
  return offer;
}

/// "" for success, else what could not be done. The error is told here, not by the next launch.
std::string told(cudaError_t code, const std::string& what) {
  if (code == cudaSuccess) return "";
  static_cast<void>(cudaGetLastError());
  return fmt::format("cannot {}: {}", what, cudaGetErrorString(code));
}

/// Between any memories; over when the call returns.
cudaError_t copy_now(void* to, const void* from, std::size_t bytes) {
  const cudaError_t code = cudaMemcpy(to, from, bytes, cudaMemcpyDefault);
  return code == cudaSuccess ? cudaStreamSynchronize(nullptr) : code;
}

}  // namespace

/// A stream's gathers, as the watchdog sees them.
struct CopyGather::Lane {
  std::unique_ptr<NcclTrack> track = std::make_unique<NcclTrack>();
  std::uint64_t number = 0;  // among the live ones of the process
};

class CopyGather::Shared {
 public:
  Shared(CopyGather& gather, std::size_t number) : gather_(gather), number_(number) {}
  ~Shared() {
    if (std::uncaught_exceptions() > 0) return;  // the others may not come
    try {
      gather_.let_go(number_);
    } catch (const Error&) {
      // It stays mapped; what MPI has met here it meets again in a call that can say so.
    }
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

 private:
  CopyGather& gather_;
  std::size_t number_;
};

CopyGather::CopyGather(Group& host)
    : host_(host), rank_(static_cast<std::size_t>(host.rank())), ranks_(static_cast<std::size_t>(host.size())) {
  check(cudaGetDevice(&device_) == cudaSuccess, "the {} group: no CUDA device", host.name());
}

CopyGather::~CopyGather() {
  if (words_ == nullptr) return;
  for (const auto& lane : lanes_) {
    if (!live_communicators().remove(lane->number)) static_cast<void>(lane->track.release());  // it may still be asked
  }
  static_cast<void>(cudaHostUnregister(words_->memory().data()));
}

void CopyGather::abandon(std::unique_ptr<CopyGather> gather) { static_cast<void>(gather.release()); }

/// Whether no rank has a problem; otherwise all of them have this one.
bool CopyGather::agree(const std::string& own) {
  problem_ = first_problem(host_.host_gather(own));
  return problem_.empty();
}

void CopyGather::connect() {
  std::string own;
  if (!stream_writes_work() || !stream_waits_work()) own = "has a GPU that cannot wait for words of the host";
  if (!agree(own)) return;
  const int ranks = static_cast<int>(ranks_);
  auto memory = NodeMemory::open(host_, GatherWords::bytes_for(ranks), problem_);
  if (memory == nullptr) return;
  void* mapped = nullptr;
  own = told(cudaHostRegister(memory->data(), memory->bytes(), cudaHostRegisterPortable | cudaHostRegisterMapped),
             "register memory of the node");
  const bool registered = own.empty();
  if (registered) own = told(cudaHostGetDevicePointer(&mapped, memory->data(), 0), "show it to the GPU");
  if (!agree(own)) {
    if (registered) static_cast<void>(cudaHostUnregister(memory->data()));
    return;
  }
  words_of_device_ = static_cast<std::byte*>(mapped);
  words_ = std::make_shared<GatherWords>(std::move(memory), static_cast<int>(rank_), ranks);
}

std::shared_ptr<void> CopyGather::share(const Buffer& memory) {
  if (!problem_.empty()) return nullptr;
  check(cudaSetDevice(device_) == cudaSuccess, "the {} group: cudaSetDevice failed", host_.name());
  if (words_ == nullptr) connect();
  if (!problem_.empty()) return nullptr;
  auto peers = map(memory);
  if (!problem_.empty()) return nullptr;
  const std::size_t number = ranges_.add(memory.data(), memory.bytes());
  peers_[number] = std::move(peers);
  return std::make_shared<Shared>(*this, number);
}

/// The memory of every rank, by rank, in this process; none where problem() says why.
std::vector<std::byte*> CopyGather::map(const Buffer& memory) {
  Offer offer{.bytes = memory.bytes(), .mark = reinterpret_cast<std::uintptr_t>(&offer) * (rank_ + 1) + rank_};
  std::uint64_t before = 0;
  std::string own = told(cudaIpcGetMemHandle(&offer.handle, memory.data()), "share memory of its GPU");
  const bool marked = own.empty() && copy_now(&before, memory.data(), offer.mark_bytes()) == cudaSuccess &&
                      copy_now(memory.data(), &offer.mark, offer.mark_bytes()) == cudaSuccess;
  if (own.empty() && !marked) own = "cannot write to memory of its GPU";
  const auto offers = host_.host_gather(own.empty() ? as_text(offer) : "");
  std::vector<std::byte*> peers(ranks_, nullptr);
  peers[rank_] = static_cast<std::byte*>(memory.data());
  const bool all = std::ranges::none_of(offers, [](const std::string& text) { return text.empty(); });
  if (all) own = open(offers, peers);
  const bool good = agree(own);
  check(!marked || copy_now(memory.data(), &before, offer.mark_bytes()) == cudaSuccess,
        "the {} group: cannot write to memory of the GPU", host_.name());
  if (!good) unmap(peers);
  return peers;
}

/// Maps what the others offer and looks whether it is that; "" or what is wrong.
std::string CopyGather::open(const std::vector<std::string>& offers, std::vector<std::byte*>& peers) const {
  const Offer own = as_offer(offers[rank_]);
  for (std::size_t r = 0; r < ranks_; ++r) {
    const Offer offer = as_offer(offers[r]);
    if (offer.bytes != own.bytes) {
      return fmt::format("shares {} bytes where rank {} shares {}", own.bytes, r, offer.bytes);
    }
    if (r == rank_) continue;
    void* mapped = nullptr;
    auto problem = told(cudaIpcOpenMemHandle(&mapped, offer.handle, cudaIpcMemLazyEnablePeerAccess),
                        fmt::format("map memory of rank {}'s GPU", r));
    if (!problem.empty()) return problem;
    peers[r] = static_cast<std::byte*>(mapped);
    std::uint64_t mark = 0;
    problem = told(copy_now(&mark, mapped, offer.mark_bytes()), fmt::format("read memory of rank {}'s GPU", r));
    if (!problem.empty()) return problem;
    if (std::memcmp(&mark, &offer.mark, offer.mark_bytes()) != 0)
      return fmt::format("reads other memory than rank {} has shared", r);
  }
  return "";
}

void CopyGather::unmap(const std::vector<std::byte*>& peers) const {
  for (std::size_t r = 0; r < ranks_; ++r) {
    if (r != rank_ && peers[r] != nullptr) static_cast<void>(told(cudaIpcCloseMemHandle(peers[r]), "unmap"));
  }
}

/// Nobody pushes into this rank's memory afterwards, nor has it mapped.
void CopyGather::let_go(std::size_t number) {
  if (words_->released()) return;  // the job ends, and the others may not come
  static_cast<void>(cudaSetDevice(device_));
  static_cast<void>(cudaDeviceSynchronize());
  host_.barrier();
  unmap(peers_[number]);
  peers_.erase(number);
  ranges_.remove(number);
  host_.barrier();
}

bool CopyGather::can(const Stream& stream, const Tensor& out) {
  if (!ranges_.find(out.data, out.bytes())) return false;
  return by_stream_.contains(stream.id()) || lanes_.size() < GatherWords::kLanes;
}

std::size_t CopyGather::lane_of(const Stream& stream) {
  const auto hit = by_stream_.find(stream.id());
  if (hit != by_stream_.end()) return hit->second;
  auto lane = std::make_unique<Lane>();
  lane->number = live_communicators().add({.error = [] { return ""; },
                                           .abort = [words = words_] { words->release(); },
                                           .moment = [track = lane->track.get()] { return track->moment(); }});
  lanes_.push_back(std::move(lane));
  return by_stream_[stream.id()] = lanes_.size() - 1;
}

std::uintptr_t CopyGather::word(std::size_t lane, GatherSign sign, int reader, int writer) const {
  return reinterpret_cast<std::uintptr_t>(words_of_device_ + words_->offset(lane, sign, reader, writer));
}

void CopyGather::all_gather(Stream& stream, const Tensor& out, const Tensor& in, const Collective& note) {
  const std::size_t lane = lane_of(stream);
  NcclTrack& track = *lanes_[lane]->track;
  const auto place = *ranges_.find(out.data, out.bytes());
  const auto& peers = peers_.at(place.number);
  void* native = stream.native();
  const auto copy = [&](std::byte* to) {
    const cudaError_t code =
        cudaMemcpyAsync(to, in.data, in.bytes(), cudaMemcpyDefault, static_cast<cudaStream_t>(native));
    check(code == cudaSuccess, "the {} group: cannot copy: {}", host_.name(), cudaGetErrorString(code));
  };
  const auto me = static_cast<int>(rank_);
  const auto n = static_cast<int>(ranks_);
  const std::uint32_t number = words_->next(lane);

  track.begin(native, note);
  for (int step = 1; step < n; ++step) {
    write_word(native, word(lane, GatherSign::free, (me + step) % n, me), number);
  }
  auto* own = static_cast<std::byte*>(out.data) + rank_ * in.bytes();
  if (own != in.data) copy(own);
  // Each rank starts with its neighbour, so that nobody's link takes two pieces at a time.
  for (int step = 1; step < n; ++step) {
    const int to = (me + step) % n;
    await_word(native, word(lane, GatherSign::free, me, to), number);
    copy(peers[static_cast<std::size_t>(to)] + place.offset + rank_ * in.bytes());
    write_word(native, word(lane, GatherSign::sent, to, me), number);
  }
  for (int step = 1; step < n; ++step) {
    await_word(native, word(lane, GatherSign::sent, me, (me + n - step) % n), number);
  }
  track.end(native);
}

}  // namespace trireme
