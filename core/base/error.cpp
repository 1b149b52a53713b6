// SPDX-License-Identifier: Apache-2.0
#include "core/base/error.h"

#include <cerrno>
#include <filesystem>
#include <new>
#include <string_view>
#include <system_error>

namespace trireme {
namespace {

/// What the user can change about a failed system call; empty when there is nothing general to say.
std::string_view remedy(int error) {
  switch (error) {
    case ENOSPC:
      return "free some space there, or choose another folder";
    case EDQUOT:
      return "free some of this user's quota there, or choose another folder";
    case EACCES:
    case EPERM:
      return "give this user the permission (ls -l shows who has it), or choose another place";
    case EROFS:
      return "choose a place that can be written, or mount it for writing";
    case EMFILE:
    case ENFILE:
      return "allow more open files (ulimit -n)";
    case ENOTDIR:
      return "a file stands where a folder is expected; choose another place";
    case ENAMETOOLONG:
      return "choose a shorter path";
    default:
      return "";
  }
}

/// "cannot create directories OUT" from the text "filesystem error: cannot create directories: REASON [OUT]".
std::string what_was_tried(const std::filesystem::filesystem_error& problem) {
  constexpr std::string_view kPrefix = "filesystem error: ";
  std::string_view text = problem.what();
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  const auto reason = text.find(": " + problem.code().message());
  std::string tried(reason == std::string_view::npos ? std::string_view("a file operation failed on")
                                                     : text.substr(0, reason));
  if (!problem.path1().empty()) tried += " " + problem.path1().string();
  if (!problem.path2().empty()) tried += " to " + problem.path2().string();
  return tried;
}

}  // namespace

Error::Error(const std::string& message, ExitCode code, std::source_location where)
    : std::runtime_error(message), code_(code), where_(where) {}

std::string with_errno(const std::string& message, int error) {
  auto text = message + ": " + std::generic_category().message(error);
  if (const auto change = remedy(error); !change.empty()) text.append("; ").append(change);
  return text;
}

Error explained(const std::exception& problem) {
  if (const auto* known = dynamic_cast<const Error*>(&problem)) return *known;
  const auto here = std::source_location::current();
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&problem)) {
    return {with_errno(what_was_tried(*file), file->code().value()), ExitCode::failed, here};
  }
  if (dynamic_cast<const std::bad_alloc*>(&problem) != nullptr || dynamic_cast<const std::length_error*>(&problem)) {
    return {"no memory left: give the job more, or fewer ranks and threads on a host, or smaller batches or work units",
            ExitCode::failed, here};
  }
  if (const auto* system = dynamic_cast<const std::system_error*>(&problem)) {
    const auto& category = system->code().category();
    if (category != std::generic_category() && category != std::system_category()) {
      return {problem.what(), ExitCode::failed, here};
    }
    // Its text ends in the reason, which with_errno gives too.
    const auto reason = system->code().message();
    std::string tried = problem.what();
    if (tried.ends_with(reason)) tried.erase(tried.size() - reason.size());
    if (tried.ends_with(": ")) tried.erase(tried.size() - 2);
    return {with_errno(tried.empty() ? "a system call failed" : tried, system->code().value()), ExitCode::failed, here};
  }
  return {fmt::format("unexpected: {}; this is a mistake in trireme: please report it with the command line",
                      problem.what()),
          ExitCode::failed, here};
}

}  // namespace trireme
