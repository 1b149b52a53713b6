// SPDX-License-Identifier: Apache-2.0
#include "launch/study_shapes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/model/chinchilla_shapes.h"

namespace trireme {
namespace {

/// The MLP's width where nothing else is said: as the families' publications have it.
std::int64_t usual_feed_forward(Family family, std::int64_t width) {
  constexpr std::int64_t kMultiple = 32;
  if (family == Family::gpt2) return 4 * width;
  return (8 * width + 3 * kMultiple - 1) / (3 * kMultiple) * kMultiple;
}

/// `base` with the width and heads of `model`, what is not given following from the rest.
Architecture shape_of(const StudyModel& model, const Architecture& base, const std::string& place, Problems& problems) {
  Architecture a = base;
  if (model.layers > 0) a.layers = model.layers;
  if (model.width > 0) a.width = model.width;
  if (model.head_size > 0) a.head_size = model.head_size;
  const bool divided = model.heads > 0 && model.head_size == 0;
  if (model.heads > 0) {
    a.heads = model.heads;
    if (divided) a.head_size = std::max<std::int64_t>(1, a.width / a.heads);
  } else if (model.width > 0 || model.head_size > 0) {
    a.heads = std::max<std::int64_t>(1, a.width / a.head_size);
  }
  if ((divided || model.heads == 0) && (model.width > 0 || model.heads > 0 || model.head_size > 0) &&
      a.heads * a.head_size != a.width) {
    problems.add(place, fmt::format("width = {} is not a whole number of heads: {} of size {}; choose heads or "
                                    "head_size so that they divide it, or give both",
                                    a.width, a.heads, a.head_size));
  }
  if (model.kv_heads > 0) {
    a.kv_heads = model.kv_heads;
  } else if (a.heads != base.heads) {
    a.kv_heads = a.heads;
  }
  if (model.feed_forward > 0) {
    a.feed_forward = model.feed_forward;
  } else if (a.width != base.width) {
    a.feed_forward = usual_feed_forward(a.family, a.width);
  }
  return a;
}

std::vector<Architecture> shapes_by_depth(const StudyModel& model, const Architecture& base, const std::string& place,
                                          Problems& problems) {
  std::vector<Architecture> shapes;
  if (model.layers > 0 || model.width > 0 || model.heads > 0 || model.feed_forward > 0) {
    problems.add(place, "depths together with layers, width, heads or feed_forward; depths and aspect give these");
    return shapes;
  }
  const auto head_size = static_cast<double>(model.head_size > 0 ? model.head_size : base.head_size);
  for (const double depth : model.depths) {
    if (depth != std::floor(depth)) problems.add(place, fmt::format("depths has {}; expected whole numbers", depth));
    StudyModel one = model;
    one.layers = static_cast<std::int64_t>(depth);
    one.head_size = static_cast<std::int64_t>(head_size);
    one.width = static_cast<std::int64_t>(std::max(1.0, std::round(depth * model.aspect / head_size)) * head_size);
    shapes.push_back(shape_of(one, base, place, problems));
  }
  return shapes;
}

std::vector<Architecture> shapes_of_table(const StudyModel& model, const Architecture& base, const std::string& place,
                                          Problems& problems) {
  const auto rows = chinchilla_shapes();
  for (const double size : model.sizes) {
    const auto is_row = [&](const ChinchillaShape& row) { return static_cast<double>(row.printed) == size; };
    if (std::any_of(rows.begin(), rows.end(), is_row)) continue;
    std::vector<std::int64_t> printed;
    printed.reserve(rows.size());
    for (const ChinchillaShape& row : rows) printed.push_back(row.printed);
    problems.add(place, fmt::format("sizes has {}; the rows of chinchilla_a9 are {}", size, fmt::join(printed, " ")));
  }
  std::vector<Architecture> shapes;
  for (const ChinchillaShape& row : rows) {
    const auto wanted = std::find(model.sizes.begin(), model.sizes.end(), static_cast<double>(row.printed));
    if (!model.sizes.empty() && wanted == model.sizes.end()) continue;
    StudyModel one;
    one.layers = row.layers;
    one.width = row.width;
    one.heads = row.heads;
    one.kv_heads = row.heads;
    one.head_size = row.head_size;
    one.feed_forward = 4 * row.width;
    shapes.push_back(shape_of(one, base, place, problems));
  }
  return shapes;
}

}  // namespace

std::vector<Architecture> shapes_of(const StudyModel& model, const Architecture& base, const std::string& place,
                                    Problems& problems) {
  const bool table = model.table != ShapeTable::none;
  if (table && !model.depths.empty()) {
    problems.add(place, "table and depths in one entry; expected one of them");
    return {};
  }
  if (table) return shapes_of_table(model, base, place, problems);
  if (!model.sizes.empty()) problems.add(place, "sizes without a table whose rows they name");
  if (!model.depths.empty()) return shapes_by_depth(model, base, place, problems);
  return {shape_of(model, base, place, problems)};
}

std::string shape_name(const Architecture& a) {
  auto name = fmt::format("{}x{}", a.layers, a.width);
  if (a.heads * a.head_size != a.width) name += fmt::format(" ({} heads of {})", a.heads, a.head_size);
  return name;
}

}  // namespace trireme
