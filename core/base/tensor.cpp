// SPDX-License-Identifier: Apache-2.0
#include "core/base/tensor.h"

#include <fmt/format.h>

namespace trireme {

std::size_t size_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::u8:
      return 1;
    case Dtype::bf16:
    case Dtype::u16:
      return 2;
    case Dtype::f32:
    case Dtype::i32:
    case Dtype::u32:
      return 4;
    case Dtype::u64:
      return 8;
  }
  return 0;
}

std::string_view name(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32:
      return "fp32";
    case Dtype::bf16:
      return "bf16";
    case Dtype::i32:
      return "i32";
    case Dtype::u8:
      return "u8";
    case Dtype::u16:
      return "u16";
    case Dtype::u32:
      return "u32";
    case Dtype::u64:
      return "u64";
  }
  return "?";
}

std::int64_t Shape::elements() const {
  if (rank_ == 0) return 0;
  std::int64_t product = 1;
  for (int i = 0; i < rank_; ++i) product *= (*this)[i];
  return product;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank(); ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t count) const {
  assert(shape.rank() >= 1 && begin >= 0 && begin + count <= shape[0]);
  const std::size_t row = shape[0] == 0 ? 0 : bytes() / static_cast<std::size_t>(shape[0]);
  Tensor part = *this;
  part.data = static_cast<std::byte*>(data) + static_cast<std::size_t>(begin) * row;
  switch (shape.rank()) {
    case 1:
      part.shape = {count};
      break;
    case 2:
      part.shape = {count, shape[1]};
      break;
    case 3:
      part.shape = {count, shape[1], shape[2]};
      break;
    default:
      part.shape = {count, shape[1], shape[2], shape[3]};
      break;
  }
  return part;
}

Tensor Tensor::reshape(const Shape& other) const {
  assert(other.elements() == shape.elements());
  return {data, dtype, other};
}

}  // namespace trireme
