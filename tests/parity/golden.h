// SPDX-License-Identifier: Apache-2.0
// Reads what tests/golden/golden_model.py wrote.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/tensor.h"
#include "core/model/architecture.h"
#include "core/train/optimizer.h"

namespace trireme {

struct Golden {
  Architecture architecture;
  OptimizerConfig optimizer;
  std::int64_t batch = 0, time = 0, steps = 0;
  double loss = 0.0;
  std::vector<double> losses, norms;                                 // of the ten steps
  std::map<std::string, std::map<std::string, double>> torch_error;  // dtype -> array -> relative error of torch
  std::vector<std::int32_t> tokens, targets;                         // [steps, B, T]
  std::map<std::string, std::vector<float>> arrays;                  // "logits", "initial.X", "gradient.X", "trained.X"
};

/// The golden of tests/golden/model/NAME.json.
Golden read_golden(const std::string& name);

}  // namespace trireme
