// SPDX-License-Identifier: Apache-2.0
#include "core/base/documents.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/base/error.h"

namespace trireme {
namespace {

Tensor rows(std::vector<std::int32_t>& starts, std::int64_t count) {
  return {starts.data(), Dtype::i32, {count, static_cast<std::int64_t>(starts.size()) / count}};
}

TEST(DocumentLengths, IndicesCoverPowersOfTwo) {
  EXPECT_EQ(DocumentLengths::index(1), 0);
  EXPECT_EQ(DocumentLengths::index(2), 1);
  EXPECT_EQ(DocumentLengths::index(3), 2);
  EXPECT_EQ(DocumentLengths::index(4), 2);
  EXPECT_EQ(DocumentLengths::index(5), 3);
  EXPECT_EQ(DocumentLengths::index(131072), 17);
  EXPECT_EQ(DocumentLengths::index(131073), 18);
}

TEST(DocumentLengths, CountsEachRowsDocuments) {
  // Lengths 1, 2, 5 and 3, 1, 1, 3; the second row's first document is not a part of the first row's last.
  std::vector<std::int32_t> starts = {0, 1, 1, 3, 3, 3, 3, 3, 0, 0, 0, 3, 4, 5, 5, 5};
  const DocumentLengths found = document_lengths(rows(starts, 2));
  DocumentLengths expected;
  expected.counts[0] = 3;
  expected.counts[1] = 1;
  expected.counts[2] = 2;
  expected.counts[3] = 1;
  EXPECT_EQ(found, expected);
  EXPECT_TRUE(found.known());
  EXPECT_FALSE(DocumentLengths{}.known());
}

TEST(DocumentLengths, ARowWithoutBoundariesIsOneDocument) {
  std::vector<std::int32_t> starts(3 * 1000, 0);
  DocumentLengths expected;
  expected.counts[10] = 3;
  EXPECT_EQ(document_lengths(rows(starts, 3)), expected);
}

TEST(DocumentLengths, RefusesStartsThatAreNone) {
  std::vector<std::int32_t> starts = {0, 0, 2, 1};
  EXPECT_THROW(document_lengths(rows(starts, 1)), Error);
  starts = {1, 1, 2, 2};
  EXPECT_THROW(document_lengths(rows(starts, 1)), Error);
}

}  // namespace
}  // namespace trireme
