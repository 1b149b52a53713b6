// SPDX-License-Identifier: Apache-2.0
// What `trireme sweep --plan` prints: for people, and all of it as JSON.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "launch/study_names.h"
#include "launch/study_shapes.h"
#include "launch/sweep_plan.h"

namespace trireme {
namespace {

constexpr double kSecondsPerHour = 3600.0;

std::string time_text(double seconds) {
  if (seconds < 100) return fmt::format("{:.3g} s", seconds);
  if (seconds < 100 * 60) return fmt::format("{:.1f} min", seconds / 60);
  if (seconds < 100 * kSecondsPerHour) return fmt::format("{:.1f} h", seconds / kSecondsPerHour);
  return fmt::format("{:.1f} days", seconds / (24 * kSecondsPerHour));
}

std::string bytes_text(std::size_t bytes) {
  const auto gib = static_cast<double>(bytes) / (1 << 30);
  return gib < 1 ? fmt::format("{:.1f} MiB", gib * 1024) : fmt::format("{:.2f} GiB", gib);
}

/// How much there is, and what its numbers mean.
std::string heading(const SweepPlan& plan) {
  const auto& s = plan.study.settings;
  std::size_t points = plan.study.runs.size();
  for (const StudyRun& run : plan.study.runs) points += run.branches.size();
  auto text = fmt::format("{}: {} runs, {} losses, on {} x {}\n", s.name, plan.study.runs.size(), points, plan.ranks,
                          plan.machine.name);
  return text +
         fmt::format(
             "N counts parameters as '{}', budgets and fits count FLOPs as '{}'; 6ND takes this N; all counts of "
             "either are in the table\n\n",
             kParameterCounts[static_cast<std::size_t>(s.parameters)], kFlopCounts[static_cast<std::size_t>(s.flops)]);
}

/// What a run and a branch have in common.
struct Row {
  std::string name;
  const RunConfig& config;
  double tokens, six_nd, appendix_f, seconds;
  std::string begins;
};

std::string row_text(const StudyRun& run, const Row& row, std::size_t width) {
  return fmt::format(
      "{:<{}} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7.3g} {:>9.3g} {:>9.3g} {:>7} {:>6} {:>9.3g} {:>5} {:>10} "
      "{:>9} {:>9}{}\n",
      row.name, width, shape_name(run.config.model.architecture), short_number(run.parameters_total),
      short_number(run.parameters_non_embedding), short_number(run.parameters_chinchilla), short_number(row.tokens),
      row.tokens / (row.six_nd / (6 * row.tokens)), row.six_nd, row.appendix_f, row.config.train.steps,
      row.config.train.global_batch, row.config.optimizer.lr, run.ranks, bytes_text(run.rank_bytes),
      time_text(row.seconds), row.begins, run.held_out ? "  held out" : "");
}

std::string table_text(const SweepPlan& plan) {
  std::size_t width = 4;
  for (const StudyRun& run : plan.study.runs) {
    width = std::max(width, run.name.size());
    for (const StudyBranch& b : run.branches) width = std::max(width, b.name.size() + 2);
  }
  auto text =
      fmt::format("{:<{}} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>9} {:>9} {:>7} {:>6} {:>9} {:>5} {:>10} {:>9} {:>9}\n",
                  "", width, "", "N", "N", "N", "D", "", "FLOPs", "FLOPs", "", "", "", "", "of a", "", "");
  text +=
      fmt::format("{:<{}} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>9} {:>9} {:>7} {:>6} {:>9} {:>5} {:>10} {:>9} {:>9}\n",
                  "run", width, "shape", "total", "non-emb", "chinch.", "tokens", "D/N", "6ND", "App. F", "steps",
                  "batch", "lr", "ranks", "rank", "time", "begins");
  std::vector<double> begins(plan.study.runs.size(), 0.0);
  for (const Placement& p : plan.packing.placements) begins[p.packet] = p.begin;
  for (std::size_t i = 0; i < plan.study.runs.size(); ++i) {
    const StudyRun& run = plan.study.runs[i];
    text += row_text(
        run, {run.name, run.config, run.tokens, run.flops_6nd, run.flops_appendix_f, run.seconds, time_text(begins[i])},
        width);
    for (const StudyBranch& b : run.branches) {
      text += row_text(run,
                       {"> " + b.name, b.config, b.tokens, b.flops_6nd, b.flops_appendix_f, b.seconds,
                        fmt::format("{} on", b.from_step)},
                       width);
    }
  }
  return text;
}

nlohmann::json common_json(const std::string& name, const std::string& hash, const RunConfig& config, double tokens,
                           double six_nd, double appendix_f, double seconds, const std::string& budget) {
  return {{"name", name},
          {"hash", hash},
          {"folder", config.run.dir},
          {"budget", budget},
          {"tokens", tokens},
          {"flops_6nd", six_nd},
          {"flops_appendix_f", appendix_f},
          {"steps", config.train.steps},
          {"batch", config.train.global_batch},
          {"sequence", config.train.sequence},
          {"lr", config.optimizer.lr},
          {"warmup_steps", config.optimizer.schedule.warmup_steps},
          {"seconds", seconds}};
}

nlohmann::json run_json(const StudyRun& run, const Placement& placement) {
  const Architecture& a = run.config.model.architecture;
  auto json = common_json(run.name, run.hash, run.config, run.tokens, run.flops_6nd, run.flops_appendix_f, run.seconds,
                          run.budget);
  json["shape"] = {{"layers", a.layers},       {"width", a.width},       {"heads", a.heads},
                   {"head_size", a.head_size}, {"kv_heads", a.kv_heads}, {"feed_forward", a.feed_forward}};
  json["parameters_total"] = run.parameters_total;
  json["parameters_non_embedding"] = run.parameters_non_embedding;
  json["parameters_chinchilla"] = run.parameters_chinchilla;
  json["held_out"] = run.held_out;
  json["ranks"] = run.ranks;
  json["rank_bytes"] = run.rank_bytes;
  json["micro_batch"] = run.config.train.micro_batch;
  json["mesh"] = {
      {"replica", run.config.mesh.replica}, {"shard", run.config.mesh.shard}, {"tensor", run.config.mesh.tensor}};
  json["first_rank"] = placement.first_rank;
  json["begins"] = placement.begin;
  json["ends"] = placement.end;
  json["branches"] = nlohmann::json::array();
  for (const StudyBranch& b : run.branches) {
    json["branches"].push_back(
        common_json(b.name, b.hash, b.config, b.tokens, b.flops_6nd, b.flops_appendix_f, b.seconds, b.budget));
    json["branches"].back()["from_step"] = b.from_step;
  }
  return json;
}

}  // namespace

std::string to_text(const SweepPlan& plan) {
  auto text = heading(plan) + table_text(plan);
  const auto& packing = plan.packing;
  const char* unit = plan.machine.name == "cpu" ? "CPU-rank-hours" : "GPU-hours";
  text += fmt::format(
      "\nlongest first on {} ranks: {} in all, {:.1f} % of the allocation used\n{:.4g} {} of work, {:.4g} allocated\n",
      plan.ranks, time_text(packing.seconds), 100 * packing.utilisation, plan.rank_seconds() / kSecondsPerHour, unit,
      packing.seconds * static_cast<double>(plan.ranks) / kSecondsPerHour);
  text += "times are of steps alone: starts, validations and checkpoints come on top\n";
  for (const auto& note : plan.study.notes) text += fmt::format("note: {}\n", note);
  for (const auto& warning : plan.warnings) text += fmt::format("warning: {}\n", warning);
  return text;
}

nlohmann::json to_json(const SweepPlan& plan) {
  const auto& s = plan.study.settings;
  std::vector<Placement> placements(plan.study.runs.size());
  for (const Placement& p : plan.packing.placements) placements[p.packet] = p;
  auto runs = nlohmann::json::array();
  for (std::size_t i = 0; i < plan.study.runs.size(); ++i) runs.push_back(run_json(plan.study.runs[i], placements[i]));
  return {{"name", s.name},
          {"folder", s.folder},
          {"parameters", kParameterCounts[static_cast<std::size_t>(s.parameters)]},
          {"flops", kFlopCounts[static_cast<std::size_t>(s.flops)]},
          {"machine", plan.machine.name},
          {"ranks", plan.ranks},
          {"runs", std::move(runs)},
          {"seconds", plan.packing.seconds},
          {"utilisation", plan.packing.utilisation},
          {"rank_hours", plan.rank_seconds() / kSecondsPerHour},
          {"allocated_rank_hours", plan.packing.seconds * static_cast<double>(plan.ranks) / kSecondsPerHour},
          {"notes", plan.study.notes},
          {"warnings", plan.warnings}};
}

}  // namespace trireme
