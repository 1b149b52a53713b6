// SPDX-License-Identifier: Apache-2.0
// What a study's YAML file says: shapes, budgets, rules and a grid over any training settings, with one list of fields.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/config.h"
#include "core/model/run_counts.h"
#include "launch/run_config.h"

namespace trireme {

/// Shapes from outside, by the name of their table.
enum class ShapeTable { none, chinchilla_a9 };

/// One entry of `models`: a preset, a shape, rows of a published table, or a shape for each depth. What is not given
/// (0, empty) follows from the rest, else it is the base's.
struct StudyModel {
  std::string preset;
  ShapeTable table = ShapeTable::none;
  std::vector<double> sizes;   // rows of the table, by the millions that it is printed with; none: all
  std::vector<double> depths;  // a shape for each: this many layers, `aspect` times as wide
  double aspect = 64;
  std::int64_t layers = 0, width = 0, heads = 0, kv_heads = 0, head_size = 0, feed_forward = 0;
};

/// How long to train: all lists together, for each model.
struct StudyBudgets {
  std::vector<double> tokens;
  std::vector<double> tokens_per_parameter;
  std::vector<double> flops;              // IsoFLOP profiles
  double least_tokens_per_parameter = 0;  // runs with fewer are left out
  double most_tokens_per_parameter = 0;   // runs with more are left out; 0: none are
  bool branch = false;  // wsd: the longest budget of a model is run, the others leave it at their decay
};

/// value * (N / parameters_at)^parameters_exponent * (D / tokens_at)^tokens_exponent; a value of 0 leaves the base's.
struct StudyRule {
  double value = 0;
  double parameters_exponent = 0;
  double parameters_at = 1e6;
  double tokens_exponent = 0;
  double tokens_at = 1e9;

  double at(double parameters, double tokens) const;
};

/// A setting that takes several values.
struct StudyAxis {
  std::string set;              // dotted: "optimizer.beta2"
  std::vector<std::string> to;  // values, as YAML
};

enum class RankChoice { fixed, memory, time };

struct StudySettings {
  std::string name = "study";
  std::string folder = "runs/study";                  // everything that the study writes
  std::string base_file;                              // training settings under `base`
  RunConfig base;                                     // as read; the runs are made from the text of these settings
  ParameterCount parameters = ParameterCount::total;  // what N is in rules, ratios, 6ND, names and fits
  FlopCount flops = FlopCount::six_nd;                // what FLOP budgets and fits count
  std::vector<StudyModel> models;
  StudyBudgets budgets;
  struct {
    std::vector<StudyModel> models;
    StudyBudgets budgets;
  } held_out;
  std::vector<double> seeds = {1};
  struct {
    StudyRule lr;
    StudyRule batch;                  // tokens per update
    StudyRule warmup;                 // tokens
    std::int64_t batch_multiple = 1;  // samples per update are a multiple of this
    double horizon = 1;               // steps that the schedule spans, of the run's own
  } rules;
  std::vector<StudyAxis> grid;
  struct {
    RankChoice choice = RankChoice::fixed;
    std::int64_t each = 1;  // fixed: ranks of every run
    std::int64_t most = 0;  // memory, time: at most; 0: all that there are
    double seconds = 3600;  // time: of the longest run, where ranks suffice
  } ranks;
  std::int64_t retries = 1;  // of a run that failed
  struct {
    std::int64_t resamples = 4000;
    double level = 0.95;
    std::int64_t seed = 1;
    std::vector<double> predict;  // FLOP budgets to tell N*, D* and loss of
  } fit;
};

void fields(FieldVisitor& v, StudyModel& c);
void fields(FieldVisitor& v, StudyAxis& c);
void fields(FieldVisitor& v, StudySettings& c);

}  // namespace trireme
