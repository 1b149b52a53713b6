// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/extract/normalize.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "core/base/error.h"

namespace trireme {
namespace {

constexpr std::size_t kMostMarks = 128;  // canonical ordering takes quadratic time in a run of combining marks
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

/// Length of the well-formed sequence that `s` begins with; 0 when it is ill formed, and then `bad` is the length of
/// its maximal ill-formed part.
std::size_t sequence(std::string_view s, std::size_t& bad) {
  const auto at = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
  const unsigned lead = at(0);
  bad = 1;
  if (lead < 0x80) {
    return 1;
  }
  unsigned low = 0x80;
  unsigned high = 0xbf;
  std::size_t length = 0;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    low = lead == 0xe0 ? 0xa0 : low;    // overlong
    high = lead == 0xed ? 0x9f : high;  // surrogates
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    low = lead == 0xf0 ? 0x90 : low;    // overlong
    high = lead == 0xf4 ? 0x8f : high;  // above U+10FFFF
  } else {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (at(i) < low || at(i) > high) {
      bad = i;
      return 0;
    }
    low = 0x80;
    high = 0xbf;
  }
  return length;
}

char32_t decode(std::string_view s, std::size_t length) {
  const auto at = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(s[i])); };
  switch (length) {
    case 1:
      return at(0);
    case 2:
      return (at(0) & 0x1f) << 6 | (at(1) & 0x3f);
    case 3:
      return (at(0) & 0x0f) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f);
    default:
      return (at(0) & 0x07) << 18 | (at(1) & 0x3f) << 12 | (at(2) & 0x3f) << 6 | (at(3) & 0x3f);
  }
}

/// True for ranges whose every character is its own NFC and never composes with what is before it (NFC_QC=Yes, ccc=0):
/// a text of these alone needs no work. Not complete: what is not listed goes to the library.
bool plainly_composed(char32_t c) {
  return c < 0x300 || (c >= 0x400 && c <= 0x482) || (c >= 0x48a && c <= 0x52f) || (c >= 0x2002 && c <= 0x20cf) ||
         (c >= 0x3005 && c <= 0x3029) || (c >= 0x3041 && c <= 0x3096) || (c >= 0x30a0 && c <= 0x30ff) ||
         (c >= 0x4e00 && c <= 0x9fff) || (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xff01 && c <= 0xff9f);
}

bool dropped(char32_t c) { return (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7f && c <= 0x9f) || c == 0xfeff; }

/// What one pass over the bytes found and left.
struct Cleaned {
  bool plain = true;  ///< every character is plainly_composed()
  bool too_many_marks = false;
};

/// Drops what has to go and makes line ends LF, in place; `text` is valid UTF-8.
Cleaned clean(std::string& text) {
  Cleaned result;
  std::size_t out = 0;
  std::size_t marks = 0;
  for (std::size_t in = 0; in < text.size();) {
    const char c = text[in];
    if (static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f) {
      text[out++] = c;
      ++in;
      marks = 0;
      continue;
    }
    if (c == '\r') {
      in += text.compare(in, 2, "\r\n") == 0 ? 2 : 1;
      text[out++] = '\n';
      marks = 0;
      continue;
    }
    std::size_t bad = 0;
    const std::size_t length = sequence(std::string_view(text).substr(in, 4), bad);
    const char32_t code = decode(std::string_view(text).substr(in, length), length);
    if (!dropped(code)) {
      std::memmove(text.data() + out, text.data() + in, length);
      out += length;
      if (!plainly_composed(code)) {
        result.plain = false;
        const bool mark = utf8proc_get_property(static_cast<utf8proc_int32_t>(code))->combining_class != 0;
        marks = mark ? marks + 1 : 0;
        result.too_many_marks = result.too_many_marks || marks > kMostMarks;
      } else {
        marks = 0;
      }
    }
    in += length;
  }
  text.resize(out);
  return result;
}

bool plain_line(std::string_view line) {
  for (std::size_t i = 0; i < line.size();) {
    std::size_t bad = 0;
    const std::size_t length = sequence(line.substr(i, 4), bad);
    if (!plainly_composed(decode(line.substr(i, length), length))) {
      return false;
    }
    i += length;
  }
  return true;
}

