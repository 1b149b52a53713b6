// SPDX-License-Identifier: Apache-2.0
#include "launch/run_config.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>

#include "core/base/error.h"
#include "core/base/field_list.h"
#include "core/io/checksum.h"

namespace trireme {
namespace {

constexpr std::string_view kFamilies[] = {"gpt2", "llama"};
constexpr std::string_view kParametrizations[] = {"standard", "mup"};
constexpr std::string_view kPrecisions[] = {"fp32", "bf16"};  // in the order of Dtype
constexpr std::string_view kRecompute[] = {"none", "light", "full"};
constexpr std::string_view kDevices[] = {"auto", "cpu", "cuda"};
constexpr std::string_view kProductChoices[] = {"heuristic", "measured"};
constexpr std::string_view kDeterminism[] = {"auto", "true", "false"};
constexpr std::string_view kReduceEvery[] = {"step", "micro_step"};
constexpr std::string_view kSchedules[] = {"constant", "linear", "cosine", "wsd"};
constexpr std::string_view kDecays[] = {"sqrt", "linear"};

void fields(FieldVisitor& v, RopeConfig& c) {
  v.field("theta", c.theta, "base of the rotation's wavelengths", kPositive);
  v.field("factor", c.factor, "stretch of low frequencies as in Llama-3.1; 1: none", kAtLeastOne);
  v.field("low_frequency_factor", c.low_frequency_factor, "wavelengths beyond context/this are stretched", kPositive);
  v.field("high_frequency_factor", c.high_frequency_factor, "wavelengths below context/this are not", kPositive);
  v.field("original_context", c.original_context, "context before stretching", kAtLeastOne);
}

void fields(FieldVisitor& v, ScheduleConfig& c) {
  v.choice("kind", c.kind, kSchedules, "shape of the learning rate over steps");
  v.field("warmup_steps", c.warmup_steps, "linear warm-up from 0", kNotNegative);
  v.field("final_ratio", c.final_ratio, "of the peak, at the end of the decay", kFraction);
  v.field("decay_fraction", c.decay_fraction, "wsd: the part of all steps that decays", kFraction);
  v.choice("decay_shape", c.decay_shape, kDecays, "wsd: 1 - sqrt(progress) or 1 - progress");
  v.field("horizon", c.horizon, "steps that the schedule spans; 0: train.steps", kNotNegative);
}

void fields(FieldVisitor& v, OptimizerConfig& c) {
  v.field("lr", c.lr, "peak learning rate", kPositive);
  v.field("beta1", c.beta1, "decay of the first moment", kFraction);
  v.field("beta2", c.beta2, "decay of the second moment", kFraction);
  v.field("eps", c.eps, "added to the root of the second moment", kPositive);
  v.field("weight_decay", c.weight_decay, "on matrices and embeddings", kNotNegative);
  v.field("clip", c.clip, "global norm that gradients are clipped to; 0: off", kNotNegative);
  v.group("schedule", "the learning rate over steps", [&] { fields(v, c.schedule); });
}

void train_fields(FieldVisitor& v, TrainerConfig& c) {
  v.field("steps", c.steps, "updates in the whole run", kAtLeastOne);
  v.field("sequence", c.sequence, "tokens per sample (T); 0: the model's context, at most 1024", kNotNegative);
  v.field("global_batch", c.global_batch, "samples per update, over all ranks", kAtLeastOne);
  v.field("micro_batch", c.micro_batch, "samples per forward pass of one rank (B)", kAtLeastOne);
  auto seed = static_cast<std::int64_t>(c.seed);
  v.field("seed", seed, "of initial parameters and of the order of samples", kNotNegative);
  c.seed = static_cast<std::uint64_t>(seed);
  v.count_or_auto("head_rows", c.head_rows, "rows whose logits exist at a time; auto: as suits the device");
  v.group("skip", "updates that are not made: those whose loss or gradient norm is not finite, or a spike", [&] {
    v.field("budget", c.skip.budget, "updates that a run may skip; one more ends it", kNotNegative);
    v.field("loss_factor", c.skip.loss_factor, "above 1, of its running mean: a larger loss is a spike; 0: none is",
            kNotNegative);
    v.field("norm_factor", c.skip.norm_factor,
            "above 1, of its running mean: a larger gradient norm is a spike; 0: none is", kNotNegative);
    v.field("window", c.skip.window, "updates that the means look back on; before as many, nothing is a spike",
            kAtLeastOne);
  });
}

}  // namespace

void fields(FieldVisitor& v, Architecture& c) {
  v.choice("family", c.family, kFamilies, "kind of transformer");
  v.field("vocabulary", c.vocabulary, "tokens; 0: that of the data", kNotNegative);
  v.field("context", c.context, "longest sequence (rows of learned positions)", kAtLeastOne);
  v.field("layers", c.layers, "blocks", kAtLeastOne);
  v.field("width", c.width, "of the residual stream (D)", kAtLeastOne);
  v.field("heads", c.heads, "query heads (H)", kAtLeastOne);
  v.field("kv_heads", c.kv_heads, "key and value heads (G)", kAtLeastOne);
  v.field("head_size", c.head_size, "of one head (K)", kAtLeastOne);
  v.field("feed_forward", c.feed_forward, "width inside the MLP (F)", kAtLeastOne);
  v.field("norm_eps", c.norm_eps, "added to the variance", kPositive);
  v.field("tied", c.tied, "head and token embedding share one matrix");
  v.field("qkv_bias", c.qkv_bias, "biases on queries, keys and values (llama)");
  v.group("rope", "rotary positions (llama)", [&] { fields(v, c.rope); });
  v.choice("parametrization", c.parametrization, kParametrizations,
           "how initial sizes and learning rates depend on the width");
  v.field("base_width", c.base_width, "mup: the width at which it is the standard one", kAtLeastOne);
  v.field("base_head_size", c.base_head_size, "mup: likewise of attention's scale; 0: head_size", kNotNegative);
}

void fields(FieldVisitor& v, RunConfig& c) {
  v.group("run", "the run", [&] {
    v.field("dir", c.run.dir, "folder of everything the run writes");
    v.field("max_seconds", c.run.max_seconds,
            "save and leave with exit code 75 when this time is about to be over; 0: no limit", kNotNegative);
  });
  v.group("model", "the model: a preset, and settings that replace the preset's", [&] {
    v.field("preset", c.model.preset, "a file of configs/models/, by name or path");
    fields(v, c.model.architecture);
  });
  v.group("train", "the steps", [&] { train_fields(v, c.train); });
  v.choice("precision", c.train.precision, kPrecisions, "compute dtype; masters and moments are fp32");
  v.choice("recompute", c.train.recompute, kRecompute,
           "what backward computes again: nothing; norms and activation functions; every block");
  v.group("mesh", "ranks by axis; their product is the number of ranks", [&] {
    v.count_or_auto("replica", c.mesh.replica, "data-parallel replicas; auto: what the other axes leave");
    v.count_or_auto("shard", c.mesh.shard, "ranks that share one copy of the parameters; auto: what the others leave");
    v.field("tensor", c.mesh.tensor, "ranks that split each layer, within a node", kAtLeastOne);
  });
  v.group("sharding", "what the shard axis shards, and how it sums gradients", [&] {
    auto zero = static_cast<std::int64_t>(c.sharding.stage);
    v.field("zero", zero, "ZeRO stage; 1: optimizer, 2: gradients too, 3: parameters too", {.low = 1, .high = 3});
    c.sharding.stage = static_cast<ZeroStage>(zero);
    v.choice("reduce", c.sharding.reduce, kReduceEvery,
             "stages 2 and 3: sum whole gradients once, or parts as they come");
    v.choice("reduce_dtype", c.sharding.reduce_dtype, kPrecisions, "of gradients on the way over the shard axis");
  });
  v.group("optimizer", "AdamW", [&] { fields(v, c.optimizer); });
  v.group("data", "what is read", [&] {
    v.field("shards", c.data.shards, "folders of token shards");
    v.field("weights", c.data.weights, "of each folder in the mixture; none: by its tokens", kPositive);
    v.field("validation", c.data.validation, "part of the data held out", kFraction);
    v.field("document_mask", c.train.document_mask, "attention stays within a document");
  });
  v.group("checkpoint", "saving", [&] {
    v.field("every", c.checkpoint.every, "steps between checkpoints; 0: only at the end", kNotNegative);
    v.field("keep", c.checkpoint.keep, "newest checkpoints that stay", kAtLeastOne);
  });
  v.group("eval", "validation loss", [&] {
    v.field("every", c.eval.every, "steps between validations; 0: only at the end", kNotNegative);
    v.field("samples", c.eval.samples, "held-out samples that are scored", kAtLeastOne);
  });
  v.group("log", "what people see", [&] { v.field("every", c.log.every, "steps between lines", kAtLeastOne); });
  v.group("watchdog", "ends a job that hangs, and says whose fault it is", [&] {
    v.field("seconds", c.watchdog.seconds, "longest wait of one rank for others that show no progress; 0: off",
            kNotNegative);
  });
  v.choice("device", c.device, kDevices, "where the model runs; auto: a GPU where every rank has its own");
  v.group("cuda", "the GPU", [&] {
    v.choice("deterministic", c.cuda.deterministic, kDeterminism,
             "the same bits on every run, also from attention's backward pass; auto: for sequences of at most 2048");
    v.choice("products", c.cuda.products, kProductChoices,
             "a matrix product's algorithm: the library's first proposal, or the fastest when tried at its first use");
    v.field("cache", c.cuda.cache,
            "folder that keeps what was tried, for the same bits at the next start; auto: the user's cache; empty: "
            "none, and products are heuristic");
  });
  v.group("nccl", "collectives between GPUs", [&] {
    v.field("channels", c.nccl.channels,
            "multiprocessors that a collective over replicas or shards takes from the compute beside it; 0: as NCCL "
            "chooses",
            {.low = 0, .high = 64});
  });
  v.group("cpu", "the CPU device", [&] {
    v.field("threads", c.cpu.threads, "of each rank; 0: the cores that it may run on, shared with its neighbours",
            kNotNegative);
    v.field("inline_streams", c.cpu.inline_streams, "run work in the caller instead of on a queue");
  });
}

std::vector<std::string> configs_places() {
  namespace fs = std::filesystem;
  if (const char* given = std::getenv("TRIREME_CONFIGS"); given != nullptr && *given != '\0') return {given};
  std::vector<std::string> places;
  std::error_code ignored;
  auto folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (int level = 0; level < 4 && folder.has_relative_path(); ++level, folder = folder.parent_path()) {
    places.push_back(folder / "configs");
  }
  places.emplace_back("configs");
  return places;
}

std::string configs_folder() {
  namespace fs = std::filesystem;
  const auto places = configs_places();
  std::error_code ignored;
  const auto hit = std::find_if(places.begin(), places.end(),
                                [&](const std::string& p) { return fs::is_directory(p + "/models", ignored); });
  return hit == places.end() ? places.back() : *hit;
}

namespace {

/// Why there is no preset of this name: the nearest one, or where presets were looked for.
std::string no_preset(const std::string& name, const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  if (name.find('/') != std::string::npos) return fmt::format("no model preset at {}: no such file", name);
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem());
  }
  if (names.empty()) {
    return fmt::format(
        "no model preset '{}': no presets (models/*.yaml) in {}; set TRIREME_CONFIGS to the folder configs/ of the "
        "sources, or model.preset to the path of a preset",
        name, fmt::join(configs_places(), ", "));
  }
  std::sort(names.begin(), names.end());
  const auto near = nearest(name, names);
  return near.empty() ? fmt::format("no model preset '{}'; there are {}", name, fmt::join(names, ", "))
                      : fmt::format("no model preset '{}'; did you mean '{}'?", name, near);
}

