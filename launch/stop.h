// SPDX-License-Identifier: Apache-2.0
// Requests to stop: USR1 and TERM ask a run to save and leave with exit code 75.
#pragma once

namespace trireme {

/// From now on USR1 and TERM only set a flag of this process.
void listen_for_stop();
/// Whether one of them has arrived.
bool stop_requested();

}  // namespace trireme
