// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/minimise.h"

#include <nlopt.h>

#include <cmath>
#include <limits>

#include "core/base/error.h"

namespace trireme {
namespace {

constexpr int kMostEvaluations = 3000;
constexpr int kMemory = 10;
constexpr int kMostRestarts = 20;
constexpr double kLastDigits = 1e-15;  // relative

double call(unsigned dimensions, const double* x, double* gradient, void* objective) {
  thread_local std::vector<double> unused;
  unused.resize(dimensions);
  return (*static_cast<const Objective*>(objective))({x, dimensions},
                                                     {gradient != nullptr ? gradient : unused.data(), dimensions});
}

/// One search; where it gave up on the first step, the start.
Minimum run(nlopt_opt search, std::span<const double> start, const Objective& objective, double tolerance) {
  Minimum m{{start.begin(), start.end()}, std::numeric_limits<double>::infinity()};
  std::vector<double> gradient(start.size());
  const auto first = objective(start, gradient);
  if (!std::isfinite(first)) return m;
  nlopt_set_ftol_rel(search, tolerance);
  // The library takes the data as a pointer to what may change; call() does not change it.
  nlopt_set_min_objective(search, call, const_cast<Objective*>(&objective));
  nlopt_optimize(search, m.x.data(), &m.value);
  if (!(m.value <= first)) m = {{start.begin(), start.end()}, first};
  return m;
}

}  // namespace

struct Minimiser::Search {
  explicit Search(unsigned dimensions)
      : lbfgs(nlopt_create(NLOPT_LD_LBFGS, dimensions)), dense(nlopt_create(NLOPT_LD_SLSQP, dimensions)) {
    nlopt_set_vector_storage(lbfgs, kMemory);
    nlopt_set_maxeval(lbfgs, kMostEvaluations);
    nlopt_set_maxeval(dense, kMostEvaluations);
  }
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;
  ~Search() {
    nlopt_destroy(lbfgs);
    nlopt_destroy(dense);
  }

  nlopt_opt lbfgs;
  nlopt_opt dense;  // quasi-Newton with the whole matrix: it gets on where kinks are near
};

Minimiser::Minimiser(std::size_t dimensions) : search_(new Search(static_cast<unsigned>(dimensions))) {
  check(search_->lbfgs != nullptr && search_->dense != nullptr, "no memory for a search over {} parameters",
        dimensions);
}

Minimiser::~Minimiser() = default;

Minimum Minimiser::from(std::span<const double> start, const Objective& objective, double tolerance) {
  return run(search_->lbfgs, start, objective, tolerance);
}

Minimum Minimiser::polish(std::span<const double> start, const Objective& objective) {
  auto best = run(search_->lbfgs, start, objective, kLastDigits);
  for (int i = 0; i < kMostRestarts; ++i) {
    auto next = run(search_->dense, best.x, objective, kLastDigits);
    next = run(search_->lbfgs, next.x, objective, kLastDigits);
    if (!(next.value < best.value)) break;
    best = std::move(next);
  }
  return best;
}

}  // namespace trireme
