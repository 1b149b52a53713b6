// SPDX-License-Identifier: Apache-2.0
// The references' gradients against central differences of the references themselves: two derivations of one thing.
#include "tests/kernels/reference.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/kernels/machine.h"

namespace trireme::kernel_test {
namespace {

using Function = std::function<Values(const Values&)>;

/// Holds: gradient is that of sum(dy * f(x)) at x. With h = 1e-4 and values of order 1, the third derivative's share is
/// about h^2 = 1e-8 times a constant and rounding's about 1e-16 / h = 1e-12.
void expect_gradient(const Function& f, Values x, const Values& dy, const Values& gradient, const std::string& what) {
  constexpr double kStep = 1e-4;
  const auto value = [&] {
    const Values y = f(x);
    double sum = 0.0;
    EXPECT_EQ(y.size(), dy.size());
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
    return sum;
  };
  ASSERT_EQ(gradient.size(), x.size());
  EXPECT_GT(largest(gradient), 1e-2) << what;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double at = x[i];
    x[i] = at + kStep;
    const double above = value();
    x[i] = at - kStep;
    const double below = value();
    x[i] = at;
    ASSERT_NEAR((above - below) / (2 * kStep), gradient[i], 1e-5) << what << " " << i;
  }
}

TEST(Reference, LinearGradients) {
  const Values x = normal(std::size_t{3} * 4, 1), w = normal(std::size_t{5} * 4, 2), dy = normal(std::size_t{3} * 5, 3);
  expect_gradient([&](const Values& v) { return reference::linear(v, w, {}, {}, 3, 4, 5); }, x, dy,
                  reference::linear_backward_input(dy, w, 3, 4, 5), "dx");
  expect_gradient([&](const Values& v) { return reference::linear(x, v, {}, {}, 3, 4, 5); }, w, dy,
                  reference::linear_backward_weight(dy, x, 3, 4, 5), "d_weight");
  expect_gradient([&](const Values& v) { return reference::linear(x, w, v, {}, 3, 4, 5); }, normal(5, 4), dy,
                  reference::column_sums(dy, 3, 5), "d_bias");
}

TEST(Reference, NormGradients) {
  const Values x = normal(std::size_t{3} * 6, 1), w = normal(6, 2), b = normal(6, 3),
               dy = normal(std::size_t{3} * 6, 4);
  const auto layer = reference::layer_norm_backward(dy, x, w, 6, 1e-2);
  expect_gradient([&](const Values& v) { return reference::layer_norm(v, w, b, 6, 1e-2).y; }, x, dy, layer.dx, "dx");
  expect_gradient([&](const Values& v) { return reference::layer_norm(x, v, b, 6, 1e-2).y; }, w, dy, layer.d_weight,
                  "w");
  expect_gradient([&](const Values& v) { return reference::layer_norm(x, w, v, 6, 1e-2).y; }, b, dy, layer.d_bias, "b");
  const auto rms = reference::rms_norm_backward(dy, x, w, 6, 1e-2);
  expect_gradient([&](const Values& v) { return reference::rms_norm(v, w, 6, 1e-2).y; }, x, dy, rms.dx, "rms dx");
  expect_gradient([&](const Values& v) { return reference::rms_norm(x, v, 6, 1e-2).y; }, w, dy, rms.d_weight, "rms w");
}

TEST(Reference, AttentionGradient) {
  const reference::AttentionSizes sizes{2, 5, 4, 2, 3, 0.7};
  const Values qkv = normal(std::size_t{2} * 5 * 8 * 3, 1), dy = normal(std::size_t{2} * 5 * 4 * 3, 2);
  for (const Index& starts : {Index(), Index{0, 0, 2, 2, 4, 0, 1, 1, 1, 1}}) {
    expect_gradient([&](const Values& v) { return reference::attention(v, starts, sizes).y; }, qkv, dy,
                    reference::attention_backward(dy, qkv, starts, sizes), "d_qkv");
  }
}

TEST(Reference, ActivationGradients) {
  const Values x = normal(12, 1, 2.0), dy = normal(12, 2), gate_up = normal(24, 3, 2.0);
  expect_gradient(reference::gelu, x, dy, reference::gelu_backward(dy, x), "gelu");
  expect_gradient([](const Values& v) { return reference::swiglu(v, 4); }, gate_up, dy,
                  reference::swiglu_backward(dy, gate_up, 4), "swiglu");
}

TEST(Reference, RopeGradientIsItsInverse) {
  const Values x = normal(std::size_t{3} * 2 * 4, 1), dy = normal(std::size_t{3} * 2 * 4, 2), frequency = {1.0, 0.1};
  const Index positions = {0, 3, 7};
  expect_gradient([&](const Values& v) { return reference::rope(v, positions, frequency, 2, 1, false); }, x, dy,
                  reference::rope(dy, positions, frequency, 2, 1, true), "rope");
}

TEST(Reference, CrossEntropyGradient) {
  const Values logits = normal(std::size_t{3} * 5, 1);
  const Index targets = {2, -1, 0};
  expect_gradient([&](const Values& v) { return reference::cross_entropy(v, targets, 5, 4).losses; }, logits, {1, 1, 1},
                  reference::cross_entropy(logits, targets, 5, 4).gradient, "logits");
}

}  // namespace
}  // namespace trireme::kernel_test
