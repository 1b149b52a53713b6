// SPDX-License-Identifier: Apache-2.0
// Whole models against transformers' golden values, finite differences, and themselves computed in other ways.
#include "core/model/model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/base/rng.h"
#include "tests/parity/bounds.h"
#include "tests/parity/fixed_batches.h"
#include "tests/parity/golden.h"
#include "tests/parity/model_rig.h"

namespace trireme {
namespace {

class ModelParity : public testing::TestWithParam<std::tuple<std::string, Dtype>> {};

NamedValues with_prefix(const Golden& golden, const std::string& prefix) {
  NamedValues values;
  for (const auto& [name, array] : golden.arrays) {
    if (name.starts_with(prefix)) values[name.substr(prefix.size())] = array;
  }
  return values;
}

TEST_P(ModelParity, LogitsLossAndEveryGradientAreTransformers) {
  const auto& [name, dtype] = GetParam();
  const Golden golden = read_golden(name);
  const Architecture& a = golden.architecture;
  const std::int64_t rows = golden.batch * golden.time;
  FixedBatches batches(golden.time, golden.tokens, golden.targets);
  ModelRig rig(a, {.dtype = dtype, .batch = golden.batch, .time = golden.time});
  rig.set_parameters(with_prefix(golden, "initial."));

  const auto& logits = golden.arrays.at("logits");
  const double logits_bound = relative_bound(a, dtype, rows, 1);
  EXPECT_LT(relative_error(rig.logits(batches, 0), logits), logits_bound);

  const auto result = rig.loss_and_gradients(batches, 0, golden.batch);
  // A loss moves by at most twice what its logits move by.
  double square = 0.0;
  for (const float logit : logits) square += static_cast<double>(logit) * static_cast<double>(logit);
  const double logit_rms = std::sqrt(square / static_cast<double>(logits.size()));
  EXPECT_NEAR(result.loss, golden.loss, 2.0 * logits_bound * logit_rms);

  const auto reference = with_prefix(golden, "gradient.");
  ASSERT_EQ(result.gradients.size(), reference.size());
  for (const auto& [parameter, gradient] : reference) {
    const double error = relative_error(result.gradients.at(parameter), gradient);
    EXPECT_LT(error, relative_bound(a, dtype, rows, 2)) << parameter;
    RecordProperty(parameter, fmt::format("{:.3e}", error));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ModelParity,
                         testing::Combine(testing::Values("gpt2", "llama", "llama_tied", "qwen"),
                                          testing::Values(Dtype::f32, Dtype::bf16)),
                         [](const auto& one) {
                           return std::get<0>(one.param) + "_" + std::string(name(std::get<1>(one.param)));
                         });

Architecture tiny(Family family) {
  return {.family = family,
          .vocabulary = 37,
          .context = 16,
          .layers = 3,
          .width = 16,
          .heads = 4,
          .kv_heads = family == Family::llama ? 2 : 4,
          .head_size = 4,
          .feed_forward = 40,
          .tied = family == Family::gpt2,
          .qkv_bias = family == Family::gpt2};
}

class TinyModel : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Families, TinyModel, testing::Values(Family::gpt2, Family::llama),
                         [](const auto& one) { return one.param == Family::gpt2 ? "gpt2" : "llama"; });

LossAndGradients of(const Architecture& a, const ModelRig::Options& options, BatchSource& source,
                    std::int64_t samples) {
  ModelRig rig(a, options);
  rig.set_parameters(random_parameters(rig.table(), 1));
  return rig.loss_and_gradients(source, 0, samples);
}

TEST_P(TinyModel, RecomputationChangesNoBit) {
  const Architecture a = tiny(GetParam());
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
    auto batches = FixedBatches::random(4, 11, a.vocabulary, 2);
    const auto kept = of(a, {.saving = Saving::keep, .dtype = dtype, .batch = 2, .time = 11}, batches, 4);
    for (const Saving saving : {Saving::light, Saving::recompute}) {
      const auto again = of(a, {.saving = saving, .dtype = dtype, .batch = 2, .time = 11}, batches, 4);
      EXPECT_EQ(kept.loss, again.loss);
      EXPECT_EQ(kept.gradients, again.gradients);
    }
  }
}

TEST_P(TinyModel, RecomputationTakesLessMemory) {
  const Architecture a = tiny(GetParam());
  const ModelRig kept(a, {.saving = Saving::keep, .batch = 2, .time = 11});
  const ModelRig again(a, {.saving = Saving::recompute, .batch = 2, .time = 11});
  EXPECT_EQ(kept.plan().keep_bytes(), 3 * again.plan().keep_bytes());
  // Two norms' outputs and the activation's of each block, 22 rows in fp32, and no more scratch for them.
  const ModelRig light(a, {.saving = Saving::light, .batch = 2, .time = 11});
  const auto tensor = [](std::int64_t columns) { return (22 * columns * 4 + 255) / 256 * 256; };
  EXPECT_EQ(static_cast<std::int64_t>(kept.plan().keep_bytes() - light.plan().keep_bytes()),
            a.layers * (2 * tensor(a.width) + tensor(a.feed_forward)));
  EXPECT_EQ(light.plan().scratch_bytes(), kept.plan().scratch_bytes());
}

TEST_P(TinyModel, AccumulationOverMicroStepsIsOneStep) {
  const Architecture a = tiny(GetParam());
  auto batches = FixedBatches::random(6, 11, a.vocabulary, 3);
  const auto at_once = of(a, {.batch = 6, .time = 11}, batches, 6);
  const auto in_three = of(a, {.batch = 2, .time = 11}, batches, 6);
  // Both add the same products in another order: the reduction over rows alone, twice.
  const double bound = 2.0 * relative_bound(a, Dtype::f32, 66, 2);
  EXPECT_NEAR(in_three.loss, at_once.loss, bound * at_once.loss);
  for (const auto& [name, gradient] : at_once.gradients) {
    EXPECT_LT(relative_error(in_three.gradients.at(name), gradient), bound) << name;
  }
}

TEST_P(TinyModel, SizeOfTheHeadsChunksDoesNotMatter) {
  const Architecture a = tiny(GetParam());
  auto batches = FixedBatches::random(2, 11, a.vocabulary, 3);
  const auto whole = of(a, {.batch = 2, .time = 11, .head_rows = 100}, batches, 2);
  const auto single = of(a, {.batch = 2, .time = 11, .head_rows = 1}, batches, 2);
  const double bound = 2.0 * relative_bound(a, Dtype::f32, 22, 2);
  EXPECT_NEAR(single.loss, whole.loss, bound * whole.loss);
  for (const auto& [name, gradient] : whole.gradients) {
    EXPECT_LT(relative_error(single.gradients.at(name), gradient), bound) << name;
  }
}

TEST_P(TinyModel, GradientsAreTheSlopesOfTheLoss) {
  const Architecture a = tiny(GetParam());
  auto batches = FixedBatches::random(2, 11, a.vocabulary, 4);
  ModelRig rig(a, {.batch = 2, .time = 11});
  const NamedValues parameters = random_parameters(rig.table(), 1);
  rig.set_parameters(parameters);
  const auto result = rig.loss_and_gradients(batches, 0, 2);
  for (const auto& [name, gradient] : result.gradients) {
    double norm = 0.0;
    for (const float g : gradient) norm += static_cast<double>(g) * static_cast<double>(g);
    norm = std::sqrt(norm);
    // Along each parameter's own gradient, where the slope is its norm; four points, so that the error is O(h^4).
    const auto loss_at = [&, &tensor = name, &along = gradient](double h) {
      NamedValues moved = parameters;
      for (std::size_t i = 0; i < along.size(); ++i) {
        moved[tensor][i] += static_cast<float>(h * static_cast<double>(along[i]) / norm);
      }
      rig.set_parameters(moved);
      return rig.loss(batches, 0);
    };
    constexpr double h = 0.02;
    const double slope = (8.0 * (loss_at(h) - loss_at(-h)) - (loss_at(2.0 * h) - loss_at(-2.0 * h))) / (12.0 * h);
    // Losses of about 5 in fp32, averaged over 20 rows, differ by 5 * 2^-24 * path: divided by h.
    const double noise = 5.0 * roundoff(Dtype::f32) * path_length(a) / h;
    EXPECT_NEAR(slope, norm, 2e-3 * norm + noise) << name;
  }
}

TEST_P(TinyModel, TwoPackedDocumentsAreTheTwoAlone) {
  const Architecture a = tiny(GetParam());
  constexpr std::int64_t first = 5;
  constexpr std::int64_t second = 9;
  const Random random(5, "tokens");
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> targets;
  std::vector<std::int32_t> starts;
  for (std::int64_t t = 0; t < first + second; ++t) {
    tokens.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(t), 37)));
    targets.push_back(
        t == first - 1 ? -1 : static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(t + 100), 37)));
    starts.push_back(t < first ? 0 : static_cast<std::int32_t>(first));
  }
  const auto part = [](const std::vector<std::int32_t>& v, std::int64_t from, std::int64_t to) {
    return std::vector<std::int32_t>(v.begin() + from, v.begin() + to);
  };
  FixedBatches packed(first + second, tokens, targets, starts);
  FixedBatches one(first, part(tokens, 0, first), part(targets, 0, first));
  FixedBatches two(second, part(tokens, first, first + second), part(targets, first, first + second));
  const auto both = of(a, {.batch = 1, .time = first + second, .document_mask = true}, packed, 1);
  const auto alone_one = of(a, {.batch = 1, .time = first}, one, 1);
  const auto alone_two = of(a, {.batch = 1, .time = second}, two, 1);

  const double bound = 2.0 * relative_bound(a, Dtype::f32, first + second, 2);
  const double weight_one = static_cast<double>(first - 1) / static_cast<double>(first + second - 1);
  const double weight_two = 1.0 - weight_one;
  EXPECT_NEAR(both.loss, weight_one * alone_one.loss + weight_two * alone_two.loss, bound * both.loss);
  for (const auto& [name, gradient] : both.gradients) {
    std::vector<float> sum;
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      sum.push_back(static_cast<float>(weight_one * static_cast<double>(alone_one.gradients.at(name)[i]) +
                                       weight_two * static_cast<double>(alone_two.gradients.at(name)[i])));
    }
    EXPECT_LT(relative_error(gradient, sum), bound) << name;
  }
  // Without the mask the second document sees the first: that must not pass.
  const auto unmasked = of(a, {.batch = 1, .time = first + second}, packed, 1);
  EXPECT_GT(std::abs(unmasked.loss - both.loss), 10.0 * bound * both.loss);
}

