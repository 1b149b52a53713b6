// SPDX-License-Identifier: Apache-2.0
// Tokenizer files that are damaged, hostile or beyond what is supported: each is refused with the file and the entry.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/json.h"
#include "data_pipeline/tokenizer/byte_level.h"
#include "data_pipeline/tokenizer/hf_tokenizer_file.h"
#include "data_pipeline/tokenizer/tiktoken_file.h"
#include "data_pipeline/tokenizer/tokenizer.h"
#include "tests/data_pipeline/tokenizer/golden.h"

namespace trireme {
namespace {

using nlohmann::json;

/// What parsing says, or "accepted".
std::string verdict(const std::string& content, std::optional<Pattern> pattern = std::nullopt) {
  try {
    Tokenizer::parse(content, "FILE", pattern);
    return "accepted";
  } catch (const Error& error) {
    return error.what();
  }
}

struct Damage {
  const char* name;
  std::function<void(json&)> change;
  std::vector<std::string> expected;  // parts of the message
};

TEST(HfTokenizerFile, SaysWhatIsWrong) {
  const json good = read_json(golden("tokenizer_small.json"));
  ASSERT_EQ(verdict(good.dump()), "accepted");
  const std::vector<Damage> all = {
      {"missing merge part",
       [](json& j) {
         j["model"]["merges"][3] = {"zq", "a"};
       },
       {"FILE", "merges[3]", "zq"}},
      {"missing result",
       [](json& j) {
         j["model"]["merges"][3] = {"!", "\""};
       },
       {"merges[3]", "not in model.vocab"}},
      {"repeated merge",
       [](json& j) { j["model"]["merges"].push_back(j["model"]["merges"][0]); },
       {"merges[400]", "merged before"}},
      {"three parts", [](json& j) { j["model"]["merges"][0] = "a b c"; }, {"merges[0]", "one space"}},
      {"merge of numbers",
       [](json& j) {
         j["model"]["merges"][0] = {1, 2};
       },
       {"FILE"}},
      {"merges no array", [](json& j) { j["model"]["merges"] = "x"; }, {"model.merges"}},
      {"duplicate id", [](json& j) { j["model"]["vocab"]["!"] = 5; }, {"model.vocab", "id 5 belongs to another"}},
      {"huge id", [](json& j) { j["model"]["vocab"]["!"] = 4000000000U; }, {"4000000000", "too large"}},
      {"negative id", [](json& j) { j["model"]["vocab"]["!"] = -1; }, {"model.vocab \"!\"", "expected a token id"}},
      {"fractional id", [](json& j) { j["model"]["vocab"]["!"] = 1.5; }, {"expected a token id"}},
      {"no byte", [](json& j) { j["model"]["vocab"].erase("!"); }, {"byte 0x21"}},
      {"not byte-level", [](json& j) { j["model"]["vocab"]["\u4e2d"] = 700; }, {"not a byte-level spelling"}},
      {"no vocabulary", [](json& j) { j["model"].erase("vocab"); }, {"FILE", "vocab"}},
      {"unigram", [](json& j) { j["model"]["type"] = "Unigram"; }, {"model.type", "Unigram", "BPE"}},
      {"dropout", [](json& j) { j["model"]["dropout"] = 0.1; }, {"dropout"}},
      {"byte fallback", [](json& j) { j["model"]["byte_fallback"] = true; }, {"byte_fallback"}},
      {"suffix", [](json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }, {"end_of_word_suffix", "</w>"}},
      {"normalizer",
       [](json& j) {
         j["normalizer"] = {{"type", "Lowercase"}};
       },
       {"normalizer", "Lowercase"}},
      {"version", [](json& j) { j["version"] = "2.0"; }, {"version 2.0"}},
      {"prefix space", [](json& j) { j["pre_tokenizer"]["add_prefix_space"] = true; }, {"add_prefix_space"}},
      {"no pre-tokenizer", [](json& j) { j["pre_tokenizer"] = nullptr; }, {"pre_tokenizer", "null"}},
      {"other pre-tokenizer",
       [](json& j) {
         j["pre_tokenizer"] = {{"type", "Digits"}};
       },
       {"pre_tokenizer", "Digits"}},
      {"unknown pattern",
       [](json& j) {
         const json split{
             {"type", "Split"}, {"pattern", {{"Regex", "\\w+"}}}, {"behavior", "Isolated"}, {"invert", false}};
         const json level{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
         j["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, level}}};
       },
       {"unknown pattern \\w+", "gpt2, cl100k, qwen2, o200k"}},
      {"added id differs", [](json& j) { j["added_tokens"][0]["id"] = 3; }, {"<|endoftext|>", "id 3"}},
      {"added without content", [](json& j) { j["added_tokens"][0]["content"] = ""; }, {"added token"}},
      {"lstrip", [](json& j) { j["added_tokens"][0]["lstrip"] = true; }, {"<|endoftext|>", "lstrip"}},
      {"template id",
       [](json& j) {
         j["post_processor"] = {{"type", "TemplateProcessing"},
                                {"single", {{{"SpecialToken", {{"id", "X"}, {"type_id", 0}}}}}},
                                {"special_tokens", {{"X", {{"id", "X"}, {"ids", {99999}}, {"tokens", {"X"}}}}}}};
       },
       {"post_processor", "99999"}},
  };
  for (const Damage& damage : all) {
    json bad = good;
    damage.change(bad);
    const std::string found = verdict(bad.dump());
    for (const std::string& part : damage.expected) {
      EXPECT_NE(found.find(part), std::string::npos) << damage.name << ": " << found;
    }
  }
}

TEST(HfTokenizerFile, RefusesWhatIsNoJson) {
  EXPECT_NE(verdict("{\"model\": {\"vocab\": {\"a\": 1, \"a\": 2}}}").find("FILE"), std::string::npos);
  EXPECT_NE(verdict("{\"model\": \"\xFF\"}").find("FILE"), std::string::npos);
  EXPECT_NE(verdict("{").find("FILE"), std::string::npos);
  EXPECT_NE(verdict("{}").find("FILE"), std::string::npos);
  const std::string good = read_file(golden("tokenizer_small.json"), 1 << 20);
  for (std::size_t size = 0; size + 2 < good.size(); size += 997) EXPECT_NE(verdict(good.substr(0, size)), "accepted");
}

// The expected forms are those of the Unicode standard's table of canonical mappings and its conformance test.
TEST(HfTokenizerFile, NfcIsAppliedBetweenAddedTokens) {
  json file = read_json(golden("tokenizer_small.json"));
  const Tokenizer plain = Tokenizer::parse(file.dump(), "FILE");
  file["normalizer"] = {{"type", "NFC"}};
  const Tokenizer nfc = Tokenizer::parse(file.dump(), "FILE");
  EXPECT_NE(nfc.hash(), plain.hash());
  const std::vector<std::pair<std::string, std::string>> forms = {
      {"plain ascii, 1 + 1", "plain ascii, 1 + 1"},
      {"cafe\u0301 au lait", "caf\u00e9 au lait"},
      {"a\u0323\u0302", "\u1ead"},
      {"a\u0302\u0323", "\u1ead"},                      // other order of the marks
      {"\u1100\u1161\u11a8", "\uac01"},                 // Hangul
      {"\u212b \u2126", "\u00c5 \u03a9"},               // singletons
      {"\u0958", "\u0915\u093c"},                       // excluded from composition
      {"e\xff\u0301 \xc3", "e\xff\u0301 \xc3"},         // what is no UTF-8 stays and parts what is around it
      {"<|endoftext|>\u0338", "<|endoftext|>\u0338"}};  // a special token is cut out first
  for (const auto& [text, composed] : forms) {
    EXPECT_EQ(nfc.encode(text, SpecialTokens::recognised), plain.encode(composed, SpecialTokens::recognised)) << text;
  }
  EXPECT_EQ(nfc.encode(">\u0338"), plain.encode("\u226f"));
  const std::string path = testing::TempDir() + "/trireme_nfc.json";
  nfc.save(path);
  EXPECT_EQ(Tokenizer::load(path).hash(), nfc.hash());
  std::filesystem::remove(path);
  std::string marks = "a";  // a library's canonical ordering would take quadratic time
  for (int i = 0; i < 200000; ++i) marks += i % 2 == 0 ? "\u0301" : "\u0323";
  std::string ordered = "\u1ea1";
  for (int i = 1; i < 100000; ++i) ordered += "\u0323";
  for (int i = 0; i < 100000; ++i) ordered += "\u0301";
  EXPECT_EQ(nfc.encode(marks), plain.encode(ordered));
  file["added_tokens"][0]["normalized"] = true;
  EXPECT_NE(verdict(file.dump()).find("normalized = true"), std::string::npos);
}

TEST(HfTokenizerFile, ReadsLegacyMergesAndTheTemplate) {
  json legacy = read_json(golden("tokenizer_small.json"));
  const Tokenizer expected = Tokenizer::parse(legacy.dump(), "new");
  legacy["model"].erase("type");
  for (json& merge : legacy["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  EXPECT_EQ(Tokenizer::parse(legacy.dump(), "legacy").hash(), expected.hash());
  legacy["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"SpecialToken", {{"id", "<|endoftext|>"}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
      {"special_tokens", {{"<|endoftext|>", {{"id", "<|endoftext|>"}, {"ids", {0}}, {"tokens", {"<|endoftext|>"}}}}}}};
  const Tokenizer with_template = Tokenizer::parse(legacy.dump(), "template");
  EXPECT_EQ(with_template.model().template_prefix, std::vector<std::uint32_t>{0});
  EXPECT_EQ(with_template.encode("a"), expected.encode("a"));
}

TEST(HfTokenizerFile, AddedTokensThatAreNotSpecialAreAlwaysRecognised) {
  json file = read_json(golden("tokenizer_small.json"));
  const json plain{{"id", 657}, {"content", "    "}, {"special", false}};
  const json longer{{"id", 658}, {"content", "    x"}, {"special", false}};
  file["added_tokens"].push_back(plain);
  file["added_tokens"].push_back(longer);
  const Tokenizer tokenizer = Tokenizer::parse(file.dump(), "FILE");
  EXPECT_EQ(tokenizer.encode("    a").front(), 657U);
  EXPECT_EQ(tokenizer.encode("    x"), std::vector<std::uint32_t>{658});
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("         x y")), "         x y");
}

TEST(HfTokenizerFile, IgnoreMergesTakesWholePieces) {
  json file = read_json(golden("tokenizer_small.json"));
  file["model"]["vocab"]["xyzzy"] = 657;  // no merge leads there
  EXPECT_GT(Tokenizer::parse(file.dump(), "FILE").encode("xyzzy").size(), 1U);
  file["model"]["ignore_merges"] = true;
  EXPECT_EQ(Tokenizer::parse(file.dump(), "FILE").encode("xyzzy"), std::vector<std::uint32_t>{657});
}

/// 256 bytes as ranks 0 to 255.
std::string byte_ranks() {
  const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string lines;
  for (unsigned byte = 0; byte < 256; ++byte) {
    lines += digits[byte >> 2];
    lines += digits[(byte & 3U) << 4];
    lines += "== " + std::to_string(byte) + "\n";
  }
  return lines;
}

TEST(TiktokenFile, SaysWhatIsWrong) {
  const std::string good = byte_ranks();
  EXPECT_EQ(verdict(good, Pattern::gpt2), "accepted");
  EXPECT_NE(verdict(good).find("name the pattern"), std::string::npos);
  const auto says = [&](const std::string& line, const std::string& part) {
    const std::string found = verdict(good + line, Pattern::gpt2);
    EXPECT_NE(found.find("FILE:257"), std::string::npos) << found;
    EXPECT_NE(found.find(part), std::string::npos) << found;
  };
  says("YWI=\n", "space");
  says("YWI 256\n", "base64");
  says("YW?= 256\n", "base64");
  says(" 256\n", "base64");
  says("YWI= -1\n", "rank");
  says("YWI= 99999999999\n", "rank");
  says("YWI= 12x\n", "rank");
  says("YWI= 97\n", "rank 97 was given before");
  says("YQ== 256\n", "another rank before");
  EXPECT_NE(verdict(good + "YWI= 16000000\n", Pattern::gpt2).find("too large"), std::string::npos);
  EXPECT_NE(verdict("YQ== 0\n", Pattern::gpt2).find("no token for byte"), std::string::npos);
  EXPECT_NE(verdict("", Pattern::gpt2).find("no token for byte"), std::string::npos);
}

TEST(TiktokenFile, MergesByBytes) {
  const Tokenizer tokenizer =
      Tokenizer::parse(byte_ranks() + "YWI= 256\r\n\nYmM= 257\nYWJj 258\n", "FILE", Pattern::gpt2);
  EXPECT_EQ(tokenizer.encode("abc"), std::vector<std::uint32_t>{258});
  EXPECT_EQ(tokenizer.encode("xabcab"), (std::vector<std::uint32_t>{'x', 258, 256}));
  EXPECT_THROW(tokenizer.save(testing::TempDir() + "/never.json"), Error);
}

TEST(TokenizerFile, OutOfTheWorld) {
  const std::string pipe = testing::TempDir() + "/trireme_tokenizer_pipe";
  std::filesystem::remove(pipe);
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(Tokenizer::load(pipe), Error) << "and does not wait for a writer";
  std::filesystem::remove(pipe);
  EXPECT_THROW(Tokenizer::load("/dev/zero"), Error);
  EXPECT_THROW(Tokenizer::load("/nowhere/tokenizer.json"), Error);
  EXPECT_THROW(Tokenizer::load(testing::TempDir()), Error);
  const std::string path = testing::TempDir() + "/trireme_truncated.tiktoken.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  const std::string ranks = byte_ranks();
  gzwrite(file, ranks.data(), static_cast<unsigned>(ranks.size()));
  gzclose(file);
  EXPECT_EQ(Tokenizer::load(path, Pattern::gpt2).vocab_size(), 256U);
  const std::string packed = read_file(path, 1 << 20);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << packed.substr(0, packed.size() / 2);
  EXPECT_THROW(Tokenizer::load(path, Pattern::gpt2), Error);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << packed;
  EXPECT_THROW(read_tokenizer_file(path, ranks.size() - 1), Error);
  std::filesystem::remove(path);
}

TEST(ByteLevel, SpellsEveryByteOnce) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(from_byte_level(to_byte_level(all)), all);
  EXPECT_EQ(to_byte_level(" \n"), "\xC4\xA0\xC4\x8A");
  EXPECT_FALSE(from_byte_level(" ").has_value());
  EXPECT_FALSE(from_byte_level("\xC5\x84").has_value());
  EXPECT_FALSE(from_byte_level("\xC4").has_value());
}

}  // namespace
}  // namespace trireme
