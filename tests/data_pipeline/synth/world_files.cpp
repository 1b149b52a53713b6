// SPDX-License-Identifier: Apache-2.0
#include "tests/data_pipeline/synth/world_files.h"

#include <bzlib.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace trireme {

namespace {

/// Inflates the member at `from`; returns its length in the file, or 0 when it does not reach its end.
std::size_t inflate_member(const std::string& bytes, std::size_t from, std::string& text) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) throw std::runtime_error("inflateInit2");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + from));
  stream.avail_in = static_cast<uInt>(bytes.size() - from);
  char buffer[1 << 14];
  int state = Z_OK;
  while (state == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof buffer;
    state = inflate(&stream, Z_NO_FLUSH);
    text.append(buffer, sizeof buffer - stream.avail_out);
  }
  const std::size_t used = bytes.size() - from - stream.avail_in;
  inflateEnd(&stream);
  return state == Z_STREAM_END ? used : 0;
}

WetRecord parse_record(const std::string& text) {
  WetRecord record;
  const std::size_t end = text.find("\r\n\r\n");
  if (text.rfind("WARC/1.0\r\n", 0) != 0 || end == std::string::npos) throw std::runtime_error("not a WARC record");
  std::istringstream lines(text.substr(10, end - 10));
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const std::size_t colon = line.find(": ");
    record.header[line.substr(0, colon)] = line.substr(colon + 2);
  }
  record.block = text.substr(end + 4);
  if (!record.block.ends_with("\r\n\r\n")) throw std::runtime_error("a record without its closing CRLFs");
  record.block.resize(record.block.size() - 4);
  return record;
}

}  // namespace

std::map<std::string, std::string> files_below(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    files[std::filesystem::relative(entry.path(), folder).string()] = {std::istreambuf_iterator<char>(in), {}};
  }
  return files;
}

WetFile read_wet(const std::string& bytes) {
  WetFile file;
  for (std::size_t at = 0; at != std::string::npos && at < bytes.size();) {
    std::string text;
    const std::size_t used = inflate_member(bytes, at, text);
    if (used != 0) {
      file.records.push_back(parse_record(text));
      at += used;
    } else {
      ++file.broken_members;
      at = bytes.find("\x1f\x8b\x08", at + 1);
    }
  }
  return file;
}

std::string unbzip2(const std::string& bytes) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size();) {
    bz_stream stream{};
    if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK) throw std::runtime_error("BZ2_bzDecompressInit");
    stream.next_in = const_cast<char*>(bytes.data() + at);
    stream.avail_in = static_cast<unsigned>(bytes.size() - at);
    char buffer[1 << 14];
    int state = BZ_OK;
    while (state == BZ_OK) {
      stream.next_out = buffer;
      stream.avail_out = sizeof buffer;
      state = BZ2_bzDecompress(&stream);
      text.append(buffer, sizeof buffer - stream.avail_out);
    }
    at = bytes.size() - stream.avail_in;
    BZ2_bzDecompressEnd(&stream);
    if (state != BZ_STREAM_END) throw std::runtime_error("a damaged bzip2 stream");
  }
  return text;
}

std::vector<std::vector<std::string>> read_csv(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    auto& row = rows.emplace_back();
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) row.push_back(field);
  }
  return rows;
}

bool is_utf8(const std::string& text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3 : 0;
    if (length == 0 || i + length > text.size()) return false;  // no page has a character beyond three bytes
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0U) != 0x80U) return false;
    }
    i += length;
  }
  return true;
}

}  // namespace trireme
