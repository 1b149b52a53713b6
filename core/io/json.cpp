// SPDX-License-Identifier: Apache-2.0
// nlohmann-json with the checks that it leaves to its callers.
#include "core/io/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <vector>

#include "core/base/error.h"
#include "core/io/atomic_file.h"

namespace trireme {
namespace {

using Json = nlohmann::json;

constexpr int kDeepest = 64;

const Json& member(const Json& object, const std::string& key, const std::string& where) {
  check(object.is_object(), "{}: an object with the key '{}' expected, {} found", where, key, object.type_name());
  const auto found = object.find(key);
  check(found != object.end(), "{}: the key '{}' is missing", where, key);
  return *found;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  check(!text.starts_with("\xef\xbb\xbf"), "{}: a byte order mark before the JSON", where);
  check(text.find('\0') == std::string_view::npos, "{}: a NUL byte in the JSON", where);
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    check(depth <= kDeepest, "{}: JSON nested more than {} deep", where, kDeepest);
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      check(keys.back().insert(value.get<std::string>()).second, "{}: the key '{}' is there twice", where,
            value.get<std::string>());
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), watch);
  } catch (const Json::exception& error) {
    fail("{}: not valid JSON: {}", where, error.what());
  }
}

Json read_json(const std::string& path, std::uint64_t limit) { return parse_json(read_file(path, limit), path); }

std::string to_text(const Json& value) { return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::uint64_t json_size(const Json& object, const std::string& key, const std::string& where) {
  const std::int64_t value = json_int(object, key, where);
  check(value >= 0, "{}: '{}' = {} is negative", where, key, value);
  return static_cast<std::uint64_t>(value);
}

std::int64_t json_int(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where);
  check(value.is_number_integer(), "{}: '{}' must be a whole number, {} found", where, key,
        value.is_number() ? value.dump() : value.type_name());
  check(!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::uint64_t{INT64_MAX},
        "{}: '{}' = {} is larger than 2^63-1", where, key, value.dump());
  return value.get<std::int64_t>();
}

bool json_bool(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where);
  check(value.is_boolean(), "{}: '{}' must be true or false, {} found", where, key, value.type_name());
  return value.get<bool>();
}

const std::string& json_text(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where);
  check(value.is_string(), "{}: '{}' must be text, {} found", where, key, value.type_name());
  return value.get_ref<const std::string&>();
}

const Json& json_array(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where);
  check(value.is_array(), "{}: '{}' must be a list, {} found", where, key, value.type_name());
  return value;
}

const Json& json_object(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = member(object, key, where);
  check(value.is_object(), "{}: '{}' must be an object, {} found", where, key, value.type_name());
  return value;
}

void check_json_keys(const Json& object, std::initializer_list<std::string_view> keys, const std::string& where) {
  check(object.is_object(), "{}: an object expected, {} found", where, object.type_name());
  for (const auto& item : object.items()) {
    check(std::find(keys.begin(), keys.end(), item.key()) != keys.end(), "{}: unknown key '{}'", where, item.key());
  }
}

}  // namespace trireme
