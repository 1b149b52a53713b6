// SPDX-License-Identifier: Apache-2.0
#include "launch/bench_collectives.h"

#include <boost/program_options/value_semantic.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <vector>

#include "core/base/error.h"
#include "launch/command.h"
#include "launch/run.h"

namespace trireme {
namespace {

struct Options {
  std::vector<std::int64_t> bytes;  // none: what suits the device
  std::int64_t iterations = 20;
  Dtype dtype = Dtype::f32;
  Engine::Config engine;
  bool json = false;
};

constexpr std::int64_t kWarmUp = 3;  // collectives that are not measured: the first ones connect
constexpr int kRepeats = 3;          // measurements, of which the median is told
const std::vector<std::int64_t> kBytesOfCpu = {64LL << 10U, 1LL << 20U, 16LL << 20U};
const std::vector<std::int64_t> kBytesOfGpu = {1LL << 20U, 16LL << 20U, 128LL << 20U, 1LL << 30U};

struct Kind {
  const char* name;
  double trips;  // over n - 1 of n parts: what makes bus bandwidth of algorithm bandwidth, as nccl-tests has it
};
constexpr Kind kKinds[] = {{"all_gather", 1}, {"reduce_scatter", 1}, {"all_reduce", 2}};
constexpr Kind kGatherByCopies = {"gather_by_copies", 1};

/// "64K", "16M", "1G" or a plain number of bytes.
std::int64_t parse_bytes(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, static_cast<const char*>(text.data() + text.size()));
  const int shift = unit.empty() ? 0 : unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : -1;
  check_usage(problem == std::errc() && shift >= 0 && number > 0 && number <= (std::int64_t{1} << 40) >> shift,
              "--bytes {}; expected a number of bytes up to 1024G, like 64K, 16M or 1G", text);
  return number << shift;
}

struct Measured {
  const Kind& kind;
  std::int64_t bytes = 0;  // of the whole tensor
  double seconds = 0;

  double algorithm_bandwidth() const { return static_cast<double>(bytes) / seconds; }
  double bus_bandwidth(int ranks) const { return algorithm_bandwidth() * kind.trips * (ranks - 1) / ranks; }
};

class Bench {
 public:
  Bench(World& world, const Options& options)
      : options_(options),
        device_(make_device(world, options.engine)),
        // By its name it is the axis whose collectives overlap with compute in training, with nccl.channels.
        group_(world.split("shard", 0, world.rank(), *device_, options.engine.nccl)),
        copying_(world.split("shard", 0, world.rank(), *device_, {.gather = GatherRoad::copy})),
        stream_(device_->make_stream("bench")) {}

  std::vector<Measured> run() {
    auto sizes = options_.bytes;
    if (sizes.empty()) sizes = device_->kind() == DeviceKind::cuda ? kBytesOfGpu : kBytesOfCpu;
    memory_ = device_->allocate(static_cast<std::size_t>(*std::max_element(sizes.begin(), sizes.end())));
    shared_ = copying_->share(memory_);
    std::vector<Measured> all;
    for (const Kind& kind : kKinds) {
      for (const std::int64_t bytes : sizes) all.push_back(measure(kind, bytes));
      if (&kind != &kKinds[0] || shared_ == nullptr) continue;
      for (const std::int64_t bytes : sizes) all.push_back(measure(kGatherByCopies, bytes));
    }
    return all;
  }

  std::string device() const { return device_->description(); }

 private:
  Measured measure(const Kind& kind, std::int64_t bytes) {
    const std::int64_t ranks = group_->size();
    const std::int64_t part = bytes / static_cast<std::int64_t>(size_of(options_.dtype)) / ranks;
    check_usage(part > 0, "--bytes {} is less than an element for each of {} ranks", bytes, ranks);
    const Tensor whole{memory_.data(), options_.dtype, {part * ranks}};
    const Tensor own = whole.rows(group_->rank() * part, part);
    const auto once = [&] {
      if (&kind == &kGatherByCopies) return copying_->all_gather(*stream_, whole, own);
      if (&kind == &kKinds[0]) return group_->all_gather(*stream_, whole, own);
      if (&kind == &kKinds[1]) return group_->reduce_scatter(*stream_, own, whole);
      group_->all_reduce(*stream_, whole);
    };
    for (std::int64_t i = 0; i < kWarmUp; ++i) once();
    std::vector<double> seconds;
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      stream_->synchronize();
      group_->barrier();
      const auto begin = std::chrono::steady_clock::now();
      for (std::int64_t i = 0; i < options_.iterations; ++i) once();
      stream_->synchronize();
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      double slowest[] = {took.count() / static_cast<double>(options_.iterations)};
      group_->host_reduce(std::span<double>(slowest), Reduction::max);
      seconds.push_back(slowest[0]);
    }
    std::sort(seconds.begin(), seconds.end());
    return {kind, static_cast<std::int64_t>(whole.bytes()), seconds[kRepeats / 2]};
  }

