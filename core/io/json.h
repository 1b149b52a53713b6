// SPDX-License-Identifier: Apache-2.0
// JSON of manifests, read with suspicion: bounded, without duplicate keys, and whole numbers where whole numbers
// belong.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace trireme {

/// The one value in `text`. Throws Error naming `where` and the byte for anything but JSON in UTF-8, for duplicate
/// keys, and nesting beyond 64.
nlohmann::json parse_json(std::string_view text, const std::string& where);
/// parse_json of a whole file of at most `limit` bytes.
nlohmann::json read_json(const std::string& path, std::uint64_t limit = std::uint64_t{64} << 20U);
/// Sorted keys, two spaces, a newline at the end: the same value is always the same bytes. Bytes that are not UTF-8, as
/// a file's name may have, become U+FFFD.
std::string to_text(const nlohmann::json& value);

/// Members of an object. Each throws Error naming `where` when `object` is none, the key is missing, or the value is of
/// another kind: a size is a whole number from 0 to 2^63-1, never 1.0, -1 or "1".
std::uint64_t json_size(const nlohmann::json& object, const std::string& key, const std::string& where);
std::int64_t json_int(const nlohmann::json& object, const std::string& key, const std::string& where);
bool json_bool(const nlohmann::json& object, const std::string& key, const std::string& where);
const std::string& json_text(const nlohmann::json& object, const std::string& key, const std::string& where);
const nlohmann::json& json_array(const nlohmann::json& object, const std::string& key, const std::string& where);
const nlohmann::json& json_object(const nlohmann::json& object, const std::string& key, const std::string& where);
/// Throws when `object` has a key that is not among `keys`.
void check_json_keys(const nlohmann::json& object, std::initializer_list<std::string_view> keys,
                     const std::string& where);

}  // namespace trireme
