// SPDX-License-Identifier: Apache-2.0
// What a dry device counts.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace trireme {

/// All operations of one kind: "linear", "attention_backward", "copy", ...
struct OperationCounts {
  std::int64_t calls = 0;
  double flops = 0.0;  // a double counts beyond 2^63, and exactly up to 2^53
  double bytes = 0.0;  // read and written
  double seconds = 0.0;
  bool product = false;  // a matrix product or attention: what the FLOPs of a model are counted in
};

/// How one stream's modelled time was spent; the sum of the parts is what its clock advanced.
struct StreamTimes {
  std::string name;
  double now_seconds = 0.0;            // its clock
  double operation_seconds = 0.0;      // operations, copies and zeroing
  double communication_seconds = 0.0;  // collectives enqueued on it
  double waiting_seconds = 0.0;        // for events of other streams
};

struct DryCounts {
  std::map<std::string, OperationCounts, std::less<>> operations;
  std::vector<StreamTimes> streams;  // in the order in which they were made

  double flops() const;
  double product_flops() const;
  double bytes() const;
};

}  // namespace trireme
