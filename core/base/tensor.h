// SPDX-License-Identifier: Apache-2.0
// A contiguous typed view of memory that somebody else owns.
#pragma once

#include <array>
#include <cassert>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "core/base/types.h"

namespace trireme {

/// Up to four dims, outermost first; rank 0 is the shape of nothing.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const std::int64_t> dims) {
    assert(dims.size() <= kMaxRank);
    for (const auto dim : dims) dims_[static_cast<std::size_t>(rank_++)] = dim;
  }

  int rank() const { return rank_; }
  std::int64_t operator[](int i) const {
    assert(i >= 0 && i < rank_);
    return dims_[static_cast<std::size_t>(i)];
  }
  /// Product of the dims; 0 for rank 0.
  std::int64_t elements() const;
  bool operator==(const Shape&) const = default;

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

/// "[4, 256, 768]".
std::string to_string(const Shape& shape);

/// Borrowed memory with a dtype and a shape. An empty tensor (no data) stands for an optional argument left out.
struct Tensor {
  void* data = nullptr;
  Dtype dtype = Dtype::f32;
  Shape shape;

  explicit operator bool() const { return data != nullptr; }
  std::int64_t elements() const { return shape.elements(); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype); }

  template <class T>
  T* as() const {
    assert(kDtypeOf<T> == dtype);
    return static_cast<T*>(data);
  }
  /// Rows [begin, begin + count) of the outermost dim.
  Tensor rows(std::int64_t begin, std::int64_t count) const;
  /// The same memory under another shape of as many elements.
  Tensor reshape(const Shape& other) const;
};

}  // namespace trireme
