// SPDX-License-Identifier: Apache-2.0
// The fits of a study as pictures, and the numbers in them as tables.
#pragma once

#include <string>
#include <vector>

#include "core/scaling/study_fit.h"

namespace trireme {

struct FitPicture {
  std::string name;  // of the files, without an ending: "residuals", "optimum", ...
  std::string svg, csv;
};

/// Residuals against compute, prediction against actual loss, N* and D* against compute with the published lines, loss
/// contours with the runs; and, where there are any, IsoFLOP profiles with their minima and intervals.
std::vector<FitPicture> fit_pictures(const StudyFit& study);

/// Writes NAME.svg and NAME.csv of each into `folder`, which is made if it is not there; each file whole or not at all.
void write_fit_pictures(const StudyFit& study, const std::string& folder);

}  // namespace trireme
