// SPDX-License-Identifier: Apache-2.0
// Requests to stop: USR1 and TERM ask this process to save what it has and leave with exit code 75. Every long loop
// looks.
#pragma once

namespace trireme {

/// From now on USR1 and TERM only set a flag of this process.
void listen_for_stop();
/// Whether one of them has arrived.
bool stop_requested();
/// Throws Error(requeue) when one has: for work that goes on where it was, or starts again, with the same command.
void leave_if_stop_requested();

}  // namespace trireme
