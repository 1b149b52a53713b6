// SPDX-License-Identifier: Apache-2.0
// Which corpus a position draws from: by weight, computed for any position alone, with counts that never stray.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace trireme {

/// Corpora at the leaves of a balanced binary tree. Of the first p visits to a node, round(p * left / (left + right))
/// go left, so the counts of any p follow by walking down once; a position goes where its count grows. Each level of
/// the tree rounds by at most half a sample: |count_i(p) - p * weight_i / sum| <= depth / 2, depth being
/// ceil(log2(corpora)).
class Mixture {
 public:
  /// Weights are positive and finite; they are taken to 2^-40 of their sum, and none below that.
  explicit Mixture(std::span<const double> weights);

  struct Draw {
    std::size_t corpus = 0;
    std::uint64_t index = 0;  // how many samples of this corpus come before it
  };

  std::size_t corpora() const { return corpora_; }
  /// The sample at `position` (below 2^62).
  Draw at(std::uint64_t position) const;
  /// Samples of `corpus` among the first `positions`.
  std::uint64_t count(std::size_t corpus, std::uint64_t positions) const;

 private:
  std::uint64_t weight(std::size_t begin, std::size_t end) const { return sums_[end] - sums_[begin]; }
  /// Of the first `visits` to the node of corpora [begin, end), those that go to [begin, middle).
  std::uint64_t left_count(std::uint64_t visits, std::size_t begin, std::size_t middle, std::size_t end) const;

  std::size_t corpora_;
  std::vector<std::uint64_t> sums_;  // of whole-number weights before each corpus
};

}  // namespace trireme
