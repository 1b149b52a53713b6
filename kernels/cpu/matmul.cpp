// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/matmul.h"

#include <dnnl.hpp>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/base/error.h"
#include "kernels/cpu/scratch.h"

namespace trireme::cpu {
namespace {

using dnnl::memory;

struct HashShape {
  std::size_t operator()(const ProductShape& s) const {
    std::size_t hash = 0;
    for (const std::int64_t part :
         {s.rows, s.inner, s.columns, static_cast<std::int64_t>(s.input), static_cast<std::int64_t>(s.output),
          static_cast<std::int64_t>(s.bias), static_cast<std::int64_t>(s.residual),
          static_cast<std::int64_t>((s.a_transposed ? 1 : 0) + (s.b_transposed ? 2 : 0) + (s.accumulate ? 4 : 0)),
          static_cast<std::int64_t>(s.threads)}) {
      hash = hash * 0x9E3779B97F4A7C15U + std::hash<std::int64_t>{}(part) + 1;
    }
    return hash;
  }
};

memory::data_type data_type(Dtype dtype) {
  return dtype == Dtype::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}
memory::data_type data_type(Addend addend) {
  return addend == Addend::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}
memory::desc matrix(std::int64_t rows, std::int64_t columns, memory::data_type type, bool transposed) {
  return {{rows, columns}, type, transposed ? memory::dims{1, rows} : memory::dims{columns, 1}};
}

/// oneDNN sizes its work by the calling thread's OpenMP setting, both when it makes and when it runs a primitive.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~ThreadCount() { omp_set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

/// A primitive with the memory objects that it is executed with; only their addresses change.
struct Product {
  dnnl::matmul primitive;
  std::unordered_map<int, memory> arguments;
  std::size_t scratch_bytes = 0;
  std::mutex mutex;
};

void* writable(const void* data) { return const_cast<void*>(data); }

}  // namespace

struct Matmul::Cache {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::mutex mutex;
  std::unordered_map<ProductShape, std::unique_ptr<Product>, HashShape> products;

  Product& find(const ProductShape& shape) {
    const std::lock_guard lock(mutex);
    auto& product = products[shape];
    if (product == nullptr) product = make(shape);
    return *product;
  }

  std::unique_ptr<Product> make(const ProductShape& s) const {
    const memory::desc a = matrix(s.rows, s.inner, data_type(s.input), s.a_transposed);
    const memory::desc b = matrix(s.inner, s.columns, data_type(s.input), s.b_transposed);
    const memory::desc y = matrix(s.rows, s.columns, data_type(s.output), false);
    const memory::desc bias = matrix(1, s.columns, data_type(s.bias), false);
    const memory::desc residual = matrix(s.rows, s.columns, data_type(s.residual), false);
    dnnl::post_ops after;
    if (s.residual != Addend::none) after.append_binary(dnnl::algorithm::binary_add, residual);
    if (s.accumulate) after.append_sum(1.0F);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    attributes.set_post_ops(after);
    const dnnl::matmul::desc what =
        s.bias == Addend::none ? dnnl::matmul::desc(a, b, y) : dnnl::matmul::desc(a, b, bias, y);
    const dnnl::matmul::primitive_desc how(what, attributes, engine);

    auto product = std::make_unique<Product>();
    product->primitive = dnnl::matmul(how);
    auto& arguments = product->arguments;
    arguments.emplace(DNNL_ARG_SRC, memory(a, engine, nullptr));
    arguments.emplace(DNNL_ARG_WEIGHTS, memory(b, engine, nullptr));
    arguments.emplace(DNNL_ARG_DST, memory(y, engine, nullptr));
    arguments.emplace(DNNL_ARG_SCRATCHPAD, memory(how.scratchpad_desc(), engine, nullptr));
    if (s.bias != Addend::none) arguments.emplace(DNNL_ARG_BIAS, memory(bias, engine, nullptr));
    if (s.residual != Addend::none) {
      arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, memory(residual, engine, nullptr));
    }
    product->scratch_bytes = how.scratchpad_desc().get_size();
    return product;
  }
};

Matmul::Matmul() : cache_(std::make_unique<Cache>()) {}
Matmul::~Matmul() = default;

void Matmul::run(const ProductShape& shape, const ProductMemory& data) {
  try {
    const ThreadCount threads(shape.threads);
    Product& product = cache_->find(shape);
    const std::lock_guard lock(product.mutex);
    auto& arguments = product.arguments;
    arguments.at(DNNL_ARG_SRC).set_data_handle(writable(data.a));
    arguments.at(DNNL_ARG_WEIGHTS).set_data_handle(writable(data.b));
    arguments.at(DNNL_ARG_DST).set_data_handle(data.y);
    if (product.scratch_bytes > 0) {
      arguments.at(DNNL_ARG_SCRATCHPAD).set_data_handle(thread_scratch(product.scratch_bytes));
    }
    if (shape.bias != Addend::none) arguments.at(DNNL_ARG_BIAS).set_data_handle(writable(data.bias));
    if (shape.residual != Addend::none) {
      arguments.at(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1).set_data_handle(writable(data.residual));
    }
    product.primitive.execute(cache_->stream, arguments);
  } catch (const dnnl::error& e) {
    fail("oneDNN cannot multiply [{} x {}] by [{} x {}] in {}: {}", shape.rows, shape.inner, shape.inner, shape.columns,
         name(shape.input), e.what());
  }
}

double measure_matmul_flops(Dtype dtype, int threads) {
  // Short products, many times: on a machine with other work, some of them run undisturbed. Small ones fit between two
  // turns of a busy core, large ones tell what many cores can do.
  constexpr std::int64_t kSizes[] = {256, 512, 1024};
  constexpr std::chrono::milliseconds kEach{60};
  constexpr int kLeast = 5;  // the first makes the primitive
  const auto count = static_cast<std::size_t>(kSizes[2] * kSizes[2]) * sizeof(float);
  std::vector<std::byte> a(count), b(count), y(count);
  Matmul matmul;
  double best = 0.0;
  for (const std::int64_t size : kSizes) {
    const ProductShape shape{
        .rows = size, .inner = size, .columns = size, .input = dtype, .output = dtype, .threads = threads};
    const auto begin = std::chrono::steady_clock::now();
    auto end = begin;
    for (int round = 0; round < kLeast || end - begin < kEach; ++round) {
      const auto start = std::chrono::steady_clock::now();
      matmul.run(shape, {.y = y.data(), .a = a.data(), .b = b.data()});
      end = std::chrono::steady_clock::now();
      const double seconds = std::chrono::duration<double>(end - start).count();
      best = std::max(best, 2.0 * static_cast<double>(size * size * size) / seconds);
    }
  }
  return best;
}

}  // namespace trireme::cpu
