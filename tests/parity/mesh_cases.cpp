// SPDX-License-Identifier: Apache-2.0
#include "tests/parity/mesh_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tests/kernels/test_device.h"
#include "tests/parity/bounds.h"

namespace trireme {
namespace {

constexpr std::int64_t kSteps = 10;

// Sizes that nothing divides, but where an axis can go no further: heads fewer than ranks must be copied in whole.
Architecture architecture_for(Family family, const MeshShape& mesh) {
  const std::int64_t t = mesh.tensor;
  Architecture a{.family = family,
                 .vocabulary = 53,
                 .context = 16,
                 .layers = mesh.ranks() == 6 ? 1 : 2,
                 .width = 20,
                 .heads = 0,
                 .kv_heads = 0,
                 .head_size = 4,
                 .feed_forward = 26,
                 .tied = true,
                 .qkv_bias = true};
  if (family == Family::gpt2) {
    a.heads = a.kv_heads = t <= 6 ? 6 : 9;
    return a;
  }
  const bool copies = t == 1 || t == 2 || t == 4 || t == 8;  // two key/value heads, then two or four ranks to each
  a.heads = copies ? 8 : 12;
  a.kv_heads = copies ? 2 : 6;
  if (t == 7) a.heads = a.kv_heads = 8;
  a.tied = mesh.shard != 3;
  a.qkv_bias = mesh.replica == 2;
  return a;
}

double norm_of(const std::vector<float>& values) {
  double squares = 0.0;
  for (const float v : values) squares += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(squares);
}

/// In norm, how far f(found) - f(expected) is from nothing; NaN where an element is missing.
template <class F>
double distance(const std::vector<float>& found, const std::vector<float>& expected, const F& f) {
  double squares = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double d = f(static_cast<double>(found[i])) - f(static_cast<double>(expected[i]));
    squares += d * d;
  }
  return std::sqrt(squares);
}

/// What an error of every gradient, relative to it in norm, makes of Adam's state: in norm, as a multiple of that error
/// and of the tensor's root of v.
struct AdamGain {
  double first = 0.0, second = 0.0, movement = 0.0;
};

/// With a_s and b_s the weights that step s has in m and v, and e(g) the error of a gradient:
///
/// * root v is a norm of an element's gradients over the steps, so it is off by at most root v of the errors: in norm
///   over the tensor the largest relative error times root v.
/// * m is off by sum a_s e(g_s), by Cauchy and Schwarz at most K times root v of the errors, K^2 = sum a_s^2 / b_s.
/// * The update is u = m / (w + eps), w the root of v, both corrected for the weights that the first steps lack. |m| is
///   at most K' w, and so u is off by at most 2 K' w(errors) / eps, K' of the corrected weights: per element that is
///   unbounded as eps goes to 0, in norm it is not, for eps is as large as w. What w was in earlier steps is not known,
///   but v decays by no more than beta2 a step. Weight decay only shrinks errors.
AdamGain adam_gain(const OptimizerConfig& o, std::int64_t steps) {
  AdamGain gain;
  const auto power = [](double base, std::int64_t n) { return std::pow(base, static_cast<double>(n)); };
  double squares = 0.0;  // K^2 after s steps
  for (std::int64_t s = 1; s <= steps; ++s) {
    squares += power(1.0 - o.beta1, 2) / (1.0 - o.beta2) * power(o.beta1 * o.beta1 / o.beta2, s - 1);
    const double corrected1 = 1.0 - power(o.beta1, s);
    const double corrected2 = 1.0 - power(o.beta2, s);
    const double k = std::sqrt(squares * corrected2) / corrected1;
    const double w = 1.0 / std::sqrt(corrected2 * power(o.beta2, steps - s));  // of the last root of v
    const double lr = o.lr * schedule_factor(o.schedule, s - 1, steps);
    gain.movement += 2.0 * k * lr / o.eps * w;
  }
  gain.first = std::sqrt(squares);
  gain.second = 1.0;
  return gain;
}

/// Relative errors of loss and gradients, in norm, in each of ten steps: sums of the same terms in another order, and
/// the errors of the weights that come back in the gradients. With three times the first error in all of them, updates
/// of a quarter (w is about eps / 3) sum to 6 lr in ten steps of the schedule and are off by 6 lr * 2 * 3 / 4 of the
/// first error, which is 0.45 of it beside weights of 0.02, and comes through a path of 20 products as sqrt(20) times
/// that: two errors more than the first, as supposed.
double ten_steps_bound(const MeshCase& c) {
  const std::int64_t terms = std::max(c.train.global_batch * c.train.sequence, c.architecture.feed_forward);
  return 3.0 * walk_bound(mesh_path(c), c.train.precision, terms, 2);
}

}  // namespace

