// SPDX-License-Identifier: Apache-2.0
// Which documents share a graph, and whether the tables have room for them.
#include "kernels/document_classes.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace trireme {
namespace {

TEST(DocumentClasses, AreOfTheShapeAlone) {
  const auto classes = document_classes(8, 4096);
  ASSERT_EQ(classes.size(), 3U);
  const std::array<std::int64_t, 3> longest = {256, 1024, 4096};
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_EQ(classes[c].longest, longest[c]);
    EXPECT_EQ(classes[c].sequences, 8 * 4096 / longest[c]);
  }
  ASSERT_EQ(document_classes(3, 100).size(), 1U);
  EXPECT_EQ(document_classes(3, 100)[0].longest, 100);
  EXPECT_EQ(document_classes(3, 100)[0].sequences, 3);
  EXPECT_EQ(document_classes(1, 1)[0].sequences, 1);
}

/// A batch never takes a larger workspace than one without documents, which grows with sequences x longest (and, to
/// repeat bit for bit, with its square).
TEST(DocumentClasses, FillTheBatchAtMost) {
  for (const std::int64_t batch : {1, 3, 64}) {
    for (const std::int64_t time : {1, 255, 256, 257, 1000, 1025, 4096, 5000, 131072}) {
      for (const DocumentClass& c : document_classes(batch, time)) {
        EXPECT_GE(c.sequences, 1);
        EXPECT_LE(c.sequences * c.longest, batch * time) << batch << " x " << time;
        EXPECT_EQ(c.stride() % 4, 0);
        EXPECT_LT(c.stride() - c.sequences, 4);
      }
      EXPECT_EQ(document_classes(batch, time).back().longest, time);
    }
  }
}

TEST(DocumentClasses, HaveASlotForEachDocumentOfTheirLengths) {
  DocumentLengths documents;
  documents.counts[0] = 7;    // of 1
  documents.counts[8] = 200;  // of 129 to 256
  documents.counts[9] = 1;    // of 257 to 512
  documents.counts[12] = 9;   // of 2049 to 4096
  const auto classes = document_classes(8, 4096, documents);
  ASSERT_EQ(classes.size(), 3U);
  EXPECT_EQ(classes[0].runs, 2);  // 207 at 128 a run
  EXPECT_EQ(classes[1].runs, 1);
  EXPECT_EQ(classes[2].runs, 2);
  EXPECT_EQ(classes[0].first, 0);
  EXPECT_EQ(classes[1].first, 256);
  EXPECT_EQ(classes[2].first, 256 + 32);
  EXPECT_EQ(document_classes(8, 4096, DocumentLengths{})[2].first, 0);
}

TEST(DocumentClasses, TablesHaveRoomForWhateverComes) {
  std::mt19937 generator(3);
  for (const auto& [batch, time] : {std::array<std::int64_t, 2>{1, 1}, {3, 300}, {7, 257}, {2, 5000}, {1, 70000}}) {
    const std::size_t room = document_table_bytes(batch, time);
    EXPECT_EQ(room % 256, 0U);
    for (const double most : {1.0, 2.0, 300.0, 1100.0, 80000.0}) {
      DocumentLengths documents;
      for (std::int64_t b = 0; b < batch; ++b) {
        for (std::int64_t left = time; left > 0;) {
          const auto wanted = 1 + static_cast<std::int64_t>(most * static_cast<double>(generator()) / 4294967296.0);
          const std::int64_t length = std::min(left, wanted);
          ++documents.counts[static_cast<std::size_t>(DocumentLengths::index(length))];
          left -= length;
        }
      }
      const auto classes = document_classes(batch, time, documents);
      const std::int64_t slots = classes.back().first + classes.back().slots();
      EXPECT_LE(document_table_bytes(slots), room) << batch << " x " << time << ", up to " << most;
    }
  }
}

}  // namespace
}  // namespace trireme
