// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/contest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cuda/check.h"

namespace trireme::cuda {
namespace {

constexpr int kTurns = 7;          // of each entrant, in the first stage
constexpr int kTurnsOfAll = 2;     // of these, how many decide who stays in it
constexpr float kHopeless = 1.2F;  // times the best of these: out

// A chip that has just done little runs at a clock that it cannot hold: in a training step power is the limit, and what
// takes less of it wins. So the last stage runs each finalist for as long as the clock takes to follow.
constexpr std::size_t kFinalists = 4;
constexpr int kRounds = 2;
constexpr float kWarmMilliseconds = 100.0F;
constexpr float kSlotMilliseconds = 25.0F;
constexpr float kWorthIt = 1.02F;  // times as fast as the first alternative, in every round, is worth leaving it
constexpr int kMostInSlot = 4096;

constexpr float kNever = std::numeric_limits<float>::infinity();

EventHandle timed_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "cannot make an event");
  return EventHandle(event);
}

struct Entrant {
  std::size_t index;
  EventHandle begin, end;
  std::vector<float> times;  // ms, of turns and then of rounds
  bool ran = true;

  float best() const { return *std::min_element(times.begin(), times.end()); }
  float median() {
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }
};

using Enqueue = std::function<bool(std::size_t)>;

float milliseconds_of(const Entrant& entrant) {
  float milliseconds = 0.0F;
  check(cudaEventElapsedTime(&milliseconds, entrant.begin.get(), entrant.end.get()), "cannot measure");
  return entrant.ran ? milliseconds : kNever;
}

void enqueue_run(CudaStream& stream, Entrant& entrant, int times, const Enqueue& enqueue) {
  check(cudaEventRecord(entrant.begin.get(), stream.handle()), "cannot record an event");
  for (int i = 0; i < times; ++i) entrant.ran = enqueue(entrant.index) && entrant.ran;
  check(cudaEventRecord(entrant.end.get(), stream.handle()), "cannot record an event");
}

void wait(CudaStream& stream) { check(cudaStreamSynchronize(stream.handle()), "work that was being measured failed"); }

/// One turn of each; waits. Alternating keeps clocks and temperature alike for all of them.
void take_turns(CudaStream& stream, std::vector<Entrant>& entrants, const Enqueue& enqueue) {
  static_cast<void>(enqueue(entrants.front().index));  // so that the first one does not wait for the host either
  for (Entrant& entrant : entrants) enqueue_run(stream, entrant, 1, enqueue);
  wait(stream);
  for (Entrant& entrant : entrants) entrant.times.push_back(milliseconds_of(entrant));
}

/// Leaves the finalists, fastest first, each with its median as the only time. The first alternative is among them
/// where it runs at all.
void qualify(CudaStream& stream, std::vector<Entrant>& entrants, const Enqueue& enqueue) {
  for (int turn = 0; turn < kTurns; ++turn) {
    take_turns(stream, entrants, enqueue);
    if (turn + 1 != kTurnsOfAll) continue;
    float best = kNever;
    for (const Entrant& entrant : entrants) best = std::min(best, entrant.best());
    std::erase_if(entrants,
                  [&](const Entrant& entrant) { return entrant.index != 0 && !(entrant.best() <= kHopeless * best); });
  }
  for (Entrant& entrant : entrants) entrant.times = {entrant.median()};
  std::ranges::stable_sort(entrants, {}, [](const Entrant& entrant) { return entrant.times.front(); });
  const auto first = std::ranges::find(entrants, std::size_t{0}, &Entrant::index);
  if (first != entrants.end() && first - entrants.begin() >= static_cast<std::ptrdiff_t>(kFinalists)) {
    std::iter_swap(first, entrants.begin() + (kFinalists - 1));
  }
  if (entrants.size() > kFinalists) entrants.erase(entrants.begin() + kFinalists, entrants.end());
}

int repetitions(float slot, float each) {
  return static_cast<int>(std::clamp(std::ceil(slot / std::max(each, 1e-3F)), 1.0F, static_cast<float>(kMostInSlot)));
}

/// The finalists' rounds under load: each gets the milliseconds of one run in each round as its times.
void play_final(CudaStream& stream, std::vector<Entrant>& entrants, const Enqueue& enqueue) {
  std::vector<int> counts;
  for (const Entrant& entrant : entrants) counts.push_back(repetitions(kSlotMilliseconds, entrant.times.front()));
  const int warm = repetitions(kWarmMilliseconds, entrants.front().times.front());
  for (Entrant& entrant : entrants) entrant.times.clear();
  enqueue_run(stream, entrants.front(), warm, enqueue);
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < entrants.size(); ++i) enqueue_run(stream, entrants[i], counts[i], enqueue);
    wait(stream);  // a pause of microseconds, which changes no clock
    for (std::size_t i = 0; i < entrants.size(); ++i) {
      entrants[i].times.push_back(milliseconds_of(entrants[i]) / static_cast<float>(counts[i]));
    }
  }
}

float sum_of(const Entrant& entrant) {
  float sum = 0.0F;
  for (const float time : entrant.times) sum += time;
  return sum;
}

bool beats(const Entrant& entrant, const Entrant& first) {
  for (std::size_t round = 0; round < entrant.times.size(); ++round) {
    if (!(entrant.times[round] * kWorthIt <= first.times[round])) return false;
  }
  return true;
}

}  // namespace

std::optional<Winner> fastest_of(CudaStream& stream, std::size_t count,
                                 const std::function<bool(std::size_t)>& enqueue) {
  std::vector<Entrant> entrants;
  for (std::size_t i = 0; i < count; ++i) {  // also loads the kernels
    if (enqueue(i)) entrants.push_back({i, timed_event(), timed_event(), {}, true});
  }
  static_cast<void>(cudaGetLastError());  // of those that were refused
  if (entrants.empty()) return std::nullopt;
  if (entrants.size() > 1) {
    qualify(stream, entrants, enqueue);
    play_final(stream, entrants, enqueue);
  } else {
    take_turns(stream, entrants, enqueue);
  }
  const auto first = std::ranges::find(entrants, std::size_t{0}, &Entrant::index);
  auto winner = std::ranges::min_element(entrants, {}, [&](const Entrant& entrant) {
    const bool in = first == entrants.end() || entrant.index == 0 || beats(entrant, *first);
    return in ? sum_of(entrant) : kNever;
  });
  return Winner{winner->index, static_cast<double>(winner->best()) * 1e-3};
}

}  // namespace trireme::cuda
