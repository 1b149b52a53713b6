// SPDX-License-Identifier: Apache-2.0
#include "core/base/error.h"

#include <system_error>

namespace trireme {

Error::Error(const std::string& message, ExitCode code, std::source_location where)
    : std::runtime_error(message), code_(code), where_(where) {}

std::string with_errno(const std::string& message, int error) {
  return message + ": " + std::generic_category().message(error);
}

}  // namespace trireme
