// SPDX-License-Identifier: Apache-2.0
#include "launch/host_steps.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "core/train/init.h"
#include "core/train/trainer.h"
#include "launch/random_tokens.h"
#include "launch/run.h"

namespace trireme {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// The least of three steps, after two that are not measured: what other processes take is not the run's.
double step_seconds(World& world, RunConfig config, int threads) {
  config.mesh = {};
  config.train.document_mask = false;  // made-up tokens are one document
  config.device = DeviceChoice::cpu;
  config.cpu.threads = threads;
  const auto& a = config.model.architecture;
  Engine engine(world, a, engine_config(config));
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
  constexpr int kSteps = 5;
  std::vector<double> seconds;
  auto begin = Clock::now();
  for (int i = 0; i < kSteps; ++i) {
    trainer.step();
    trainer.flush();  // the work itself, not its being enqueued
    seconds.push_back(seconds_since(begin));
    begin = Clock::now();
  }
  return *std::min_element(seconds.begin() + 2, seconds.end());
}

/// What a step's time depends on.
std::string kind_of(const RunConfig& config) {
  RunConfig plain = config;
  const RunConfig defaults;
  plain.run = defaults.run;
  plain.data = defaults.data;
  plain.optimizer = defaults.optimizer;
  plain.train.seed = defaults.train.seed;
  plain.train.steps = defaults.train.steps;
  return to_yaml(plain);
}

void scale(StudyRun& run, double factor) {
  run.seconds *= factor;
  for (StudyBranch& branch : run.branches) branch.seconds *= factor;
}

}  // namespace

std::size_t measure_runs(World& world, Study& study, int threads, double budget) {
  const auto begin = Clock::now();
  std::map<std::string, double> factors;  // measured over planned
  double sum = 0;
  std::size_t measured = 0;
  // The cheapest first: the most of them can be measured.
  for (auto run = study.runs.rbegin(); run != study.runs.rend(); ++run) {
    if (run->ranks != 1 || seconds_since(begin) > budget) continue;
    const auto [hit, fresh] = factors.try_emplace(kind_of(run->config), 0.0);
    if (!fresh) continue;
    const double planned = run->seconds / static_cast<double>(run->config.train.steps);
    hit->second = step_seconds(world, run->config, threads) / planned;
    sum += hit->second;
  }
  if (factors.empty()) return 0;
  for (StudyRun& run : study.runs) {
    const auto hit = run.ranks == 1 ? factors.find(kind_of(run.config)) : factors.end();
    measured += hit != factors.end() ? 1U : 0U;
    scale(run, hit != factors.end() ? hit->second : sum / static_cast<double>(factors.size()));
  }
  std::stable_sort(study.runs.begin(), study.runs.end(),
                   [](const StudyRun& a, const StudyRun& b) { return a.all_seconds() > b.all_seconds(); });
  return measured;
}

}  // namespace trireme
