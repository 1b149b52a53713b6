// SPDX-License-Identifier: Apache-2.0
// What a rank holds, read from files that other ranks wrote: a list of pieces in the order of the files' bytes.
#include <algorithm>
#include <map>
#include <tuple>

#include "core/base/error.h"
#include "core/base/status_board.h"
#include "core/io/atomic_file.h"
#include "core/io/checksum.h"
#include "core/train/checkpoint_bytes.h"
#include "core/train/staged_slices.h"

namespace trireme {
namespace {

/// Bytes that follow one another in a file and in memory.
struct Piece {
  std::size_t file;
  std::uint64_t offset;
  std::uint64_t bytes;
  std::byte* to;
};

std::size_t kinds_of(ReadKinds kinds) { return kinds == ReadKinds::all ? kCheckpointKinds.size() : 1; }

std::map<std::string_view, std::size_t> index_of(const Manifest& manifest) {
  std::map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < manifest.tensors.size(); ++i) index.emplace(manifest.tensors[i].name, i);
  return index;
}

std::vector<Piece> plan_pieces(const Manifest& manifest, const std::vector<NamedSlice>& slices, ReadKinds kinds) {
  const auto index = index_of(manifest);
  std::vector<Piece> pieces;
  for (const NamedSlice& slice : slices) {
    const auto found = index.find(slice.name);
    check(found != index.end() && manifest.tensors[found->second].shape == slice.global,
          "the checkpoint has no tensor {} of shape {}", slice.name, to_string(slice.global));
    for (const ManifestChunk& chunk : manifest.tensors[found->second].chunks) {
      for (const BoxRun& run : runs_between(chunk.box, {slice.origin, slice.extent})) {
        for (std::size_t kind = 0; kind < kinds_of(kinds); ++kind) {
          pieces.push_back(
              {chunk.file, chunk.offsets[kind] + static_cast<std::uint64_t>(run.from) * sizeof(float),
               static_cast<std::uint64_t>(run.count) * sizeof(float),
               static_cast<std::byte*>(array_of(slice, kind).data) + static_cast<std::size_t>(run.to) * sizeof(float)});
        }
      }
    }
  }
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return std::tie(a.file, a.offset) < std::tie(b.file, b.offset); });
  return pieces;
}

/// An open file of the checkpoint, of the size that the manifest says.
FileDescriptor open_file(const std::string& folder, const ManifestFile& entry) {
  FileDescriptor file = FileDescriptor::open_read(folder + "/" + entry.name);
  check(file.size() == entry.bytes, "{} has {} bytes, its manifest says {}", file.path(), file.size(), entry.bytes);
  return file;
}

/// Reads block `number` and holds it against its checksum. Returns its size.
std::size_t read_block(const FileDescriptor& file, const ManifestFile& entry, std::size_t number, void* to) {
  const std::uint64_t begin = number * kCheckpointBlock;
  const auto bytes = static_cast<std::size_t>(std::min(kCheckpointBlock, entry.bytes - begin));
  file.pread_all(to, bytes, begin);
  process_status().tick();
  const std::uint64_t found = xxh3_64(to, bytes);
  check(found == entry.blocks[number], "{}: bytes {} to {} have checksum {}, the manifest says {}: damaged",
        file.path(), begin, begin + bytes, hex(found), hex(entry.blocks[number]));
  return bytes;
}

}  // namespace

void add_box_part(TensorDigest& digest, const Box& box, const Shape& shape, const float* elements, std::int64_t begin,
                  std::int64_t count) {
  const std::vector<BoxRun> runs = runs_between(box, {{}, shape});
  auto run = std::partition_point(runs.begin(), runs.end(), [&](const BoxRun& r) { return r.from + r.count <= begin; });
  for (; run != runs.end() && run->from < begin + count; ++run) {
    const std::int64_t low = std::max(run->from, begin);
    const std::int64_t high = std::min(run->from + run->count, begin + count);
    digest.add(elements + (low - begin), run->to + (low - run->from), static_cast<std::size_t>(high - low));
  }
}

