// SPDX-License-Identifier: Apache-2.0
// Reads the command line of `trireme tokenizer`; what it does is done by the data wing.
#include "launch/tokenizer.h"

#include <boost/program_options.hpp>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <limits>
#include <sstream>
#include <thread>

#include "core/base/error.h"
#include "core/base/stop.h"
#include "core/io/atomic_file.h"
#include "data_pipeline/data.h"
#include "launch/command.h"

namespace trireme {
namespace {

namespace options = boost::program_options;
using nlohmann::ordered_json;

constexpr const char* kUsage =
    R"(trireme tokenizer train   --input PATH... --vocab N --out FILE   learn a byte-pair vocabulary
trireme tokenizer encode  --tokenizer FILE [--file PATH]          text (standard input) to ids
trireme tokenizer decode  --tokenizer FILE [--file PATH]          ids (standard input) to text
trireme tokenizer inspect --tokenizer FILE                        what a tokenizer file holds
)";

options::options_description described_options() {
  options::options_description all("Options");
  auto add = all.add_options();
  add("help", "this text");
  add("json", "one JSON object on standard output");
  add("tokenizer", options::value<std::string>(), "tokenizer.json or tiktoken rank file");
  add("pattern", options::value<std::string>(), "gpt2, cl100k (llama3), qwen2, o200k; train: gpt2 if not given");
  add("file", options::value<std::string>(), "input of encode and decode, instead of standard input");
  add("special", "encode: text that spells a special token becomes that token");
  add("input", options::value<std::vector<std::string>>()->multitoken(), "train: files or directories of them");
  add("kind", options::value<std::string>(), "train: wet, warc, wiki, jsonl or text; told from each file's name");
  add("vocab", options::value<std::int64_t>(), "train: tokens in all, special ones and the 256 bytes included");
  add("out", options::value<std::string>(), "train: the tokenizer.json to write");
  add("specials", options::value<std::vector<std::string>>()->multitoken(),
      "train: special tokens, ids from 0 (<|endoftext|>)");
  add("min-count", options::value<std::int64_t>()->default_value(2), "train: rarer pairs are not merged");
  add("threads", options::value<int>()->default_value(0), "train: 0 takes as many as there are cores");
  return all;
}

const std::string& required(const options::variables_map& given, const char* name) {
  check_usage(given.count(name) == 1, "tokenizer: --{} is missing\nusage:\n{}", name, kUsage);
  return given[name].as<std::string>();
}

std::int64_t bounded(const options::variables_map& given, const char* name, std::int64_t low, std::int64_t high) {
  const auto value = given[name].as<std::int64_t>();
  check_usage(value >= low && value <= high, "--{} {}: expected {} to {}", name, value, low, high);
  return value;
}

std::optional<Pattern> given_pattern(const options::variables_map& given) {
  if (given.count("pattern") == 0) return std::nullopt;
  const auto& name = given["pattern"].as<std::string>();
  const auto pattern = pattern_of_name(name);
  check_usage(pattern.has_value(), "--pattern {}: expected one of {}", name, known_patterns());
  return pattern;
}

// What is read at once is encoded at once.
constexpr std::uint64_t kLargestText = std::uint64_t{2} << 30;

std::string given_input(const options::variables_map& given) {
  if (given.count("file") == 1) {
    const auto& file = given["file"].as<std::string>();
    check_usage(!missing(file), "--file {}: there is no such file", file);
    return read_file(file, kLargestText);
  }
  std::string content((std::istreambuf_iterator<char>(std::cin)), std::istreambuf_iterator<char>());
  check(!std::cin.bad(), "cannot read standard input");
  return content;
}

/// The files that --input names, those of directories by name, without hidden ones.
std::vector<std::string> input_files(const std::vector<std::string>& inputs) {
  std::vector<std::string> files;
  std::vector<std::string> lost;
  std::copy_if(inputs.begin(), inputs.end(), std::back_inserter(lost), missing);
  check_usage(lost.empty(), "--input: {} missing: {}", lost.size() == 1 ? "a file is" : "files are",
              fmt::join(lost, ", "));
  for (const std::string& input : inputs) {
    if (!std::filesystem::is_directory(input)) {
      files.push_back(input);
      continue;
    }
    std::vector<std::string> inside;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(input)) {
      if (entry.is_regular_file() && !entry.path().filename().string().starts_with('.')) {
        inside.push_back(entry.path().string());
      }
    }
    std::sort(inside.begin(), inside.end());
    files.insert(files.end(), inside.begin(), inside.end());
  }
  check_usage(!files.empty(), "--input: no files in {}", fmt::join(inputs, " "));
  return files;
}

