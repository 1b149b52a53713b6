// SPDX-License-Identifier: Apache-2.0
#include "core/base/config.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"

namespace trireme {

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
