// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/source/reader.h"

#include <array>
#include <utility>

#include "core/base/error.h"
#include "data_pipeline/source/input_file.h"
#include "data_pipeline/source/record_reader.h"

namespace trireme {
namespace {

constexpr std::array<std::pair<SourceKind, std::string_view>, 5> kKinds = {{{SourceKind::wet, "wet"},
                                                                            {SourceKind::warc, "warc"},
                                                                            {SourceKind::wiki, "wiki"},
                                                                            {SourceKind::jsonl, "jsonl"},
                                                                            {SourceKind::text, "text"}}};

}  // namespace

SourceKind source_kind(std::string_view name) {
  for (const auto& [kind, word] : kKinds) {
    if (word == name) {
      return kind;
    }
  }
  fail_usage("source kind '{}' is not known: use wet, warc, wiki, jsonl or text", name);
}

std::string_view source_kind_name(SourceKind kind) {
  for (const auto& [known, word] : kKinds) {
    if (known == kind) {
      return word;
    }
  }
  return "unknown";
}

SourceKind guess_source_kind(std::string_view file) {
  std::string_view name = file.substr(file.find_last_of('/') + 1);
  for (const std::string_view suffix : {".gz", ".bz2", ".zst"}) {
    if (name.ends_with(suffix)) {
      name.remove_suffix(suffix.size());
      break;
    }
  }
  constexpr std::array<std::pair<std::string_view, SourceKind>, 8> suffixes = {{{".wet", SourceKind::wet},
                                                                                {".warc", SourceKind::warc},
                                                                                {".xml", SourceKind::wiki},
                                                                                {".jsonl", SourceKind::jsonl},
                                                                                {".ndjson", SourceKind::jsonl},
                                                                                {".json", SourceKind::jsonl},
                                                                                {".txt", SourceKind::text},
                                                                                {".text", SourceKind::text}}};
  for (const auto& [suffix, kind] : suffixes) {
    if (name.ends_with(suffix)) {
      return kind;
    }
  }
  fail_usage("the kind of {} cannot be told from its name: say kind: wet, warc, wiki, jsonl or text", file);
}

std::unique_ptr<DocumentReader> open_reader(const ReaderOptions& options) {
  return open_reader(InputFile::open(options.file), options);
}

std::unique_ptr<DocumentReader> open_reader(const std::shared_ptr<const InputFile>& file,
                                            const ReaderOptions& options) {
  check_usage(options.begin <= options.end, "{}: the range of bytes {} to {} is empty or reversed", options.file,
              options.begin, options.end);
  const Compression compression = detect_compression(*file, options.begin);
  auto stream = open_stream(file, compression, options.begin, options.end, options.max_ratio);
  switch (options.kind) {
    case SourceKind::wet:
    case SourceKind::warc:
      return make_warc_reader(std::move(stream), options);
    case SourceKind::wiki: {
      std::unique_ptr<ByteStream> prologue;
      if (options.begin > 0) {
        prologue = open_stream(file, detect_compression(*file, 0), 0, options.begin, options.max_ratio);
      }
      return make_wiki_reader(std::move(stream), std::move(prologue), options);
    }
    case SourceKind::jsonl:
      return make_jsonl_reader(std::move(stream), options);
    case SourceKind::text:
      return make_text_reader(std::move(stream), options);
  }
  fail_usage("source kind {} is not known", static_cast<int>(options.kind));
}

}  // namespace trireme
