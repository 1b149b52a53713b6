// SPDX-License-Identifier: Apache-2.0
// SHA-1 (FIPS 180-4) for the digests that WARC records and MediaWiki revisions carry; not for security.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace trireme::synth {

using Sha1 = std::array<std::uint8_t, 20>;

Sha1 sha1(std::string_view bytes);
/// RFC 4648, 32 characters: as in WARC-Block-Digest.
std::string base32(const Sha1& digest);
/// 31 digits of 0-9a-z: as in a MediaWiki dump.
std::string base36(const Sha1& digest);

}  // namespace trireme::synth
