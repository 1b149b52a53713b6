// SPDX-License-Identifier: Apache-2.0
#include "parallel/nccl_stream_words.h"

#include <cuda.h>
#include <cuda_runtime.h>

#include <atomic>

#include "core/base/error.h"

namespace trireme {
namespace {

using WordCall = CUresult (*)(CUstream, CUdeviceptr, cuuint32_t, unsigned int);

/// A function of the driver; null where it has none. Looked up, so that the binary starts on hosts without a driver.
WordCall find(const char* name) {
  constexpr unsigned int kVersion = 12000;
  void* function = nullptr;
  cudaDriverEntryPointQueryResult result{};
  if (cudaGetDriverEntryPointByVersion(name, &function, kVersion, cudaEnableDefault, &result) != cudaSuccess ||
      result != cudaDriverEntryPointSuccess) {
    static_cast<void>(cudaGetLastError());
    return nullptr;
  }
  return reinterpret_cast<WordCall>(function);
}

WordCall write_value() {
  static const auto found = find("cuStreamWriteValue32");
  return found;
}
WordCall wait_value() {
  static const auto found = find("cuStreamWaitValue32");
  return found;
}

void call(WordCall function, const char* name, void* stream, std::uintptr_t word, std::uint32_t value,
          unsigned int flags) {
  check(function != nullptr, "this driver has no {}", name);
  const CUresult code = function(static_cast<CUstream>(stream), word, value, flags);
  check(code == CUDA_SUCCESS, "{} failed with error {}", name, static_cast<int>(code));
}

/// Calls `use(stream, word)` with a word of the host's memory that is zero; whether it and the stream then succeed.
template <class Use>
bool works(const Use& use) {
  void* word = nullptr;
  cudaStream_t stream = nullptr;
  bool good = cudaMallocHost(&word, sizeof(std::uint32_t)) == cudaSuccess &&
              cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess;
  if (good) {
    *static_cast<std::uint32_t*>(word) = 0;
    good = use(static_cast<CUstream>(stream), *static_cast<std::uint32_t*>(word)) &&
           cudaStreamSynchronize(stream) == cudaSuccess;
  }
  if (stream != nullptr) cudaStreamDestroy(stream);
  if (word != nullptr) cudaFreeHost(word);
  static_cast<void>(cudaGetLastError());
  return good;
}

constexpr std::uint32_t kSign = 0x7431;

bool try_write() {
  if (write_value() == nullptr) return false;
  return works([](CUstream stream, std::uint32_t& word) {
    return write_value()(stream, reinterpret_cast<CUdeviceptr>(&word), kSign, 0) == CUDA_SUCCESS &&
           cudaStreamSynchronize(stream) == cudaSuccess &&
           std::atomic_ref(word).load(std::memory_order_acquire) == kSign;
  });
}

bool try_wait() {
  if (wait_value() == nullptr) return false;
  return works([](CUstream stream, std::uint32_t& word) {
    if (wait_value()(stream, reinterpret_cast<CUdeviceptr>(&word), kSign, CU_STREAM_WAIT_VALUE_GEQ) != CUDA_SUCCESS) {
      return false;
    }
    const bool waited = cudaStreamQuery(stream) == cudaErrorNotReady;
    std::atomic_ref(word).store(kSign, std::memory_order_release);
    return waited;
  });
}

}  // namespace

bool stream_writes_work() {
  static const bool work = try_write();
  return work;
}
bool stream_waits_work() {
  static const bool work = try_wait();
  return work;
}

void write_word(void* stream, std::uintptr_t word, std::uint32_t value) {
  call(write_value(), "cuStreamWriteValue32", stream, word, value, CU_STREAM_WRITE_VALUE_DEFAULT);
}

void await_word(void* stream, std::uintptr_t word, std::uint32_t least) {
  call(wait_value(), "cuStreamWaitValue32", stream, word, least, CU_STREAM_WAIT_VALUE_GEQ);
}

}  // namespace trireme
