// SPDX-License-Identifier: Apache-2.0
#include "launch/run.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/model/model.h"
#include "core/model/vocabulary.h"
#include "kernels/kernels.h"
#include "launch/command.h"
#include "launch/exam_sheet.h"
#include "launch/validation_sets.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

/// Cores that this process may run on: those that the launcher has bound it to, or all.
int allowed_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof(cores), &cores) == 0) return CPU_COUNT(&cores);
  return static_cast<int>(std::thread::hardware_concurrency());
}

int threads_of(const World& world, std::int64_t wanted) {
  return wanted > 0 ? static_cast<int>(wanted) : rank_threads(world.homes(), world.rank(), allowed_cores());
}

/// The index of this rank's GPU; none: all ranks run on the CPU. Ranks of a node take its GPUs in turn, or the one that
/// the launcher lets each see.
std::optional<int> gpu_of(World& world, DeviceChoice choice) {
  if (choice == DeviceChoice::cpu) return std::nullopt;
  const int count = cuda_device_count();
  if (world.size() == 1) {
    if (choice == DeviceChoice::automatic && count == 0) return std::nullopt;
    return 0;
  }
  const int index = count == 0 ? 0 : world.local_rank() % count;
  const auto own = world.group().host_gather(count == 0 ? "" : cuda_device_address(index));
  const auto shortage = shortage_of_gpus(world.homes(), own);
  if (shortage.empty()) return index;
  check_usage(choice == DeviceChoice::automatic,
              "device: cuda needs a GPU for each rank of a node, and {}; start as many ranks on a node as it has GPUs, "
              "or ask for device: cpu",
              shortage);
  if (world.rank() == 0 && std::any_of(own.begin(), own.end(), [](const auto& gpu) { return !gpu.empty(); })) {
    fmt::print(stderr, "trireme: all ranks run on the CPU, for {}\n", shortage);
  }
  return std::nullopt;
}

std::unique_ptr<Ops> make_ops(Device& device) {
  return device.kind() == DeviceKind::cuda ? make_cuda_ops(device) : make_cpu_ops(device);
}

/// auto: where programs of this user keep such things; nowhere when the environment does not say.
std::string cache_folder(const std::string& wanted) {
  if (wanted != "auto") return wanted;
  const auto from = [](const char* variable) {
    const char* value = std::getenv(variable);
    return fs::path(value == nullptr ? "" : value);
  };
  if (const auto folder = from("XDG_CACHE_HOME"); folder.is_absolute()) return folder / "trireme";
  if (const auto home = from("HOME"); home.is_absolute()) return home / ".cache" / "trireme";
  return "";
}

ParamTable table_of(const Architecture& architecture) { return Model(architecture).params(); }

RunConfig parse_resolved(const std::string& text, const std::string& name) {
  Problems problems;
  RunConfig config;
  read_fields(parse_yaml(text, name, problems), problems, [&](FieldVisitor& v) { fields(v, config); });
  problems.raise();
  return config;
}

fs::path settings_path(const RunConfig& config) { return fs::path(config.run.dir) / "run.yaml"; }

/// Ranks of the tensor axis that hold the same key and value heads.
std::int64_t copies_of(const Architecture& architecture, const MeshShape& mesh) {
  return std::max<std::int64_t>(1, mesh.tensor / architecture.kv_heads);
}

/// What the machine's links give to a rank's collectives.
ClusterLinks cluster_links(const Machine& machine) {
  const auto link = [&](const Machine::Link& l, double reached) {
    return RingLink{.bytes_per_second = l.bytes_per_second * reached,
                    .message_seconds = l.message_seconds,
                    .collective_seconds = machine.collective_seconds,
                    .fill_seconds = l.fill_seconds,
                    .fill_bytes = l.fill_bytes};
  };
  return {.within_node = link(machine.within_node, machine.reached.within_node),
          .between_nodes = link(machine.between_nodes, machine.reached.between_nodes),
          .ranks_per_node = machine.ranks_per_node};
}

}  // namespace

