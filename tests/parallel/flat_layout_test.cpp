// SPDX-License-Identifier: Apache-2.0
// Random blocks on random meshes: every element of every parameter lies in exactly the places that it should.
#include "parallel/flat_layout.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "core/base/error.h"

namespace trireme {
namespace {

class Cases {
 public:
  explicit Cases(std::uint32_t seed) : engine_(seed) {}

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }
  bool coin() { return between(0, 1) == 1; }

  /// Sections of a dim for a tensor axis of `ranks`; some are copied, where the axis allows it.
  std::vector<Section> sections(std::int64_t ranks) {
    std::vector<Section> all;
    for (std::int64_t n = between(0, 3); n > 0; --n) {
      const std::int64_t unit = between(1, 4);
      std::int64_t units = between(1, 9);
      const bool copied = unit > 1 && coin();
      if (unit > 1 && units < ranks) units = copied ? ranks : ranks + between(0, 3);
      if (copied && ranks % 2 == 0 && coin()) units = ranks / 2;
      all.push_back({.size = unit * units, .unit = unit, .copied = copied});
    }
    return all;
  }

  std::vector<ParamSpec> block(std::int64_t ranks) {
    std::vector<ParamSpec> specs;
    for (std::int64_t n = between(1, 5); n > 0; --n) {
      ParamSpec spec{.name = fmt::format("p{}", n), .shape = {}, .init = {}, .decay = coin(), .cut = {}};
      const bool matrix = coin();
      Cut cut{.dim = static_cast<int>(between(-1, matrix ? 1 : 0)), .sections = {}};
      std::int64_t size = between(1, 30);
      if (cut.dim >= 0) cut.sections = sections(ranks);
      if (cut.dim == 1) {  // columns are never copied
        for (Section& section : cut.sections) section = {.size = section.size};
      }
      if (!cut.sections.empty()) {
        size = 0;
        for (const Section& section : cut.sections) size += section.size;
      }
      const std::int64_t other = between(1, 20);
      spec.shape = !matrix ? Shape{size} : cut.dim == 1 ? Shape{other, size} : Shape{size, other};
      spec.cut = cut;
      specs.push_back(spec);
    }
    return specs;
  }

 private:
  std::mt19937 engine_;
};

/// How often each element of each parameter was named, by its index in the whole tensor.
using Counts = std::map<std::string, std::vector<int>>;

void count(const NamedSlice& slice, Counts& counts) {
  auto& of = counts[slice.name];
  of.resize(static_cast<std::size_t>(slice.global.elements()));
  const bool matrix = slice.extent.rank() == 2;
  const std::int64_t columns = matrix ? slice.extent[1] : slice.extent[0];
  for (std::int64_t i = 0; i < slice.extent.elements(); ++i) {
    const std::int64_t row = matrix ? slice.origin[0] + i / columns : 0;
    const std::int64_t column = slice.origin[matrix ? 1 : 0] + i % columns;
    ++of.at(static_cast<std::size_t>(row * (matrix ? slice.global[1] : 0) + column));
  }
}

void check_block(const std::vector<ParamSpec>& specs, std::int64_t ranks, std::int64_t pieces) {
  Counts owned;
  std::vector<FlatSegment> first_segments;
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    const BlockLayout layout = lay_out(specs, rank, ranks, pieces);
    ASSERT_EQ(layout.elements % (64 * pieces), 0);
    std::int64_t at = 0;
    for (const FlatSegment& segment : layout.segments) {
      ASSERT_EQ(segment.begin, at);
      ASSERT_GT(segment.end, at);
      at = segment.end;
    }
    ASSERT_EQ(at, layout.elements);
    std::vector<int> taken(static_cast<std::size_t>(layout.elements));
    const std::int64_t piece = layout.elements / pieces;
    for (std::int64_t p = 0; p < pieces; ++p) {
      for (const auto& placed : slices_within(specs, layout, p * piece, (p + 1) * piece, false)) {
        for (std::int64_t i = 0; i < placed.slice.extent.elements(); ++i) {
          ASSERT_GE(placed.at + i, p * piece);
          ASSERT_LT(placed.at + i, (p + 1) * piece);
          ASSERT_EQ(taken[static_cast<std::size_t>(placed.at + i)]++, 0);
        }
      }
      for (const auto& placed : slices_within(specs, layout, p * piece, (p + 1) * piece, true)) {
        count(placed.slice, owned);
        // An owned element lies in a segment that says that this rank is its first holder.
        for (const FlatSegment& segment : layout.segments) {
          ASSERT_TRUE(segment.first || placed.at < segment.begin || placed.at >= segment.end);
        }
      }
    }
    if (rank == 0) first_segments = layout.segments;
    ASSERT_EQ(layout.segments.size(), first_segments.size());
    for (std::size_t i = 0; i < first_segments.size(); ++i) {  // ranks that sum a stretch together agree where it is
      ASSERT_EQ(layout.segments[i].begin, first_segments[i].begin);
      ASSERT_EQ(layout.segments[i].held, first_segments[i].held);
      ASSERT_EQ(layout.segments[i].decay, first_segments[i].decay);
    }
  }
  for (const ParamSpec& spec : specs) {
    ASSERT_EQ(owned[spec.name], std::vector<int>(static_cast<std::size_t>(spec.shape.elements()), 1)) << spec.name;
  }
}

TEST(FlatLayout, EveryElementHasItsPlaceAndOneOwner) {
  Cases cases(1);
  for (int i = 0; i < 4000; ++i) {
    const std::int64_t ranks = cases.between(1, 8);
    const std::int64_t pieces = cases.between(1, 6);
    SCOPED_TRACE(fmt::format("case {}: {} ranks, {} pieces", i, ranks, pieces));
    check_block(cases.block(ranks), ranks, pieces);
    if (HasFatalFailure()) return;
  }
}

TEST(Section, IsDealtOutInUnits) {
  EXPECT_EQ(local_size({.size = 53}, 8), 7) << "the last rank has 4 and padding";
  EXPECT_EQ(local_size({.size = 12 * 64, .unit = 64}, 8), 2 * 64) << "ranks 6 and 7 have heads of zeros";
  const Section keys{.size = 8 * 128, .unit = 128, .grain = 128, .copied = true};
  const Section queries{.size = 32 * 128, .unit = 4 * 128, .grain = 128};
  EXPECT_EQ(local_size(keys, 16), 128);
  EXPECT_EQ(copies_of(keys, 16), 2);
  EXPECT_EQ(local_size(queries, 16), 2 * 128) << "two ranks share a key head and halve its queries";
  EXPECT_EQ(copies_of(queries, 16), 1);
  EXPECT_THROW(local_size(keys, 12), Error) << "twelve ranks, eight heads";
  EXPECT_THROW(local_size(queries, 64), Error) << "eight ranks to a key head of four queries";
  const ParamSpec spec{
      .name = "k", .shape = {8 * 128, 3}, .init = {}, .decay = true, .cut = {.dim = 0, .sections = {keys}}};
  const LocalParam fifth = local_param(spec, 5, 16);
  EXPECT_EQ(fifth.shape, (Shape{128, 3}));
  EXPECT_EQ(fifth.pieces.front().global, 2 * 128);
  EXPECT_EQ(fifth.pieces.front().held, Held::by_neighbours);
  EXPECT_FALSE(fifth.pieces.front().first);
}

}  // namespace
}  // namespace trireme