/// The tree of a preset's architecture; empty when there is none of that name, which is a problem.
ConfigNode load_preset(const std::string& name, const std::string& place, Problems& problems) {
  namespace fs = std::filesystem;
  const auto folder = fs::path(configs_folder()) / "models";
  const auto path = name.find('/') != std::string::npos ? fs::path(name) : folder / (name + ".yaml");
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) {
    problems.add(place, no_preset(name, folder));
    problems.spoil("model");
    return {};
  }
  auto node = parse_yaml_file(path, problems);
  for (const auto* key : {"name", "parameters"}) {
    const auto hit = std::find(node.keys.begin(), node.keys.end(), key);
    if (hit == node.keys.end()) continue;
    node.items.erase(node.items.begin() + (hit - node.keys.begin()));
    node.keys.erase(hit);
  }
  return node;
}

/// Puts the preset that the tree names, or else `standard`, under the tree's settings of the model.
void add_preset(ConfigNode& root, const std::string& standard, const std::string& path, Problems& problems) {
  const auto* model = root.find("model");
  const auto* preset = model == nullptr ? nullptr : model->find("preset");
  if (preset != nullptr && preset->kind != ConfigNode::Kind::scalar) return problems.spoil("model");
  auto base =
      load_preset(preset != nullptr ? preset->text : standard, preset != nullptr ? preset->place : path, problems);
  if (base.kind != ConfigNode::Kind::map) return;
  if (model != nullptr) merge_node(base, *model);
  ConfigNode top;
  top.kind = ConfigNode::Kind::map;
  top.keys = {"model"};
  top.items = {std::move(base)};
  merge_node(root, top);
}

}  // namespace