double mesh_path(const MeshCase& c) {
  const auto times = static_cast<double>(tests_on_cuda() ? c.mesh.tensor - 1 : c.mesh.tensor > 1 ? 1 : 0);
  return path_length(c.architecture) + times * (5.0 * static_cast<double>(c.architecture.layers) + 3.0);
}

MeshCase case_of(const Cell& cell) {
  const std::int64_t data = cell.mesh.data();
  MeshCase c{.architecture = architecture_for(cell.family, cell.mesh), .mesh = cell.mesh, .train = {}};
  c.train.steps = kSteps;
  c.train.sequence = cell.mesh.tensor == 5 ? 10 : cell.mesh.tensor == 7 ? 14 : cell.mesh.tensor == 8 ? 16 : 12;
  c.train.global_batch = 24 % data == 0 ? 24 : 3 * data;
  c.train.micro_batch = c.train.global_batch / (data * cell.accumulation);
  c.train.seed = 7;
  c.train.head_rows = 7;
  c.train.precision = cell.precision;
  return c;
}

double expect_near(const MeshResult& found, const MeshResult& expected, const MeshCase& c) {
  EXPECT_EQ(found.metrics.size(), static_cast<std::size_t>(kSteps));
  const double bound = ten_steps_bound(c);
  double worst = 0.0;
  for (std::size_t i = 0; i < std::min(found.metrics.size(), expected.metrics.size()); ++i) {
    const StepMetrics& f = found.metrics[i];
    const StepMetrics& e = expected.metrics[i];
    EXPECT_EQ(f.token_hash, e.token_hash);
    EXPECT_EQ(f.tokens, e.tokens);
    EXPECT_NEAR(f.loss, e.loss, bound * e.loss) << "step " << i + 1;
    EXPECT_NEAR(f.grad_norm, e.grad_norm, bound * e.grad_norm) << "step " << i + 1;
    worst =
        std::max({worst, std::abs(f.loss / e.loss - 1.0) / bound, std::abs(f.grad_norm / e.grad_norm - 1.0) / bound});
  }
  return worst;
}

StateErrors expect_near_states(const MeshResult& found, const MeshResult& expected, const WholeArrays& initial,
                               const MeshCase& c) {
  const double error = ten_steps_bound(c);
  const AdamGain gain = adam_gain(mesh_optimizer(), c.train.steps);
  // Each update rounds a master twice, in both runs.
  const double master = std::sqrt(4.0 * static_cast<double>(c.train.steps)) * roundoff(Dtype::f32);
  StateErrors worst;
  for (const auto& [name, values] : expected.parameters) {
    const auto root = [](double v) { return std::sqrt(v); };
    const auto same = [](double v) { return v; };
    const double size = distance(std::vector<float>(values.size()), expected.seconds.at(name), root);
    const auto hold = [&, &tensor = name](const char* what, double distance, double bound, double& ratio) {
      EXPECT_LE(distance, bound) << what << " of " << tensor;
      if (distance > 0.0) ratio = std::max(ratio, distance / bound);
    };
    const double moved = error * gain.movement * size + master * norm_of(values);
    hold("movement", distance(found.parameters.at(name), values, same), moved, worst.movement);
    if (c.train.precision == Dtype::f32) {
      EXPECT_LT(moved, 0.1 * distance(initial.at(name), values, same)) << name << ": the bound holds for no movement";
    }
    hold("first moment", distance(found.firsts.at(name), expected.firsts.at(name), same), error * gain.first * size,
         worst.first);
    hold("root of the second moment", distance(found.seconds.at(name), expected.seconds.at(name), root),
         error * gain.second * size, worst.second);
  }
  return worst;
}

namespace {

void expect_same_arrays(const WholeArrays& found, const WholeArrays& expected, const char* what, const char* kind) {
  for (const auto& [name, values] : expected) {
    const auto& other = found.at(name);
    ASSERT_EQ(other.size(), values.size());
    EXPECT_EQ(std::memcmp(other.data(), values.data(), values.size() * sizeof(float)), 0)
        << what << ": " << kind << " of " << name;
  }
}

}  // namespace

void expect_same_bits(const MeshResult& found, const MeshResult& expected, const char* what) {
  ASSERT_EQ(found.metrics.size(), expected.metrics.size());
  for (std::size_t i = 0; i < found.metrics.size(); ++i) {
    EXPECT_EQ(found.metrics[i].loss, expected.metrics[i].loss) << what << ", step " << i + 1;
    EXPECT_EQ(found.metrics[i].grad_norm, expected.metrics[i].grad_norm) << what << ", step " << i + 1;
  }
  expect_same_arrays(found.parameters, expected.parameters, what, "values");
  expect_same_arrays(found.firsts, expected.firsts, what, "first moments");
  expect_same_arrays(found.seconds, expected.seconds, what, "second moments");
}

}  // namespace trireme
