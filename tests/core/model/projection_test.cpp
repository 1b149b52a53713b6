// SPDX-License-Identifier: Apache-2.0
// A projection cut over the tensor axis, on two ranks, is the whole one on one rank.
#include "core/model/projection.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "core/base/rng.h"
#include "kernels/kernels.h"
#include "parallel/parallel.h"

namespace trireme {
namespace {

constexpr std::int64_t kRows = 5;
constexpr std::int64_t kIn = 6;
constexpr std::int64_t kOut = 8;
using Matrix = std::vector<float>;  // row-major

Matrix random_matrix(std::int64_t rows, std::int64_t columns, std::string_view purpose) {
  const Random random(3, purpose);
  Matrix m;
  for (std::int64_t i = 0; i < rows * columns; ++i) {
    m.push_back(static_cast<float>(random.normal(static_cast<std::uint64_t>(i))));
  }
  return m;
}

// Columns [first, first + count) of a matrix that has `columns`.
Matrix columns_of(const Matrix& m, std::int64_t columns, std::int64_t first, std::int64_t count) {
  Matrix part;
  for (std::size_t i = 0; i < m.size(); ++i) {
    const auto column = static_cast<std::int64_t>(i) % columns - first;
    if (column >= 0 && column < count) part.push_back(m[i]);
  }
  return part;
}

Tensor view(Matrix& m, const Shape& shape) { return {m.data(), Dtype::f32, shape}; }

struct Passes {
  Matrix y, dx;
};

// Forward with bias and residual, and the input's gradient, on this rank's part of everything.
Passes run(Group& tensor_axis, int dim, Matrix x, Matrix weight, Matrix bias, Matrix residual, Matrix dy) {
  const auto device = make_cpu_device({});
  const auto ops = make_cpu_ops(*device);
  const auto stream = device->make_stream("compute");
  const Plan plan(Saving::none);
  const Pass pass{.ops = *ops, .stream = *stream, .plan = plan, .batch = {}, .tensor_axis = tensor_axis};
  Projection projection({.name = "p", .in = kIn, .out = kOut, .bias = true, .cut = {.dim = dim, .sections = {}}});
  ParamTable table;
  projection.params(table);

  const auto in = static_cast<std::int64_t>(x.size()) / kRows;
  const auto out = static_cast<std::int64_t>(weight.size()) / in;
  Passes result{Matrix(static_cast<std::size_t>(kRows * out)), Matrix(x.size())};
  const std::array<Tensor, 2> tensors{view(weight, {out, in}), view(bias, {out})};
  const Weights weights{std::span<const Tensor>(tensors)};
  projection.forward(pass, weights, view(x, {kRows, in}), view(result.y, {kRows, out}), view(residual, {kRows, out}));
  projection.backward_input(pass, weights, view(dy, {kRows, out}), view(result.dx, {kRows, in}));
  stream->synchronize();
  return result;
}

void expect_near(const Matrix& found, const Matrix& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    // Two sums of at most kOut products of numbers of about 1, plus bias and residual, in fp32.
    EXPECT_NEAR(found[i], expected[i], 2.0 * (kOut + 2) * 0x1.0p-24 * (1.0 + std::abs(expected[i]) + kOut));
  }
}

class CutProjection : public testing::Test {
 protected:
  Matrix x = random_matrix(kRows, kIn, "x");
  Matrix weight = random_matrix(kOut, kIn, "weight");
  Matrix bias = random_matrix(kOut, 1, "bias");
  Matrix residual = random_matrix(kRows, kOut, "residual");
  Matrix dy = random_matrix(kRows, kOut, "dy");
  Passes whole = run(*make_self_group("tensor"), 1, x, weight, bias, residual, dy);
};

TEST_F(CutProjection, OfInputsSumsTheOutput) {
  run_thread_ranks(2, [&](Group& tensor) {
    const std::int64_t first = tensor.rank() * (kIn / 2);
    const Passes part =
        run(tensor, 1, columns_of(x, kIn, first, kIn / 2), columns_of(weight, kIn, first, kIn / 2), bias, residual, dy);
    expect_near(part.y, whole.y);
    expect_near(part.dx, columns_of(whole.dx, kIn, first, kIn / 2));
  });
}

TEST_F(CutProjection, OfOutputsSumsTheInputsGradient) {
  run_thread_ranks(2, [&](Group& tensor) {
    const std::int64_t first = tensor.rank() * (kOut / 2);
    const Matrix rows(weight.begin() + first * kIn, weight.begin() + (first + kOut / 2) * kIn);
    const Passes part = run(tensor, 0, x, rows, columns_of(bias, kOut, first, kOut / 2),
                            columns_of(residual, kOut, first, kOut / 2), columns_of(dy, kOut, first, kOut / 2));
    expect_near(part.y, columns_of(whole.y, kOut, first, kOut / 2));
    expect_near(part.dx, whole.dx);
  });
}

}  // namespace
}  // namespace trireme
