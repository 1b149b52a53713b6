// SPDX-License-Identifier: Apache-2.0
#include "core/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <new>
#include <system_error>

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

/// What the user reads about an exception that `body` throws.
template <class Body>
std::string explanation(const Body& body) {
  try {
    body();
  } catch (const std::exception& problem) {
    const auto error = explained(problem);
    EXPECT_EQ(error.code(), ExitCode::failed);
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Error, FileSystemErrorsSayWhatFailedWhereAndWhatToChange) {
  namespace fs = std::filesystem;
  EXPECT_EQ(explanation([] { fs::create_directories("/proc/self/mem/x"); }),
            "cannot create directories /proc/self/mem/x: Not a directory; a file stands where a folder is expected; "
            "choose another place");
  EXPECT_EQ(explanation([] { fs::copy_file("/no/such/file", "/no/such/copy"); }),
            "cannot copy file /no/such/file to /no/such/copy: No such file or directory");
  const auto denied = std::make_error_code(std::errc::permission_denied);
  EXPECT_EQ(explanation([&] { throw fs::filesystem_error("cannot remove", "out/corpus.json", denied); }),
            "cannot remove out/corpus.json: Permission denied; give this user the permission (ls -l shows who has "
            "it), or choose another place");
}

TEST(Error, WhatTheLibraryThrowsIsExplained) {
  EXPECT_NE(explanation([] { throw std::bad_alloc(); }).find("no memory left: give the job more"), std::string::npos);
  EXPECT_NE(explanation([] { std::string().resize(std::string::npos); }).find("no memory left"), std::string::npos);
  EXPECT_EQ(explanation([] { throw std::system_error(EMFILE, std::generic_category()); }),
            "a system call failed: Too many open files; allow more open files (ulimit -n)");
  EXPECT_EQ(explanation([] { throw std::system_error(ENOENT, std::generic_category(), "cannot write to file"); }),
            "cannot write to file: No such file or directory");
  EXPECT_EQ(explanation([] { throw std::out_of_range("map::at"); }),
            "unexpected: map::at; this is a mistake in trireme: please report it with the command line");
}

TEST(Error, AnErrorIsItsOwnExplanation) {
  try {
    fail_usage("no");
  } catch (const std::exception& problem) {
    EXPECT_STREQ(explained(problem).what(), "no");
    EXPECT_EQ(explained(problem).code(), ExitCode::usage);
  }
}

}  // namespace
}  // namespace trireme
