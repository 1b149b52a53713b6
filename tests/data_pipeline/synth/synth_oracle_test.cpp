// SPDX-License-Identifier: Apache-2.0
// The world's files as Python's standard library reads them (synth_oracle.py says what is held against what).
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>

#include "data_pipeline/synth/synth.h"
#include "tests/core/io/temporary_directory.h"

namespace trireme {
namespace {

TEST(SynthOracle, PythonReadsTheSameWorld) {
  if (std::system("python3 --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no python3";
  testing::TemporaryDirectory folder;
  write_synthetic_world({.out = folder / "world", .documents = 1000, .seed = 5});
  const std::string script = std::string(TRIREME_SOURCE_DIR) + "/tests/data_pipeline/synth/synth_oracle.py";
  EXPECT_EQ(std::system(("python3 '" + script + "' '" + (folder / "world") + "'").c_str()), 0);
}

}  // namespace
}  // namespace trireme
