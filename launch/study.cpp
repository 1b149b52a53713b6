// SPDX-License-Identifier: Apache-2.0
#include "launch/study.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "launch/run.h"
#include "launch/study_grid.h"
#include "launch/study_names.h"
#include "launch/study_shapes.h"

namespace trireme {
namespace {

/// A model in the settings of one grid point: what budgets and rules are applied to.
struct Subject {
  LoadedRunConfig loaded;
  std::size_t shape = 0;
  std::string suffix;
  double parameters = 0;
  double unique_tokens = 0;
  bool held_out = false;
};

/// How long to train a subject, and why.
struct Target {
  double tokens = 0;
  std::string budget;
  double budget_flops = 0;
};

class Expansion {
 public:
  Expansion(Study& study, ConfigNode base, Places places, std::string path, bool need_data, Problems& problems)
      : study_(study),
        settings_(study.settings),
        base_(std::move(base)),
        places_(std::move(places)),
        path_(std::move(path)),
        need_data_(need_data),
        problems_(problems) {}

  void run() {
    const auto grid = grid_points(settings_, places_, path_, problems_);
    if (!problems_.empty()) return;
    expand("models", settings_.models, settings_.budgets, grid, false);
    expand("held_out.models", settings_.held_out.models, settings_.held_out.budgets, grid, true);
    if (problems_.empty() && study_.runs.empty()) {
      problems_.add(path_, "no run is left: all have fewer or more tokens per parameter than budgets allow");
    }
    make_names_unique();
    std::stable_sort(study_.runs.begin(), study_.runs.end(),
                     [](const StudyRun& a, const StudyRun& b) { return a.flops_appendix_f > b.flops_appendix_f; });
  }

 private:
  std::string place(const std::string& setting) const {
    // An item of a list stands where the first of its settings does.
    const auto hit = places_.lower_bound(setting);
    return hit != places_.end() && hit->first.starts_with(setting) ? hit->second : path_;
  }

  void expand(const std::string& group, const std::vector<StudyModel>& models, const StudyBudgets& budgets,
              const std::vector<GridPoint>& grid, bool held_out) {
    for (std::size_t i = 0; i < models.size() && problems_.empty(); ++i) {
      const auto where = place(fmt::format("{}[{}]", group, i));
      auto tree = base_;
      if (!models[i].preset.empty()) put_setting(tree, "model.preset", scalar_node(models[i].preset, where));
      const auto plain = load_run_config(tree, path_, problems_);
      if (!problems_.empty()) return;
      const auto shapes = shapes_of(models[i], plain.config.model.architecture, where, problems_);
      for (const Architecture& shape : shapes) {
        const auto number = shapes_++;
        for (const GridPoint& point : grid) {
          if (const auto subject = make_subject(tree, shape, number, point, where)) {
            auto held = *subject;
            held.held_out = held_out;
            train(held, budgets);
          }
          if (!problems_.empty()) return;
          if (study_.runs.size() > kMostStudyRuns) {
            return problems_.add(path_, fmt::format("the study has more than {} runs", kMostStudyRuns));
          }
        }
      }
    }
  }

  std::optional<Subject> make_subject(ConfigNode tree, const Architecture& shape, std::size_t number,
                                      const GridPoint& point, const std::string& where) {
    const auto set = [&](const char* name, std::int64_t value) {
      put_setting(tree, fmt::format("model.{}", name), scalar_node(fmt::format("{}", value), where));
    };
    set("layers", shape.layers);
    set("width", shape.width);
    set("heads", shape.heads);
    set("kv_heads", shape.kv_heads);
    set("head_size", shape.head_size);
    set("feed_forward", shape.feed_forward);
    for (const auto& [name, value] : point.values) put_setting(tree, name, value);
    Subject subject{.loaded = load_run_config(tree, path_, problems_), .shape = number, .suffix = point.suffix};
    if (!problems_.empty()) return std::nullopt;
    auto& config = subject.loaded.config;
    const auto& shards = config.data.shards;
    const bool there = !shards.empty() && std::all_of(shards.begin(), shards.end(), [](const std::string& folder) {
      std::error_code ignored;
      return std::filesystem::exists(folder, ignored);
    });
    if (need_data_ || there || config.model.architecture.vocabulary == 0) {
      if (config.data.shards.empty()) {
        problems_.add(place("base.data.shards"),
                      need_data_ ? "base.data.shards is empty; expected folders that `trireme data` wrote"
                                 : "base.model.vocabulary = 0 leaves it to the data, and base.data.shards is empty; "
                                   "give one of them");
        return std::nullopt;
      }
      resolve_data(subject.loaded, problems_);
      if (!problems_.empty()) return std::nullopt;
      subject.unique_tokens = unique_tokens(config);
    }
    subject.parameters = parameters_by(settings_.parameters, config.model.architecture);
    return subject;
  }

