// SPDX-License-Identifier: Apache-2.0
// main() of tests under mpirun: rank 0 prints as usual, the others only what fails; an exception ends all ranks.
#include "tests/parallel/mpi_main.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <exception>
#include <iostream>

namespace trireme {
namespace {

World* the_world = nullptr;

class FailuresOnly final : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (result.passed() || result.skipped()) return;
    std::cerr << fmt::format("rank {}: {}:{}: {}\n", the_world->rank(), result.file_name() ? result.file_name() : "?",
                             result.line_number(), result.message());
  }
};

}  // namespace

World& test_world() { return *the_world; }

}  // namespace trireme

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const auto world = trireme::World::connect(&argc, &argv);
  trireme::the_world = world.get();
  testing::GTEST_FLAG(catch_exceptions) = false;
  if (world->rank() != 0) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new trireme::FailuresOnly);
  }
  try {
    return RUN_ALL_TESTS();
  } catch (const std::exception& e) {
    world->abort(e.what(), 1);
  }
}
