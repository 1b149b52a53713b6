// SPDX-License-Identifier: Apache-2.0
// Element types of tensors, and bfloat16 as a host type.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trireme {

enum class Dtype : std::uint8_t { f32, bf16, i32, u8, u16, u32, u64 };

/// Bytes of one element.
std::size_t size_of(Dtype dtype);
/// "fp32", "bf16", "i32", ...
std::string_view name(Dtype dtype);

/// bfloat16: the upper half of a float, rounded to nearest even.
struct Bf16 {
  std::uint16_t bits = 0;

  Bf16() = default;
  explicit Bf16(float value) {
    const auto word = std::bit_cast<std::uint32_t>(value);
    const bool nan = (word & 0x7fffffffU) > 0x7f800000U;
    bits = static_cast<std::uint16_t>(nan ? (word >> 16U) | 0x40U : (word + 0x7fffU + ((word >> 16U) & 1U)) >> 16U);
  }
  explicit operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U); }
};

template <class T>
inline constexpr Dtype kDtypeOf = Dtype::u8;
template <>
inline constexpr Dtype kDtypeOf<float> = Dtype::f32;
template <>
inline constexpr Dtype kDtypeOf<Bf16> = Dtype::bf16;
template <>
inline constexpr Dtype kDtypeOf<std::int32_t> = Dtype::i32;
template <>
inline constexpr Dtype kDtypeOf<std::uint16_t> = Dtype::u16;
template <>
inline constexpr Dtype kDtypeOf<std::uint32_t> = Dtype::u32;
template <>
inline constexpr Dtype kDtypeOf<std::uint64_t> = Dtype::u64;

}  // namespace trireme