TEST_P(TinyModel, EvaluationGivesTheLossesOfTraining) {
  const Architecture a = tiny(GetParam());
  auto batches = FixedBatches::random(2, 11, a.vocabulary, 6);
  for (const Saving saving : {Saving::keep, Saving::light, Saving::recompute}) {
    ModelRig rig(a, {.saving = saving, .batch = 2, .time = 11});
    rig.set_parameters(random_parameters(rig.table(), 1));
    const double trained = rig.loss_and_gradients(batches, 0, 2).loss;
    EXPECT_NEAR(rig.loss(batches, 0), trained, relative_bound(a, Dtype::f32, 22, 1) * trained);
  }
}

TEST_P(TinyModel, ScoresAreThoseOfTheLogits) {
  const Architecture a = tiny(GetParam());
  auto batches = FixedBatches::random(2, 11, a.vocabulary, 6);
  const Batch& batch = batches.read(0, 2);
  const std::vector<std::int32_t> targets(batch.targets.as<std::int32_t>(), batch.targets.as<std::int32_t>() + 22);
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
    ModelRig rig(a, {.saving = Saving::none, .dtype = dtype, .batch = 2, .time = 11});
    rig.set_parameters(random_parameters(rig.table(), 1));
    const auto logits = rig.logits(batches, 0);
    const auto [log_prob, best] = rig.score(batches, 0);
    const auto vocabulary = static_cast<std::size_t>(a.vocabulary);
    for (std::size_t row = 0; row < targets.size(); ++row) {
      const float* l = &logits[row * vocabulary];
      EXPECT_EQ(best[row], std::max_element(l, l + vocabulary) - l);
      if (targets[row] < 0) {
        EXPECT_EQ(log_prob[row], 0.0F);
        continue;
      }
      double sum = 0.0;
      for (std::size_t v = 0; v < vocabulary; ++v) sum += std::exp(static_cast<double>(l[v]));
      const double expected = static_cast<double>(l[targets[row]]) - std::log(sum);
      // Both read the same fp32 logits: an exponential, a sum over V and a logarithm apart.
      EXPECT_NEAR(static_cast<double>(log_prob[row]), expected,
                  37.0 * roundoff(Dtype::f32) * (1.0 + std::abs(expected)));
    }
  }
}

}  // namespace
}  // namespace trireme