LoadedRunConfig load_run_config(const std::string& path, std::span<const std::string> assignments, Problems& problems) {
  auto root = path.empty() ? ConfigNode{} : parse_yaml_file(path, problems);
  for (const auto& assignment : assignments) override_node(root, assignment, problems);
  return load_run_config(std::move(root), path, problems);
}

LoadedRunConfig load_run_config(ConfigNode root, const std::string& place, Problems& problems) {
  if (root.kind == ConfigNode::Kind::null) root.kind = ConfigNode::Kind::map;
  LoadedRunConfig loaded;
  add_preset(root, loaded.config.model.preset, place, problems);
  loaded.places = read_fields(root, problems, [&](FieldVisitor& v) { fields(v, loaded.config); });
  auto& sequence = loaded.config.train.sequence;
  if (sequence == 0) sequence = std::min(loaded.config.model.architecture.context, kLongestDefault);
  return loaded;
}

std::string resolve_mesh(MeshShape& mesh, std::int64_t ranks) {
  constexpr std::int64_t kMostRanks = std::int64_t{1} << 20U;  // the product of three axes is still a number
  const auto given = [](std::int64_t n) { return n == 0 ? std::string("auto") : fmt::format("{}", n); };
  const auto asked = fmt::format("mesh.replica * shard * tensor = {} * {} * {}", given(mesh.replica), given(mesh.shard),
                                 given(mesh.tensor));
  // Later rules multiply the axes again.
  const auto largest = std::max({mesh.replica, mesh.shard, mesh.tensor});
  if (largest > kMostRanks) {
    mesh = {};
    return fmt::format("{}: an axis of {} ranks is longer than the {} that a job can have", asked, largest, kMostRanks);
  }
  if (mesh.replica == 0 && mesh.shard == 0) mesh.replica = 1;
  auto& open = mesh.replica == 0 ? mesh.replica : mesh.shard;
  const bool free = open == 0;
  if (free) open = 1;
  const auto known = mesh.ranks();
  if (free && ranks % known == 0) {
    open = ranks / known;
    return {};
  }
  if (known == ranks) return {};
  std::vector<std::string> possible;
  for (std::int64_t tensor = 1; tensor <= ranks; ++tensor) {
    for (std::int64_t shard = 1; shard * tensor <= ranks; ++shard) {
      if (ranks % (shard * tensor) == 0) {
        possible.push_back(fmt::format("{}*{}*{}", ranks / (shard * tensor), shard, tensor));
      }
    }
  }
  constexpr std::size_t kShown = 12;
  const auto shown = std::min(possible.size(), kShown);
  return fmt::format("{} cannot be the {} ranks of this job; start it with mpirun -n {}{}, or choose among {}{}", asked,
                     ranks, known, free ? " or a multiple" : "",
                     fmt::join(possible.begin(), possible.begin() + static_cast<std::ptrdiff_t>(shown), " "),
                     shown < possible.size() ? " ..." : "");
}

