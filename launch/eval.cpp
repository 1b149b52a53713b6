// SPDX-License-Identifier: Apache-2.0
// `trireme eval`: an exam on the parameters of a run.
#include <boost/program_options/value_semantic.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <filesystem>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/train/checkpoint.h"
#include "core/train/init.h"
#include "core/train/scorer.h"
#include "launch/commands.h"
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

/// The questions of an exam as requests to the scorer, with what the report needs to know of each.
struct Sheet {
  std::vector<Answer> answers;           // scores still missing
  std::vector<ScoreRequest> requests;    // of all answers, one after another
  std::vector<std::size_t> requests_of;  // number of requests of each answer
  std::string prompts;                   // with `dump`: length and bytes of each
};

Sheet make_sheet(const Exam& exam, const Tokenizer& tokenizer, const PairRules& rules, std::int64_t shots, bool dump) {
  Sheet sheet;
  for (const auto& subject : exam.subjects) {
    std::int64_t index = 0;
    for (const auto& question : subject.test) {
      const auto prompt = mmlu_prompt(subject, question, shots);
      Answer answer{subject.name, index++, {}, question.answer, 0, false, false};
      const auto letters = mmlu_continuations(question);
      for (const auto& letter : letters) {
        auto pair = encode_pair(tokenizer, prompt, letter, rules);
        answer.tokens = std::max(answer.tokens, static_cast<std::int64_t>(pair.tokens.size()) - 1);
        answer.truncated = answer.truncated || pair.truncated;
        answer.fallback = answer.fallback || pair.fallback;
        sheet.requests.push_back({std::move(pair.tokens), pair.continuation});
      }
      sheet.requests_of.push_back(letters.size());
      sheet.answers.push_back(std::move(answer));
      if (dump) {
        auto length = static_cast<std::uint64_t>(prompt.size());
        for (int byte = 0; byte < 8; ++byte, length >>= 8U) sheet.prompts += static_cast<char>(length & 0xffU);
        sheet.prompts += prompt;
      }
    }
  }
  return sheet;
}

void fill_in(Sheet& sheet, const std::vector<Likelihood>& likelihoods) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < sheet.answers.size(); ++i) {
    for (std::size_t k = 0; k < sheet.requests_of[i]; ++k) {
      sheet.answers[i].scores.push_back(likelihoods[at++].log_prob);
    }
  }
}

std::string tokenizer_of(const EvalOptions& options) {
  if (!options.tokenizer.empty()) return options.tokenizer;
  const auto kept = tokenizer_in(options.run);
  check_usage(!kept.empty(), "{} holds no tokenizer; give one with --tokenizer", options.run);
  return kept;
}

PairRules rules_of(const Tokenizer& tokenizer, const Architecture& architecture) {
  PairRules rules;
  rules.max_tokens = architecture.context;
  const auto& prefix = tokenizer.model().template_prefix;
  if (!prefix.empty()) rules.bos = prefix.front();
  rules.empty_prefix = tokenizer.bos() ? tokenizer.bos() : tokenizer.eos();
  return rules;
}

/// Puts the wanted parameters into the store; returns the step that they are of.
std::int64_t load_parameters(World& world, const RunConfig& config, Engine& engine, const EvalOptions& options) {
  if (options.untrained) {
    initialise(engine.table, *engine.store, *engine.device, *engine.stream, config.train.seed);
    return 0;
  }
  auto path = checkpoint_folder(config);
  if (options.step >= 0) {
    const auto all = list_checkpoints(path);
    const auto hit =
        std::find_if(all.begin(), all.end(), [&](const CheckpointEntry& e) { return e.step == options.step; });
    check_usage(hit != all.end(), "{} has no checkpoint of step {}", path, options.step);
    path = hit->path;
  }
  return load_weights(path, checkpoint_parts(world, engine)).train.step;
}

int evaluate(World& world, const EvalOptions& options) {
  RunConfig config;
  std::string tokenizer_path;
  Exam exam;
  on_rank_zero(world, [&] {
    check_usage(options.task == "mmlu", "no task '{}'; there is mmlu", options.task);
    config = read_run_folder(options.run);
    tokenizer_path = tokenizer_of(options);
    exam = load_mmlu(options.data);
  });
  if (world.rank() != 0) {
    config = read_run_folder(options.run);
    tokenizer_path = tokenizer_of(options);
    exam = load_mmlu(options.data);
  }
  const auto& architecture = config.model.architecture;
  const auto tokenizer = Tokenizer::load(tokenizer_path);
  check(static_cast<std::int64_t>(tokenizer.vocab_size()) <= architecture.vocabulary,
        "{} has {} tokens, but the model of {} has a vocabulary of {}; give the run's own tokenizer", tokenizer_path,
        tokenizer.vocab_size(), options.run, architecture.vocabulary);

  Engine engine(world, architecture, {.replica = world.size()}, config.train.precision, config.cpu.threads,
                config.cpu.inline_streams);
  const auto step = load_parameters(world, config, engine, options);

  auto sheet = make_sheet(exam, tokenizer, rules_of(tokenizer, architecture), options.shots,
                          world.rank() == 0 && !options.dump_prompts.empty());
  if (world.rank() == 0 && !options.dump_prompts.empty()) write_file_atomic(options.dump_prompts, sheet.prompts);
  Scorer scorer({.architecture = architecture,
                 .dtype = config.train.precision,
                 .device = *engine.device,
                 .ops = *engine.ops,
                 .stream = *engine.stream,
                 .store = *engine.store,
                 .data = *engine.replicas,
                 .tensor = *engine.tensor});
  const bool terminal = isatty(STDERR_FILENO) != 0 && world.rank() == 0;
  fill_in(sheet, scorer.score(sheet.requests, [&](std::int64_t done, std::int64_t all) {
    if (terminal) fmt::print(stderr, "\rexam: {} of {} batches\x1b[K{}", done, all, done >= all ? "\n" : "");
  }));
  if (world.rank() != 0) return 0;

  const auto report = report_of(sheet.answers, options.categories);
  const auto title = fmt::format("{} ({}-shot, {} split, step {})", options.task, options.shots, exam.split, step);
  fmt::print(options.json ? stderr : stdout, "{}", to_table(report, title));
  const auto base =
      options.out.empty()
          ? (fs::path(options.run) / "eval" / fmt::format("{}_{}shot_step{}", options.task, options.shots, step))
                .string()
          : options.out;
  fs::create_directories(fs::absolute(base).parent_path());
  std::string lines;
  for (const auto& answer : sheet.answers) lines += to_json_text(answer) + "\n";
  write_file_atomic(base + ".jsonl", lines);
  auto json = nlohmann::json::parse(to_json_text(report));
  json.update(
      {{"task", options.task}, {"shots", options.shots}, {"split", exam.split}, {"step", step}, {"run", options.run}});
  write_file_atomic(base + ".json", json.dump(1) + "\n");
  if (options.json) {
    fmt::print("{}\n", json.dump());
  } else {
    fmt::print("written: {}.json, {}.jsonl\n", base, base);
  }
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
  check_usage(options.shots >= 0, "--shots {} is negative", options.shots);
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
  return run_in_world([&](World& world) { return evaluate(world, options); });
}

}  // namespace trireme
