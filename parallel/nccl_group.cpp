// SPDX-License-Identifier: Apache-2.0
#include "parallel/nccl_group.h"

#include <cuda_runtime.h>
#include <nccl.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/status_board.h"
#include "parallel/connecting.h"
#include "parallel/live_communicators.h"
#include "parallel/nccl_copy_gather.h"
#include "parallel/nccl_stream_words.h"
#include "parallel/nccl_track.h"
#include "parallel/observed_group.h"

namespace trireme {
namespace {

std::string explained(ncclResult_t code, ncclComm_t comm) {
  const char* more = ncclGetLastError(comm);
  const bool known = more != nullptr && *more != '\0';
  return fmt::format("{}{}{}", ncclGetErrorString(code), known ? ": " : "", known ? more : "");
}

ncclDataType_t nccl_type(Dtype dtype, std::string_view group) {
  switch (dtype) {
    case Dtype::f32:
      return ncclFloat32;
    case Dtype::bf16:
      return ncclBfloat16;
    case Dtype::i32:
      return ncclInt32;
    default:
      fail("the {} group cannot reduce {}: f32, bf16 and i32 can be", group, name(dtype));
  }
}

class NcclGroup final : public Group {
 public:
  NcclGroup(std::unique_ptr<Group> host, const NcclOptions& options, int first)
      : host_(std::move(host)), first_(first), gather_(options.gather) {
    channels_ = nccl_channels(name(), options);
    check_cuda(cudaGetDevice(&device_), "cudaGetDevice");
  }

  ~NcclGroup() override {
    if (std::uncaught_exceptions() > 0) {
      // Peers may wait for collectives of this rank, and this rank for theirs: nothing can come to its end in order.
      live_communicators().abort_all();
      CopyGather::abandon(std::move(copies_));
      for (Communicator& c : order_) static_cast<void>(c.track.release());  // the GPU may still write there
      return;
    }
    static_cast<void>(cudaSetDevice(device_));
    static_cast<void>(cudaDeviceSynchronize());
    copies_.reset();
    for (Communicator& c : order_) {
      if (live_communicators().remove(c.number)) {
        ncclCommFinalize(c.comm);
        ncclCommDestroy(c.comm);
      } else {
        static_cast<void>(c.track.release());  // aborted; it may still be asked
      }
    }
  }

  NcclGroup(const NcclGroup&) = delete;
  NcclGroup& operator=(const NcclGroup&) = delete;

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  std::string_view name() const override { return host_->name(); }

  void all_reduce(Stream& stream, const Tensor& t, Reduction reduction) override {
    const ncclDataType_t type = nccl_type(t.dtype, name());
    if (t.bytes() == 0) return;
    run(stream, CollectiveKind::all_reduce, t.bytes(), [&](ncclComm_t comm, cudaStream_t native) {
      return ncclAllReduce(t.data, t.data, static_cast<std::size_t>(t.elements()), type,
                           reduction == Reduction::sum ? ncclSum : ncclMax, comm, native);
    });
  }

  void all_gather(Stream& stream, const Tensor& out, const Tensor& in) override {
    check(out.bytes() == in.bytes() * static_cast<std::size_t>(size()),
          "group {} of {}: all_gather of {} bytes into {}", name(), size(), in.bytes(), out.bytes());
    if (in.bytes() == 0) return;
    if (copies_ && copies_->can(stream, out)) {
      return copies_->all_gather(stream, out, in, note(CollectiveKind::all_gather, out.bytes()));
    }
    run(stream, CollectiveKind::all_gather, out.bytes(), [&](ncclComm_t comm, cudaStream_t native) {
      return ncclAllGather(in.data, out.data, in.bytes(), ncclUint8, comm, native);
    });
  }

