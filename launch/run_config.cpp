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
