// SPDX-License-Identifier: Apache-2.0
// Numbers handed out once over the ranks of a communicator, by a thread of rank 0 that does nothing else: no rank's
// long computation can keep another one waiting, which one-sided access over a network would allow.
#pragma once

#include <cstdint>
#include <memory>

namespace trireme {

class MpiTickets {
 public:
  virtual ~MpiTickets() = default;
  /// The next number. From any thread.
  virtual std::int64_t next() = 0;
  /// Starts again from 0, when no rank is within next().
  virtual void reset() = 0;
};

/// Collective over the communicator, as is the end: no rank may be within next() when the first one is destroyed.
std::unique_ptr<MpiTickets> make_mpi_tickets(int fortran_communicator);

}  // namespace trireme
