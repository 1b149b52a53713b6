// SPDX-License-Identifier: Apache-2.0
#include "launch/study_run.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "core/base/status_board.h"
#include "core/base/stop.h"
#include "core/io/atomic_file.h"
#include "core/io/json.h"
#include "core/train/rank_agreement.h"
#include "launch/command.h"
#include "launch/run.h"
#include "launch/study_clerk.h"
#include "launch/study_curves.h"
#include "launch/study_memory.h"
#include "launch/study_results.h"
#include "launch/time_limit.h"
#include "launch/training_run.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::chrono::seconds kLockPatience{5};  // after a kill, the last process of the job may still be there
constexpr std::chrono::seconds kBetweenNews{1};   // that a run tells of its steps

fs::path plan_path(const Study& study) { return fs::path(study.settings.folder) / "plan.json"; }

/// The part of a run's settings that is about ranks and memory, as at its first start: another allocation changes
/// neither how it runs nor what it comes to. Returns what is to be kept for the next one.
Json keep_sizes(Study& study, int ranks) {
  const auto path = plan_path(study);
  auto plan = fs::exists(path) ? read_json(path) : Json::object();
  const auto settle = [&](RunConfig& config, const std::string& hash) {
    if (const auto hit = plan.find(hash); hit != plan.end()) {
      const auto before = resolved_run_config(hit->get<std::string>(), path);
      if (before.mesh.ranks() <= ranks) {
        config.mesh = before.mesh;
        config.sharding = before.sharding;
        config.train.micro_batch = before.train.micro_batch;
        config.train.recompute = before.train.recompute;
        return;
      }
    }
    plan[hash] = to_yaml(config);
  };
  for (StudyRun& run : study.runs) {
    settle(run.config, run.hash);
    run.ranks = run.config.mesh.ranks();
    for (StudyBranch& branch : run.branches) settle(branch.config, branch.hash);
  }
  return plan;
}

std::string on_one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

