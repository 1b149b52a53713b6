// SPDX-License-Identifier: Apache-2.0
#include "core/base/params.h"

#include <algorithm>
#include <cassert>

#include "core/base/error.h"

namespace trireme {

ParamId ParamTable::add(int block, ParamSpec spec) {
  assert(block >= 0 && static_cast<std::size_t>(block) <= blocks_.size());
  if (static_cast<std::size_t>(block) == blocks_.size()) blocks_.emplace_back();
  auto& params = blocks_[static_cast<std::size_t>(block)];
  params.push_back(std::move(spec));
  return {block, static_cast<int>(params.size()) - 1};
}

const ParamSpec& ParamTable::operator[](ParamId id) const {
  return blocks_.at(static_cast<std::size_t>(id.block)).at(static_cast<std::size_t>(id.index));
}

std::int64_t ParamTable::count() const {
  std::int64_t total = 0;
  for (const auto& block : blocks_) {
    for (const auto& param : block) total += param.shape.elements();
  }
  return total;
}

std::int64_t copies_of(const Section& section, std::int64_t ranks) {
  const std::int64_t units = section.size / section.unit;
  if (section.unit == 1 || units >= ranks) return 1;
  check_usage(ranks % units == 0,
              "mesh.tensor = {}: {} groups of heads can be dealt out to at most {} ranks, or to a multiple", ranks,
              units, units);
  const std::int64_t neighbours = ranks / units;
  check_usage(section.copied || section.unit / section.grain % neighbours == 0,
              "mesh.tensor = {}: {} ranks share one of {} groups of heads, which they cannot split evenly", ranks,
              neighbours, units);
  return section.copied ? neighbours : 1;
}

namespace {

// The unit in which the section is dealt out: its own, or the equal part of it that each of several neighbours gets.
std::int64_t dealt_unit(const Section& section, std::int64_t ranks) {
  const std::int64_t units = section.size / section.unit;
  if (section.copied || section.unit == 1 || units >= ranks) return section.unit;
  check_usage(copies_of(section, ranks) == 1, "a section that is split has no copies");
  return section.unit * units / ranks;
}

}  // namespace

std::int64_t local_size(const Section& section, std::int64_t ranks) {
  const std::int64_t unit = dealt_unit(section, ranks);
  const std::int64_t holders = ranks / copies_of(section, ranks);
  const std::int64_t units = section.size / unit;
  const std::int64_t size = (units + holders - 1) / holders * unit;
  return (size + section.multiple - 1) / section.multiple * section.multiple;
}

LocalParam local_param(const ParamSpec& spec, std::int64_t rank, std::int64_t ranks) {
  LocalParam local{.shape = spec.shape, .dim = std::max(spec.cut.dim, 0), .pieces = {}};
  const bool padded = std::ranges::any_of(
      spec.cut.sections, [&](const Section& section) { return local_size(section, ranks) != section.size; });
  if (spec.cut.dim < 0 || (ranks == 1 && !padded)) {
    local.pieces.push_back(
        {.count = spec.shape[local.dim], .held = ranks == 1 ? Held::alone : Held::by_all, .first = rank == 0});
    return local;
  }
  auto sections = spec.cut.sections;
  if (sections.empty()) sections.push_back({.size = spec.shape[spec.cut.dim]});
  std::int64_t here = 0;
  std::int64_t before = 0;  // of the sections so far, in the whole parameter
  for (const Section& section : sections) {
    const std::int64_t size = local_size(section, ranks);
    const std::int64_t copies = copies_of(section, ranks);
    const std::int64_t begin = std::min(rank / copies * size, section.size);
    local.pieces.push_back({.local = here,
                            .global = before + begin,
                            .count = std::min(size, section.size - begin),
                            .held = copies > 1 ? Held::by_neighbours : Held::alone,
                            .first = rank % copies == 0});
    here += size;
    before += section.size;
  }
  std::vector<std::int64_t> dims;
  dims.reserve(Shape::kMaxRank);
  for (int i = 0; i < spec.shape.rank(); ++i) dims.push_back(i == spec.cut.dim ? here : spec.shape[i]);
  local.shape = Shape(dims);
  return local;
}

}  // namespace trireme
