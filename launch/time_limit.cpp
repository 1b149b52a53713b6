// SPDX-License-Identifier: Apache-2.0
#include "launch/time_limit.h"

#include <charconv>
#include <cstdint>
#include <cstring>

namespace trireme {
namespace {

constexpr std::chrono::seconds kMargin{60};  // for what is between here and the end of all processes
constexpr double kLongest = 1e9;             // seconds; a time beyond it is no limit, and would not fit the clock

}  // namespace

TimeLimit::TimeLimit(double max_seconds, const char* job_end) {
  const auto after = [](double seconds) {
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  };
  if (max_seconds > 0 && max_seconds < kLongest) own_ = after(max_seconds);
  if (job_end == nullptr) return;
  std::int64_t end = 0;
  const char* const last = job_end + std::strlen(job_end);
  const auto parsed = std::from_chars(job_end, last, end);
  if (parsed.ec != std::errc() || parsed.ptr != last || end <= 0) return;
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const double left = static_cast<double>(end) - now;
  if (left < kLongest) job_ = after(left);
}

bool TimeLimit::near(double save_seconds) const {
  const auto now = Clock::now();
  const auto two_saves = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(2 * save_seconds));
  return (own_ != Clock::time_point::max() && own_ - now < two_saves) ||
         (job_ != Clock::time_point::max() && job_ - now < two_saves + kMargin);
}

}  // namespace trireme
