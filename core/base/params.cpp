// SPDX-License-Identifier: Apache-2.0
#include "core/base/params.h"

#include <cassert>

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

}  // namespace trireme
