// SPDX-License-Identifier: Apache-2.0
// The numbers of a picture as comma-separated values. Included by core/scaling/*_pictures.cpp only.
#pragma once

#include <initializer_list>
#include <string>

#include "core/scaling/csv.h"

namespace trireme {

/// Lines of numbers under column names; the first column may be words.
class PictureTable {
 public:
  explicit PictureTable(const std::string& columns) : text_(columns + "\n") {}

  void row(std::initializer_list<double> values) { add("", values); }
  void row(const std::string& first, std::initializer_list<double> values) {
    add(csv_value(std::string_view(first)) + ",", values);
  }
  const std::string& text() const { return text_; }

 private:
  void add(std::string line, std::initializer_list<double> values) {
    for (const auto v : values) line += csv_value(v) + ",";
    line.back() = '\n';
    text_ += line;
  }

  std::string text_;
};

}  // namespace trireme
