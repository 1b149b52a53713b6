// SPDX-License-Identifier: Apache-2.0
#include "parallel/flat_layout.h"

#include <algorithm>
#include <numeric>

#include "parallel/flat_boxes.h"

namespace trireme {
namespace {

constexpr std::int64_t kAlign = 64;

std::int64_t round_up(std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit * unit; }

/// Elements of the parameter per index of the dim that is cut, behind it and before it.
std::int64_t inner_elements(const LocalParam& param) {
  std::int64_t elements = 1;
  for (int d = param.dim + 1; d < param.shape.rank(); ++d) elements *= param.shape[d];
  return elements;
}

void append(std::vector<FlatSegment>& segments, FlatSegment next) {
  if (!segments.empty()) {
    FlatSegment& last = segments.back();
    if (last.decay == next.decay && last.lr_scale == next.lr_scale && last.held == next.held &&
        last.first == next.first) {
      last.end = next.end;
      return;
    }
    last.end = next.begin;  // a gap belongs to what is before it
  }
  segments.push_back(next);
}

/// The segments of one parameter that starts at `offset`.
void append_param(std::vector<FlatSegment>& segments, const LocalParam& param, std::int64_t offset,
                  const ParamSpec& spec) {
  if (param.dim > 0) {  // cut across rows: every rank has its own columns of each
    append(segments,
           {.begin = offset, .end = offset + param.shape.elements(), .decay = spec.decay, .lr_scale = spec.lr_scale});
    return;
  }
  const std::int64_t inner = inner_elements(param);
  for (std::size_t i = 0; i < param.pieces.size(); ++i) {
    const auto& piece = param.pieces[i];
    const std::int64_t next = i + 1 < param.pieces.size() ? param.pieces[i + 1].local : param.shape[0];
    append(segments, {.begin = offset + piece.local * inner,
                      .end = offset + next * inner,
                      .decay = spec.decay,
                      .lr_scale = spec.lr_scale,
                      .held = piece.held,
                      .first = piece.first});
  }
}

/// Adds the boxes of elements [begin, end) of a box of the local parameter: `extent` large, whose rows of `stride`
/// elements start at element `at` of the flat array.
void add_boxes(std::vector<PlacedSlice>& slices, const NamedSlice& whole, const Shape& extent, std::int64_t at,
               std::int64_t begin, std::int64_t end) {
  const std::int64_t from = std::clamp<std::int64_t>(begin - at, 0, extent.elements());
  const std::int64_t to = std::clamp<std::int64_t>(end - at, 0, extent.elements());
  for (const FlatBox& box : flat_boxes(extent, from, to)) {
    PlacedSlice placed{.slice = whole, .at = at + box.begin};
    placed.slice.extent = box.extent;
    for (std::size_t d = 0; d < placed.slice.origin.size(); ++d) placed.slice.origin[d] += box.origin[d];
    slices.push_back(std::move(placed));
  }
}

Shape with_dim(const Shape& shape, int dim, std::int64_t size) {
  std::vector<std::int64_t> dims;
  dims.reserve(Shape::kMaxRank);
  for (int d = 0; d < shape.rank(); ++d) dims.push_back(d == dim ? size : shape[d]);
  return Shape(dims);
}

}  // namespace

FlatSegment clip(const FlatSegment& segment, std::int64_t begin, std::int64_t end) {
  FlatSegment part = segment;
  part.begin = std::clamp(segment.begin, begin, end);
  part.end = std::clamp(segment.end, begin, end);
  return part;
}

BlockLayout lay_out(const std::vector<ParamSpec>& block, std::int64_t tensor_rank, std::int64_t tensor_ranks,
                    std::int64_t pieces) {
  BlockLayout layout;
  layout.offsets.resize(block.size());
  for (const ParamSpec& spec : block) layout.params.push_back(local_param(spec, tensor_rank, tensor_ranks));
  // Decayed and cut, decayed and whole, whole, cut: neighbours are alike as often as possible.
  std::vector<std::size_t> order(block.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto place = [&](std::size_t i) {
    const bool whole = block[i].cut.dim < 0;
    return block[i].decay ? (whole ? 1 : 0) : (whole ? 2 : 3);
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
  for (const std::size_t i : order) {
    layout.offsets[i] = layout.elements;
    append_param(layout.segments, layout.params[i], layout.elements, block[i]);
    layout.elements += round_up(layout.params[i].shape.elements(), kAlign);
  }
  layout.elements = round_up(layout.elements, kAlign * pieces);
  if (!layout.segments.empty()) layout.segments.back().end = layout.elements;
  return layout;
}

std::vector<PlacedSlice> slices_within(const std::vector<ParamSpec>& block, const BlockLayout& layout,
                                       std::int64_t begin, std::int64_t end, bool owned) {
  std::vector<PlacedSlice> slices;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const LocalParam& param = layout.params[i];
    for (const auto& piece : param.pieces) {
      if (piece.count == 0 || (owned && !piece.first)) continue;
      NamedSlice whole{.name = block[i].name,
                       .global = block[i].shape,
                       .origin = {},
                       .extent = {},
                       .master = {},
                       .first = {},
                       .second = {}};
      whole.origin[static_cast<std::size_t>(param.dim)] = piece.global;
      const std::int64_t at = layout.offsets[i] + piece.local * inner_elements(param);
      const Shape extent = with_dim(param.shape, param.dim, piece.count);
      if (param.dim == 0 || piece.count == param.shape[param.dim]) {
        add_boxes(slices, whole, extent, at, begin, end);
        continue;
      }
      // Columns with padding behind them: row by row.
      const std::int64_t row = param.shape[param.dim];
      for (std::int64_t r = 0; r < param.shape.elements() / row; ++r) {
        NamedSlice of_row = whole;
        of_row.origin[0] = r;
        add_boxes(slices, of_row, Shape{1, piece.count}, at + r * row, begin, end);
      }
    }
  }
  return slices;
}

}  // namespace trireme
