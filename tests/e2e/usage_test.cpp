// SPDX-License-Identifier: Apache-2.0
// Requests that cannot be met: everything that is wrong, once, with its place and what to change; exit code 2; nothing
// made.
#include <gtest/gtest.h>

#include <map>

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
  expect_said_once(ranks(2, train_command("bad", {"--set", "data.shards=[nowhere]"})), 2,
                   {"data.shards: nowhere is not there"});
  auto words = data_command("bad");
  words.insert(words.end(), {"--set",
                             "sources=[{name: a, files: [no1.wet.gz, world/crawl/synth-00000.warc.wet.gz, no2.wet.gz], "
                             "kind: wet}, {name: b, files: [no3.jsonl], kind: jsonl}]"});
  expect_said_once(ranks(2, words), 2, {"3 source files are missing", "no1.wet.gz", "no2.wet.gz", "no3.jsonl"});
  EXPECT_FALSE(fs::exists(path("bad")));
}

TEST_F(Usage, MissingDataIsToldWithTheRest) {
  write_text(path("far.yaml"),
             "model:\n"
             "  preset: tiny_gpt2\n"
             "run: {dir: bad}\n"
             "train:\n"
             "  global_batch: 7\n"
             "data:\n"
             "  shards: [nowhere, elsewhere]\n");
  const Words parts = {"3 problems", "far.yaml:5: train.global_batch = 7", "far.yaml:7: data.shards: nowhere is not",
                       "far.yaml:7: data.shards: elsewhere is not"};
  expect_said_once(ranks(2, {"train", "far.yaml"}), 2, parts);
  expect_said_once(alone({"train", "far.yaml", "--check", "2"}), 2, parts);
  EXPECT_FALSE(fs::exists(path("bad")));
}

TEST_F(Usage, WhetherARunCanStartIsKnownWithoutItsRanks) {
  auto words = train_command("unstarted");
  words.insert(words.end(), {"--check", "4", "--set", "mesh.tensor=2", "--json"});
  const auto answer = only_json(alone(words));
  EXPECT_EQ(answer["ranks"], 4);
  EXPECT_EQ(answer["mesh"], (nlohmann::json{{"replica", 2}, {"shard", 1}, {"tensor", 2}}));
  EXPECT_EQ(answer["micro_steps"], 6);  // of one sample on each of two data ranks, 12 in all
  expect_said_once(alone(train_command("unstarted", {"--check", "5"})), 2, {"train.global_batch = 12", "1 * 5"});
  expect_said_once(alone(train_command("unstarted", {"--check", "0"})), 2, {"--check 0"});
  EXPECT_FALSE(fs::exists(path("unstarted")));
}

TEST_F(Usage, ACheckpointThatIsNotThere) {
  ASSERT_EQ(ranks(2, train_command("short", {"--stop-at", "2"})).code, 75);
  const auto missing = ranks(2, train_command("short", {"--resume", "77"}));
  EXPECT_EQ(missing.code, 2) << missing.err;
  EXPECT_TRUE(has(missing.err, "there is no step 77 in short/checkpoints: there are 2")) << missing.err;
  EXPECT_EQ(ranks(2, train_command("none", {"--resume", "strict"})).code, 2);
}

TEST_F(Usage, OtherSettingsInTheSameRunFolder) {
  ASSERT_EQ(ranks(2, train_command("run", {"--stop-at", "2"})).code, 75);
  const auto before = read_text(path("run/run.yaml"));
  expect_said_once(ranks(2, train_command("run", {"--set", "optimizer.lr=0.1", "--set", "train.seed=7"})), 2,
                   {"run holds a run with other settings", "\n  train.seed:   was 1, now 7\n",
                    "\n  optimizer.lr: was 0.001, now 0.1\n"});
  EXPECT_EQ(read_text(path("run/run.yaml")), before);
  // What does not change the result may change.
  EXPECT_EQ(ranks(2, train_command("run", {"--set", "log.every=1", "--stop-at", "3"})).code, 75);
}

