// SPDX-License-Identifier: Apache-2.0
#include "core/base/field_list.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace trireme {
namespace {

using Json = nlohmann::ordered_json;

std::string to_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

class Lister : public FieldVisitor {
 public:
  void field(std::string_view key, bool& value, std::string_view doc) override { add(key, "boolean", value, doc); }
  void field(std::string_view key, std::int64_t& value, std::string_view doc, Bounds bounds) override {
    add(key, "integer", value, doc).bounds = bounds;
  }
  void count_or_auto(std::string_view key, std::int64_t& value, std::string_view doc) override {
    auto& entry = add(key, "integer or auto", value, doc);
    entry.bounds = kAtLeastOne;
    if (value != 0) return;
    entry.value = "auto";
    entry.json = "\"auto\"";
  }
  void field(std::string_view key, double& value, std::string_view doc, Bounds bounds) override {
    add(key, "number", value, doc).bounds = bounds;
  }
  void field(std::string_view key, std::string& value, std::string_view doc) override { add(key, "text", value, doc); }
  void field(std::string_view key, std::vector<std::string>& value, std::string_view doc) override {
    add(key, "list of texts", value, doc);
  }
  void field(std::string_view key, std::vector<double>& value, std::string_view doc, Bounds bounds) override {
    add(key, "list of numbers", value, doc).bounds = bounds;
  }
  void choice(std::string_view key, int& index, std::span<const std::string_view> names,
              std::string_view doc) override {
    auto& entry = add(key, "choice", names[static_cast<std::size_t>(index)], doc);
    entry.value = names[static_cast<std::size_t>(index)];
    entry.choices.assign(names.begin(), names.end());
  }
  void group(std::string_view key, std::string_view, const std::function<void()>& body) override {
    within(fmt::format("{}{}.", prefix_, key), body);
  }
  void list(std::string_view key, std::string_view, std::size_t size, const std::function<void(std::size_t)>& resize,
            const std::function<void(std::size_t)>& body) override {
    if (size == 0) {
      resize(1);
      within(fmt::format("{}{}[].", prefix_, key), [&] { body(0); });
      resize(0);
    }
    for (std::size_t i = 0; i < size; ++i) within(fmt::format("{}{}[{}].", prefix_, key, i), [&] { body(i); });
  }

  std::vector<FieldEntry> take() { return std::move(entries_); }

 private:
  template <class Value>
  FieldEntry& add(std::string_view key, std::string_view type, const Value& value, std::string_view doc) {
    const auto json = to_text(Json(value));
    // A number, a text in quotes and a list of these are written in YAML as in JSON.
    entries_.push_back({fmt::format("{}{}", prefix_, key), std::string(type), json, json, std::string(doc)});
    return entries_.back();
  }
  void within(const std::string& prefix, const std::function<void()>& body) {
    const auto outer = std::exchange(prefix_, prefix);
    body();
    prefix_ = outer;
  }

  std::string prefix_;
  std::vector<FieldEntry> entries_;
};

/// "sources[3].files" as "sources[].files": the default of an item of a list is the same for all items.
std::string without_index(std::string name) {
  for (auto open = name.find('['); open != std::string::npos; open = name.find('[', open + 1)) {
    name.erase(open + 1, name.find(']', open) - open - 1);
  }
  return name;
}

}  // namespace

std::vector<FieldEntry> list_fields(const std::function<void(FieldVisitor&)>& walk) {
  Lister lister;
  walk(lister);
  return lister.take();
}

std::string fields_to_json(const std::vector<FieldEntry>& resolved, const std::vector<FieldEntry>& standard,
                           const Places& places) {
  auto settings = Json::array();
  for (const auto& entry : resolved) {
    const auto plain = std::find_if(standard.begin(), standard.end(),
                                    [&](const FieldEntry& s) { return s.name == without_index(entry.name); });
    const auto place = places.find(entry.name);
    Json item = {{"name", entry.name},
                 {"type", entry.type},
                 {"value", Json::parse(entry.json)},
                 {"default", plain == standard.end() ? Json() : Json::parse(plain->json)},
                 {"description", entry.doc},
                 {"from", place == places.end() ? "default" : place->second}};
    if (entry.bounds.low == kPositive.low) {
      item["above"] = 0;
    } else if (std::isfinite(entry.bounds.low)) {
      item["at_least"] = entry.bounds.low;
    }
    if (std::isfinite(entry.bounds.high)) item["at_most"] = entry.bounds.high;
    if (!entry.choices.empty()) item["choices"] = entry.choices;
    settings.push_back(std::move(item));
  }
  return to_text(Json{{"settings", std::move(settings)}});
}

}  // namespace trireme
