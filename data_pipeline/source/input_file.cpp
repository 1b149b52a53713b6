// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/source/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/error.h"

namespace trireme {

InputFile::InputFile(std::string name, std::string bytes, int descriptor, std::uint64_t size)
    : name_(std::move(name)), bytes_(std::move(bytes)), descriptor_(descriptor), size_(size) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

std::shared_ptr<const InputFile> InputFile::open(const std::string& path) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer; it is refused below.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  check(descriptor >= 0, "{}", with_errno("cannot open corpus file " + path, errno));
  struct stat status = {};
  const int error = ::fstat(descriptor, &status) == 0 ? 0 : errno;
  const auto size = static_cast<std::uint64_t>(error == 0 ? status.st_size : 0);
  std::shared_ptr<const InputFile> file(new InputFile(path, {}, descriptor, size));
  check(error == 0, "{}", with_errno("cannot stat corpus file " + path, error));
  check(S_ISREG(status.st_mode), "corpus file {} is not a regular file", path);
  return file;
}

std::shared_ptr<const InputFile> InputFile::from_memory(std::string name, std::string bytes) {
  const std::uint64_t size = bytes.size();
  return std::shared_ptr<const InputFile>(new InputFile(std::move(name), std::move(bytes), -1, size));
}

std::size_t InputFile::read_at(std::uint64_t offset, char* out, std::size_t n) const {
  if (offset >= size_) {
    return 0;
  }
  n = static_cast<std::size_t>(std::min<std::uint64_t>(n, size_ - offset));
  if (descriptor_ < 0) {
    std::memcpy(out, bytes_.data() + offset, n);
    return n;
  }
  std::size_t done = 0;
  while (done < n) {
    const ssize_t got = ::pread(descriptor_, out + done, n - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    check(got >= 0, "{}", with_errno(fmt::format("reading {} at byte {} failed", name_, offset + done), errno));
    check(got > 0, "{} became shorter while it was read: {} bytes expected, the end found at byte {}", name_, size_,
          offset + done);
    done += static_cast<std::size_t>(got);
  }
  return n;
}

}  // namespace trireme
