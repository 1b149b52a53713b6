// SPDX-License-Identifier: Apache-2.0
// `trireme eval`: an exam on the parameters of a run.
#include <boost/program_options/value_semantic.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/stop.h"
#include "core/io/atomic_file.h"
#include "core/train/checkpoint.h"
#include "core/train/init.h"
#include "core/train/scorer.h"
#include "launch/commands.h"
#include "launch/exam_sheet.h"
#include "launch/run.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

struct EvalOptions {
  std::string run, task, data, tokenizer, out, dump_prompts;
  std::int64_t shots = 0;
  std::int64_t step = -1;
  bool untrained = false;
  CategoryMap categories = CategoryMap::harness;
  bool json = false;
};

std::string tokenizer_of(const EvalOptions& options) {
  if (!options.tokenizer.empty()) return options.tokenizer;
  const auto kept = tokenizer_in(options.run);
  check_usage(!kept.empty(), "{} holds no tokenizer; give one with --tokenizer", options.run);
  return kept;
}

/// Where the parameters come from: the newest checkpoint, one of them, or nowhere.
std::string checkpoint_of(const RunConfig& config, const EvalOptions& options) {
  const auto folder = checkpoint_folder(config);
  if (options.untrained) return "";
  const auto all = fs::is_directory(folder) ? list_checkpoints(folder) : std::vector<CheckpointEntry>();
  check_usage(!all.empty(), "{} has no checkpoint yet; --untrained examines the parameters before the first step",
              options.run);
  if (options.step < 0) return folder;
  const auto hit =
      std::find_if(all.begin(), all.end(), [&](const CheckpointEntry& e) { return e.step == options.step; });
  check_usage(hit != all.end(), "{} has no checkpoint of step {}", folder, options.step);
  return hit->path;
}

/// Puts the wanted parameters into the store; returns the step that they are of.
std::int64_t load_parameters(World& world, const RunConfig& config, Engine& engine, const std::string& checkpoint) {
  if (checkpoint.empty()) {
    initialise(engine.table, *engine.store, *engine.device, *engine.stream, config.train.seed);
    return 0;
  }
  return load_weights(checkpoint, checkpoint_parts(world, engine)).train.step;
}

/// What every rank reads for itself, from the same files.
struct Preparation {
  RunConfig config;
  std::string checkpoint;
  std::string split;
  ExamSheet sheet;
};

Preparation prepare(const EvalOptions& options, bool dump) {
  check_usage(options.task == "mmlu", "no task '{}'; there is: mmlu", options.task);
  check_usage(options.shots >= 0, "--shots {} is negative", options.shots);
  check_usage(options.step >= -1, "--step {} is negative", options.step);
  check_usage(!options.untrained || options.step < 0, "--untrained and --step {} exclude one another", options.step);
  Preparation made;
  made.config = read_run_folder(options.run);
  made.checkpoint = checkpoint_of(made.config, options);
  const auto tokenizer_path = tokenizer_of(options);
  const auto exam = load_mmlu(options.data);
  const auto& architecture = made.config.model.architecture;
  const auto tokenizer = Tokenizer::load(tokenizer_path);
  check_usage(static_cast<std::int64_t>(tokenizer.vocab_size()) <= architecture.vocabulary,
              "{} has {} tokens, but the model of {} has a vocabulary of {}; give the run's own tokenizer",
              tokenizer_path, tokenizer.vocab_size(), options.run, architecture.vocabulary);
  made.split = exam.split;
  made.sheet = make_exam_sheet(exam, tokenizer, architecture, options.shots, dump);
  return made;
}

