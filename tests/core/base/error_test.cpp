// SPDX-License-Identifier: Apache-2.0
#include "core/base/error.h"

#include <gtest/gtest.h>

namespace trireme {
namespace {

TEST(Error, CarriesMessageCodeAndPlace) {
  try {
    check_usage(false, "mesh.tensor = {} does not divide model.heads = {}", 3, 16);
    FAIL() << "check_usage returned";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "mesh.tensor = 3 does not divide model.heads = 16");
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_NE(std::string(e.where().file_name()).find("error_test.cpp"), std::string::npos);
  }
}

TEST(Error, PassesWhenTheConditionHolds) {
  EXPECT_NO_THROW(check(true, "never"));
  EXPECT_THROW(check(false, "always"), Error);
}

}  // namespace
}  // namespace trireme
