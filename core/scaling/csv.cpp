// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/base/error.h"
#include "core/io/atomic_file.h"

namespace trireme {
namespace {

/// Walks through the text, record by record.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& where) : text_(text), where_(where) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }

  /// The next record that is neither empty nor a comment; false at the end.
  bool next(std::vector<std::string>& record) {
    while (at_ < text_.size()) {
      begin_ = line_;
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size() - 1) + 1;
        ++line_;
        continue;
      }
      read(record);
      if (record.size() > 1 || !record[0].empty()) return true;
    }
    return false;
  }
  std::size_t line() const { return begin_; }

 private:
  void read(std::vector<std::string>& record) {
    record.clear();
    for (bool more = true; more;) {
      check(record.size() < kMostCsvColumns, "{}:{}: more than {} columns", where_, begin_, kMostCsvColumns);
      record.emplace_back();
      more = value(record.back());
    }
  }

  /// One value; true when a comma follows.
  bool value(std::string& out) {
    const bool quoted = at_ < text_.size() && text_[at_] == '"';
    if (quoted) quoted_part(out);
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == ',') return true;
      if (c == '\n') {
        ++line_;
        return false;
      }
      if (c == '\r' && (at_ == text_.size() || text_[at_] == '\n')) continue;
      check(!quoted, "{}:{}: a character follows the closing quote", where_, line_);
      out += c;
    }
    return false;
  }

  void quoted_part(std::string& out) {
    const auto first = line_;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        if (at_ + 1 == text_.size() || text_[at_ + 1] != '"') {
          ++at_;
          return;
        }
        ++at_;
      }
      if (text_[at_] == '\n') ++line_;
      out += text_[at_];
    }
    fail("{}:{}: the quote that opens here is never closed", where_, first);
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0, line_ = 1, begin_ = 1;
};

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

CsvTable parse_table(std::string_view text, const std::string& where) {
  check(text.size() <= kMostCsvBytes, "{} has {} bytes; tables of at most {} are read", where, text.size(),
        kMostCsvBytes);
  check(text.find('\0') == std::string_view::npos, "{} holds bytes of 0: it is no table of comma-separated values",
        where);
  CsvReader reader(text, where);
  CsvTable table;
  std::vector<std::string> record;
  check(reader.next(record), "{} is empty; expected a line of column names, and rows", where);
  std::set<std::string> names;
  for (const auto& name : record) {
    table.columns.push_back(trimmed(name));
    check(!table.columns.back().empty(), "{}:{}: column {} has no name", where, reader.line(), table.columns.size());
    check(names.insert(table.columns.back()).second, "{}:{}: two columns are called '{}'", where, reader.line(),
          table.columns.back());
  }
  while (reader.next(record)) {
    check(record.size() == table.columns.size(), "{}:{}: {} values where the first line names {} columns", where,
          reader.line(), record.size(), table.columns.size());
    check(table.rows.size() < kMostCsvRows, "{}:{}: more than {} rows", where, reader.line(), kMostCsvRows);
    table.rows.push_back(record);
    table.lines.push_back(reader.line());
  }
  return table;
}

CsvTable read_table(const std::string& path) {
  check_usage(!missing(path), "{} does not exist", path);
  return parse_table(read_file(path, kMostCsvBytes), path);
}

std::string csv_value(std::string_view value) {
  if (value.find_first_of(",\"\r\n#") == std::string_view::npos) return std::string(value);
  std::string out = "\"";
  for (const char c : value) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string csv_value(double value) { return std::isnan(value) ? "" : fmt::format("{}", value); }

}  // namespace trireme
