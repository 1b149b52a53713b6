// SPDX-License-Identifier: Apache-2.0
// `trireme bench`: a training step of a preset on made-up tokens, measured as a whole or operation by operation.
#include <boost/program_options/value_semantic.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>

#include "core/base/error.h"
#include "core/train/init.h"
#include "core/train/trainer.h"
#include "launch/bench_collectives.h"
#include "launch/bench_ops.h"
#include "launch/commands.h"
#include "launch/held_memory.h"
#include "launch/random_tokens.h"
#include "launch/run.h"

namespace trireme {
namespace {

/// The most memory that a rank's process has had so far, of all ranks, in bytes.
std::int64_t peak_resident(World& world) {
  rusage usage{};
  check(getrusage(RUSAGE_SELF, &usage) == 0, "the system does not say how much memory this process has taken");
  std::int64_t bytes[] = {usage.ru_maxrss * 1024};
  world.group().host_reduce(std::span<std::int64_t>(bytes), Reduction::max);
  return bytes[0];
}

/// Seconds of each of `steps` steps after some that do not count, in rising order.
std::vector<double> step_seconds(Trainer& trainer, std::int64_t steps) {
  // step() returns when the update before is done, as in training: the time between two returns is a step's.
  std::vector<double> seconds;
  constexpr std::int64_t kWarmUp = 3;
  auto before = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < steps + kWarmUp; ++i) {
    trainer.step();
    const auto now = std::chrono::steady_clock::now();
    if (i >= kWarmUp) seconds.push_back(std::chrono::duration<double>(now - before).count());
    before = now;
  }
  trainer.flush();
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

int bench_step(World& world, const RunConfig& config, std::int64_t steps, bool json) {
  const auto& a = config.model.architecture;
  HeldMemory held;
  auto device = make_device(world, engine_config(config));
  held.note("open", *device);
  Engine engine(world, a, engine_config(config), std::move(device));
  held.note("parameters", *engine.device);
  initialise(engine.table, *engine.store, *engine.device, *engine.stream, config.train.seed);
  RandomTokens tokens(*engine.device, config.train.micro_batch, config.train.sequence, a.vocabulary);
  Trainer trainer({.architecture = a,
                   .config = config.train,
                   .optimizer = config.optimizer,
                   .device = *engine.device,
                   .ops = *engine.ops,
                   .stream = *engine.stream,
                   .store = *engine.store,
                   .data = *engine.mesh.data,
                   .tensor = *engine.mesh.tensor,
                   .source = tokens});
  held.note("activations", *engine.device);
  const auto seconds = step_seconds(trainer, steps);
  held.note("steps", *engine.device);
  const auto resident = peak_resident(world);
  if (world.rank() != 0) return 0;
  const auto median = seconds[seconds.size() / 2];
  const auto count = static_cast<double>(config.train.global_batch * config.train.sequence);
  const auto peak = engine.device->peak_flops(config.train.precision) * world.size();
  const auto flops = training_flops_per_token(a, config.train.sequence) * count;
  std::map<std::string, std::size_t> memory{{"plan", trainer.plan().bytes()}};
  for (const auto& [purpose, bytes] : engine.store->memory()) memory[purpose] = bytes;
  nlohmann::json result = {
      {"preset", config.model.preset},
      {"precision", name(config.train.precision)},
      {"batch", config.train.global_batch},
      {"sequence", config.train.sequence},
      {"mesh", {{"replica", config.mesh.replica}, {"shard", config.mesh.shard}, {"tensor", config.mesh.tensor}}},
      {"zero", static_cast<int>(config.sharding.stage)},
      {"steps", steps},
      {"seconds_min", seconds.front()},
      {"seconds_median", median},
      {"tokens_per_second", count / median},
      {"peak_flops", peak},
      {"fraction_of_peak", flops / median / peak},
      {"planned_bytes", memory},
      {"peak_resident_bytes", resident}};
  held.tell(result, config, *engine.device);
  if (json) {
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print(
        "{} {} B={} T={}: median {:.3f} s a step (min {:.3f}), {:.0f} tokens/s, {:.1f} % of {:.1f} GFLOP/s, {:.2f} GB "
        "of a rank\n",
        config.model.preset, name(config.train.precision), config.train.global_batch, config.train.sequence, median,
        seconds.front(), count / median, 100 * flops / median / peak, peak / 1e9, static_cast<double>(resident) / 1e9);
  }
  return 0;
}

}  // namespace

int bench_command(std::span<const std::string> arguments) {
  namespace po = boost::program_options;
  if (!arguments.empty() && arguments[0] == "collectives") return bench_collectives_command(arguments.subspan(1));
  CommandLine line{"bench step|ops [--preset NAME] [--precision fp32|bf16] [--shard N] [--tensor N]",
                   "Measures a training step on random tokens: forward, backward, clipping, AdamW. As a whole (step), "
                   "or each of its operations against the roofline (ops).",
                   po::options_description("Options"),
                   {"what"}};
  line.options.add_options()("preset", po::value<std::string>()->default_value("gpt2_124m"), "the model")(
      "precision", po::value<std::string>()->default_value("fp32"), "fp32 or bf16")(
      "batch", po::value<std::int64_t>()->default_value(4), "sequences of each rank")(
      "sequence", po::value<std::int64_t>()->default_value(256), "tokens of a sequence")(
      "micro-steps", po::value<std::int64_t>()->default_value(1), "forward and backward passes of a step")(
      "shard", po::value<std::int64_t>()->default_value(1), "mesh.shard; replicas are what is left of the ranks")(
      "tensor", po::value<std::int64_t>()->default_value(1), "mesh.tensor")(
      "zero", po::value<std::int64_t>()->default_value(3), "ZeRO stage of the shard axis: 1, 2 or 3")(
      "recompute", po::value<std::string>()->default_value("none"), "none, light or full")(
      "reduce", po::value<std::string>()->default_value("micro_step"), "sharding.reduce: step or micro_step")(
      "steps", po::value<std::int64_t>()->default_value(10), "measured steps, after some that are not")(
      "vocabulary", po::value<std::int64_t>()->default_value(0), "tokens; 0: the preset's")(
      "head-rows", po::value<std::int64_t>()->default_value(0), "rows whose logits exist at a time; 0: the default")(
      "channels", po::value<std::int64_t>()->default_value(0), "between GPUs: nccl.channels; 0: as NCCL chooses")(
      "gather", po::value<std::string>()->default_value("auto"), "between GPUs: nccl.gather, auto, copy or nccl")(
      "device", po::value<std::string>()->default_value("auto"), "auto, cpu or cuda")(
      "deterministic", po::value<std::string>()->default_value("auto"),
      "on a GPU: cuda.deterministic, auto, true or false")("products",
                                                           po::value<std::string>()->default_value("measured"),
                                                           "on a GPU: cuda.products, measured or heuristic")(
      "threads", po::value<std::int64_t>()->default_value(0), "of each rank; 0: the cores that it may run on");
  const auto values = parse_command_line(line, arguments);
  if (!values) return 0;
  const auto what = required(*values, "what");
  check_usage(what == "step" || what == "ops", "nothing called '{}' to measure; there are step, ops and collectives",
              what);
  const auto steps = (*values)["steps"].as<std::int64_t>();
  check_usage(steps >= 1, "--steps {}; expected at least 1", steps);
  const auto micro_steps = (*values)["micro-steps"].as<std::int64_t>();
  check_usage(micro_steps >= 1, "--micro-steps {}; expected at least 1", micro_steps);
  const auto tensor = (*values)["tensor"].as<std::int64_t>();
  std::vector<std::string> sets = {
      "device=" + required(*values, "device"),
      "cuda.deterministic=" + required(*values, "deterministic"),
      "cuda.products=" + required(*values, "products"),
      "nccl.gather=" + required(*values, "gather"),
      "model.preset=" + required(*values, "preset"),
      "precision=" + required(*values, "precision"),
      fmt::format("train.micro_batch={}", (*values)["batch"].as<std::int64_t>()),
      fmt::format("train.sequence={}", (*values)["sequence"].as<std::int64_t>()),
      fmt::format("cpu.threads={}", (*values)["threads"].as<std::int64_t>()),
      fmt::format("mesh.shard={}", (*values)["shard"].as<std::int64_t>()),
      fmt::format("mesh.tensor={}", tensor),
      fmt::format("sharding.zero={}", (*values)["zero"].as<std::int64_t>()),
      "recompute=" + required(*values, "recompute"),
      "sharding.reduce=" + required(*values, "reduce"),
      "data.shards=[none]",
  };
  const auto set = [&](const char* option, const char* field) {
    const auto value = (*values)[option].as<std::int64_t>();
    if (value != 0) sets.push_back(fmt::format("{}={}", field, value));
  };
  set("vocabulary", "model.vocabulary");
  set("head-rows", "train.head_rows");
  set("channels", "nccl.channels");
  return run_in_world([&](World& world) {
    Problems problems;
    auto loaded = load_run_config("", sets, problems);
    const auto data = std::max<std::int64_t>(1, world.size() / std::max<std::int64_t>(1, tensor));
    loaded.config.train.global_batch = loaded.config.train.micro_batch * data * micro_steps;
    validate(loaded, world.size(), problems);
    problems.raise();
    const bool json = values->count("json") != 0;
    if (what == "ops") return bench_ops(world, loaded.config, steps, json);
    return bench_step(world, loaded.config, steps, json);
  });
}

}  // namespace trireme
