// SPDX-License-Identifier: Apache-2.0
// A desk on rank 0 where the ranks of a world ask what to do next, while each of them is at work of its own: rank 0 as
// well, for a thread of its own serves the desk.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace trireme {

/// Decides what those who ask are told. Called by one thread at a time.
class Clerk {
 public:
  struct Answer {
    int rank = 0;
    std::string words;
  };

  virtual ~Clerk() = default;
  /// `rank` asks, and waits until an answer to it is returned, by this call or a later one.
  virtual std::vector<Answer> asked(int rank, const std::string& words) = 0;
  /// `rank` says something and goes on with its work.
  virtual void told(int rank, const std::string& words) = 0;
  /// Called some twenty times a second.
  virtual std::vector<Answer> look() = 0;
  /// From when on all ranks are to come to an end: Desk::closing() then tells them.
  virtual bool closing() const = 0;
};

/// One rank's way to the desk. Made and destroyed by all ranks together; then no rank waits for an answer. What the
/// clerk throws ends the job.
class Desk {
 public:
  virtual ~Desk() = default;
  /// Waits for the answer, without keeping a core busy. On the board of the process it is a collective of the group
  /// "desk".
  virtual std::string ask(const std::string& words) = 0;
  virtual void tell(const std::string& words) = 0;
  /// Whether the desk is closing; costs next to nothing.
  virtual bool closing() = 0;
};

}  // namespace trireme
