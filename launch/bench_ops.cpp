// SPDX-License-Identifier: Apache-2.0
#include "launch/bench_ops.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

#include "core/train/init.h"
#include "core/train/trainer.h"
#include "launch/measured_group.h"
#include "launch/random_tokens.h"
#include "launch/run.h"

namespace trireme {
namespace {

constexpr std::int64_t kWarmUp = 3;

std::unique_ptr<StreamClock> clock_of(const Device& device) {
  return device.kind() == DeviceKind::cuda ? make_cuda_clock() : make_cpu_clock();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Bytes read and written in a second by a copy within the device's memory: the roof of what computes little.
double copy_speed(Device& device, Stream& stream, StreamClock& clock) {
  const std::size_t bytes = std::size_t{device.kind() == DeviceKind::cuda ? 512U : 64U} << 20U;
  const Buffer from = device.allocate(bytes);
  const Buffer to = device.allocate(bytes);
  std::vector<double> seconds;
  for (int i = 0; i < 12; ++i) {
    clock.clear();
    const auto begin = clock.mark(stream);
    device.copy(stream, to.data(), from.data(), bytes);
    const auto end = clock.mark(stream);
    stream.synchronize();
    if (i >= 2) seconds.push_back(clock.seconds(begin, end));
  }
  clock.clear();
  return 2.0 * static_cast<double>(bytes) / median(seconds);
}

/// A device's two roofs.
struct Roofs {
  Device& device;
  double bytes_per_second;

  /// The shortest time in which one call could be done.
  double least_seconds(const OperationTime& operation) const {
    const double moving = operation.bytes / bytes_per_second;
    return operation.product ? std::max(moving, operation.flops / device.peak_flops(operation.dtype)) : moving;
  }
};

struct StepTimes {
  double alone = 0.0;     // a step without clocks, median
  double measured = 0.0;  // with them, mean
  double tensor = 0.0;    // of these, the tensor axis' collectives
  std::vector<OperationTime> operations;
};

nlohmann::json json_of(const OperationTime& operation, const Roofs& roofs, std::int64_t steps) {
  const double seconds = operation.seconds / static_cast<double>(operation.calls);
  return {{"operation", operation.name},
          {"shape", operation.shape},
          {"dtype", name(operation.dtype)},
          {"calls", static_cast<double>(operation.calls) / static_cast<double>(steps)},
          {"seconds", seconds},
          {"seconds_of_step", operation.seconds / static_cast<double>(steps)},
          {"waited_of_step", operation.waited / static_cast<double>(steps)},
          {"flops", operation.flops},
          {"bytes", operation.bytes},
          {"bound", operation.product ? "products" : "memory"},
          {"fraction_of_roofline", roofs.least_seconds(operation) / seconds}};
}

void print_table(const RunConfig& config, const StepTimes& times, const Roofs& roofs, std::int64_t steps) {
  fmt::print("{} {} B={} T={} on {}: {:.2f} TFLOP/s, {:.1f} GB/s copied\n", config.model.preset,
             name(config.train.precision), config.train.micro_batch, config.train.sequence, roofs.device.description(),
             roofs.device.peak_flops(config.train.precision) / 1e12, roofs.bytes_per_second / 1e9);
  fmt::print("{:<24}{:<44}{:>7}{:>11}{:>9}{:>9}{:>10}\n", "operation", "shape", "calls", "us a call", "ms", "% of it",
             "% of roof");
  const auto count = static_cast<double>(steps);
  double sum = 0.0;
  for (const auto& operation : times.operations) {
    const double seconds = operation.seconds / static_cast<double>(operation.calls);
    const double of_step = operation.seconds / count;
    sum += of_step;
    fmt::print("{:<24}{:<44}{:>7.0f}{:>11.1f}{:>9.2f}{:>9.1f}{:>10.1f}\n", operation.name, operation.shape,
               static_cast<double>(operation.calls) / count, seconds * 1e6, of_step * 1e3,
               100 * of_step / times.measured, 100 * roofs.least_seconds(operation) / seconds);
  }
  fmt::print("operations {:.2f} ms, the tensor axis {:.2f} ms, all else {:.2f} ms; the step without clocks {:.2f} ms\n",
             sum * 1e3, times.tensor * 1e3, (times.measured - sum - times.tensor) * 1e3, times.alone * 1e3);
}

/// Seconds of each of `steps` steps, waited for.
std::vector<double> run_steps(Trainer& trainer, std::int64_t steps) {
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < steps; ++i) {
    trainer.step();
    const auto metrics = trainer.flush();
    seconds.push_back(metrics->seconds.total);
  }
  return seconds;
}

}  // namespace

int bench_ops(World& world, const RunConfig& config, std::int64_t steps, bool json) {
  const auto& a = config.model.architecture;
  Engine engine(world, a, engine_config(config));
  const auto clock = clock_of(*engine.device);
  const Roofs roofs{*engine.device, copy_speed(*engine.device, *engine.stream, *clock)};
  MeasuredOps ops(*engine.ops, *clock);
  MeasuredGroup tensor(*engine.mesh.tensor, *clock);
  initialise(engine.table, *engine.store, *engine.device, *engine.stream, config.train.seed);
  RandomTokens tokens(*engine.device, config.train.micro_batch, config.train.sequence, a.vocabulary);
  Trainer trainer({.architecture = a,
                   .config = config.train,
                   .optimizer = config.optimizer,
                   .device = *engine.device,
                   .ops = ops,
                   .stream = *engine.stream,
                   .store = *engine.store,
                   .data = *engine.mesh.data,
                   .tensor = tensor,
                   .source = tokens});
  run_steps(trainer, kWarmUp);
  StepTimes times;
  times.alone = median(run_steps(trainer, steps));
  ops.measure(true);
  tensor.measure(true);
  run_steps(trainer, 1);  // makes the clock's marks
  static_cast<void>(tensor.take());
  static_cast<void>(ops.take());
  const auto measured = run_steps(trainer, steps);
  times.measured = std::accumulate(measured.begin(), measured.end(), 0.0) / static_cast<double>(steps);
  times.tensor = tensor.take() / static_cast<double>(steps);
  times.operations = ops.take();  // clears the clock
  std::ranges::sort(times.operations, std::greater(), &OperationTime::seconds);
  if (world.rank() != 0) return 0;
  if (!json) {
    print_table(config, times, roofs, steps);
    return 0;
  }
  nlohmann::json list = nlohmann::json::array();
  double sum = 0.0;
  for (const auto& operation : times.operations) {
    list.push_back(json_of(operation, roofs, steps));
    sum += operation.seconds / static_cast<double>(steps);
  }
  const nlohmann::json mesh_json = {
      {"replica", config.mesh.replica}, {"shard", config.mesh.shard}, {"tensor", config.mesh.tensor}};
  const nlohmann::json result = {{"preset", config.model.preset},
                                 {"precision", name(config.train.precision)},
                                 {"batch", config.train.global_batch},
                                 {"micro_batch", config.train.micro_batch},
                                 {"sequence", config.train.sequence},
                                 {"mesh", mesh_json},
                                 {"zero", static_cast<int>(config.sharding.stage)},
                                 {"device", engine.device->description()},
                                 {"peak_flops", engine.device->peak_flops(config.train.precision)},
                                 {"bytes_per_second", roofs.bytes_per_second},
                                 {"steps", steps},
                                 {"step_seconds", times.alone},
                                 {"measured_step_seconds", times.measured},
                                 {"operation_seconds", sum},
                                 {"tensor_axis_seconds", times.tensor},
                                 {"operations", list}};
  fmt::print("{}\n", result.dump());
  return 0;
}

}  // namespace trireme
