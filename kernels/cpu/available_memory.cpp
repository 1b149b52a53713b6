// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/available_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>

namespace trireme::cpu {
namespace {

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

/// The number that a file begins with; none: no such file, or a word such as "max".
std::optional<std::size_t> number_in(const std::string& path) {
  std::ifstream in(path);
  std::size_t value = 0;
  if (in >> value) return value;
  return std::nullopt;
}

/// The number after `key` in a file of lines "key number".
std::size_t number_after(const std::string& path, std::string_view key) {
  std::ifstream in(path);
  std::string word;
  std::size_t value = 0;
  while (in >> word >> value) {
    if (word == key) return value;
    in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

/// What the group of this folder has left below its limit. Cached files give way to whoever needs memory.
std::size_t left_in(const std::string& folder, const char* limit, const char* usage, const std::string& prefix) {
  const auto most = number_in(folder + limit);
  const auto used = number_in(folder + usage);
  if (!most || !used) return kUnlimited;
  const auto files = number_after(folder + "/memory.stat", prefix + "inactive_file") +
                     number_after(folder + "/memory.stat", prefix + "active_file");
  const std::size_t held = *used - std::min(*used, files);
  return *most - std::min(*most, held);
}

/// What every group from the folder `group` up to its hierarchy's root has left.
template <class Left>
std::size_t least_up_from(std::string group, const Left& left) {
  std::size_t least = kUnlimited;
  while (true) {
    least = std::min(least, left(group));
    const auto slash = group.rfind('/');
    if (group.empty() || slash == std::string::npos) return least;
    group.erase(slash);
  }
}

}  // namespace

std::size_t available_memory(const std::string& root) {
  const std::size_t free_kilobytes = number_after(root + "/proc/meminfo", "MemAvailable:");
  std::size_t available = free_kilobytes == 0 ? kUnlimited : free_kilobytes * 1024;
  std::ifstream groups(root + "/proc/self/cgroup");
  // Lines "0::/path" (version 2) and "4:memory:/path" (version 1).
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string group = line.substr(second + 1);
    if (controllers == ",,") {
      available = std::min(available, least_up_from(group == "/" ? "" : group, [&](const std::string& g) {
                             return left_in(root + "/sys/fs/cgroup" + g, "/memory.max", "/memory.current", "");
                           }));
    } else if (controllers.find(",memory,") != std::string::npos) {
      available = std::min(available, least_up_from(group == "/" ? "" : group, [&](const std::string& g) {
                             return left_in(root + "/sys/fs/cgroup/memory" + g, "/memory.limit_in_bytes",
                                            "/memory.usage_in_bytes", "total_");
                           }));
    }
  }
  return available;
}

}  // namespace trireme::cpu
