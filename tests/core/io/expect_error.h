// SPDX-License-Identifier: Apache-2.0
// An error path is tested by what it says.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace trireme::testing {

/// Expects `call` to throw an Error with this exit code whose message has all of `parts`.
inline void expect_error(const std::function<void()>& call, const std::vector<std::string>& parts,
                         ExitCode code = ExitCode::failed) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "'" << part << "' is not in: " << error.what();
    }
    return;
  }
  ADD_FAILURE() << "no error thrown; expected one with '" << (parts.empty() ? "" : parts.front()) << "'";
}

}  // namespace trireme::testing
