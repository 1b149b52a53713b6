// SPDX-License-Identifier: Apache-2.0
// What the MPI sources share. MPI's own types stay in .cpp files: a communicator passes here as its Fortran integer.
#pragma once

#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>

#include "core/base/group.h"

namespace trireme {

class Clerk;
class Desk;
class World;

/// What an MPI function returned.
struct MpiCode {
  int value = 0;
};

/// Holds afterwards: the call succeeded. Otherwise throws Error with MPI's own message.
void check(MpiCode code, std::string_view call, std::source_location where = std::source_location::current());

/// Ends the job on all ranks by MPI_Abort, and this process in any case: by itself when that has not ended it after
/// some seconds, as when the launcher cannot be reached.
[[noreturn]] void end_job(int exit_code);

/// The communicator of a world of MPI ranks; nothing for any other world.
std::optional<int> communicator_of(const World& world);

/// A group of the communicator's ranks, on duplicates of it: the caller keeps the communicator. It is observed
/// (parallel/observed_group.h) and noted on the board of the process. Collective.
std::unique_ptr<Group> make_mpi_group(int fortran_communicator, std::string name);
/// The same, not observed.
std::unique_ptr<Group> make_plain_mpi_group(int fortran_communicator, std::string name);
/// The desk of World::open_desk(). Collective.
std::unique_ptr<Desk> make_mpi_desk(int fortran_communicator, Clerk* clerk);
/// The lowest of the communicator's ranks in the world.
int lowest_world_rank(int fortran_communicator);

}  // namespace trireme
