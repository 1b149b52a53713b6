// SPDX-License-Identifier: Apache-2.0
// POSIX calls with every return code looked at.
#include "core/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <limits>

#include "core/base/error.h"

namespace trireme {
namespace {

// Linux moves at most 0x7ffff000 bytes in a call; a round number below that.
constexpr std::size_t kLargestTransfer = std::size_t{1} << 30U;

[[noreturn]] void fail_errno(const std::string& message, int error) { fail("{}", with_errno(message, error)); }

/// The directory that holds the name `path`: "." for a bare name.
std::string parent_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

void remove_quietly(const std::string& path) noexcept { ::unlink(path.c_str()); }

}  // namespace

FileDescriptor FileDescriptor::open(const std::string& path, int flags, const char* purpose) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) fail_errno(fmt::format("cannot open {} for {}", path, purpose), errno);
  FileDescriptor file(descriptor, path);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) fail_errno(fmt::format("cannot stat {}", path), errno);
  check(S_ISREG(status.st_mode), "{} is not a regular file", path);
  return file;
}

// O_NONBLOCK: opening a named pipe returns, so that it can be refused.
FileDescriptor FileDescriptor::open_read(const std::string& path) {
  return open(path, O_RDONLY | O_NONBLOCK, "reading");
}
FileDescriptor FileDescriptor::open_write(const std::string& path) {
  return open(path, O_RDWR | O_NONBLOCK, "writing");
}
FileDescriptor FileDescriptor::create(const std::string& path) {
  return open(path, O_RDWR | O_CREAT | O_EXCL, "writing as a new file");
}

FileDescriptor::~FileDescriptor() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::uint64_t FileDescriptor::size() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail_errno(fmt::format("cannot stat {}", path_), errno);
  return static_cast<std::uint64_t>(status.st_size);
}

void FileDescriptor::pread_all(void* data, std::size_t bytes, std::uint64_t offset) const {
  std::size_t done = 0;
  while (done < bytes) {
    const std::size_t part = std::min(bytes - done, kLargestTransfer);
    const ssize_t got = ::pread(descriptor_, static_cast<char*>(data) + done, part, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno(fmt::format("cannot read {} bytes at offset {} of {}", part, offset + done, path_), errno);
    check(got > 0, "{} ends at byte {}: {} bytes expected at offset {}, {} found", path_, size(), bytes, offset, done);
    done += static_cast<std::size_t>(got);
  }
}

void FileDescriptor::pwrite_all(const void* data, std::size_t bytes, std::uint64_t offset) const {
  std::size_t done = 0;
  while (done < bytes) {
    const std::size_t part = std::min(bytes - done, kLargestTransfer);
    const ssize_t put =
        ::pwrite(descriptor_, static_cast<const char*>(data) + done, part, static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && (errno == ENOSPC || errno == EDQUOT)) {
      const int error = errno;
      fail_errno(fmt::format("cannot write {} bytes at offset {} of {}: {} bytes are free there", bytes - done,
                             offset + done, path_, free_bytes(path_)),
                 error);
    }
    if (put <= 0) {
      fail_errno(fmt::format("cannot write {} bytes at offset {} of {}", part, offset + done, path_),
                 put < 0 ? errno : EIO);
    }
    done += static_cast<std::size_t>(put);
  }
}

void FileDescriptor::sync() const {
  if (::fsync(descriptor_) != 0) fail_errno(fmt::format("cannot sync {}", path_), errno);
}

void FileDescriptor::drop_cache() const { (void)::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED); }

void FileDescriptor::close() {
  const int descriptor = std::exchange(descriptor_, -1);
  // After EINTR the descriptor is gone on Linux; closing again could close somebody else's.
  if (descriptor >= 0 && ::close(descriptor) != 0 && errno != EINTR) {
    fail_errno(fmt::format("cannot close {}", path_), errno);
  }
}

bool missing(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

std::uint64_t free_bytes(const std::string& path) {
  std::string place = path;
  struct statvfs status {};
  while (::statvfs(place.c_str(), &status) != 0) {
    const int error = errno;
    const std::string parent = parent_of(place);
    if (parent == place) fail_errno(fmt::format("cannot ask how much is free at {}", path), error);
    place = parent;
  }
  if (status.f_blocks == 0) return std::numeric_limits<std::uint64_t>::max();
  return static_cast<std::uint64_t>(status.f_bavail) * static_cast<std::uint64_t>(status.f_frsize);
}

void sync_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail_errno(fmt::format("cannot open the directory {}", path), errno);
  const int failed = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  // Some network file systems cannot sync a directory and say EINVAL; their renames are synchronous.
  if (failed != 0 && error != EINVAL) fail_errno(fmt::format("cannot sync the directory {}", path), error);
}

void rename_synced(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail_errno(fmt::format("cannot rename {} to {}", from, to), errno);
  sync_directory(parent_of(to));
}

void write_file_atomic(const std::string& path, std::string_view bytes) {
  static std::atomic<std::uint64_t> counter{0};
  const std::filesystem::path target(path);
  std::string temporary;
  do {  // a name may be left from a killed process: in a container the next one often has the same number
    temporary = parent_of(path) + fmt::format("/.{}.{}.{}.tmp", target.filename().string(), ::getpid(), counter++);
  } while (std::filesystem::exists(std::filesystem::symlink_status(temporary)));
  FileDescriptor file = FileDescriptor::create(temporary);
  try {
    file.pwrite_all(bytes.data(), bytes.size(), 0);
    file.sync();
    file.close();
    rename_synced(temporary, path);
  } catch (...) {
    remove_quietly(temporary);
    throw;
  }
}

std::string read_file(const std::string& path, std::uint64_t limit) {
  const FileDescriptor file = FileDescriptor::open_read(path);
  const std::uint64_t size = file.size();
  check(size <= limit, "{} has {} bytes, more than the limit of {}", path, size, limit);
  std::string bytes(static_cast<std::size_t>(size), '\0');
  file.pread_all(bytes.data(), bytes.size(), 0);
  return bytes;
}

}  // namespace trireme
