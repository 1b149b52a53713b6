// SPDX-License-Identifier: Apache-2.0
// The report and results.h5 of a study's folder, whatever its tables hold.
#include "launch/study_page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/io/atomic_file.h"
#include "launch/results_h5.h"
#include "tests/core/io/temporary_directory.h"
#include "tests/core/io/well_formed.h"

namespace trireme {
namespace {

constexpr const char* kResults =
    "run,hash,status,held_out,layers,width,params_total,tokens,flops_6nd,steps,learning_rate,train_loss,validation_"
    "loss,"
    "seconds,reason,version,validation_loss_wiki,optimizer.beta2,kind\n"
    "a,1234,done,no,2,64,100000,2000000,1200000000000,100,0.0070135711961727,1.5,1.625,12.5,,0.1.0,1.75,0.95,x\n"
    "b,5678,done,yes,3,96,200000,2000000,2400000000000,100,0.002,1.25,1.375,25,,0.1.0,,0.99,y\n"
    "<script>alert(1)</script>,9abc,failed,no,3,96,200000,4000000,4800000000000,200,0.002,,,3,\"diverged, at <7>\","
    "0.1.0,,0.99,\n";
constexpr const char* kCurves =
    "run,trunk,status,held_out,params_total,tokens,flops_6nd,train_loss\n"
    "a,a,done,no,100000,1000000,600000000000,2.5\n"
    "a,a,done,no,100000,2000000,1200000000000,1.5\n"
    "<script>alert(1)</script>,c,failed,no,200000,1000000,600000000000,nan\n";

class StudyPage : public ::testing::Test {
 protected:
  StudyPage() {
    study_.settings.name = "<b>few</b>";
    study_.settings.folder = folder_.path().string();
    study_.settings.base.data.validation = 0.01;
    study_.notes = {"n<1> was merged"};
    write_file_atomic(folder_ / "results.csv", kResults);
    write_file_atomic(folder_ / "curves.csv", kCurves);
  }

  trireme::testing::TemporaryDirectory folder_;
  Study study_;
};

TEST_F(StudyPage, HasEveryRunAndWhyOneFailed) {
  Outcome<StudyLaw> law{std::nullopt, "2 runs determine no law"};
  const auto report = study_page(study_, law, {"name: <b>few</b>\n", {{"device", "a & b"}}});
  ASSERT_EQ(report.runs.size(), 3U);
  EXPECT_EQ(report.runs[0].use, ReportRun::Use::fitted);
  EXPECT_EQ(report.runs[1].use, ReportRun::Use::held_out);
  EXPECT_EQ(report.runs[2].use, ReportRun::Use::failed);
  EXPECT_EQ(report.runs[2].reason, "diverged, at <7>");
  EXPECT_EQ(report.runs[0].point.loss, 1.625);  // of the validation set that the laws are fitted to
  EXPECT_TRUE(std::isnan(report.runs[2].point.loss));
  const std::vector<std::string> columns = {"layers",     "width",   "learning_rate",        "steps",
                                            "train_loss", "seconds", "validation_loss_wiki", "optimizer.beta2",
                                            "kind"};
  EXPECT_EQ(report.more_columns, columns);
  EXPECT_EQ(report.runs[0].more[2], "0.007014");
  EXPECT_EQ(report.curves.size(), 3U);
  const auto page = report_page(report);
  EXPECT_EQ(testing::xml_problem(page), "");
  EXPECT_EQ(testing::xml_elements(page).count("script"), 0U);
  for (const auto* part : {"2 runs determine no law", "1 of 3 runs failed", "diverged, at &lt;7&gt;", "a &amp; b",
                           "n&lt;1&gt; was merged", "column validation_loss", "name: &lt;b&gt;few", "id=\"curves\""}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
}

TEST_F(StudyPage, NeedsNoTables) {
  std::filesystem::remove(folder_ / "results.csv");
  std::filesystem::remove(folder_ / "curves.csv");
  const Outcome<StudyLaw> law{std::nullopt, "no run is done"};
  EXPECT_EQ(testing::xml_problem(report_page(study_page(study_, law, {}))), "");
  write_results_h5(study_, "");
  EXPECT_TRUE(missing(folder_ / "results.h5"));
}

TEST_F(StudyPage, ResultsHaveTheSameRowsAndColumnsAsNumbers) {
  write_results_h5(study_, "name: few\n");
  const auto table = read_hdf5_table(folder_ / "results.h5");
  const auto csv = read_table(folder_ / "results.csv");
  ASSERT_EQ(table.columns.size(), csv.columns.size());
  for (std::size_t i = 0; i < csv.columns.size(); ++i) EXPECT_EQ(table.columns[i].name, csv.columns[i]);
  const auto values = [&](const std::string& name) -> const auto& {
    return std::ranges::find(table.columns, name, &Hdf5Column::name)->values;
  };
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(values("steps")), (std::vector<std::int64_t>{100, 100, 200}));
  const auto& loss = std::get<std::vector<double>>(values("validation_loss"));
  EXPECT_EQ(loss[0], 1.625);
  EXPECT_TRUE(std::isnan(loss[2]));
  EXPECT_TRUE(std::holds_alternative<std::vector<double>>(values("params_total")));  // whole by chance
  EXPECT_TRUE(std::isnan(std::get<std::vector<double>>(values("validation_loss_wiki"))[1]));
  EXPECT_EQ(std::get<std::vector<std::string>>(values("hash"))[0], "1234");  // all digits, and text
  EXPECT_EQ(std::get<std::vector<std::string>>(values("kind"))[2], "");
  EXPECT_EQ(std::get<std::vector<std::string>>(values("run"))[2], "<script>alert(1)</script>");
  EXPECT_EQ(text_attribute(table.attributes, "parameters", "t"), "total");
  EXPECT_EQ(text_attribute(table.attributes, "flops", "t"), "6nd");
  EXPECT_EQ(text_attribute(table.attributes, "configuration_hash", "t").size(), 32U);
}

}  // namespace
}  // namespace trireme
