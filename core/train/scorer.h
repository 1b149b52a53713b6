// SPDX-License-Identifier: Apache-2.0
// Log-likelihoods of given continuations: what multiple-choice exams are scored by.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/base/group.h"
#include "core/base/ops.h"
#include "core/base/params.h"
#include "core/model/architecture.h"

namespace trireme {

/// Tokens of which the last `continuation` ones are scored, each given all before it. The input of the model is all but
/// the last token, at most the architecture's context.
struct ScoreRequest {
  std::vector<std::int32_t> tokens;
  std::int64_t continuation = 1;
};

struct Likelihood {
  double log_prob = 0.0;  // sum over the continuation, of fp32 logits and a log-sum-exp in double
  bool greedy = false;    // every token of it is the most likely one
};

/// Scores requests on the live parameters. Inputs that are equal are read once; batches are formed by length over all
/// requests and then dealt to ranks, so that the result does not depend on how many there are.
class Scorer {
 public:
  /// All borrowed. Ranks of `data` share the work; `dtype` is the store's compute dtype.
  struct Parts {
    const Architecture& architecture;
    Dtype dtype;
    Device& device;
    const Ops& ops;
    Stream& stream;
    ParamStore& store;
    Group& data;
    Group& tensor;
  };
  explicit Scorer(const Parts& parts, std::int64_t tokens_per_batch = 4096)
      : parts_(parts), tokens_per_batch_(tokens_per_batch) {}

  /// The likelihoods in the order of the requests, on every rank. `progress(done, all)` counts this rank's tokens, with
  /// padding, after each batch.
  std::vector<Likelihood> score(std::span<const ScoreRequest> requests,
                                const std::function<void(std::int64_t, std::int64_t)>& progress = {});

 private:
  struct Row;
  class ScoringPass;
  std::vector<Row> distinct_rows(std::span<const ScoreRequest> requests) const;
  void score_batch(std::span<const ScoreRequest> requests, std::span<const Row> rows, ScoringPass& pass,
                   std::vector<Likelihood>& out) const;

  const Parts parts_;
  std::int64_t tokens_per_batch_;
};

}  // namespace trireme