  /// Tokens of the training split; every corpus is opened once.
  double unique_tokens(const RunConfig& config) {
    const auto key = fmt::format("{} {} {}", config.data.shards, config.data.validation, config.train.sequence);
    const auto [hit, fresh] = unique_tokens_.emplace(key, 0.0);
    if (fresh) hit->second = static_cast<double>(describe_loader(loader_config(config, Split::train)).tokens);
    return hit->second;
  }

  /// How long the budgets train this subject, shortest first.
  std::vector<Target> targets(const Subject& subject, const StudyBudgets& budgets) {
    const auto& config = subject.loaded.config;
    std::vector<Target> all;
    for (const double tokens : budgets.tokens) all.push_back({tokens, fmt::format("tokens {:g}", tokens)});
    for (const double ratio : budgets.tokens_per_parameter) {
      all.push_back({ratio * subject.parameters, fmt::format("tokens/parameter {:g}", ratio)});
    }
    const double per_token =
        flops_per_token(settings_.flops, settings_.parameters, config.model.architecture, config.train.sequence);
    for (const double flops : budgets.flops) {
      all.push_back({flops / per_token, fmt::format("flops {:g}", flops), flops});
    }
    const auto outside = [&](const Target& t) {
      const double ratio = t.tokens / subject.parameters;
      const bool out = ratio < budgets.least_tokens_per_parameter ||
                       (budgets.most_tokens_per_parameter > 0 && ratio > budgets.most_tokens_per_parameter);
      if (out) {
        study_.notes.push_back(fmt::format("left out: {} for {}, {:.3g} tokens per parameter",
                                           shape_name(config.model.architecture), t.budget, ratio));
      }
      return out;
    };
    all.erase(std::remove_if(all.begin(), all.end(), outside), all.end());
    std::stable_sort(all.begin(), all.end(), [](const Target& a, const Target& b) { return a.tokens < b.tokens; });
    return all;
  }

  void train(const Subject& subject, const StudyBudgets& budgets) {
    const auto all = targets(subject, budgets);
    if (all.empty()) return;
    if (budgets.branch && subject.loaded.config.optimizer.schedule.kind != ScheduleKind::wsd) {
      return problems_.add(place(subject.held_out ? "held_out.budgets.branch" : "budgets.branch"),
                           "branch: budgets share a run only under base.optimizer.schedule.kind wsd, where the "
                           "learning rate is the same until the decay");
    }
    for (const double seed : settings_.seeds) {
      if (!budgets.branch) {
        for (const Target& target : all) add(make_run(subject, target, seed));
        continue;
      }
      auto trunk = make_run(subject, all.back(), seed);
      for (std::size_t i = 0; i + 1 < all.size() && problems_.empty(); ++i) add_branch(trunk, subject, all[i], seed);
      add(std::move(trunk));
    }
  }

