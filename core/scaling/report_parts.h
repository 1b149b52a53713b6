// SPDX-License-Identifier: Apache-2.0
// The parts of a study's page. Included by core/scaling/*report*.cpp only.
#pragma once

#include <string>
#include <vector>

#include "core/scaling/study_report.h"

namespace trireme {

/// What the study says, in words and a table, as HTML.
std::string answer_part(const StudyReport& report);
/// What is doubtful about it, as plain text: of the law, and the report's own.
std::vector<std::string> report_warnings(const StudyReport& report);
/// The coefficients of all laws, in full digits, with intervals.
std::string coefficients_part(const StudyReport& report);
/// The hold-out check and the runs that were held out.
std::string checks_part(const StudyReport& report);
std::string runs_part(const StudyReport& report);
/// How N, C and the loss are counted, and how intervals come about.
std::string conventions_part(const StudyReport& report);

/// A number in the digits that people read; nothing for what is none.
std::string in_words(double value, int digits = 4);
/// "73.2B (51.4B to 114B)".
std::string in_words(const Estimate& estimate, int digits = 3);

}  // namespace trireme
