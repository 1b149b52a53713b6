// SPDX-License-Identifier: Apache-2.0
// MANIFEST.json of a checkpoint: which tensors it holds, in which bytes of which files, and the checksums of all of it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/params.h"
#include "core/train/box_runs.h"
#include "core/train/tensor_digest.h"
#include "core/train/train_state.h"

namespace trireme {

/// The arrays that are kept of every parameter, in the order of all three-element arrays here.
inline constexpr std::array<std::string_view, 3> kCheckpointKinds = {"master", "first", "second"};
/// Files are checksummed in blocks of this many bytes.
inline constexpr std::uint64_t kCheckpointBlock = std::uint64_t{16} << 20U;
inline constexpr std::uint64_t kManifestLimit = std::uint64_t{64} << 20U;

struct ManifestFile {
  std::string name;                   // shard-00000-of-00002.h5
  std::uint64_t bytes = 0;            // of the file
  std::vector<std::uint64_t> blocks;  // XXH3-64 of each block of the file, the last one shorter
};

/// A box of a tensor: its three arrays are contiguous in one file.
struct ManifestChunk {
  std::size_t file = 0;  // index in Manifest::files
  Box box;
  std::array<std::uint64_t, 3> offsets{};  // of the first byte in the file
};

struct ManifestTensor {
  std::string name;
  Shape shape;  // global, unpadded
  std::array<TensorDigest, 3> digests;
  std::vector<ManifestChunk> chunks;
};

struct Manifest {
  std::string run;               // 32 hexadecimal digits, the same for all checkpoints of a run
  std::int64_t attempt = 0;      // which start of the run wrote it
  std::int64_t parent_step = 0;  // the step that this start had resumed from; 0: none
  std::int64_t world = 1;        // ranks that wrote it
  std::string config_hash;
  TrainState train;
  std::vector<ManifestFile> files;
  std::vector<ManifestTensor> tensors;  // in the model's order
};

/// "shard-00000-of-00002.h5".
std::string checkpoint_file_name(std::int64_t writer, std::int64_t world);
/// The file's bytes: canonical JSON with the checksum of what it says.
std::string manifest_text(const Manifest& manifest);
/// How much of the model a manifest lists: all of it, or what one rank has written (files and chunks are then a part).
enum class ManifestScope { whole, part };
/// The inverse. Before anything is trusted: canonical bytes, checksum, known keys, names without folders, sizes within
/// limits, every chunk within its file and its tensor, no two sharing a byte or an element, every element covered.
/// Throws Error naming `where`.
Manifest parse_manifest(std::string_view text, const std::string& where, ManifestScope scope = ManifestScope::whole);
/// Throws Error(usage) that names what differs when the checkpoint `where` is not of this model.
void check_same_model(const Manifest& manifest, const ParamTable& table, const std::string& where);

}  // namespace trireme
