// SPDX-License-Identifier: Apache-2.0
// Batches whose samples are given: the source of tests that need no data.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/batch.h"

namespace trireme {

/// Sample i is row i % rows of what was given, so that it is a pure function of its index.
class FixedBatches : public BatchSource {
 public:
  /// tokens and targets: [rows, time], row after row. starts: empty, or document starts of the same layout, from which
  /// positions within the document follow.
  FixedBatches(std::int64_t time, std::vector<std::int32_t> tokens, std::vector<std::int32_t> targets,
               std::vector<std::int32_t> starts = {});
  /// Random tokens below `vocabulary`; one target in ten is -1.
  static FixedBatches random(std::int64_t rows, std::int64_t time, std::int64_t vocabulary, std::uint64_t seed);

  const Batch& read(std::int64_t first, std::int64_t count) override;
  void prefetch(std::int64_t, std::int64_t) override {}
  std::int64_t samples_per_epoch() const override { return rows_; }

 private:
  std::int64_t time_, rows_;
  std::vector<std::int32_t> tokens_, targets_, starts_;
  std::vector<std::int32_t> row_tokens_, row_targets_, row_positions_, row_starts_;
  Batch batch_;
};

}  // namespace trireme
