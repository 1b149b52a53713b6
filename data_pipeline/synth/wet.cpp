// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/synth/wet.h"

#include <fmt/format.h>
#include <zlib.h>

#include "core/base/error.h"
#include "data_pipeline/synth/draws.h"
#include "data_pipeline/synth/sha1.h"

namespace trireme::synth {

namespace {

std::string gzip_member(std::string_view bytes) {
  z_stream stream{};
  check(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK,
        "zlib cannot start a gzip member");
  gz_header header{};
  header.os = 255;  // "unknown": zlib would write the platform's own
  deflateSetHeader(&stream, &header);
  std::string member(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib does not write there
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(member.data());
  stream.avail_out = static_cast<uInt>(member.size());
  const int end = deflate(&stream, Z_FINISH);
  member.resize(member.size() - stream.avail_out);
  deflateEnd(&stream);
  check(end == Z_STREAM_END, "zlib cannot finish a gzip member of {} bytes", bytes.size());
  return member;
}

/// A random (version 4) UUID as WARC writes it.
std::string record_id(std::uint64_t seed, std::string_view purpose, std::size_t index) {
  const Random random(seed, purpose);
  const std::uint64_t a = random.bits(2 * index);
  const std::uint64_t b = random.bits(2 * index + 1);
  return fmt::format("<urn:uuid:{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}>", a >> 32U, a >> 16U & 0xFFFFU, a & 0xFFFU,
                     0x8000U | (b >> 48U & 0x3FFFU), b & 0xFFFFFFFFFFFFU);
}

std::string date(std::uint64_t seed, std::size_t index) {
  const std::uint64_t bits = Random(seed, "synth date").bits(index);
  return fmt::format("2024-05-{:02}T{:02}:{:02}:{:02}Z", 18 + bits % 12, bits / 12 % 24, bits / 288 % 60,
                     bits / 17280 % 60);
}

}  // namespace

std::string wet_opening(std::uint64_t seed, std::string_view file) {
  const std::string block =
      "Software-Info: trireme synth\r\nExtracted-Date: Thu, 30 May 2024 00:00:00 GMT\r\nisPartOf: a world of its "
      "own\r\n"
      "description: plain text of a fictional crawl\r\nformat: WARC File Format 1.0\r\n";
  return gzip_member(
      fmt::format("WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Date: 2024-05-30T00:00:00Z\r\nWARC-Filename: "
                  "{}\r\nWARC-Record-ID: {}\r\n"
                  "Content-Type: application/warc-fields\r\nContent-Length: {}\r\n\r\n{}\r\n\r\n",
                  file, record_id(seed, "synth opening " + std::string(file), 0), block.size(), block));
}

std::string wet_record(std::uint64_t seed, std::size_t index, const Page& page) {
  std::size_t length = page.text.size();
  if (page.kind == PageKind::length_too_large) length += 37;
  if (page.kind == PageKind::length_too_small) length -= 11;
  std::string member = gzip_member(
      fmt::format("WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: {}\r\nWARC-Date: {}\r\nWARC-Record-ID: {}\r\n"
                  "WARC-Refers-To: {}\r\nWARC-Block-Digest: sha1:{}\r\nWARC-Identified-Content-Language: eng\r\n"
                  "Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{}\r\n\r\n",
                  page.url, date(seed, index), record_id(seed, "synth record", index),
                  record_id(seed, "synth response", index), base32(sha1(page.text)), length, page.text));
  if (page.kind == PageKind::truncated_member) member.resize(member.size() / 2);
  return member;
}

}  // namespace trireme::synth
