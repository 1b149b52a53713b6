// SPDX-License-Identifier: Apache-2.0
// The composition root: from a configuration to a device, groups, parameters and a source of batches.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/device.h"
#include "core/base/group.h"
#include "core/base/ops.h"
#include "core/base/params.h"
#include "core/io/folder_lock.h"
#include "core/train/checkpoint.h"
#include "data_pipeline/data.h"
#include "kernels/kernels.h"
#include "launch/run_config.h"
#include "parallel/parallel.h"

namespace trireme {

/// What everybody who runs a model needs, in the order in which it is made; destroyed in the opposite order.
struct Engine {
  struct Config {
    MeshShape mesh;
    Dtype precision = Dtype::f32;
    ShardingOptions sharding = {};
    DeviceChoice device = DeviceChoice::automatic;
    Determinism deterministic = Determinism::automatic;  // on a GPU
    ProductChoice products = ProductChoice::heuristic;
    std::string cache;  // the folder of what is measured once; empty: none
    NcclOptions nccl = {};
    std::int64_t threads = 0;  // of each rank; 0: as rank_threads() says
    bool inline_streams = false;
  };
  /// On the device that is `ready`, or without one on what make_device() gives.
  Engine(World& world, const Architecture& architecture, const Config& config, std::shared_ptr<Device> ready = nullptr);
  /// The first rank of the mesh on a machine and in a world that need not exist: everything is dry.
  Engine(const Machine& machine, const Architecture& architecture, const Config& config);

  std::shared_ptr<Device> device;  // which may serve one engine after another
  std::unique_ptr<Ops> ops;
  std::unique_ptr<Stream> stream;
  MeshGroups mesh;
  ParamTable table;
  std::unique_ptr<ParamStore> store;
};

/// Why the ranks cannot have a GPU each; nothing where they can. `own` is, by rank, the address of the GPU that it
/// would take, or nothing where it sees none.
std::string shortage_of_gpus(std::span<const RankHome> homes, const std::vector<std::string>& own);
/// This rank's device: a GPU of its own where every rank has one and the settings do not say otherwise, else the CPU.
/// All ranks call; throws Error(usage) where GPUs are asked for and some rank has none.
std::unique_ptr<Device> make_device(World& world, const Engine::Config& config);
/// Runs `work` of an engine that is complete. On GPUs of several ranks an exception ends the job here, and nothing is
/// torn down: a stream would wait for collectives that the other ranks may never come to.
int run_together(World& world, const Engine& engine, const std::function<int()>& work);
/// Threads of a rank that may run on `cores` cores: they are shared by the ranks of its node that may run on the same
/// ones. At least one.
int rank_threads(std::span<const RankHome> homes, int rank, int cores);
/// What a run's settings say about the engine.
Engine::Config engine_config(const RunConfig& config);
/// Where every rank runs and stands, a line each, for people.
std::vector<std::string> mesh_table(const World& world, const MeshShape& mesh, const std::vector<std::string>& devices);
/// What the tensor axis copies or pads of this model, a line for people; nothing where everything divides.
std::string padding_note(const Architecture& a, std::int64_t tensor);

/// Reads and validates the settings for a world of `ranks`, which need not exist, and resolves what the data decides
/// (the vocabulary). Throws Error(usage) with all problems at once. `found` are problems met before, told with the
/// others.
RunConfig checked_run_config(const std::string& path, const std::vector<std::string>& assignments, std::int64_t ranks,
                             const Problems& found = {});
/// The data is there and long enough. It decides the vocabulary when the model leaves it open, and must fit into it
/// otherwise. Says nothing of data whose settings a problem has spoilt, and reads none while there are other problems.
void resolve_data(LoadedRunConfig& loaded, Problems& problems);
/// The same on rank 0, before a device is touched; gives every rank the same settings.
RunConfig shared_run_config(World& world, const std::string& path, const std::vector<std::string>& assignments,
                            const Problems& found = {});

/// The settings in a text that to_yaml() has written; throws Error(usage) naming `name` for anything else.
RunConfig resolved_run_config(const std::string& yaml, const std::string& name);

/// The loader's settings of a run.
LoaderConfig loader_config(const RunConfig& config, Split split);

/// The parts of the engine that a checkpoint is made of.
CheckpointParts checkpoint_parts(World& world, Engine& engine);
/// The file of a run's steps, a line each.
std::string metrics_path(const RunConfig& config);
/// The folder of a run's checkpoints.
std::string checkpoint_folder(const RunConfig& config);
/// The settings of a finished or running run, from RUN/run.yaml.
RunConfig read_run_folder(const std::string& folder);
/// The tokenizer beside a corpus or a run: the file `tokenizer.*` in the folder; empty when there is none.
std::string tokenizer_in(const std::string& folder);
/// The tokenizer beside the run's first corpus; empty when there is none.
std::string corpus_tokenizer(const RunConfig& config);
/// Puts a copy of the tokenizer's file into the folder, as tokenizer.json, tokenizer.tiktoken or tokenizer.tiktoken.gz.
void keep_tokenizer(const std::string& file, const std::string& folder);
/// Why the run folder cannot be this run's: it holds one with other settings, which are listed. Nothing where it can.
std::string run_folder_problem(const RunConfig& config);
/// Takes the run folder for this job alone, for as long as what is returned lives; throws Error naming the job that has
/// it. Holds it to its settings: writes run.yaml on the first start; on another one, throws Error(usage) that lists the
/// settings which fix the result and differ. The corpus' tokenizer is copied beside it, for the exams.
std::unique_ptr<FolderLock> claim_run_folder(const RunConfig& config);

}  // namespace trireme
