// SPDX-License-Identifier: Apache-2.0
// Holds this tree against the rules of the house, and shows on bad trees that each rule bites.
#include "tests/house/include_table.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace trireme::house {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSpdx = "// SPDX-License-Identifier: Apache-2.0\n";

TEST(IncludeTable, HoldsForThisTree) {
  ASSERT_GE(count_code_files(TRIREME_SOURCE_DIR), 10) << "the walk did not find the tree";
  const std::vector<Finding> findings = inspect_tree(TRIREME_SOURCE_DIR);
  EXPECT_TRUE(findings.empty()) << describe(findings);
}

/// A small tree that keeps every rule; each test then breaks one.
class BadTree : public testing::Test {
 protected:
  void SetUp() override {
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    root_ = fs::temp_directory_path() / ("trireme_house_" + std::to_string(::getpid()) + "_" + test->name());
    fs::remove_all(root_);
    for (const std::string room : {"core", "kernels", "parallel", "data_pipeline", "launch", "tests"}) {
      write(room + "/CMakeLists.txt", "# SPDX-License-Identifier: Apache-2.0\nadd_library(x good.cpp)\n");
      write(room + "/good.cpp", std::string(kSpdx) + "#include <vector>\n#include <fmt/format.h>\n");
    }
    write("core/tensor.h", header());
    write("kernels/kernels.h", header("#include \"core/tensor.h\"\n"));
    write("kernels/cpu/attention.h", header());
    write("parallel/parallel.h", header());
    write("data_pipeline/data.h", header());
    ASSERT_EQ(describe(inspect_tree(root_)), "");
  }
  void TearDown() override { fs::remove_all(root_); }

  static std::string header(const std::string& body = "") { return std::string(kSpdx) + "#pragma once\n" + body; }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  /// Writes a file into the good tree and expects exactly one finding: in this file, on this line, about this.
  void expect_finding(const std::string& path, const std::string& text, int line, const std::string& about) const {
    write(path, text);
    const std::vector<Finding> findings = inspect_tree(root_);
    ASSERT_EQ(findings.size(), 1U) << describe(findings);
    EXPECT_EQ(findings[0].file, path);
    EXPECT_EQ(findings[0].line, line);
    EXPECT_NE(findings[0].message.find(about), std::string::npos) << findings[0].message;
  }

  void expect_include_finding(const std::string& path, const std::string& include, const std::string& about) const {
    const bool is_header = path.ends_with(".h");
    expect_finding(path, is_header ? header(include + "\n") : kSpdx + include + "\n", is_header ? 3 : 2, about);
  }

  void expect_allowed(const std::string& path, const std::string& include) const {
    write(path, path.ends_with(".h") ? header(include + "\n") : kSpdx + include + "\n");
    EXPECT_EQ(describe(inspect_tree(root_)), "");
  }

  fs::path root_;
};

TEST_F(BadTree, CoreIncludesAWing) {
  expect_include_finding("core/good.cpp", "#include \"kernels/kernels.h\"", "core/ may not include");
}

TEST_F(BadTree, AWingIncludesAnotherWing) {
  expect_include_finding("kernels/good.cpp", "#include \"parallel/parallel.h\"", "kernels/ may not include");
}

TEST_F(BadTree, AWingIncludesLaunch) {
  write("launch/run.h", header());
  expect_include_finding("data_pipeline/good.cpp", "  #  include \"launch/run.h\"", "data_pipeline/ may not include");
}

TEST_F(BadTree, LaunchIncludesAPrivateHeaderOfAWing) {
  expect_allowed("launch/good.cpp", "#include \"kernels/kernels.h\"");
  expect_include_finding("launch/good.cpp", "#include \"kernels/cpu/attention.h\"", "launch/ may not include");
}

TEST_F(BadTree, RelativeAndUnknownPaths) {
  expect_include_finding("kernels/good.cpp", "#include \"kernels.h\"", "not a file of this tree");
  expect_include_finding("kernels/good.cpp", "#include \"kernels/../core/tensor.h\"", "not a file of this tree");
}

TEST_F(BadTree, MpiStaysInSourcesOfParallel) {
  expect_allowed("parallel/good.cpp", "#include <mpi.h>");
  expect_include_finding("launch/good.cpp", "#include <mpi.h>", "may not be included here");
}

TEST_F(BadTree, MpiInAHeader) {
  expect_include_finding("parallel/mpi_group.h", "#include <mpi.h>", "headers that may: none");
}

TEST_F(BadTree, ForeignHeadersStayInTheirRooms) {
  expect_include_finding("core/tensor.h", "#include <hdf5.h>", "core/io/");
  expect_include_finding("core/tensor.h", "#include <dnnl.hpp>", "kernels/cpu/");
  expect_include_finding("core/tensor.h", "#include <cuda_runtime.h>", "kernels/cuda/");
  expect_include_finding("core/tensor.h", "#include <nccl.h>", "none");
  expect_include_finding("core/tensor.h", "#include <gumbo.h>", "data_pipeline/");
  expect_include_finding("core/tensor.h", "#include <expat.h>", "data_pipeline/");
  expect_include_finding("core/tensor.h", "#include <gtest/gtest.h>", "none but tests/");
}

TEST_F(BadTree, ALibraryNobodyKnows) {
  expect_include_finding("core/good.cpp", "#include <eigen3/Eigen/Dense>", "not in the table of libraries");
  expect_include_finding("core/good.cpp", "#include <string.h>", "not in the table of libraries");
}

TEST_F(BadTree, NoPragmaOnce) { expect_finding("core/plan.h", kSpdx, 1, "#pragma once"); }

TEST_F(BadTree, NoSpdxLine) { expect_finding("core/plan.h", "#pragma once\n", 1, "SPDX"); }

TEST_F(BadTree, NoSpdxLineInAScript) { expect_finding("launch/go.sh", "#!/bin/sh\n", 1, "SPDX"); }

TEST_F(BadTree, ASourceThatNobodyCompiles) { expect_finding("core/io/forgotten.cpp", kSpdx, 0, "never compiled"); }

TEST_F(BadTree, AListedNameIsAWholeName) {
  write("core/CMakeLists.txt", "# SPDX-License-Identifier: Apache-2.0\n# od.cpp\nadd_library(x good.cpp)\n");
  expect_finding("core/od.cpp", kSpdx, 0, "never compiled");
}

TEST_F(BadTree, AFolderAboveMayListASource) {
  write("core/CMakeLists.txt", "# SPDX-License-Identifier: Apache-2.0\nadd_library(x good.cpp io/h5.cpp)\n");
  expect_allowed("core/io/h5.cpp", "#include <hdf5.h>");
}

TEST_F(BadTree, NamesThatSayNothing) { expect_finding("core/string_utils.h", header(), 0, "'utils' says nothing"); }

TEST_F(BadTree, AFolderThatSaysNothing) { expect_finding("core/common/x.h", header(), 0, "'common' says nothing"); }

}  // namespace
}  // namespace trireme::house
