// SPDX-License-Identifier: Apache-2.0
#include "core/model/norm.h"

#include "core/model/parametrization.h"

namespace trireme {

void Norm::params(ParamTable& table) {
  const auto add = [&](const char* what, const Start& start) {
    return table.add(
        block_, {.name = name_ + what, .shape = {a_.width}, .init = start.init, .cut = {}, .lr_scale = start.lr_scale});
  };
  weight_ = add(".weight", gain_start(a_, last_));
  if (centred()) bias_ = add(".bias", shift_start(a_, last_));
}

void Norm::plan(Plan& plan, const PassShape& shape, Lifetime lifetime) {
  const auto declare = [&](const std::string& what) {
    return lifetime == Lifetime::keep ? plan.keep(name_ + what, Dtype::f32, {shape.local_rows()})
                                      : plan.scratch(name_ + what, Dtype::f32, {shape.local_rows()});
  };
  if (centred()) mean_ = declare(".mean");
  rstd_ = declare(".rstd");
}

void Norm::forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y) const {
  const auto eps = static_cast<float>(a_.norm_eps);
  if (centred()) {
    pass.ops.run(pass.stream, LayerNorm{.y = y,
                                        .mean = pass.plan[mean_],
                                        .rstd = pass.plan[rstd_],
                                        .x = x,
                                        .weight = weights[weight_],
                                        .bias = weights[bias_],
                                        .eps = eps});
  } else {
    pass.ops.run(pass.stream,
                 RmsNorm{.y = y, .rstd = pass.plan[rstd_], .x = x, .weight = weights[weight_], .eps = eps});
  }
}

void Norm::backward(const Pass& pass, const Weights& weights, const Weights& gradients, const Tensor& dy,
                    const Tensor& x, const Tensor& dx, bool accumulate) const {
  if (centred()) {
    pass.ops.run(pass.stream, LayerNormBackward{.dx = dx,
                                                .d_weight = gradients[weight_],
                                                .d_bias = gradients[bias_],
                                                .dy = dy,
                                                .x = x,
                                                .mean = pass.plan[mean_],
                                                .rstd = pass.plan[rstd_],
                                                .weight = weights[weight_],
                                                .accumulate = accumulate});
  } else {
    pass.ops.run(pass.stream, RmsNormBackward{.dx = dx,
                                              .d_weight = gradients[weight_],
                                              .dy = dy,
                                              .x = x,
                                              .rstd = pass.plan[rstd_],
                                              .weight = weights[weight_],
                                              .accumulate = accumulate});
  }
}

}  // namespace trireme
