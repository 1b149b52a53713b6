// SPDX-License-Identifier: Apache-2.0
// Every operation of one training step of GPT-2 124M on the CPU (B=4, T=256), each against what bounds it: the measured
// matrix peak or the copy speed. The last line is their sum, weighted by how often a step runs each.
//
// usage: ops_bench [--threads N] [--rounds N] [--only fp32|bf16]
// Columns: milliseconds of a call (least of the rounds) by the wall and by the processor's clock over the threads,
// calls a step, and what is reached of the bound. Run with OMP_WAIT_POLICY=passive, or waiting counts as work.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <limits>
#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace trireme {
namespace {

constexpr std::int64_t kBatch = 4, kTime = 256, kRows = kBatch * kTime, kWidth = 768, kHeads = 12, kSize = 64;
constexpr std::int64_t kForward = 3072, kVocabulary = 50257, kPositions = 1024, kLayers = 12;
constexpr std::int64_t kChunk = 512;  // rows of logits at a time
constexpr std::int64_t kParameters = 124439808;

struct Seconds {
  double wall = std::numeric_limits<double>::max();
  double processor = std::numeric_limits<double>::max();
};

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

class Bench {
 public:
  Bench(Dtype dtype, int threads, int rounds)
      : dtype_(dtype),
        threads_(threads),
        rounds_(rounds),
        device_(make_cpu_device({.threads = threads, .inline_streams = true})),
        ops_(make_cpu_ops(*device_)),
        stream_(device_->make_stream("bench")),
        peak_(device_->peak_flops(dtype)) {
    const Tensor a = make(Dtype::f32, {64 << 20});
    const Tensor b = make(Dtype::f32, {64 << 20});
    const Seconds copy = time([&] { device_->copy(*stream_, b.data, a.data, a.bytes()); });
    speed_ = 2.0 * static_cast<double>(a.bytes()) / copy.wall;
    fmt::print("\n{} on {}: matrix peak {:.0f} GFLOP/s, copy {:.1f} GB/s\n", name(dtype), device_->description(),
               peak_ * 1e-9, speed_ * 1e-9);
    buffers_.clear();
  }

  /// Memory filled with small numbers that are no constant: 0 would be multiplied at another speed on some processors.
  Tensor make(Dtype dtype, const Shape& shape) {
    buffers_.push_back(device_->allocate(static_cast<std::size_t>(shape.elements()) * size_of(dtype)));
    const Tensor tensor{buffers_.back().data(), dtype, shape};
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
      const float value = static_cast<float>((i * 2654435761) % 1999 - 999) * 1e-3F;
      if (dtype == Dtype::f32) tensor.as<float>()[i] = value;
      if (dtype == Dtype::bf16) tensor.as<Bf16>()[i] = Bf16(value);
      if (dtype == Dtype::i32) tensor.as<std::int32_t>()[i] = static_cast<std::int32_t>((i * 48271) % kPositions);
    }
    return tensor;
  }
  Tensor make(const Shape& shape) { return make(dtype_, shape); }

  /// `flops` > 0: bounded by the matrix peak; otherwise by moving `bytes`.
  template <class Op>
  void add(const std::string& what, std::int64_t calls, double flops, double bytes, const Op& op) {
    const Seconds seconds = time([&] { ops_->run(*stream_, op); });
    const double rate = (flops > 0 ? flops : bytes) / seconds.wall;
    fmt::print("  {:28} {:9.3f} ms wall {:9.3f} ms processor {:5} calls  {:8.1f} {}  {:5.1f} %\n", what,
               seconds.wall * 1e3, seconds.processor * 1e3, calls, rate * 1e-9, flops > 0 ? "GFLOP/s" : "GB/s   ",
               100.0 * rate / (flops > 0 ? peak_ : speed_));
    wall_ += seconds.wall * static_cast<double>(calls);
    processor_ += seconds.processor * static_cast<double>(calls);
    buffers_.clear();
  }

  void report() const {
    fmt::print("  sum of one step: {:.3f} s wall, {:.3f} s processor, {:.1f} tokens/s\n", wall_, processor_,
               static_cast<double>(kRows) / wall_);
  }

