// SPDX-License-Identifier: Apache-2.0
// Configuration: one list of fields per struct, walked by the reader, the writer and the help text, so that a setting
// cannot exist in one place and be missing in another.
//
// A struct `C` is configurable when there is `void fields(FieldVisitor& v, C& c)` that names its fields in order.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

/// Bounds of a number, both ends included.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};
inline constexpr Bounds kPositive{.low = std::numeric_limits<double>::min()};
inline constexpr Bounds kNotNegative{.low = 0};
inline constexpr Bounds kFraction{.low = 0, .high = 1};
inline constexpr Bounds kAtLeastOne{.low = 1};

/// What a list of fields is walked with. `doc` is one line for people.
class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;
  virtual void field(std::string_view key, bool& value, std::string_view doc) = 0;
  virtual void field(std::string_view key, std::int64_t& value, std::string_view doc, Bounds bounds = {}) = 0;
  /// A count of at least 1, or `auto`, which is 0 here.
  virtual void count_or_auto(std::string_view key, std::int64_t& value, std::string_view doc) = 0;
  virtual void field(std::string_view key, double& value, std::string_view doc, Bounds bounds = {}) = 0;
  virtual void field(std::string_view key, std::string& value, std::string_view doc) = 0;
  virtual void field(std::string_view key, std::vector<std::string>& value, std::string_view doc) = 0;
  virtual void field(std::string_view key, std::vector<double>& value, std::string_view doc, Bounds bounds = {}) = 0;
  /// One of `names`, by index.
  virtual void choice(std::string_view key, int& index, std::span<const std::string_view> names,
                      std::string_view doc) = 0;
  /// A nested map.
  virtual void group(std::string_view key, std::string_view doc, const std::function<void()>& body) = 0;
  /// A list of maps: resize(n) makes n items, body(i) walks the i-th.
  virtual void list(std::string_view key, std::string_view doc, std::size_t size,
                    const std::function<void(std::size_t)>& resize, const std::function<void(std::size_t)>& body) = 0;

  /// A choice held by an enumeration whose values are 0, 1, 2, ...
  template <class Enum>
  void choice(std::string_view key, Enum& value, std::span<const std::string_view> names, std::string_view doc) {
    int index = static_cast<int>(value);
    choice(key, index, names, doc);
    value = static_cast<Enum>(index);
  }
  /// A list of configurable structs.
  template <class Item>
  void list(std::string_view key, std::vector<Item>& items, std::string_view doc) {
    list(
        key, doc, items.size(), [&](std::size_t n) { items.resize(n); },
        [&](std::size_t i) { fields(*this, items[i]); });
  }
};

/// A parsed YAML value with the place it was read from. Duplicate keys, anchors, aliases, tags, several documents and
/// more than 1 MiB or 32 levels are refused.
struct ConfigNode {
  enum class Kind { null, scalar, list, map } kind = Kind::null;
  std::string text;     // of a scalar
  bool quoted = false;  // a quoted scalar is a string, whatever it looks like
  std::string place;    // "configs/x.yaml:12" or "--set a.b=c"
  std::vector<ConfigNode> items;
  std::vector<std::string> keys;  // of a map: keys[i] belongs to items[i]

  const ConfigNode* find(std::string_view key) const;
};

/// Problems found so far; all are reported together.
class Problems {
 public:
  void add(const std::string& place, const std::string& message);
  bool empty() const { return list_.empty(); }
  /// Adds those of `other`; what is spoilt there stays there.
  void add_all(const Problems& other);
  /// Throws Error(usage) that lists all problems, if there are any.
  void raise() const;

  /// A problem left the setting `path`, or all in the group `path`, at its default ("": all settings): what would
  /// follow from that default is no problem of its own.
  void spoil(const std::string& path) { spoilt_.push_back(path); }
  bool spoilt(std::string_view path) const;

 private:
  std::vector<std::string> list_;
  std::vector<std::string> spoilt_;
};

/// Parses the text of a configuration. Problems are recorded, and what could be read is returned; for text that is not
/// YAML that is nothing, and all settings are spoilt.
ConfigNode parse_yaml(const std::string& text, const std::string& file, Problems& problems);
/// Parses the file; one that cannot be read, or holds no map, is a problem that spoils all settings.
ConfigNode parse_yaml_file(const std::string& path, Problems& problems);
/// Puts "a.b.c=value" over the tree; the value is YAML.
void override_node(ConfigNode& root, const std::string& assignment, Problems& problems);
/// Puts every value of `top` over `base`, map by map.
void merge_node(ConfigNode& base, const ConfigNode& top);

/// Where each value came from, by dotted path: "mesh.tensor" -> "configs/x.yaml:12". Missing: the default was used.
using Places = std::map<std::string, std::string, std::less<>>;

/// Reads a struct from the tree: unknown keys (with the nearest known one), wrong types and values out of bounds are
/// problems, and spoil the setting that was meant. Absent keys keep the struct's values.
Places read_fields(const ConfigNode& root, Problems& problems, const std::function<void(FieldVisitor&)>& walk);
/// The resolved configuration as YAML: every field, in order.
std::string write_fields(const std::function<void(FieldVisitor&)>& walk);
/// For --help: every field with its default, bounds and doc.
std::string describe_fields(const std::function<void(FieldVisitor&)>& walk);
/// The nearest of `known` by edit distance, or empty when none is near.
std::string nearest(std::string_view word, std::span<const std::string> known);

}  // namespace trireme