std::string shortage_of_gpus(std::span<const RankHome> homes, const std::vector<std::string>& own) {
  std::map<std::pair<int, std::string>, std::size_t> holders;  // the first rank of each GPU
  for (std::size_t r = 0; r < own.size(); ++r) {
    if (own[r].empty()) return fmt::format("rank {} on {} sees no GPU that this binary can use", r, homes[r].host);
    const auto [hit, fresh] = holders.emplace(std::pair{homes[r].node, own[r]}, r);
    if (fresh) continue;
    std::set<std::string> gpus;
    std::size_t ranks = 0;
    for (std::size_t other = 0; other < own.size(); ++other) {
      if (homes[other].node != homes[r].node) continue;
      ++ranks;
      if (!own[other].empty()) gpus.insert(own[other]);
    }
    return fmt::format("{} ranks on {} see {} GPU{}: ranks {} and {} would share the one at {}", ranks, homes[r].host,
                       gpus.size(), gpus.size() == 1 ? "" : "s", hit->second, r, own[r]);
  }
  return "";
}

std::unique_ptr<Device> make_device(World& world, const Engine::Config& config) {
  if (const auto gpu = gpu_of(world, config.device)) {
    return make_cuda_device(
        {.index = *gpu, .deterministic = config.deterministic, .products = config.products, .cache = config.cache});
  }
  return make_cpu_device({.threads = threads_of(world, config.threads), .inline_streams = config.inline_streams});
}

int rank_threads(std::span<const RankHome> homes, int rank, int cores) {
  const RankHome& own = homes[static_cast<std::size_t>(rank)];
  int sharing = 0;
  for (const RankHome& other : homes) sharing += other.node == own.node && other.cores == own.cores ? 1 : 0;
  return std::max(1, cores / std::max(1, sharing));
}

Engine::Engine(World& world, const Architecture& architecture, const Config& config, std::shared_ptr<Device> ready)
    : device(ready != nullptr ? std::move(ready) : make_device(world, config)),
      ops(make_ops(*device)),
      stream(device->make_stream("compute")),
      mesh(connect_mesh(world, config.mesh, copies_of(architecture, config.mesh), *device, config.nccl)),
      table(table_of(architecture)),
      store(make_params(table, *device, *ops, config.precision,
                        {mesh.replica.get(), mesh.shard.get(), mesh.tensor.get(), mesh.copies.get()},
                        config.sharding)) {}

Engine::Engine(const Machine& machine, const Architecture& architecture, const Config& config)
    : device(make_dry_device(machine)),
      ops(make_dry_ops(*device, config.deterministic)),
      stream(device->make_stream("compute")),
      mesh(make_dry_mesh(config.mesh, 0, copies_of(architecture, config.mesh), cluster_links(machine))),
      table(table_of(architecture)),
      store(make_params(table, *device, *ops, config.precision,
                        {mesh.replica.get(), mesh.shard.get(), mesh.tensor.get(), mesh.copies.get()},
                        config.sharding)) {}

std::vector<std::string> mesh_table(const World& world, const MeshShape& mesh,
                                    const std::vector<std::string>& devices) {
  constexpr std::size_t kShown = 64;
  const auto homes = world.homes();
  const auto order = ranks_by_node(homes);
  std::vector<std::string> lines{"rank  node              cores       replica shard tensor  device"};
  std::map<std::int64_t, std::int64_t> node_of;  // by tensor group, that of its first rank
  std::set<std::int64_t> torn;
  for (std::size_t r = 0; r < homes.size(); ++r) {
    const MeshPlace place = place_of(mesh, order[r]);
    if (r < kShown) {
      lines.push_back(fmt::format("{:>4}  {:<16}  {:<10}  {:>7} {:>5} {:>6}  {}", r, homes[r].host, homes[r].cores,
                                  place.replica, place.shard, place.tensor, devices[r]));
    }
    const auto [hit, fresh] = node_of.emplace(place.data(mesh), homes[r].node);
    if (!fresh && hit->second != homes[r].node) torn.insert(place.data(mesh));
  }
  if (homes.size() > kShown) lines.push_back(fmt::format("... and {} more ranks", homes.size() - kShown));
  if (!torn.empty()) {
    lines.push_back(
        fmt::format("warning: {} of {} tensor groups cross nodes, which is slow; choose mesh.tensor so that it "
                    "divides the ranks of every node",
                    torn.size(), mesh.data()));
  }
  return lines;
}