 private:
  template <class F>
  Seconds time(const F& work) {
    Seconds best;
    for (int round = 0; round <= rounds_; ++round) {  // the first warms up
      const double processor = processor_seconds();
      const auto start = std::chrono::steady_clock::now();
      work();
      stream_->synchronize();
      const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
      if (round == 0) continue;
      best.wall = std::min(best.wall, wall.count());
      best.processor = std::min(best.processor, (processor_seconds() - processor) / threads_);
    }
    return best;
  }

  Dtype dtype_;
  int threads_;
  int rounds_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Stream> stream_;
  std::vector<Buffer> buffers_;
  double peak_;
  double speed_ = 0.0;
  double wall_ = 0.0;
  double processor_ = 0.0;
};

void linear(Bench& bench, const std::string& what, std::int64_t calls, std::int64_t rows, std::int64_t inputs,
            std::int64_t outputs, bool with_bias, bool with_residual) {
  const double flops = 2.0 * static_cast<double>(rows * inputs) * static_cast<double>(outputs);
  bench.add(what, calls, flops, 0,
            Linear{.y = bench.make({rows, outputs}),
                   .x = bench.make({rows, inputs}),
                   .weight = bench.make({outputs, inputs}),
                   .bias = with_bias ? bench.make({outputs}) : Tensor(),
                   .residual = with_residual ? bench.make({rows, outputs}) : Tensor()});
  bench.add(what + " d_input", calls, flops, 0,
            LinearBackwardInput{.dx = bench.make({rows, inputs}),
                                .dy = bench.make({rows, outputs}),
                                .weight = bench.make({outputs, inputs})});
  bench.add(what + " d_weight", calls, flops, 0,
            LinearBackwardWeight{.d_weight = bench.make(Dtype::f32, {outputs, inputs}),
                                 .d_bias = with_bias ? bench.make(Dtype::f32, {outputs}) : Tensor(),
                                 .dy = bench.make({rows, outputs}),
                                 .x = bench.make({rows, inputs})});
}

void attention(Bench& bench) {
  const Shape packed = {kBatch, kTime, 3 * kHeads, kSize}, out = {kBatch, kTime, kHeads, kSize};
  const Shape rows = {kBatch, kHeads, kTime};
  const double flops = 2.0 * kBatch * kHeads * kTime * kTime * kSize;  // causal: half of two products
  const Tensor lse = bench.make(Dtype::f32, rows), y = bench.make(out), qkv = bench.make(packed);
  const Attention forward{
      .y = y, .lse = lse, .qkv = qkv, .document_start = {}, .heads = kHeads, .kv_heads = kHeads, .scale = 0.125F};
  bench.add("attention", kLayers, flops, 0, forward);
  AttentionBackward backward{.d_qkv = bench.make(packed),
                             .dy = bench.make(out),
                             .y = bench.make(out),
                             .lse = bench.make(Dtype::f32, rows),
                             .qkv = bench.make(packed),
                             .document_start = {},
                             .row_dot = bench.make(Dtype::f32, rows),
                             .heads = kHeads,
                             .kv_heads = kHeads,
                             .scale = 0.125F};
  bench.add("attention backward", kLayers, 2.5 * flops, 0, backward);
}

void normalisations(Bench& bench, double element) {
  const double bytes = static_cast<double>(kRows * kWidth) * element;
  const Shape matrix = {kRows, kWidth};
  bench.add("layer norm", 2 * kLayers + 1, 0, 2 * bytes,
            LayerNorm{.y = bench.make(matrix),
                      .mean = bench.make(Dtype::f32, {kRows}),
                      .rstd = bench.make(Dtype::f32, {kRows}),
                      .x = bench.make(matrix),
                      .weight = bench.make({kWidth}),
                      .bias = bench.make({kWidth})});
  bench.add("layer norm backward", 2 * kLayers + 1, 0, 4 * bytes,
            LayerNormBackward{.dx = bench.make(matrix),
                              .d_weight = bench.make(Dtype::f32, {kWidth}),
                              .d_bias = bench.make(Dtype::f32, {kWidth}),
                              .dy = bench.make(matrix),
                              .x = bench.make(matrix),
                              .mean = bench.make(Dtype::f32, {kRows}),
                              .rstd = bench.make(Dtype::f32, {kRows}),
                              .weight = bench.make({kWidth}),
                              .accumulate = true});
}

