// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/source/json_line.h"

#include <nlohmann/json.hpp>

#include <array>
#include <unordered_set>
#include <vector>

namespace trireme {
namespace {

using nlohmann::json;

constexpr std::size_t kMostDepth = 64;
constexpr std::array<std::string_view, 4> kNames = {"url", "uri", "id", "title"};

/// Events of nlohmann's SAX parser, which keeps no tree and does not recurse.
class Events final : public nlohmann::json_sax<json> {
 public:
  Events(std::string_view text_field, JsonLine& result) : text_field_(text_field), result_(result) {}

  bool null() override { return other(); }
  bool boolean(bool) override { return other(); }
  bool number_integer(number_integer_t) override { return other(); }
  bool number_unsigned(number_unsigned_t) override { return other(); }
  bool number_float(number_float_t, const string_t&) override { return other(); }
  bool binary(binary_t&) override { return other(); }

  bool string(string_t& value) override {
    if (depth_ == 0) {
      return other();
    }
    if (at_text_) {
      result_.text = std::move(value);
      found_ = true;
    } else if (name_rank_ < best_name_) {
      best_name_ = name_rank_;
      result_.uri_or_title = std::move(value);
    }
    return value_done();
  }

  bool start_object(std::size_t) override {
    if (!open()) {
      return false;
    }
    if (keys_.size() < depth_) {
      keys_.emplace_back();
    }
    keys_[depth_ - 1].clear();
    return true;
  }

  bool key(string_t& name) override {
    at_text_ = depth_ == 1 && name == text_field_;
    name_rank_ = kNames.size();
    for (std::size_t i = 0; depth_ == 1 && i < kNames.size(); ++i) {
      name_rank_ = name == kNames[i] ? i : name_rank_;
    }
    if (!keys_[depth_ - 1].insert(std::move(name)).second) {
      return refuse("JSON with a duplicate key");
    }
    return true;
  }

  bool end_object() override { return close(); }
  bool start_array(std::size_t) override {
    if (depth_ == 0) {
      return refuse("line not a JSON object");
    }
    if (!open()) {
      return false;
    }
    if (keys_.size() < depth_) {
      keys_.emplace_back();
    }
    return true;
  }
  bool end_array() override { return close(); }

  bool parse_error(std::size_t, const std::string&, const json::exception&) override {
    return refuse("line not valid JSON");
  }

  std::string_view reason() const { return reason_; }
  bool found() const { return found_; }

 private:
  bool refuse(std::string_view reason) {
    if (reason_.empty()) {
      reason_ = reason;
    }
    return false;
  }

  bool other() {
    if (depth_ == 0) {
      return refuse("line not a JSON object");
    }
    if (at_text_) {
      return refuse("text field not a string");
    }
    return value_done();
  }

  bool value_done() {
    at_text_ = false;
    name_rank_ = kNames.size();
    return true;
  }

  bool open() {
    if (at_text_) {
      return refuse("text field not a string");
    }
    value_done();
    return ++depth_ <= kMostDepth ? true : refuse("JSON nested deeper than 64");
  }

  bool close() {
    --depth_;
    return true;
  }

  std::string_view text_field_;
  JsonLine& result_;
  std::vector<std::unordered_set<std::string>> keys_;  // of every open object
  std::size_t depth_ = 0;
  std::size_t name_rank_ = kNames.size();
  std::size_t best_name_ = kNames.size();
  bool at_text_ = false;
  bool found_ = false;
  std::string_view reason_;
};

}  // namespace

std::string_view parse_json_line(std::string_view line, std::string_view text_field, JsonLine& result) {
  result = {};
  if (line.find('\0') != std::string_view::npos) {
    return "JSON with a NUL byte";
  }
  Events events(text_field, result);
  const bool parsed = json::sax_parse(line.begin(), line.end(), &events, json::input_format_t::json, true);
  if (!events.reason().empty()) {
    return events.reason();
  }
  if (!parsed) {
    return "line not valid JSON";
  }
  if (!events.found()) {
    return "text field missing";
  }
  return result.text.empty() ? "text field empty" : std::string_view{};
}

}  // namespace trireme
