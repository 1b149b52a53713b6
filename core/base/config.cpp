// SPDX-License-Identifier: Apache-2.0
#include "core/base/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

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

std::string bounds_text(Bounds bounds) {
  const bool low = std::isfinite(bounds.low);
  const bool high = std::isfinite(bounds.high);
  if (bounds.low == kPositive.low) return high ? fmt::format("above 0, at most {}", bounds.high) : "above 0";
  if (low && high) return fmt::format("from {} to {}", bounds.low, bounds.high);
  if (low) return fmt::format("at least {}", bounds.low);
  return fmt::format("at most {}", bounds.high);
}

/// The shortest text that reads back as the same double, marked as a real number.
std::string number_text(double value) {
  auto text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + "\"";
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
        n.kind == ConfigNode::Kind::scalar ? (n.quoted ? quoted(n.text) : n.text) : std::string(kind_name(n.kind));
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

/// Writes every field as YAML, or as help text with docs.
class Writer : public FieldVisitor {
 public:
  explicit Writer(bool docs) : docs_(docs) {}

  void field(std::string_view key, bool& value, std::string_view doc) override {
    line(key, value ? "true" : "false", doc, {});
  }
  void field(std::string_view key, std::int64_t& value, std::string_view doc, Bounds bounds) override {
    line(key, fmt::format("{}", value), doc, bounds);
  }
  void count_or_auto(std::string_view key, std::int64_t& value, std::string_view doc) override {
    line(key, value == 0 ? "auto" : fmt::format("{}", value), doc, kAtLeastOne);
  }
  void field(std::string_view key, double& value, std::string_view doc, Bounds bounds) override {
    line(key, number_text(value), doc, bounds);
  }
  void field(std::string_view key, std::string& value, std::string_view doc) override {
    line(key, quoted(value), doc, {});
  }
  void field(std::string_view key, std::vector<std::string>& value, std::string_view doc) override {
    std::string text;
    for (const auto& item : value) text += (text.empty() ? "" : ", ") + quoted(item);
    line(key, "[" + text + "]", doc, {});
  }
  void field(std::string_view key, std::vector<double>& value, std::string_view doc, Bounds bounds) override {
    std::string text;
    for (const auto item : value) text += (text.empty() ? "" : ", ") + number_text(item);
    line(key, "[" + text + "]", doc, bounds);
  }
  void choice(std::string_view key, int& index, std::span<const std::string_view> names,
              std::string_view doc) override {
    const auto what = docs_ ? fmt::format("{} ({})", doc, fmt::join(names, ", ")) : std::string();
    line(key, std::string(names[static_cast<std::size_t>(index)]), what, {});
  }
  void group(std::string_view key, std::string_view doc, const std::function<void()>& body) override {
    line(key, "", doc, {});
    indent_ += 2;
    body();
    indent_ -= 2;
  }
  void list(std::string_view key, std::string_view doc, std::size_t size,
            const std::function<void(std::size_t)>& resize, const std::function<void(std::size_t)>& body) override {
    if (size == 0 && !docs_) return line(key, "[]", doc, {});
    if (docs_ && size == 0) resize(1);  // the help shows the fields of one item
    line(key, "", doc, {});
    indent_ += 4;
    for (std::size_t i = 0; i < std::max<std::size_t>(size, docs_ ? 1 : 0); ++i) {
      first_of_item_ = true;
      body(i);
    }
    indent_ -= 4;
  }

  std::string take() { return std::move(text_); }

 private:
  void line(std::string_view key, const std::string& value, std::string_view doc, Bounds bounds) {
    auto text = std::string(static_cast<std::size_t>(indent_), ' ');
    if (first_of_item_) text.replace(text.size() - 2, 2, "- ");
    first_of_item_ = false;
    text += fmt::format("{}:{}{}", key, value.empty() ? "" : " ", value);
    if (docs_) {
      const bool bounded = std::isfinite(bounds.low) || std::isfinite(bounds.high);
      text = fmt::format("{:<40} # {}{}", text, doc, bounded ? "; " + bounds_text(bounds) : "");
    }
    text_ += text + "\n";
  }

  bool docs_;
  int indent_ = 0;
  bool first_of_item_ = false;
  std::string text_;
};

}  // namespace

