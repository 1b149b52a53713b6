// SPDX-License-Identifier: Apache-2.0
// From a configuration's tree to the fields that a list of fields asks for.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/config.h"
#include "core/base/config_text.h"
#include "core/base/error.h"

namespace trireme {
namespace {

std::string_view kind_name(ConfigNode::Kind kind) {
  switch (kind) {
    case ConfigNode::Kind::null:
      return "nothing";
    case ConfigNode::Kind::scalar:
      return "a value";
    case ConfigNode::Kind::list:
      return "a list";
    case ConfigNode::Kind::map:
      return "a map";
  }
  return "?";
}

/// Reads fields from a tree, noting every key that some field asked for.
class Reader : public FieldVisitor {
 public:
  Reader(const ConfigNode& root, Problems& problems, Places& places) : problems_(problems), places_(places) {
    open(&root, "");
  }

  void field(std::string_view key, bool& value, std::string_view) override {
    if (const auto* n = scalar(key)) {
      if (!n->quoted && n->text == "true") {
        value = true;
      } else if (!n->quoted && n->text == "false") {
        value = false;
      } else {
        wrong(*n, key, "true or false");
      }
    }
  }
  void field(std::string_view key, std::int64_t& value, std::string_view, Bounds bounds) override {
    if (const auto* n = scalar(key)) {
      std::int64_t parsed = 0;
      const auto* end = n->text.data() + n->text.size();
      const auto [stop, status] = std::from_chars(n->text.data(), end, parsed);
      const auto digits = n->text.starts_with('-') ? n->text.substr(1) : n->text;
      const bool octal = digits.size() > 1 && digits[0] == '0';
      if (n->quoted || status != std::errc() || stop != end || octal) {
        wrong(*n, key, "a whole number, without quotes, underscores or leading zeros");
      } else if (in_bounds(*n, key, static_cast<double>(parsed), bounds)) {
        value = parsed;
      }
    }
  }
  void count_or_auto(std::string_view key, std::int64_t& value, std::string_view doc) override {
    const auto* n = scalar(key);
    if (n == nullptr) return;
    if (n->text == "auto") {
      value = 0;
    } else {
      field(key, value, doc, kAtLeastOne);
    }
  }
  void field(std::string_view key, double& value, std::string_view, Bounds bounds) override {
    if (const auto* n = scalar(key)) number(*n, key, value, bounds);
  }
  void field(std::string_view key, std::vector<double>& value, std::string_view, Bounds bounds) override {
    const auto* n = find(key);
    if (n == nullptr) return;
    if (n->kind != ConfigNode::Kind::list) return wrong(*n, key, "a list of numbers");
    value.assign(n->items.size(), 0.0);
    for (std::size_t i = 0; i < value.size(); ++i) number(n->items[i], key, value[i], bounds);
  }
  void field(std::string_view key, std::string& value, std::string_view) override {
    if (const auto* n = scalar(key)) value = n->text;
  }
  void field(std::string_view key, std::vector<std::string>& value, std::string_view) override {
    const auto* n = find(key);
    if (n == nullptr) return;
    std::vector<std::string> texts;
    if (n->kind == ConfigNode::Kind::scalar) {
      texts.push_back(n->text);
    } else if (n->kind == ConfigNode::Kind::list) {
      for (const auto& item : n->items) {
        if (item.kind != ConfigNode::Kind::scalar) return wrong(item, key, "a list of strings");
        texts.push_back(item.text);
      }
    } else {
      return wrong(*n, key, "a list of strings");
    }
    value = std::move(texts);
  }
  void choice(std::string_view key, int& index, std::span<const std::string_view> names, std::string_view) override {
    if (const auto* n = scalar(key)) {
      const auto hit = std::find(names.begin(), names.end(), n->text);
      if (hit == names.end()) return wrong(*n, key, fmt::format("one of {}", fmt::join(names, ", ")));
      index = static_cast<int>(hit - names.begin());
    }
  }
  void group(std::string_view key, std::string_view, const std::function<void()>& body) override {
    const auto* n = find(key);
    if (n != nullptr && n->kind != ConfigNode::Kind::map && n->kind != ConfigNode::Kind::null) {
      wrong(*n, key, "a map of settings");
      n = nullptr;
    }
    open(n, path(key));
    body();
    close();
  }
  void list(std::string_view key, std::string_view, std::size_t, const std::function<void(std::size_t)>& resize,
            const std::function<void(std::size_t)>& body) override {
    const auto* n = find(key);
    if (n == nullptr) return;
    if (n->kind != ConfigNode::Kind::list) return wrong(*n, key, "a list of maps");
    resize(n->items.size());
    for (std::size_t i = 0; i < n->items.size(); ++i) {
      const auto& item = n->items[i];
      if (item.kind != ConfigNode::Kind::map) {
        wrong(item, key, "a list of maps");
        continue;
      }
      open(&item, fmt::format("{}[{}]", path(key), i));
      body(i);
      close();
    }
  }