void elementwise(Bench& bench, double element) {
  const Shape wide = {kRows, kForward};
  const double bytes = static_cast<double>(kRows * kForward) * element;
  bench.add("gelu", kLayers, 0, 2 * bytes, Gelu{.y = bench.make(wide), .x = bench.make(wide)});
  bench.add("gelu backward", kLayers, 0, 3 * bytes,
            GeluBackward{.dx = bench.make(wide), .dy = bench.make(wide), .x = bench.make(wide), .d_bias = {}});
  const Shape matrix = {kRows, kWidth};
  const double row_bytes = static_cast<double>(kRows * kWidth) * element;
  bench.add("embedding", 1, 0, 3 * row_bytes,
            Embedding{.y = bench.make(matrix),
                      .tokens = bench.make(Dtype::i32, {kRows}),
                      .positions = bench.make(Dtype::i32, {kRows}),
                      .token_table = bench.make({kVocabulary, kWidth}),
                      .position_table = bench.make({kPositions, kWidth})});
  bench.add("embedding backward", 1, 0, 2 * row_bytes + 16.0 * kRows * kWidth,
            EmbeddingBackward{.d_token_table = bench.make(Dtype::f32, {kVocabulary, kWidth}),
                              .d_position_table = bench.make(Dtype::f32, {kPositions, kWidth}),
                              .dy = bench.make(matrix),
                              .tokens = bench.make(Dtype::i32, {kRows}),
                              .positions = bench.make(Dtype::i32, {kRows})});
  bench.add("cross entropy", kRows / kChunk, 0, 2.0 * kChunk * kVocabulary * element,
            CrossEntropy{.losses = bench.make(Dtype::f32, {kChunk}),
                         .logits = bench.make({kChunk, kVocabulary}),
                         .targets = bench.make(Dtype::i32, {kChunk}),
                         .vocabulary = kVocabulary,
                         .gradient_scale = 1e-3F});
}

void optimizer(Bench& bench, Dtype dtype) {
  const Shape flat = {kParameters};
  bench.add("squared norm", 1, 0, 4.0 * kParameters,
            SquaredNorm{.out = bench.make(Dtype::f32, {1}), .x = bench.make(Dtype::f32, flat)});
  // Moments of ones: a root of a negative number is not what the optimizer meets.
  const Tensor second = bench.make(Dtype::f32, flat);
  std::fill_n(second.as<float>(), kParameters, 1.0F);
  bench.add("adamw", 1, 0, (dtype == Dtype::bf16 ? 30.0 : 28.0) * kParameters,
            AdamW{.master = bench.make(Dtype::f32, flat),
                  .first = bench.make(Dtype::f32, flat),
                  .second = second,
                  .gradient = bench.make(Dtype::f32, flat),
                  .copy = dtype == Dtype::bf16 ? bench.make(flat) : Tensor(),
                  .scale = bench.make(Dtype::f32, {1}),
                  .lr = 1e-4F,
                  .weight_decay = 0.1F});
}

void step(Dtype dtype, int threads, int rounds) {
  Bench bench(dtype, threads, rounds);
  const auto element = static_cast<double>(size_of(dtype));
  linear(bench, "linear qkv", kLayers, kRows, kWidth, 3 * kWidth, true, false);
  linear(bench, "linear out", kLayers, kRows, kWidth, kWidth, true, true);
  linear(bench, "linear up", kLayers, kRows, kWidth, kForward, true, false);
  linear(bench, "linear down", kLayers, kRows, kForward, kWidth, true, true);
  linear(bench, "linear head", kRows / kChunk, kChunk, kWidth, kVocabulary, false, false);
  attention(bench);
  normalisations(bench, element);
  elementwise(bench, element);
  optimizer(bench, dtype);
  bench.report();
}

}  // namespace
}  // namespace trireme

int main(int count, char** words) {
  int threads = 2;
  int rounds = 5;
  std::string only;
  for (int i = 1; i + 1 < count; i += 2) {
    if (std::strcmp(words[i], "--threads") == 0) threads = std::atoi(words[i + 1]);
    if (std::strcmp(words[i], "--rounds") == 0) rounds = std::atoi(words[i + 1]);
    if (std::strcmp(words[i], "--only") == 0) only = words[i + 1];
  }
  for (const auto dtype : {trireme::Dtype::f32, trireme::Dtype::bf16}) {
    if (only.empty() || only == trireme::name(dtype)) trireme::step(dtype, threads, rounds);
  }
  return 0;
}
