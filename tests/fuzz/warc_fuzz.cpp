// SPDX-License-Identifier: Apache-2.0
// WARC and WET, uncompressed: headers, lengths, resynchronisation, HTTP.
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/read_whole.h"

std::vector<std::string> fuzz_seeds() {
  const std::string wet =
      "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: <http://a>\r\nContent-Length: 5\r\n\r\nhello\r\n\r\n";
  const std::string warc =
      "WARC/1.1\r\nWARC-Type: response\r\nWARC-Target-URI: http://b\r\nContent-Type: application/http\r\n"
      "Content-Length: 106\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html; charset=latin1\r\n"
      "Transfer-Encoding: chunked\r\n\r\n5\r\n<p>hi\r\n0\r\n\r\n\r\n\r\n";
  const std::string old =
      "WARC/0.18\nWARC-Type: warcinfo\n\nx: y\n\nWARC/0.18\nWARC-Type: conversion\nContent-Length: 2\n\nab\n\n";
  return {wet, warc, old, wet + warc + wet, warc + wet + wet, "filedesc://x 0.0.0.0 1 text/plain 3\nabc\n"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  trireme::fuzz::read_whole(data, size, trireme::SourceKind::warc);
  trireme::fuzz::read_whole(data, size, trireme::SourceKind::wet);
  return 0;
}
