// SPDX-License-Identifier: Apache-2.0
#include "tests/parallel/group_oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "tests/parallel/queue_stream.h"

namespace trireme {
namespace {

/// From nothing through one element, one trip and uneven parts; where messages go in pieces (16 MiB), to more than one.
std::vector<std::int64_t> sizes_for(const Group& group) {
  std::vector<std::int64_t> sizes = {0, 1, 3, 512, 513, 10003};
  if (group.name() == "world") sizes.push_back(4194304 + 5);
  return sizes;
}

template <class T>
Tensor view(std::vector<T>& values) {
  return {values.data(), kDtypeOf<T>, {static_cast<std::int64_t>(values.size())}};
}

/// Rank r's element i: small integers, whose sums are exact in every dtype, bf16 included (below 2^8 for 8 ranks).
template <class T>
T exact(int rank, std::int64_t i) {
  return static_cast<T>(static_cast<float>((i * 7 + rank * 13) % 31 - 15));
}

/// Normal numbers, the same on every rank that asks for them.
float noise(int rank, std::int64_t i) {
  static const std::vector<float> table = [] {
    const Random random(17, "group oracle");
    std::vector<float> values;
    values.reserve(8191);
    for (std::uint64_t k = 0; k < 8191; ++k) values.push_back(static_cast<float>(random.normal(k)));
    return values;
  }();
  return table[static_cast<std::size_t>((i + rank * 1021) % 8191)];
}

template <class T>
std::vector<T> fill(std::int64_t size, const auto& value) {
  std::vector<T> values(static_cast<std::size_t>(size));
  for (std::int64_t i = 0; i < size; ++i) values[static_cast<std::size_t>(i)] = value(i);
  return values;
}

template <class T>
void expect_same_bytes(const std::vector<T>& got, const std::vector<T>& want, const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::memcmp(&got[i], &want[i], sizeof(T)) != 0) {
      FAIL() << what << ": element " << i << " is " << static_cast<float>(got[i]) << ", not "
             << static_cast<float>(want[i]);
    }
  }
}

template <class T>
void expect_exact_reductions(Group& group, Stream& stream) {
  for (const std::int64_t size : sizes_for(group)) {
    if (size > 1000000 && kDtypeOf<T> != Dtype::f32) continue;  // pieces are counted in bytes
    for (const Reduction reduction : {Reduction::sum, Reduction::max}) {
      auto t = fill<T>(size, [&](std::int64_t i) { return exact<T>(group.rank(), i); });
      group.all_reduce(stream, view(t), reduction);
      stream.synchronize();
      const auto want = fill<T>(size, [&](std::int64_t i) {
        float total = 0.0F;
        float best = -1000.0F;
        for (int r = 0; r < group.size(); ++r) {
          total += static_cast<float>(exact<T>(r, i));
          best = std::max(best, static_cast<float>(exact<T>(r, i)));
        }
        return static_cast<T>(reduction == Reduction::sum ? total : best);
      });
      expect_same_bytes(t, want, fmt::format("all_reduce of {} x {}", size, name(kDtypeOf<T>)));
    }
    auto in = fill<T>(size * group.size(), [&](std::int64_t i) { return exact<T>(group.rank(), i); });
    const auto want = fill<T>(size, [&](std::int64_t i) {
      float total = 0.0F;
      for (int r = 0; r < group.size(); ++r) total += static_cast<float>(exact<T>(r, group.rank() * size + i));
      return static_cast<T>(total);
    });
    std::vector<T> out(static_cast<std::size_t>(size));
    group.reduce_scatter(stream, view(out), view(in));
    stream.synchronize();
    expect_same_bytes(out, want, fmt::format("reduce_scatter to {} x {}", size, name(kDtypeOf<T>)));
    const Tensor place = view(in).rows(group.rank() * size, size);
    group.reduce_scatter(stream, place, view(in));
    stream.synchronize();
    if (size > 0) {
      std::memcpy(static_cast<void*>(out.data()), place.data, place.bytes());
    }
    expect_same_bytes(out, want, fmt::format("reduce_scatter in place to {} x {}", size, name(kDtypeOf<T>)));
  }
}

