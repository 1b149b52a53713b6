// SPDX-License-Identifier: Apache-2.0
// A scaling-law study: one YAML file that stands for many training runs, and these runs, resolved.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/config.h"
#include "core/model/run_counts.h"
#include "kernels/kernels.h"
#include "launch/run_config.h"
#include "launch/study_settings.h"

namespace trireme {

/// A budget that leaves a longer run where its own decay begins (warm-up, stable, decay): the same steps, and bit for
/// bit the same result, as a run of its own would have.
struct StudyBranch {
  std::string name;
  std::string hash;            // of the resolved configuration
  RunConfig config;            // complete: train.steps of this budget, run.dir of its own in the study's folder
  std::int64_t from_step = 0;  // of the trunk, whose checkpoint after so many steps it starts from
  double tokens = 0;           // of all its steps, the trunk's included
  double flops_6nd = 0, flops_appendix_f = 0;
  std::string budget;  // as in StudyRun
  double budget_flops = 0;
  double seconds = 0;  // planned, from from_step to its end
};

struct StudyRun {
  std::string name = {};    // readable, the same at every start, one run's only: "n1.2M-d20M-s0"
  std::string hash;         // of the resolved configuration: what a run is known by
  RunConfig config;         // complete and valid for `ranks`; run.dir is in the study's folder
  std::size_t shape = 0;    // number of the model among those of the study
  std::string budget;       // what was asked for: "tokens 2e+07", "tokens/parameter 20" or "flops 1e+15"
  double budget_flops = 0;  // of an IsoFLOP budget; 0 for the other kinds
  bool held_out = false;    // for checking a prediction: fits leave it out
  double parameters_total = 0, parameters_non_embedding = 0, parameters_chinchilla = 0;
  double tokens = 0;         // of all its steps
  double unique_tokens = 0;  // of the training split; 0 where the data was not read
  double flops_6nd = 0;      // with N as StudySettings::parameters counts
  double flops_appendix_f = 0;
  std::int64_t ranks = 1;                  // to run it on
  double seconds = 0;                      // planned, on these ranks, without branches; 0 before size_runs()
  std::size_t rank_bytes = 0;              // planned memory of one rank
  std::vector<StudyBranch> branches = {};  // shortest first

  /// Planned seconds of the run and all its branches, one after the other.
  double all_seconds() const;
};

struct Study {
  StudySettings settings;
  std::vector<StudyRun> runs;      // longest first: by FLOPs, after size_runs() by seconds
  std::vector<std::string> notes;  // for people: what was left out or merged, and why
};

/// Reads the file, puts --set assignments over it, and makes its runs; whatever is wrong is added to problems, and then
/// there are no runs. With `need_data` the data must be there; without, where it is there, or for a vocabulary that no
/// model gives. Data that is read must fit.
Study load_study(const std::string& path, std::span<const std::string> assignments, bool need_data, Problems& problems);

/// Chooses the ranks, mesh and micro-batch of every run as the settings say (`ranks.*`), from the dry device's memory
/// and time, for an allocation of `available` ranks on this machine, and sorts the runs longest first. A run that fits
/// on no number of ranks is a problem.
void size_runs(Study& study, const Machine& machine, std::int64_t available, Problems& problems);

}  // namespace trireme
