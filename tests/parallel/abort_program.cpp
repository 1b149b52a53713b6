// SPDX-License-Identifier: Apache-2.0
// A program whose ranks fail as told, for the test of how a job ends: abort_program one|all|stubborn|quiet.
#include <csignal>
#include <stdexcept>
#include <string>

#include "core/base/error.h"
#include "parallel/parallel.h"

int main(int argc, char** argv) {
  const auto world = trireme::World::connect(&argc, &argv);
  const std::string how = argc > 1 ? argv[1] : "";
  try {
    if (how == "stubborn") std::signal(SIGTERM, [](int) {});  // as a program that saves on request
    if (how == "all" || how == "stubborn") trireme::fail_usage("nobody can go on");
    if (how == "one") {
      trireme::check(world->rank() != 1, "the disk of this rank is gone");
      world->group().barrier();  // for ever: rank 1 does not come
    }
    return 0;
  } catch (const trireme::Error& e) {
    world->abort(e.what(), static_cast<int>(e.code()));
  }
}
