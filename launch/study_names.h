// SPDX-License-Identifier: Apache-2.0
// How the runs of a study are called, in tables and as folders.
#pragma once

#include <string>
#include <string_view>

namespace trireme {

/// Three digits and a letter: "865k", "1.2M", "20M", "3.25B", "1.5T".
std::string short_number(double value);

/// `text` with everything replaced by '_' that is not a letter, a digit or one of . = + -
std::string file_name_part(std::string_view text);

}  // namespace trireme
