// SPDX-License-Identifier: Apache-2.0
// Templates that hold dates and ages. What depends on today's date is left out.
#include <array>
#include <charconv>
#include <unordered_map>

#include "data_pipeline/extract/wikitext_parts.h"

namespace trireme::wikitext {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};

/// The whole of `text` as a number up to 9999; -1 when it is none.
int small_number(std::string_view text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value >= 0 && value <= 9999 ? value : -1;
}

std::string month_name(std::string_view text) {
  const int month = small_number(text);
  return month >= 1 && month <= 12 ? std::string(kMonths[static_cast<std::size_t>(month - 1)]) : std::string(text);
}

bool yes(std::string_view text) { return text == "y" || text == "yes" || text == "1" || text == "true"; }

/// Year, month and day from argument `i` on, as the wiki writes them.
std::string date(const TemplateCall& call, std::size_t i) {
  const std::string year(call.at(i));
  const std::string month = month_name(call.at(i + 1));
  const std::string day(call.at(i + 2));
  if (month.empty()) {
    return year;
  }
  if (day.empty()) {
    return month + " " + year;
  }
  return yes(call.get("df")) ? day + " " + month + " " + year : month + " " + day + ", " + year;
}

struct Day {
  int year;
  int month;
  int day;
};

Day day_at(const TemplateCall& call, std::size_t i) {
  return {small_number(call.at(i)), small_number(call.at(i + 1)), small_number(call.at(i + 2))};
}

bool complete(const Day& d) { return d.year >= 0 && d.month >= 1 && d.month <= 12 && d.day >= 1 && d.day <= 31; }

int years_between(const Day& from, const Day& to) {
  const bool before_birthday = to.month < from.month || (to.month == from.month && to.day < from.day);
  return to.year - from.year - (before_birthday ? 1 : 0);
}

enum class Form { date, death, years, free_text, as_of, age, plain };

const std::unordered_map<std::string_view, Form>& forms() {
  using enum Form;
  static const std::unordered_map<std::string_view, Form> known = {{"birth date", Form::date},
                                                                   {"birth date and age", Form::date},
                                                                   {"bda", Form::date},
                                                                   {"dob", Form::date},
                                                                   {"birth date and age2", Form::date},
                                                                   {"start date", Form::date},
                                                                   {"start date and age", Form::date},
                                                                   {"end date", Form::date},
                                                                   {"film date", Form::date},
                                                                   {"release date", Form::date},
                                                                   {"launch date", Form::date},
                                                                   {"event date", Form::date},
                                                                   {"death date", Form::date},
                                                                   {"dod", Form::date},
                                                                   {"date table sorting", Form::date},
                                                                   {"dts", Form::date},
                                                                   {"death date and age", death},
                                                                   {"dda", death},
                                                                   {"birth year and age", years},
                                                                   {"death year and age", years},
                                                                   {"birth year", years},
                                                                   {"birth-date", free_text},
                                                                   {"birth-date and age", free_text},
                                                                   {"death-date", free_text},
                                                                   {"death-date and age", free_text},
                                                                   {"start-date", free_text},
                                                                   {"end-date", free_text},
                                                                   {"as of", as_of},
                                                                   {"asof", as_of},
                                                                   {"age", age},
                                                                   {"date", plain},
                                                                   {"date-", plain}};
  return known;
}

std::string death_and_age(const TemplateCall& call) {
  std::string text = date(call, 0);
  const Day died = day_at(call, 0);
  const Day born = day_at(call, 3);
  if (complete(died) && complete(born)) {
    text += " (aged " + std::to_string(years_between(born, died)) + ")";
  }
  return text;
}

std::string as_of_date(const TemplateCall& call) {
  std::string text = yes(call.get("lc")) ? "as of " : "As of ";
  if (!call.get("alt").empty()) {
    return std::string(call.get("alt"));
  }
  return text + date(call, 0);
}

/// "{{date|3|mai|1960}}" and "{{date|2010-05-03|mdy}}".
std::string plain_date(const TemplateCall& call) {
  const bool parts = small_number(call.at(0)) >= 1 && small_number(call.at(2)) >= 0;
  if (!parts) {
    return std::string(call.at(0));
  }
  return std::string(call.at(0)) + " " + std::string(call.at(1)) + " " + std::string(call.at(2));
}

}  // namespace

std::optional<std::string> evaluate_date(const TemplateCall& call) {
  const auto form = forms().find(call.name);
  if (form == forms().end()) {
    return std::nullopt;
  }
  // A date in words, or "{{birth date|df=yes|...}}" without numbers.
  const bool words = small_number(call.at(0)) < 0;
  switch (form->second) {
    case Form::date:
      return words ? std::string(call.at(0)) : date(call, 0);
    case Form::death:
      return words ? std::string(call.at(0)) : death_and_age(call);
    case Form::years:
    case Form::free_text:
      return std::string(call.at(0));
    case Form::as_of:
      return as_of_date(call);
    case Form::plain:
      return plain_date(call);
    case Form::age: {
      const Day from = day_at(call, 0);
      const Day to = day_at(call, 3);
      if (complete(from) && complete(to)) {
        return std::to_string(years_between(from, to));
      }
      return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace trireme::wikitext
