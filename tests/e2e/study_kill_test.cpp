// SPDX-License-Identifier: Apache-2.0
// The quickstart's study, killed and stopped on the way, and undisturbed: the same table, but for times. With
// TRIREME_WHOLE_STUDY=1 the study as it stands in configs/, for two cores and forty minutes, which must then predict
// its held-out run; otherwise with a tenth of its budgets.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "core/scaling/csv.h"
#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;
using Table = std::map<std::string, std::map<std::string, std::string>>;  // by run and column

class StudyKill : public testing::Test {
 protected:
  static bool whole() { return std::getenv("TRIREME_WHOLE_STUDY") != nullptr; }

  std::string path(const std::string& inside) const { return made_.path() + "/" + inside; }
  Outcome ranks(const Words& arguments) const { return run(trireme(2, arguments), made_.path()); }

  /// The data of the quickstart, as launch/quickstart.sh --data makes it.
  void make_data() const {
    const std::string sources =
        "sources=[{name: crawl, files: ['world/crawl/*.gz'], kind: wet}, {name: wiki, files: "
        "['world/wiki/*articles-multistream.xml.bz2'], kind: wiki}]";
    for (const Words& words : {Words{"synth", "world", "--documents", "40000", "--seed", "1"},
                               Words{"tokenizer", "train", "--input", "world/crawl", "world/wiki", "--vocab", "2048",
                                     "--out", "tokenizer.json"},
                               Words{"data", std::string(TRIREME_SOURCE_DIR) + "/configs/data/quickstart.yaml", "--set",
                                     "out=shards", "--set", "tokenizer=tokenizer.json", "--set", sources}}) {
      const auto outcome = run(trireme(words), made_.path());
      ASSERT_EQ(outcome.code, 0) << outcome.err;
    }
  }

  static Words study(const std::string& folder) {
    Words words{"sweep", std::string(TRIREME_SOURCE_DIR) + "/configs/sweeps/quickstart.yaml",
                "--set", "folder=" + folder,
                "--set", "base.data.shards=[shards]",
                "--json"};
    if (whole()) return words;
    for (const char* set :
         {"budgets.flops=[1.5e11,3.0e11,6.0e11,1.2e12]", "held_out.budgets.flops=[2.4e12]",
          "budgets.least_tokens_per_parameter=0.1", "rules.warmup.value=1.0e4", "base.checkpoint.every=200"}) {
      words.insert(words.end(), {"--set", set});
    }
    return words;
  }

  Table table(const std::string& folder) const {
    Table rows;
    const auto csv = parse_table(read_text(path(folder + "/results.csv")), folder);
    for (const auto& values : csv.rows) {
      for (std::size_t c = 0; c < csv.columns.size(); ++c) {
        if (csv.columns[c] == "seconds" || csv.columns[c] == "tokens_per_second") continue;
        rows[values.at(0)][csv.columns[c]] = values[c];
      }
    }
    return rows;
  }

  /// Of all runs of the study so far.
  std::size_t steps_made(const std::string& folder) const {
    std::size_t steps = 0;
    std::error_code none;
    for (const auto& run : fs::directory_iterator(path(folder + "/runs"), none)) {
      steps += count(read_text(run.path().string() + "/metrics.jsonl"), "\"loss\"");
    }
    return steps;
  }

  TemporaryFolder made_;
};

TEST_F(StudyKill, EndsWithTheTableOfAnUndisturbedStudy) {
  make_data();
  const auto undisturbed = ranks(study("whole"));
  ASSERT_EQ(undisturbed.code, 0) << undisturbed.err;
  const auto expected = table("whole");
  EXPECT_GE(expected.size(), 13U);
  for (const auto& [name, row] : expected) EXPECT_EQ(row.at("status"), "done") << name << ": " << row.at("reason");
  const auto steps = steps_made("whole");

  const auto words = study("killed");
  {
    Process job(trireme(2, words), made_.path());
    ASSERT_TRUE(job.wait_until([&] { return steps_made("killed") > steps / 4; })) << job.errors_so_far();
    kill(rank_of(job, 1), SIGKILL);
    const auto outcome = job.wait();
    EXPECT_NE(outcome.code, 0);
    EXPECT_NE(outcome.code, 75) << outcome.err;
  }
  const auto after_kill = steps_made("killed");
  EXPECT_LT(after_kill, steps);
  {
    Process job(trireme(2, words), made_.path());
    ASSERT_TRUE(job.wait_until([&] { return steps_made("killed") > after_kill + steps / 4; })) << job.errors_so_far();
    job.signal(SIGUSR1);
    const auto outcome = job.wait();
    EXPECT_EQ(outcome.code, 75) << outcome.err;
    EXPECT_TRUE(has(outcome.err, "the same command goes on")) << outcome.err;
  }
  EXPECT_LT(steps_made("killed"), steps);
  const auto last = ranks(words);
  ASSERT_EQ(last.code, 0) << last.err;
  EXPECT_EQ(table("killed"), expected);
  EXPECT_EQ(read_text(path("killed/curves.csv")), read_text(path("whole/curves.csv")));
  if (!whole()) return;
  const auto fit = nlohmann::json::parse(read_text(path("killed/fit.json")));
  ASSERT_EQ(fit.at("held_out").size(), 1U);
  EXPECT_TRUE(fit.at("held_out")[0].at("within").get<bool>()) << fit.at("held_out");
  for (const char* approach : {"approach 1: envelope", "approach 2: parabolas", "approach 3: L ="}) {
    EXPECT_TRUE(has(read_text(path("killed/fit.txt")), approach)) << approach;
  }
}

}  // namespace
}  // namespace trireme::e2e
