// SPDX-License-Identifier: Apache-2.0
// A study's own report: report.html with its pictures, made from the tables in the study's folder.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/base/device.h"
#include "core/scaling/study_report.h"
#include "launch/study.h"
#include "launch/study_law.h"
#include "parallel/parallel.h"

namespace trireme {

/// What the tables do not tell.
struct StudySurroundings {
  std::string configuration;                                      // the study's file, and what was set over it
  std::vector<std::pair<std::string, std::string>> machine = {};  // name, value
};

/// The device and its ranks, the program's version and the time, as they are now.
std::vector<std::pair<std::string, std::string>> machine_facts(const World& world, const Device& device);

/// The report of results.csv and curves.csv in the study's folder, one row for every run that has come to its end, with
/// the laws that were fitted to them or the reason why there are none.
StudyReport study_page(const Study& study, const Outcome<StudyLaw>& law, const StudySurroundings& surroundings);

}  // namespace trireme