const ConfigNode* ConfigNode::find(std::string_view key) const {
  if (kind != Kind::map) return nullptr;
  const auto hit = std::find(keys.begin(), keys.end(), key);
  return hit == keys.end() ? nullptr : &items[static_cast<std::size_t>(hit - keys.begin())];
}

void Problems::add(const std::string& place, const std::string& message) {
  list_.push_back(place.empty() ? message : fmt::format("{}: {}", place, message));
}

void Problems::add_all(const Problems& other) { list_.insert(list_.end(), other.list_.begin(), other.list_.end()); }

bool Problems::spoilt(std::string_view path) const {
  return std::any_of(spoilt_.begin(), spoilt_.end(), [&](const std::string& s) {
    return s.empty() || path == s || (path.starts_with(s) && (path[s.size()] == '.' || path[s.size()] == '['));
  });
}

void Problems::raise() const {
  if (list_.empty()) return;
  if (list_.size() == 1) fail_usage("{}", list_[0]);
  fail_usage("{} problems in the configuration:\n  {}", list_.size(), fmt::join(list_, "\n  "));
}

void override_node(ConfigNode& root, const std::string& assignment, Problems& problems) {
  const auto place = "--set " + assignment;
  const auto equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    problems.add(place, "expected KEY=VALUE with a dotted key, as in train.steps=100");
    return;
  }
  const auto dotted = assignment.substr(0, equals);
  Problems unreadable;
  auto value = parse_yaml(assignment.substr(equals + 1), place, unreadable);
  if (!unreadable.empty()) {
    problems.add_all(unreadable);
    problems.spoil(dotted);
    return;
  }
  const std::function<void(ConfigNode&)> mark = [&](ConfigNode& n) {
    n.place = place;
    for (auto& item : n.items) mark(item);
  };
  mark(value);
  auto* at = &root;
  for (std::size_t begin = 0;;) {
    const auto dot = dotted.find('.', begin);
    const auto key = dotted.substr(begin, dot == std::string::npos ? dot : dot - begin);
    if (at->kind != ConfigNode::Kind::map) {
      *at = ConfigNode{};
      at->kind = ConfigNode::Kind::map;
      at->place = place;
    }
    auto hit = std::find(at->keys.begin(), at->keys.end(), key);
    const auto index = static_cast<std::size_t>(hit - at->keys.begin());
    if (hit == at->keys.end()) {
      at->keys.push_back(key);
      at->items.emplace_back();
      at->items.back().place = place;
    }
    at = &at->items[index];
    if (dot == std::string::npos) break;
    begin = dot + 1;
  }
  *at = std::move(value);
}

void merge_node(ConfigNode& base, const ConfigNode& top) {
  if (base.kind != ConfigNode::Kind::map || top.kind != ConfigNode::Kind::map) {
    base = top;
    return;
  }
  for (std::size_t i = 0; i < top.keys.size(); ++i) {
    const auto hit = std::find(base.keys.begin(), base.keys.end(), top.keys[i]);
    if (hit == base.keys.end()) {
      base.keys.push_back(top.keys[i]);
      base.items.push_back(top.items[i]);
    } else {
      merge_node(base.items[static_cast<std::size_t>(hit - base.keys.begin())], top.items[i]);
    }
  }
}

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

std::string write_fields(const std::function<void(FieldVisitor&)>& walk) {
  Writer writer(false);
  walk(writer);
  return writer.take();
}

std::string describe_fields(const std::function<void(FieldVisitor&)>& walk) {
  Writer writer(true);
  walk(writer);
  return writer.take();
}

std::string nearest(std::string_view word, std::span<const std::string> known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : known) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < word.size(); ++i) {
      auto diagonal = row[0];
      row[0] = i + 1;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const auto substitute = diagonal + (word[i] == candidate[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({substitute, row[j] + 1, row[j + 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace trireme