  void reduce_scatter(Stream& stream, const Tensor& out, const Tensor& in) override {
    check(in.bytes() == out.bytes() * static_cast<std::size_t>(size()) && in.dtype == out.dtype,
          "group {} of {}: reduce_scatter of {} bytes ({}) into {} ({})", name(), size(), in.bytes(),
          trireme::name(in.dtype), out.bytes(), trireme::name(out.dtype));
    const ncclDataType_t type = nccl_type(out.dtype, name());
    if (out.bytes() == 0) return;
    run(stream, CollectiveKind::reduce_scatter, in.bytes(), [&](ncclComm_t comm, cudaStream_t native) {
      return ncclReduceScatter(in.data, out.data, static_cast<std::size_t>(out.elements()), type, ncclSum, comm,
                               native);
    });
  }

  void broadcast(Stream& stream, const Tensor& t, int root) override {
    check(root >= 0 && root < size(), "group {}: root {} of {} ranks", name(), root, size());
    if (t.bytes() == 0) return;
    run(stream, CollectiveKind::broadcast, t.bytes(), [&](ncclComm_t comm, cudaStream_t native) {
      return ncclBroadcast(t.data, t.data, t.bytes(), ncclUint8, root, comm, native);
    });
  }

  std::shared_ptr<void> share(const Buffer& memory) override {
    if (gather_ != GatherRoad::copy || memory.bytes() == 0) return nullptr;
    const Connecting noted("new", name(), size(), first_, order_.size() + 1);
    if (copies_ == nullptr) copies_ = std::make_unique<CopyGather>(*host_);
    auto shared = copies_->share(memory);
    if (shared == nullptr && rank() == 0 && !std::exchange(told_, true)) {
      fmt::print(stderr, "trireme: the {} group of rank {} gathers by NCCL's kernels, not by copies: {}\n", name(),
                 first_, copies_->problem());
    }
    return shared;
  }

  void barrier() override { host_->barrier(); }
  void host_reduce(std::span<double> values, Reduction reduction) override { host_->host_reduce(values, reduction); }
  void host_reduce(std::span<std::int64_t> values, Reduction reduction) override {
    host_->host_reduce(values, reduction);
  }
  void host_sum(std::span<std::uint64_t> values) override { host_->host_sum(values); }
  void host_broadcast(std::string& bytes, int root) override { host_->host_broadcast(bytes, root); }
  std::vector<std::string> host_gather(const std::string& bytes) override { return host_->host_gather(bytes); }
  std::int64_t next_ticket() override { return host_->next_ticket(); }
  void reset_tickets() override { host_->reset_tickets(); }

 private:
  struct Communicator {
    ncclComm_t comm = nullptr;
    std::uint64_t number = 0;          // among the live ones of the process
    std::unique_ptr<NcclTrack> track;  // none: whoever observes the group notes its collectives
  };

  /// Of the next collective.
  Collective note(CollectiveKind kind, std::size_t bytes) {
    return {.group = short_name(name()),
            .first = first_,
            .size = size(),
            .number = ++collectives_,
            .bytes = bytes,
            .kind = kind};
  }

  template <class Call>
  void run(Stream& stream, CollectiveKind kind, std::size_t bytes, const Call& call) {
    void* native = stream.native();
    trireme::check(native != nullptr, "the {} group works on streams of a GPU", name());
    const auto hit = by_stream_.find(stream.id());
    const Communicator& c = order_[hit == by_stream_.end() ? connect(stream) : hit->second];
    if (c.track) c.track->begin(native, note(kind, bytes));
    check_nccl(call(c.comm, static_cast<cudaStream_t>(native)), trireme::name(kind), c.comm);
    if (c.track) c.track->end(native);
  }

