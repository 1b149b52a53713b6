// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/exams/csv.h"

#include <algorithm>

#include "core/base/error.h"

namespace trireme {
namespace {

class CsvParser {
 public:
  CsvParser(std::string_view text, const std::string& name) : text_(text), name_(name) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;  // a byte order mark
  }

  std::vector<CsvRow> rows() {
    std::vector<CsvRow> rows;
    while (at_ < text_.size()) {
      CsvRow row{{}, line_};
      do {
        row.fields.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted() : plain());
      } while (take(','));
      end_of_line();
      if (row.fields.size() > 1 || !row.fields[0].empty()) rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void end_of_line() {
    if (at_ >= text_.size()) return;
    const bool cr = take('\r');
    if (!take('\n') && !cr) fail("{}:{}: text after a closing quote; a quote inside a field is doubled", name_, line_);
    ++line_;
  }
  std::string plain() {
    const auto end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    const auto field = text_.substr(at_, end - at_);
    at_ = end;
    return std::string(field);
  }
  std::string quoted() {
    const auto first_line = line_;
    std::string field;
    ++at_;
    for (;;) {
      const auto quote = text_.find('"', at_);
      if (quote == std::string_view::npos) fail("{}:{}: a quote that is never closed", name_, first_line);
      const auto part = text_.substr(at_, quote - at_);
      line_ += static_cast<std::size_t>(std::count(part.begin(), part.end(), '\n'));
      field += part;
      at_ = quote + 1;
      if (!take('"')) return field;
      field += '"';
    }
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

}  // namespace

std::vector<CsvRow> parse_csv(std::string_view text, const std::string& name) { return CsvParser(text, name).rows(); }

}  // namespace trireme
