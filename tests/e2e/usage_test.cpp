// SPDX-License-Identifier: Apache-2.0
// Requests that cannot be met: everything that is wrong, once, with its place and what to change; exit code 2; nothing
// made.
#include <gtest/gtest.h>

#include "tests/e2e/tiny_world.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;

using Usage = TinyWorld;

// The whole message came once, from one rank, and no crash report with it.
void expect_said_once(const Outcome& outcome, int code, const Words& parts) {
  EXPECT_EQ(outcome.code, code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  for (const auto& part : parts) EXPECT_EQ(count(outcome.err, part), 1U) << part << " in:\n" << outcome.err;
  EXPECT_FALSE(has(outcome.err, "*** Process received signal")) << outcome.err;
  EXPECT_FALSE(has(outcome.err, "terminate called")) << outcome.err;
}

TEST_F(Usage, AllMistakesOfAFileAtOnce) {
  write_text(path("bad.yaml"),
             "model:\n"
             "  preset: tiny_gtp2\n"
             "train:\n"
             "  stepz: 5\n"
             "  steps: 20\n"
             "  steps: 30\n"
             "  sequence: long\n"
             "optimizer:\n"
             "  lr: -1\n");
  expect_said_once(ranks(2, {"train", "bad.yaml", "--set", "run.dir=bad", "--set", "data.shards=[shards]"}), 2,
                   {"5 problems", "bad.yaml:6: duplicate key 'steps'", "bad.yaml:4: unknown setting 'train.stepz'",
                    "did you mean 'train.steps'", "bad.yaml:2: no model preset 'tiny_gtp2'", "did you mean 'tiny_gpt2'",
                    "bad.yaml:7: train.sequence", "bad.yaml:9: optimizer.lr = -1"});
  EXPECT_FALSE(fs::exists(path("bad")));
}

TEST_F(Usage, MistakesOnTheCommandLine) {
  expect_said_once(ranks(2, train_command("bad", {"--set", "trian.steps=3"})), 2, {"unknown setting 'trian'"});
  expect_said_once(ranks(2, train_command("bad", {"--resume", "sometimes"})), 2, {"sometimes"});
  expect_said_once(ranks(2, train_command("bad", {"--set", "data.validation=0.000001"})), 2,
                   {"has 0 tokens in the validation split", "raise data.validation, or set it to 0"});
  EXPECT_FALSE(fs::exists(path("bad")));
  expect_said_once(alone({"train", "--resme", "auto"}), 2, {"did you mean '--resume'?"});
  expect_said_once(alone({"synth", "there", "--document", "3", "--sed", "1"}), 2, {"did you mean '--seed'?"});
  EXPECT_FALSE(fs::exists(path("there")));
  expect_said_once(alone({"tokenizer", "train", "--vocabs", "300"}), 2, {"did you mean '--vocab'?"});
  expect_said_once(alone({"trian"}), 2, {"did you mean 'train'?"});
  expect_said_once(alone({}), 2, {"trireme --help"});
  expect_said_once(alone({"inspect", "nothing/here"}), 2, {"nothing/here"});
  expect_said_once(alone({"train", "no-such.yaml"}), 2, {"no-such.yaml"});
}

TEST_F(Usage, AWorldThatDoesNotDivide) {
  expect_said_once(ranks(5, train_command("bad")), 2, {"tiny_gpt2.yaml:10: train.global_batch = 12", "1 * 5"});
  expect_said_once(ranks(2, train_command("bad", {"--set", "mesh.replica=3"})), 2, {"mpirun -n 3"});
  EXPECT_FALSE(fs::exists(path("bad")));
}

TEST_F(Usage, MissingFilesAreAllListed) {
  expect_said_once(ranks(2, train_command("bad", {"--set", "data.shards=[nowhere]"})), 2, {"nowhere"});
  auto words = data_command("bad");
  words.insert(words.end(), {"--set",
                             "sources=[{name: a, files: [no1.wet.gz, world/crawl/synth-00000.warc.wet.gz, no2.wet.gz], "
                             "kind: wet}, {name: b, files: [no3.jsonl], kind: jsonl}]"});
  expect_said_once(ranks(2, words), 2, {"3 source files are missing", "no1.wet.gz", "no2.wet.gz", "no3.jsonl"});
  EXPECT_FALSE(fs::exists(path("bad")));
}

TEST_F(Usage, OtherSettingsInTheSameRunFolder) {
  ASSERT_EQ(ranks(2, train_command("run", {"--stop-at", "2"})).code, 75);
  const auto before = read_text(path("run/run.yaml"));
  expect_said_once(ranks(2, train_command("run", {"--set", "optimizer.lr=0.1", "--set", "train.seed=7"})), 2,
                   {"run holds a run with other settings", "lr: 0.001", "lr: 0.1", "seed: 7"});
  EXPECT_EQ(read_text(path("run/run.yaml")), before);
  // What does not change the result may change.
  EXPECT_EQ(ranks(2, train_command("run", {"--set", "log.every=1", "--stop-at", "3"})).code, 75);
}

TEST_F(Usage, ExamsThatCannotBeHeld) {
  ASSERT_EQ(ranks(2, train_command("examined", {"--stop-at", "2"})).code, 75);
  expect_said_once(ranks(2, {"eval", "examined", "--data", "world/exam", "--shots", "9"}), 2,
                   {"9 shots asked for, but the dev split of beasts has 5 questions"});
  expect_said_once(ranks(2, {"eval", "examined", "--data", "nowhere"}), 2, {"no exam folder nowhere"});
  expect_said_once(ranks(2, {"eval", "unknown", "--data", "world/exam"}), 2, {"unknown is no run folder"});
  expect_said_once(ranks(2, {"eval", "examined", "--data", "world/exam", "--tasks", "mlu"}), 2, {"no task 'mlu'"});
  expect_said_once(ranks(2, {"eval", "examined", "--data", "world/exam", "--step", "1"}), 2,
                   {"no checkpoint of step 1"});
}

TEST(Quickstart, HelpAndUnknownArguments) {
  const std::string script = std::string(TRIREME_SOURCE_DIR) + "/launch/quickstart.sh";
  const auto help = run({"bash", script, "--help"}, "/");
  EXPECT_EQ(help.code, 0);
  for (const auto& part : {"usage:", "--dir", "--ranks", "--json"}) EXPECT_TRUE(has(help.out, part)) << part;
  const auto unknown = run({"bash", script, "--fast"}, "/");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_EQ(unknown.out, "");
  EXPECT_TRUE(has(unknown.err, "unknown argument '--fast'")) << unknown.err;
  EXPECT_EQ(run({"bash", script, "--dir"}, "/").code, 2);
}

}  // namespace
}  // namespace trireme::e2e
