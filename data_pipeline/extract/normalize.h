// SPDX-License-Identifier: Apache-2.0
// The one form in which text leaves the readers: valid UTF-8, NFC, LF line ends, no control characters.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace trireme {

/// What to do with bytes that are not UTF-8: refuse the document, or put U+FFFD for each maximal bad part.
enum class InvalidUtf8 { fail, replace };

/// Length of the longest prefix of `text` that is valid UTF-8 (no surrogates, no overlong forms, at most U+10FFFF).
std::size_t valid_utf8_prefix(std::string_view text);

/// `text` with U+FFFD for every maximal ill-formed subsequence (Unicode 15, section 3.9, "best practice").
std::string replace_invalid_utf8(std::string_view text);

/// Normalises `text` in place: CRLF and CR become LF; control characters other than tab and LF, and byte order marks,
/// are dropped; NFC. Returns an empty view, or the reason why the document cannot be kept ("invalid UTF-8", "too many
/// combining marks"); then `text` is unspecified.
std::string_view normalize_text(std::string& text, InvalidUtf8 policy);

/// NFC of `text`, as Unicode defines it, with bytes that are not UTF-8 left as they are: `text` itself where that
/// changes nothing quickly seen, else a view of `storage`. n log n in the longest run of combining marks, else linear.
std::string_view compose_text(std::string_view text, std::string& storage);

/// Appends the UTF-8 form of `code_point`; U+FFFD for what is not a scalar value.
void append_utf8(std::string& text, char32_t code_point);

}  // namespace trireme