/// Sums that are rounded: near the sum in double, and the same bits on every rank and every time. `relative`: the bound
/// on the error, of the summed magnitudes.
template <class T>
void expect_rounded_sums(Group& group, Stream& stream, double relative) {
  for (const std::int64_t size : {std::int64_t{511}, std::int64_t{70001}}) {
    std::vector<T> first;
    for (int repeat = 0; repeat < 3; ++repeat) {
      auto t = fill<T>(size, [&](std::int64_t i) { return static_cast<T>(noise(group.rank(), i)); });
      group.all_reduce(stream, view(t));
      stream.synchronize();
      if (repeat == 0) first = t;
      expect_same_bytes(t, first, "a repeated all_reduce");
    }
    for (std::int64_t i = 0; i < size; ++i) {
      double want = 0.0;
      double magnitude = 0.0;
      for (int r = 0; r < group.size(); ++r) {
        const double x = static_cast<float>(static_cast<T>(noise(r, i)));
        want += x;
        magnitude += std::abs(x);
      }
      ASSERT_NEAR(static_cast<float>(first[static_cast<std::size_t>(i)]), want, relative * magnitude) << i;
    }
    const std::string bytes(reinterpret_cast<const char*>(first.data()), first.size() * sizeof(T));
    for (const std::string& other : group.host_gather(bytes)) EXPECT_TRUE(other == bytes) << "ranks differ";
  }
}

}  // namespace

void expect_reductions(Group& group, const Rounding& rounding) {
  QueueStream stream;
  expect_exact_reductions<float>(group, stream);
  expect_exact_reductions<Bf16>(group, stream);
  expect_exact_reductions<std::int32_t>(group, stream);
  // size - 1 additions in fp32, each within 2^-24 of a partial sum that is at most the summed magnitudes; then one
  // rounding to bf16. Where each addition rounds to bf16, partial sums may have grown by as many roundings as well.
  const double in_fp32 = group.size() * 0x1p-24;
  const double in_bf16 = std::pow(1.0 + 0x1p-8, group.size() - 1) - 1.0;
  expect_rounded_sums<float>(group, stream, in_fp32);
  expect_rounded_sums<Bf16>(group, stream, in_fp32 + (rounding.each_bf16_addition ? in_bf16 : 0x1p-8));
  if (group.size() > 1 && rounding.nan_in_maximum) {
    std::vector<float> t = {group.rank() == 1 ? NAN : 1.0F};
    group.all_reduce(stream, view(t), Reduction::max);
    stream.synchronize();
    EXPECT_TRUE(std::isnan(t[0])) << "a maximum hides a NaN";
  }
}

void expect_reductions(Group& group) { expect_reductions(group, {}); }

void expect_gathers(Group& group) {
  QueueStream stream;
  for (const std::int64_t size : sizes_for(group)) {
    const auto value = [&](std::int64_t i) {  // of the whole
      return static_cast<float>(i % 1000003);
    };
    const auto want = fill<float>(size * group.size(), value);
    auto in = fill<float>(size, [&](std::int64_t i) { return value(group.rank() * size + i); });
    std::vector<float> out(want.size(), -1.0F);
    group.all_gather(stream, view(out), view(in));
    stream.synchronize();
    expect_same_bytes(out, want, fmt::format("all_gather of {}", size));
    std::fill(out.begin(), out.end(), -1.0F);
    const Tensor place = view(out).rows(group.rank() * size, size);
    if (size > 0) std::memcpy(place.data, in.data(), place.bytes());
    group.all_gather(stream, view(out), place);
    stream.synchronize();
    expect_same_bytes(out, want, fmt::format("all_gather in place of {}", size));
  }
}

void expect_broadcasts(Group& group) {
  QueueStream stream;
  for (int root = 0; root < group.size(); ++root) {
    for (const std::int64_t size : sizes_for(group)) {
      auto t = fill<float>(size, [&](std::int64_t i) { return noise(group.rank(), i % 997); });
      group.broadcast(stream, view(t), root);
      stream.synchronize();
      expect_same_bytes(t, fill<float>(size, [&](std::int64_t i) { return noise(root, i % 997); }), "broadcast");
    }
  }
}

