// SPDX-License-Identifier: Apache-2.0
// What the two halves of hdf5.h share: the library's lock and an owner for its identifiers. Included by core/io/*.cpp
// only.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/base/types.h"
#include "core/io/hdf5.h"

namespace trireme::hdf5 {

/// Holds the process-wide lock that every call of the library needs, having set the library up.
std::unique_lock<std::mutex> lock_library();
/// The library's account of its last failure, which is cleared: in one line; where a system call failed, that alone.
std::string last_error();
/// Throws Error with `what` and last_error() unless `ok`.
void check_call(bool ok, const std::string& what);
/// The type on disk; owned by the library.
hid_t file_type(Dtype dtype);
/// Bytes of an array; throws Error naming `what` when they do not fit 63 bits.
std::uint64_t checked_bytes(const std::vector<std::uint64_t>& shape, Dtype dtype, const std::string& what);

class Handle;
/// Refuses what is no HDF5 file, was not closed by its writer, or is not as long as it says.
void check_superblock(const std::string& path);
/// Properties of an object that carries no times: the same content is always the same bytes.
Handle timeless(hid_t property_class, const std::string& what);
/// UTF-8 text of fixed length, at least one byte, padded with zeros.
Handle text_type(std::size_t bytes, const std::string& what);
void write_attribute(const Handle& object, const std::string& name, const Hdf5Value& value, const std::string& what);
/// All attributes of a dataset or group; throws Error for what write_attribute does not write or is over the limits.
Hdf5Attributes read_attributes(const Handle& object, const Hdf5Limits& limits, const std::string& what);

/// Owns one identifier of the library. Moves, never copies.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);

  /// Throws Error with `what` when `id` says that the call failed.
  Handle(hid_t id, Close closer, const std::string& what) : id_(id), close_(closer) { check_call(id >= 0, what); }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }

  hid_t id() const { return id_; }
  /// Closes now and throws Error with `what` when that fails.
  void close(const std::string& what) { check_call(close_(std::exchange(id_, -1)) >= 0, what); }

 private:
  hid_t id_;
  Close close_;
};

/// How files are opened: metadata with checksums (format 1.8), strong close, no locks.
Handle file_access(bool alignment);

}  // namespace trireme::hdf5
