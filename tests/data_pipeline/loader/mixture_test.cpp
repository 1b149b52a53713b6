// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/loader/mixture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "tests/core/io/expect_error.h"

namespace trireme {
namespace {

double depth(std::size_t corpora) { return std::ceil(std::log2(static_cast<double>(corpora))); }

// The counts of the first p positions, found by counting, are exact and near p * weight at every p. 2^-40 per draw is
// what the weights are rounded by.
TEST(Mixture, CountsAreExactAndNearTheWeightsAtEveryPosition) {
  const std::vector<std::vector<double>> cases = {{1},
                                                  {1, 1},
                                                  {0.7, 0.3},
                                                  {1, 2, 3},
                                                  {1000, 1},
                                                  {1e-6, 1, 1e-3},
                                                  {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5},
                                                  {0.1, 0.1, 0.8}};
  for (const std::vector<double>& weights : cases) {
    const Mixture mixture(weights);
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::vector<std::uint64_t> counts(weights.size());
    for (std::uint64_t p = 0; p < 20000; ++p) {
      for (std::size_t c = 0; c < weights.size(); ++c) {
        ASSERT_EQ(mixture.count(c, p), counts[c]);
        const double ideal = static_cast<double>(p) * weights[c] / sum;
        ASSERT_LE(std::abs(static_cast<double>(counts[c]) - ideal), depth(weights.size()) / 2 + 1e-6)
            << "corpus " << c << " of " << weights.size() << " at " << p;
      }
      const Mixture::Draw draw = mixture.at(p);
      ASSERT_LT(draw.corpus, weights.size());
      ASSERT_EQ(draw.index, counts[draw.corpus]) << "position " << p;
      ++counts[draw.corpus];
    }
  }
}

TEST(Mixture, WorksFarOut) {
  const std::vector<double> weights = {0.5, 0.3, 0.2};
  const Mixture mixture(weights);
  const std::uint64_t far = (std::uint64_t{1} << 62U) - 1000;
  std::vector<std::uint64_t> counts = {mixture.count(0, far), mixture.count(1, far), mixture.count(2, far)};
  EXPECT_EQ(counts[0] + counts[1] + counts[2], far);
  for (std::uint64_t p = far; p < far + 1000; ++p) {
    const Mixture::Draw draw = mixture.at(p);
    ASSERT_EQ(draw.index, counts[draw.corpus]++);
  }
}

TEST(Mixture, RefusesWeightsThatAreNone) {
  using testing::expect_error;
  const auto build = [](const std::vector<double>& weights) { return [weights] { Mixture{weights}; }; };
  expect_error(build({}), {"no corpora"}, ExitCode::usage);
  expect_error(build({1, 0}), {"weight 0"}, ExitCode::usage);
  expect_error(build({1, -1}), {"weight -1"}, ExitCode::usage);
  expect_error(build({std::nan("")}), {"weight nan"}, ExitCode::usage);
  expect_error(build({std::numeric_limits<double>::infinity()}), {"weight inf"}, ExitCode::usage);
  expect_error(build({1, 1e-15}), {"2^-40"}, ExitCode::usage);
  expect_error(build({1e308, 1e308}), {"sum to infinity"}, ExitCode::usage);
}

}  // namespace
}  // namespace trireme
