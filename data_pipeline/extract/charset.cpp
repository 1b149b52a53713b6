// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/extract/charset.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace trireme {
namespace {

enum class Charset { none, utf8, windows1252, other };

constexpr std::size_t kMetaBytes = 1024;

// Code points of the bytes 0x80 to 0x9f in windows-1252 (WHATWG encoding standard, index windows-1252).
constexpr std::array<char16_t, 32> kWindows1252 = {0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
                                                   0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008d, 0x017d, 0x008f,
                                                   0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                                   0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

Charset charset_of(std::string_view label) {
  for (const std::string_view name : {"utf-8", "utf8", "unicode-1-1-utf-8", "x-unicode20utf8"}) {
    if (label == name) {
      return Charset::utf8;
    }
  }
  for (const std::string_view name : {"iso-8859-1", "iso8859-1", "iso88591", "iso_8859-1", "latin1", "latin-1", "l1",
                                      "us-ascii", "ascii", "windows-1252", "cp1252", "x-cp1252", "cp819", "ibm819"}) {
    if (label == name) {
      return Charset::windows1252;
    }
  }
  return label.empty() ? Charset::none : Charset::other;
}

/// The value after "charset" and "=" in lower-case `text`.
Charset find_charset(std::string_view text) {
  constexpr std::string_view word = "charset";
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    std::size_t i = text.find_first_not_of(" \t\r\n", at + word.size());
    if (i == std::string_view::npos || text[i] != '=') {
      continue;
    }
    i = text.find_first_not_of(" \t\r\n\"'", i + 1);
    if (i == std::string_view::npos) {
      break;
    }
    const std::size_t end = text.find_first_of(" \t\r\n\"';/>", i);
    return charset_of(text.substr(i, end == std::string_view::npos ? end : end - i));
  }
  return Charset::none;
}

/// The set named in a <meta> element of the first bytes.
Charset meta_charset(std::string_view page) {
  const std::string head = lower(page.substr(0, kMetaBytes));
  for (std::size_t at = head.find("<meta"); at != std::string::npos; at = head.find("<meta", at + 1)) {
    const std::size_t end = std::min(head.find('>', at), head.size());
    const Charset found = find_charset(std::string_view(head).substr(at, end - at));
    if (found != Charset::none) {
      // A page that could be read so far as ASCII is not in UTF-16, whatever it says: browsers take UTF-8 then.
      return found;
    }
  }
  return Charset::none;
}

std::string from_windows1252(std::string_view page) {
  std::string out;
  out.reserve(page.size() + page.size() / 8);
  for (const char c : page) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out.push_back(c);
    } else {
      append_utf8(out, byte < 0xa0 ? kWindows1252[byte - 0x80u] : byte);
    }
  }
  return out;
}

CharsetVerdict as_utf8(std::string_view page, bool valid, InvalidUtf8 policy, std::string& utf8) {
  if (valid) {
    utf8.assign(page);
    return CharsetVerdict::decoded;
  }
  if (policy == InvalidUtf8::fail) {
    return CharsetVerdict::invalid;
  }
  utf8 = replace_invalid_utf8(page);
  return CharsetVerdict::decoded;
}

}  // namespace

CharsetVerdict html_to_utf8(std::string_view page, std::string_view content_type, InvalidUtf8 policy,
                            std::string& utf8) {
  if (page.starts_with("\xfe\xff") || page.starts_with("\xff\xfe")) {
    return CharsetVerdict::unsupported;  // UTF-16
  }
  const bool valid = valid_utf8_prefix(page) == page.size();
  if (page.starts_with("\xef\xbb\xbf")) {
    return as_utf8(page.substr(3), valid, policy, utf8);
  }
  // Text in another set that happens to be valid UTF-8 beyond ASCII is practically unknown; wrong labels are not.
  const bool ascii = std::all_of(page.begin(), page.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (valid && !ascii) {
    utf8.assign(page);
    return CharsetVerdict::decoded;
  }
  Charset set = find_charset(lower(content_type));
  if (set == Charset::none) {
    set = meta_charset(page);
  }
  if (set == Charset::utf8) {
    return as_utf8(page, valid, policy, utf8);
  }
  if (set == Charset::other) {
    return CharsetVerdict::unsupported;
  }
  utf8 = ascii ? std::string(page) : from_windows1252(page);
  return CharsetVerdict::decoded;
}

}  // namespace trireme
