// SPDX-License-Identifier: Apache-2.0
// Work units: where a file can be cut so that the parts read alone give the same documents as the whole.
#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data_pipeline/source/codec.h"
#include "data_pipeline/source/input_file.h"
#include "data_pipeline/source/reader.h"
#include "data_pipeline/source/warc_record.h"

namespace trireme {
namespace {

constexpr std::size_t kScanBytes = 256u << 10;
constexpr std::size_t kHeaderBytes = 64u << 10;

/// The first place at or after `from` where a part can begin; file.size() if none.
using NextCut = std::function<std::uint64_t(std::uint64_t from)>;

bool begins_record(std::string_view bytes) { return begins_warc_record(bytes); }

bool begins_page(std::string_view bytes) {
  const std::size_t at = bytes.find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && bytes.substr(at).starts_with("<page>");
}

/// As much as one look needs: units of small files are looked for often.
std::size_t scan_bytes(const InputFile& file, std::uint64_t from) {
  return static_cast<std::size_t>(std::min<std::uint64_t>(kScanBytes, file.size() - std::min(from, file.size())));
}

/// `shift` bytes after the beginning of the next `pattern` at or after `from`; file.size() if there is none.
std::uint64_t find_bytes(const InputFile& file, std::uint64_t from, std::string_view pattern, std::size_t shift) {
  std::vector<char> buffer(scan_bytes(file, from));
  while (from < file.size()) {
    const std::size_t got = file.read_at(from, buffer.data(), buffer.size());
    const std::size_t at = std::string_view(buffer.data(), got).find(pattern);
    if (at != std::string_view::npos) {
      return std::min(from + at + shift, file.size());
    }
    if (from + got >= file.size()) {
      break;
    }
    from += got - (pattern.size() - 1);
  }
  return file.size();
}

/// After the next blank line: LF LF, or LF CR LF.
std::uint64_t after_blank_line(const InputFile& file, std::uint64_t from) {
  std::vector<char> buffer(scan_bytes(file, from));
  while (from < file.size()) {
    const std::size_t got = file.read_at(from, buffer.data(), buffer.size());
    const std::string_view bytes(buffer.data(), got);
    for (std::size_t at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
      const std::string_view next = bytes.substr(at + 1, 2);
      if (next.starts_with('\n')) {
        return from + at + 2;
      }
      if (next == "\r\n") {
        return from + at + 3;
      }
    }
    if (from + got >= file.size()) {
      break;
    }
    from += got - 2;
  }
  return file.size();
}

/// Beginnings of the records of a plain WARC file, walked by their lengths; empty when a record does not follow its
/// forerunner, for then only a reader can tell what is one.
std::vector<std::uint64_t> walk_warc(const InputFile& file) {
  std::vector<std::uint64_t> begins;
  std::vector<char> buffer(kHeaderBytes);
  std::uint64_t at = 0;
  while (at < file.size()) {
    const std::string_view bytes(buffer.data(), file.read_at(at, buffer.data(), 4096));
    const std::size_t blank = std::min(bytes.find_first_not_of("\r\n"), bytes.size());
    if (blank > 0) {
      at += blank;
      continue;
    }
    std::size_t size = header_block_size(bytes);
    std::string_view whole = bytes;
    if (size == std::string_view::npos) {
      whole = {buffer.data(), file.read_at(at, buffer.data(), buffer.size())};
      size = header_block_size(whole);
    }
    WarcHeader header;
    if (size == std::string_view::npos || !parse_warc_header(whole.substr(0, size), header).empty() ||
        header.length_state != WarcHeader::Length::given || header.length > file.size() - at - size) {
      return {};
    }
    begins.push_back(at);
    at += size + header.length;
  }
  return begins;
}

bool is_utf16(const InputFile& file) {
  char head[2] = {};
  const std::string_view bytes(head, file.read_at(0, head, 2));
  return bytes == "\xff\xfe" || bytes == "\xfe\xff" || bytes.find('\0') != std::string_view::npos;
}

std::optional<NextCut> compressed_cuts(const InputFile& file, Compression compression, SourceKind kind) {
  if (compression == Compression::gzip && (kind == SourceKind::warc || kind == SourceKind::wet)) {
    return [&file](std::uint64_t from) {
      const PieceSearch search{.file = file,
                               .compression = Compression::gzip,
                               .wanted_bytes = 16,
                               .wanted = &begins_record,
                               .most_trials = 100'000};
      return search.find(from, file.size());
    };
  }
  if (compression == Compression::bzip2 && kind == SourceKind::wiki) {
    return [&file](std::uint64_t from) {
      // Parallel bzip2 writes a stream per block, cut anywhere: a few tries show that such a file stays whole.
      const PieceSearch search{.file = file,
                               .compression = Compression::bzip2,
                               .wanted_bytes = 64,
                               .wanted = &begins_page,
                               .most_trials = 8};
      return search.find(from, file.size());
    };
  }
  return std::nullopt;
}

std::optional<NextCut> plain_cuts(const InputFile& file, SourceKind kind, bool blank_lines_separate) {
  switch (kind) {
    case SourceKind::warc:
    case SourceKind::wet: {
      auto begins = walk_warc(file);
      return [&file, begins = std::move(begins)](std::uint64_t from) {
        const auto next = std::lower_bound(begins.begin(), begins.end(), from);
        return next == begins.end() ? file.size() : *next;
      };
    }
    case SourceKind::wiki:
      if (is_utf16(file)) {
        return std::nullopt;
      }
      // "<" is escaped in text, so that these bytes are the tag and nothing else.
      return [&file](std::uint64_t from) { return find_bytes(file, from, "<page>", 0); };
    case SourceKind::jsonl:
      return [&file](std::uint64_t from) { return find_bytes(file, from, "\n", 1); };
    case SourceKind::text:
      if (!blank_lines_separate) {
        return std::nullopt;
      }
      return [&file](std::uint64_t from) { return after_blank_line(file, from); };
  }
  return std::nullopt;
}

}  // namespace

std::vector<WorkUnit> split(const std::string& file, SourceKind kind, std::uint64_t target_bytes,
                            bool blank_lines_separate) {
  return split(*InputFile::open(file), kind, target_bytes, blank_lines_separate);
}

std::vector<WorkUnit> split(const InputFile& file, SourceKind kind, std::uint64_t target_bytes,
                            bool blank_lines_separate) {
  target_bytes = std::max<std::uint64_t>(target_bytes, 1);
  std::vector<WorkUnit> units;
  std::uint64_t begin = 0;
  const auto add = [&](std::uint64_t end) {
    units.push_back({file.name(), kind, begin, end, units.size()});
    begin = end;
  };
  if (target_bytes < file.size()) {
    const Compression compression = detect_compression(file, 0);
    const auto next_cut = compression == Compression::none ? plain_cuts(file, kind, blank_lines_separate)
                                                           : compressed_cuts(file, compression, kind);
    while (next_cut.has_value() && file.size() - begin > target_bytes) {
      const std::uint64_t cut = (*next_cut)(begin + target_bytes);
      if (cut >= file.size()) {
        break;
      }
      add(cut);
    }
  }
  if (begin < file.size() || units.empty()) {
    add(file.size());
  }
  return units;
}

}  // namespace trireme
