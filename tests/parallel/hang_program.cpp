// SPDX-License-Identifier: Apache-2.0
// A program whose ranks meet again and again until one of them does what it is told to, for the test of the watchdog:
// hang_program WHAT RANK SECONDS; WHAT: nothing, sleep (after an hour), stop (SIGSTOP), die (SIGKILL), data (waits for
// data for ever), regroup (stops while the others make a part of the world with it), slow (is slow, but shows that it
// lives), other (calls another collective), end (stops when the others have come to the end), device (stops while the
// others wait in a collective of a device's own), library (one of its communicators fails by itself), part (stops in a
// part of the world that rank 0 is not in), parts (nothing, in one part after the other, for longer than the watchdog's
// patience), throw, stream or worker (an exception in the thread of that name).
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <future>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/base/status_board.h"
#include "parallel/live_communicators.h"
#include "parallel/parallel.h"
#include "tests/parallel/queue_stream.h"

namespace trireme {
namespace {

constexpr int kRounds = 20;
constexpr int kRoundOfTrouble = 10;

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

void make_trouble(const std::string& what, World& world, Stream& stream, double seconds) {
  StatusBoard& board = process_status();
  sleep_ms(500);  // the others hear of the rounds before
  if (what == "stop" || what == "regroup") raise(SIGSTOP);
  if (what == "die") raise(SIGKILL);
  if (what == "data") {
    const PhaseScope scope(board, Phase::data);
    sleep_ms(3'600'000);
  }
  if (what == "slow") {
    const PhaseScope scope(board, Phase::evaluation);
    for (int i = 0; i < 10; ++i) {
      sleep_ms(static_cast<int>(seconds * 300));
      board.tick();
    }
  }
  if (what == "other") world.group().barrier();
  if (what == "library") {
    live_communicators().add(
        {.error = [] { return "the link of this rank is gone"; }, .abort = [] {}, .moment = nullptr});
    sleep_ms(3'600'000);
  }
  if (what == "throw") fail("the disk of this rank is gone");
  if (what == "stream") stream.call([] { fail("the device of this rank is gone"); });
  if (what == "worker") std::async(std::launch::async, [] { fail("the loader of this rank is gone"); }).get();
}

/// A collective that no thread of the host notes, which one rank never comes to.
void wait_on_device(World& world, int culprit) {
  sleep_ms(500);
  if (world.rank() == culprit) raise(SIGSTOP);
  const auto moment = [size = world.size()] {
    const Collective running{.group = short_name("shard"),
                             .first = 0,
                             .size = size,
                             .number = 7,
                             .bytes = 4096,
                             .kind = CollectiveKind::all_gather};
    return LiveCommunicators::Moment{.begun = 7, .ended = 6, .running = running, .last = {}};
  };
  live_communicators().add({.error = [] { return ""; }, .abort = [] {}, .moment = moment});
  sleep_ms(3'600'000);
}

void body(World& world, const std::string& what, int culprit, double seconds);

std::vector<int> everyone(const World& world) {
  std::vector<int> ranks(static_cast<std::size_t>(world.size()));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

/// Rank 0 works alone, the others in a part, which the watchdog of that part watches.
void in_parts(World& world, const std::string& what, int culprit, double seconds) {
  std::vector<int> others(static_cast<std::size_t>(world.size() - 1));
  std::iota(others.begin(), others.end(), 1);
  for (int time = 0; time < 2; ++time) {
    if (world.rank() == 0) {
      sleep_ms(what == "part" ? 3'600'000 : 100);
      continue;
    }
    const auto part = world.part(others);
    body(*part, what == "part" ? "stop" : time == 0 ? "nothing" : "slow", culprit - 1, seconds);
  }
}

void body(World& world, const std::string& what, int culprit, double seconds) {
  const auto watchdog = make_watchdog(world, process_status(), seconds);
  QueueStream stream;
  std::int32_t value = 1;
  const Tensor tensor{.data = &value, .dtype = Dtype::i32, .shape = {1}};
  process_status().enter(Phase::training);
  for (int round = 1; round <= kRounds; ++round) {
    if (round == kRoundOfTrouble && what == "device") wait_on_device(world, culprit);
    if (round == kRoundOfTrouble && world.rank() == culprit) make_trouble(what, world, stream, seconds);
    if (round == kRoundOfTrouble && what == "regroup" && world.rank() != culprit) world.part(everyone(world));
    world.group().all_reduce(stream, tensor, Reduction::max);
    stream.synchronize();
    process_status().at_step(round);
  }
  if (what == "end" && world.rank() == culprit) raise(SIGSTOP);
}

}  // namespace
}  // namespace trireme

int main(int argc, char** argv) {
  using namespace trireme;
  const auto world = World::connect(&argc, &argv);
  try {
    check_usage(argc == 4, "hang_program WHAT RANK SECONDS");
    const std::string what = argv[1];
    (what.starts_with("part") ? in_parts : body)(*world, what, std::stoi(argv[2]), std::stod(argv[3]));
    return 0;
  } catch (const std::exception& e) {
    world->abort(e.what(), 1);
  }
}
