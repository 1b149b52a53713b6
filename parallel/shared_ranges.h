// SPDX-License-Identifier: Apache-2.0
// Which road a gather between GPUs takes, and which memory the ranks of a group have mapped for it. Nothing here needs
// a GPU.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace trireme {

/// What stands in the way by the first rank that has a problem ("rank 2 of the group: ..."); nothing where none has.
/// `told`: by rank, empty where there is no problem.
std::string first_problem(std::span<const std::string> told);

/// Stretches of memory, and which of them a tensor lies in.
class SharedRanges {
 public:
  struct Place {
    std::size_t number = 0;  // of the stretch
    std::size_t offset = 0;  // from its start, in bytes
  };
  /// Numbers count up from 0 and are not given twice.
  std::size_t add(const void* begin, std::size_t bytes);
  void remove(std::size_t number);
  /// None where not all of [data, data + bytes) lies in one stretch.
  std::optional<Place> find(const void* data, std::size_t bytes) const;

 private:
  struct Range {
    std::size_t bytes = 0, number = 0;
  };
  std::map<const std::byte*, Range> ranges_;  // by their begin
  std::size_t added_ = 0;
};

}  // namespace trireme
