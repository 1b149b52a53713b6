// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/study_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/io/atomic_file.h"
#include "core/io/html_page.h"
#include "core/scaling/report_parts.h"

namespace trireme {
namespace {

constexpr double kNarrow = 380, kNarrowHeight = 340;  // of pictures on a telephone

/// The picture twice: type keeps its size only where a picture is drawn for the width that it is seen at.
std::string figure(const FitPicture& picture) {
  auto narrow = picture.chart;
  narrow.width = kNarrow;
  narrow.height = kNarrowHeight;
  return fmt::format(
      "<figure id=\"{}\">\n<div class=\"on-wide\">{}</div><div class=\"on-narrow\">{}</div>\n"
      "<figcaption>{} <a href=\"pictures/{}.svg\">SVG</a>, <a href=\"pictures/{}.csv\">numbers</a>."
      "</figcaption>\n</figure>\n",
      picture.name, svg_element(picture.chart), svg_element(narrow), html_escaped(picture.caption), picture.name,
      picture.name);
}

std::string section(const char* title, const std::string& content) {
  return content.empty() ? "" : fmt::format("<h2>{}</h2>\n{}", title, content);
}

std::string warnings_part(const StudyReport& report) {
  std::string text;
  for (const auto& warning : report_warnings(report)) text += "<li>" + html_escaped(warning) + "</li>\n";
  return text.empty() ? "" : "<div class=\"warnings\"><b>What is doubtful</b>\n<ul>\n" + text + "</ul></div>\n";
}

std::string machine_part(const StudyReport& report) {
  HtmlTable table{{"", ""}, {}, {}};
  for (const auto& [name, value] : report.machine) table.rows.push_back({name, value});
  return table.rows.empty() ? "" : html_of(table);
}

}  // namespace

StudyReport report_of(const StudyFit& study, const std::string& title) {
  StudyReport report{.title = title, .law = {study, ""}};
  const auto& curves = study.rows.curves;
  const auto runs = run_numbers(curves);
  const bool are_curves = !runs.empty() && *std::max_element(runs.begin(), runs.end()) + 1 < runs.size();
  if (are_curves) report.curves = curves;
  report.parameters = study.rows.parameters;
  report.flops = study.rows.flops;
  for (const auto& p : study.rows.points) report.runs.push_back({ReportRun::Use::fitted, p});
  for (const auto& p : study.dropped) {
    report.runs.push_back({ReportRun::Use::left_out, p, "among the rows of highest loss"});
  }
  return report;
}

std::vector<FitPicture> report_pictures(const StudyReport& report) {
  const auto* law = report.law.fit ? &*report.law.fit : nullptr;
  const bool has_envelope = law != nullptr && law->envelope.fit.has_value();
  auto pictures = curve_pictures(report.curves, has_envelope ? &*law->envelope.fit : nullptr);
  if (law == nullptr) return pictures;
  for (auto& picture : fit_pictures(*law, report.held_out)) pictures.push_back(std::move(picture));
  return pictures;
}

std::string report_page(const StudyReport& report) {
  std::string pictures;
  for (const auto& picture : report_pictures(report)) pictures += figure(picture);
  const auto configuration =
      report.configuration.empty() ? "" : "<pre>" + html_escaped(report.configuration) + "</pre>\n";
  const auto body = fmt::format("<h1>{}</h1>\n", html_escaped(report.title)) + answer_part(report) +
                    warnings_part(report) + section("Pictures", pictures) +
                    section("Predictions that could be checked", checks_part(report)) +
                    section("Coefficients", coefficients_part(report)) + section("Runs", runs_part(report)) +
                    section("How things are counted", conventions_part(report)) +
                    section("Configuration", configuration) + section("Machine and versions", machine_part(report));
  return html_page(report.title, body, chart_style() + "\n.chart{background:none}\n");
}

void write_report(const StudyReport& report, const std::string& folder) {
  const auto pictures = std::filesystem::path(folder) / "pictures";
  std::filesystem::create_directories(pictures);
  for (const auto& picture : report_pictures(report)) {
    write_file_atomic((pictures / (picture.name + ".svg")).string(), svg_of(picture.chart));
    write_file_atomic((pictures / (picture.name + ".csv")).string(), picture.csv);
  }
  write_file_atomic((std::filesystem::path(folder) / "report.html").string(), report_page(report));
}

}  // namespace trireme
