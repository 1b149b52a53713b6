// SPDX-License-Identifier: Apache-2.0
// One rank's file of a checkpoint: HDF5 makes the skeleton, the content is written at its offsets.
#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/status_board.h"
#include "core/io/atomic_file.h"
#include "core/io/checksum.h"
#include "core/io/hdf5.h"
#include "core/train/checkpoint_bytes.h"
#include "core/train/staged_slices.h"

namespace trireme {
namespace {

/// "12,0" for h5py and people; the manifest is what is read.
std::string origin_text(const NamedSlice& slice) {
  std::string text;
  for (int d = 0; d < slice.extent.rank(); ++d) {
    text += fmt::format("{}{}", d == 0 ? "" : ",", slice.origin[static_cast<std::size_t>(d)]);
  }
  return text;
}

std::string dataset_path(const NamedSlice& slice, std::size_t kind) {
  const std::string place = slice.extent == slice.global ? "" : "@" + origin_text(slice);
  return fmt::format("/{}/{}{}", kCheckpointKinds[kind], slice.name, place);
}

Hdf5Layout layout_of(const std::vector<NamedSlice>& slices) {
  Hdf5Layout layout;
  layout.attributes = {{"format", std::string("trireme.checkpoint")}, {"version", std::int64_t{1}}};
  for (const NamedSlice& slice : slices) {
    for (std::size_t kind = 0; kind < kCheckpointKinds.size(); ++kind) {
      Hdf5Dataset dataset{.path = dataset_path(slice, kind), .dtype = Dtype::f32};
      for (int d = 0; d < slice.extent.rank(); ++d) {
        dataset.shape.push_back(static_cast<std::uint64_t>(slice.extent[d]));
      }
      dataset.attributes = {{"global_shape", to_string(slice.global)}, {"origin", origin_text(slice)}};
      layout.datasets.push_back(std::move(dataset));
    }
  }
  return layout;
}

/// The checksum of every block, of what the file system gives back.
ManifestFile checksums_of(const FileDescriptor& file, const std::string& name, SliceMover& mover) {
  ManifestFile entry{.name = name, .bytes = file.size(), .blocks = {}};
  for (std::uint64_t begin = 0; begin < entry.bytes; begin += kCheckpointBlock) {
    const auto bytes = static_cast<std::size_t>(std::min(kCheckpointBlock, entry.bytes - begin));
    file.pread_all(mover.staging.data(), bytes, begin);
    entry.blocks.push_back(xxh3_64(mover.staging.data(), bytes));
    process_status().tick();
  }
  return entry;
}

}  // namespace

Manifest write_shard(const std::string& folder, const std::string& name, const std::vector<NamedSlice>& slices,
                     SliceMover& mover) {
  Manifest part;
  if (slices.empty()) return part;
  Hdf5Layout layout = layout_of(slices);
  const std::string path = folder + "/" + name;
  create_hdf5(path, layout);
  std::map<std::string_view, std::uint64_t> offsets;
  for (const Hdf5Dataset& dataset : layout.datasets) offsets[dataset.path] = dataset.offset;

  FileDescriptor file = FileDescriptor::open_write(path);
  std::map<std::string_view, std::size_t> places;  // of tensors in the list
  for (const NamedSlice& slice : slices) {
    const auto [place, fresh] = places.emplace(slice.name, part.tensors.size());
    if (fresh) part.tensors.push_back({.name = slice.name, .shape = slice.global, .digests = {}, .chunks = {}});
    ManifestTensor& tensor = part.tensors[place->second];
    ManifestChunk chunk{.file = 0, .box = {slice.origin, slice.extent}};
    for (std::size_t kind = 0; kind < kCheckpointKinds.size(); ++kind) {
      const std::uint64_t offset = offsets.at(dataset_path(slice, kind));
      chunk.offsets[kind] = offset;
      for_each_staged(slice, kind, mover, [&](const float* elements, std::int64_t begin, std::int64_t count) {
        add_box_part(tensor.digests[kind], chunk.box, tensor.shape, elements, begin, count);
        file.pwrite_all(elements, static_cast<std::size_t>(count) * sizeof(float),
                        offset + static_cast<std::uint64_t>(begin) * sizeof(float));
      });
    }
    tensor.chunks.push_back(chunk);
  }
  file.sync();
  part.files.push_back(checksums_of(file, name, mover));
  file.close();
  return part;
}

}  // namespace trireme
