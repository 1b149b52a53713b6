// SPDX-License-Identifier: Apache-2.0
#include "launch/plan_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace trireme {
namespace {

constexpr double kSecondsPerDay = 86400.0;

std::string human(double value, std::string_view unit, double base, std::span<const std::string_view> prefixes) {
  std::size_t i = 0;
  for (; value >= base && i + 1 < prefixes.size(); ++i) value /= base;
  return fmt::format("{:.{}f} {}{}", value, i == 0 ? 0 : 2, prefixes[i], unit);
}

std::string bytes_text(double bytes) {
  static constexpr std::string_view kPrefixes[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi"};
  return human(bytes, "B", 1024.0, kPrefixes);
}
std::string bytes_text(std::size_t bytes) { return bytes_text(static_cast<double>(bytes)); }

std::string flops_text(double flops) {
  static constexpr std::string_view kPrefixes[] = {"", "k", "M", "G", "T", "P", "E", "Z"};
  return human(flops, "FLOP", 1000.0, kPrefixes);
}

std::string seconds_text(double seconds) {
  if (seconds >= 1.0) return fmt::format("{:.2f} s", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.2f} ms", seconds * 1e3);
  return fmt::format("{:.1f} us", seconds * 1e6);
}

/// "replica 4 x shard 8 x tensor 2, ZeRO 3 (reduced every micro_step)".
std::string mesh_text(const RunConfig& config) {
  const MeshShape& m = config.mesh;
  auto text = fmt::format("replica {} x shard {} x tensor {}", m.replica, m.shard, m.tensor);
  if (m.shard == 1) return text;
  text += fmt::format(", ZeRO {}", static_cast<int>(config.sharding.stage));
  if (config.sharding.stage != ZeroStage::optimizer) {
    text += config.sharding.reduce == ReduceEvery::step ? ", reduced every step" : ", reduced every micro-step";
  }
  return text;
}

std::string recompute_text(const RunConfig& config) {
  constexpr std::array<const char*, 3> kNames = {"none", "light", "full"};
  return kNames.at(static_cast<std::size_t>(config.train.recompute));
}

double tokens_of(const RunConfig& config) {
  return static_cast<double>(config.train.steps) *
         static_cast<double>(config.train.global_batch * config.train.sequence);
}

double rank_hours_of(const RunConfig& config, const PlannedStep& step) {
  return days_of(config, step) * 24.0 * static_cast<double>(config.mesh.ranks());
}

std::string memory_text(const PlanReport& r) {
  std::string text = "\nmemory of one rank\n";
  for (const auto& [purpose, bytes] : r.memory.purposes) {
    text += fmt::format("  {:<32} {:>12}\n", purpose, bytes_text(bytes));
  }
  const auto limit = static_cast<double>(r.machine.memory_bytes - r.machine.reserved_bytes);
  if (r.memory.libraries > 0) {
    text += fmt::format("  {:<32} {:>12}\n", "libraries, as measured", bytes_text(r.memory.libraries));
  }
  text += fmt::format("  {:<32} {:>12}   {} {}\n", "all", bytes_text(r.memory.all()),
                      r.memory.fits ? "fits into" : "DOES NOT FIT INTO", bytes_text(limit));
  text += fmt::format("  {:<32} {:>12}\n", "of the activations, the head's", bytes_text(r.memory.head));
  return text + fmt::format("  {:<32} {:>12}\n", "pinned memory of the host", bytes_text(r.memory.pinned));
}

std::string operations_text(const DryCounts& counts) {
  using Row = std::pair<std::string, OperationCounts>;
  std::vector<Row> rows(counts.operations.begin(), counts.operations.end());
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.second.seconds > b.second.seconds; });
  std::string text =
      fmt::format("\n{:<28} {:>9} {:>14} {:>13} {:>11}\n", "operations of one step", "calls", "FLOPs", "moved", "time");
  for (const auto& [name, c] : rows) {
    text += fmt::format("  {:<26} {:>9} {:>14} {:>13} {:>11}\n", name, c.calls, flops_text(c.flops),
                        bytes_text(c.bytes), seconds_text(c.seconds));
  }
  return text + fmt::format("  {:<26} {:>9} {:>14} {:>13}\n", "all", "", flops_text(counts.flops()),
                            bytes_text(counts.bytes()));
}