void expect_host_calls(Group& group) {
  const int n = group.size();
  std::vector<double> sums = {1.0 + group.rank(), 0.5};
  group.host_reduce(sums, Reduction::sum);
  EXPECT_EQ(sums, (std::vector<double>{n * (n + 1) / 2.0, 0.5 * n}));
  std::vector<std::int64_t> numbers = {group.rank(), -group.rank(), std::int64_t{1} << 60};
  group.host_reduce(numbers, Reduction::max);
  EXPECT_EQ(numbers, (std::vector<std::int64_t>{n - 1, 0, std::int64_t{1} << 60}));
  std::vector<std::uint64_t> words = {~std::uint64_t{0}, static_cast<std::uint64_t>(group.rank())};
  group.host_sum(words);
  EXPECT_EQ(words[0], std::uint64_t{0} - static_cast<std::uint64_t>(n));
  EXPECT_EQ(words[1], static_cast<std::uint64_t>(n * (n - 1) / 2));
  for (int root = 0; root < n; ++root) {
    std::string text = fmt::format("rank {} says {}", group.rank(), std::string(100000, 'x'));
    group.host_broadcast(text, root);
    EXPECT_TRUE(text.starts_with(fmt::format("rank {} says x", root)));
  }
  const auto all = group.host_gather(std::string(static_cast<std::size_t>(group.rank()) * 3, 'r'));
  ASSERT_EQ(all.size(), static_cast<std::size_t>(n));
  for (std::size_t r = 0; r < all.size(); ++r) EXPECT_EQ(all[r], std::string(r * 3, 'r'));
  group.barrier();
}

void expect_tickets(Group& group) {
  constexpr std::int64_t kTickets = 600;
  for (int round = 0; round < 2; ++round) {
    group.reset_tickets();
    QueueStream stream;
    std::vector<float> load(300000, 1.0F);
    for (int i = 0; i < 5; ++i) group.all_reduce(stream, view(load));
    std::vector<std::vector<std::uint64_t>> taken(2, std::vector<std::uint64_t>(kTickets));
    std::vector<std::thread> threads;
    for (auto& mine : taken) {
      threads.emplace_back([&] {
        for (std::int64_t last = -1;;) {
          const std::int64_t ticket = group.next_ticket();
          EXPECT_GT(ticket, last);
          last = ticket;
          if (ticket >= kTickets) return;
          ++mine[static_cast<std::size_t>(ticket)];
        }
      });
    }
    if (group.rank() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));  // others do not need this one
    for (std::thread& thread : threads) thread.join();
    stream.synchronize();
    for (std::size_t i = 0; i < taken[0].size(); ++i) taken[0][i] += taken[1][i];
    group.host_sum(taken[0]);
    EXPECT_EQ(taken[0], std::vector<std::uint64_t>(kTickets, 1)) << "each number once";
  }
  group.reset_tickets();
}

void expect_two_streams(Group& group) {
  QueueStream streams[2];
  constexpr int kRounds = 40;
  std::vector<std::vector<std::int32_t>> tensors;
  tensors.reserve(kRounds);
  for (int i = 0; i < kRounds; ++i) {
    tensors.push_back(std::vector<std::int32_t>(static_cast<std::size_t>(1 + i * i * 7), group.rank() + i));
  }
  for (int i = 0; i < kRounds; ++i) {
    Stream& stream = streams[i % 2];
    if (i % 5 == group.rank()) {  // one rank's stream lags behind its other one
      stream.call([] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); });
    }
    group.all_reduce(stream, view(tensors[static_cast<std::size_t>(i)]));
    if (i % 7 == 0) {
      std::vector<std::int64_t> one = {1};
      group.host_reduce(one, Reduction::sum);
      EXPECT_EQ(one[0], group.size());
    }
  }
  for (QueueStream& stream : streams) stream.synchronize();
  const std::int32_t n = group.size();
  for (int i = 0; i < kRounds; ++i) {
    const auto& t = tensors[static_cast<std::size_t>(i)];
    EXPECT_EQ(t, std::vector<std::int32_t>(t.size(), n * (n - 1) / 2 + n * i)) << "round " << i;
  }
}

void expect_refusals(Group& group) {
  QueueStream stream;
  std::vector<float> five(5);
  std::vector<float> other(static_cast<std::size_t>(5 * group.size() + 1));
  EXPECT_THROW(group.all_gather(stream, view(other), view(five)), Error);
  EXPECT_THROW(group.reduce_scatter(stream, view(five), view(other)), Error);
  EXPECT_THROW(group.broadcast(stream, view(five), group.size()), Error);
  EXPECT_THROW(group.broadcast(stream, view(five), -1), Error);
}

}  // namespace trireme
