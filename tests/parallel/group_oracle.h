// SPDX-License-Identifier: Apache-2.0
// What every kind of group must do, held against plain results that each rank computes for itself. Call each function
// on all ranks.
#pragma once

#include "core/base/group.h"

namespace trireme {

/// How the sums of a kind of group are rounded.
struct Rounding {
  bool each_bf16_addition = false;  // otherwise the sum of bf16, taken in fp32, once
  bool nan_in_maximum = true;       // a maximum over ranks does not pass over a NaN
};
void expect_reductions(Group& group, const Rounding& rounding);
void expect_reductions(Group& group);
void expect_gathers(Group& group);
void expect_broadcasts(Group& group);
void expect_host_calls(Group& group);
/// Numbers handed out once, to several threads of each rank, while the ranks also do collectives.
void expect_tickets(Group& group);
/// Collectives on two streams that run out of step, and host calls at the same time.
void expect_two_streams(Group& group);
/// The calls that a group refuses.
void expect_refusals(Group& group);

}  // namespace trireme
