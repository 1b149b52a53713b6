// SPDX-License-Identifier: Apache-2.0
// results.h5: the results of a study as numbers, for programs that would rather not read text.
#pragma once

#include <string>

#include "core/io/hdf5_table.h"
#include "core/scaling/csv.h"
#include "launch/study.h"

namespace trireme {

/// The table with a type for each column, whichever columns it has: whole numbers for those that count (steps, layers),
/// text for names and reasons, and otherwise real numbers where all that stands there is numbers or nothing (NaN), else
/// text.
Hdf5Table typed_table(const CsvTable& table);

/// Replaces results.h5 in the study's folder by what results.csv there holds, if there is one. Its attributes name the
/// conventions and units, the program's version, and the hash of `configuration`.
void write_results_h5(const Study& study, const std::string& configuration);

}  // namespace trireme
