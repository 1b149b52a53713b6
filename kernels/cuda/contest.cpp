// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/contest.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/cuda/check.h"

namespace trireme::cuda {
namespace {

constexpr int kRounds = 7;         // that count
constexpr int kRoundsOfAll = 2;    // of these, how many decide who stays
constexpr float kHopeless = 1.2F;  // times the best of these: out

EventHandle timed_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "cannot make an event");
  return EventHandle(event);
}

struct Entrant {
  std::size_t index;
  EventHandle begin, end;
  std::vector<float> times;  // ms
  bool ran = true;

  float best() const { return *std::min_element(times.begin(), times.end()); }
  float median() {
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }
};

/// One turn of each; waits. Alternating keeps clocks and temperature alike for all of them.
void play_round(CudaStream& stream, std::vector<Entrant>& entrants, const std::function<bool(std::size_t)>& enqueue) {
  static_cast<void>(enqueue(entrants.front().index));  // so that the first one does not wait for the host either
  for (Entrant& entrant : entrants) {
    check(cudaEventRecord(entrant.begin.get(), stream.handle()), "cannot record an event");
    entrant.ran = enqueue(entrant.index);
    check(cudaEventRecord(entrant.end.get(), stream.handle()), "cannot record an event");
  }
  check(cudaStreamSynchronize(stream.handle()), "work that was being measured failed");
  for (Entrant& entrant : entrants) {
    float milliseconds = 0.0F;
    check(cudaEventElapsedTime(&milliseconds, entrant.begin.get(), entrant.end.get()), "cannot measure");
    entrant.times.push_back(entrant.ran ? milliseconds : std::numeric_limits<float>::infinity());
  }
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
  for (int round = 0; round < kRounds && (entrants.size() > 1 || round == 0); ++round) {
    play_round(stream, entrants, enqueue);
    if (round + 1 != kRoundsOfAll) continue;
    float best = std::numeric_limits<float>::infinity();
    for (const Entrant& entrant : entrants) best = std::min(best, entrant.best());
    std::erase_if(entrants, [&](const Entrant& entrant) { return entrant.best() > kHopeless * best; });
  }
  const auto winner = std::min_element(entrants.begin(), entrants.end(),
                                       [](Entrant& a, Entrant& b) { return a.median() < b.median(); });
  return Winner{winner->index, static_cast<double>(winner->median()) * 1e-3};
}

}  // namespace trireme::cuda
