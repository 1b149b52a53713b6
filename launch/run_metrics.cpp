// SPDX-License-Identifier: Apache-2.0
#include "launch/run_metrics.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/json.h"

namespace trireme {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr std::uint64_t kLongestMetrics = std::uint64_t{4} << 30U;
constexpr std::int64_t kMostSteps = std::int64_t{1} << 30U;

double number(const nlohmann::json& object, const char* key) {
  const auto hit = object.find(key);
  return hit != object.end() && hit->is_number() ? hit->get<double>() : kNone;
}

void take_step(const nlohmann::json& line, const std::string& where, RunMetrics& metrics) {
  metrics.steps = json_int(line, "step", where);
  if (metrics.steps <= 0) return;
  check(metrics.steps <= kMostSteps, "{}: step {}; expected at most {}", where, metrics.steps, kMostSteps);
  const auto count = static_cast<std::size_t>(metrics.steps);
  metrics.losses.resize(count, kNone);
  metrics.tokens.resize(count, kNone);
  metrics.tokens.back() = number(line, "tokens");
  metrics.losses.back() = number(line, "loss");
  if (line.contains("skipped")) {
    metrics.skipped = json_int(line, "skipped", where);
    metrics.losses.back() = kNone;
  }
  metrics.seconds += number(json_object(line, "seconds", where), "total");
}

}  // namespace

RunMetrics read_metrics(const std::string& path) {
  RunMetrics metrics;
  if (!std::filesystem::exists(path)) return metrics;
  const auto text = read_file(path, kLongestMetrics);
  std::size_t line_number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = text.find('\n', begin);
    if (end == std::string::npos) break;  // torn by the end of the job
    const auto where = fmt::format("{}:{}", path, ++line_number);
    const auto line = parse_json(std::string_view(text).substr(begin, end - begin), where);
    begin = end + 1;
    if (line.contains("validation_loss")) {
      metrics.validation_loss = number(line, "validation_loss");
      if (!line.contains("sets")) continue;
      for (const auto& [name, loss] : json_object(line, "sets", where).items()) {
        metrics.validation_sets[name] = loss.is_number() ? loss.get<double>() : kNone;
      }
    } else if (line.contains("exam")) {
      metrics.exam =
          ExamMetrics{json_text(line, "exam", where), json_int(line, "shots", where),
                      json_int(line, "questions", where), number(line, "accuracy"), number(line, "task_loss")};
    } else {
      take_step(line, where, metrics);
    }
  }
  return metrics;
}

double smoothed_loss(std::span<const double> losses, double least_width) {
  const double width = std::max(least_width, 0.01 * static_cast<double>(losses.size()));
  double sum = 0;
  double weights = 0;
  for (std::size_t back = 0; back < losses.size(); ++back) {
    const double distance = static_cast<double>(back) / width;
    if (distance > 3) break;
    const double loss = losses[losses.size() - 1 - back];
    if (!std::isfinite(loss)) continue;
    const double weight = std::exp(-0.5 * distance * distance);
    sum += weight * loss;
    weights += weight;
  }
  return sum / weights;  // 0 / 0 where there was none
}

}  // namespace trireme