std::string traffic_text(const std::vector<AxisTraffic>& axes) {
  if (axes.empty()) return "";
  std::string text = fmt::format("\n{:<28} {:>9} {:>14} {:>13} {:>11}\n", "communication of one step", "calls",
                                 "messages sent", "sent", "time");
  for (const AxisTraffic& axis : axes) {
    for (const auto& [kind, t] : axis.collectives) {
      text += fmt::format("  {:<26} {:>9} {:>14} {:>13} {:>11}\n", fmt::format("{} {}", axis.axis, name(kind)), t.calls,
                          t.messages, bytes_text(static_cast<double>(t.ring_bytes)), seconds_text(t.seconds));
    }
  }
  return text;
}

std::string time_text(const PlanReport& r) {
  const PlannedStep& s = r.step;
  auto text =
      fmt::format("\nmodelled step {}: operations {}", seconds_text(s.seconds), seconds_text(s.operation_seconds));
  if (r.config.mesh.ranks() > 1) {
    text += fmt::format(", collectives between them {}, communication not hidden {}",
                        seconds_text(s.communication_seconds), seconds_text(s.waiting_seconds));
  }
  text += fmt::format("\n{:.0f} tokens/s ({:.0f} per rank), MFU {:.1f} %\n", s.tokens_per_second,
                      s.tokens_per_second / static_cast<double>(r.config.mesh.ranks()), 100.0 * s.mfu);
  return text + fmt::format("{} steps, {:.4g} tokens: {:.4g} days, {:.4g} GPU-hours\n", r.config.train.steps,
                            tokens_of(r.config), days_of(r.config, s), rank_hours_of(r.config, s));
}

nlohmann::json mesh_json(const RunConfig& config) {
  return {{"replica", config.mesh.replica},
          {"shard", config.mesh.shard},
          {"tensor", config.mesh.tensor},
          {"zero", static_cast<int>(config.sharding.stage)},
          {"reduce", config.sharding.reduce == ReduceEvery::step ? "step" : "micro_step"},
          {"micro_batch", config.train.micro_batch},
          {"recompute", recompute_text(config)}};
}

nlohmann::json memory_json(const PlannedMemory& memory) {
  nlohmann::json purposes;
  for (const auto& [purpose, bytes] : memory.purposes) purposes[purpose] = bytes;
  return {{"bytes", memory.device},    {"purposes", purposes},      {"libraries_bytes", memory.libraries},
          {"all_bytes", memory.all()}, {"head_bytes", memory.head}, {"pinned_bytes", memory.pinned},
          {"fits", memory.fits}};
}

nlohmann::json step_json(const RunConfig& config, const PlannedStep& step) {
  nlohmann::json operations;
  for (const auto& [kind, c] : step.counts.operations) {
    operations[kind] = {{"calls", c.calls}, {"flops", c.flops}, {"bytes", c.bytes}, {"seconds", c.seconds}};
  }
  nlohmann::json axes = nlohmann::json::object();
  for (const AxisTraffic& axis : step.axes) {
    for (const auto& [kind, t] : axis.collectives) {
      axes[axis.axis][std::string(name(kind))] = {{"calls", t.calls},
                                                  {"payload_bytes", t.payload_bytes},
                                                  {"messages", t.messages},
                                                  {"ring_bytes", t.ring_bytes},
                                                  {"seconds", t.seconds}};
    }
  }
  return {{"micro_steps", step.micro_steps},
          {"operations", operations},
          {"flops", step.counts.flops()},
          {"product_flops", step.counts.product_flops()},
          {"bytes_moved", step.counts.bytes()},
          {"communication", axes},
          {"seconds", step.seconds},
          {"operation_seconds", step.operation_seconds},
          {"communication_seconds", step.communication_seconds},
          {"waiting_seconds", step.waiting_seconds},
          {"tokens_per_second", step.tokens_per_second},
          {"mfu", step.mfu},
          {"tokens", tokens_of(config)},
          {"days", days_of(config, step)},
          {"gpu_hours", rank_hours_of(config, step)}};
}

}  // namespace

