// SPDX-License-Identifier: Apache-2.0
// Articles out of MediaWiki dumps; after damage or bad XML it goes on with the next <page>.
#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "data_pipeline/extract/wikitext.h"
#include "data_pipeline/source/record_reader.h"
#include "data_pipeline/source/warc_record.h"
#include "data_pipeline/source/wiki_xml.h"

namespace trireme {
namespace {

constexpr std::size_t kStepBytes = 64u << 10;
constexpr std::uint64_t kMostPrologue = 1u << 20;
// A bzip2 block's checksum comes after its up to 900,000 bytes of text: a page is handed out only when the reading is
// that far ahead, or in another stream.
constexpr std::uint64_t kHeldBytes = 1u << 20;
constexpr std::string_view kPageTag = "<page>";
constexpr std::string_view kRedirect = "#redirect";  // how pages of old schemas say it

class WikiReader final : public RecordReader {
 public:
  WikiReader(std::unique_ptr<ByteStream> stream, std::unique_ptr<ByteStream> prologue, const ReaderOptions& options)
      : RecordReader(std::move(stream), options), xml_(options.max_record_bytes), buffer_(kStepBytes) {
    if (prologue != nullptr) {
      read_prologue(*prologue);
      seeking_ = true;
    }
  }

 protected:
  Outcome read_record(Document& document) override;
  std::uint64_t decoded() const override { return decoded_; }

 private:
  struct Held {
    WikiPage page;
    std::uint64_t end;    // decoded bytes read when it was complete
    std::uint64_t piece;  // the stream in which it ended
  };

  void read_prologue(ByteStream& prologue);
  bool ripe(const Held& held) const;
  Outcome take_page(WikiPage page, Document& document);
  void parse(std::string_view bytes, std::uint64_t offset);
  bool seek_page(std::string_view& bytes, std::uint64_t& offset);
  Outcome stream_ended();

  WikiXml xml_;
  std::vector<char> buffer_;
  std::deque<Held> held_;
  std::string tail_;      // while seeking: the last bytes, which may begin a tag
  bool seeking_ = false;  // for a <page> to begin at
  bool ended_ = false;
  std::uint64_t decoded_ = 0;
};

RecordReader::Outcome WikiReader::read_record(Document& document) {
  for (;;) {
    if (!held_.empty() && ripe(held_.front())) {
      WikiPage page = std::move(held_.front().page);
      held_.pop_front();
      return take_page(std::move(page), document);
    }
    if (ended_) {
      return Outcome::end;
    }
    const std::size_t got = stream().read(buffer_.data(), buffer_.size());
    if (got == 0) {
      return stream_ended();
    }
    decoded_ += got;
    parse({buffer_.data(), got}, stream().offset());
    for (; !xml_.pages().empty(); xml_.pages().pop_front()) {
      held_.push_back({std::move(xml_.pages().front()), decoded_, stream().offset()});
    }
  }
}

bool WikiReader::ripe(const Held& held) const {
  return ended_ || stream().exact() || held.piece != stream().offset() || decoded_ - held.end >= kHeldBytes;
}

/// Reads on from the beginning of the file to its first page.
void WikiReader::read_prologue(ByteStream& prologue) {
  std::uint64_t read = 0;
  while (read < kMostPrologue && xml_.pages().empty() && !xml_.in_page()) {
    const std::size_t got = prologue.read(buffer_.data(), buffer_.size());
    if (got == 0 || !xml_.feed({buffer_.data(), got}, 0, false)) {
      break;
    }
    read += got;
  }
  xml_.pages().clear();
}

RecordReader::Outcome WikiReader::stream_ended() {
  if (!stream().damage().empty()) {
    const std::string_view reason = stream().damage();
    const std::uint64_t piece = stream().offset();
    fail_record(reason, piece);
    while (!held_.empty() && held_.back().piece == piece && decoded_ - held_.back().end < kHeldBytes) {
      fail_record(reason, held_.back().page.offset);
      held_.pop_back();
    }
    ended_ = !stream().resync();
    seeking_ = true;
    tail_.clear();
    return Outcome::none;
  }
  ended_ = true;
  if (!seeking_ && !xml_.finish()) {
    return fail_record("truncated page", stream().offset());
  }
  return Outcome::none;
}

/// Moves `bytes` on to the next "<page>", across the border of two reads too, and starts the parser there.
bool WikiReader::seek_page(std::string_view& bytes, std::uint64_t& offset) {
  const std::size_t before = tail_.size();
  const std::string seam = tail_ + std::string(bytes.substr(0, kPageTag.size()));
  std::size_t at = seam.find(kPageTag);
  std::string_view carried;
  if (at != std::string::npos && at < before) {
    carried = kPageTag.substr(0, before - at);
    at = 0;
  } else {
    at = bytes.find(kPageTag);
  }
  if (at == std::string_view::npos) {
    tail_.append(bytes.substr(bytes.size() - std::min(bytes.size(), kPageTag.size() - 1)));
    tail_.erase(0, tail_.size() - std::min(tail_.size(), kPageTag.size() - 1));
    return false;
  }
  seeking_ = false;
  tail_.clear();
  xml_.start(true);
  if (!carried.empty()) {
    xml_.feed(carried, stream().exact() ? offset - carried.size() : offset, stream().exact());
  }
  bytes.remove_prefix(at);
  offset += stream().exact() ? at : 0;
  return true;
}

void WikiReader::parse(std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const bool sought = seeking_;
    if (sought && !seek_page(bytes, offset)) {
      return;
    }
    if (xml_.feed(bytes, offset, stream().exact())) {
      return;
    }
    // The page with the error is lost; the next one is looked for after it.
    // A parser that refuses the very <page> it was started at must not be started there again.
    const std::size_t at = std::max<std::size_t>(xml_.error_index(), sought ? 1 : 0);
    bytes.remove_prefix(at);
    offset += stream().exact() ? at : 0;
    fail_record(xml_.error(), offset);
    seeking_ = true;
  }
}

RecordReader::Outcome WikiReader::take_page(WikiPage page, Document& document) {
  if (page.too_long) {
    return fail_record("record longer than its limit", page.offset);
  }
  const std::string_view text = trim_blanks(page.text);
  if (page.redirect || equal_ignoring_case(text.substr(0, kRedirect.size()), kRedirect)) {
    return skip(page.ns == 0 ? "redirect" : "redirect outside the article namespace");
  }
  if (page.ns != 0) {
    return skip("namespace not 0");
  }
  if (!page.model.empty() && page.model != "wikitext") {
    return skip("content model not wikitext");
  }
  if (!options().extract) {
    return finish(std::move(page.text), page.offset, page.title, document);
  }
  WikitextOptions wiki;
  const auto& names = xml_.silent_namespaces();
  wiki.silent_namespaces.insert(wiki.silent_namespaces.end(), names.begin(), names.end());
  TemplateCounts dropped;
  std::string plain = wikitext_to_text(page.text, wiki, dropped);
  for (const auto& [name, times] : dropped) {
    counts_.drop_template(name, times);
  }
  return finish(std::move(plain), page.offset, page.title, document);
}

}  // namespace

std::unique_ptr<DocumentReader> make_wiki_reader(std::unique_ptr<ByteStream> stream,
                                                 std::unique_ptr<ByteStream> prologue, const ReaderOptions& options) {
  return std::make_unique<WikiReader>(std::move(stream), std::move(prologue), options);
}

}  // namespace trireme