/// NFC line by line: nothing composes across a line feed, and most lines need no work.
std::string compose(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end);
    if (plain_line(line)) {
      out.append(line);
      continue;
    }
    utf8proc_uint8_t* mapped = nullptr;
    const utf8proc_ssize_t size =
        utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(line.data()), static_cast<utf8proc_ssize_t>(line.size()),
                     &mapped, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
    check(size >= 0, "utf8proc could not normalise a line of {} bytes: {}", line.size(), utf8proc_errmsg(size));
    out.append(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size));
  }
  return out;
}

/// Code points of valid UTF-8, canonically decomposed and put into canonical order: with a stable sort, where the
/// library takes quadratic time.
std::vector<utf8proc_int32_t> decomposed(std::string_view text) {
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  constexpr std::size_t kMostParts = 8;  // a canonical decomposition has at most 4 code points
  std::vector<utf8proc_int32_t> codes;
  codes.reserve(text.size() + 1);  // and one to spare for utf8proc_reencode's final NUL
  for (std::size_t i = 0; i < text.size();) {
    std::size_t bad = 0;
    const std::size_t length = sequence(text.substr(i, 4), bad);
    std::array<utf8proc_int32_t, kMostParts> parts{};
    int boundary = UTF8PROC_BOUNDCLASS_START;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(decode(text.substr(i, length), length)), parts.data(),
                                kMostParts, kOptions, &boundary);
    check(count >= 0 && count <= static_cast<utf8proc_ssize_t>(kMostParts), "utf8proc could not decompose: {}",
          utf8proc_errmsg(count));
    codes.insert(codes.end(), parts.begin(), parts.begin() + count);
    i += length;
  }
  const auto combining = [](utf8proc_int32_t code) { return utf8proc_get_property(code)->combining_class; };
  for (auto run = codes.begin(); run != codes.end();) {
    run = std::find_if(run, codes.end(), [&](auto code) { return combining(code) != 0; });
    const auto end = std::find_if(run, codes.end(), [&](auto code) { return combining(code) == 0; });
    std::stable_sort(run, end, [&](auto a, auto b) { return combining(a) < combining(b); });
    run = end;
  }
  return codes;
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    std::uint64_t word = 0;
    if (text.size() - i >= sizeof word) {
      std::memcpy(&word, text.data() + i, sizeof word);
      if ((word & 0x8080808080808080u) == 0) {
        i += sizeof word;
        continue;
      }
    }
    std::size_t bad = 0;
    const std::size_t length = sequence(text.substr(i, 4), bad);
    if (length == 0) {
      return i;
    }
    i += length;
  }
  return i;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t good = valid_utf8_prefix(text);
    out.append(text.substr(0, good));
    text.remove_prefix(good);
    if (!text.empty()) {
      std::size_t bad = 1;
      sequence(text.substr(0, 4), bad);
      out.append(kReplacement);
      text.remove_prefix(bad);
    }
  }
  return out;
}

std::string_view normalize_text(std::string& text, InvalidUtf8 policy) {
  if (valid_utf8_prefix(text) != text.size()) {
    if (policy == InvalidUtf8::fail) {
      return "invalid UTF-8";
    }
    text = replace_invalid_utf8(text);
  }
  const Cleaned cleaned = clean(text);
  if (cleaned.too_many_marks) {
    return "too many combining marks";
  }
  if (!cleaned.plain) {
    text = compose(text);
  }
  return {};
}

std::string_view compose_text(std::string_view text, std::string& storage) {
  storage.clear();
  bool changed = false;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view good = rest.substr(0, valid_utf8_prefix(rest));
    rest.remove_prefix(good.size());
    if (plain_line(good)) {
      storage.append(good);
    } else {
      std::vector<utf8proc_int32_t> codes = decomposed(good);
      const auto count = static_cast<utf8proc_ssize_t>(codes.size());
      codes.push_back(0);
      const utf8proc_ssize_t size =
          utf8proc_reencode(codes.data(), count, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
      check(size >= 0, "utf8proc could not compose {} bytes: {}", good.size(), utf8proc_errmsg(size));
      storage.append(reinterpret_cast<const char*>(codes.data()), static_cast<std::size_t>(size));
      changed = true;
    }
    if (!rest.empty()) {
      std::size_t bad = 1;
      sequence(rest.substr(0, 4), bad);
      storage.append(rest.substr(0, bad));
      rest.remove_prefix(bad);
    }
  }
  return changed ? std::string_view(storage) : text;
}

void append_utf8(std::string& text, char32_t code_point) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
  } else if (code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff)) {
    text.append(kReplacement);
  } else if (code_point < 0x10000) {
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3f));
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

}  // namespace trireme
