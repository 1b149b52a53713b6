// SPDX-License-Identifier: Apache-2.0
#include "tests/parallel/part_oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <thread>

#include "core/base/error.h"
#include "kernels/kernels.h"
#include "tests/parallel/group_oracle.h"

namespace trireme {
namespace {

/// Everything in a part of these ranks of a world whose ranks are called `names` in the whole; `rounds` differ between
/// parts, so that one does not wait for another.
void expect_part(World& part, const std::vector<int>& names, int rounds) {
  ASSERT_EQ(part.size(), static_cast<int>(names.size()));
  ASSERT_EQ(part.homes().size(), names.size());
  const auto own = static_cast<std::size_t>(part.rank());
  for (std::size_t r = 0; r < names.size(); ++r) EXPECT_EQ(part.homes()[r].world_rank, names[r]);
  EXPECT_EQ(part.homes()[own].local_rank, part.local_rank());
  const int node = part.homes()[own].node;
  EXPECT_LE(node, part.rank());
  EXPECT_EQ(part.homes()[static_cast<std::size_t>(node)].node, node) << "a node is called by its first rank";
  EXPECT_EQ(std::ranges::count_if(part.homes(), [&](const RankHome& home) { return home.node == node; }),
            part.local_size());
  const auto device = make_cpu_device({});
  for (int round = 0; round < rounds; ++round) {
    expect_host_calls(part.group());
    const auto mesh = connect_mesh(part, {.replica = part.size()}, 1, *device);
    std::vector<std::int64_t> sum = {names[own]};
    mesh.replica->host_reduce(sum, Reduction::sum);
    EXPECT_EQ(sum[0], std::accumulate(names.begin(), names.end(), 0));
  }
}

std::vector<int> names_of(const World& world, const std::vector<int>& ranks) {
  std::vector<int> names;
  names.reserve(ranks.size());
  for (const int r : ranks) names.push_back(world.homes()[static_cast<std::size_t>(r)].world_rank);
  return names;
}

/// The world in two parts: those of the ranks that `first` takes, and the others.
template <class First>
void expect_two(World& world, const First& first) {
  std::vector<int> sides[2];
  for (int r = 0; r < world.size(); ++r) sides[first(r) ? 0 : 1].push_back(r);
  const int side = first(world.rank()) ? 0 : 1;
  const auto part = world.part(sides[side]);
  expect_part(*part, names_of(world, sides[side]), side == 0 ? 1 : 5);
}

}  // namespace

void expect_parts(World& world) {
  for (int cut = 1; cut <= world.size(); ++cut) {
    for (int again = 0; again < 2; ++again) {
      expect_two(world, [&](int r) { return r < cut; });
    }
  }
  expect_two(world, [](int r) { return r % 2 == 0; });
  std::vector<int> all(static_cast<std::size_t>(world.size()));
  std::iota(all.begin(), all.end(), 0);
  expect_tickets(world.part(all)->group());
  if (world.size() < 3 || world.rank() == 0) return;
  std::vector<int> others(static_cast<std::size_t>(world.size() - 1));
  std::iota(others.begin(), others.end(), 1);
  const auto part = world.part(others);
  expect_two(*part, [](int r) { return r > 0; });
}

void expect_part_refusals(World& world) {
  const int own = world.rank();
  EXPECT_THROW(world.part({}), Error);
  EXPECT_THROW(world.part(std::vector{own, own}), Error);
  EXPECT_THROW(world.part(std::vector{own, world.size()}), Error);
  EXPECT_THROW(world.part(std::vector{-1, own}), Error);
  if (world.size() > 1) {
    EXPECT_THROW(world.part(std::vector{own == 0 ? 1 : 0}), Error);
  }
}

namespace {

/// Answers every `word N` with N + 1 at once, `wait` when all ranks have come to it, and `end` when it looks next after
/// all have come to that; it closes when it has been told "close".
class Counter final : public Clerk {
 public:
  explicit Counter(int size) : size_(static_cast<std::size_t>(size)) {}

  std::vector<Answer> asked(int rank, const std::string& words) override {
    if (words.starts_with("word ")) return {{rank, std::to_string(std::stoi(words.substr(5)) + 1)}};
    if (words == "end") {
      ending.insert(rank);
      return {};
    }
    waiting.insert(rank);
    if (waiting.size() < size_) return {};
    std::vector<Answer> answers;
    for (const int r : waiting) answers.push_back({r, "all " + std::to_string(r)});
    waiting.clear();
    return answers;
  }
  void told(int rank, const std::string& words) override {
    said.insert(rank);
    closing_ = closing_ || words == "close";
  }
  std::vector<Answer> look() override {
    std::vector<Answer> answers;
    if (ending.size() < size_) return answers;
    for (const int r : ending) answers.push_back({r, std::string(100'000, 'x')});
    ending.clear();
    return answers;
  }
  bool closing() const override { return closing_; }

  std::set<int> waiting, ending, said;

 private:
  std::size_t size_;
  bool closing_ = false;
};

}  // namespace

void expect_desk(World& world) {
  for (int again = 0; again < 2; ++again) {
    Counter clerk(world.size());
    {
      const auto desk = world.open_desk(world.rank() == 0 ? &clerk : nullptr);
      for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(desk->ask("word " + std::to_string(100 * world.rank() + i)),
                  std::to_string(100 * world.rank() + i + 1));
      }
      EXPECT_FALSE(desk->closing());
      EXPECT_EQ(desk->ask("wait"), "all " + std::to_string(world.rank()));
      desk->tell(world.rank() == world.size() - 1 ? "close" : "nothing");
      while (!desk->closing()) std::this_thread::yield();
      EXPECT_EQ(desk->ask("end").size(), 100'000U) << "larger than what MPI sends without asking";
      desk->tell("bye");
    }
    if (world.rank() == 0) {
      EXPECT_EQ(clerk.said.size(), static_cast<std::size_t>(world.size()));
    }
  }
}

}  // namespace trireme