TEST_F(Usage, ARunFolderThatCannotGoOnIsKnownBeforeTheStart) {
  ASSERT_EQ(ranks(2, train_command("going", {"--stop-at", "2"})).code, 75);
  const auto before = read_text(path("going/run.yaml"));
  const auto asked = [](const Words& more) {
    auto words = train_command("going", {"--check", "2"});
    words.insert(words.end(), more.begin(), more.end());
    return alone(words);
  };
  EXPECT_EQ(asked({}).code, 0);
  EXPECT_EQ(asked({"--resume", "2", "--set", "log.every=1"}).code, 0);
  EXPECT_EQ(asked({"--resume", "never"}).code, 0);
  expect_said_once(asked({"--resume", "1"}), 2, {"there is no step 1 in going/checkpoints: there are 2"});
  expect_said_once(asked({"--resume", "77", "--set", "optimizer.lr=0.1"}), 2,
                   {"2 problems", "going holds a run with other settings", "optimizer.lr: was 0.001, now 0.1",
                    "there is no step 77 in going/checkpoints: there are 2"});
  expect_said_once(alone(train_command("fresh", {"--check", "2", "--resume", "strict"})), 2,
                   {"there is no checkpoint in fresh/checkpoints to resume from"});
  EXPECT_EQ(read_text(path("going/run.yaml")), before);
  EXPECT_FALSE(fs::exists(path("fresh")));
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
  ASSERT_EQ(alone({"tokenizer", "train", "--input", "world/crawl", "--vocab", "700", "--out", "large.json"}).code, 0);
  expect_said_once(ranks(2, {"eval", "examined", "--data", "world/exam", "--tokenizer", "large.json"}), 2,
                   {"large.json has 700 tokens"});
}

// docs/commands.md divides: 2, what was asked for cannot be; 1, the world did not let it.
TEST_F(Usage, ExitCodes) {
  write_text(path("no.yaml"), "train: [1\n");
  write_text(path("kind.yaml"), "out: x\ntokenizer: tokenizer.json\nsources:\n  - {files: [world/a], kind: wett}\n");
  write_text(path("text.txt"), "some text");
  write_text(path("empty.jsonl"), "");
  write_text(path("ids.txt"), "1 2 three");
  fs::create_directories(path("hollow"));
  struct Case {
    Words words;
    int code;
    std::string part;
  };
  const std::vector<Case> cases = {
      {{"train"}, 2, "trireme: train: CONFIG is missing\nusage: trireme train CONFIG"},
      {{"eval", "run"}, 2, "trireme: eval: --data is missing\nusage: trireme eval RUN"},
      {{"inspect"}, 2, "trireme: inspect: PATH is missing"},
      {{"synth"}, 2, "trireme: synth: OUT is missing\nusage: trireme synth OUT"},
      {{"synth", "w", "--documents", "-5"}, 2, "--documents -5 is negative"},
      {{"synth", "w", "--documents", "many"}, 2, "usage: trireme synth OUT"},
      {{"train", "no.yaml"}, 2, "no.yaml:2: not YAML"},
      {{"train", "a.yaml", "b.yaml"}, 2, "usage: trireme train CONFIG"},
      {{"data", "kind.yaml"}, 2, "kind.yaml:4: sources[0]: source kind 'wett' is not known"},
      {{"tokenizer"}, 2, "what to do is missing"},
      {{"tokenizer", "train", "--input", "world/crawl", "--vocab", "9", "--out", "t.json"},
       2,
       "--vocab 9: expected 257"},
      {{"tokenizer", "train", "--input", "gone", "--vocab", "300", "--out", "t.json"}, 2, "a file is missing: gone"},
      {{"tokenizer", "train", "--input", "hollow", "--vocab", "300", "--out", "t.json"}, 2, "no files in hollow"},
      {{"tokenizer", "train", "--input", "empty.jsonl", "--vocab", "300", "--out", "t.json"}, 1, "no document"},
      {{"tokenizer", "encode", "--tokenizer", "gone.json"}, 2, "the tokenizer gone.json is missing"},
      {{"tokenizer", "encode", "--tokenizer", "text.txt"}, 1, "text.txt"},
      {{"tokenizer", "encode", "--tokenizer", "tokenizer.json", "--file", "gone"}, 2, "there is no such file"},
      {{"tokenizer", "decode", "--tokenizer", "tokenizer.json", "--file", "ids.txt"}, 1, "\"three\" is no token id"},
      {{"inspect", "text.txt"}, 2, "is neither a shard"},
      {{"inspect", "gone"}, 2, "gone does not exist"},
      {{"bench", "stride"}, 2, "nothing called 'stride' to measure"},
      {{"bench", "step", "--steps", "0"}, 2, "--steps 0"},
      {{"bench", "collectives"}, 2, "start it under mpirun"},
      {{"bench", "collectives", "--bytes", "1T"}, 2, "--bytes 1T; expected a number of bytes"},
      {{"bench", "step", "--preset", "tiny_lama"}, 2, "did you mean 'tiny_llama'?"},
      {train_command("bad", {"--stop-at", "-1"}), 2, "--stop-at -1"},
  };
  for (const auto& c : cases) {
    const auto outcome = alone(c.words);
    EXPECT_EQ(outcome.code, c.code) << c.part << "\n" << outcome.err;
    EXPECT_EQ(outcome.out, "") << c.part;
    EXPECT_EQ(count(outcome.err, c.part), 1U) << c.part << " in:\n" << outcome.err;
    EXPECT_EQ(outcome.err.rfind("trireme: ", 0), 0U) << outcome.err;
  }
  for (const auto& made : {"w", "t.json", "bad", "x"}) EXPECT_FALSE(fs::exists(path(made))) << made;
}

