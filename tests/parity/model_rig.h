// SPDX-License-Identifier: Apache-2.0
// A model with everything around it that one pass needs, on the CPU, and its numbers as plain vectors.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/batch.h"
#include "core/model/model.h"
#include "kernels/kernels.h"
#include "parallel/parallel.h"

namespace trireme {

using NamedValues = std::map<std::string, std::vector<float>>;

/// What the mean loss of a batch and its gradient are.
struct LossAndGradients {
  double loss = 0.0;
  NamedValues gradients;
};

class ModelRig {
 public:
  struct Options {
    Saving saving = Saving::keep;
    Dtype dtype = Dtype::f32;
    std::int64_t batch = 1, time = 1;
    bool document_mask = false;
    std::int64_t head_rows = 7;  // a chunk that divides nothing
    int threads = 1;
  };
  ModelRig(const Architecture& a, const Options& options);

  /// Sets masters by name; every parameter of the model must be there.
  void set_parameters(const NamedValues& values);
  NamedValues parameters();
  /// Forward and backward over all rows of the samples, `batch` rows at a time.
  LossAndGradients loss_and_gradients(BatchSource& source, std::int64_t first, std::int64_t count);
  /// After a forward pass over one batch: mean loss without gradient.
  double loss(BatchSource& source, std::int64_t first);
  /// [B*T, V] of one batch.
  std::vector<float> logits(BatchSource& source, std::int64_t first);
  /// Saving::none: log-likelihoods and best tokens of one batch.
  std::pair<std::vector<float>, std::vector<std::int32_t>> score(BatchSource& source, std::int64_t first);

  ParamStore& store() { return *store_; }
  const ParamTable& table() const { return table_; }
  Device& device() { return *device_; }
  Stream& stream() { return *stream_; }
  const Plan& plan() const { return plan_; }

 private:
  Pass pass();
  void forward(const Batch& batch);

  Architecture a_;
  Options options_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Group> tensor_;
  Model model_;
  ParamTable table_;
  std::unique_ptr<ParamStore> store_;
  Plan plan_;
  Slot loss_sum_;
};

/// Norm of the difference over the norm of `reference`.
double relative_error(const std::vector<float>& values, const std::vector<float>& reference);
/// Parameters of the model's shape, wide enough that nothing is nearly linear, rounded to bf16.
NamedValues random_parameters(const ParamTable& table, std::uint64_t seed);

}  // namespace trireme