  /// Reports keys that no field asked for.
  void close() {
    const auto level = std::move(levels_.back());
    levels_.pop_back();
    if (level.node == nullptr || level.node->kind != ConfigNode::Kind::map) return;
    for (std::size_t i = 0; i < level.node->keys.size(); ++i) {
      const auto& key = level.node->keys[i];
      if (std::find(level.known.begin(), level.known.end(), key) != level.known.end()) continue;
      const auto near = nearest(key, level.known);
      const auto full = level.path.empty() ? key : level.path + "." + key;
      const auto prefix = level.path.empty() ? "" : level.path + ".";
      if (!near.empty()) problems_.spoil(prefix + near);
      problems_.add(level.node->items.size() > i ? level.node->items[i].place : level.node->place,
                    near.empty()
                        ? fmt::format("unknown setting '{}'; known here: {}", full, fmt::join(level.known, ", "))
                        : fmt::format("unknown setting '{}'; did you mean '{}{}'?", full, prefix, near));
    }
  }

 private:
  struct Level {
    const ConfigNode* node;
    std::string path;
    std::vector<std::string> known;
  };

  void open(const ConfigNode* node, std::string where) { levels_.push_back({node, std::move(where), {}}); }
  std::string path(std::string_view key) const {
    const auto& prefix = levels_.back().path;
    return prefix.empty() ? std::string(key) : fmt::format("{}.{}", prefix, key);
  }
  const ConfigNode* find(std::string_view key) {
    levels_.back().known.emplace_back(key);
    const auto* node = levels_.back().node;
    const auto* found = node == nullptr ? nullptr : node->find(key);
    if (found != nullptr) places_[path(key)] = found->place;
    return found;
  }
  const ConfigNode* scalar(std::string_view key) {
    const auto* n = find(key);
    if (n == nullptr || n->kind == ConfigNode::Kind::scalar) return n;
    wrong(*n, key, "a single value");
    return nullptr;
  }
  void wrong(const ConfigNode& n, std::string_view key, std::string_view expected) {
    const auto found =
        n.kind == ConfigNode::Kind::scalar ? (n.quoted ? quoted_text(n.text) : n.text) : std::string(kind_name(n.kind));
    problems_.add(n.place, fmt::format("{} is {}; expected {}", path(key), found, expected));
    problems_.spoil(path(key));
  }
  void number(const ConfigNode& n, std::string_view key, double& value, Bounds bounds) {
    double parsed = 0;
    const auto* end = n.text.data() + n.text.size();
    const auto [stop, status] = std::from_chars(n.text.data(), end, parsed);
    if (n.kind != ConfigNode::Kind::scalar || n.quoted || status != std::errc() || stop != end ||
        !std::isfinite(parsed)) {
      wrong(n, key, "a number such as 0.1 or 3e-4");
    } else if (in_bounds(n, key, parsed, bounds)) {
      value = parsed;
    }
  }
  bool in_bounds(const ConfigNode& n, std::string_view key, double value, Bounds bounds) {
    if (value >= bounds.low && value <= bounds.high) return true;
    problems_.add(n.place,
                  fmt::format("{} = {} is out of bounds; expected {}", path(key), n.text, bounds_text(bounds)));
    problems_.spoil(path(key));
    return false;
  }

  Problems& problems_;
  Places& places_;
  std::vector<Level> levels_;
};

}  // namespace

Places read_fields(const ConfigNode& root, Problems& problems, const std::function<void(FieldVisitor&)>& walk) {
  Places places;
  if (root.kind != ConfigNode::Kind::map && root.kind != ConfigNode::Kind::null) {
    problems.add(root.place, fmt::format("the configuration is {}; expected a map of settings", kind_name(root.kind)));
    problems.spoil("");
    return places;
  }
  Reader reader(root, problems, places);
  walk(reader);
  reader.close();
  return places;
}

}  // namespace trireme
