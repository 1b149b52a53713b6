// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/machine.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/ops.h"
#include "tests/kernels/test_device.h"

namespace trireme::kernel_test {

namespace {

std::unique_ptr<Ops> make_ops(Device& device, int threads) {
  const char* wanted = std::getenv("TRIREME_TEST_INSTRUCTION_SET");
  const std::string name = wanted == nullptr ? "" : wanted;
  const cpu::KernelTable* table = nullptr;
  if (name == "baseline") table = cpu::kernel_table(cpu::InstructionSet::baseline);
  if (name == "avx2") table = cpu::kernel_table(cpu::InstructionSet::avx2);
  if (name == "avx512") table = cpu::kernel_table(cpu::InstructionSet::avx512);
  if (table == nullptr || tests_on_cuda()) return make_test_ops(device);  // the processor may lack it
  return std::make_unique<cpu::CpuOps>(threads, *table);
}

}  // namespace

Machine::Machine(const CpuOptions& options)
    : device_(make_test_device({.threads = test_threads(options.threads), .inline_streams = options.inline_streams})),
      ops_(make_ops(*device_, test_threads(options.threads))),
      stream_(device_->make_stream("test")) {}

Held Machine::make(Dtype dtype, const Shape& shape) {
  Held held;
  const auto bytes = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
  held.buffer = device_->allocate(bytes);
  held.tensor = {held.buffer.data(), dtype, shape};
  return held;
}

Held Machine::put(Dtype dtype, const Shape& shape, Values& values) {
  Held held = make(dtype, shape);
  EXPECT_EQ(static_cast<std::size_t>(shape.elements()), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (dtype == Dtype::bf16) {
      held.tensor.as<Bf16>()[i] = Bf16(static_cast<float>(values[i]));
    } else {
      held.tensor.as<float>()[i] = static_cast<float>(values[i]);
    }
  }
  values = get(held.tensor);
  return held;
}

Held Machine::put(const Shape& shape, const Index& values) {
  Held held = make(Dtype::i32, shape);
  EXPECT_EQ(static_cast<std::size_t>(shape.elements()), values.size());
  std::memcpy(held.buffer.data(), values.data(), values.size() * sizeof(std::int32_t));
  return held;
}

Values get(const Tensor& tensor) {
  Values values;
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    switch (tensor.dtype) {
      case Dtype::bf16:
        values.push_back(static_cast<double>(static_cast<float>(tensor.as<Bf16>()[i])));
        break;
      case Dtype::i32:
        values.push_back(tensor.as<std::int32_t>()[i]);
        break;
      default:
        values.push_back(static_cast<double>(tensor.as<float>()[i]));
        break;
    }
  }
  return values;
}

Values normal(std::size_t count, unsigned seed, double deviation) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> distribution(0.0, deviation);
  Values values(count);
  for (double& value : values) value = distribution(generator);
  return values;
}

double largest(const Values& values) {
  double most = 0.0;
  for (const double v : values) most = std::max(most, std::abs(v));
  return most;
}

std::string bits(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.data), static_cast<std::size_t>(tensor.bytes())};
}

}  // namespace trireme::kernel_test