std::string padding_note(const Architecture& a, std::int64_t tensor) {
  std::vector<std::string> parts;
  if (a.kv_heads < tensor) {
    parts.push_back(fmt::format("each of {} key/value heads is held by {} ranks", a.kv_heads, tensor / a.kv_heads));
  } else if (a.kv_heads % tensor != 0) {
    const auto padded = (a.kv_heads + tensor - 1) / tensor * tensor;
    parts.push_back(fmt::format("{} heads are padded to {}: {:.0f} % of attention's work is for nothing", a.heads,
                                a.heads / a.kv_heads * padded,
                                100.0 * static_cast<double>(padded - a.kv_heads) / static_cast<double>(padded)));
  }
  const auto pads = [&](const char* what, std::int64_t size) {
    if (size % tensor == 0) return;
    parts.push_back(fmt::format("{} {} padded to {}", what, size, (size + tensor - 1) / tensor * tensor));
  };
  if (const auto each = local_size(vocabulary_section(a), tensor); each * tensor != a.vocabulary) {
    parts.push_back(fmt::format("vocabulary {} padded to {}", a.vocabulary, each * tensor));
  }
  pads("feed-forward width", a.feed_forward);
  return parts.empty() ? "" : fmt::format("mesh.tensor = {}: {}", tensor, fmt::join(parts, "; "));
}

Engine::Config engine_config(const RunConfig& config) {
  return {.mesh = config.mesh,
          .precision = config.train.precision,
          .sharding = {config.sharding.stage, config.sharding.reduce, config.sharding.reduce_dtype},
          .device = config.device,
          .deterministic = config.cuda.deterministic,
          .products = config.cuda.products,
          .cache = cache_folder(config.cuda.cache),
          .nccl = {.channels = static_cast<int>(config.nccl.channels), .gather = config.nccl.gather},
          .threads = config.cpu.threads,
          .inline_streams = config.cpu.inline_streams};
}

LoaderConfig loader_config(const RunConfig& config, Split split) {
  LoaderConfig loader;
  for (std::size_t i = 0; i < config.data.shards.size(); ++i) {
    CorpusConfig corpus{config.data.shards[i]};
    if (i < config.data.weights.size()) corpus.weight = config.data.weights[i];
    loader.corpora.push_back(std::move(corpus));
  }
  if (config.data.weights.empty() && loader.corpora.size() > 1) {
    for (auto& corpus : loader.corpora) {
      LoaderConfig alone{{corpus}, config.train.sequence};
      corpus.weight = static_cast<double>(describe_loader(alone).tokens);
    }
  }
  loader.sequence = config.train.sequence;
  loader.seed = config.train.seed;
  loader.document_mask = config.train.document_mask;
  loader.split = split;
  loader.validation_fraction = config.data.validation;
  return loader;
}

void resolve_data(LoadedRunConfig& loaded, Problems& problems) {
  const auto place = [&](const char* setting, const char* otherwise) {
    const auto hit = loaded.places.find(setting);
    return hit == loaded.places.end() ? std::string(otherwise) : hit->second;
  };
  if (problems.spoilt("data.shards")) return;
  for (const auto& shards : loaded.config.data.shards) {
    if (fs::exists(shards)) continue;
    problems.add(place("data.shards", "default"),
                 fmt::format("data.shards: {} is not there; expected a folder that `trireme data` wrote, or one of its "
                             ".h5 files",
                             shards));
  }
  if (!problems.empty()) return;
  auto& vocabulary = loaded.config.model.architecture.vocabulary;
  const auto info = describe_loader(loader_config(loaded.config, Split::train));
  if (loaded.config.data.validation > 0) describe_loader(loader_config(loaded.config, Split::validation));
  const auto needed = static_cast<std::int64_t>(info.vocabulary);
  if (vocabulary == 0) vocabulary = needed;
  if (needed > vocabulary) {
    problems.add(place("model.vocabulary", "model.preset"),
                 fmt::format("model.vocabulary = {}, but the data's tokenizer has {} tokens; leave it 0 to take the "
                             "data's",
                             vocabulary, needed));
  }
  if (const auto problem = validation_problem(loaded.config); !problem.empty()) {
    problems.add(place("eval.shards", "default"), "eval.shards: " + problem);
  }
  const auto& eval = loaded.config.eval;
  if (eval.exam.empty()) return;
  if (corpus_tokenizer(loaded.config).empty()) {
    problems.add(place("eval.exam", "default"),
                 fmt::format("eval.exam: {} has no tokenizer beside its shards to read the exam with",
                             loaded.config.data.shards.front()));
  } else if (const auto problem = exam_problem(eval.exam, eval.shots); !problem.empty()) {
    problems.add(place("eval.exam", "default"), "eval.exam: " + problem);
  }
}