  /// The run with everything that follows from N and D; held against the rules of every training run.
  StudyRun make_run(const Subject& subject, const Target& target, double seed) {
    auto loaded = subject.loaded;
    RunConfig& config = loaded.config;
    const Architecture& a = config.model.architecture;
    apply_rules(config, subject.parameters, target.tokens);
    config.train.seed = static_cast<std::uint64_t>(seed);
    hold(loaded);
    StudyRun run{.hash = hash_of(config),
                 .config = config,
                 .shape = subject.shape,
                 .budget = target.budget,
                 .budget_flops = target.budget_flops,
                 .held_out = subject.held_out,
                 .parameters_total = parameters_by(ParameterCount::total, a),
                 .parameters_non_embedding = parameters_by(ParameterCount::non_embedding, a),
                 .parameters_chinchilla = parameters_by(ParameterCount::chinchilla, a),
                 .tokens = static_cast<double>(config.train.steps) *
                           static_cast<double>(config.train.global_batch * config.train.sequence),
                 .unique_tokens = subject.unique_tokens};
    run.flops_6nd = 6.0 * subject.parameters * run.tokens;
    run.flops_appendix_f =
        flops_per_token(FlopCount::appendix_f, settings_.parameters, a, config.train.sequence) * run.tokens;
    run.name = fmt::format("n{}-d{}{}-s{:.0f}", short_number(subject.parameters), short_number(run.tokens),
                           subject.suffix, seed);
    run.config.run.dir =
        (std::filesystem::path(settings_.folder) / "runs" / fmt::format("{}-{}", run.name, run.hash.substr(0, 8)));
    return run;
  }

  void apply_rules(RunConfig& config, double parameters, double tokens) const {
    const auto& rules = settings_.rules;
    const auto sequence = static_cast<double>(config.train.sequence);
    if (rules.lr.value > 0) config.optimizer.lr = rules.lr.at(parameters, tokens);
    if (rules.batch.value > 0) {
      const double multiples =
          rules.batch.at(parameters, tokens) / sequence / static_cast<double>(rules.batch_multiple);
      config.train.global_batch = std::max<std::int64_t>(1, std::llround(multiples)) * rules.batch_multiple;
    }
    const double update = static_cast<double>(config.train.global_batch) * sequence;
    config.train.steps = std::max<std::int64_t>(1, std::llround(tokens / update));
    auto& schedule = config.optimizer.schedule;
    if (rules.warmup.value > 0) schedule.warmup_steps = std::llround(rules.warmup.at(parameters, tokens) / update);
    if (rules.horizon != 1.0) {
      schedule.horizon =
          std::max<std::int64_t>(1, std::llround(rules.horizon * static_cast<double>(config.train.steps)));
    }
  }

  /// Validates for the ranks that are known; axes and micro-batches that nobody gave stay open (0) for size_runs().
  void hold(LoadedRunConfig& loaded) {
    RunConfig& config = loaded.config;
    const bool fixed = settings_.ranks.choice == RankChoice::fixed;
    const bool micro_given = loaded.places.contains("train.micro_batch");
    const auto mesh = config.mesh;
    const auto shards = config.data.shards;
    const auto micro = config.train.micro_batch;
    config.train.micro_batch = 1;
    if (!fixed) config.mesh = {};
    if (shards.empty()) config.data.shards = {"none"};
    validate(loaded, fixed ? settings_.ranks.each : 1, problems_);
    config.data.shards = shards;
    config.train.micro_batch = micro_given ? micro : 0;
    if (fixed) return;
    config.mesh = mesh;
    if (!loaded.places.contains("mesh.replica")) config.mesh.replica = 0;
    if (!loaded.places.contains("mesh.shard")) config.mesh.shard = 0;
    if (!loaded.places.contains("mesh.tensor")) config.mesh.tensor = 0;
  }

  /// A shorter budget of the trunk, which leaves it where its own decay begins.
  void add_branch(StudyRun& trunk, const Subject& subject, const Target& target, double seed) {
    auto run = make_run(subject, target, seed);
    if (run.hash == trunk.hash) return;
    const auto& schedule = run.config.optimizer.schedule;
    const auto steps = static_cast<double>(run.config.train.steps);
    const auto from = static_cast<std::int64_t>(std::floor(steps - schedule.decay_fraction * steps));
    trunk.branches.push_back({.name = run.name,
                              .hash = run.hash,
                              .config = run.config,
                              .from_step = std::max(from, schedule.warmup_steps),
                              .tokens = run.tokens,
                              .flops_6nd = run.flops_6nd,
                              .flops_appendix_f = run.flops_appendix_f,
                              .budget = run.budget,
                              .budget_flops = run.budget_flops});
  }

  void add(StudyRun run) {
    const auto [hit, fresh] = by_hash_.emplace(run.hash, run.name);
    if (fresh) {
      study_.runs.push_back(std::move(run));
    } else {
      study_.notes.push_back(
          fmt::format("{} ({}) is the same run as {}: it is made once", run.name, run.budget, hit->second));
    }
  }

