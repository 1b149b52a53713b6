// SPDX-License-Identifier: Apache-2.0
#include "core/model/model.h"

#include <fmt/format.h>

#include <cstring>

#include "core/base/error.h"
#include "core/model/block.h"
#include "core/model/rope.h"

namespace trireme {
namespace {

Architecture checked(const Architecture& a) {
  check_usage(a.vocabulary > 0 && a.context > 0 && a.layers > 0 && a.width > 0 && a.feed_forward > 0,
              "the model's vocabulary, context, layers, width and feed_forward must be positive");
  check_usage(a.kv_heads > 0 && a.heads > 0 && a.heads % a.kv_heads == 0,
              "model.kv_heads = {} does not divide model.heads = {}", a.kv_heads, a.heads);
  check_usage(a.head_size > 0 && (a.family != Family::llama || a.head_size % 2 == 0),
              "model.head_size = {}: rotary positions rotate pairs and need an even size", a.head_size);
  return a;
}

}  // namespace

Model::Model(const Architecture& a, std::int64_t head_rows)
    : a_(checked(a)), embedding_(a, 0), head_(a, static_cast<int>(a.layers) + 1, head_rows) {
  for (int i = 0; i < static_cast<int>(a.layers); ++i) {
    layers_.push_back(std::make_unique<Block>(a, i + 1, fmt::format("blocks.{}.", i)));
  }
}

ParamTable Model::params() {
  ParamTable table;
  embedding_.params(table);
  for (const auto& layer : layers_) layer->params(table);
  head_.params(table, embedding_.tokens());
  if (a_.tied) table.tie_ends();
  return table;
}

void Model::plan(Plan& plan, const PassShape& shape) {
  check_usage(shape.time >= 1 && shape.time <= a_.context, "train.sequence = {} is not within model.context = {}",
              shape.time, a_.context);
  check_usage(shape.rows() % shape.tensor == 0,
              "train.micro_batch * train.sequence = {} * {} tokens are not a multiple of mesh.tensor = {}", shape.batch,
              shape.time, shape.tensor);
  const auto n = shape.rows();
  const auto local = shape.local_rows();
  batch_.plan(plan, shape);
  if (a_.family == Family::llama) cos_sin_ = plan.stream("rope.cos_sin", Dtype::f32, {shape.time, a_.head_size});
  const bool trains = plan.saving() != Saving::none;
  const std::size_t residuals = trains ? layers_.size() + 1 : 2;  // without backward two take turns
  for (std::size_t i = 0; i < residuals; ++i) {
    residual_.push_back(plan.stream(fmt::format("residual.{}", i), shape.dtype, {local, a_.width}));
  }
  losses_ = plan.stream("losses", Dtype::f32, {n});
  if (trains) {
    d_residual_ = plan.stream("d_residual", shape.dtype, {local, a_.width});
  } else {
    log_prob_ = plan.stream("log_prob", Dtype::f32, {n});
    best_ = plan.stream("best", Dtype::i32, {n});
  }
  embedding_.plan(plan, shape);
  for (const auto& layer : layers_) layer->plan(plan, shape);
  head_.plan(plan, shape);
}

void Model::load_constants(Device& device, Stream& stream, const Plan& plan) {
  batch_.load_constants(device, stream, plan);
  if (!cos_sin_) return;
  const Tensor to = plan[cos_sin_];
  const auto table = rope_table(a_.rope, to.shape[0], a_.head_size);
  const Buffer host = device.allocate(to.bytes(), MemoryKind::pinned);
  std::memcpy(host.data(), table.data(), to.bytes());
  device.copy(stream, to.data, host.data(), to.bytes());
  stream.synchronize();
}

Tensor Model::residual(const Plan& plan, int i) const {
  return plan[residual_[static_cast<std::size_t>(i) % residual_.size()]];
}

Pass Model::with_constants(const Pass& pass) const {
  return {.ops = pass.ops,
          .stream = pass.stream,
          .plan = pass.plan,
          .batch = pass.batch,
          .tensor_axis = pass.tensor_axis,
          .cos_sin = cos_sin_ ? pass.plan[cos_sin_] : Tensor{}};
}

void Model::forward(const Pass& outer, ParamStore& store) {
  const Pass pass = with_constants(outer);
  store.prefetch(0);
  for (int block = 0; block < head_block(); ++block) {
    store.prefetch(block + 1);
    const Weights weights = store.acquire(pass.stream, block);
    const Tensor y = residual(pass.plan, block);
    if (block == 0) {
      embedding_.forward(pass, weights, y);
    } else {
      layers_[static_cast<std::size_t>(block) - 1]->forward(pass, weights, residual(pass.plan, block - 1), y);
    }
    store.release(pass.stream, block);
  }
}

// Leases what the head reads, a tied matrix from the embedding's block, and runs use(weights, last residual).
template <class Use>
void Model::with_head(const Pass& pass, ParamStore& store, const Use& use) {
  if (a_.tied) store.prefetch(0);
  const Weights own = store.acquire(pass.stream, head_block());
  const Weights matrix = a_.tied ? store.acquire(pass.stream, 0) : own;
  use(Head::Tensors{own, matrix}, residual(pass.plan, head_block() - 1));
  if (a_.tied) store.release(pass.stream, 0);
  store.release(pass.stream, head_block());
}

void Model::backward(const Pass& outer, ParamStore& store, const Tensor& loss_sum, float gradient_scale, bool last) {
  const Pass pass = with_constants(outer);
  const Tensor d = pass.plan[d_residual_];
  const Tensor losses = pass.plan[losses_];
  with_head(pass, store, [&](const Head::Tensors& weights, const Tensor& x) {
    store.prefetch(head_block() - 1);
    const Weights own = store.gradients(pass.stream, head_block());
    const Weights matrix = a_.tied ? store.gradients(pass.stream, 0) : own;
    head_.loss_and_gradient(pass, weights, {own, matrix}, x, d, losses, gradient_scale);
  });
  store.reduce(pass.stream, head_block(), last);
  pass.ops.run(pass.stream, Sum{.out = loss_sum, .x = losses});

  for (int block = head_block() - 1; block >= 1; --block) {
    if (block > 1) store.prefetch(block - 1);
    Layer& layer = *layers_[static_cast<std::size_t>(block) - 1];
    const Weights weights = store.acquire(pass.stream, block);
    const Tensor x = residual(pass.plan, block - 1);
    // The last block's saved tensors are still those of its forward.
    const bool overwritten = pass.plan.saving() == Saving::recompute && block != head_block() - 1;
    if (overwritten) layer.forward(pass, weights, x, residual(pass.plan, block));
    layer.backward(pass, weights, store.gradients(pass.stream, block), x, d);
    store.release(pass.stream, block);
    store.reduce(pass.stream, block, last);
  }
  embedding_.backward(pass, store.gradients(pass.stream, 0), d);
  store.reduce(pass.stream, 0, last);
}

Tensor Model::losses(const Pass& pass, ParamStore& store) {
  const Tensor losses = pass.plan[losses_];
  with_head(pass, store,
            [&](const Head::Tensors& weights, const Tensor& x) { head_.losses(pass, weights, x, losses); });
  return losses;
}

Model::Scores Model::score(const Pass& pass, ParamStore& store) {
  const Scores scores{pass.plan[log_prob_], pass.plan[best_]};
  with_head(pass, store, [&](const Head::Tensors& weights, const Tensor& x) {
    head_.score(pass, weights, x, scores.log_prob, scores.best);
  });
  return scores;
}

void Model::logits(const Pass& pass, ParamStore& store, std::int64_t first_row, const Tensor& out) {
  with_head(pass, store,
            [&](const Head::Tensors& weights, const Tensor& x) { head_.logits(pass, weights, x, first_row, out); });
}

void Model::gather(const Pass& pass, Device& device, std::span<const std::int64_t> rows) {
  const Tensor x = residual(pass.plan, head_block() - 1);
  std::int64_t to = 0;
  for (const auto from : rows) {
    // A row never moves onto one that is still to be read: rows[to] >= to.
    check(from >= to && from < x.shape[0] && (to == 0 || from > rows[static_cast<std::size_t>(to) - 1]),
          "row {} of {} to gather is out of order", from, x.shape[0]);
    if (from != to) device.copy(pass.stream, x.rows(to, 1).data, x.rows(from, 1).data, x.rows(from, 1).bytes());
    ++to;
  }
}

}  // namespace trireme
