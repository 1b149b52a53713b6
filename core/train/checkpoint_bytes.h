// SPDX-License-Identifier: Apache-2.0
// The bytes of a checkpoint: one rank's file written, and what a rank holds read back. No rank waits for another here.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/device.h"
#include "core/base/params.h"
#include "core/train/checkpoint_manifest.h"

namespace trireme {

/// How slices get from the device to files and back.
struct SliceMover {
  Device& device;
  Stream& stream;
  Buffer staging;  // pinned, kCheckpointBlock bytes

  SliceMover(Device& d, Stream& s) : device(d), stream(s), staging(d.allocate(kCheckpointBlock, MemoryKind::pinned)) {}
};

/// Writes and syncs folder/name with these slices. Returns what it has written as part of a manifest: no file when
/// there are no slices, and digests of these slices alone. Throws Error.
Manifest write_shard(const std::string& folder, const std::string& name, const std::vector<NamedSlice>& slices,
                     SliceMover& mover);

/// Which arrays are read: all of them, or the masters alone.
enum class ReadKinds { all, masters };

/// Fills the slices from the checkpoint in `folder`; every block of a file that is touched is held against its
/// checksum first. Throws Error naming file and byte.
void read_slices(const std::string& folder, const Manifest& manifest, const std::vector<NamedSlice>& slices,
                 ReadKinds kinds, SliceMover& mover);

/// Adds each slice's share to the digests of the tensor of its name, by index in the manifest's list.
void add_digests(const Manifest& manifest, const std::vector<NamedSlice>& slices, ReadKinds kinds, SliceMover& mover,
                 std::vector<std::array<TensorDigest, 3>>& digests);

/// Reads all files of the checkpoint, or of a part of it, from the disk rather than from the page cache, and holds
/// every block against its checksum and every tensor against its digest. Throws Error.
void verify_files(const std::string& folder, const Manifest& manifest);
/// Reads the manifest from the disk and holds it against its checksum and itself. Throws Error.
void verify_manifest(const std::string& folder);
/// The blocks alone, of the files `first`, `first` + `stride`, ...
void verify_blocks(const std::string& folder, const Manifest& manifest, std::size_t first, std::size_t stride);

}  // namespace trireme
