// SPDX-License-Identifier: Apache-2.0
// Tables as comma-separated values (RFC 4180), read with suspicion: bounded, and every error with its line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // each as long as `columns`
  std::vector<std::size_t> lines;              // where each row begins in the text, from 1
};

/// At most this much is read: 64 MiB, 1,024 columns, a million rows.
inline constexpr std::size_t kMostCsvBytes = std::size_t{64} << 20U, kMostCsvColumns = 1024, kMostCsvRows = 1'000'000;

/// The table in `text`: a line of column names, then rows; lines end in LF or CRLF, values may stand in double quotes,
/// lines that are empty or begin with # are passed over. Throws Error naming `where` and the line for rows of another
/// length, open quotes, columns without or with the same name, bytes of 0, and what is over the limits.
CsvTable parse_table(std::string_view text, const std::string& where);

/// parse_table of a file; one that is missing is an Error(usage).
CsvTable read_table(const std::string& path);

/// `value` as it stands in a table: quoted where it must be.
std::string csv_value(std::string_view value);
/// In the fewest digits that give the same number back; nothing for NaN.
std::string csv_value(double value);

}  // namespace trireme
