// SPDX-License-Identifier: Apache-2.0
// Templates that hold quantities: what is written is kept with its unit; nothing is converted.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "data_pipeline/extract/wikitext_parts.h"

namespace trireme::wikitext {
namespace {

std::string_view unit_text(std::string_view unit) {
  static const std::unordered_map<std::string_view, std::string_view> known = {{"km2", "km²"},
                                                                               {"m2", "m²"},
                                                                               {"cm2", "cm²"},
                                                                               {"mm2", "mm²"},
                                                                               {"sqkm", "km²"},
                                                                               {"sqm", "m²"},
                                                                               {"sqmi", "sq mi"},
                                                                               {"mi2", "sq mi"},
                                                                               {"sqft", "sq ft"},
                                                                               {"ft2", "sq ft"},
                                                                               {"sqin", "sq in"},
                                                                               {"m3", "m³"},
                                                                               {"km3", "km³"},
                                                                               {"cm3", "cm³"},
                                                                               {"cuft", "cu ft"},
                                                                               {"cumi", "cu mi"},
                                                                               {"cuin", "cu in"},
                                                                               {"C", "°C"},
                                                                               {"F", "°F"},
                                                                               {"acre", "acres"},
                                                                               {"nmi", "nautical miles"},
                                                                               {"PD/sqmi", "per sq mi"},
                                                                               {"PD/km2", "per km²"},
                                                                               {"/km2", "per km²"},
                                                                               {"/sqmi", "per sq mi"}};
  const auto found = known.find(unit);
  return found == known.end() ? unit : found->second;
}

/// What may stand between the two ends of a range in {{convert}}, as it is read.
std::string_view range_text(std::string_view word) {
  static const std::unordered_map<std::string_view, std::string_view> known = {
      {"-", "–"},       {"–", "–"},          {"to", " to "},   {"to(-)", " to "},
      {"and", " and "}, {"and(-)", " and "}, {"by", " by "},   {"x", " by "},
      {"xx", " × "},    {"*", " × "},        {"×", " × "},     {"or", " or "},
      {"+/-", " ± "},   {"±", " ± "},        {"&ndash;", "–"}, {"to about", " to about "},
      {",", ", "}};
  const auto found = known.find(word);
  return found == known.end() ? std::string_view{} : found->second;
}

std::string convert(const TemplateCall& call) {
  std::string text(call.at(0));
  std::size_t i = 1;
  while (!range_text(call.at(i)).empty() && i + 1 < call.positional.size()) {
    text.append(range_text(call.at(i))).append(call.at(i + 1));
    i += 2;
  }
  const auto add_unit = [&text](std::string_view unit) {
    if (!unit.empty() && !is_number(unit)) {
      text.append(" ").append(unit_text(unit));
    }
  };
  add_unit(call.at(i));
  // 5 ft 10 in: another number with its unit, where a number alone would be a precision.
  if (is_number(call.at(i + 1)) && !call.at(i + 2).empty() && !is_number(call.at(i + 2))) {
    text.append(" ").append(call.at(i + 1));
    add_unit(call.at(i + 2));
  }
  return text;
}

std::string value(const TemplateCall& call) {
  std::string text(call.at(0));
  if (!call.at(1).empty()) {
    const bool brackets = call.at(1).front() == '(';
    text.append(brackets ? "" : " ± ").append(call.at(1));
  }
  if (!call.get("e").empty()) {
    text.append(" × 10^").append(call.get("e"));
  }
  for (const std::string_view key : {"u", "ul", "up", "upl"}) {
    if (!call.get(key).empty()) {
      text.append(key.starts_with("up") ? "/" : " ").append(call.get(key));
    }
  }
  return text;
}

std::string fraction(const TemplateCall& call) {
  switch (call.positional.size()) {
    case 0:
      return "/";
    case 1:
      return "1/" + std::string(call.at(0));
    case 2:
      return std::string(call.at(0)) + "/" + std::string(call.at(1));
    default:
      return std::string(call.at(0)) + " " + std::string(call.at(1)) + "/" + std::string(call.at(2));
  }
}

std::string height(const TemplateCall& call) {
  std::string text;
  for (const std::string_view unit : {"m", "cm", "ft", "in"}) {
    const std::string_view number = call.get(unit);
    if (!number.empty()) {
      text.append(text.empty() ? "" : " ").append(number).append(" ").append(unit);
    }
  }
  return text;
}

std::string ordinal(std::string_view number) {
  const std::size_t n = number.size();
  const bool teen = n >= 2 && number[n - 2] == '1';
  const char last = n > 0 && !teen ? number[n - 1] : '0';
  const std::string_view ending = last == '1' ? "st" : last == '2' ? "nd" : last == '3' ? "rd" : "th";
  return std::string(number).append(ending);
}

std::string_view currency(std::string_view name) {
  static const std::unordered_map<std::string_view, std::string_view> known = {{"us$", "US$"},
                                                                               {"usd", "US$"},
                                                                               {"usdollar", "US$"},
                                                                               {"gbp", "£"},
                                                                               {"£", "£"},
                                                                               {"pound sterling", "£"},
                                                                               {"eur", "€"},
                                                                               {"€", "€"},
                                                                               {"euro", "€"},
                                                                               {"inr", "₹"},
                                                                               {"indian rupee", "₹"},
                                                                               {"rs", "₹"},
                                                                               {"jpy", "¥"},
                                                                               {"¥", "¥"},
                                                                               {"yen", "¥"},
                                                                               {"a$", "A$"},
                                                                               {"aud", "A$"},
                                                                               {"c$", "C$"},
                                                                               {"cad", "C$"},
                                                                               {"nz$", "NZ$"},
                                                                               {"hk$", "HK$"},
                                                                               {"s$", "S$"},
                                                                               {"currency", ""}};
  const auto found = known.find(name);
  return found == known.end() ? std::string_view{} : found->second;
}

/// "{{km to mi|10}}": the old conversion templates carry their unit in the name.
std::optional<std::string> old_conversion(const TemplateCall& call) {
  const std::size_t to = call.name.find(" to ");
  static const std::unordered_set<std::string_view> units = {"km", "mi",  "m",    "ft", "kg",
                                                             "lb", "km2", "sqmi", "c",  "f"};
  if (to == std::string::npos || !is_number(call.at(0)) || !units.contains(std::string_view(call.name).substr(0, to))) {
    return std::nullopt;
  }
  return std::string(call.at(0)) + " " + std::string(unit_text(std::string_view(call.name).substr(0, to)));
}

std::string spaced(const TemplateCall& call, std::string_view between) {
  std::string text;
  for (std::size_t i = 0; i < call.positional.size(); ++i) {
    if (!call.at(i).empty()) {
      text.append(text.empty() ? "" : between).append(call.at(i));
    }
  }
  return text;
}

}  // namespace

bool is_number(std::string_view text) {
  const bool digit = text.find_first_of("0123456789") != std::string_view::npos;
  return digit && text.size() <= 64 && text.find_first_not_of("0123456789.,+-/e") == std::string_view::npos;
}

std::optional<std::string> evaluate_quantity(const TemplateCall& call) {
  const std::string_view name = call.name;
  if (name == "convert" || name == "cvt" || name == "conv") {
    return convert(call);
  }
  if (name == "val" || name == "value") {
    return value(call);
  }
  if (name == "formatnum" || name == "nts" || name == "num" || name == "number" || name == "nombre") {
    return std::string(call.at(0));
  }
  if (name == "unité" || name == "unite" || name == "unit") {
    return spaced(call, " ");
  }
  if (name == "gaps") {
    return spaced(call, "");
  }
  if (name == "frac" || name == "fraction" || name == "sfrac" || name == "tfrac") {
    return fraction(call);
  }
  if (name == "e" || name == "esp") {
    return "×10^" + std::string(call.at(0));
  }
  if (name == "sup") {
    return "^" + std::string(call.at(0));
  }
  if (name == "sub") {
    return std::string(call.at(0));
  }
  if (name == "height" && call.positional.empty()) {
    return height(call);
  }
  if (name == "ft in") {
    return std::string(call.at(0)) + " ft " + std::string(call.at(1)) + " in";
  }
  if (name == "ordinal") {
    return ordinal(call.at(0));
  }
  if (name == "circa" || name == "c." || name == "ca.") {
    return call.at(1).empty() ? "c. " + std::string(call.at(0))
                              : "c. " + std::string(call.at(0)) + " – c. " + std::string(call.at(1));
  }
  if (name == "floruit" || name == "fl." || name == "reign" || name == "r.") {
    return (name.front() == 'f' ? "fl. " : "r. ") + spaced(call, "–");
  }
  if (const std::string_view sign = currency(name); !sign.empty()) {
    return std::string(sign).append(call.at(0));
  }
  return old_conversion(call);
}

}  // namespace trireme::wikitext
