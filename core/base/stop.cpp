// SPDX-License-Identifier: Apache-2.0
#include "core/base/stop.h"

#include <csignal>

#include "core/base/error.h"

namespace trireme {
namespace {

volatile std::sig_atomic_t requested = 0;

void note(int) { requested = 1; }

}  // namespace

void listen_for_stop() {
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool stop_requested() { return requested != 0; }

void leave_if_stop_requested() {
  if (!stop_requested()) return;
  throw Error("stopped on request; the same command goes on, or starts again where nothing was kept", ExitCode::requeue,
              std::source_location::current());
}

}  // namespace trireme