RunConfig checked_run_config(const std::string& path, const std::vector<std::string>& assignments, std::int64_t ranks,
                             const Problems& found) {
  auto problems = found;
  auto loaded = load_run_config(path, assignments, problems);
  validate(loaded, ranks, problems);
  resolve_data(loaded, problems);
  problems.raise();
  return loaded.config;
}

RunConfig shared_run_config(World& world, const std::string& path, const std::vector<std::string>& assignments,
                            const Problems& found) {
  std::string text;
  on_rank_zero(world, [&] { text = to_yaml(checked_run_config(path, assignments, world.size(), found)); });
  world.group().host_broadcast(text, 0);
  return parse_resolved(text, "settings of rank 0");
}

RunConfig resolved_run_config(const std::string& yaml, const std::string& name) { return parse_resolved(yaml, name); }

int run_together(World& world, const Engine& engine, const std::function<int()>& work) {
  if (world.size() == 1 || engine.device->kind() != DeviceKind::cuda) return work();
  try {
    return work();
  } catch (const std::exception& problem) {
    const auto e = explained(problem);
    if (e.what()[0] == '\0') throw;
    world.abort(e.what(), static_cast<int>(e.code()));
  }
  std::abort();  // World::abort does not return
}

CheckpointParts checkpoint_parts(World& world, Engine& engine) {
  return {.table = engine.table,
          .store = *engine.store,
          .device = *engine.device,
          .stream = *engine.stream,
          .world = world.group()};
}

std::string metrics_path(const RunConfig& config) { return (fs::path(config.run.dir) / "metrics.jsonl").string(); }

std::string checkpoint_folder(const RunConfig& config) { return (fs::path(config.run.dir) / "checkpoints").string(); }

RunConfig read_run_folder(const std::string& folder) {
  const auto path = fs::path(folder) / "run.yaml";
  check_usage(fs::is_regular_file(path), "{} is no run folder: it has no run.yaml; give the run.dir of a training run",
              folder);
  auto config = parse_resolved(read_file(path, std::uint64_t{1} << 20U), path);
  config.run.dir = folder;
  return config;
}

std::string tokenizer_in(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().filename().string().starts_with("tokenizer.")) return entry.path();
  }
  return "";
}

std::string corpus_tokenizer(const RunConfig& config) {
  const auto& corpus = config.data.shards.front();
  return tokenizer_in(fs::is_directory(corpus) ? corpus : fs::path(corpus).parent_path().string());
}

void keep_tokenizer(const std::string& file, const std::string& folder) {
  const auto name = fs::path(file).filename().string();
  const auto at = name.find(".tiktoken");
  const auto to = fs::path(folder) / ("tokenizer" + (at == std::string::npos ? ".json" : name.substr(at)));
  const auto before = tokenizer_in(folder);
  if (!before.empty() && before != to) fs::remove(before);
  write_file_atomic(to, read_file(file, std::uint64_t{256} << 20U));
}

std::string run_folder_problem(const RunConfig& config) {
  const auto path = settings_path(config);
  if (!fs::exists(path)) return "";
  const auto before = parse_resolved(read_file(path, std::uint64_t{1} << 20U), path);
  if (hash_of(before) == hash_of(config)) return "";
  return fmt::format("{} holds a run with other settings; choose another run.dir, or give these back:\n  {}",
                     config.run.dir, fmt::join(differences(before, config), "\n  "));
}

std::unique_ptr<FolderLock> claim_run_folder(const RunConfig& config) {
  // After a kill, mpirun may return before the last process of the job is gone.
  constexpr std::chrono::seconds kPatience{5};
  std::error_code problem;
  fs::create_directories(config.run.dir, problem);
  check(!problem, "cannot create the run folder {}: {}", config.run.dir, problem.message());
  auto lock = std::make_unique<FolderLock>(config.run.dir, kPatience);
  const auto mismatch = run_folder_problem(config);
  check_usage(mismatch.empty(), "{}", mismatch);
  write_file_atomic(settings_path(config), to_yaml(config));
  const auto tokenizer = corpus_tokenizer(config);
  if (!tokenizer.empty() && tokenizer_in(config.run.dir).empty()) keep_tokenizer(tokenizer, config.run.dir);
  return lock;
}

}  // namespace trireme
