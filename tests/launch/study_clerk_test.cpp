// SPDX-License-Identifier: Apache-2.0
// A study's runs given out to ranks that are threads, and are over in no time: who runs what, and how often.
#include "launch/study_clerk.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <mutex>

#include "parallel/parallel.h"

namespace trireme {
namespace {

using Json = nlohmann::json;

std::vector<StudyProgress::Run> names(const std::vector<StudyJob>& jobs) {
  std::vector<StudyProgress::Run> runs;
  runs.reserve(jobs.size());
  for (const auto& job : jobs) runs.push_back({job.name, 10, job.cost});
  return runs;
}

StudyJob job(const std::string& name, std::int64_t ranks, const std::string& behaviour = "done") {
  StudyJob made;
  made.name = name;
  made.ranks = ranks;
  made.order = Json{{"do", behaviour}}.dump();
  return made;
}

RunResult result(bool done, std::int64_t attempts) {
  RunResult made;
  made.hash = "h";
  made.done = done;
  made.attempts = attempts;
  return made;
}

/// How a study went.
struct Story {
  std::vector<std::optional<RunResult>> results;
  std::vector<int> times;  // that each run was started
};

/// Every rank works until it is told that there is nothing left. A run "fails", is "done", or is "done" after it has
/// asked for a stop, when the first run has begun; one that was told to wait for the end "stops" when the desk closes.
Story play(int ranks, std::vector<StudyJob> jobs, std::int64_t retries) {
  Story story{{}, std::vector<int>(jobs.size(), 0)};
  std::mutex mutex;
  std::atomic<bool> stop{false};
  run_thread_world(ranks, [&](World& world) {
    StudyProgress progress(nullptr, names(jobs), "");
    std::unique_ptr<StudyClerk> clerk;
    if (world.rank() == 0) {
      clerk = std::make_unique<StudyClerk>(
          jobs, ranks_by_node(world.homes()),
          StudyClerk::Options{.retries = retries, .stop = [&] { return stop.load(); }, .changed = {}}, progress);
    }
    {
      const auto desk = world.open_desk(clerk.get());
      for (std::string said = "{}";;) {
        const auto told = Json::parse(desk->ask(said));
        if (told.contains("end")) break;
        if (told.contains("agreed")) {
          said = "{}";
          continue;
        }
        const auto run = told.at("run").get<std::size_t>();
        const auto members = told.at("ranks").get<std::vector<int>>();
        EXPECT_EQ(static_cast<std::int64_t>(members.size()), jobs[run].ranks);
        const auto part = world.part(members);
        part->group().barrier();
        const auto what = told.at("order").at("do").get<std::string>();
        if (part->rank() == 0) {
          const std::lock_guard lock(mutex);
          ++story.times[run];
        }
        Json words = {{"run", run}, {"status", what}, {"reason", ""}};
        if (what == "stop all") {
          const auto first_runs = [&] {
            const std::lock_guard lock(mutex);
            return story.times[0] > 0;
          };
          while (!first_runs()) std::this_thread::yield();
          stop = true;
          words["status"] = "done";
        }
        if (what == "long") {
          while (!desk->closing()) std::this_thread::yield();
          words["status"] = "stopped";
        }
        const bool fails = what == "failed" || what == "diverged";
        if (fails) words["status"] = "failed";
        if (fails) words["reason"] = "it always does";
        if (part->rank() == 0 && words["status"] != "stopped") {
          auto made = result(!fails, told.at("failures").get<std::int64_t>() + (fails ? 1 : 0));
          made.diverged = what == "diverged";
          made.reason = words["reason"].get<std::string>();
          words["result"] = Json::parse(to_text(made));
        }
        said = words.dump();
      }
    }
    if (clerk) story.results = clerk->results();
  });
  return story;
}

TEST(StudyClerk, GivesEveryRunOutOnceToGroupsOfItsSize) {
  for (const int ranks : {1, 2, 3, 4, 5}) {
    std::vector<StudyJob> jobs;
    for (int i = 0; i < 20; ++i) {
      jobs.push_back(job("run", 1 + (i * 7) % ranks));
      if (i >= 10 && i % 3 == 0) jobs.back().after = 1;
    }
    const auto story = play(ranks, jobs, 1);
    EXPECT_EQ(story.times, std::vector<int>(20, 1)) << ranks;
    for (const auto& r : story.results) EXPECT_TRUE(r && r->done);
  }
}

TEST(StudyClerk, TriesWhatFailsAgainAndRecordsItAndGoesOn) {
  const auto story = play(3, {job("bad", 2, "failed"), job("good", 1), job("worse", 1, "failed"), job("last", 3)}, 2);
  EXPECT_EQ(story.times, (std::vector{3, 1, 3, 1}));
  ASSERT_TRUE(story.results[0]);
  EXPECT_FALSE(story.results[0]->done);
  EXPECT_EQ(story.results[0]->attempts, 3);
  EXPECT_EQ(story.results[0]->reason, "it always does");
  EXPECT_TRUE(story.results[1]->done);
  EXPECT_TRUE(story.results[3]->done);
}

TEST(StudyClerk, DoesNotRepeatWhatHasDiverged) {
  std::vector<StudyJob> jobs{job("diverges", 2, "diverged"), job("good", 1), job("before", 1)};
  jobs[2].result = result(false, 1);
  jobs[2].result->diverged = true;
  const auto story = play(2, jobs, 3);
  EXPECT_EQ(story.times, (std::vector{1, 1, 0}));
  ASSERT_TRUE(story.results[0]);
  EXPECT_TRUE(story.results[0]->diverged);
  EXPECT_EQ(story.results[0]->attempts, 1);
  EXPECT_EQ(story.results[0]->reason, "it always does");
  EXPECT_TRUE(story.results[2]->diverged);
}

TEST(StudyClerk, RepeatsNothingThatHasEnded) {
  std::vector<StudyJob> jobs{job("done", 2), job("failed for good", 1, "failed"), job("failed once", 1), job("new", 1)};
  jobs[0].result = result(true, 0);
  jobs[1].result = result(false, 2);
  jobs[2].result = result(false, 1);
  const auto story = play(2, jobs, 1);
  EXPECT_EQ(story.times, (std::vector{0, 0, 1, 1}));
  EXPECT_FALSE(story.results[1]->done);
  EXPECT_TRUE(story.results[2]->done);
  EXPECT_EQ(story.results[2]->attempts, 1) << "as in a study that was not interrupted";
}

TEST(StudyClerk, StopsAllRunsAndStartsNoneWhenAskedTo) {
  std::vector<StudyJob> jobs{job("a", 1, "long"), job("b", 1, "stop all"), job("c", 1)};
  jobs[2].after = 1;
  const auto story = play(3, jobs, 1);
  EXPECT_EQ(story.times, (std::vector{1, 1, 0}));
  EXPECT_FALSE(story.results[0]) << "to be continued";
  EXPECT_TRUE(story.results[1]);
}

/// Without a desk: what the ranks of a run are told when one of them alone has failed.
TEST(StudyClerk, EndsTheJobWhenOneRankOfARunAloneHasFailed) {
  const std::vector<StudyJob> jobs{job("a", 2)};
  StudyProgress progress(nullptr, names(jobs), "");
  const std::vector<std::int64_t> order{0, 1};
  StudyClerk clerk(jobs, order, {.patience = std::chrono::milliseconds(20)}, progress);
  EXPECT_TRUE(clerk.asked(0, "{}").empty());
  EXPECT_EQ(clerk.asked(1, "{}").size(), 2U);
  EXPECT_TRUE(clerk.asked(1, R"({"run":0,"status":"failed","reason":"no disk"})").empty()) << "rank 0 may be late";
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  const auto answers = clerk.look();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].rank, 1);
  EXPECT_EQ(answers[0].words, R"({"abort":true})");
}

}  // namespace
}  // namespace trireme
