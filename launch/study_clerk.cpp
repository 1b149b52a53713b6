// SPDX-License-Identifier: Apache-2.0
#include "launch/study_clerk.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/base/error.h"

namespace trireme {
namespace {

std::vector<QueuedRun> queued(const std::vector<StudyJob>& jobs) {
  std::vector<QueuedRun> runs;
  runs.reserve(jobs.size());
  for (const StudyJob& job : jobs) runs.push_back({job.ranks, job.after});
  return runs;
}

}  // namespace

StudyClerk::StudyClerk(std::vector<StudyJob> jobs, std::span<const std::int64_t> order, Options options,
                       StudyProgress& progress)
    : jobs_(std::move(jobs)),
      options_(std::move(options)),
      progress_(progress),
      queue_(queued(jobs_), order),
      results_(jobs_.size()),
      failures_(jobs_.size(), 0) {
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    if (!jobs_[i].result) continue;
    failures_[i] = jobs_[i].result->attempts;
    if (!is_final(*jobs_[i].result, failures_[i])) continue;
    results_[i] = jobs_[i].result;
    queue_.ended(i);
    progress_.was_there(i, results_[i]->done);
  }
}

std::vector<Clerk::Answer> StudyClerk::asked(int rank, const std::string& words) {
  waiting_.insert(rank);
  hear_of_end(rank, words);
  return look();
}

void StudyClerk::told(int /*rank*/, const std::string& words) {
  const auto json = nlohmann::json::parse(words);
  const auto& loss = json.at("loss");  // of a skipped step it may be none
  progress_.at(json.at("run").get<std::size_t>(), json.at("step").get<std::int64_t>(),
               loss.is_number() ? loss.get<double>() : std::numeric_limits<double>::quiet_NaN());
}

std::vector<Clerk::Answer> StudyClerk::look() {
  if (options_.stop && options_.stop() && !closing_) {
    closing_ = true;
    progress_.say("stopping: running runs save and leave");
  }
  progress_.draw();
  auto all = aborted();
  for (auto& answer : std::exchange(agreed_, {})) all.push_back(std::move(answer));
  for (auto& answer : answers()) all.push_back(std::move(answer));
  return all;
}

/// Whether a run with this result is not to be started again. One that has diverged would diverge again.
bool StudyClerk::is_final(const RunResult& result, std::int64_t failures) const {
  return result.done || result.diverged || failures > options_.retries;
}

void StudyClerk::hear_of_end(int rank, const std::string& words) {
  const auto json = nlohmann::json::parse(words);
  if (!json.contains("run")) return queue_.is_free(rank);
  const auto run = json.at("run").get<std::size_t>();
  Running& end = running_.at(run);
  if (end.said.empty()) end.first = Clock::now();
  end.said[rank] = json.at("status").get<std::string>();
  if (rank == end.ranks.front() || end.reason.empty()) end.reason = json.at("reason").get<std::string>();
  if (json.contains("result")) end.result = parse_result(json.at("result").dump(), jobs_[run].name);
  if (end.said.size() < end.ranks.size()) return;
  const bool together =
      std::ranges::all_of(end.said, [&](const auto& s) { return s.second == end.said.begin()->second; });
  if (!together) return;  // aborted() then finds it
  for (const int r : end.ranks) {
    if (end.said.at(r) == "failed") {
      waiting_.erase(r);
      agreed_.push_back({r, R"({"agreed":true})"});
    } else {
      queue_.is_free(r);
    }
  }
  close_run(run, end);
  running_.erase(run);
}

void StudyClerk::close_run(std::size_t run, const Running& end) {
  const auto& status = end.said.begin()->second;
  if (status == "stopped") {
    queue_.again(run);
    progress_.stopped(run);
    closing_ = true;  // whoever stopped it, a signal or the end of the time, means all
    return;
  }
  const bool done = status == "done";
  if (!done) ++failures_[run];
  const bool final = done || (end.result && is_final(*end.result, failures_[run]));
  if (!final && failures_[run] <= options_.retries && !closing_) {
    queue_.again(run);
    progress_.failed(run, end.reason, true);
    return;
  }
  queue_.ended(run);
  results_[run] = end.result;
  if (done) {
    progress_.done(run, end.result ? end.result->train_loss : 0, end.result ? end.result->validation_loss : 0);
  } else {
    progress_.failed(run, end.reason, false);
  }
  if (options_.changed) options_.changed();
}

/// Those whose run has failed on some of its ranks only: the others will not come, and hang until the job ends.
std::vector<Clerk::Answer> StudyClerk::aborted() {
  std::vector<Answer> answers;
  for (const auto& [run, end] : running_) {
    const bool all = end.said.size() == end.ranks.size();
    if (end.said.empty() || (!all && Clock::now() - end.first < options_.patience)) continue;
    for (const auto& [rank, status] : end.said) {
      if (waiting_.erase(rank) > 0) answers.push_back({rank, R"({"abort":true})"});
    }
  }
  return answers;
}

std::vector<Clerk::Answer> StudyClerk::answers() {
  std::vector<Answer> answers;
  if (!closing_) {
    for (const RunQueue::Start& start : queue_.starts()) {
      const nlohmann::json words = {{"run", start.run},
                                    {"ranks", start.ranks},
                                    {"failures", failures_[start.run]},
                                    {"order", nlohmann::json::parse(jobs_[start.run].order)}};
      for (const int rank : start.ranks) {
        waiting_.erase(rank);
        answers.push_back({rank, words.dump()});
      }
      running_[start.run].ranks = start.ranks;
      progress_.started(start.run, start.ranks);
    }
  }
  const bool over = running_.empty() && (closing_ || queue_.waiting() == 0);
  if (!over) return answers;
  for (const int rank : waiting_) answers.push_back({rank, R"({"end":true})"});
  waiting_.clear();
  return answers;
}

}  // namespace trireme
