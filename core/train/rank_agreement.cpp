// SPDX-License-Identifier: Apache-2.0
#include "core/train/rank_agreement.h"

#include <exception>

#include "core/base/error.h"

namespace trireme {

std::string problem_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& e) {
    const std::string text = explained(e).what();
    return text.empty() ? "an error without a message" : text;
  }
  return {};
}

std::string first_problem(Group& world, const std::string& own) {
  const auto all = world.host_gather(own);
  for (std::size_t r = 0; r < all.size(); ++r) {
    if (all[r].empty()) continue;
    return all.size() == 1 ? all[r] : fmt::format("rank {} of {}: {}", r, all.size(), all[r]);
  }
  return {};
}

std::string on_rank_zero(Group& world, const std::function<std::string()>& work) {
  std::string text;
  std::string problem;
  if (world.rank() == 0) problem = problem_of([&] { text = work(); });
  std::string reply = problem.empty() ? "+" + text : "-" + problem;
  world.host_broadcast(reply, 0);
  check(reply[0] == '+', "{}", reply.substr(1));
  return reply.substr(1);
}

}  // namespace trireme