std::string tensor_problem(const Architecture& a, std::int64_t tensor) {
  if (a.kv_heads >= tensor) return {};
  if (tensor % a.kv_heads != 0) {
    return fmt::format("more than model.kv_heads = {} and no multiple of it", a.kv_heads);
  }
  const auto neighbours = tensor / a.kv_heads;
  if (a.heads / a.kv_heads % neighbours == 0) return {};
  return fmt::format("{} ranks would share a key/value head, but its {} query heads do not divide by {}", neighbours,
                     a.heads / a.kv_heads, neighbours);
}

void validate(LoadedRunConfig& loaded, std::int64_t ranks, Problems& problems) {
  auto& c = loaded.config;
  const auto& a = c.model.architecture;
  // The first of the settings that a rule speaks of is where its message points to.
  const auto require = [&](bool ok, std::initializer_list<std::string_view> settings, const std::string& message) {
    const auto spoilt = [&](std::string_view path) { return problems.spoilt(path); };
    if (ok || std::any_of(settings.begin(), settings.end(), spoilt)) return;
    const auto hit = loaded.places.find(*settings.begin());
    problems.add(hit == loaded.places.end() ? "default" : hit->second, message);
  };
  const auto divides = [](std::int64_t part, std::int64_t whole) { return part > 0 && whole % part == 0; };

  require(divides(a.kv_heads, a.heads), {"model.kv_heads", "model.heads"},
          fmt::format("model.kv_heads = {} does not divide model.heads = {}", a.kv_heads, a.heads));
  require(a.family == Family::llama || a.kv_heads == a.heads, {"model.kv_heads", "model.heads", "model.family"},
          fmt::format("model.kv_heads = {} with model.family gpt2; expected model.heads = {}", a.kv_heads, a.heads));
  require(a.family == Family::gpt2 || a.head_size % 2 == 0, {"model.head_size", "model.family"},
          fmt::format("model.head_size = {} is odd; rotary positions turn pairs", a.head_size));
  require(a.family == Family::llama || a.tied, {"model.tied", "model.family"},
          "model.tied = false with model.family gpt2, whose head is tied");
  require(c.train.sequence <= a.context, {"train.sequence", "model.context"},
          fmt::format("train.sequence = {} is longer than model.context = {}", c.train.sequence, a.context));
  const auto mesh_problem = resolve_mesh(c.mesh, ranks);
  const std::string_view axes[] = {"mesh.replica", "mesh.shard", "mesh.tensor"};
  const auto* given =
      std::find_if(std::begin(axes), std::end(axes), [&](const auto& axis) { return loaded.places.contains(axis); });
  require(mesh_problem.empty(),
          {given == std::end(axes) ? axes[0] : *given, "mesh.replica", "mesh.shard", "mesh.tensor"}, mesh_problem);
  if (const auto problem = tensor_problem(a, c.mesh.tensor); !problem.empty()) {
    std::vector<std::int64_t> possible;
    for (std::int64_t t = 1; t <= ranks; ++t) {
      if (divides(t, ranks) && tensor_problem(a, t).empty()) possible.push_back(t);
    }
    require(false, {"mesh.tensor", "model.heads", "model.kv_heads", "model.feed_forward", "mesh.replica", "mesh.shard"},
            fmt::format("mesh.tensor = {}: {}; possible on {} ranks: {}", c.mesh.tensor, problem, ranks,
                        fmt::join(possible, " ")));
  }
  require(divides(c.mesh.tensor, c.train.micro_batch * c.train.sequence),
          {"mesh.tensor", "train.micro_batch", "train.sequence", "mesh.replica", "mesh.shard"},
          fmt::format("mesh.tensor = {} does not divide train.micro_batch * train.sequence = {} * {} tokens, which the "
                      "axis splits",
                      c.mesh.tensor, c.train.micro_batch, c.train.sequence));
  std::vector<std::int64_t> micro_batches;
  for (std::int64_t b = 1; b <= c.train.global_batch && micro_batches.size() < 12; ++b) {
    if (divides(b * c.mesh.data(), c.train.global_batch)) micro_batches.push_back(b);
  }
  const auto per_pass = c.train.micro_batch * c.mesh.data();
  require(divides(per_pass, c.train.global_batch),
          {"train.global_batch", "train.micro_batch", "mesh.replica", "mesh.shard", "mesh.tensor"},
          fmt::format(
              "train.global_batch = {} is not a multiple of train.micro_batch * data-parallel ranks = {} * {}; {}",
              c.train.global_batch, c.train.micro_batch, c.mesh.data(),
              micro_batches.empty()
                  ? fmt::format("the nearest multiple is {}",
                                per_pass * std::max<std::int64_t>(1, (c.train.global_batch + per_pass / 2) / per_pass))
                  : fmt::format("train.micro_batch may be {}", fmt::join(micro_batches, " "))));
  require(c.optimizer.schedule.warmup_steps <= c.train.steps, {"optimizer.schedule.warmup_steps", "train.steps"},
          fmt::format("optimizer.schedule.warmup_steps = {} is more than train.steps = {}",
                      c.optimizer.schedule.warmup_steps, c.train.steps));
  require(c.optimizer.beta1 < 1 && c.optimizer.beta2 < 1,
          {c.optimizer.beta1 < 1 ? "optimizer.beta2" : "optimizer.beta1", "optimizer.beta1", "optimizer.beta2"},
          fmt::format("optimizer.beta1 = {} and beta2 = {} must be below 1", c.optimizer.beta1, c.optimizer.beta2));
  const std::pair<std::string_view, double> spikes[] = {{"train.skip.loss_factor", c.train.skip.loss_factor},
                                                        {"train.skip.norm_factor", c.train.skip.norm_factor}};
  for (const auto& [setting, factor] : spikes) {
    require(factor == 0 || factor > 1, {setting},
            fmt::format("{} = {}: whatever is above so much of its mean would be skipped; expected more than 1, or 0 "
                        "for no such rule",
                        setting, factor));
  }
  require(!c.data.shards.empty(), {"data.shards"}, "data.shards is empty; expected folders that `trireme data` wrote");
  require(c.data.weights.empty() || c.data.weights.size() == c.data.shards.size(), {"data.weights", "data.shards"},
          fmt::format("data.weights has {} numbers for {} folders in data.shards", c.data.weights.size(),
                      c.data.shards.size()));
  require(c.data.validation < 1, {"data.validation"}, "data.validation = 1 leaves nothing to train on");
}

