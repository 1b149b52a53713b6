// SPDX-License-Identifier: Apache-2.0
// Which of cuBLASLt's algorithms computes which product: what was measured once, kept in a file, so that the next start
// measures nothing and has the same bits.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace trireme::cuda {

/// What tells an algorithm from another: number, tile, stages, parts of the inner dim, how these are added up, order of
/// the tiles, the algorithm's own option, inner shape, cluster.
using AlgorithmSettings = std::array<std::int64_t, 9>;

/// Choices of one kind of machine. The file is a line for each product: its name, the settings, and the time that was
/// measured. Many processes may use it at once: the first choice that is kept for a product is everyone's. What is read
/// is not trusted: lines that are malformed are as if they were not there, and files beyond 1 MiB as if empty.
class ProductChoices {
 public:
  /// `machine` names the file in `folder`, which is made when it is missing. An empty folder keeps nothing.
  ProductChoices(const std::string& folder, std::string_view machine);

  /// Whether choices are kept: there is a folder, and the file has room.
  bool keeps() const;
  /// The choice for a product, also one that another process has kept since.
  std::optional<AlgorithmSettings> find(const std::string& product);
  /// Keeps a choice and returns what is to be used: this one, or the one that was kept before if it is `acceptable`.
  /// Nothing when the file cannot be written.
  std::optional<AlgorithmSettings> keep(const std::string& product, const AlgorithmSettings& settings, double seconds,
                                        const std::function<bool(const AlgorithmSettings&)>& acceptable);

  const std::string& path() const { return path_; }

 private:
  struct Choice {
    AlgorithmSettings settings{};
    std::int64_t nanoseconds = 0;  // for people
  };
  void read();

  std::string folder_;
  std::string path_;  // empty: nothing is kept
  std::map<std::string, Choice, std::less<>> choices_;
};

}  // namespace trireme::cuda
