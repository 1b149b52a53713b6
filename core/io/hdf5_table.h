// SPDX-License-Identifier: Apache-2.0
// A table of named columns, each of one type, as one HDF5 file that other programs open as they are.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/io/hdf5.h"

namespace trireme {

/// A column of real numbers (NaN: none), whole numbers or UTF-8 text.
struct Hdf5Column {
  std::string name;  // without '/'
  std::variant<std::vector<double>, std::vector<std::int64_t>, std::vector<std::string>> values;
};

struct Hdf5Table {
  std::vector<Hdf5Column> columns;  // equally long
  Hdf5Attributes attributes = {};
};

/// Limits of what is read: bytes of the file, columns, rows.
inline constexpr std::uint64_t kMostTableBytes = std::uint64_t{256} << 20U, kMostTableColumns = 4096,
                               kMostTableRows = 1'000'000;

/// Afterwards `path` holds the table whole, or what it held before: a dataset of one dim for each column at the root,
/// named as it and with its place in the table as the attribute "position" (from 0); little-endian f64 and i64, text of
/// fixed length in UTF-8, padded with zeros. The same table is always the same bytes. Throws Error for columns of
/// unequal length, names that are empty, hold '/' or come twice, and text with a zero in it.
void write_hdf5_table(const std::string& path, const Hdf5Table& table);

/// The table in `path`, in the order of its columns. Throws Error naming file and dataset for anything else than
/// write_hdf5_table writes, and for what is over the limits.
Hdf5Table read_hdf5_table(const std::string& path);

}  // namespace trireme