  /// A communicator for this stream. All ranks come here at the same call of theirs.
  std::size_t connect(const Stream& stream) {
    const Connecting noted("new", name(), size(), first_, order_.size() + 1);
    check_cuda(cudaSetDevice(device_), "cudaSetDevice");
    ncclUniqueId id{};
    std::string bytes;
    std::string problem;
    if (rank() == 0) {
      const ncclResult_t code = ncclGetUniqueId(&id);
      if (code == ncclSuccess) bytes.assign(id.internal, sizeof id.internal);
      if (code != ncclSuccess) problem = explained(code, nullptr);
    }
    host_->host_broadcast(bytes, 0);
    trireme::check(bytes.size() == sizeof id.internal, "NCCL cannot start the {} group: {}", name(),
                   problem.empty() ? "its first rank has failed" : problem);
    std::memcpy(id.internal, bytes.data(), sizeof id.internal);

    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 1;
    if (channels_ > 0) config.maxCTAs = channels_;
    Communicator made;
    check_nccl(ncclCommInitRankConfig(&made.comm, size(), id, rank(), &config), "the start", nullptr);
    if (stream_writes_work()) made.track = std::make_unique<NcclTrack>();
    LiveCommunicators::Communicator live{
        .error = [comm = made.comm, group = std::string(name())] { return error_of(comm, group); },
        .abort = [comm = made.comm, device = device_] { abort(comm, device); }};
    if (made.track) live.moment = [track = made.track.get()] { return track->moment(); };
    made.number = live_communicators().add(std::move(live));
    order_.push_back(std::move(made));
    return by_stream_[stream.id()] = order_.size() - 1;
  }

  /// On whatever thread; after an error of the device itself nothing runs there, and NCCL must not touch it.
  static void abort(ncclComm_t comm, int device) {
    if (cudaSetDevice(device) != cudaSuccess) return;
    const cudaError_t state = cudaStreamQuery(nullptr);
    if (state == cudaSuccess || state == cudaErrorNotReady) ncclCommAbort(comm);
  }

  /// What NCCL's own threads have met.
  static std::string error_of(ncclComm_t comm, const std::string& group) {
    ncclResult_t state = ncclSuccess;
    const ncclResult_t asked = ncclCommGetAsyncError(comm, &state);
    if (asked != ncclSuccess) state = asked;
    if (state == ncclSuccess || state == ncclInProgress) return "";
    return fmt::format("NCCL failed in the {} group: {}", group, explained(state, comm));
  }

  void check_nccl(ncclResult_t code, std::string_view what, ncclComm_t comm,
                  std::source_location where = std::source_location::current()) const {
    if (code == ncclSuccess) return;
    throw Error(fmt::format("NCCL: {} of the {} group ({} ranks, this is {}): {}", what, name(), size(), rank(),
                            explained(code, comm)),
                ExitCode::failed, where);
  }
  void check_cuda(cudaError_t code, const char* what) const {
    trireme::check(code == cudaSuccess, "the {} group: {} failed: {}", name(), what, cudaGetErrorString(code));
  }

  std::unique_ptr<Group> host_;
  const int first_;
  const GatherRoad gather_;
  bool told_ = false;                   // why some memory is gathered by NCCL
  std::unique_ptr<CopyGather> copies_;  // none before memory is shared
  std::uint64_t collectives_ = 0;
  int device_ = 0;
  int channels_ = 0;                                // 0: as NCCL thinks best
  std::map<std::uint64_t, std::size_t> by_stream_;  // by the stream's id
  std::vector<Communicator> order_;                 // in which they were made
};

}  // namespace

std::unique_ptr<Group> make_nccl_group(std::unique_ptr<Group> host, const NcclOptions& options, int first) {
  // Communicators on several streams of one GPU may wait for each other's multiprocessors unless their kernels are
  // launched in the same order on all ranks; NCCL keeps to the order of the calls, which is that, when told so.
  setenv("NCCL_LAUNCH_ORDER_IMPLICIT", "1", 0);
  auto group = std::make_unique<NcclGroup>(std::move(host), options, first);
  return std::make_unique<ObservedGroup>(std::move(group), process_status(), first, !stream_writes_work());
}

}  // namespace trireme