  /// Two runs may differ in what a name does not tell; their hashes do then.
  void make_names_unique() {
    std::map<std::string, int> count;
    const auto each = [&](const auto& body) {
      for (StudyRun& run : study_.runs) {
        body(run.name, run.hash);
        for (StudyBranch& branch : run.branches) body(branch.name, branch.hash);
      }
    };
    each([&](const std::string& name, const std::string&) { ++count[name]; });
    each([&](std::string& name, const std::string& hash) {
      if (count[name] > 1) name += "-" + hash.substr(0, 8);
    });
  }

  Study& study_;
  const StudySettings& settings_;
  ConfigNode base_;
  Places places_;
  std::string path_;
  bool need_data_;
  Problems& problems_;
  std::size_t shapes_ = 0;
  std::map<std::string, double> unique_tokens_;
  std::map<std::string, std::string> by_hash_;  // name of the run that has it
};

/// What the study's own settings cannot be, whatever the models are.
void check_settings(const StudySettings& s, const Places& places, const std::string& path, Problems& problems) {
  const auto require = [&](bool ok, const std::string& setting, const std::string& message) {
    if (ok || problems.spoilt(setting)) return;
    const auto hit = places.find(setting);
    problems.add(hit == places.end() ? path : hit->second, message);
  };
  const auto any = [](const StudyBudgets& b) {
    return !b.tokens.empty() || !b.tokens_per_parameter.empty() || !b.flops.empty();
  };
  require(!s.models.empty(), "models", "models is empty; expected presets, shapes, rows of a table or depths");
  require(any(s.budgets), "budgets", "budgets are empty; expected tokens, tokens_per_parameter or flops");
  require(s.held_out.models.empty() == !any(s.held_out.budgets), "held_out",
          "held_out needs both models and budgets, or neither");
  require(!s.seeds.empty(), "seeds", "seeds is empty; expected at least one");
  for (const double seed : s.seeds) {
    require(seed == std::floor(seed) && seed <= 9007199254740992.0, "seeds",
            fmt::format("seeds has {}; expected whole numbers up to 2^53", seed));
  }
  const auto check_branch = [&](const StudyBudgets& b, const std::string& setting) {
    if (!b.branch) return;
    const auto& r = s.rules;
    require(
        r.lr.tokens_exponent == 0 && r.batch.tokens_exponent == 0 && r.warmup.tokens_exponent == 0 && r.horizon == 1,
        setting + ".branch",
        setting +
            ".branch: the budgets of a model share one run, and a rule of tokens (rules.*.tokens_exponent, "
            "rules.horizon) would tell them apart before they part");
  };
  check_branch(s.budgets, "budgets");
  check_branch(s.held_out.budgets, "held_out.budgets");
}

}  // namespace

double StudyRun::all_seconds() const {
  double sum = seconds;
  for (const StudyBranch& branch : branches) sum += branch.seconds;
  return sum;
}

Study load_study(const std::string& path, std::span<const std::string> assignments, bool need_data,
                 Problems& problems) {
  auto root = parse_yaml_file(path, problems);
  for (const auto& assignment : assignments) override_node(root, assignment, problems);
  Study study;
  auto places = read_fields(root, problems, [&](FieldVisitor& v) { fields(v, study.settings); });
  check_settings(study.settings, places, path, problems);
  ConfigNode base;
  base.kind = ConfigNode::Kind::map;
  base.place = path;
  if (const auto& file = study.settings.base_file; !file.empty()) {
    Problems in_file;
    base = parse_yaml_file(file, in_file);
    load_run_config(base, file, in_file);
    problems.add_all(in_file);
  }
  if (!problems.empty()) return study;
  if (const ConfigNode* given = root.find("base"); given != nullptr && given->kind == ConfigNode::Kind::map) {
    auto settings = *given;
    const auto file = std::find(settings.keys.begin(), settings.keys.end(), "file");
    if (file != settings.keys.end()) {
      settings.items.erase(settings.items.begin() + (file - settings.keys.begin()));
      settings.keys.erase(file);
    }
    merge_node(base, settings);
  }
  Expansion(study, std::move(base), std::move(places), path, need_data, problems).run();
  if (!problems.empty()) study.runs.clear();
  return study;
}

}  // namespace trireme
