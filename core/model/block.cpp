// SPDX-License-Identifier: Apache-2.0
#include "core/model/block.h"

namespace trireme {

void Block::params(ParamTable& table) {
  attention_.params(table);
  mlp_.params(table);
}

void Block::plan(Plan& plan, const PassShape& shape) {
  plan.begin_block();
  attention_.plan(plan, shape);
  middle_ = plan.keep(name_ + "middle", shape.dtype, {shape.local_rows(), width_});
  mlp_.plan(plan, shape);
  plan.end_block();
}

void Block::forward(const Pass& pass, const Weights& weights, const Tensor& x, const Tensor& y) {
  attention_.forward(pass, weights, x, pass.plan[middle_]);
  mlp_.forward(pass, weights, pass.plan[middle_], y);
}

void Block::backward(const Pass& pass, const Weights& weights, const Weights& gradients, const Tensor& x,
                     const Tensor& d) {
  mlp_.backward(pass, weights, gradients, pass.plan[middle_], d);
  attention_.backward(pass, weights, gradients, x, d);
}

}  // namespace trireme
