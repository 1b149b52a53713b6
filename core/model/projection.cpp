// SPDX-License-Identifier: Apache-2.0
#include "core/model/projection.h"

#include <cassert>

namespace trireme {

void Projection::params(ParamTable& table) {
  weight_ = table.add(spec_.block, {.name = spec_.name + ".weight",
                                    .shape = {spec_.out, spec_.in},
                                    .init = spec_.start.init,
                                    .decay = true,
                                    .cut = spec_.cut,
                                    .lr_scale = spec_.start.lr_scale});
  if (!spec_.bias) return;
  const Cut cut = spec_.cut.dim == 0 ? spec_.cut : Cut{};  // a cut of the inputs leaves the bias whole
  bias_ = table.add(spec_.block, {.name = spec_.name + ".bias", .shape = {spec_.out}, .init = {}, .cut = cut});
}

std::int64_t Projection::local_columns(std::int64_t tensor) const {
  const std::int64_t whole = spec_.cut.dim == 0 ? spec_.out : spec_.in;
  if (spec_.cut.sections.empty()) return local_size({.size = whole}, tensor);
  std::int64_t columns = 0;
  for (const Section& section : spec_.cut.sections) columns += local_size(section, tensor);
  return columns;
}

void Projection::forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y,
                         const Tensor& residual) const {
  const Tensor bias = spec_.bias ? weights[bias_] : Tensor{};
  if (pass.tensor_axis.size() == 1) {
    pass.ops.run(pass.stream, Linear{.y = y, .x = x, .weight = weights[weight_], .bias = bias, .residual = residual});
    return;
  }
  const Tensor full = pass.plan[full_];
  if (spec_.cut.dim == 0) {
    pass.tensor_axis.all_gather(pass.stream, full, x);
    pass.ops.run(pass.stream,
                 Linear{.y = y, .x = full, .weight = weights[weight_], .bias = bias, .residual = residual});
    return;
  }
  pass.ops.run(pass.stream, Linear{.y = full, .x = x, .weight = weights[weight_], .bias = {}, .residual = {}});
  const std::int64_t n = y.shape[0];
  const Tensor sum = full.rows(pass.tensor_axis.rank() * n, n);  // y may be residual's memory
  pass.tensor_axis.reduce_scatter(pass.stream, sum, full);
  pass.ops.run(pass.stream, Add{.y = y, .a = sum, .b = residual, .bias = bias});
}

Tensor Projection::bias_gradient(const Weights& gradients) const {
  assert(spec_.cut.dim == 0);  // otherwise each rank has the sums of its rows alone, of a bias that all of them have
  return spec_.bias ? gradients[bias_] : Tensor{};
}

void Projection::backward_weights(const Pass& pass, const Weights& gradients, const Tensor& dy, const Tensor& x,
                                  bool bias_done) const {
  const bool alone = pass.tensor_axis.size() == 1;
  const bool rows = spec_.cut.dim == 0;
  const Tensor full = alone ? Tensor{} : pass.plan[full_];
  if (!alone) pass.tensor_axis.all_gather(pass.stream, full, rows ? x : dy);
  // A bias that is not cut enters the sum over the tensor axis once.
  const bool adds_bias = spec_.bias && !bias_done && (alone || rows || pass.tensor_axis.rank() == 0);
  pass.ops.run(pass.stream, LinearBackwardWeight{.d_weight = gradients[weight_],
                                                 .d_bias = adds_bias ? gradients[bias_] : Tensor{},
                                                 .dy = alone || rows ? dy : full,
                                                 .x = alone || !rows ? x : full});
}

void Projection::backward_input(const Pass& pass, const Weights& weights, const Tensor& dy, const Tensor& dx) const {
  const bool alone = pass.tensor_axis.size() == 1;
  const Tensor full = alone ? Tensor{} : pass.plan[full_];
  const bool rows = spec_.cut.dim == 0;
  pass.ops.run(pass.stream,
               LinearBackwardInput{
                   .dx = alone || !rows ? dx : full, .dy = alone || rows ? dy : full, .weight = weights[weight_]});
  if (!alone && rows) pass.tensor_axis.reduce_scatter(pass.stream, dx, full);
}

}  // namespace trireme