int train(const options::variables_map& given) {
  listen_for_stop();
  for (const char* name : {"input", "vocab"}) {
    check_usage(given.count(name) > 0, "tokenizer train: --{} is missing\nusage:\n{}", name, kUsage);
  }
  const std::string& out = required(given, "out");
  BpeTraining training;
  training.pattern = given_pattern(given).value_or(Pattern::gpt2);
  if (given.count("specials") > 0) training.specials = given["specials"].as<std::vector<std::string>>();
  training.vocab_size =
      static_cast<std::uint32_t>(bounded(given, "vocab", 256 + static_cast<std::int64_t>(training.specials.size()),
                                         std::numeric_limits<std::int32_t>::max()));
  training.min_count =
      static_cast<std::uint64_t>(bounded(given, "min-count", 1, std::numeric_limits<std::int64_t>::max()));
  std::optional<SourceKind> kind;
  if (given.count("kind") > 0) kind = source_kind(given["kind"].as<std::string>());
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int threads = given["threads"].as<int>() == 0 ? cores : given["threads"].as<int>();

  const std::vector<std::string> files = input_files(given["input"].as<std::vector<std::string>>());
  const CorpusPieces corpus = count_corpus(files, kind, training.pattern, threads);
  const Tokenizer tokenizer(train_bpe(corpus.pieces, training), out);
  tokenizer.save(out);
  if (given.count("json") > 0) {
    const ordered_json result{{"out", out},
                              {"hash", tokenizer.hash()},
                              {"vocab_size", tokenizer.vocab_size()},
                              {"files", files.size()},
                              {"documents", corpus.records.documents},
                              {"skipped", corpus.records.total_skipped()},
                              {"failed", corpus.records.total_failed()},
                              {"bytes", corpus.text_bytes},
                              {"distinct_pieces", corpus.pieces.distinct()},
                              {"left_out_pieces", corpus.pieces.left_out()}};
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print("{}: {} tokens from {} bytes of text, {} documents in {} files ({} distinct pieces), hash {}\n", out,
               tokenizer.vocab_size(), corpus.text_bytes, corpus.records.documents, files.size(),
               corpus.pieces.distinct(), tokenizer.hash());
    if (corpus.records.total_failed() > 0) {
      fmt::print("{} of {} records failed, the first: {}\n", corpus.records.total_failed(), corpus.records.records,
                 corpus.records.examples.empty() ? "" : corpus.records.examples.front());
    }
    if (tokenizer.vocab_size() < training.vocab_size) {
      fmt::print("fewer than {}: no other pair occurs {} times\n", training.vocab_size, training.min_count);
    }
  }
  return 0;
}

Tokenizer given_tokenizer(const options::variables_map& given) {
  return Tokenizer::load(required(given, "tokenizer"), given_pattern(given));
}

int encode(const options::variables_map& given) {
  const Tokenizer tokenizer = given_tokenizer(given);
  const std::string text = given_input(given);
  const auto special = given.count("special") > 0 ? SpecialTokens::recognised : SpecialTokens::as_text;
  const std::vector<std::uint32_t> ids = tokenizer.encode(text, special);
  if (given.count("json") > 0) {
    fmt::print("{}\n", ordered_json{{"bytes", text.size()}, {"tokens", ids.size()}, {"ids", ids}}.dump());
  } else {
    fmt::print("{}\n", fmt::join(ids, " "));
  }
  return 0;
}

int decode(const options::variables_map& given) {
  const Tokenizer tokenizer = given_tokenizer(given);
  std::istringstream words(given_input(given));
  std::vector<std::uint32_t> ids;
  for (std::string word; words >> word;) {
    std::uint32_t id = 0;
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), id);
    check(parsed.ec == std::errc() && parsed.ptr == word.data() + word.size(), "decode: word {}: \"{}\" is no token id",
          ids.size() + 1, word);
    ids.push_back(id);
  }
  const std::string text = tokenizer.decode(ids);
  if (given.count("json") > 0) {
    const ordered_json result{{"tokens", ids.size()}, {"bytes", text.size()}, {"text", text}};
    fmt::print("{}\n", result.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  } else {
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
  return 0;
}

int inspect(const options::variables_map& given) {
  const Tokenizer tokenizer = given_tokenizer(given);
  const TokenizerModel& model = tokenizer.model();
  const auto id_or_null = [](std::optional<std::uint32_t> id) { return id ? ordered_json(*id) : ordered_json(); };
  ordered_json result{{"tokenizer", given["tokenizer"].as<std::string>()},
                      {"hash", tokenizer.hash()},
                      {"pattern", pattern_name(model.pattern)},
                      {"unicode", kUnicodeVersion},
                      {"vocab_size", tokenizer.vocab_size()},
                      {"tokens", model.vocabulary.count()},
                      {"merges", model.merges.size()},
                      {"longest_token_bytes", model.vocabulary.longest()},
                      {"merge_by_bytes", model.merge_by_bytes},
                      {"whole_pieces_first", model.whole_pieces},
                      {"bos", id_or_null(tokenizer.bos())},
                      {"eos", id_or_null(tokenizer.eos())},
                      {"template_prefix", model.template_prefix},
                      {"template_suffix", model.template_suffix}};
  result["added_tokens"] = ordered_json::object();
  for (const AddedToken& token : model.added) result["added_tokens"][token.content] = token.id;
  if (given.count("json") > 0) {
    fmt::print("{}\n", result.dump());
    return 0;
  }
  for (const auto& [name, value] : result.items()) {
    fmt::print("{:<20} {}\n", name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return 0;
}

}  // namespace

int tokenizer_command(std::span<const std::string> args) {
  const options::options_description all = described_options();
  const std::string action = args.empty() ? "" : args.front();
  if (action == "--help" || action == "help" || std::ranges::find(args, "--help") != args.end()) {
    std::cout << kUsage << all;
    return 0;
  }
  options::variables_map given;
  try {
    const std::vector<std::string> rest(args.begin() + (args.empty() ? 0 : 1), args.end());
    options::store(options::command_line_parser(rest).options(all).run(), given);
  } catch (const options::error& error) {
    fail_usage("tokenizer {}: {}\nusage:\n{}", action, explain(error, all), kUsage);
  }
  check_usage(!action.empty(), "tokenizer: what to do is missing\nusage:\n{}", kUsage);
  if (action == "train") return train(given);
  if (action == "encode") return encode(given);
  if (action == "decode") return decode(given);
  check_usage(action == "inspect", "tokenizer {}: expected train, encode, decode or inspect", action);
  return inspect(given);
}

}  // namespace trireme
