// SPDX-License-Identifier: Apache-2.0
#include "core/train/metrics.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>

#include "core/base/error.h"
#include "core/io/atomic_file.h"

namespace trireme {
namespace {

constexpr std::uint64_t kLongestLog = std::uint64_t{4} << 30U;

// The part of the log's text that belongs to the first `step` updates.
std::string lines_until(const std::string& text, std::int64_t step, const std::string& path) {
  std::string kept;
  std::int64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // torn by the end of the run
    ++number;
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    const auto json = nlohmann::json::parse(line, nullptr, false);
    check(json.is_object() && json.contains("step") && json["step"].is_number_integer(),
          "{}:{}: a line of JSON with \"step\" expected, found: {:.80}; move the file away to start a new one", path,
          number, line);
    if (json["step"].get<std::int64_t>() <= step) kept.append(line).push_back('\n');
    begin = end + 1;
  }
  return kept;
}

}  // namespace

std::string to_json_line(const StepMetrics& m) {
  nlohmann::ordered_json line;
  line["step"] = m.step;
  line["loss"] = m.loss;
  line["grad_norm"] = m.grad_norm;
  line["lr"] = m.lr;
  line["tokens"] = m.tokens;
  line["token_hash"] = fmt::format("{:016x}", m.token_hash);  // as text: many readers hold numbers as doubles
  if (m.skipped) line["skipped"] = m.skips;
  line["tokens_per_second"] = m.tokens_per_second;
  line["mfu"] = m.mfu;
  line["seconds"] = {{"data", m.seconds.data},
                     {"compute", m.seconds.compute},
                     {"reduce", m.seconds.reduce},
                     {"optimizer", m.seconds.optimizer},
                     {"total", m.seconds.total}};
  return line.dump();
}

MetricsLog::MetricsLog(const std::string& path, std::int64_t step) : path_(path) {
  if (std::filesystem::exists(path)) {
    const std::string text = read_file(path, kLongestLog);
    const std::string kept = lines_until(text, step, path);
    if (kept.size() != text.size()) write_file_atomic(path, kept);
  }
  file_.open(path, std::ios::app | std::ios::binary);
  check(file_.is_open(), "{}", with_errno("cannot open " + path + " to append to it", errno));
}

void MetricsLog::write_line(const std::string& line) {
  file_ << line << '\n' << std::flush;
  check(file_.good(), "{}", with_errno("cannot write to " + path_, errno));
}

void MetricsLog::write(const StepMetrics& metrics) { write_line(to_json_line(metrics)); }

void MetricsLog::write_validation(std::int64_t step, double loss, std::int64_t samples,
                                  const std::map<std::string, double>& sets) {
  nlohmann::ordered_json line;
  line["step"] = step;
  line["validation_loss"] = loss;
  line["samples"] = samples;
  if (!sets.empty()) line["sets"] = sets;
  write_line(line.dump());
}

void MetricsLog::write_exam(std::int64_t step, const ExamMetrics& exam) {
  nlohmann::ordered_json line;
  line["step"] = step;
  line["exam"] = exam.name;
  line["shots"] = exam.shots;
  line["questions"] = exam.questions;
  line["accuracy"] = exam.accuracy;
  line["task_loss"] = exam.task_loss;
  write_line(line.dump());
}

}  // namespace trireme
