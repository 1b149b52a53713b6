// SPDX-License-Identifier: Apache-2.0
// From fields to YAML that reads back the same, and to help text.
#include <algorithm>
#include <cmath>

#include "core/base/config.h"
#include "core/base/config_text.h"
#include "core/base/error.h"

namespace trireme {
namespace {

/// The shortest text that reads back as the same double, marked as a real number.
std::string number_text(double value) {
  auto text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

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
    line(key, quoted_text(value), doc, {});
  }
  void field(std::string_view key, std::vector<std::string>& value, std::string_view doc) override {
    std::string text;
    for (const auto& item : value) text += (text.empty() ? "" : ", ") + quoted_text(item);
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

std::string bounds_text(Bounds bounds) {
  const bool low = std::isfinite(bounds.low);
  const bool high = std::isfinite(bounds.high);
  if (bounds.low == kPositive.low) return high ? fmt::format("above 0, at most {}", bounds.high) : "above 0";
  if (low && high) return fmt::format("from {} to {}", bounds.low, bounds.high);
  if (low) return fmt::format("at least {}", bounds.low);
  return fmt::format("at most {}", bounds.high);
}

std::string quoted_text(std::string_view text) {
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

}  // namespace trireme
