// SPDX-License-Identifier: Apache-2.0
// The batch in device memory: of one size always, so that a smaller batch is filled up with rows that score nothing.
#pragma once

#include "core/base/batch.h"
#include "core/base/device.h"
#include "core/model/layer.h"

namespace trireme {

class BatchMemory {
 public:
  void plan(Plan& plan, const PassShape& shape);
  /// After commit(), once. Returns when the constants are in place.
  void load_constants(Device& device, Stream& stream, const Plan& plan);
  /// Copies `batch`, of at most B rows of T tokens, in stream order: its memory is read until the stream gets there.
  void upload(Device& device, Stream& stream, const Plan& plan, const Batch& batch);
  /// The batch that was uploaded last.
  DeviceBatch view(const Plan& plan) const;

 private:
  PassShape shape_;
  Slot tokens_, targets_, positions_, document_start_;
  Slot no_targets_;            // -1 everywhere
  DocumentLengths documents_;  // of the batch that was uploaded last
};

}  // namespace trireme