std::string to_yaml(const RunConfig& config) {
  auto copy = config;
  return write_fields([&](FieldVisitor& v) { fields(v, copy); });
}

namespace {

/// The configuration with everything at its default that does not fix the result.
RunConfig decisive(const RunConfig& config) {
  auto copy = config;
  const RunConfig defaults;
  copy.run = defaults.run;
  copy.log = defaults.log;
  copy.watchdog = defaults.watchdog;
  copy.cpu = defaults.cpu;
  copy.cuda = defaults.cuda;
  copy.nccl = defaults.nccl;
  copy.device = defaults.device;
  copy.eval = defaults.eval;
  copy.checkpoint = defaults.checkpoint;
  copy.mesh = defaults.mesh;
  copy.sharding = defaults.sharding;
  copy.sharding.reduce_dtype = config.sharding.reduce_dtype;  // sums in bf16 are others, not the same in another order
  copy.train.micro_batch = defaults.train.micro_batch;
  copy.train.recompute = defaults.train.recompute;
  copy.train.head_rows = defaults.train.head_rows;
  copy.train.skip = defaults.train.skip;
  return copy;
}

}  // namespace

std::string what_fixes_the_result(const RunConfig& config) { return to_yaml(decisive(config)); }

std::string hash_of(const RunConfig& config) { return hex(xxh3_64(what_fixes_the_result(config))); }

std::vector<std::string> differences(const RunConfig& before, const RunConfig& now) {
  auto old_values = decisive(before);
  auto new_values = decisive(now);
  const auto was = list_fields([&](FieldVisitor& v) { fields(v, old_values); });
  const auto is = list_fields([&](FieldVisitor& v) { fields(v, new_values); });
  // A struct without lists of structs has the same fields, whatever their values.
  std::vector<std::size_t> different;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < was.size(); ++i) {
    if (was[i].value == is[i].value) continue;
    different.push_back(i);
    longest = std::max(longest, was[i].name.size());
  }
  std::vector<std::string> lines;
  lines.reserve(different.size());
  for (const auto i : different) {
    lines.push_back(fmt::format("{:<{}} was {}, now {}", was[i].name + ":", longest + 1, was[i].value, is[i].value));
  }
  return lines;
}

}  // namespace trireme
