// SPDX-License-Identifier: Apache-2.0
#include "launch/study_progress.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <utility>

#include "core/base/error.h"

namespace trireme {
namespace {

constexpr std::chrono::seconds kBetweenTables{1};
constexpr std::chrono::seconds kBetweenLines{60};  // where nothing is drawn
constexpr std::size_t kShown = 20;                 // running runs in the table

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole >= 3600) return fmt::format("{}h {:02}m", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  return fmt::format("{}s", whole);
}

/// mpirun, or what Open MPI starts in its place; nobody else's stderr is ours to write on.
bool is_launcher(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/comm", process));
  std::string name;
  std::getline(file, name);
  constexpr std::string_view kLaunchers[] = {"mpirun", "mpiexec", "orterun", "prterun", "orted", "prted"};
  return std::ranges::find(kLaunchers, name) != std::end(kLaunchers);
}

}  // namespace

std::FILE* terminal_of_launcher() {
  const auto parent = getppid();
  if (isatty(STDERR_FILENO) == 1 || !is_launcher(parent)) return nullptr;
  std::error_code none;
  const auto target = std::filesystem::read_symlink(fmt::format("/proc/{}/fd/2", parent), none);
  if (none || !target.string().starts_with("/dev/")) return nullptr;
  const int file = open(target.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (file < 0) return nullptr;
  std::FILE* terminal = isatty(file) == 1 ? fdopen(file, "w") : nullptr;
  if (terminal == nullptr) close(file);
  return terminal;
}

StudyProgress::StudyProgress(std::FILE* out, std::vector<Run> runs, const std::string& log)
    : out_(out), runs_(std::move(runs)), terminal_(out != nullptr && isatty(fileno(out)) == 1) {
  for (const Run& run : runs_) cost_left_ += run.cost;
  if (log.empty()) return;
  log_.open(log, std::ios::app);
  check(log_.is_open(), "cannot append to the log {}; make its folder writable", log);
}

void StudyProgress::was_there(std::size_t run, bool done) {
  ++(done ? done_ : failed_);
  cost_left_ -= runs_[run].cost;
}

void StudyProgress::started(std::size_t run, const std::vector<int>& ranks) {
  running_[run] = {ranks.size() == 1 ? fmt::format("rank {}", ranks.front())
                                     : fmt::format("ranks {}", fmt::join(ranks, ", "))};
  say(fmt::format("{} starts on {}; {}", runs_[run].name, running_[run].ranks, totals()));
}

void StudyProgress::at(std::size_t run, std::int64_t step, double loss) {
  const auto hit = running_.find(run);
  if (hit == running_.end()) return;
  if (hit->second.step == 0) hit->second.first = step - 1;
  hit->second.step = step;
  hit->second.loss = loss;
}

void StudyProgress::done(std::size_t run, double train_loss, double validation_loss) {
  ++done_;
  running_.erase(run);
  cost_left_ -= runs_[run].cost;
  cost_here_ += runs_[run].cost;
  const auto validation =
      std::isfinite(validation_loss) ? fmt::format(", validation loss {:.4f}", validation_loss) : "";
  say(fmt::format("{} is done: train loss {:.4f}{}; {}", runs_[run].name, train_loss, validation, totals()));
}

void StudyProgress::failed(std::size_t run, const std::string& reason, bool again) {
  running_.erase(run);
  if (!again) {
    ++failed_;
    cost_left_ -= runs_[run].cost;
  }
  say(fmt::format("{} FAILED{}: {}; {}", runs_[run].name, again ? ", and is tried again" : "", reason, totals()));
}

void StudyProgress::stopped(std::size_t run) {
  running_.erase(run);
  say(fmt::format("{} has stopped after a checkpoint", runs_[run].name));
}

void StudyProgress::say(const std::string& line) {
  if (log_.is_open()) {
    const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
    log_ << fmt::format("{:%Y-%m-%dT%H:%M:%S}Z {}\n", now, line) << std::flush;
  }
  if (out_ == nullptr) return;
  clear();
  fmt::print(out_, "{}\n", line);
  std::fflush(out_);
  drawn_ = terminal_ ? Clock::time_point() : Clock::now();
}

void StudyProgress::clear() {
  if (lines_ > 0) fmt::print(out_, "\x1b[{}A\x1b[J", lines_);
  lines_ = 0;
}

void StudyProgress::draw() {
  if (Clock::now() - drawn_ < (terminal_ ? kBetweenTables : kBetweenLines)) return;
  drawn_ = Clock::now();
  if (!terminal_) {
    if (!running_.empty()) say(totals());
    return;
  }
  clear();
  for (const auto& [run, place] : running_) {
    if (static_cast<std::size_t>(lines_) == kShown) break;
    fmt::print(out_, "  {:<32} {:<16} step {}/{}  loss {:.4f}\n", runs_[run].name, place.ranks, place.step,
               runs_[run].steps, place.loss);
    ++lines_;
  }
  fmt::print(out_, "{}\n", totals());
  ++lines_;
  std::fflush(out_);
}

double StudyProgress::eta() const {
  double made = cost_here_;
  double left = cost_left_;
  for (const auto& [run, place] : running_) {
    if (place.step == 0 || runs_[run].steps == 0) continue;
    const double each = runs_[run].cost / static_cast<double>(runs_[run].steps);
    made += each * static_cast<double>(place.step - place.first);
    left -= each * static_cast<double>(place.step);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
  return made > 0 ? std::max(0.0, left) * seconds / made : 0;
}

std::string StudyProgress::totals() const {
  const auto waiting = runs_.size() - done_ - failed_ - running_.size();
  auto text = fmt::format("{} of {} done", done_, runs_.size());
  if (failed_ > 0) text += fmt::format(", {} failed", failed_);
  if (!running_.empty()) text += fmt::format(", {} running", running_.size());
  if (waiting > 0) text += fmt::format(", {} waiting", waiting);
  const double left = eta();
  if (left > 0 && waiting + running_.size() > 0) text += ", ETA " + duration(left);
  return text;
}

}  // namespace trireme
