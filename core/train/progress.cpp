// SPDX-License-Identifier: Apache-2.0
#include "core/train/progress.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cmath>

#include "core/base/error.h"

namespace trireme {
namespace {

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole >= 3600) return fmt::format("{}h {:02}m", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  return fmt::format("{}s", whole);
}

std::string rate(double per_second) {
  if (per_second >= 1e6) return fmt::format("{:.2f}M", per_second / 1e6);
  if (per_second >= 1e3) return fmt::format("{:.1f}k", per_second / 1e3);
  return fmt::format("{:.0f}", per_second);
}

}  // namespace

std::string progress_line(const StepMetrics& m, std::int64_t steps, double seconds_per_step) {
  std::string line = fmt::format("step {}/{}  loss {:.4f}  norm {:.2f}  lr {:.1e}  {} tokens/s  MFU {:.1f} %", m.step,
                                 steps, m.loss, m.grad_norm, m.lr, rate(m.tokens_per_second), 100.0 * m.mfu);
  if (seconds_per_step > 0.0 && m.step < steps) {
    line += "  ETA " + duration(seconds_per_step * static_cast<double>(steps - m.step));
  }
  return line;
}

Progress::Progress(std::FILE* out, std::int64_t steps, std::int64_t every, const std::string& log)
    : out_(out), steps_(steps), every_(every), terminal_(out != nullptr && isatty(fileno(out)) == 1) {
  if (log.empty()) return;
  log_.open(log, std::ios::app);
  check(log_.is_open(), "cannot append to the log {}; make its folder writable", log);
}

void Progress::append_to_log(const std::string& line) {
  if (!log_.is_open()) return;
  const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  log_ << fmt::format("{:%Y-%m-%dT%H:%M:%S}Z {}\n", now, line) << std::flush;
}

void Progress::update(const StepMetrics& m) {
  seconds_per_step_ = seconds_per_step_ == 0.0 ? m.seconds.total : 0.9 * seconds_per_step_ + 0.1 * m.seconds.total;
  const bool last = m.step == steps_;
  const bool due = last || m.step == 1 || (every_ > 0 && m.step % every_ == 0);
  if (!terminal_ && !due) return;
  const std::string line = progress_line(m, steps_, seconds_per_step_);
  if (due) append_to_log(line);
  if (out_ == nullptr) return;
  if (terminal_) {
    fmt::print(out_, "\r{}\x1b[K{}", line, last ? "\n" : "");
    open_ = !last;
  } else {
    fmt::print(out_, "{}\n", line);
  }
  std::fflush(out_);
}

void Progress::note(const std::string& message) {
  append_to_log(message);
  if (out_ == nullptr) return;
  fmt::print(out_, "{}{}\n", open_ ? "\n" : "", message);
  open_ = false;
  std::fflush(out_);
}

}  // namespace trireme
