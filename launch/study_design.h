// SPDX-License-Identifier: Apache-2.0
// What is doubtful about a study's design, before anything is spent on it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "launch/study.h"

namespace trireme {

/// One point of a fit: a run, or a budget that branches off one.
struct DesignPoint {
  double parameters = 0;  // as the study counts
  double chinchilla = 0;  // as the published laws count
  double tokens = 0;
  double budget_flops = 0;
  bool held_out = false;
};

std::vector<DesignPoint> design_points(const Study& study);

/// Sentences for people, none where all is well: too few points, sizes or token counts for a fit; IsoFLOP profiles
/// whose minimum is not between their sizes by published laws; schedules longer than 1.25 times the run (Hoffmann et
/// al. 2022, Figure A1); long warm-ups; data repeated more than four times (Muennighoff et al. 2023); held-out runs
/// that are no extrapolation.
std::vector<std::string> design_warnings(const Study& study);

/// One more, from a second or so of fits to made-up losses: the exponent's interval would be wide. Empty when it would
/// not, and for points that determine no law.
std::string interval_warning(const Study& study);

}  // namespace trireme
