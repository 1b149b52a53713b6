// SPDX-License-Identifier: Apache-2.0
#include "launch/run_result.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/json.h"
#include "launch/run_metrics.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLongestResult = std::uint64_t{1} << 20U;

fs::path result_path(const RunConfig& config) { return fs::path(config.run.dir) / "result.json"; }

nlohmann::json or_null(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

double number(const nlohmann::json& object, const char* key) {
  const auto hit = object.find(key);
  return hit != object.end() && hit->is_number() ? hit->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

void measure(const RunConfig& config, RunResult& result) {
  const auto metrics = read_metrics((fs::path(config.run.dir) / "metrics.jsonl").string());
  result.steps = metrics.steps;
  result.skipped = metrics.skipped;
  result.train_loss = smoothed_loss(metrics.losses);
  result.validation_loss = metrics.validation_loss;
  result.validation_sets = metrics.validation_sets;
  if (metrics.exam) {
    result.accuracy = metrics.exam->accuracy;
    result.task_loss = metrics.exam->task_loss;
  }
  result.seconds = metrics.seconds;
  const bool any = !metrics.tokens.empty() && metrics.seconds > 0;
  result.tokens_per_second = any ? metrics.tokens.back() / metrics.seconds : 0;
}

std::string_view status_of(const RunResult& result) {
  if (result.done) return "done";
  return result.diverged ? "diverged" : "failed";
}

std::string skip_rules(const RunConfig& config) {
  const auto& skip = config.train.skip;
  return fmt::format("budget {}, loss_factor {}, norm_factor {}, window {}", skip.budget, skip.loss_factor,
                     skip.norm_factor, skip.window);
}

std::string to_text(const RunResult& r) {
  const nlohmann::json json = {{"hash", r.hash},
                               {"status", status_of(r)},
                               {"reason", r.reason},
                               {"attempts", r.attempts},
                               {"ranks", r.ranks},
                               {"version", r.version},
                               {"steps", r.steps},
                               {"skipped", r.skipped},
                               {"unique_tokens", r.unique_tokens},
                               {"train_loss", or_null(r.train_loss)},
                               {"validation_loss", or_null(r.validation_loss)},
                               {"validation_sets", r.validation_sets},
                               {"accuracy", or_null(r.accuracy)},
                               {"task_loss", or_null(r.task_loss)},
                               {"skip_rules", r.skip_rules},
                               {"seconds", or_null(r.seconds)},
                               {"tokens_per_second", or_null(r.tokens_per_second)}};
  return to_text(json);
}

RunResult parse_result(const std::string& text, const std::string& where) {
  const auto json = parse_json(text, where);
  RunResult r;
  r.hash = json_text(json, "hash", where);
  const auto& status = json_text(json, "status", where);
  r.done = status == "done";
  r.diverged = status == "diverged";
  check(r.done || r.diverged || status == "failed", "{}: status '{}'; expected done, diverged or failed", where,
        status);
  r.reason = json_text(json, "reason", where);
  r.attempts = json_int(json, "attempts", where);
  r.ranks = json_int(json, "ranks", where);
  r.version = json_text(json, "version", where);
  r.steps = json_int(json, "steps", where);
  r.skipped = json_int(json, "skipped", where);
  r.unique_tokens = number(json, "unique_tokens");
  r.train_loss = number(json, "train_loss");
  r.validation_loss = number(json, "validation_loss");
  r.accuracy = number(json, "accuracy");
  r.task_loss = number(json, "task_loss");
  if (json.contains("validation_sets")) {  // a version without these wrote none
    for (const auto& [name, loss] : json_object(json, "validation_sets", where).items()) {
      r.validation_sets[name] = loss.is_number() ? loss.get<double>() : std::numeric_limits<double>::quiet_NaN();
    }
  }
  if (json.contains("skip_rules")) r.skip_rules = json_text(json, "skip_rules", where);
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
