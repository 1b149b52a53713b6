// SPDX-License-Identifier: Apache-2.0
// Streams, events and memory of a GPU.
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "core/base/error.h"
#include "kernels/kernels.h"

namespace trireme {
namespace {

class CudaDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (cuda_device_count() == 0) GTEST_SKIP() << "there is no GPU";
    device = make_cuda_device({});
  }
  std::unique_ptr<Device> device;
};

TEST_F(CudaDeviceTest, CopiesThereAndBackAndZeroes) {
  constexpr std::size_t kBytes = 1000003;
  const auto stream = device->make_stream("test");
  const Buffer host = device->allocate(kBytes, MemoryKind::pinned);
  const Buffer back = device->allocate(kBytes, MemoryKind::pinned);
  const Buffer memory = device->allocate(kBytes);
  EXPECT_EQ(device->allocations(), 3);
  EXPECT_EQ(device->allocated_bytes(MemoryKind::device), kBytes);
  EXPECT_EQ(device->allocated_bytes(MemoryKind::pinned), 2 * kBytes);
  std::memset(back.data(), 0x55, kBytes);
  device->copy(*stream, back.data(), memory.data(), kBytes);
  stream->synchronize();
  EXPECT_EQ(std::memcmp(back.data(), host.data(), kBytes), 0) << "new memory is zeros";
  for (std::size_t i = 0; i < kBytes; ++i)
    static_cast<unsigned char*>(host.data())[i] = static_cast<unsigned char>(i * 7);
  device->copy(*stream, memory.data(), host.data(), kBytes);
  device->zero(*stream, memory.data(), 1000);
  device->copy(*stream, back.data(), memory.data(), kBytes);
  stream->synchronize();
  std::memset(host.data(), 0, 1000);
  EXPECT_EQ(std::memcmp(back.data(), host.data(), kBytes), 0);
}

TEST_F(CudaDeviceTest, StreamsAreOrderedByEventsAndCallsComeInOrder) {
  const auto first = device->make_stream("first");
  const auto second = device->make_stream("second");
  const auto event = device->make_event();
  int value = 0;
  first->call([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    value = 1;
  });
  first->record(*event);
  second->wait(*event);
  int seen = -1;
  second->call([&] { seen = value; });
  second->synchronize();
  EXPECT_EQ(seen, 1);
  event->synchronize();
}

TEST_F(CudaDeviceTest, ErrorsOfHostWorkComeOutOfSynchronizeOnceAndPassThroughEvents) {
  const auto stream = device->make_stream("first");
  const auto other = device->make_stream("second");
  const auto event = device->make_event();
  bool ran = false;
  stream->call([] { fail("the disk is gone"); });
  stream->call([&] { ran = true; });
  stream->record(*event);
  other->wait(*event);
  EXPECT_THROW(other->synchronize(), Error);
  EXPECT_THROW(event->synchronize(), Error);
  EXPECT_THROW(stream->synchronize(), Error);
  EXPECT_FALSE(ran) << "what follows an error is skipped";
  EXPECT_NO_THROW(stream->synchronize());
  stream->call([&] { ran = true; });
  stream->synchronize();
  EXPECT_TRUE(ran);
}

TEST_F(CudaDeviceTest, TooMuchMemoryIsRefusedWithWhatIsFree) {
  try {
    const Buffer buffer = device->allocate(std::size_t{1} << 45U);
    FAIL() << "32 TiB were allocated";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("bytes are free"), std::string::npos) << error.what();
  }
  EXPECT_NO_THROW(device->make_stream("after"));
}

TEST_F(CudaDeviceTest, ADeviceThatIsNotThereIsRefused) {
  EXPECT_THROW(make_cuda_device({.index = cuda_device_count(), .cache = {}}), Error);
  EXPECT_THROW(make_cuda_ops(*make_cpu_device({})), Error);
}

TEST_F(CudaDeviceTest, ThePeakIsInTheTable) { EXPECT_GT(device->peak_flops(Dtype::bf16), 1e14); }

}  // namespace
}  // namespace trireme