/// All ranks prepare at once. What is wrong with the files is wrong for all, and said once, by rank 0; what is wrong
/// for another rank only is said by that one.
Preparation prepare_together(World& world, const EvalOptions& options) {
  Preparation made;
  std::exception_ptr problem;
  try {
    made = prepare(options, world.rank() == 0 && !options.dump_prompts.empty());
  } catch (const std::exception&) {
    problem = std::current_exception();
  }
  on_rank_zero(world, [&] {
    if (problem) std::rethrow_exception(problem);
    if (!options.dump_prompts.empty()) write_file_atomic(options.dump_prompts, made.sheet.prompts);
  });
  if (problem) std::rethrow_exception(problem);
  return made;
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// How far the exam is: a line that is rewritten on a terminal, a line every half minute elsewhere.
class ExamProgress {
 public:
  void update(std::int64_t done, std::int64_t all) {
    const auto now = seconds_since(start_);
    if (!terminal_ && now - last_ < kEvery) return;
    last_ = now;
    const auto left = std::llround(now * static_cast<double>(all - done) / static_cast<double>(done));
    fmt::print(stderr, "{}exam: {:.0f} %, {:.0f} tokens/s, ETA {}m {:02}s{}", terminal_ ? "\r" : "",
               100.0 * static_cast<double>(done) / static_cast<double>(all), static_cast<double>(done) / now, left / 60,
               left % 60, !terminal_ ? "\n" : (done >= all ? "\x1b[K\n" : "\x1b[K"));
    std::fflush(stderr);
  }

 private:
  static constexpr double kEvery = 30.0;  // seconds
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  const Clock::time_point start_ = Clock::now();
  double last_ = 0.0;
};

/// How long the scoring took, with the tokens of one input for each question.
nlohmann::json speed_of(const ExamSheet& sheet, double seconds) {
  std::int64_t tokens = 0;
  for (const auto& answer : sheet.answers) tokens += answer.tokens;
  return {{"seconds", seconds},
          {"tokens", tokens},
          {"questions_per_second", static_cast<double>(sheet.answers.size()) / seconds},
          {"tokens_per_second", static_cast<double>(tokens) / seconds}};
}

void write_results(const EvalOptions& options, const Preparation& made, std::int64_t step,
                   const nlohmann::json& speed) {
  const auto report = report_of(made.sheet.answers, options.categories);
  const auto title = fmt::format("{} ({}-shot, {} split, step {})", options.task, options.shots, made.split, step);
  auto* people = options.json ? stderr : stdout;
  fmt::print(people, "{}{:.1f} s, {:.1f} questions/s, {:.0f} tokens/s\n", to_table(report, title),
             speed["seconds"].get<double>(), speed["questions_per_second"].get<double>(),
             speed["tokens_per_second"].get<double>());
  const auto base =
      options.out.empty()
          ? (fs::path(options.run) / "eval" / fmt::format("{}_{}shot_step{}", options.task, options.shots, step))
                .string()
          : options.out;
  fs::create_directories(fs::absolute(base).parent_path());
  std::string lines;
  for (const auto& answer : made.sheet.answers) lines += to_json_text(answer) + "\n";
  write_file_atomic(base + ".jsonl", lines);
  auto json = nlohmann::json::parse(to_json_text(report));
  json.update(
      {{"task", options.task}, {"shots", options.shots}, {"split", made.split}, {"step", step}, {"run", options.run}});
  json.update(speed);
  write_file_atomic(base + ".json", json.dump(1) + "\n");
  if (options.json) {
    fmt::print("{}\n", json.dump());
  } else {
    fmt::print("written: {}.json, {}.jsonl\n", base, base);
  }
}

int evaluate(World& world, const EvalOptions& options) {
  auto made = prepare_together(world, options);
  auto& config = made.config;
  config.mesh = {.replica = world.size()};
  Engine engine(world, config.model.architecture, engine_config(config));
  const auto step = load_parameters(world, config, engine, made.checkpoint);
  Scorer scorer({.architecture = config.model.architecture,
                 .dtype = config.train.precision,
                 .device = *engine.device,
                 .ops = *engine.ops,
                 .stream = *engine.stream,
                 .store = *engine.store,
                 .data = *engine.mesh.data,
                 .tensor = *engine.mesh.tensor});
  ExamProgress progress;
  const auto start = Clock::now();
  std::vector<Likelihood> likelihoods;
  run_together(world, engine, [&] {
    likelihoods = scorer.score(made.sheet.requests, [&](std::int64_t done, std::int64_t all) {
      leave_if_stop_requested();
      if (world.rank() == 0) progress.update(done, all);
    });
    return 0;
  });
  const auto speed = speed_of(made.sheet, seconds_since(start));
  on_rank_zero(world, [&] {
    fill_in(made.sheet, likelihoods);
    write_results(options, made, step, speed);
  });
  return 0;
}

}  // namespace

int eval_command(std::span<const std::string> arguments) {
  namespace po = boost::program_options;
  CommandLine line{"eval RUN --tasks mmlu --data DIR [--shots 0|5]",
                   "Scores an exam on the newest checkpoint of a run. Any number of ranks gives the same answers.",
                   po::options_description("Options"),
                   {"run"}};
  line.options.add_options()("tasks", po::value<std::string>()->default_value("mmlu"), "the exam: mmlu")(
      "data", po::value<std::string>(), "folder of the exam's files")(
      "shots", po::value<std::int64_t>()->default_value(0), "worked examples in front of each question")(
      "step", po::value<std::int64_t>()->default_value(-1), "which checkpoint; the newest if not given")(
      "untrained", "the parameters before the first step instead of a checkpoint")(
      "tokenizer", po::value<std::string>()->default_value(""), "instead of the run's own")(
      "categories", po::value<std::string>()->default_value("harness"), "map of subjects: harness or hendrycks")(
      "out", po::value<std::string>()->default_value(""), "results go to OUT.json and OUT.jsonl")(
      "dump-prompts", po::value<std::string>()->default_value(""), "write every prompt, length (u64) and bytes");
  const auto values = parse_command_line(line, arguments);
  if (!values) return 0;
  EvalOptions options;
  options.run = required(*values, "run");
  options.task = required(*values, "tasks");
  options.data = required(*values, "data");
  options.shots = (*values)["shots"].as<std::int64_t>();
  options.step = (*values)["step"].as<std::int64_t>();
  options.untrained = values->count("untrained") != 0;
  options.tokenizer = required(*values, "tokenizer");
  options.out = required(*values, "out");
  options.dump_prompts = required(*values, "dump-prompts");
  const auto categories = required(*values, "categories");
  check_usage(categories == "harness" || categories == "hendrycks", "--categories {}; expected harness or hendrycks",
              categories);
  options.categories = categories == "harness" ? CategoryMap::harness : CategoryMap::hendrycks;
  options.json = values->count("json") != 0;
  listen_for_stop();
  return run_in_world([&](World& world) { return evaluate(world, options); });
}

}  // namespace trireme