void read_slices(const std::string& folder, const Manifest& manifest, const std::vector<NamedSlice>& slices,
                 ReadKinds kinds, SliceMover& mover) {
  const std::vector<Piece> pieces = plan_pieces(manifest, slices, kinds);
  const auto* staging = static_cast<const std::byte*>(mover.staging.data());
  for (std::size_t i = 0; i < pieces.size();) {
    const std::size_t file_index = pieces[i].file;
    const ManifestFile& entry = manifest.files[file_index];
    const FileDescriptor file = open_file(folder, entry);
    for (std::uint64_t done = pieces[i].offset; i < pieces.size() && pieces[i].file == file_index;) {
      const auto block = static_cast<std::size_t>(done / kCheckpointBlock);
      const std::uint64_t begin = block * kCheckpointBlock;
      const std::uint64_t end = begin + read_block(file, entry, block, mover.staging.data());
      while (done < end) {
        const Piece& piece = pieces[i];
        const std::uint64_t stop = std::min(end, piece.offset + piece.bytes);
        mover.device.copy(mover.stream, piece.to + (done - piece.offset), staging + (done - begin), stop - done);
        done = stop;
        if (done < piece.offset + piece.bytes) break;  // goes on in the next block
        if (++i == pieces.size() || pieces[i].file != file_index) break;
        done = pieces[i].offset;
      }
      mover.stream.synchronize();
    }
  }
}

void add_digests(const Manifest& manifest, const std::vector<NamedSlice>& slices, ReadKinds kinds, SliceMover& mover,
                 std::vector<std::array<TensorDigest, 3>>& digests) {
  const auto index = index_of(manifest);
  for (const NamedSlice& slice : slices) {
    const std::size_t place = index.at(slice.name);
    for (std::size_t kind = 0; kind < kinds_of(kinds); ++kind) {
      for_each_staged(slice, kind, mover, [&](const float* elements, std::int64_t begin, std::int64_t count) {
        add_box_part(digests[place][kind], {slice.origin, slice.extent}, slice.global, elements, begin, count);
      });
    }
  }
}

void verify_manifest(const std::string& folder) {
  const std::string path = folder + "/MANIFEST.json";
  FileDescriptor::open_read(path).drop_cache();
  parse_manifest(read_file(path, kManifestLimit), path);
}

void verify_blocks(const std::string& folder, const Manifest& manifest, std::size_t first, std::size_t stride) {
  std::vector<std::byte> buffer;
  for (std::size_t i = first; i < manifest.files.size(); i += stride) {
    const ManifestFile& entry = manifest.files[i];
    const FileDescriptor file = open_file(folder, entry);
    file.drop_cache();
    buffer.resize(static_cast<std::size_t>(std::min(kCheckpointBlock, entry.bytes)));
    for (std::size_t block = 0; block < entry.blocks.size(); ++block) read_block(file, entry, block, buffer.data());
  }
}

void verify_files(const std::string& folder, const Manifest& manifest) {
  verify_blocks(folder, manifest, 0, 1);
  std::vector<FileDescriptor> files;
  std::uint64_t largest = 0;
  for (const ManifestFile& entry : manifest.files) {
    files.push_back(open_file(folder, entry));
    largest = std::max(largest, entry.bytes);
  }
  std::vector<float> elements(std::min(kCheckpointBlock, largest) / sizeof(float));
  const auto step = static_cast<std::int64_t>(elements.size());
  for (const ManifestTensor& tensor : manifest.tensors) {
    for (std::size_t kind = 0; kind < kCheckpointKinds.size(); ++kind) {
      TensorDigest digest;
      for (const ManifestChunk& chunk : tensor.chunks) {
        for (std::int64_t begin = 0; begin < chunk.box.extent.elements(); begin += step) {
          const std::int64_t count = std::min(step, chunk.box.extent.elements() - begin);
          files[chunk.file].pread_all(elements.data(), static_cast<std::size_t>(count) * sizeof(float),
                                      chunk.offsets[kind] + static_cast<std::uint64_t>(begin) * sizeof(float));
          add_box_part(digest, chunk.box, tensor.shape, elements.data(), begin, count);
          process_status().tick();
        }
      }
      check(digest == tensor.digests[kind], "{}: {} of {} are not what was saved: their digest differs", folder,
            kCheckpointKinds[kind], tensor.name);
    }
  }
}

}  // namespace trireme
