// SPDX-License-Identifier: Apache-2.0
// What every tokenizer file format needs: bounded reading, checks on ids, the hash of the content.
#include "data_pipeline/tokenizer/tokenizer_model.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/checksum.h"

namespace trireme {

std::array<std::uint32_t, 256> byte_tokens(const TokenizerModel& model, std::string_view path) {
  std::array<std::uint32_t, 256> ids{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const auto id = model.vocabulary.find({&c, 1});
    check(id.has_value(), "{}: no token for byte 0x{:02x}; a byte-level vocabulary needs all 256", path, byte);
    ids[byte] = *id;
  }
  return ids;
}

std::string content_hash(const TokenizerModel& model) {
  Xxh3Stream stream;
  const auto number = [&](std::uint64_t value) {
    std::array<unsigned char, 8> bytes{};
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(value >> 8 * i);
    stream.update(bytes.data(), bytes.size());
  };
  const auto text = [&](std::string_view bytes) {
    number(bytes.size());
    stream.update(bytes.data(), bytes.size());
  };
  text("trireme tokenizer 1");
  text(pattern_name(model.pattern));
  number((model.merge_by_bytes ? 1U : 0U) | (model.whole_pieces ? 2U : 0U) | (model.nfc ? 4U : 0U));
  number(model.vocabulary.size());
  for (std::uint32_t id = 0; id < model.vocabulary.size(); ++id) text(model.vocabulary.bytes(id));
  number(model.merges.size());
  for (const MergeRule& rule : model.merges) {
    number(rule.left);
    number(rule.right);
    number(rule.result);
  }
  number(model.added.size());
  for (const AddedToken& token : model.added) {
    number(token.id);
    number(token.special ? 1 : 0);
    text(token.content);
  }
  return hex(stream.digest());
}

void check_token_id(std::uint64_t id, std::size_t count, std::string_view path, std::string_view entry) {
  const std::uint64_t limit = std::min<std::uint64_t>(kMostTokens, 4 * std::uint64_t{count} + 4096);
  check(id < limit, "{}: {}: id {} is too large for a vocabulary of {} entries (limit {})", path, entry, id, count,
        limit);
}

std::string read_tokenizer_file(const std::string& path, std::size_t limit) {
  check_usage(!missing(path), "the tokenizer {} is missing; expected a tokenizer.json or a tiktoken rank file", path);
  // Only regular files end; opening a named pipe here would wait for its writer.
  { const FileDescriptor regular = FileDescriptor::open_read(path); }
  const std::unique_ptr<gzFile_s, decltype(&gzclose)> file(gzopen(path.c_str(), "rb"), gzclose);
  check(file != nullptr, "{}", with_errno("cannot open tokenizer " + path, errno));
  std::string content;
  std::vector<char> block(std::size_t{1} << 16);
  for (;;) {
    const int got = gzread(file.get(), block.data(), static_cast<unsigned>(block.size()));
    int code = 0;
    check(got >= 0, "{}: cannot read at byte {}: {}", path, content.size(), gzerror(file.get(), &code));
    if (got == 0) break;
    check(content.size() + static_cast<std::size_t>(got) <= limit, "{}: larger than {} bytes: no tokenizer file is",
          path, limit);
    content.append(block.data(), static_cast<std::size_t>(got));
  }
  int code = Z_OK;
  gzerror(file.get(), &code);
  check(code == Z_OK || code == Z_STREAM_END, "{}: gzip data end early after {} bytes of content", path,
        content.size());
  check(!content.empty(), "{}: empty: expected a tokenizer", path);
  return content;
}

}  // namespace trireme
