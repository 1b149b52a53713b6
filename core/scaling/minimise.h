// SPDX-License-Identifier: Apache-2.0
// Minimisation of smooth functions of a few parameters: L-BFGS, as NLopt has it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace trireme {

/// The value at x; writes the gradient, as long as x. Must not throw; where it is not finite the search steps back.
using Objective = std::function<double(std::span<const double> x, std::span<double> gradient)>;

struct Minimum {
  std::vector<double> x;
  double value = 0;
};

/// L-BFGS (Liu and Nocedal 1989) for functions of `dimensions` parameters, with a memory of ten steps: more than a law
/// has parameters. One object searches any number of times, in one thread.
class Minimiser {
 public:
  explicit Minimiser(std::size_t dimensions);
  ~Minimiser();
  Minimiser(const Minimiser&) = delete;
  Minimiser& operator=(const Minimiser&) = delete;

  /// Walks from `start` until a step lowers the value by less than `tolerance` of itself. A line search that comes no
  /// further ends the walk too: the value there is what counts.
  Minimum from(std::span<const double> start, const Objective& objective, double tolerance = 1e-10);
  /// As from(), begun anew where it stopped, by L-BFGS and by sequential quadratic programming (Kraft 1988) in turn,
  /// until that changes nothing: to the last digits.
  Minimum polish(std::span<const double> start, const Objective& objective);

 private:
  struct Search;
  std::unique_ptr<Search> search_;
};

}  // namespace trireme
