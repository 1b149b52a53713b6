// SPDX-License-Identifier: Apache-2.0
// Processor time, on one core, of 4,500 starts and of 4,000 resamples of approach 3: fit_bench TABLE [DROPPED]
// [ROUNDS].
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>

#include "core/scaling/csv.h"
#include "core/scaling/parametric_fit.h"
#include "core/scaling/study_table.h"

namespace {

double seconds_of(const std::vector<trireme::ScalingPoint>& points, int resamples) {
  const auto start = std::clock();
  trireme::fit_parametric(points, {.resamples = resamples});
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace trireme;
  if (argc < 2) return 2;
  try {
    auto points = read_study(read_table(argv[1]), {}, argv[1]).points;
    std::sort(points.begin(), points.end(), [](const auto& x, const auto& y) { return x.loss < y.loss; });
    points.resize(points.size() - (argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 0));
    for (int round = argc > 3 ? std::atoi(argv[3]) : 3; round > 0; --round) {
      const auto starts = seconds_of(points, 0), both = seconds_of(points, 4000);
      std::printf("%zu rows: 4500 starts %.2f s, 4000 resamples %.2f s\n", points.size(), starts, both - starts);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
