// SPDX-License-Identifier: Apache-2.0
// Made-up batches: what is measured needs shapes, not sense.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/batch.h"
#include "core/base/device.h"
#include "core/base/rng.h"

namespace trireme {

/// Samples of uniformly random tokens, each a function of its index.
class RandomTokens : public BatchSource {
 public:
  RandomTokens(Device& device, std::int64_t rows, std::int64_t time, std::int64_t vocabulary);

  const Batch& read(std::int64_t first, std::int64_t count) override;
  void prefetch(std::int64_t /*first*/, std::int64_t /*count*/) override {}
  std::int64_t samples_per_epoch() const override { return std::int64_t{1} << 40; }

 private:
  std::int32_t token(std::int64_t index) const;

  std::int64_t time_;
  std::int64_t vocabulary_;
  Random random_{1, "bench"};
  std::vector<Buffer> buffers_;
  Batch batch_;
};

}  // namespace trireme
