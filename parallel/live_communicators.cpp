// SPDX-License-Identifier: Apache-2.0
#include "parallel/live_communicators.h"

#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>

namespace trireme {
namespace {

constexpr std::chrono::seconds kAbortPatience{2};

}  // namespace

std::uint64_t LiveCommunicators::add(Communicator communicator) {
  const std::lock_guard lock(mutex_);
  live_.emplace(++added_, std::move(communicator));
  return added_;
}

bool LiveCommunicators::remove(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  return live_.erase(number) == 1;
}

std::string LiveCommunicators::first_error() {
  const std::lock_guard lock(mutex_);
  for (const auto& [number, communicator] : live_) {
    if (auto error = communicator.error(); !error.empty()) return error;
  }
  return "";
}

std::map<std::uint64_t, LiveCommunicators::Moment> LiveCommunicators::moments() {
  const std::lock_guard lock(mutex_);
  std::map<std::uint64_t, Moment> all;
  for (const auto& [number, communicator] : live_) {
    if (communicator.moment) all.emplace(number, communicator.moment());
  }
  return all;
}

void LiveCommunicators::abort_all() {
  std::map<std::uint64_t, Communicator> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(live_);
  }
  if (all.empty()) return;
  auto done = std::make_shared<std::promise<void>>();
  const auto ended = done->get_future();
  std::thread([all = std::move(all), done] {
    for (const auto& [number, communicator] : all) communicator.abort();
    done->set_value();
  }).detach();
  ended.wait_for(kAbortPatience);
}

LiveCommunicators& live_communicators() {
  static auto* const all = new LiveCommunicators;  // threads that were left behind may outlive main()
  return *all;
}

}  // namespace trireme
