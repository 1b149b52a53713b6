// SPDX-License-Identifier: Apache-2.0
// Tables of runs: whatever the bytes, a table or an Error; rows as long as the header; values that come back.
#include <cmath>

#include "core/base/error.h"
#include "core/scaling/csv.h"
#include "core/scaling/point.h"
#include "core/scaling/study_table.h"
#include "tests/fuzz/fuzz.h"

std::vector<std::string> fuzz_seeds() {
  return {
      "n,d,loss\n1e7,1e9,3.5\n2e7,1e9,3.25\n",
      "\xef\xbb\xbfModel Size,Training FLOP,loss\r\n1,\"2\",nan\r\n# c\r\n\"\"\"3\",inf,-0\r\n",
      "run,params_total,tokens,flops_6nd,validation_loss,bpb,accuracy\n\"a,b\",+1,2,3,4,,0.25\n\"x\ny\",1,2,3,4,5,6\n"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trireme;
  using fuzz::require;
  try {
    const auto table = parse_table({reinterpret_cast<const char*>(data), size}, "fuzz");
    require(!table.columns.empty() && table.rows.size() == table.lines.size(), "a table without columns or lines");
    std::string again = "x";
    for (const auto& row : table.rows) {
      require(row.size() == table.columns.size(), "a row of another length");
      for (const auto& value : row) again += "\n1," + csv_value(std::string_view(value));
    }
    if (again.size() > 1) {
      const auto back = parse_table("k," + again, "fuzz");
      std::size_t at = 0;
      for (const auto& row : table.rows) {
        for (const auto& value : row) require(back.rows.at(at++).at(1) == value, "a value that does not come back");
      }
    }
    const auto study = read_study(table, {}, "fuzz");
    require(study.points.size() == table.rows.size(), "rows that were lost");
    check_points(study.points);
    for (const auto& p : study.points) require(p.loss > 0 && std::isfinite(p.flops), "a point that is none");
  } catch (const Error&) {
  }
  return 0;
}
