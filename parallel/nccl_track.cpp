// SPDX-License-Identifier: Apache-2.0
#include "parallel/nccl_track.h"

#include <cuda.h>
#include <cuda_runtime.h>

#include <atomic>

#include "core/base/error.h"

namespace trireme {
namespace {

constexpr std::size_t kRecent = 4096;  // more than a host runs ahead in one stream
constexpr std::size_t kBegun = 0, kEnded = 1, kWords = 2;

using WriteValue = CUresult (*)(CUstream, CUdeviceptr, cuuint32_t, unsigned int);

/// The driver's function; null where it has none. Looked up, so that the binary starts on hosts without a driver.
WriteValue write_value() {
  constexpr unsigned int kVersion = 12000;
  static const auto found = []() -> WriteValue {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult result{};
    if (cudaGetDriverEntryPointByVersion("cuStreamWriteValue32", &function, kVersion, cudaEnableDefault, &result) !=
            cudaSuccess ||
        result != cudaDriverEntryPointSuccess) {
      static_cast<void>(cudaGetLastError());
      return nullptr;
    }
    return reinterpret_cast<WriteValue>(function);
  }();
  return found;
}

std::uint32_t read(const std::uint32_t& word) {
  return std::atomic_ref(const_cast<std::uint32_t&>(word)).load(std::memory_order_acquire);
}

bool write_works() {
  if (write_value() == nullptr) return false;
  void* word = nullptr;
  cudaStream_t stream = nullptr;
  bool works = cudaMallocHost(&word, sizeof(std::uint32_t)) == cudaSuccess &&
               cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess;
  if (works) {
    constexpr std::uint32_t kSign = 0x7431;
    auto& value = *static_cast<std::uint32_t*>(word);
    value = 0;
    works = write_value()(stream, reinterpret_cast<CUdeviceptr>(word), kSign, 0) == CUDA_SUCCESS &&
            cudaStreamSynchronize(stream) == cudaSuccess && read(value) == kSign;
  }
  if (stream != nullptr) cudaStreamDestroy(stream);
  if (word != nullptr) cudaFreeHost(word);
  static_cast<void>(cudaGetLastError());
  return works;
}

}  // namespace

NcclTrack::NcclTrack() : recent_(kRecent) {
  void* words = nullptr;
  const cudaError_t code = cudaMallocHost(&words, kWords * sizeof(std::uint32_t));
  check(code == cudaSuccess, "no pinned memory for the notes of a stream: {}", cudaGetErrorString(code));
  words_ = static_cast<std::uint32_t*>(words);
  for (std::size_t i = 0; i < kWords; ++i) words_[i] = 0;
}

NcclTrack::~NcclTrack() { static_cast<void>(cudaFreeHost(words_)); }

void NcclTrack::write(void* stream, std::size_t word, std::uint32_t value) const {
  const CUresult code =
      write_value()(static_cast<CUstream>(stream), reinterpret_cast<CUdeviceptr>(words_ + word), value, 0);
  check(code == CUDA_SUCCESS, "cuStreamWriteValue32 failed with error {}", static_cast<int>(code));
}

void NcclTrack::begin(void* stream, const Collective& collective) {
  ++enqueued_;
  {
    const std::lock_guard lock(mutex_);
    recent_[enqueued_ % kRecent] = collective;
  }
  write(stream, kBegun, enqueued_);
}

void NcclTrack::end(void* stream) { write(stream, kEnded, enqueued_); }

LiveCommunicators::Moment NcclTrack::moment() const {
  LiveCommunicators::Moment moment;
  moment.ended = read(words_[kEnded]);
  moment.begun = read(words_[kBegun]);
  const std::lock_guard lock(mutex_);
  if (moment.begun != moment.ended) moment.running = recent_[moment.begun % kRecent];
  if (moment.ended != 0) moment.last = recent_[moment.ended % kRecent];
  return moment;
}

bool nccl_tracks_work() {
  static const bool works = write_works();
  return works;
}

}  // namespace trireme
