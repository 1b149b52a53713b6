// SPDX-License-Identifier: Apache-2.0
#include "launch/run_result.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/json.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLongestResult = std::uint64_t{1} << 20U;
constexpr std::uint64_t kLongestMetrics = std::uint64_t{4} << 30U;

fs::path result_path(const RunConfig& config) { return fs::path(config.run.dir) / "result.json"; }

nlohmann::json or_null(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

double number(const nlohmann::json& object, const char* key) {
  const auto hit = object.find(key);
  return hit != object.end() && hit->is_number() ? hit->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

double smoothed_loss(const std::vector<double>& losses) {
  const auto steps = static_cast<double>(losses.size());
  const double width = std::max(3.0, 0.01 * steps);
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

void measure(const RunConfig& config, RunResult& result) {
  const auto path = (fs::path(config.run.dir) / "metrics.jsonl").string();
  if (!fs::exists(path)) return;
  const auto text = read_file(path, kLongestMetrics);
  std::vector<double> losses;
  double tokens = 0;
  result.seconds = 0;
  std::size_t line_number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = text.find('\n', begin);
    if (end == std::string::npos) break;  // torn by the end of the job
    const auto where = fmt::format("{}:{}", path, ++line_number);
    const auto line = parse_json(std::string_view(text).substr(begin, end - begin), where);
    begin = end + 1;
    if (line.contains("validation_loss")) {
      result.validation_loss = number(line, "validation_loss");
      continue;
    }
    result.steps = json_int(line, "step", where);
    losses.resize(static_cast<std::size_t>(std::max<std::int64_t>(0, result.steps)),
                  std::numeric_limits<double>::quiet_NaN());
    if (losses.empty()) continue;
    losses.back() = number(line, "loss");
    if (line.contains("skipped")) {
      result.skipped = json_int(line, "skipped", where);
      losses.back() = std::numeric_limits<double>::quiet_NaN();
    }
    tokens = number(line, "tokens");
    result.seconds += number(json_object(line, "seconds", where), "total");
  }
  result.train_loss = smoothed_loss(losses);
  result.tokens_per_second = result.seconds > 0 ? tokens / result.seconds : 0;
}

std::string to_text(const RunResult& r) {
  const nlohmann::json json = {{"hash", r.hash},
                               {"status", r.done ? "done" : "failed"},
                               {"reason", r.reason},
                               {"attempts", r.attempts},
                               {"ranks", r.ranks},
                               {"version", r.version},
                               {"steps", r.steps},
                               {"skipped", r.skipped},
                               {"unique_tokens", r.unique_tokens},
                               {"train_loss", or_null(r.train_loss)},
                               {"validation_loss", or_null(r.validation_loss)},
                               {"seconds", or_null(r.seconds)},
                               {"tokens_per_second", or_null(r.tokens_per_second)}};
  return to_text(json);
}

RunResult parse_result(const std::string& text, const std::string& where) {
  const auto json = parse_json(text, where);
  RunResult r;
  r.hash = json_text(json, "hash", where);
  r.done = json_text(json, "status", where) == "done";
  r.reason = json_text(json, "reason", where);
  r.attempts = json_int(json, "attempts", where);
  r.ranks = json_int(json, "ranks", where);
  r.version = json_text(json, "version", where);
  r.steps = json_int(json, "steps", where);
  r.skipped = json_int(json, "skipped", where);
  r.unique_tokens = number(json, "unique_tokens");
  r.train_loss = number(json, "train_loss");
  r.validation_loss = number(json, "validation_loss");
  r.seconds = number(json, "seconds");
  r.tokens_per_second = number(json, "tokens_per_second");
  return r;
}

void write_result(const RunConfig& config, const RunResult& result) {
  fs::create_directories(config.run.dir);
  write_file_atomic(result_path(config), to_text(result));
}

std::optional<RunResult> read_result(const RunConfig& config, const std::string& hash) {
  const auto path = result_path(config).string();
  if (!fs::exists(path)) return std::nullopt;
  auto result = parse_result(read_file(path, kLongestResult), path);
  if (result.hash != hash) return std::nullopt;
  return result;
}

}  // namespace trireme
