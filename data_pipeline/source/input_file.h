// SPDX-License-Identifier: Apache-2.0
// A regular file opened once and read at offsets, or bytes in memory under a name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace trireme {

/// Read-only, safe to share between threads. The size is the one found on opening: a file that shrinks later is an
/// error.
class InputFile {
 public:
  /// Throws with the name and the system's reason when `path` cannot be opened or is not a regular file.
  static std::shared_ptr<const InputFile> open(const std::string& path);
  static std::shared_ptr<const InputFile> from_memory(std::string name, std::string bytes);

  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& name() const { return name_; }
  std::uint64_t size() const { return size_; }
  /// Reads min(n, size() - offset) bytes at `offset` and returns that number.
  std::size_t read_at(std::uint64_t offset, char* out, std::size_t n) const;

 private:
  InputFile(std::string name, std::string bytes, int descriptor, std::uint64_t size);

  std::string name_;
  std::string bytes_;
  int descriptor_;
  std::uint64_t size_;
};

}  // namespace trireme
