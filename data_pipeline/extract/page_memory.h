// SPDX-License-Identifier: Apache-2.0
// The memory of one parsed page: bounded, and given back at once, not node by node.
#pragma once

#include <array>
#include <csetjmp>
#include <cstddef>
#include <memory>
#include <vector>

namespace trireme {

/// Hands out blocks up to `limit` bytes in all; past it, jumps to the place set in `full`. The parser is C: an
/// exception must not pass through it, and it does not look at null pointers. Its own destructor of trees recurses on
/// the depth of the page; this one does not.
class PageMemory {
 public:
  explicit PageMemory(std::size_t limit) : left_(limit) {}

  void* take(std::size_t bytes);
  void give_back(void* block);

  std::jmp_buf full = {};

 private:
  static constexpr std::size_t kClasses = 48;

  std::size_t left_;
  std::vector<std::unique_ptr<std::byte[]>> slabs_;
  std::byte* next_ = nullptr;
  std::size_t free_in_slab_ = 0;
  std::array<void*, kClasses> returned_ = {};  // by power of two, linked through their first word
};

}  // namespace trireme
