// SPDX-License-Identifier: Apache-2.0
// The shapes that one entry of a study's `models` stands for.
#pragma once

#include <string>
#include <vector>

#include "core/model/architecture.h"
#include "launch/study_settings.h"

namespace trireme {

/// `base` in the shapes that `model` asks for: one, or one for each depth or row of the table. What cannot be is added
/// to problems, at `place`.
std::vector<Architecture> shapes_of(const StudyModel& model, const Architecture& base, const std::string& place,
                                    Problems& problems);

/// "4x128", with heads where they are not the width: layers and width.
std::string shape_name(const Architecture& a);

}  // namespace trireme
