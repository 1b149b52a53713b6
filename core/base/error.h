// SPDX-License-Identifier: Apache-2.0
// The one exception type and the one check: what was expected, what was found, what to change.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <source_location>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace trireme {

/// Exit codes of every command (docs/commands.md).
enum class ExitCode : int { done = 0, failed = 1, usage = 2, requeue = 75 };

/// What ends the work: a message for the user, the exit code, and the place of the call that found it.
class Error : public std::runtime_error {
 public:
  Error(const std::string& message, ExitCode code, std::source_location where);

  ExitCode code() const { return code_; }
  const std::source_location& where() const { return where_; }

 private:
  ExitCode code_;
  std::source_location where_;
};

/// A format string together with the place where it is written.
template <class... Args>
struct LocatedFormat {
  template <class Text>
  consteval LocatedFormat(const Text& text, std::source_location w = std::source_location::current())  // NOLINT
      : format(text), where(w) {}

  fmt::format_string<Args...> format;
  std::source_location where;
};

/// Throws Error(failed): for what the world did wrong (files, devices, peers).
template <class... Args>
[[noreturn]] void fail(LocatedFormat<std::type_identity_t<Args>...> message, Args&&... args) {
  throw Error(fmt::format(message.format, std::forward<Args>(args)...), ExitCode::failed, message.where);
}

/// Throws Error(usage): for what the user asked for and cannot have (command line, configuration).
template <class... Args>
[[noreturn]] void fail_usage(LocatedFormat<std::type_identity_t<Args>...> message, Args&&... args) {
  throw Error(fmt::format(message.format, std::forward<Args>(args)...), ExitCode::usage, message.where);
}

/// Holds afterwards: `ok`. Otherwise throws as fail() does. `assert` is for our own mistakes, `check` for the world's.
template <class... Args>
void check(bool ok, LocatedFormat<std::type_identity_t<Args>...> message, Args&&... args) {
  if (!ok) [[unlikely]] {
    throw Error(fmt::format(message.format, std::forward<Args>(args)...), ExitCode::failed, message.where);
  }
}

/// As check, for the user's request: throws Error(usage).
template <class... Args>
void check_usage(bool ok, LocatedFormat<std::type_identity_t<Args>...> message, Args&&... args) {
  if (!ok) [[unlikely]] {
    throw Error(fmt::format(message.format, std::forward<Args>(args)...), ExitCode::usage, message.where);
  }
}

/// `message: strerror(error)`, for system calls; where the error is one that the user can do something about (a full
/// disk, a denied permission), with what to change.
std::string with_errno(const std::string& message, int error);

/// What ended the work, as an Error: itself when it is one; what the standard library throws (file system, memory) with
/// what failed, on which file and what to change. Commands and ranks report every exception through this.
Error explained(const std::exception& problem);

}  // namespace trireme
