// SPDX-License-Identifier: Apache-2.0
// Operations with a clock do what those without do, and their times are of the stream's work.
#include "kernels/measured_ops.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/kernels/machine.h"

namespace trireme::kernel_test {
namespace {

/// Adds that take a while.
class SlowAdds : public MeasuredOps {
 public:
  using MeasuredOps::MeasuredOps;
  using MeasuredOps::run;
  void run(Stream& stream, const Add& op) const override {
    stream.call([] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); });
    MeasuredOps::run(stream, op);
  }
};

TEST(MeasuredOpsTest, CountsCallsByNameAndShapeAndTakesTheirTime) {
  Machine machine({.threads = 1, .inline_streams = false});
  const auto clock = make_cpu_clock();
  MeasuredOps plain(machine.ops(), *clock);
  const SlowAdds slow(plain, *clock);
  MeasuredOps measured(slow, *clock);
  Values values = normal(64, 1);
  const Held x = machine.put(Dtype::f32, {8, 8}, values), y = machine.make(Dtype::f32, {8, 8});
  const Tensor row = x.tensor.rows(0, 1);
  const auto work = [&] {
    measured.run(machine.stream(), Add{.y = y.tensor, .a = x.tensor, .b = x.tensor});
    measured.run(machine.stream(), Add{.y = y.tensor, .a = x.tensor, .b = x.tensor});
    measured.run(machine.stream(), Add{.y = y.tensor.rows(0, 1), .a = row, .b = row});
    measured.run(machine.stream(), Cast{.y = y.tensor, .x = y.tensor});
    machine.stream().synchronize();
  };
  work();
  EXPECT_TRUE(measured.take().empty());  // it is off at first
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(get(y.tensor)[i], static_cast<double>(static_cast<float>(2 * values[i])));
  }

  measured.measure(true);
  work();
  const auto times = measured.take();
  ASSERT_EQ(times.size(), 3U);
  EXPECT_EQ(times[0].name, "add");
  EXPECT_EQ(times[0].shape, "[8, 8]");
  EXPECT_EQ(times[0].calls, 2);
  EXPECT_GE(times[0].seconds, 0.040);
  EXPECT_DOUBLE_EQ(times[0].bytes, 3.0 * 64 * 4);
  EXPECT_FALSE(times[0].product);
  EXPECT_EQ(times[1].shape, "[1, 8]");
  EXPECT_EQ(times[1].calls, 1);
  EXPECT_GE(times[1].seconds, 0.020);
  EXPECT_EQ(times[2].name, "cast");
  EXPECT_LT(times[2].seconds, times[0].seconds);
  EXPECT_TRUE(measured.take().empty());
}

TEST(MeasuredOpsTest, AProductIsNamedByItsDims) {
  Machine machine;
  const auto clock = make_cpu_clock();
  MeasuredOps measured(machine.ops(), *clock);
  measured.measure(true);
  const Held x = machine.make(Dtype::f32, {3, 5}), w = machine.make(Dtype::f32, {7, 5}),
             y = machine.make(Dtype::f32, {3, 7});
  measured.run(machine.stream(), Linear{.y = y.tensor, .x = x.tensor, .weight = w.tensor, .bias = {}, .residual = {}});
  measured.run(machine.stream(), LinearBackwardInput{.dx = x.tensor, .dy = y.tensor, .weight = w.tensor});
  machine.stream().synchronize();
  const auto times = measured.take();
  ASSERT_EQ(times.size(), 2U);
  EXPECT_EQ(times[0].shape, "[3, 5] x [5, 7]");
  EXPECT_EQ(times[1].shape, "[3, 7] x [7, 5]");
  EXPECT_DOUBLE_EQ(times[0].flops, 2.0 * 3 * 5 * 7);
  EXPECT_TRUE(times[0].product);
}

}  // namespace
}  // namespace trireme::kernel_test