TEST_F(Usage, OutputThatCannotBeWrittenIsNoSuccess) {
  const auto outcome = run({"bash", "-c", "\"$0\" train --describe > /dev/full", trireme(Words{}).front()}, folder());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(has(outcome.err, ": No space left on device; free some space there")) << outcome.err;
}

TEST_F(Usage, OneProblemEach) {
  for (const auto& [set, part] : {std::pair{"train=3", "--set train=3: train is 3; expected a map of settings"},
                                  std::pair{"optimizer.lr=[", "--set optimizer.lr=[:"}}) {
    const auto outcome = ranks(2, train_command("bad", {"--set", set}));
    expect_said_once(outcome, 2, {part});
    EXPECT_FALSE(has(outcome.err, "problems in the configuration")) << outcome.err;
  }
  write_text(path("unread.yaml"), "out: x\nsources: [\n");
  const auto data = ranks(2, {"data", "unread.yaml"});
  expect_said_once(data, 2, {"unread.yaml:", "not YAML"});
  EXPECT_FALSE(has(data.err, "is empty")) << data.err;
}

TEST_F(Usage, EverythingIsSaidBeforeTheWork) {
  const auto trained = ranks(2, train_command("bad", {"--resume", "fortytwo", "--set", "train.global_batch=13"}));
  expect_said_once(trained, 2,
                   {"2 problems", "--resume fortytwo: auto, strict, never or the number of a step expected",
                    "train.global_batch = 13 is not a multiple"});
  auto words = data_command("bad");
  words.insert(words.end(), {"--set", "tokenizer=gone.json", "--set", "unit_bytes=3"});
  expect_said_once(ranks(2, words), 2,
                   {"2 problems", "--set tokenizer=gone.json: the tokenizer gone.json is missing",
                    "unit_bytes = 3 is out of bounds; expected at least 4096"});
  EXPECT_FALSE(fs::exists(path("bad")));
}

