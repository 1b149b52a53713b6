// SPDX-License-Identifier: Apache-2.0
// Words that a GPU writes and waits for in stream order, by no kernel and no work of the host. A stream here is
// Stream::native(); a word is 32 bits at an address of the device.
#pragma once

#include <cstdint>

namespace trireme {

/// Whether the current device can do so with the host's memory: tried once each. None can where there is no driver.
bool stream_writes_work();
bool stream_waits_work();

/// What was enqueued before has been done, as everyone sees it, when the word changes.
void write_word(void* stream, std::uintptr_t word, std::uint32_t value);
/// Until the word has come to `least`, compared around the wrap of 32 bits.
void await_word(void* stream, std::uintptr_t word, std::uint32_t least);

}  // namespace trireme
