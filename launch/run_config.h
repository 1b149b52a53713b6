// SPDX-License-Identifier: Apache-2.0
// Everything that a training run is told, in one struct with one list of fields.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/config.h"
#include "core/base/mesh.h"
#include "core/model/architecture.h"
#include "core/train/optimizer.h"
#include "core/train/trainer_config.h"
#include "kernels/kernels.h"
#include "parallel/parallel.h"

namespace trireme {

/// The longest sequence that train.sequence: 0 becomes.
inline constexpr std::int64_t kLongestDefault = 1024;

/// automatic: GPUs where every rank has one of its own that this binary can use, the CPU on all ranks otherwise.
enum class DeviceChoice { automatic, cpu, cuda };

struct RunConfig {
  struct {
    std::string dir = "runs/run";
    double max_seconds = 0;
  } run;
  struct {
    std::string preset = "tiny_gpt2";
    Architecture architecture;
  } model;
  TrainerConfig train{.sequence = 0};  // 0: as long as the model's context allows, at most kLongestDefault
  OptimizerConfig optimizer;
  MeshShape mesh{.replica = 0, .shard = 1, .tensor = 1};  // 0: what the others leave of the world
  struct {
    ZeroStage stage = ZeroStage::parameters;
    ReduceEvery reduce = ReduceEvery::micro_step;
    Dtype reduce_dtype = Dtype::f32;
  } sharding;
  struct {
    std::vector<std::string> shards;
    std::vector<double> weights;
    double validation = 0.01;
  } data;
  struct {
    std::int64_t every = 500;
    std::int64_t keep = 2;
  } checkpoint;
  struct {
    std::int64_t every = 0;
    std::int64_t samples = 64;
    std::vector<std::string> shards;
    std::string exam;
    std::int64_t shots = 0;
  } eval;
  struct {
    std::int64_t every = 10;
  } log;
  struct {
    double seconds = 600;
  } watchdog;
  DeviceChoice device = DeviceChoice::automatic;
  struct {
    Determinism deterministic = Determinism::automatic;
    ProductChoice products = ProductChoice::measured;
    std::string cache = "auto";
  } cuda;
  struct {
    std::int64_t channels = 0;
    GatherRoad gather = GatherRoad::automatic;
  } nccl;
  struct {
    std::int64_t threads = 0;
    bool inline_streams = false;
  } cpu;
};

void fields(FieldVisitor& v, Architecture& c);
void fields(FieldVisitor& v, RunConfig& c);

/// A configuration together with where each value came from.
struct LoadedRunConfig {
  RunConfig config;
  Places places;
};

/// Reads the file (none when `path` is empty), puts --set assignments over it and the preset under its model settings,
/// and resolves train.sequence. Whatever is wrong is added to problems.
LoadedRunConfig load_run_config(const std::string& path, std::span<const std::string> assignments, Problems& problems);
/// The same from a tree of settings; `place` is where those are told to come from that it does not have.
LoadedRunConfig load_run_config(ConfigNode root, const std::string& place, Problems& problems);
/// Gives the axis that is left open (0) what the others leave of `ranks`; says what is wrong, or nothing.
std::string resolve_mesh(MeshShape& mesh, std::int64_t ranks);
/// Why a tensor axis of so many ranks cannot split this model's heads; nothing where it can.
std::string tensor_problem(const Architecture& a, std::int64_t tensor);
/// What cannot be true for this world size: mesh, batch sizes, heads, schedule. Needs no device and no data. Says
/// nothing of settings that a problem has spoilt.
void validate(LoadedRunConfig& loaded, std::int64_t ranks, Problems& problems);
/// The resolved configuration as YAML.
std::string to_yaml(const RunConfig& config);
/// The settings that fix the result of the run, as YAML: not where it is written, what is logged, how often it is
/// saved, and on how many ranks and threads it runs.
std::string what_fixes_the_result(const RunConfig& config);
/// Hash of these settings.
std::string hash_of(const RunConfig& config);
/// Those of these settings in which two runs differ, a line each: "optimizer.lr: was 0.001, now 0.1", aligned.
std::vector<std::string> differences(const RunConfig& before, const RunConfig& now);
/// Where configs/ is looked for: $TRIREME_CONFIGS alone when that is set; else beside the binary and in the folders
/// above it, then in the current folder.
std::vector<std::string> configs_places();
/// The first of these places with presets in it; the last one when none has.
std::string configs_folder();

}  // namespace trireme
