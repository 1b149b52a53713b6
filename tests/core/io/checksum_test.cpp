// SPDX-License-Identifier: Apache-2.0
#include "core/io/checksum.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/core/io/expect_error.h"

namespace trireme {
namespace {

using testing::expect_error;

// Published with XXH3 (the hashes of the empty input), and by Python's xxhash package for the others.
TEST(Checksum, MatchesKnownAnswers) {
  EXPECT_EQ(hex(xxh3_64("")), "2d06800538d394c2");
  EXPECT_EQ(hex(xxh3_128("")), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hex(xxh3_64("trireme")), "feebfd29187b7632");
  EXPECT_EQ(hex(xxh3_128("trireme")), "d5185a864e19da8e9d6354f6bb8b2f15");
}

TEST(Checksum, InPiecesEqualsWhole) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>(i * 7);
  for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{1023}, text.size()}) {
    Xxh3Stream stream;
    stream.update(std::string_view(text).substr(0, cut));
    stream.update(std::string_view(text).substr(cut));
    EXPECT_EQ(stream.digest(), xxh3_128(text));
  }
  EXPECT_NE(xxh3_64(text, 1), xxh3_64(text, 2));
}

TEST(Checksum, HexGoesBothWaysAndRefusesOtherSpellings) {
  const Hash128 hash = xxh3_128("x");
  EXPECT_EQ(hash128_from_hex(hex(hash), "here"), hash);
  EXPECT_EQ(hash64_from_hex(hex(hash.low), "here"), hash.low);
  for (const char* text : {"", "0", "2D06800538D394C2", "2d06800538d394cg", "-d06800538d394c2", "2d06800538d394c20"}) {
    expect_error([&] { hash64_from_hex(text, "manifest.json"); }, {"manifest.json", "hexadecimal"});
    expect_error([&] { hash128_from_hex(text, "manifest.json"); }, {"manifest.json", "hexadecimal"});
  }
}

}  // namespace
}  // namespace trireme
