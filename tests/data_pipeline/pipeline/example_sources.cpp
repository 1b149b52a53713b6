// SPDX-License-Identifier: Apache-2.0
#include "tests/data_pipeline/pipeline/example_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/io/atomic_file.h"
#include "core/io/checksum.h"

namespace trireme::testing {
namespace {

/// A text of 60 words that the quality rules let through; another one for every number.
std::string good_text(int number) {
  std::string text = fmt::format("This is the story of number {} and of what came to be.", number);
  for (int i = 0; i < 48; ++i) text += fmt::format(" word{}", static_cast<char>('a' + (number + i) % 26));
  return text;
}

std::string json_line(const std::string& text) { return fmt::format("{{\"id\": 1, \"text\": \"{}\"}}\n", text); }

}  // namespace

DataConfig write_example_sources(const std::string& folder) {
  std::filesystem::create_directories(folder);
  // 300 good documents, each tenth followed by a copy of the one 20 before it; 30 short ones; 10 with too many hash
  // signs; 5 lines that are no JSON.
  std::string a, b;
  for (int i = 0; i < 300; ++i) {
    std::string& file = i < 180 ? a : b;
    file += json_line(good_text(i));
    if (i % 10 == 9 && i >= 20) file += json_line(good_text(i - 20));
    if (i % 10 == 3) file += json_line("too few words");
    if (i % 30 == 7) file += json_line(good_text(i) + " # # # # # # # # #");
    if (i % 60 == 11) file += "{\"text\": \"never closed\n";
  }
  write_file_atomic(folder + "/a.jsonl", a);
  write_file_atomic(folder + "/b.jsonl", b);
  // 50 paragraphs: 40 new and 10 that are in the JSON lines already.
  std::string text;
  for (int i = 290; i < 340; ++i) text += good_text(i) + "\n\n";
  write_file_atomic(folder + "/c.txt", text);
  DataConfig config;
  config.out = folder + "/out";
  config.sources = {{.name = "lines", .files = {folder + "/*.jsonl"}, .kind = "jsonl"},
                    {.name = "paragraphs", .files = {folder + "/c.txt"}, .kind = "text", .blank_lines_separate = true}};
  config.tokenizer = TRIREME_SOURCE_DIR "/tests/golden/tokenizer_small.json";
  config.unit_bytes = 16384;
  return config;
}

DocumentCounts example_counts() {
  DocumentCounts counts;
  counts.kept = 300 + 40;
  counts.rejected = {{"duplicate", 28 + 10}, {"filter: too few words", 30}, {"filter: too many hash signs", 10}};
  counts.failed = {{"line not valid JSON", 5}};
  counts.read = 300 + 28 + 30 + 10 + 5 + 50;
  return counts;
}

std::vector<std::pair<std::string, std::string>> corpus_files(const std::string& folder) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::string content = read_file(entry.path().string(), 1 << 24);
    if (entry.path().extension() == ".h5") content = hex(xxh3_128(content));
    files.emplace_back(entry.path().filename().string(), std::move(content));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace trireme::testing