  const Options& options_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Group> group_;    // whose memory is not shared: by NCCL between GPUs
  std::unique_ptr<Group> copying_;  // by copies where they are possible
  Buffer memory_;
  std::shared_ptr<void> shared_;
  std::unique_ptr<Stream> stream_;  // destroyed first: its work uses the rest
};

int bench_collectives(World& world, const Options& options) {
  check_usage(world.size() > 1, "collectives pass between ranks, and there is one: start it under mpirun -n 2 or more");
  Bench bench(world, options);
  const auto measured = bench.run();
  if (world.rank() != 0) return 0;
  nlohmann::json lines = nlohmann::json::array();
  if (!options.json) {
    fmt::print("{} ranks ({} each), {}\n{:<18}{:>14}{:>12}{:>16}{:>16}\n", world.size(), bench.device(),
               name(options.dtype), "collective", "bytes", "us", "algorithm GB/s", "bus GB/s");
  }
  for (const Measured& m : measured) {
    const double algorithm = m.algorithm_bandwidth();
    const double bus = m.bus_bandwidth(world.size());
    if (!options.json) {
      fmt::print("{:<18}{:>14}{:>12.1f}{:>16.2f}{:>16.2f}\n", m.kind.name, m.bytes, m.seconds * 1e6, algorithm / 1e9,
                 bus / 1e9);
    }
    lines.push_back({{"collective", m.kind.name},
                     {"bytes", m.bytes},
                     {"seconds", m.seconds},
                     {"algorithm_bytes_per_second", algorithm},
                     {"bus_bytes_per_second", bus}});
  }
  if (options.json) {
    const nlohmann::json result = {{"ranks", world.size()},
                                   {"device", bench.device()},
                                   {"dtype", name(options.dtype)},
                                   {"iterations", options.iterations},
                                   {"collectives", lines}};
    fmt::print("{}\n", result.dump());
  }
  return 0;
}

}  // namespace

int bench_collectives_command(std::span<const std::string> arguments) {
  namespace po = boost::program_options;
  CommandLine line{
      "bench collectives [--bytes 16M ...] [--channels N]",
      "Measures collectives over all ranks, in place: time, algorithm bandwidth (bytes of the whole tensor "
      "over time) and bus bandwidth (that times (n-1)/n; for all_reduce 2(n-1)/n). gather_by_copies: all_gather by the "
      "GPUs' copy engines, where they reach each other's memory.",
      po::options_description("Options"),
      {}};
  line.options.add_options()("bytes", po::value<std::vector<std::string>>()->multitoken(),
                             "of the whole tensor: 64K, 16M, 1G")(
      "iterations", po::value<std::int64_t>()->default_value(20),
      "collectives in one measurement, of which there are 3")("dtype", po::value<std::string>()->default_value("fp32"),
                                                              "fp32 or bf16")(
      "channels", po::value<std::int64_t>()->default_value(0), "nccl.channels")(
      "device", po::value<std::string>()->default_value("auto"), "auto, cpu or cuda");
  const auto values = parse_command_line(line, arguments);
  if (!values) return 0;
  Options options;
  if (values->count("bytes") != 0) {
    for (const auto& text : (*values)["bytes"].as<std::vector<std::string>>()) {
      options.bytes.push_back(parse_bytes(text));
    }
  }
  options.iterations = (*values)["iterations"].as<std::int64_t>();
  check_usage(options.iterations >= 1, "--iterations {}; expected at least 1", options.iterations);
  const auto dtype = required(*values, "dtype");
  check_usage(dtype == "fp32" || dtype == "bf16", "--dtype {}; expected fp32 or bf16", dtype);
  options.dtype = dtype == "fp32" ? Dtype::f32 : Dtype::bf16;
  const auto channels = (*values)["channels"].as<std::int64_t>();
  check_usage(channels >= 0 && channels <= 64, "--channels {}; expected 0 to 64", channels);
  options.engine.nccl.channels = static_cast<int>(channels);
  const auto device = required(*values, "device");
  check_usage(device == "auto" || device == "cpu" || device == "cuda", "--device {}; expected auto, cpu or cuda",
              device);
  options.engine.device = device == "cpu"    ? DeviceChoice::cpu
                          : device == "cuda" ? DeviceChoice::cuda
                                             : DeviceChoice::automatic;
  options.json = values->count("json") != 0;
  return run_in_world([&](World& world) { return bench_collectives(world, options); });
}

}  // namespace trireme
