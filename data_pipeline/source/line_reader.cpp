// SPDX-License-Identifier: Apache-2.0
// Documents out of JSONL, a line each, and out of text, a file or a paragraph each.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "data_pipeline/source/json_line.h"
#include "data_pipeline/source/record_reader.h"
#include "data_pipeline/source/window.h"

namespace trireme {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kTooLong = "record longer than its limit";

/// What one look for the next line gave.
enum class Line { found, too_long, damaged, end };

/// Lines of a window, at most `limit` bytes each.
class Lines {
 public:
  Lines(ByteStream& stream, std::uint64_t limit) : window_(stream), limit_(static_cast<std::size_t>(limit)) {}

  /// The next line, without its LF or CRLF, valid until the next call. After damage the line under way is lost; the
  /// caller decides by resync(). A line over the limit is passed over.
  Line next(std::string_view& line) {
    window_.drop(std::exchange(taken_, 0));
    std::size_t from = 0;
    for (;;) {
      const std::string_view data = window_.data();
      const std::size_t end = data.find('\n', from);
      offset_ = from == 0 && !data.empty() ? window_.offset() : offset_;
      if (end != kNone && end <= limit_) {
        return give(data.substr(0, end), end + 1, line);
      }
      if (data.size() > limit_) {
        return pass_over();
      }
      from = data.size();
      if (!window_.grow()) {
        if (!window_.damage().empty()) {
          return Line::damaged;
        }
        return data.empty() ? Line::end : give(window_.data(), window_.data().size(), line);
      }
    }
  }

  std::uint64_t offset() const { return offset_; }
  std::string_view damage() const { return window_.damage(); }
  std::uint64_t decoded() const { return window_.decoded(); }

  /// Goes on after damage, at the first line that begins after it.
  bool resync() {
    if (!window_.resync()) {
      return false;
    }
    drop_line();
    return true;
  }

 private:
  Line give(std::string_view bytes, std::size_t taken, std::string_view& line) {
    taken_ = taken;
    line = bytes.ends_with('\r') ? bytes.substr(0, bytes.size() - 1) : bytes;
    return Line::found;
  }

  Line pass_over() {
    drop_line();
    return Line::too_long;
  }

  void drop_line() {
    for (;;) {
      const std::size_t end = window_.data().find('\n');
      window_.drop(end == kNone ? window_.data().size() : end + 1);
      if (end != kNone || !window_.grow()) {
        return;
      }
    }
  }

  Window window_;
  std::size_t limit_;
  std::size_t taken_ = 0;
  std::uint64_t offset_ = 0;
};

class JsonlReader final : public RecordReader {
 public:
  JsonlReader(std::unique_ptr<ByteStream> stream, const ReaderOptions& options)
      : RecordReader(std::move(stream), options), lines_(this->stream(), options.max_record_bytes) {}

 protected:
  std::uint64_t decoded() const override { return lines_.decoded(); }

  Outcome read_record(Document& document) override {
    std::string_view line;
    switch (lines_.next(line)) {
      case Line::end:
        return Outcome::end;
      case Line::too_long:
        return fail_record(kTooLong, lines_.offset());
      case Line::damaged:
        fail_record(lines_.damage(), stream().offset());
        return lines_.resync() ? Outcome::none : Outcome::end;
      case Line::found:
        break;
    }
    if (counts_.records == 0 && line.starts_with(kByteOrderMark)) {
      line.remove_prefix(kByteOrderMark.size());
    }
    if (line.find_first_not_of(" \t\r") == kNone) {
      return Outcome::none;  // an empty line is no record
    }
    // The library takes a byte order mark anywhere; in the middle of a file it is damage.
    JsonLine parsed;
    const std::string_view reason = line.starts_with(kByteOrderMark)
                                        ? "line not valid JSON"
                                        : parse_json_line(line, options().json_text_field, parsed);
    if (!reason.empty()) {
      return fail_record(reason, lines_.offset());
    }
    return finish(std::move(parsed.text), lines_.offset(), parsed.uri_or_title, document);
  }

 private:
  Lines lines_;
};

/// A document is the lines up to a blank one (options.blank_lines_separate) or up to the end of the file.
class TextReader final : public RecordReader {
 public:
  TextReader(std::unique_ptr<ByteStream> stream, const ReaderOptions& options)
      : RecordReader(std::move(stream), options), lines_(this->stream(), options.max_record_bytes) {}

 protected:
  std::uint64_t decoded() const override { return lines_.decoded(); }

  Outcome read_record(Document& document) override {
    std::string text;
    bool begun = false;
    bool too_long = false;
    std::uint64_t begin = 0;
    for (;;) {
      std::string_view line;
      const Line found = lines_.next(line);
      if (found == Line::damaged) {
        fail_record(lines_.damage(), stream().offset());
        lines_.resync();
        return Outcome::none;
      }
      const bool blank = found == Line::found && line.find_first_not_of(" \t") == kNone;
      const bool between = found == Line::end || (options().blank_lines_separate && blank);
      if (between && begun) {
        return too_long ? fail_record(kTooLong, begin) : finish(std::move(text), begin, stem(begin), document);
      }
      if (found == Line::end) {
        return Outcome::end;
      }
      if (between) {
        continue;
      }
      begin = begun ? begin : lines_.offset();
      begun = true;
      too_long = too_long || found == Line::too_long || text.size() + line.size() > options().max_record_bytes;
      if (too_long) {
        text.clear();
      } else {
        text.append(line).push_back('\n');
      }
    }
  }

 private:
  /// The file's name; a paragraph also gets the place where it begins.
  std::string stem(std::uint64_t begin) const {
    return options().blank_lines_separate ? fmt::format("{}@{}", options().file, begin) : options().file;
  }

  Lines lines_;
};

}  // namespace

std::unique_ptr<DocumentReader> make_jsonl_reader(std::unique_ptr<ByteStream> stream, const ReaderOptions& options) {
  return std::make_unique<JsonlReader>(std::move(stream), options);
}

std::unique_ptr<DocumentReader> make_text_reader(std::unique_ptr<ByteStream> stream, const ReaderOptions& options) {
  return std::make_unique<TextReader>(std::move(stream), options);
}

}  // namespace trireme
