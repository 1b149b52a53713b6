// SPDX-License-Identifier: Apache-2.0
// HDF5 as a container of plain arrays: the library writes and reads the description, our own code the bytes.
//
// A file is created as a skeleton (groups, contiguous datasets allocated at once and never filled, attributes) and
// closed again; the content is then written with FileDescriptor::pwrite_all at each dataset's offset, and read the same
// way. So libhdf5's lock, speed and error handling do not matter for the data, and any HDF5 program can still read the
// file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/types.h"

namespace trireme {

/// A whole number or UTF-8 text of at most 60,000 bytes.
using Hdf5Value = std::variant<std::int64_t, std::string>;
using Hdf5Attributes = std::map<std::string, Hdf5Value>;

/// One array of a file. `path` is absolute ("/tokens", "/master/wte.weight"), of at most two names.
struct Hdf5Dataset {
  std::string path;
  Dtype dtype = Dtype::u8;
  std::vector<std::uint64_t> shape = {};  // 1 to 4 dims
  Hdf5Attributes attributes = {};
  std::uint64_t offset = 0;  // of the first byte in the file, absolute; 0 when bytes is 0
  std::uint64_t bytes = 0;
};

/// Everything in a file but its bytes.
struct Hdf5Layout {
  std::vector<Hdf5Dataset> datasets;  // in order of path
  Hdf5Attributes attributes;          // of the root group

  /// The dataset at `path`, or nullptr.
  const Hdf5Dataset* find(std::string_view path) const;
};

/// Limits on what is looked at in a file that somebody else may have written.
struct Hdf5Limits {
  std::uint64_t objects = 100000;    // groups and datasets
  std::uint64_t attributes = 64;     // per object
  std::uint64_t text_bytes = 60000;  // of a text attribute
};

/// Creates `path` (which must not exist) with these datasets and attributes; offsets and bytes of `layout` are set by
/// the call and are where the content belongs. Little-endian on disk; bf16 is kept as u16 with the attribute dtype =
/// "bf16". Datasets of 4 KiB or more start at a multiple of 4096. The file is closed, not synced; its content is
/// undefined until written.
void create_hdf5(const std::string& path, Hdf5Layout& layout);

/// Describes `path` after refusing, with the reason, all that create_hdf5 does not write: a superblock other than
/// version 2 or 3 at byte 0, a file not closed or not as long as it says, filters, chunks, virtual or external storage,
/// links other than one hard link per object, storage that is missing, of the wrong size, out of the file or shared,
/// types other than the little-endian ones of Dtype, more objects than the limit. Reads metadata only.
Hdf5Layout read_hdf5(const std::string& path, const Hdf5Limits& limits = {});

/// The attribute `name`; throws Error naming `where` (a file) when it is missing or of the other kind.
std::int64_t int_attribute(const Hdf5Attributes& attributes, const std::string& name, const std::string& where);
const std::string& text_attribute(const Hdf5Attributes& attributes, const std::string& name, const std::string& where);

}  // namespace trireme
