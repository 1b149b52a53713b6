// SPDX-License-Identifier: Apache-2.0
// The bytes of every token, both ways: id to bytes and bytes to id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

/// Most ids that a tokenizer file may have: bounds what is allocated for an untrusted file.
inline constexpr std::uint32_t kMostTokens = 1U << 24;

/// Token ids with their bytes. Ids may have gaps.
class Vocabulary {
 public:
  /// What add() found.
  enum class Added { yes, id_taken, bytes_taken };

  /// Gives `id` (< kMostTokens) the bytes, which may not be empty, unless either is in use.
  Added add(std::uint32_t id, std::string_view bytes);

  /// Gives `id` bytes that find() will not see: an added token may spell what a token of the model spells too. False if
  /// the id is in use.
  bool add_verbatim(std::uint32_t id, std::string_view bytes);

  /// One more than the largest id.
  std::uint32_t size() const { return static_cast<std::uint32_t>(spans_.size()); }
  std::size_t count() const { return count_; }
  std::size_t longest() const { return longest_; }

  /// The bytes of a token, or an empty view where no token has the id.
  std::string_view bytes(std::uint32_t id) const;

  /// The id of the token with these bytes.
  std::optional<std::uint32_t> find(std::string_view bytes) const;

 private:
  struct Span {
    std::uint64_t begin = 0;
    std::uint32_t length = 0;
  };

  std::size_t slot_of(std::string_view bytes) const;
  void grow();
  void place(std::uint32_t id, std::string_view bytes);

  std::string arena_;
  std::vector<Span> spans_;           // by id
  std::vector<std::uint32_t> table_;  // open addressing: id + 1, 0 where empty
  std::vector<bool> hidden_;          // by id: from add_verbatim
  std::size_t count_ = 0;
  std::size_t longest_ = 0;
};

}  // namespace trireme
