// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/loader/mixture.h"

#include <cmath>

#include "core/base/error.h"

namespace trireme {
namespace {

__extension__ using Wide = unsigned __int128;  // positions of 62 bits times weights of 42

constexpr double kResolution = 1099511627776.0;  // 2^40

}  // namespace

Mixture::Mixture(std::span<const double> weights) : corpora_(weights.size()) {
  check_usage(!weights.empty(), "a mixture of no corpora");
  double sum = 0;
  for (const double weight : weights) {
    check_usage(std::isfinite(weight) && weight > 0, "a corpus with weight {}: a positive number expected", weight);
    sum += weight;
  }
  check_usage(std::isfinite(sum), "the weights of the corpora sum to infinity");
  sums_.push_back(0);
  for (const double weight : weights) {
    const double share = std::round(weight / sum * kResolution);
    check_usage(share >= 1, "a corpus with weight {} of {}: less than 2^-40 of the whole", weight, sum);
    sums_.push_back(sums_.back() + static_cast<std::uint64_t>(share));
  }
}

std::uint64_t Mixture::left_count(std::uint64_t visits, std::size_t begin, std::size_t middle, std::size_t end) const {
  const std::uint64_t whole = weight(begin, end);
  return static_cast<std::uint64_t>((Wide{visits} * weight(begin, middle) + whole / 2) / whole);
}

Mixture::Draw Mixture::at(std::uint64_t position) const {
  std::size_t begin = 0;
  std::size_t end = corpora_;
  while (end - begin > 1) {
    const std::size_t middle = begin + (end - begin) / 2;
    const std::uint64_t before = left_count(position, begin, middle, end);
    if (left_count(position + 1, begin, middle, end) > before) {
      position = before;
      end = middle;
    } else {
      position -= before;
      begin = middle;
    }
  }
  return {begin, position};
}

std::uint64_t Mixture::count(std::size_t corpus, std::uint64_t positions) const {
  std::size_t begin = 0;
  std::size_t end = corpora_;
  while (end - begin > 1) {
    const std::size_t middle = begin + (end - begin) / 2;
    const std::uint64_t left = left_count(positions, begin, middle, end);
    if (corpus < middle) {
      positions = left;
      end = middle;
    } else {
      positions -= left;
      begin = middle;
    }
  }
  return positions;
}

}  // namespace trireme
