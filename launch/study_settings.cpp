// SPDX-License-Identifier: Apache-2.0
#include "launch/study_settings.h"

#include <cmath>

namespace trireme {
namespace {

constexpr std::string_view kShapeTables[] = {"none", "chinchilla_a9"};
constexpr std::string_view kRankChoices[] = {"fixed", "memory", "time"};

void fields(FieldVisitor& v, StudyBudgets& c) {
  v.field("tokens", c.tokens, "tokens to train on", kPositive);
  v.field("tokens_per_parameter", c.tokens_per_parameter, "of each model's own N", kPositive);
  v.field("flops", c.flops, "IsoFLOP profiles: each model trains for as many tokens as these FLOPs buy", kPositive);
  v.field("least_tokens_per_parameter", c.least_tokens_per_parameter, "runs with fewer are left out", kNotNegative);
  v.field("most_tokens_per_parameter", c.most_tokens_per_parameter, "runs with more are left out; 0: none are",
          kNotNegative);
  v.field("branch", c.branch, "wsd: run each model's longest budget once; the shorter ones leave it at their decay");
}

void fields(FieldVisitor& v, StudyRule& c) {
  v.field("value", c.value, "at parameters_at and tokens_at; 0: no rule, the base's setting", kNotNegative);
  v.field("parameters_exponent", c.parameters_exponent, "of N / parameters_at; 0: whatever N is");
  v.field("parameters_at", c.parameters_at, "N where the rule has its value", kPositive);
  v.field("tokens_exponent", c.tokens_exponent, "of D / tokens_at; 0: whatever D is");
  v.field("tokens_at", c.tokens_at, "D where the rule has its value", kPositive);
}

void what_is_run(FieldVisitor& v, std::vector<StudyModel>& models, StudyBudgets& budgets) {
  v.list("models", models, "shapes; every shape is trained for every budget");
  v.group("budgets", "how long to train: all of these, for each shape", [&] { fields(v, budgets); });
}

}  // namespace

double StudyRule::at(double parameters, double tokens) const {
  return value * std::pow(parameters / parameters_at, parameters_exponent) *
         std::pow(tokens / tokens_at, tokens_exponent);
}

void fields(FieldVisitor& v, StudyModel& c) {
  v.field("preset", c.preset, "a file of configs/models/, by name or path; empty: the base's");
  v.choice("table", c.table, kShapeTables, "shapes of a published table, their width and heads, in the base's family");
  v.field("sizes", c.sizes, "rows of the table, by the millions of parameters that it prints; none: all", kPositive);
  v.field("depths", c.depths, "a shape for each: so many layers, aspect times as wide", kAtLeastOne);
  v.field("aspect", c.aspect, "with depths: width over layers; the width is rounded to whole heads", kPositive);
  v.field("layers", c.layers, "blocks; 0: the preset's", kNotNegative);
  v.field("width", c.width, "of the residual stream; 0: the preset's", kNotNegative);
  v.field("heads", c.heads, "query heads; 0: what head_size makes of the width", kNotNegative);
  v.field("kv_heads", c.kv_heads, "key and value heads; 0: as heads, where these change", kNotNegative);
  v.field("head_size", c.head_size, "of one head; 0: what heads make of the width, else the preset's", kNotNegative);
  v.field("feed_forward", c.feed_forward,
          "width inside the MLP; 0: where the width changes, 4 times it (gpt2), or 8/3, rounded up to 32 (llama)",
          kNotNegative);
}

void fields(FieldVisitor& v, StudyAxis& c) {
  v.field("set", c.set, "a training setting, by its dotted name");
  v.field("to", c.to, "its values");
}

void fields(FieldVisitor& v, StudySettings& c) {
  v.field("name", c.name, "for people");
  v.field("folder", c.folder, "of everything that the study writes");
  v.group("base", "training settings of every run; run.dir, model.preset and train.steps are the study's", [&] {
    v.field("file", c.base_file, "of training settings that those here are put over; empty: none");
    fields(v, c.base);
  });
  v.choice("parameters", c.parameters, kParameterCounts, "what N counts: in rules, ratios, 6ND, names and fits");
  v.choice("flops", c.flops, kFlopCounts, "what FLOP budgets and fits count");
  what_is_run(v, c.models, c.budgets);
  v.group("held_out", "runs that fits leave out, to check their prediction",
          [&] { what_is_run(v, c.held_out.models, c.held_out.budgets); });
  v.field("seeds", c.seeds, "of parameters and data order; every run once with each", kNotNegative);
  v.group("rules", "settings that follow from N and D", [&] {
    v.group("lr", "peak learning rate", [&] { fields(v, c.rules.lr); });
    v.group("batch", "tokens per update", [&] { fields(v, c.rules.batch); });
    v.group("warmup", "tokens of the warm-up", [&] { fields(v, c.rules.warmup); });
    v.field("batch_multiple", c.rules.batch_multiple, "samples per update are the nearest multiple of this",
            kAtLeastOne);
    v.field("horizon", c.rules.horizon, "what the schedule spans, in lengths of the run", kPositive);
  });
  v.list("grid", c.grid, "any other settings: every run with each combination");
  v.group("ranks", "how many ranks a run gets", [&] {
    v.choice("choice", c.ranks.choice, kRankChoices,
             "a fixed number; the fewest whose memory suffices; or the fewest that also end in time");
    v.field("each", c.ranks.each, "fixed: ranks of every run", kAtLeastOne);
    v.field("most", c.ranks.most, "memory and time: of a run; 0: all ranks of the job", kNotNegative);
    v.field("seconds", c.ranks.seconds, "time: that a run may take, where ranks suffice", kPositive);
  });
  v.field("retries", c.retries, "starts of a run after it failed; one that diverged would again", kNotNegative);
  v.group("fit", "the laws that are fitted at the end", [&] {
    v.field("resamples", c.fit.resamples, "of the bootstrap over runs", kAtLeastOne);
    v.field("level", c.fit.level, "of the intervals", kFraction);
    v.field("seed", c.fit.seed, "of the bootstrap", kNotNegative);
    v.field("predict", c.fit.predict, "FLOP budgets whose best N, D and loss are told", kPositive);
  });
}

}  // namespace trireme
