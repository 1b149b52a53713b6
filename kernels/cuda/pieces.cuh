// SPDX-License-Identifier: Apache-2.0
// Sixteen bytes of a row as they lie in memory: held so in registers and shared memory, unpacked where they are needed.
#pragma once

#include "kernels/cuda/lanes.cuh"

namespace trireme::cuda {

/// Elements of T in a piece of 16 bytes.
template <class T>
inline constexpr int kPiece = 16 / static_cast<int>(sizeof(T));

/// Four elements of fp32.
__device__ inline void unpack(float (&to)[4], const uint4& piece) {
  to[0] = __uint_as_float(piece.x);
  to[1] = __uint_as_float(piece.y);
  to[2] = __uint_as_float(piece.z);
  to[3] = __uint_as_float(piece.w);
}
__device__ inline uint4 pack(const float (&from)[4]) {
  return {__float_as_uint(from[0]), __float_as_uint(from[1]), __float_as_uint(from[2]), __float_as_uint(from[3])};
}

/// Eight elements of bf16, the first of a pair in the lower half.
__device__ inline void unpack(float (&to)[8], const uint4& piece) {
  const unsigned words[4] = {piece.x, piece.y, piece.z, piece.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    to[2 * i] = __uint_as_float(words[i] << 16U);
    to[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000U);
  }
}
__device__ inline uint4 pack(const float (&from)[8]) {
  unsigned words[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(from[2 * i], from[2 * i + 1]);
    memcpy(&words[i], &pair, sizeof pair);
  }
  return {words[0], words[1], words[2], words[3]};
}

/// The compiler knows nothing of the piece from here on: it unpacks again instead of keeping what it unpacked, which
/// would take two to four times the registers.
__device__ inline void forget(uint4& piece) {
  asm volatile("" : "+r"(piece.x), "+r"(piece.y), "+r"(piece.z), "+r"(piece.w));
}

}  // namespace trireme::cuda
