// SPDX-License-Identifier: Apache-2.0
#include "core/io/folder_lock.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <sstream>
#include <thread>

#include "core/base/error.h"

namespace trireme {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks{50};

/// Who holds a folder, as its lock file says it: "HOST PROCESS TIME\n".
struct Holder {
  std::string host, since;
  pid_t process = 0;
};

std::string own_record() {
  const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  return fmt::format("{} {} {:%Y-%m-%dT%H:%M:%SZ}\n", host_name(), ::getpid(), now);
}

std::string record_in(int descriptor) {
  std::array<char, 512> text{};
  const ssize_t got = ::pread(descriptor, text.data(), text.size(), 0);
  return {text.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

/// Nobody (process 0) when the text is not a whole record: its writer may not have come to it yet.
Holder parse_record(const std::string& text) {
  Holder holder;
  if (text.empty() || text.back() != '\n') return holder;
  std::istringstream words(text);
  std::string process;
  words >> holder.host >> process >> holder.since;
  std::from_chars(process.data(), process.data() + process.size(), holder.process);
  for (const char c : text) {  // it will be printed
    if (c != '\n' && (c < ' ' || c > '~')) return {};
  }
  return holder.process > 0 ? holder : Holder{};
}

std::string to_text(const Holder& holder) {
  if (holder.process == 0) return "which has not said who it is";
  return fmt::format("process {} on host {}, since {}", holder.process, holder.host, holder.since);
}

/// Not by its own number: that of a killed job may be ours today, as in containers.
bool runs_here(const Holder& holder) {
  return holder.process > 0 && holder.host == host_name() && holder.process != ::getpid() &&
         (::kill(holder.process, 0) == 0 || errno == EPERM);
}

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "unknown-host";
  return name.data();
}

bool FolderLock::take(LockCall lock) {
  for (;;) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    check(descriptor_ >= 0, "{}", with_errno("cannot open " + path_, errno));
    int error = 0;
    do {
      error = lock(descriptor_, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    } while (error == EINTR);
    const Holder holder = parse_record(record_in(descriptor_));
    locked_ = error == 0;
    if (error == EWOULDBLOCK || (!locked_ && runs_here(holder))) {
      holder_ = to_text(holder);
      ::close(std::exchange(descriptor_, -1));
      return false;
    }
    if (!locked_ && holder.process > 0 && holder.host != host_name()) {
      warning_ = fmt::format(
          "{} says that the folder is held by {}, and its file system has no locks to ask whether that is so: if that "
          "job still runs, end it",
          path_, to_text(holder));
    }
    // The job before may have removed the file between our opening and locking it: then it keeps nobody out.
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0 || status.st_nlink > 0) return true;
    ::close(std::exchange(descriptor_, -1));
  }
}

FolderLock::FolderLock(const std::string& folder, std::chrono::milliseconds patience, LockCall lock)
    : path_(folder + "/.lock") {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!take(lock == nullptr ? &::flock : lock)) {
    check(std::chrono::steady_clock::now() < end,
          "{} is being written by another job ({}): wait for it, or end it, or choose another folder", folder, holder_);
    std::this_thread::sleep_for(kBetweenLooks);
  }
  record_ = own_record();
  // For people, and for file systems without locks. A full disk is no reason not to start: it will be told where it
  // hurts.
  const bool written = ::ftruncate(descriptor_, 0) == 0 &&
                       ::pwrite(descriptor_, record_.data(), record_.size(), 0) == static_cast<ssize_t>(record_.size());
  if (!written) record_.clear();
}

FolderLock::~FolderLock() {
  // Without a real lock another host may have taken the folder over: its file is not ours to remove.
  if (locked_ || record_in(descriptor_) == record_) ::unlink(path_.c_str());
  ::close(descriptor_);
}

}  // namespace trireme