TEST_F(Usage, DescriptionsShowWhatTheSettingsComeTo) {
  const auto config = std::string(TRIREME_SOURCE_DIR) + "/configs/train/tiny_llama.yaml";
  const auto settings = [&](const Words& words) {
    std::map<std::string, nlohmann::json> by_name;
    for (const auto& item : only_json(alone(words)).value("settings", nlohmann::json::array())) {
      by_name[item.at("name")] = item;
    }
    return by_name;
  };
  auto found = settings({"train", config, "--set", "model.layers=3", "--describe", "--json"});
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.at("model.family").at("value"), "llama");
  EXPECT_TRUE(has(found.at("model.family").at("from"), "configs/models/tiny_llama.yaml:"));
  EXPECT_EQ(found.at("model.layers").at("value"), 3);
  EXPECT_EQ(found.at("model.layers").at("from"), "--set model.layers=3");
  EXPECT_EQ(found.at("train.steps").at("value"), 50);
  EXPECT_EQ(found.at("train.steps").at("default"), 1000);
  EXPECT_TRUE(has(found.at("train.steps").at("from"), "configs/train/tiny_llama.yaml:8"));
  EXPECT_EQ(found.at("optimizer.beta1").at("from"), "default");
  // Without a file: the default preset's.
  found = settings({"train", "--describe", "--json"});
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.at("model.family").at("value"), "gpt2");
  EXPECT_EQ(found.at("model.context").at("value"), 256);
  EXPECT_EQ(found.at("train.sequence").at("value"), 256);
  const auto text = alone({"train", "--set", "model.preset=llama31_8b", "--describe"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(has(text.out, "  width: 4096 ")) << text.out;
  expect_said_once(alone({"train", config, "--set", "model.layer=3", "--describe"}), 2,
                   {"did you mean 'model.layers'?"});
  found = settings({"data", "--describe", "--json"});
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.at("sources[].kind").at("type"), "text");
}

TEST_F(Usage, ABinaryAwayFromItsPresetsSaysWhereItLooked) {
  fs::create_directories(path("away/from/home/bin"));
  const auto binary = path("away/from/home/bin/trireme");
  fs::copy_file(trireme(Words{}).front(), binary);
  const auto lost = run({binary, "bench", "step"}, path("away"));
  EXPECT_EQ(lost.code, 2);
  for (const auto& part : {std::string("no model preset 'gpt2_124m'"), path("away/from/home/bin/configs"),
                           path("away/configs"), std::string("set TRIREME_CONFIGS")}) {
    EXPECT_TRUE(has(lost.err, part)) << part << " in:\n" << lost.err;
  }
  const auto configs = std::string("TRIREME_CONFIGS=") + TRIREME_SOURCE_DIR + "/configs";
  EXPECT_EQ(run({"env", configs, binary, "train", "--describe"}, path("away")).code, 0);
}

TEST_F(Usage, ATrainedRunEndsWithALineThatSaysWhatToDo) {
  auto words = train_command("ended", {"--set", "train.steps=6"});
  words.emplace_back("--json");
  for (int time = 0; time < 2; ++time) {  // also when there was nothing left to do
    const auto outcome = ranks(2, words);
    const auto json = only_json(outcome);
    ASSERT_FALSE(json.empty());
    const auto last = outcome.err.substr(outcome.err.rfind('\n', outcome.err.size() - 2) + 1);
    EXPECT_EQ(last.rfind("done: 6 steps, 4608 tokens, loss ", 0), 0U) << outcome.err;
    for (const auto& part :
         {", validation loss ", "; the run is in ended; ", "trireme inspect ended", "trireme eval ended"}) {
      EXPECT_TRUE(has(last, part)) << part << " in: " << last;
    }
  }
}

TEST(Quickstart, TheBuildTellsHowFarItIs) {
  const std::string script = std::string(TRIREME_SOURCE_DIR) + "/launch/quickstart.sh";
  const auto outcome = run({"bash", "-c",
                            "eval \"$(sed -n '/^build_progress()/,/^}/p' \"$0\" | sed 's/-ge 15/-ge 1/')\"; "
                            "{ echo '[1/4] a'; sleep 2; echo '[2/4] b'; echo 'x.cpp:1: warning'; echo '[3/4] c'; "
                            "echo '[4/4] d'; } | build_progress",
                            script},
                           "/");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "building: 50 % (2 of 4)\nx.cpp:1: warning\nbuilding: 100 % (4 of 4)\n");
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
