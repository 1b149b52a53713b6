// SPDX-License-Identifier: Apache-2.0
// What a kernel test runs on: a device, its operations, a stream, and values that go there and back.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/base/ops.h"
#include "kernels/kernels.h"
#include "tests/kernels/reference.h"

namespace trireme::kernel_test {

using reference::Index;
using reference::Values;

/// Unit roundoff: half the distance from 1 to the next number.
inline double roundoff(Dtype dtype) { return dtype == Dtype::bf16 ? std::ldexp(1.0, -8) : std::ldexp(1.0, -24); }

/// The operations' threads in a test that asks for `wanted`. ThreadSanitizer does not see how OpenMP orders its threads
/// and would report every one of their hand-overs: there it is 1, and the streams' own threads remain.
#ifdef __SANITIZE_THREAD__
inline int test_threads(int /*wanted*/) { return 1; }
#else
inline int test_threads(int wanted) { return wanted; }
#endif

/// A tensor together with its memory.
struct Held {
  Buffer buffer;
  Tensor tensor;
};

class Machine {
 public:
  /// Operations are those of the instruction set that TRIREME_TEST_INSTRUCTION_SET names (baseline, avx2, avx512), by
  /// default the best of this processor.
  explicit Machine(const CpuOptions& options = {.threads = 1, .inline_streams = true});

  Device& device() { return *device_; }
  const Ops& ops() const { return *ops_; }
  Stream& stream() { return *stream_; }

  /// Zeros.
  Held make(Dtype dtype, const Shape& shape);
  /// `values`, rounded to the dtype; they become what was stored, so that references start from the same numbers.
  Held put(Dtype dtype, const Shape& shape, Values& values);
  Held put(const Shape& shape, const Index& values);

  template <class Op>
  void run(const Op& op) {
    ops_->run(*stream_, op);
    stream_->synchronize();
  }

 private:
  std::unique_ptr<Device> device_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Stream> stream_;
};

Values get(const Tensor& tensor);
/// `count` values from a normal distribution, keyed by the seed.
Values normal(std::size_t count, unsigned seed, double deviation = 1.0);
/// The largest magnitude.
double largest(const Values& values);
/// The bytes of a tensor, for comparisons of bits.
std::string bits(const Tensor& tensor);

/// Holds |found - expected| <= bound(i) for every i, and that there is anything to compare.
template <class Bound>
void expect_within(const Values& found, const Values& expected, const Bound& bound, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  ASSERT_FALSE(found.empty()) << what;
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_LE(std::abs(found[i] - expected[i]), bound(i))
        << what << " at " << i << ": " << found[i] << " instead of " << expected[i];
  }
}

}  // namespace trireme::kernel_test