double days_of(const RunConfig& config, const PlannedStep& step) {
  return static_cast<double>(config.train.steps) * step.seconds / kSecondsPerDay;
}

std::string to_text(const PlanReport& r) {
  const auto ranks = r.config.mesh.ranks();
  auto text =
      fmt::format("{}: {} parameters, {}; batches of {} samples of {} tokens\n", r.config.model.preset, r.parameters,
                  name(r.config.train.precision), r.config.train.global_batch, r.config.train.sequence);
  text += fmt::format("{} x {}: {}\n", ranks, r.machine.name, mesh_text(r.config));
  text += fmt::format("micro-batch {}, {} micro-steps a step, recompute {}\n", r.config.train.micro_batch,
                      r.step.micro_steps, recompute_text(r.config));
  if (const auto per_node = r.machine.ranks_per_node; ranks > per_node) {
    text +=
        fmt::format("nodes of {} {}s{}\n", per_node, r.machine.name,
                    per_node % r.config.mesh.tensor == 0 ? "" : "; warning: tensor groups cross nodes, which is slow");
  }
  if (const auto note = padding_note(r.config.model.architecture, r.config.mesh.tensor); !note.empty()) {
    text += note + "\n";
  }
  return text + memory_text(r) + operations_text(r.step.counts) + traffic_text(r.step.axes) + time_text(r);
}

nlohmann::json to_json(const PlanReport& r) {
  return {{"preset", r.config.model.preset},
          {"machine", r.machine.name},
          {"machine_memory_bytes", r.machine.memory_bytes},
          {"machine_reserved_bytes", r.machine.reserved_bytes},
          {"ranks", r.config.mesh.ranks()},
          {"parameters", r.parameters},
          {"mesh", mesh_json(r.config)},
          {"memory", memory_json(r.memory)},
          {"step", step_json(r.config, r.step)}};
}

std::string to_text(const MeshSearch& search, const Machine& machine) {
  const RunConfig& any = search.best.front().config;
  auto text = fmt::format("{} on {} x {}: {} combinations, {} fit; the fastest of them\n\n", any.model.preset,
                          any.mesh.ranks(), machine.name, search.considered, search.fitting);
  text += fmt::format("{:>7} {:>6} {:>6}  {:<12} {:>5} {:>9} {:>11} {:>11} {:>14} {:>7} {:>9}\n", "replica", "shard",
                      "tensor", "sharding", "micro", "recompute", "memory", "step", "tokens/s", "MFU", "days");
  for (const MeshChoice& c : search.best) {
    const MeshShape& m = c.config.mesh;
    std::string sharding = "-";
    if (m.shard > 1) {
      sharding = fmt::format("ZeRO {}", static_cast<int>(c.config.sharding.stage));
      if (c.config.sharding.stage != ZeroStage::optimizer) {
        sharding += c.config.sharding.reduce == ReduceEvery::step ? " step" : " micro";
      }
    }
    text += fmt::format("{:>7} {:>6} {:>6}  {:<12} {:>5} {:>9} {:>11} {:>11} {:>14.0f} {:>5.1f} % {:>9.4g}\n",
                        m.replica, m.shard, m.tensor, sharding, c.config.train.micro_batch, recompute_text(c.config),
                        bytes_text(c.memory.all()), seconds_text(c.step.seconds), c.step.tokens_per_second,
                        100.0 * c.step.mfu, days_of(c.config, c.step));
  }
  return text;
}

nlohmann::json to_json(const MeshSearch& search, const Machine& machine) {
  nlohmann::json best = nlohmann::json::array();
  for (const MeshChoice& c : search.best) {
    best.push_back(
        {{"mesh", mesh_json(c.config)}, {"memory", memory_json(c.memory)}, {"step", step_json(c.config, c.step)}});
  }
  const RunConfig& any = search.best.front().config;
  return {{"preset", any.model.preset},      {"machine", machine.name},   {"ranks", any.mesh.ranks()},
          {"considered", search.considered}, {"fitting", search.fitting}, {"best", best}};
}

}  // namespace trireme