/// What the ranks of a run are told.
std::string order_of(const StudyItem& item) {
  Json branches = Json::array();
  for (const BranchPoint& branch : item.branches) {
    branches.push_back({{"step", branch.step}, {"config", to_yaml(branch.config)}});
  }
  return Json{{"hash", item.hash}, {"config", to_yaml(item.config)}, {"branches", branches}}.dump();
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// Everything that rank 0 alone has.
class Office {
 public:
  Office(Study study, const StudyStart& start, const World& world, DeviceKind kind, const FreeMemory& free)
      : study_(std::move(study)) {
    const auto& folder = study_.settings.folder;
    fs::create_directories(folder);
    lock_ = std::make_unique<FolderLock>(folder, kLockPatience);
    if (!lock_->warning().empty()) fmt::print(stderr, "trireme: warning: {}\n", lock_->warning());
    const auto plan = keep_sizes(study_, world.size());
    items_ = items_of(study_);
    check_fits(start, kind, free);
    write_file_atomic(plan_path(study_), to_text(plan));
    progress_ = std::make_unique<StudyProgress>(terminal_ ? terminal_.get() : stderr, progress_runs(),
                                                (fs::path(folder) / "log.txt").string());
    clerk_ = std::make_unique<StudyClerk>(jobs(start), ranks_by_node(world.homes()),
                                          StudyClerk::Options{.retries = study_.settings.retries,
                                                              .stop = [] { return stop_requested(); },
                                                              .changed = [this] { write_or_tell(); }},
                                          *progress_);
    progress_->say(fmt::format("study {}: {}", study_.settings.name, progress_->totals()));
    if (const auto kept = keep_other_results(folder, items_); !kept.empty()) {
      progress_->say(
          fmt::format("{}/results.csv had runs that are not this study's, by other settings or another "
                      "version: it is kept as {}",
                      folder, kept));
    }
  }

  StudyClerk& clerk() { return *clerk_; }
  const RunConfig& first_config() const { return items_.front().config; }

  StudyOutcome close() {
    write();
    write_curves_csv(study_, items_, clerk_->results());
    StudyOutcome outcome{.runs = items_.size()};
    for (const auto& result : clerk_->results()) {
      if (result) ++(result->done ? outcome.done : outcome.failed);
    }
    if (outcome.done + outcome.failed < outcome.runs) {
      outcome.code = ExitCode::requeue;
      progress_->say(fmt::format("stopped: {}; the same command goes on", progress_->totals()));
    } else {
      if (outcome.done == 0) outcome.code = ExitCode::failed;
      progress_->say(fmt::format("the study is over: {}; its table is {}/results.csv", progress_->totals(),
                                 study_.settings.folder));
    }
    return outcome;
  }

 private:
  std::vector<StudyProgress::Run> progress_runs() const {
    std::vector<StudyProgress::Run> runs;
    for (const StudyItem& item : items_) runs.push_back({item.name, item.config.train.steps, cost(item)});
    return runs;
  }
  /// In any unit: the planned time, and where nobody has planned, FLOPs.
  static double cost(const StudyItem& item) { return item.seconds > 0 ? item.seconds : item.flops_6nd; }

  /// A run that diverged does so again until its settings change, which makes it another run, or the program does.
  static bool worth_another(const RunResult& result) {
    return !result.done && (!result.diverged || result.version != TRIREME_VERSION);
  }
  /// What an earlier start has left of the item; nothing where that says nothing of this one.
  static std::optional<RunResult> earlier(const StudyItem& item, const StudyStart& start) {
    auto result = read_result(item.config, item.hash);
    const bool allowed_more = result && result->diverged && result->skip_rules != skip_rules(item.config);
    if (allowed_more || (result && start.retry_failed && worth_another(*result))) result.reset();
    return result;
  }

  /// What is still to be run, and cannot be, is told before anything is.
  void check_fits(const StudyStart& start, DeviceKind kind, const FreeMemory& free) const {
    std::vector<const StudyItem*> left;
    for (const StudyItem& item : items_) {
      if (!earlier(item, start)) left.push_back(&item);
    }
    Problems problems;
    check_study_memory(left, kind, free, problems);
    problems.raise();
  }

  std::vector<StudyJob> jobs(const StudyStart& start) const {
    std::vector<StudyJob> jobs;
    for (const StudyItem& item : items_) {
      StudyJob job{item.name, item.ranks, item.trunk, cost(item), order_of(item), earlier(item, start)};
      jobs.push_back(std::move(job));
    }
    return jobs;
  }

  void write() const { write_results_csv(study_, result_rows(study_, items_, clerk_->results())); }
  /// While runs go on, a table that cannot be written now may be later.
  void write_or_tell() {
    const auto problem = problem_of([&] { write(); });
    if (!problem.empty()) progress_->say("warning: " + problem);
  }

  Study study_;
  std::unique_ptr<FolderLock> lock_;
  std::vector<StudyItem> items_;
  std::unique_ptr<std::FILE, CloseFile> terminal_{terminal_of_launcher()};  // stderr is a pipe to it
  std::unique_ptr<StudyProgress> progress_;
  std::unique_ptr<StudyClerk> clerk_;
};

/// A rank's side: runs what it is told to.
class Worker {
 public:
  Worker(World& world, Desk& desk, std::shared_ptr<Device> device, const TimeLimit& limit)
      : world_(world), desk_(desk), device_(std::move(device)), limit_(limit) {}

  void work() {
    for (std::string said = "{}";;) {
      const auto told = Json::parse(desk_.ask(said));
      if (told.contains("end")) return;
      if (told.contains("abort")) {
        world_.abort(reason_ + " (the other ranks of this run have not met it)", static_cast<int>(ExitCode::failed));
      }
      said = told.contains("agreed") ? "{}" : ended(told).dump();
      if (reason_.empty() || told.contains("agreed")) part_.reset();
    }
  }

 private:
  /// Runs, and says what it came to: the same on all ranks of the run unless one of them alone has met something.
  Json ended(const Json& told) {
    part_ = world_.part(told.at("ranks").get<std::vector<int>>());
    Json said = {{"run", told.at("run")}, {"reason", ""}};
    reason_.clear();
    try {
      said["status"] = run(*part_, told, said) == ExitCode::requeue ? "stopped" : "done";
    } catch (const std::exception& problem) {
      reason_ = on_one_line(explained(problem).what());
    }
    process_status().enter(Phase::start);
    if (reason_.empty()) return said;
    said["status"] = "failed";
    said["reason"] = reason_;
    check_device();
    if (part_->rank() == 0) fail_run(told, said);
    return said;
  }

  /// Of a run that has failed.
  void fail_run(const Json& told, Json& said) {
    const auto& order = told.at("order");
    const auto config = resolved_run_config(order.at("config").get<std::string>(), "a run's settings");
    RunResult result{.hash = order.at("hash").get<std::string>(),
                     .diverged = said.contains("diverged"),
                     .reason = reason_,
                     .skip_rules = skip_rules(config),
                     .attempts = told.at("failures").get<std::int64_t>() + 1,
                     .ranks = static_cast<std::int64_t>(told.at("ranks").size()),
                     .version = TRIREME_VERSION};
    // Why it failed may keep this from being written as well: then the next start tries again.
    problem_of([&] { measure(config, result); });
    problem_of([&] { write_result(config, result); });
    said["result"] = Json::parse(to_text(result));
  }

  /// Throws like the rest of the run when it fails, but for what run() tells in order.
  ExitCode run(World& part, const Json& told, Json& said) {
    const auto& order = told.at("order");
    const auto config = resolved_run_config(order.at("config").get<std::string>(), "a run's settings");
    process_status().at_step(0);
    std::unique_ptr<FolderLock> lock;
    std::int64_t unique_tokens = 0;
    on_rank_zero(part.group(), [&]() -> std::string {
      Problems problems;
      LoadedRunConfig loaded{config, {}};
      validate(loaded, part.size(), problems);
      resolve_data(loaded, problems);
      problems.raise();
      unique_tokens = static_cast<std::int64_t>(describe_loader(loader_config(config, Split::train)).tokens);
      lock = claim_run_folder(config);
      return {};
    });
    auto start = start_of(told);
    TrainingRun training(part, config, std::move(start), device_);
    const auto code = training.run();
    if (code == ExitCode::failed) reason_ = on_one_line(training.failure());
    if (training.diverged()) said["diverged"] = true;
    if (code != ExitCode::done) return code;
    on_rank_zero(part.group(), [&]() -> std::string {
      RunResult result{.hash = order.at("hash").get<std::string>(),
                       .done = true,
                       .reason = "",
                       .attempts = told.at("failures").get<std::int64_t>(),
                       .ranks = part.size(),
                       .version = TRIREME_VERSION,
                       .unique_tokens = static_cast<double>(unique_tokens)};
      measure(config, result);
      write_result(config, result);
      said["result"] = Json::parse(to_text(result));
      return {};
    });
    return code;
  }

  TrainingStart start_of(const Json& told) {
    TrainingStart start;
    start.out = nullptr;
    start.keep_failures = true;
    start.leave = [this](double save_seconds) { return desk_.closing() || limit_.near(save_seconds); };
    start.told = [this, run = told.at("run")](const StepMetrics& metrics) {
      const auto now = std::chrono::steady_clock::now();
      if (now - news_ < kBetweenNews) return;
      news_ = now;
      desk_.tell(Json{{"run", run}, {"step", metrics.step}, {"loss", metrics.loss}}.dump());
    };
    for (const auto& branch : told.at("order").at("branches")) {
      start.branches.push_back({branch.at("step").get<std::int64_t>(),
                                resolved_run_config(branch.at("config").get<std::string>(), "a branch's settings")});
    }
    return start;
  }

  /// A device that a failure has left broken would fail every run to come.
  void check_device() {
    const auto problem = problem_of([&] {
      const auto stream = device_->make_stream("probe");
      const auto buffer = device_->allocate(256);
      device_->zero(*stream, buffer.data(), buffer.bytes());
      stream->synchronize();
    });
    if (!problem.empty()) world_.abort(reason_ + "; the device does not work any more: " + problem, 1);
  }

  World& world_;
  Desk& desk_;
  std::shared_ptr<Device> device_;
  const TimeLimit& limit_;
  /// The ranks of the run, which part when all of them have come to its end: after a failure that may be never.
  std::unique_ptr<World> part_;
  std::string reason_;  // why the last run failed
  std::chrono::steady_clock::time_point news_ = {};
};

}  // namespace

StudyOutcome run_study(World& world, const Study& study, const std::shared_ptr<Device>& device,
                       const StudyStart& start) {
  std::unique_ptr<Office> office;
  std::string settings;
  const auto free = free_memory(world, *device);
  on_rank_zero(world, [&] {
    check_usage(!study.runs.empty(), "the study has no runs");
    office = std::make_unique<Office>(study, start, world, device->kind(), free);
    settings = to_yaml(office->first_config());
  });
  world.group().host_broadcast(settings, 0);
  const auto config = resolved_run_config(settings, "the settings of the first run");
  const TimeLimit limit(start.max_seconds, std::getenv("SLURM_JOB_END_TIME"));
  {
    const auto watchdog = make_watchdog(world, process_status(), config.watchdog.seconds);
    const auto desk = world.open_desk(office ? &office->clerk() : nullptr);
    Worker(world, *desk, device, limit).work();
  }
  StudyOutcome outcome;
  std::string code;
  on_rank_zero(world, [&] {
    outcome = office->close();
    code = std::to_string(static_cast<int>(outcome.code));
  });
  world.group().host_broadcast(code, 0);
  outcome.code = static_cast<ExitCode>(std::stoi(code));
  return outcome;
}

}  // namespace trireme
