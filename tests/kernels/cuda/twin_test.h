// SPDX-License-Identifier: Apache-2.0
// A CPU and a GPU with memory of its own side by side: what tests at the sizes of real models compare.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "kernels/kernels.h"
#include "tests/kernels/machine.h"
#include "tests/kernels/test_device.h"

namespace trireme::kernel_test {

/// A tensor on both devices, with the same values.
struct Twin {
  Buffer on_cpu, on_gpu, back;
  Tensor cpu, gpu;
};

/// A CPU and a GPU, and tensors with the same values on both.
class TwinTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (cuda_device_count() == 0) GTEST_SKIP() << "there is no GPU";
    const int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    cpu = make_cpu_device({.threads = threads, .inline_streams = true});
    gpu = make_cuda_device(
        {.deterministic = Determinism::always, .products = ProductChoice::measured, .cache = test_cache()});
    cpu_ops = make_cpu_ops(*cpu);
    gpu_ops = make_cuda_ops(*gpu);
    cpu_stream = cpu->make_stream("cpu");
    gpu_stream = gpu->make_stream("gpu");
  }

  Twin make(Dtype dtype, const Shape& shape) {
    Twin twin;
    const auto bytes = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
    twin.on_cpu = cpu->allocate(bytes);
    twin.on_gpu = gpu->allocate(bytes);
    twin.back = gpu->allocate(bytes, MemoryKind::pinned);
    twin.cpu = {twin.on_cpu.data(), dtype, shape};
    twin.gpu = {twin.on_gpu.data(), dtype, shape};
    return twin;
  }
  /// Normal values, the same on both.
  Twin random(Dtype dtype, const Shape& shape, unsigned seed, float deviation = 1.0F) {
    Twin twin = make(dtype, shape);
    std::mt19937 generator(seed);
    std::normal_distribution<float> distribution(0.0F, deviation);
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
      const float value = distribution(generator);
      if (dtype == Dtype::bf16) {
        twin.cpu.as<Bf16>()[i] = Bf16(value);
      } else {
        twin.cpu.as<float>()[i] = value;
      }
    }
    send(twin);
    return twin;
  }
  Twin integers(const Shape& shape, std::int32_t below) {
    Twin twin = make(Dtype::i32, shape);
    std::mt19937 generator(7);
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
      // Small ones often, as words are.
      const auto wide = static_cast<double>(generator()) / 4294967296.0;
      twin.cpu.as<std::int32_t>()[i] = static_cast<std::int32_t>(wide * wide * wide * below);
    }
    send(twin);
    return twin;
  }
  void send(Twin& twin) {
    std::memcpy(twin.back.data(), twin.on_cpu.data(), twin.on_cpu.bytes());
    gpu->copy(*gpu_stream, twin.gpu.data, twin.back.data(), twin.back.bytes());
    gpu_stream->synchronize();
  }
  Values from_gpu(Twin& twin) {
    gpu->copy(*gpu_stream, twin.back.data(), twin.gpu.data, twin.back.bytes());
    gpu_stream->synchronize();
    return get({twin.back.data(), twin.gpu.dtype, twin.gpu.shape});
  }
  template <class Op>
  void run_both(const Op& on_cpu, const Op& on_gpu) {
    cpu_ops->run(*cpu_stream, on_cpu);
    gpu_ops->run(*gpu_stream, on_gpu);
    gpu_stream->synchronize();
  }
  /// Both were rounded to the dtype, and each is off by at most error(i) before.
  template <class Error>
  void expect_same(Twin& twin, const Error& error, const std::string& what) {
    const Values expected = get(twin.cpu);
    const double v = 2.02 * roundoff(twin.cpu.dtype);
    expect_within(
        from_gpu(twin), expected, [&](std::size_t i) { return 2.02 * error(i) + v * std::abs(expected[i]); }, what);
  }

  std::unique_ptr<Device> cpu, gpu;
  std::unique_ptr<Ops> cpu_ops, gpu_ops;
  std::unique_ptr<Stream> cpu_stream, gpu_stream;
};

/// A sum of n products of normal values in fp32: the error's worst case is n u sum |a b| <= n^2 u max^2; what is held
/// here is sqrt(n) times smaller than that, which independent roundings exceed with a chance below e^-n/2 (Higham and
/// Mary 2019, 3.1, with their lambda = sqrt(n)).
inline double product_error(std::int64_t n, double largest_a, double largest_b) {
  const auto length = static_cast<double>(n);
  return std::sqrt(length) * length * roundoff(Dtype::f32) * largest_a * largest_b;
}

}  // namespace trireme::kernel_test
