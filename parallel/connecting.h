// SPDX-License-Identifier: Apache-2.0
// Calls that wait for other ranks without being a group's collective: groups are made, given up, shut.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string_view>

#include "core/base/status_board.h"

namespace trireme {

/// On this process's board, as a wait for the other ranks, for as long as the scope lasts: the watchdog sees it.
class Connecting {
 public:
  /// `doing` and the group's name ("new shard"), the group's size and lowest rank in the world.
  Connecting(std::string_view doing, std::string_view group, int size, int first, std::uint64_t number = 1)
      : note_{.group = short_name(fmt::format("{} {}", doing, group)),
              .first = first,
              .size = size,
              .number = number,
              .kind = CollectiveKind::barrier} {
    process_status().begin(note_);
  }
  ~Connecting() { process_status().end(note_); }
  Connecting(const Connecting&) = delete;
  Connecting& operator=(const Connecting&) = delete;

 private:
  const Collective note_;
};

}  // namespace trireme
