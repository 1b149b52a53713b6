// SPDX-License-Identifier: Apache-2.0
// tokenizer.json: sections are checked one by one and turned into a TokenizerModel.
#include "data_pipeline/tokenizer/hf_tokenizer_file.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "core/base/error.h"
#include "core/io/json.h"
#include "data_pipeline/tokenizer/byte_level.h"

namespace trireme {
namespace {

using nlohmann::json;

/// The member, or null where it is absent or this is no object.
const json& member(const json& object, const char* name) {
  static const json null;
  const auto found = object.find(name);
  return found == object.end() ? null : *found;
}

bool flag(const json& object, const char* name, bool otherwise) {
  const json& value = member(object, name);
  return value.is_null() ? otherwise : value.get<bool>();
}

std::string text(const json& object, const char* name) {
  const json& value = member(object, name);
  return value.is_null() ? std::string() : value.get<std::string>();
}

std::uint64_t token_id(const json& value, const std::string& path, std::string_view entry) {
  check(value.is_number_unsigned(), "{}: {}: expected a token id, found {}", path, entry, value.dump());
  return value.get<std::uint64_t>();
}

void read_added_tokens(const json& root, TokenizerModel& model, const std::string& path) {
  const json& list = member(root, "added_tokens");
  if (list.is_null()) return;
  check(list.is_array(), "{}: added_tokens: expected an array", path);
  for (const json& token : list) {
    const std::string content = token.at("content").get<std::string>();
    const std::string entry = fmt::format("added token \"{}\"", content);
    check(!content.empty(), "{}: an added token has no content", path);
    for (const char* name : {"single_word", "lstrip", "rstrip"}) {
      check(!flag(token, name, false), "{}: {}: {} = true is not supported", path, entry, name);
    }
    const std::uint64_t id = token_id(token.at("id"), path, entry);
    check_token_id(id, list.size() + root.at("model").at("vocab").size(), path, entry);
    model.added.push_back({static_cast<std::uint32_t>(id), content, flag(token, "special", false)});
  }
  std::sort(model.added.begin(), model.added.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
}

void read_vocabulary(const json& vocab, TokenizerModel& model, const std::string& path) {
  check(vocab.is_object() && !vocab.empty(), "{}: model.vocab: expected an object of tokens and ids", path);
  std::unordered_set<std::string_view> verbatim;
  for (const AddedToken& token : model.added) verbatim.insert(token.content);
  for (const auto& [spelled, value] : vocab.items()) {
    const std::string entry = fmt::format("model.vocab \"{}\"", spelled);
    const std::uint64_t id = token_id(value, path, entry);
    check_token_id(id, vocab.size() + model.added.size(), path, entry);
    const auto bytes = verbatim.contains(spelled) ? spelled : from_byte_level(spelled);
    check(bytes.has_value() && !bytes->empty(), "{}: {}: not a byte-level spelling of bytes", path, entry);
    const auto added = model.vocabulary.add(static_cast<std::uint32_t>(id), *bytes);
    check(added != Vocabulary::Added::id_taken, "{}: {}: id {} belongs to another token", path, entry, id);
    check(added != Vocabulary::Added::bytes_taken, "{}: {}: the same bytes have another id", path, entry);
  }
  for (const AddedToken& token : model.added) {
    const json& id = member(vocab, token.content.c_str());
    if (!id.is_null()) {
      check(id == token.id, "{}: added token \"{}\" has id {}, but model.vocab gives it {}", path, token.content,
            token.id, id.dump());
    } else {
      check(model.vocabulary.add_verbatim(token.id, token.content), "{}: added token \"{}\": id {} is taken", path,
            token.content, token.id);
    }
  }
}

void read_merges(const json& merges, TokenizerModel& model, const std::string& path) {
  check(merges.is_array(), "{}: model.merges: expected an array", path);
  model.merges.reserve(merges.size());
  std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
  for (const json& merge : merges) {
    const std::string entry = fmt::format("model.merges[{}] {}", model.merges.size(), merge.dump());
    std::string left;
    std::string right;
    if (merge.is_string()) {
      const auto& both = merge.get_ref<const std::string&>();
      const std::size_t space = both.find(' ');
      check(space != std::string::npos && both.find(' ', space + 1) == std::string::npos,
            "{}: {}: expected two tokens with one space between", path, entry);
      left = both.substr(0, space);
      right = both.substr(space + 1);
    } else {
      check(merge.is_array() && merge.size() == 2, "{}: {}: expected two tokens", path, entry);
      left = merge[0].get<std::string>();
      right = merge[1].get<std::string>();
    }
    const auto find = [&](const std::string& spelled) {
      const auto bytes = from_byte_level(spelled);
      const auto id = bytes ? model.vocabulary.find(*bytes) : std::nullopt;
      check(id.has_value(), "{}: {}: \"{}\" is not in model.vocab", path, entry, spelled);
      return *id;
    };
    const MergeRule rule{find(left), find(right), find(left + right)};
    check(seen.emplace(rule.left, rule.right).second, "{}: {}: the pair was merged before", path, entry);
    model.merges.push_back(rule);
  }
}

/// True for NFC, false for none; the others change what a corpus says.
bool read_normalizer(const json& root, const std::string& path) {
  const json& normalizer = member(root, "normalizer");
  if (normalizer.is_null()) return false;
  check(normalizer.is_object() && text(normalizer, "type") == "NFC",
        "{}: a normalizer other than NFC is not supported, found {}", path, normalizer.dump().substr(0, 200));
  const json& tokens = member(root, "added_tokens");
  for (const json& token : tokens.is_array() ? tokens : json::array()) {
    check(!flag(token, "normalized", false),
          "{}: added token \"{}\": normalized = true with a normalizer is not supported", path, text(token, "content"));
  }
  return true;
}

/// ByteLevel cuts by GPT-2's pattern; a Split with a known regular expression before it takes that work over.
Pattern read_pre_tokenizer(const json& root, const std::string& path) {
  const json& pre = member(root, "pre_tokenizer");
  const auto checked_byte_level = [&](const json& level) {
    check(!flag(level, "add_prefix_space", true), "{}: pre_tokenizer: add_prefix_space = true is not supported", path);
    return flag(level, "use_regex", true);
  };
  const std::string type = pre.is_object() ? text(pre, "type") : "null";
  if (type == "ByteLevel") {
    check(checked_byte_level(pre), "{}: pre_tokenizer: ByteLevel without a pattern (use_regex = false)", path);
    return Pattern::gpt2;
  }
  const json& parts = member(pre, "pretokenizers");
  check(parts.is_array() && parts.size() == 2 && text(parts[0], "type") == "Split" &&
            text(parts[1], "type") == "ByteLevel",
        "{}: pre_tokenizer: expected ByteLevel, or a Sequence of Split and ByteLevel; found {}", path,
        pre.dump().substr(0, 200));
  check(!checked_byte_level(parts[1]), "{}: pre_tokenizer: ByteLevel behind Split must have use_regex = false", path);
  const std::string behavior = text(parts[0], "behavior");
  const bool invert = flag(parts[0], "invert", false);
  // Every known pattern matches all of any text, so that to remove what lies between the matches removes nothing.
  check((behavior == "Isolated" && !invert) || (behavior == "Removed" && invert),
        "{}: pre_tokenizer: Split with behavior {} and invert = {} is not supported", path, behavior, invert);
  const std::string regex = text(member(parts[0], "pattern"), "Regex");
  const auto pattern = pattern_of_regex(regex);
  check(pattern.has_value(), "{}: pre_tokenizer: unknown pattern {} (known are those of {})", path, regex,
        known_patterns());
  return *pattern;
}

void read_template(const json& processor, TokenizerModel& model, const std::string& path) {
  const std::string type = processor.is_object() ? text(processor, "type") : "";
  if (type == "Sequence") {
    for (const json& part : member(processor, "processors")) {
      if (text(part, "type") == "TemplateProcessing") read_template(part, model, path);
    }
  }
  if (type != "TemplateProcessing") return;
  bool behind = false;
  for (const json& part : processor.at("single")) {
    if (part.contains("Sequence")) behind = true;
    if (!part.contains("SpecialToken")) continue;
    const std::string name = part.at("SpecialToken").at("id").get<std::string>();
    for (const json& id : processor.at("special_tokens").at(name).at("ids")) {
      const std::uint64_t value = token_id(id, path, "post_processor");
      check(value < model.vocabulary.size(), "{}: post_processor: \"{}\" has id {}, but there are {} tokens", path,
            name, value, model.vocabulary.size());
      (behind ? model.template_suffix : model.template_prefix).push_back(static_cast<std::uint32_t>(value));
    }
  }
}

void check_model(const json& bpe, const std::string& path) {
  check(bpe.is_object(), "{}: no model", path);
  const std::string type = text(bpe, "type");
  check(type == "BPE" || (type.empty() && bpe.contains("merges")), "{}: model.type is \"{}\", expected \"BPE\"", path,
        type);
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    check(text(bpe, name).empty(), "{}: model.{} = \"{}\" is not supported", path, name, text(bpe, name));
  }
  check(!flag(bpe, "byte_fallback", false), "{}: model.byte_fallback = true is not supported", path);
  const json& dropout = member(bpe, "dropout");
  check(dropout.is_null() || dropout == 0.0, "{}: model.dropout = {} makes ids random", path, dropout.dump());
}

}  // namespace

TokenizerModel parse_hf_tokenizer(std::string_view content, const std::string& path) {
  try {
    const json root = parse_json(content, path);
    check(root.is_object(), "{}: expected a JSON object", path);
    const std::string version = text(root, "version");
    check(version.empty() || version == "1.0", "{}: version {}, expected 1.0", path, version);
    const json& bpe = member(root, "model");
    check_model(bpe, path);
    TokenizerModel model;
    model.nfc = read_normalizer(root, path);
    model.pattern = read_pre_tokenizer(root, path);
    model.whole_pieces = flag(bpe, "ignore_merges", false);
    read_added_tokens(root, model, path);
    read_vocabulary(bpe.at("vocab"), model, path);
    read_merges(bpe.at("merges"), model, path);
    read_template(member(root, "post_processor"), model, path);
    byte_tokens(model, path);
    return model;
  } catch (const json::exception& error) {
    fail("{}: not a tokenizer.json: {}", path, error.what());
  }
}

std::string format_hf_tokenizer(const TokenizerModel& model) {
  check(!model.merge_by_bytes, "a tiktoken vocabulary has no list of merges to write");
  using nlohmann::ordered_json;
  ordered_json root;
  root["version"] = "1.0";
  root["truncation"] = nullptr;
  root["padding"] = nullptr;
  root["added_tokens"] = ordered_json::array();
  std::unordered_set<std::uint32_t> verbatim;
  for (const AddedToken& token : model.added) {
    verbatim.insert(token.id);
    root["added_tokens"].push_back({{"id", token.id},
                                    {"content", token.content},
                                    {"single_word", false},
                                    {"lstrip", false},
                                    {"rstrip", false},
                                    {"normalized", false},
                                    {"special", token.special}});
  }
  root["normalizer"] = model.nfc ? ordered_json{{"type", "NFC"}} : ordered_json(nullptr);
  const auto byte_level = [](bool regex) {
    return ordered_json{
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", regex}};
  };
  if (model.pattern == Pattern::gpt2) {
    root["pre_tokenizer"] = byte_level(true);
  } else {
    const ordered_json split{{"type", "Split"},
                             {"pattern", {{"Regex", pattern_regex(model.pattern)}}},
                             {"behavior", "Isolated"},
                             {"invert", false}};
    root["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, byte_level(false)}}};
  }
  root["post_processor"] = nullptr;
  root["decoder"] = byte_level(true);
  ordered_json bpe;
  bpe["type"] = "BPE";
  bpe["dropout"] = nullptr;
  bpe["unk_token"] = nullptr;
  bpe["continuing_subword_prefix"] = nullptr;
  bpe["end_of_word_suffix"] = nullptr;
  bpe["fuse_unk"] = false;
  bpe["byte_fallback"] = false;
  bpe["ignore_merges"] = model.whole_pieces;
  bpe["vocab"] = ordered_json::object();
  const auto spelled = [&](std::uint32_t id) {
    const std::string_view bytes = model.vocabulary.bytes(id);
    return verbatim.contains(id) ? std::string(bytes) : to_byte_level(bytes);
  };
  auto& vocab = bpe["vocab"].get_ref<ordered_json::object_t&>();
  for (std::uint32_t id = 0; id < model.vocabulary.size(); ++id) {
    if (!model.vocabulary.bytes(id).empty()) vocab.emplace_back(spelled(id), id);
  }
  bpe["merges"] = ordered_json::array();
  for (const MergeRule& rule : model.merges) bpe["merges"].push_back({spelled(rule.left), spelled(rule.right)});
  root["model"] = std::move(bpe);
  return root.dump(1) + "\n";
}

}  // namespace trireme
