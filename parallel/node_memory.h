// SPDX-License-Identifier: Apache-2.0
// Memory of the host that all ranks of a group see, where they run on one node.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "core/base/group.h"

namespace trireme {

class NodeMemory {
 public:
  /// By all ranks of `group` together: `bytes` of zeros. None on every rank when any of them cannot see it, and then
  /// `problem` says why, the same on all.
  static std::shared_ptr<NodeMemory> open(Group& group, std::size_t bytes, std::string& problem);
  ~NodeMemory();
  NodeMemory(const NodeMemory&) = delete;
  NodeMemory& operator=(const NodeMemory&) = delete;

  /// Page-aligned.
  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  NodeMemory(std::byte* data, std::size_t bytes) : data_(data), bytes_(bytes) {}

  std::byte* data_;
  std::size_t bytes_;
};

}  // namespace trireme
