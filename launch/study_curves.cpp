// SPDX-License-Identifier: Apache-2.0
#include "launch/study_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>

#include "core/io/atomic_file.h"
#include "core/scaling/csv.h"
#include "launch/run_metrics.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr double kFirstPart = 0.02;  // before it, the warm-up is what is seen
constexpr double kLeastWidth = 10;   // steps; Hoffmann et al. smooth over as many

/// The step at which an item's own curve begins.
std::int64_t first_step(const std::vector<StudyItem>& items, const StudyItem& item) {
  if (!item.trunk) return 0;
  for (const BranchPoint& branch : items[*item.trunk].branches) {
    if (branch.config.run.dir == item.config.run.dir) return branch.step;
  }
  return 0;
}

std::string rows_of(const std::vector<StudyItem>& items, const StudyItem& item, const std::string& status) {
  const auto metrics = read_metrics((fs::path(item.config.run.dir) / "metrics.jsonl").string());
  const auto first = first_step(items, item);
  const StudyRun& run = *item.run;
  std::string rows;
  for (const auto step : curve_steps(metrics.steps)) {
    const auto count = static_cast<std::size_t>(step);
    const double tokens = metrics.tokens[count - 1];
    const double loss = smoothed_loss(std::span(metrics.losses).first(count), kLeastWidth);
    if (step <= first || !std::isfinite(tokens) || !std::isfinite(loss)) continue;
    const double part = tokens / item.tokens;
    rows +=
        fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}\n", csv_value(item.name),
                    csv_value(item.trunk ? items[*item.trunk].name : item.name), status, run.held_out ? "yes" : "no",
                    csv_value(run.parameters_total), csv_value(run.parameters_non_embedding),
                    csv_value(run.parameters_chinchilla), step, csv_value(tokens), csv_value(part * item.flops_6nd),
                    csv_value(part * item.flops_appendix_f), csv_value(loss));
  }
  return rows;
}

}  // namespace

std::vector<std::int64_t> curve_steps(std::int64_t steps) {
  std::vector<std::int64_t> all;
  const double last = static_cast<double>(steps);
  for (int i = 0; i < kCurvePoints && steps > 0; ++i) {
    const double part = std::pow(kFirstPart, 1 - static_cast<double>(i) / (kCurvePoints - 1));
    all.push_back(std::clamp<std::int64_t>(std::llround(part * last), 1, steps));
  }
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

void write_curves_csv(const Study& study, const std::vector<StudyItem>& items,
                      const std::vector<std::optional<RunResult>>& results) {
  std::string table =
      "run,trunk,status,held_out,params_total,params_non_embedding,params_chinchilla,step,tokens,flops_6nd,"
      "flops_appendix_f,train_loss\n";
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (results[i]) table += rows_of(items, items[i], std::string(status_of(*results[i])));
  }
  write_file_atomic((fs::path(study.settings.folder) / "curves.csv").string(), table);
}

}  // namespace trireme
