// SPDX-License-Identifier: Apache-2.0
// What a study found as one page for people, report.html, and its pictures: the answer first, then what it rests on.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/scaling/fit_pictures.h"
#include "core/scaling/study_fit.h"

namespace trireme {

/// A run as the page's table has it; what is not known of it is not a number.
struct ReportRun {
  enum class Use { fitted, held_out, left_out, failed } use = Use::fitted;
  ScalingPoint point;
  std::string reason = {};             // why it failed or is left out
  std::vector<std::string> more = {};  // values of StudyReport::more_columns
};

struct StudyReport {
  std::string title;
  Outcome<StudyFit> law;  // or why the runs determine none
  std::vector<PredictedRun> held_out = {};
  std::vector<ScalingPoint> curves = {};
  std::vector<ReportRun> runs = {};
  std::vector<std::string> more_columns = {};                     // of the table of runs: words or numbers
  std::string parameters = {}, flops = {}, loss = {};             // how N and C are counted, and which loss it is
  std::vector<std::string> warnings = {};                         // besides those that follow from the law
  std::vector<std::pair<std::string, std::string>> machine = {};  // name, value: what it ran on, versions
  std::string configuration = {};                                 // YAML or a command; empty: none
};

/// The report of a table that was fitted, as `trireme fit` has it: all rows were used but those that the options drop.
StudyReport report_of(const StudyFit& study, const std::string& title);

/// All pictures that there is data for.
std::vector<FitPicture> report_pictures(const StudyReport& report);

/// The page: one file that needs no other, no network and no script. Text from outside stands for itself in it.
std::string report_page(const StudyReport& report);

/// FOLDER/report.html, and FOLDER/pictures/NAME.svg and NAME.csv of each picture; each file whole or not at all, the
/// page last.
void write_report(const StudyReport& report, const std::string& folder);

}  // namespace trireme
