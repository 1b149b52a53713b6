// SPDX-License-Identifier: Apache-2.0
#include "tests/parity/fixed_batches.h"

#include "core/base/rng.h"

namespace trireme {

FixedBatches::FixedBatches(std::int64_t time, std::vector<std::int32_t> tokens, std::vector<std::int32_t> targets,
                           std::vector<std::int32_t> starts)
    : time_(time),
      rows_(static_cast<std::int64_t>(tokens.size()) / time),
      tokens_(std::move(tokens)),
      targets_(std::move(targets)),
      starts_(std::move(starts)) {}

FixedBatches FixedBatches::random(std::int64_t rows, std::int64_t time, std::int64_t vocabulary, std::uint64_t seed) {
  const Random token(seed, "token");
  const Random target(seed, "target");
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> targets;
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(rows * time); ++i) {
    tokens.push_back(static_cast<std::int32_t>(token.below(i, static_cast<std::uint64_t>(vocabulary))));
    const auto one = static_cast<std::int32_t>(target.below(2 * i, static_cast<std::uint64_t>(vocabulary)));
    targets.push_back(target.below(2 * i + 1, 10) == 0 ? -1 : one);
  }
  return {time, std::move(tokens), std::move(targets)};
}

const Batch& FixedBatches::read(std::int64_t first, std::int64_t count) {
  row_tokens_.clear();
  row_targets_.clear();
  row_positions_.clear();
  row_starts_.clear();
  batch_.target_count = 0;
  batch_.token_hash = 0;
  for (std::int64_t sample = first; sample < first + count; ++sample) {
    std::uint64_t hash = static_cast<std::uint64_t>(sample) * 0x9E3779B97F4A7C15ULL;
    for (std::int64_t t = 0; t < time_; ++t) {
      const auto i = static_cast<std::size_t>(sample % rows_ * time_ + t);
      row_tokens_.push_back(tokens_[i]);
      row_targets_.push_back(targets_[i]);
      const std::int32_t start = starts_.empty() ? 0 : starts_[i];
      row_starts_.push_back(start);
      row_positions_.push_back(static_cast<std::int32_t>(t) - start);
      if (targets_[i] >= 0) ++batch_.target_count;
      hash = (hash ^ static_cast<std::uint64_t>(tokens_[i])) * 0x100000001B3ULL;
    }
    batch_.token_hash += hash;
  }
  const Shape shape{count, time_};
  batch_.tokens = {row_tokens_.data(), Dtype::i32, shape};
  batch_.targets = {row_targets_.data(), Dtype::i32, shape};
  batch_.positions = {row_positions_.data(), Dtype::i32, shape};
  batch_.document_start = starts_.empty() ? Tensor{} : Tensor{row_starts_.data(), Dtype::i32, shape};
  return batch_;
}

}  // namespace trireme
