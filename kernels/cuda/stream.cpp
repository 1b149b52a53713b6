// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/stream.h"

#include <algorithm>
#include <cassert>
#include <mutex>

#include "core/base/error.h"
#include "kernels/cuda/check.h"
#include "kernels/scratch.h"

namespace trireme::cuda {

class HostError {
 public:
  bool any() {
    const std::lock_guard lock(mutex_);
    return error_ != nullptr;
  }
  void set(std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (error_ == nullptr) error_ = std::move(error);
  }
  void rethrow() {
    const std::lock_guard lock(mutex_);
    if (error_ != nullptr) std::rethrow_exception(error_);
  }
  void rethrow_and_forget() {
    std::exception_ptr error;
    {
      const std::lock_guard lock(mutex_);
      error = std::exchange(error_, nullptr);
    }
    if (error != nullptr) std::rethrow_exception(error);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
};

namespace {

/// Work on its way through a stream.
struct Call {
  std::function<void()> work;
  std::shared_ptr<HostError> error;
};

void CUDART_CB run_call(void* data) {
  const std::unique_ptr<Call> call(static_cast<Call*>(data));
  if (call->error->any()) return;
  try {
    call->work();
  } catch (...) {
    call->error->set(std::current_exception());
  }
}

}  // namespace

CudaEvent::CudaEvent() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cannot make an event");
  handle_ = EventHandle(event);
}

void CudaEvent::synchronize() {
  check(cudaEventSynchronize(handle_.get()), "work before an event failed");
  if (error_) error_->rethrow();
}

CudaStream::CudaStream(Device& device, const std::string& name)
    : device_(device), name_(name), error_(std::make_shared<HostError>()) {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cannot make a stream");
  handle_ = StreamHandle(stream);
  int index = 0;
  check(cudaGetDevice(&index), "no device");
  check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, index), "cannot ask the device");
}

CudaStream::~CudaStream() {
  // Scratch and what host calls borrow are in use until the queue is empty; an error was or will be told elsewhere.
  static_cast<void>(cudaStreamSynchronize(handle_.get()));
}

void CudaStream::record(Event& event) {
  assert(dynamic_cast<CudaEvent*>(&event) != nullptr);
  auto& cuda_event = static_cast<CudaEvent&>(event);
  check(cudaEventRecord(cuda_event.handle_.get(), handle_.get()), "cannot record an event");
  cuda_event.error_ = error_;
}

void CudaStream::wait(Event& event) {
  assert(dynamic_cast<CudaEvent*>(&event) != nullptr);
  auto& cuda_event = static_cast<CudaEvent&>(event);
  check(cudaStreamWaitEvent(handle_.get(), cuda_event.handle_.get(), 0), "cannot wait for an event");
  if (cuda_event.error_ == nullptr || cuda_event.error_ == error_) return;
  // The other stream's error becomes this one's, in stream order.
  call([from = cuda_event.error_] { from->rethrow(); });
}

void CudaStream::call(std::function<void()> work) {
  auto pending = std::make_unique<Call>(Call{std::move(work), error_});
  check(cudaLaunchHostFunc(handle_.get(), run_call, pending.get()), "cannot enqueue work of the host");
  static_cast<void>(pending.release());  // run_call deletes it
}

void CudaStream::synchronize() {
  check(cudaStreamSynchronize(handle_.get()), ("work on stream " + name_ + " failed").c_str());
  error_->rethrow_and_forget();
}

void* CudaStream::scratch(std::size_t bytes) {
  if (scratch_.data() == nullptr || scratch_.bytes() < bytes) {
    // What is in flight still uses it, and comes to its end: all ranks have enqueued the same collectives until here.
    check(cudaStreamSynchronize(handle_.get()), ("work on stream " + name_ + " failed").c_str());
    scratch_ = Buffer();
    scratch_ = device_.allocate(std::max(bytes, kLeastScratch));
  }
  return scratch_.data();
}

}  // namespace trireme::cuda
