// SPDX-License-Identifier: Apache-2.0
// The printable spelling of bytes in Hugging Face vocabularies: each byte is one code point below U+0144.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace trireme {

/// The bytes that a vocabulary entry spells; empty if it holds a code point that stands for no byte.
std::optional<std::string> from_byte_level(std::string_view spelled);

/// The UTF-8 spelling of any bytes.
std::string to_byte_level(std::string_view bytes);

}  // namespace trireme
