// SPDX-License-Identifier: Apache-2.0
#include "launch/study_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

namespace trireme {

std::string short_number(double value) {
  static constexpr std::string_view kUnits[] = {"", "k", "M", "B", "T"};
  std::size_t unit = 0;
  // 999.6 has three digits as 1000, which is the next unit's 1.
  for (; value >= 999.5 && unit + 1 < std::size(kUnits); ++unit) value /= 1000.0;
  if (value >= 999.5) return fmt::format("{:.0f}{}", value, kUnits[unit]);
  return fmt::format("{:.3g}{}", value, kUnits[unit]);
}

std::string file_name_part(std::string_view text) {
  std::string part(text);
  std::replace_if(
      part.begin(), part.end(),
      [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '=' && c != '+' && c != '-';
      },
      '_');
  return part;
}

}  // namespace trireme
