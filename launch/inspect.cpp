// SPDX-License-Identifier: Apache-2.0
// `trireme inspect`: what is in a shard, a corpus, a checkpoint, a run.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "core/base/error.h"
#include "core/train/checkpoint.h"
#include "data_pipeline/data.h"
#include "launch/commands.h"
#include "launch/run.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

/// What there is to say, and what is wrong: empty, or a line for people that makes the exit code 1.
struct Description {
  DataDescription text;
  std::string problem;
};

DataDescription describe_checkpoint(const fs::path& path, bool verify) {
  const auto s = verify ? verify_checkpoint(path) : inspect_checkpoint(path);
  DataDescription d;
  d.facts = {{"checkpoint of step", std::to_string(s.train.step)},
             {"samples consumed", std::to_string(s.train.position)},
             {"tokens consumed", std::to_string(s.train.tokens)},
             {"parameters", fmt::format("{} in {} tensors", s.parameters, s.tensors)},
             {"bytes", std::to_string(s.bytes)},
             {"written by", fmt::format("{} ranks, run {}, attempt {}", s.world, s.run, s.attempt)},
             {"settings", s.config_hash},
             {"read back when saved", is_verified(path) ? "yes (VERIFIED)" : "no (no VERIFIED)"},
             {"verified", verify ? "every byte read and held against its checksum and digest" : "no (--verify)"}};
  const nlohmann::json json = {{"step", s.train.step},
                               {"position", s.train.position},
                               {"tokens", s.train.tokens},
                               {"parameters", s.parameters},
                               {"tensors", s.tensors},
                               {"bytes", s.bytes},
                               {"ranks", s.world},
                               {"run", s.run},
                               {"marked", is_verified(path)},
                               {"verified", verify}};
  d.json = json.dump();
  return d;
}

/// The checkpoints of a run, a fact each: good and bad ones, and what is none.
class CheckpointReport {
 public:
  CheckpointReport(const std::string& folder, bool verify) : verify_(verify) {
    const auto incomplete = list_incomplete(folder);
    for (const auto& entry : list_checkpoints(folder)) {
      if (std::find(incomplete.begin(), incomplete.end(), entry.path) == incomplete.end()) add(entry);
    }
    for (const auto& path : incomplete) add_incomplete(path);
  }

  const std::vector<std::pair<std::string, std::string>>& facts() const { return facts_; }
  nlohmann::json json() const {
    return {{"checkpoints", steps_}, {"marked", marked_}, {"bad", bad_}, {"incomplete", incomplete_}};
  }
  /// With --verify: which of the folders named step-* no run can go on from.
  std::string problem(const std::string& run) const {
    if (problems_.empty()) return {};
    std::string text = fmt::format("{} of the checkpoints in {} {} damaged:", problems_.size(), run,
                                   problems_.size() == 1 ? "is" : "are");
    for (const auto& line : problems_) text += "\n  " + line;
    return text;
  }

 private:
  void add(const CheckpointEntry& entry) {
    std::string problem;
    try {
      if (verify_) verify_checkpoint(entry.path);
    } catch (const Error& e) {
      problem = e.what();
    }
    const bool marked = is_verified(entry.path);
    steps_.push_back(entry.step);
    if (marked) marked_.push_back(entry.step);
    if (!problem.empty()) {
      bad_.push_back(entry.step);
      problems_.push_back(problem);
      facts_.emplace_back("checkpoint, bad", fmt::format("{}: {}", entry.path, problem));
      return;
    }
    facts_.emplace_back(verify_ ? "checkpoint, good" : "checkpoint",
                        fmt::format("{}, {}", entry.path, marked ? "VERIFIED" : "not VERIFIED"));
  }

  /// A stage is no damage: a job writes it, or its next start removes it.
  void add_incomplete(const std::string& path) {
    const bool stage = fs::path(path).filename().string().starts_with('.');
    incomplete_.push_back(path);
    facts_.emplace_back("incomplete", path + (stage ? ": being written, or left by a job that was killed"
                                                    : ": no checkpoint, it has no MANIFEST.json"));
    if (verify_ && !stage) problems_.push_back(path + " has no MANIFEST.json");
  }

  bool verify_;
  std::vector<std::pair<std::string, std::string>> facts_;
  std::vector<std::int64_t> steps_, marked_, bad_;
  std::vector<std::string> incomplete_, problems_;
};

Description describe_run(const fs::path& path, bool verify) {
  const auto config = read_run_folder(path);
  Description d;
  d.text.facts = {
      {"run", path.string()},
      {"model", fmt::format("{}, {} parameters", config.model.preset, parameter_count(config.model.architecture))},
      {"settings", hash_of(config)}};
  nlohmann::json json = {{"run", path.string()},
                         {"preset", config.model.preset},
                         {"parameters", parameter_count(config.model.architecture)},
                         {"checkpoints", nlohmann::json::array()},
                         {"verified", verify}};
  const auto folder = checkpoint_folder(config);
  if (fs::is_directory(folder)) {
    const CheckpointReport report(folder, verify);
    d.text.facts.insert(d.text.facts.end(), report.facts().begin(), report.facts().end());
    json.update(report.json());
    d.problem = report.problem(path.string());
    json["verified"] = verify && d.problem.empty();
  }
  d.text.json = json.dump();
  return d;
}

Description describe(const fs::path& path, bool verify) {
  check_usage(fs::exists(path), "{} does not exist", path.string());
  if (fs::is_regular_file(path / "run.yaml")) return describe_run(path, verify);
  if (fs::is_regular_file(path / "MANIFEST.json")) return {describe_checkpoint(path, verify), {}};
  if (fs::is_regular_file(path / "corpus.json") || path.filename() == "corpus.json") {
    return {describe_corpus(path, verify), {}};
  }
  check_usage(path.extension() == ".h5",
              "{} is neither a shard (.h5), a corpus (corpus.json), a checkpoint (MANIFEST.json) nor a run (run.yaml)",
              path.string());
  return {describe_shard(path, verify), {}};
}

}  // namespace

int inspect_command(std::span<const std::string> arguments) {
  CommandLine line{"inspect PATH [--verify]",
                   "Says what is in a shard, a corpus, a checkpoint or a run.",
                   boost::program_options::options_description("Options"),
                   {"path"}};
  line.options.add_options()("verify", "read every byte and hold it against its checksum");
  const auto values = parse_command_line(line, arguments);
  if (!values) return 0;
  const auto d = describe(required(*values, "path"), values->count("verify") != 0);
  if (values->count("json") != 0) {
    fmt::print("{}\n", d.text.json);
  } else {
    for (const auto& [what, value] : d.text.facts) fmt::print("{:<24} {}\n", what, value);
  }
  std::fflush(stdout);
  check(d.problem.empty(), "{}", d.problem);
  return 0;
}

}  // namespace trireme
