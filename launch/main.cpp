// SPDX-License-Identifier: Apache-2.0
// Finds the command and reports what ended it.
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "core/base/config.h"
#include "core/base/error.h"
#include "launch/command.h"

namespace {

int print_help() {
  fmt::print("usage: trireme COMMAND [ARGUMENTS]     (training, data and exams also under mpirun)\n\n");
  for (const auto& command : trireme::commands()) fmt::print("  {:<10} {}\n", command.name, command.summary);
  fmt::print("\n`trireme COMMAND --help` tells more.\n");
  return 0;
}

int run(const std::vector<std::string>& words) {
  using trireme::fail_usage;
  if (words.empty()) fail_usage("no command given; `trireme --help` lists them");
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") return print_help();
  if (words[0] == "--version") {
    fmt::print("trireme {}\n", TRIREME_VERSION);
    return 0;
  }
  std::vector<std::string> names;
  for (const auto& command : trireme::commands()) {
    if (command.name == words[0]) return command.run(std::span(words).subspan(1));
    names.emplace_back(command.name);
  }
  const auto near = trireme::nearest(words[0], names);
  if (!near.empty()) fail_usage("no command '{}'; did you mean '{}'?", words[0], near);
  fail_usage("no command '{}'; `trireme --help` lists them", words[0]);
}

/// All ranks read the same command line, before they know one another: what is wrong with it is told by the first. The
/// starters of MPI programs give each its number in the environment.
bool first_rank_tells(const trireme::Error& error) {
  if (error.code() != trireme::ExitCode::usage) return false;
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
    const char* rank = std::getenv(name);
    if (rank != nullptr) return std::strcmp(rank, "0") != 0;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const int code = run({argv + 1, argv + argc});
    // What is still in the buffer may not fit on the disk that standard output goes to.
    if (std::fflush(stdout) != 0) trireme::fail("{}", trireme::with_errno("cannot write to standard output", errno));
    return code;
  } catch (const std::exception& problem) {
    const auto e = trireme::explained(problem);
    if (e.what()[0] != '\0' && !first_rank_tells(e)) fmt::print(stderr, "trireme: {}\n", e.what());
    return static_cast<int>(e.code());
  }
}
