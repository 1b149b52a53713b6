// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/tiny_world.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace trireme::e2e {

namespace fs = std::filesystem;

namespace {

/// Where configs/ is: in a bundle elsewhere than when this was built.
std::string sources() {
  const char* moved = std::getenv("TRIREME_TEST_SOURCES");
  return moved != nullptr ? moved : TRIREME_SOURCE_DIR;
}

}  // namespace

TemporaryFolder* TinyWorld::made_ = nullptr;

TemporaryFolder::TemporaryFolder() : path_((fs::temp_directory_path() / "trireme-e2e-XXXXXX").string()) {
  if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void TinyWorld::SetUpTestSuite() {
  made_ = new TemporaryFolder;
  for (const auto& command : {Words{"synth", "world", "--documents", "1500", "--seed", "1"},
                              Words{"tokenizer", "train", "--input", "world/crawl", "world/wiki", "--vocab", "600",
                                    "--out", "tokenizer.json"},
                              data_command("shards")}) {
    const auto outcome = alone(command);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
}

void TinyWorld::TearDownTestSuite() {
  delete made_;
  made_ = nullptr;
}

Words TinyWorld::data_command(const std::string& out) {
  return {"data", sources() + "/configs/data/quickstart.yaml", "--set", "out=" + out, "--set",
          "tokenizer=tokenizer.json", "--set",
          "unit_bytes=100000",  // some ten shards
          "--set",
          // NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one literal over two lines
          "sources=[{name: crawl, files: ['world/crawl/*.gz'], kind: wet}, "
          "{name: wiki, files: ['world/wiki/*multistream.xml.bz2'], kind: wiki}]"};
}

Words TinyWorld::train_command(const std::string& dir, const Words& more) {
  Words words{"train", sources() + "/configs/train/tiny_gpt2.yaml"};
  for (const char* set : {"data.shards=[shards]", "model.layers=2", "model.width=32", "model.head_size=8",
                          "model.feed_forward=64", "train.sequence=64", "train.steps=20", "checkpoint.every=5",
                          "checkpoint.keep=10", "eval.every=10", "eval.samples=4", "log.every=5", "cpu.threads=1"}) {
    words.insert(words.end(), {"--set", set});
  }
  words.insert(words.end(), {"--set", "run.dir=" + dir});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::vector<Step> steps_of(const std::string& run) {
  std::vector<Step> steps;
  std::istringstream lines(read_text(run + "/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    if (!json.contains("loss")) continue;
    steps.push_back({json.at("step"), json.at("loss"), json.at("grad_norm"), json.at("lr"), json.at("token_hash")});
  }
  return steps;
}

std::vector<std::string> lines_without_times(const std::string& run) {
  std::vector<std::string> kept;
  std::istringstream lines(read_text(run + "/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    kept.push_back(line.substr(0, line.find(",\"tokens_per_second\"")));
  }
  return kept;
}

std::string checkpoint_of(const std::string& run, std::int64_t step) {
  return fmt::format("{}/checkpoints/step-{:08}", run, step);
}

std::map<std::string, std::string> digests_of(const std::string& run, std::int64_t step) {
  std::map<std::string, std::string> digests;
  const auto json = nlohmann::json::parse(read_text(checkpoint_of(run, step) + "/MANIFEST.json"));
  for (const auto& tensor : json.at("manifest").at("tensors")) {
    for (const auto& [kind, digest] : tensor.at("digests").items()) {
      digests[tensor.at("name").get<std::string>() + " " + kind] = digest;
    }
  }
  return digests;
}

void damage(const std::string& file, std::uint64_t at) {
  std::fstream bytes(file, std::ios::binary | std::ios::in | std::ios::out);
  char byte = 0;
  bytes.seekg(static_cast<std::streamoff>(at)).get(byte);
  bytes.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(byte ^ 0x55));
  if (!bytes.flush()) throw std::runtime_error("cannot damage " + file);
}

}  // namespace trireme::e2e
