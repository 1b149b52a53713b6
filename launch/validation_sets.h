// SPDX-License-Identifier: Apache-2.0
// The sets that a run is validated on beside the whole: each has a name, a loss of its own, and a column in a study's
// table.
#pragma once

#include <string>
#include <vector>

#include "data_pipeline/data.h"
#include "launch/run_config.h"

namespace trireme {

struct ValidationSet {
  std::string name;  // the folder's; where two are called alike, all of their path
  LoaderConfig loader;
};

/// What is held out of each folder of `data.shards`, where there are several; then every folder of `eval.shards`, all
/// of it.
std::vector<ValidationSet> validation_sets(const RunConfig& config);

/// Why the run cannot be validated on them: one is not there, has other tokens than the data, or there is no part of
/// the data held out beside them. Nothing where it can.
std::string validation_problem(const RunConfig& config);

}  // namespace trireme
