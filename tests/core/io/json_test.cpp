// SPDX-License-Identifier: Apache-2.0
#include "core/io/json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

#include "core/io/atomic_file.h"
#include "tests/core/io/expect_error.h"
#include "tests/core/io/temporary_directory.h"

namespace trireme {
namespace {

using testing::expect_error;

TEST(Json, ReadsWhatItWrites) {
  const auto value = parse_json(R"({"b": [1, {"a": "x"}], "a": {"a": 9223372036854775807, "t": true}})", "m");
  EXPECT_EQ(parse_json(to_text(value), "m"), value);
  EXPECT_EQ(json_size(json_object(value, "a", "m"), "a", "m"), 9223372036854775807U);
  EXPECT_EQ(json_text(json_array(value, "b", "m")[1], "a", "m"), "x");
  EXPECT_TRUE(json_bool(value["a"], "t", "m"));
  EXPECT_EQ(to_text(value).substr(0, 6), "{\n  \"a") << "keys are sorted";
  const testing::TemporaryDirectory directory;
  write_file_atomic(directory / "m.json", to_text(value));
  EXPECT_EQ(read_json(directory / "m.json"), value);
  expect_error([&] { read_json(directory / "m.json", 10); }, {"m.json", "limit of 10"});
}

TEST(Json, RefusesWhatTheLibraryLetsThrough) {
  expect_error([] { parse_json(R"({"a": 1, "b": {"a": 2}, "a": 3})", "m.json"); }, {"m.json", "'a'", "twice"});
  expect_error([] { parse_json("\xef\xbb\xbf{}", "m"); }, {"byte order mark"});
  expect_error([] { parse_json(std::string_view("{}\0", 3), "m"); }, {"NUL"});
  expect_error([] { parse_json("{} {}", "m"); }, {"not valid JSON"});
  expect_error([] { parse_json("{\"a\": \"\xff\"}", "m"); }, {"not valid JSON"});
  expect_error([] { parse_json("", "m"); }, {"not valid JSON"});
  expect_error([] { parse_json(std::string(1000000, '['), "m"); }, {"nested"});
  EXPECT_NO_THROW(parse_json(std::string(60, '[') + std::string(60, ']'), "m"));
}

TEST(Json, SizesAreWholeNumbers) {
  for (const char* wrong :
       {"-1", "1.0", "1e3", "\"1\"", "null", "true", "9223372036854775808", "18446744073709551616"}) {
    const auto value = parse_json(fmt::format(R"({{"bytes": {}}})", wrong), "m");
    expect_error([&] { json_size(value, "bytes", "m.json"); }, {"m.json", "bytes"});
  }
  const auto value = parse_json(R"({"a": [], "n": -5})", "m");
  EXPECT_EQ(json_int(value, "n", "m"), -5);
  expect_error([&] { json_size(value, "b", "m.json"); }, {"'b' is missing"});
  expect_error([&] { json_text(value, "a", "m.json"); }, {"must be text"});
  expect_error([&] { json_bool(value, "a", "m.json"); }, {"true or false"});
  expect_error([&] { json_array(value, "n", "m.json"); }, {"must be a list"});
  expect_error([&] { json_object(value, "n", "m.json"); }, {"must be an object"});
  expect_error([&] { json_size(value["a"], "b", "m.json"); }, {"object with the key 'b' expected"});
  expect_error([&] { check_json_keys(value, {"a"}, "m.json"); }, {"unknown key 'n'"});
  EXPECT_NO_THROW(check_json_keys(value, {"a", "n"}, "m.json"));
}

}  // namespace
}  // namespace trireme
