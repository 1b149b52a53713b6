// SPDX-License-Identifier: Apache-2.0
// Files whose bytes are really there: checked reads and writes at offsets, and whole files replaced in one step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace trireme {

/// An open regular file. Moves, never copies. Every error is an Error that names the path and the byte offset.
class FileDescriptor {
 public:
  /// For reading. Throws when `path` is missing or is no regular file.
  static FileDescriptor open_read(const std::string& path);
  /// For reading and writing; the file must exist.
  static FileDescriptor open_write(const std::string& path);
  /// A new file for reading and writing; throws when `path` exists.
  static FileDescriptor create(const std::string& path);

  FileDescriptor() = default;
  FileDescriptor(FileDescriptor&& other) noexcept { swap(other); }
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    swap(other);
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor();

  const std::string& path() const { return path_; }
  /// Size in bytes now.
  std::uint64_t size() const;
  /// Exactly `bytes` bytes from `offset`; a shorter file is an error that says how much there is.
  void pread_all(void* data, std::size_t bytes, std::uint64_t offset) const;
  /// All of `bytes` at `offset`. A full disk is an error that says what was wanted and what is free.
  void pwrite_all(const void* data, std::size_t bytes, std::uint64_t offset) const;
  /// fsync: what was written survives a power failure. Never call again after it has failed.
  void sync() const;
  /// Drops the file's clean pages from the page cache (a hint), so that the next read asks the disk.
  void drop_cache() const;
  /// Closes and reports what the file system only says then; the destructor closes silently.
  void close();

 private:
  FileDescriptor(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  static FileDescriptor open(const std::string& path, int flags, const char* purpose);
  void swap(FileDescriptor& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    path_.swap(other.path_);
  }

  int descriptor_ = -1;
  std::string path_;
};

/// True when nothing is called `path`. False also when that cannot be known: a permission that is denied on the way is
/// another problem than a misspelt name, and whoever
/// opens the file will say so.
bool missing(const std::string& path);
/// Bytes free to this user on the file system of `path` (or of its nearest parent); not known: the largest number.
std::uint64_t free_bytes(const std::string& path);
/// fsync of a directory: names created, renamed or removed in it survive a power failure.
void sync_directory(const std::string& path);
/// Afterwards `path` holds `bytes` whole, or (on any error, thrown) what it held before. Synced, with its directory.
void write_file_atomic(const std::string& path, std::string_view bytes);
/// The whole file; throws, before reading, when it is larger than `limit` bytes.
std::string read_file(const std::string& path, std::uint64_t limit);
/// rename(2), then the directory of `to` is synced.
void rename_synced(const std::string& from, const std::string& to);

}  // namespace trireme
