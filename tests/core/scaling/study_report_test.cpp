// SPDX-License-Identifier: Apache-2.0
// The page of a study: its parts, what it escapes, and tables that hold little or nonsense.
#include "core/scaling/study_report.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include "core/io/atomic_file.h"
#include "core/scaling/csv.h"
#include "tests/core/io/temporary_directory.h"
#include "tests/core/io/well_formed.h"
#include "tests/core/scaling/sample_points.h"

namespace trireme {
namespace {

using testing::xml_elements;
using testing::xml_problem;

const ChinchillaLaw kTruth{1.8, 480, 2100, .35, .37};
const std::string kHostile = "<script>alert(1)</script>\"'&\x01\xff";

/// Five runs of `points`, as they went.
std::vector<ScalingPoint> curves_of(const std::vector<ScalingPoint>& points) {
  std::vector<ScalingPoint> curves;
  for (std::size_t i = 0; i < points.size(); i += 2) {
    for (int step = 1; step <= 40; ++step) {
      auto p = points[i];
      p.run = "run " + std::to_string(i);
      p.tokens *= step / 40.0;
      p.flops *= step / 40.0;
      p.loss = kTruth.loss(p.parameters, p.tokens);
      curves.push_back(p);
    }
  }
  return curves;
}

/// One fit for all tests, asked about a budget (0: about none).
StudyFit fitted(double budget = 1e21) {
  static const StudyFit once = [] {
    StudyRows rows{points_of(kTruth, 6, 5, .005, 9), "total", "6ND", "results.csv", {}};
    for (std::size_t i = 0; i < rows.points.size(); ++i) rows.points[i].run = "run " + std::to_string(i);
    rows.curves = curves_of(rows.points);
    FitOptions options;
    options.bootstrap.resamples = 100;
    options.drop_highest = 1;
    options.predict_sizes = {{1e9, 2e10}};
    return fit_study(rows, options);
  }();
  auto study = once;
  if (budget > 0) {
    study.options.predict_flops = {budget};
    study.predictions.insert(study.predictions.begin(),
                             predict_budget(study.parametric, study.options.bootstrap, budget));
  }
  return study;
}

/// No script, nothing from elsewhere, one well-formed document of a size that any browser opens.
void expect_safe(const std::string& page) {
  EXPECT_EQ(xml_problem(page), "");
  const auto elements = xml_elements(page);
  for (const auto* forbidden : {"script", "img", "iframe", "object", "embed", "link", "base", "form"}) {
    EXPECT_EQ(elements.count(forbidden), 0U) << forbidden;
  }
  for (const auto* url : {"http:", "https:", "//", "url(", "@import", "javascript:"}) {
    // The one address is the name of SVG's vocabulary, which nobody fetches.
    std::string rest = page;
    for (const std::string name = "http://www.w3.org/2000/svg"; rest.find(name) != std::string::npos;) {
      rest.erase(rest.find(name), name.size());
    }
    EXPECT_EQ(rest.find(url), std::string::npos) << url;
  }
  EXPECT_EQ(page.find("nan"), std::string::npos);
  EXPECT_LT(page.size(), std::size_t{4} << 20U);
}

TEST(StudyReport, AnswersFirstAndShowsWhatItRestsOn) {
  auto report = report_of(fitted(), "A study");
  report.configuration = "name: <b>\n";
  report.machine = {{"host", "laptop"}};
  const auto page = report_page(report);
  expect_safe(page);
  std::size_t at = 0;
  for (const auto* part : {"<h1>A study</h1>",
                           "A budget of <b>1e21</b> FLOPs",
                           "What is doubtful",
                           ">Pictures<",
                           "id=\"curves\"",
                           "id=\"envelope\"",
                           "id=\"isoflop\"",
                           "id=\"optimum\"",
                           "id=\"optimum_tokens\"",
                           "id=\"losses\"",
                           "id=\"contours\"",
                           "id=\"residuals\"",
                           "id=\"prediction\"",
                           "Predictions that could be checked",
                           ">Coefficients<",
                           "Approach 1",
                           "Approach 2",
                           "Approach 3",
                           "Kaplan",
                           ">Runs<",
                           "run 29",
                           "How things are counted",
                           "name: &lt;b&gt;",
                           "laptop"}) {
    const auto found = page.find(part, at);
    ASSERT_NE(found, std::string::npos) << part;
    at = found;
  }
  const auto& law = report.law.fit->parametric.law;
  EXPECT_NE(page.find(fmt::format("{:.15g}", law.alpha)), std::string::npos);
  // Nine pictures, each drawn wide and narrow.
  EXPECT_EQ(xml_elements(page).at("svg"), 18);
}

TEST(StudyReport, SpeaksOfTheNextPowersOfTenWhenNoBudgetIsAskedAbout) {
  const auto page = report_page(report_of(fitted(0), "t"));  // the largest budget is 1e20
  EXPECT_NE(page.find("No budget was asked about"), std::string::npos);
  EXPECT_NE(page.find("A budget of <b>1e21</b>"), std::string::npos);
  EXPECT_NE(page.find("A budget of <b>1e22</b>"), std::string::npos);
}

TEST(StudyReport, WarnsOfWhatIsDoubtful) {
  EXPECT_NE(report_page(report_of(fitted(1e26), "t")).find("times the largest run"), std::string::npos);
  auto study = fitted();
  study.holdout.fit->within = 0;
  for (auto& r : study.isoflop.fit->resamples) r.parameters.exponent = 0.9;
  for (auto& p : study.rows.points) p.unique_tokens = p.tokens / 5;
  study.isoflop.fit->profiles[0].problem = "its minimum is beyond";
  const auto page = report_page(report_of(study, "t"));
  for (const auto* part : {"lie in their interval of 95 %", "Approaches 2 and 3 disagree", "repeated up to 5 times",
                           "its minimum is beyond", "1 rows of highest loss were left out"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  auto report = report_of(fitted(), "t");
  EXPECT_EQ(report_page(report).find("runs failed"), std::string::npos);
  report.runs[3].use = ReportRun::Use::failed;
  report.warnings = {"of the study's own"};
  EXPECT_NE(report_page(report).find("1 of 30 runs failed"), std::string::npos);
  EXPECT_NE(report_page(report).find("of the study&#39;s own"), std::string::npos);
}

TEST(StudyReport, TextFromOutsideStandsForItself) {
  auto study = fitted();
  study.kaplan = {std::nullopt, kHostile};
  for (auto& p : study.rows.points) p.run = kHostile + p.run;
  for (auto& p : study.rows.curves) p.run = kHostile + p.run;
  auto report = report_of(study, kHostile);
  report.parameters = report.flops = report.configuration = kHostile;
  report.machine = {{kHostile, kHostile}};
  report.warnings = {kHostile};
  report.more_columns = {kHostile};
  for (auto& run : report.runs) run.more = {kHostile}, run.reason = kHostile;
  report.held_out = {{study.rows.points[0], study.predictions[1]}};
  expect_safe(report_page(report));
  for (const auto& picture : report_pictures(report)) {
    EXPECT_EQ(xml_problem(svg_of(picture.chart)), "") << picture.name;
    EXPECT_FALSE(parse_table(picture.csv, picture.name).rows.empty()) << picture.name;
  }
}

TEST(StudyReport, ShowsRunsThatWereHeldOutFromTheStart) {
  auto report = report_of(fitted(), "t");
  auto p = report.law.fit->rows.points[0];
  p.run = "larger";
  const auto expected = predict_sizes(report.law.fit->parametric, report.law.fit->options.bootstrap, 1e9, 2e10);
  p.loss = expected.loss.value;
  report.held_out = {{p, expected}};
  EXPECT_NE(report_page(report).find("<td>within</td>"), std::string::npos);
  report.held_out[0].point.loss = 2 * p.loss;
  const auto page = report_page(report);
  EXPECT_NE(page.find("<td>outside</td>"), std::string::npos);
  EXPECT_NE(page.find("-50.00 %"), std::string::npos);
}

TEST(StudyReport, NeedsNoLaw) {
  StudyReport report{.title = "few", .law = {std::nullopt, "two runs <determine> no law"}};
  expect_safe(report_page(report));  // not even a run
  ScalingPoint none;
  none.run = "failed <early>";
  report.runs = {{ReportRun::Use::failed, none, "out of <memory>"}};
  ScalingPoint odd;
  odd.parameters = -1;
  odd.tokens = INFINITY;
  odd.loss = 0;
  report.runs.push_back({ReportRun::Use::fitted, odd});
  ScalingPoint one;
  one.run = "the one";
  one.parameters = 1e6;
  one.tokens = 2e7;
  one.flops = 1.2e14;
  one.loss = 3.25;
  report.runs.push_back({ReportRun::Use::fitted, one});
  report.curves = {none, odd, one};
  const auto page = report_page(report);
  expect_safe(page);
  for (const auto* part : {"two runs &lt;determine&gt; no law", "out of &lt;memory&gt;", "1 of 3 runs failed", "20M"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
}

TEST(StudyReport, WritesThePageAndEveryPictureWithItsNumbers) {
  const testing::TemporaryDirectory folder;
  const auto report = report_of(fitted(), "t");
  write_report(report, folder / "new/place");
  EXPECT_EQ(read_file(folder / "new/place/report.html", 1 << 24), report_page(report));
  for (const auto& picture : report_pictures(report)) {
    const auto base = folder / ("new/place/pictures/" + picture.name);
    EXPECT_EQ(xml_problem(read_file(base + ".svg", 1 << 24)), "") << base;
    EXPECT_GE(read_table(base + ".csv").rows.size(), 5U) << base;
  }
}

}  // namespace
}  // namespace trireme
