// SPDX-License-Identifier: Apache-2.0
// The laws of a study's own tables, and what they say of the runs that they were not fitted to.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

#include "core/scaling/study_fit.h"
#include "launch/study.h"

namespace trireme {

/// A run that fits leave out, and what the law of the others expected of it.
struct HeldOutRun {
  std::string run;
  double loss = 0;  // measured
  Prediction predicted;

  /// Whether its loss lies where the law expects that of a single run.
  bool within() const { return predicted.one_run.holds(loss); }
  /// Of the loss that was predicted, relative.
  double error() const { return predicted.loss.value / loss - 1; }
};

struct StudyLaw {
  StudyFit fit;
  std::vector<HeldOutRun> held_out;
};

/// Fits results.csv and curves.csv of the study's folder: rows that are done and not held out; the others that are done
/// are predicted. Throws Error(usage) where they determine no law.
StudyLaw fit_results(const Study& study);

/// What `trireme fit` prints of the laws, and then a line for each run that was held out.
std::string to_text(const StudyLaw& law);
nlohmann::json to_json(const StudyLaw& law);

}  // namespace trireme
