// SPDX-License-Identifier: Apache-2.0
// `trireme inspect`: what is in a shard, a corpus, a checkpoint, a run.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>

#include "core/base/error.h"
#include "core/train/checkpoint.h"
#include "data_pipeline/data.h"
#include "launch/commands.h"
#include "launch/run.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using Facts = std::vector<std::pair<std::string, std::string>>;

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
             {"verified", verify ? "every byte read and held against its checksum and digest" : "no (--verify)"}};
  const nlohmann::json json = {{"step", s.train.step},     {"position", s.train.position},
                               {"tokens", s.train.tokens}, {"parameters", s.parameters},
                               {"tensors", s.tensors},     {"bytes", s.bytes},
                               {"ranks", s.world},         {"run", s.run},
                               {"verified", verify}};
  d.json = json.dump();
  return d;
}

DataDescription describe_run(const fs::path& path, bool verify) {
  const auto config = read_run_folder(path);
  DataDescription d;
  auto steps = nlohmann::json::array();
  d.facts = {
      {"run", path.string()},
      {"model", fmt::format("{}, {} parameters", config.model.preset, parameter_count(config.model.architecture))},
      {"settings", hash_of(config)}};
  const auto folder = checkpoint_folder(config);
  if (fs::is_directory(folder)) {
    for (const auto& entry : list_checkpoints(folder)) {
      if (verify) verify_checkpoint(entry.path);
      d.facts.emplace_back(fmt::format("checkpoint{}", verify ? ", verified" : ""), entry.path);
      steps.push_back(entry.step);
    }
  }
  const nlohmann::json json = {{"run", path.string()},
                               {"preset", config.model.preset},
                               {"parameters", parameter_count(config.model.architecture)},
                               {"checkpoints", steps},
                               {"verified", verify}};
  d.json = json.dump();
  return d;
}

DataDescription describe(const fs::path& path, bool verify) {
  check_usage(fs::exists(path), "{} does not exist", path.string());
  if (fs::is_regular_file(path / "run.yaml")) return describe_run(path, verify);
  if (fs::is_regular_file(path / "MANIFEST.json")) return describe_checkpoint(path, verify);
  if (fs::is_regular_file(path / "corpus.json") || path.filename() == "corpus.json") {
    return describe_corpus(path, verify);
  }
  check_usage(path.extension() == ".h5",
              "{} is neither a shard (.h5), a corpus (corpus.json), a checkpoint (MANIFEST.json) nor a run (run.yaml)",
              path.string());
  return describe_shard(path, verify);
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
    fmt::print("{}\n", d.json);
    return 0;
  }
  for (const auto& [what, value] : d.facts) fmt::print("{:<24} {}\n", what, value);
  return 0;
}

}  // namespace trireme
