// SPDX-License-Identifier: Apache-2.0
// `trireme bench`: a training step of a preset on made-up tokens, measured.
#include <boost/program_options/value_semantic.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/train/init.h"
#include "core/train/trainer.h"
#include "launch/commands.h"
#include "launch/run.h"

namespace trireme {
namespace {

/// Samples of uniformly random tokens, each a function of its index.
class RandomTokens : public BatchSource {
 public:
  RandomTokens(Device& device, std::int64_t rows, std::int64_t time, std::int64_t vocabulary)
      : time_(time), vocabulary_(vocabulary) {
    const auto bytes = static_cast<std::size_t>(rows * time) * sizeof(std::int32_t);
    for (auto* tensor : {&batch_.tokens, &batch_.targets, &batch_.positions}) {
      buffers_.push_back(device.allocate(bytes, MemoryKind::pinned));
      *tensor = {buffers_.back().data(), Dtype::i32, {rows, time}};
    }
  }

  const Batch& read(std::int64_t first, std::int64_t count) override {
    check(count <= batch_.tokens.shape[0], "{} samples asked for, {} planned", count, batch_.tokens.shape[0]);
    for (std::int64_t row = 0; row < count; ++row) {
      for (std::int64_t t = 0; t < time_; ++t) {
        const auto at = row * time_ + t;
        batch_.tokens.as<std::int32_t>()[at] = token((first + row) * (time_ + 1) + t);
        batch_.targets.as<std::int32_t>()[at] = token((first + row) * (time_ + 1) + t + 1);
        batch_.positions.as<std::int32_t>()[at] = static_cast<std::int32_t>(t);
      }
    }
    batch_.target_count = count * time_;
    return batch_;
  }
  void prefetch(std::int64_t, std::int64_t) override {}
  std::int64_t samples_per_epoch() const override { return std::int64_t{1} << 40; }

 private:
  std::int32_t token(std::int64_t index) const {
    return static_cast<std::int32_t>(
        random_.below(static_cast<std::uint64_t>(index), static_cast<std::uint64_t>(vocabulary_)));
  }

  std::int64_t time_;
  std::int64_t vocabulary_;
  Random random_{1, "bench"};
  std::vector<Buffer> buffers_;
  Batch batch_;
};

int bench_step(World& world, RunConfig config, std::int64_t steps, bool json) {
  const auto& a = config.model.architecture;
  config.mesh = {.replica = world.size()};
  Engine engine(world, a, engine_config(config));
  initialise(engine.table, *engine.store, *engine.device, *engine.stream, config.train.seed);
  config.train.global_batch = config.train.micro_batch * world.size();
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
  std::vector<double> seconds;
  constexpr std::int64_t kWarmUp = 2;
  for (std::int64_t i = 0; i < steps + kWarmUp; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    trainer.step();
    trainer.flush();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (i >= kWarmUp) seconds.push_back(took.count());
  }
  if (world.rank() != 0) return 0;
  std::sort(seconds.begin(), seconds.end());
  const auto median = seconds[seconds.size() / 2];
  const auto count = static_cast<double>(config.train.global_batch * config.train.sequence);
  const auto peak = engine.device->peak_flops(config.train.precision) * world.size();
  const auto flops = training_flops_per_token(a, config.train.sequence) * count;
  const nlohmann::json result = {{"preset", config.model.preset},
                                 {"precision", name(config.train.precision)},
                                 {"batch", config.train.global_batch},
                                 {"sequence", config.train.sequence},
                                 {"steps", steps},
                                 {"seconds_min", seconds.front()},
                                 {"seconds_median", median},
                                 {"tokens_per_second", count / median},
                                 {"peak_flops", peak},
                                 {"fraction_of_peak", flops / median / peak}};
  if (json) {
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print("{} {} B={} T={}: median {:.3f} s a step (min {:.3f}), {:.0f} tokens/s, {:.1f} % of {:.1f} GFLOP/s\n",
               config.model.preset, name(config.train.precision), config.train.global_batch, config.train.sequence,
               median, seconds.front(), count / median, 100 * flops / median / peak, peak / 1e9);
  }
  return 0;
}

}  // namespace

int bench_command(std::span<const std::string> arguments) {
  namespace po = boost::program_options;
  CommandLine line{"bench step [--preset NAME] [--precision fp32|bf16]",
                   "Measures a training step on random tokens: forward, backward, clipping, AdamW.",
                   po::options_description("Options"),
                   {"what"}};
  line.options.add_options()("preset", po::value<std::string>()->default_value("gpt2_124m"), "the model")(
      "precision", po::value<std::string>()->default_value("fp32"), "fp32 or bf16")(
      "batch", po::value<std::int64_t>()->default_value(4), "sequences of each rank")(
      "sequence", po::value<std::int64_t>()->default_value(256), "tokens of a sequence")(
      "steps", po::value<std::int64_t>()->default_value(10), "measured steps, after two that are not")(
      "threads", po::value<std::int64_t>()->default_value(0), "of each rank; 0: the cores that it may run on");
  const auto values = parse_command_line(line, arguments);
  if (!values) return 0;
  const auto what = required(*values, "what");
  check_usage(what == "step", "nothing called '{}' to measure; there is step", what);
  const auto steps = (*values)["steps"].as<std::int64_t>();
  check_usage(steps >= 1, "--steps {}; expected at least 1", steps);
  const std::vector<std::string> sets = {
      "model.preset=" + required(*values, "preset"),
      "precision=" + required(*values, "precision"),
      fmt::format("train.micro_batch={}", (*values)["batch"].as<std::int64_t>()),
      fmt::format("train.sequence={}", (*values)["sequence"].as<std::int64_t>()),
      fmt::format("cpu.threads={}", (*values)["threads"].as<std::int64_t>()),
      "data.shards=[none]",
  };
  return run_in_world([&](World& world) {
    Problems problems;
    auto loaded = load_run_config("", sets, problems);
    loaded.config.train.global_batch = loaded.config.train.micro_batch * world.size();
    validate(loaded, world.size(), problems);
    problems.raise();
    return bench_step(world, loaded.config, steps, values->count("json") != 0);
  });
}

}  // namespace trireme
