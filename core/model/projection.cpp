// SPDX-License-Identifier: Apache-2.0
#include "core/model/projection.h"

namespace trireme {

void Projection::params(ParamTable& table) {
  const Init normal{.kind = Init::Kind::normal, .std = spec_.std};
  weight_ = table.add(spec_.block, {.name = spec_.name + ".weight",
                                    .shape = {spec_.out, spec_.in},
                                    .init = normal,
                                    .decay = true,
                                    .cut = spec_.cut});
  if (!spec_.bias) return;
  const Cut cut = spec_.cut.dim == 0 ? spec_.cut : Cut{};  // a cut of the inputs leaves the bias whole
  bias_ = table.add(spec_.block, {.name = spec_.name + ".bias", .shape = {spec_.out}, .init = {}, .cut = cut});
}

void Projection::forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y,
                         const Tensor& residual) const {
  const bool partial = spec_.cut.dim == 1 && pass.tensor_axis.size() > 1;
  const bool adds = !partial || pass.tensor_axis.rank() == 0;  // bias and residual enter the sum once
  pass.ops.run(pass.stream, Linear{.y = y,
                                   .x = x,
                                   .weight = weights[weight_],
                                   .bias = spec_.bias && adds ? weights[bias_] : Tensor{},
                                   .residual = adds ? residual : Tensor{}});
  if (partial) pass.tensor_axis.all_reduce(pass.stream, y);
}

void Projection::backward_weights(const Pass& pass, const Weights& gradients, const Tensor& dy, const Tensor& x) const {
  pass.ops.run(
      pass.stream,
      LinearBackwardWeight{
          .d_weight = gradients[weight_], .d_bias = spec_.bias ? gradients[bias_] : Tensor{}, .dy = dy, .x = x});
}

void Projection::backward_input(const Pass& pass, const Weights& weights, const Tensor& dy, const Tensor& dx) const {
  pass.ops.run(pass.stream, LinearBackwardInput{.dx = dx, .dy = dy, .weight = weights[weight_]});
  if (spec_.cut.dim == 0 && pass.tensor_axis.size() > 1) pass.tensor_axis.all_reduce(pass.stream, dx);
}

}  // namespace trireme
