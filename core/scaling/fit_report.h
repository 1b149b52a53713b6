// SPDX-License-Identifier: Apache-2.0
// The fits of a study in words for people and as JSON for programs: coefficients in all their digits.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

#include "core/scaling/study_fit.h"

namespace trireme {

/// Everything that was fitted, each number with its interval.
nlohmann::json to_json(const StudyFit& study);
std::string to_text(const StudyFit& study);

}  // namespace trireme
