// SPDX-License-Identifier: Apache-2.0
#include "core/model/mlp.h"

namespace trireme {

MlpLayer::MlpLayer(const Architecture& a, int block, const std::string& prefix)
    : a_(a),
      name_(prefix + "mlp"),
      norm_(a, block, prefix + "norm2"),
      up_({.name = name_ + (gated() ? ".gate_up" : ".up"),
           .block = block,
           .in = a.width,
           .out = (gated() ? 2 : 1) * a.feed_forward,
           .bias = !gated(),
           .start = reader_start(a),
           .cut = {.dim = 0, .sections = std::vector<Section>(gated() ? 2 : 1, {.size = a.feed_forward})}}),
      down_({.name = name_ + ".down",
             .block = block,
             .in = a.feed_forward,
             .out = a.width,
             .bias = !gated(),
             .start = writer_start(a),
             .cut = {.dim = 1, .sections = {}}}) {}

void MlpLayer::params(ParamTable& table) {
  norm_.params(table);
  up_.params(table);
  down_.params(table);
}

void MlpLayer::plan(Plan& plan, const PassShape& shape) {
  const auto n = shape.rows();
  const auto local = shape.local_rows();
  const std::int64_t raised = up_.local_columns(shape.tensor);
  const std::int64_t activated = down_.local_columns(shape.tensor);
  norm_.plan(plan, shape, Norm::Lifetime::keep);
  const bool light = plan.saving() == Saving::light;
  if (!light) normed_ = plan.keep(name_ + ".normed", shape.dtype, {local, a_.width});
  raised_ = plan.keep(name_ + ".raised", shape.dtype, {n, raised});
  if (!light) activated_ = plan.keep(name_ + ".activated", shape.dtype, {n, activated});
  const Plan::Scope scope(plan);
  if (shape.tensor > 1) full_ = plan.scratch(name_ + ".full", shape.dtype, {n, a_.width});
  up_.use(full_);
  down_.use(full_);
  if (plan.saving() == Saving::none) return;
  d_normed_ = plan.scratch(name_ + ".d_normed", shape.dtype, {local, a_.width});
  if (light) {  // what is made again is read for the last time before the gradient in its place is written
    normed_ = d_normed_;
    const Plan::Scope before(plan);
    activated_ = plan.scratch(name_ + ".activated", shape.dtype, {n, activated});
  }
  d_raised_ = plan.scratch(name_ + ".d_raised", shape.dtype, {n, raised});
  // GELU's gradient takes the place of the one that it is computed from.
  d_activated_ = gated() ? plan.scratch(name_ + ".d_activated", shape.dtype, {n, activated}) : d_raised_;
}

void MlpLayer::forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y) {
  const Tensor normed = pass.plan[normed_];
  const Tensor raised = pass.plan[raised_];
  const Tensor activated = pass.plan[activated_];
  norm_.forward(pass, weights, x, normed);
  up_.forward(pass, weights, normed, raised);
  activate(pass, raised, activated);
  down_.forward(pass, weights, activated, y, x);
}

void MlpLayer::activate(const Pass& pass, const Tensor& raised, const Tensor& activated) const {
  if (gated()) {
    pass.ops.run(pass.stream, SwiGlu{.y = activated, .gate_up = raised});
  } else {
    pass.ops.run(pass.stream, Gelu{.y = activated, .x = raised});
  }
}

void MlpLayer::backward(const Pass& pass, const Weights& weights, const Weights& gradients, const Tensor& x,
                        const Tensor& d) {
  const Tensor d_normed = pass.plan[d_normed_];
  const Tensor d_raised = pass.plan[d_raised_];
  const Tensor d_activated = pass.plan[d_activated_];
  const Tensor raised = pass.plan[raised_];
  const bool light = pass.plan.saving() == Saving::light;
  if (light) activate(pass, raised, pass.plan[activated_]);
  down_.backward_weights(pass, gradients, d, pass.plan[activated_]);
  down_.backward_input(pass, weights, d, d_activated);
  if (gated()) {
    pass.ops.run(pass.stream, SwiGluBackward{.d_gate_up = d_raised, .dy = d_activated, .gate_up = raised});
  } else {
    pass.ops.run(pass.stream,
                 GeluBackward{.dx = d_raised, .dy = d_activated, .x = raised, .d_bias = up_.bias_gradient(gradients)});
  }
  if (light) norm_.forward(pass, weights, x, pass.plan[normed_]);
  up_.backward_weights(pass, gradients, d_raised, pass.plan[normed_], !gated());
  up_.backward_input(pass, weights, d_raised, d_normed);
  norm_.backward(pass, weights, gradients, d_normed, x, d, true);
}

}  // namespace trireme
