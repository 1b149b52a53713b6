// SPDX-License-Identifier: Apache-2.0
#include "core/train/checkpoint_manifest.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <map>
#include <set>
#include <span>
#include <tuple>

#include "core/base/error.h"
#include "core/io/checksum.h"
#include "core/io/json.h"

namespace trireme {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kVersion = 1;
constexpr std::string_view kFormat = "trireme.checkpoint";

Json numbers(const std::array<std::int64_t, Shape::kMaxRank>& values, int count) {
  Json list = Json::array();
  for (int i = 0; i < count; ++i) list.push_back(values[static_cast<std::size_t>(i)]);
  return list;
}

Json dims(const Shape& shape) {
  Json list = Json::array();
  for (int i = 0; i < shape.rank(); ++i) list.push_back(shape[i]);
  return list;
}

/// Whole numbers from `low` to 2^40, 1 to 4 of them.
std::vector<std::int64_t> read_numbers(const Json& object, const std::string& key, std::int64_t low,
                                       const std::string& where) {
  const Json& list = json_array(object, key, where);
  check(!list.empty() && list.size() <= Shape::kMaxRank, "{}: '{}' has {} numbers, 1 to {} expected", where, key,
        list.size(), Shape::kMaxRank);
  std::vector<std::int64_t> values;
  for (const Json& item : list) {
    check(item.is_number_integer() && (!item.is_number_unsigned() || item.get<std::uint64_t>() <= (1ULL << 40U)) &&
              item.get<std::int64_t>() >= low,
          "{}: '{}' holds {}: whole numbers from {} to 2^40 expected", where, key, item.dump(), low);
    values.push_back(item.get<std::int64_t>());
  }
  return values;
}

Shape read_shape(const Json& object, const std::string& key, const std::string& where) {
  const auto values = read_numbers(object, key, 1, where);
  std::int64_t elements = 1;
  for (const std::int64_t dim : values) {
    check(!__builtin_mul_overflow(elements, dim, &elements) && elements <= (std::int64_t{1} << 50U),
          "{}: '{}' has more than 2^50 elements", where, key);
  }
  return Shape(values);
}

Json to_json(const ManifestTensor& tensor) {
  Json digests = Json::object();
  for (std::size_t k = 0; k < kCheckpointKinds.size(); ++k) {
    const TensorDigest& digest = tensor.digests[k];
    digests[std::string(kCheckpointKinds[k])] = hex(Hash128{digest.first, digest.second});
  }
  Json chunks = Json::array();
  for (const ManifestChunk& chunk : tensor.chunks) {
    Json offsets = Json::object();
    for (std::size_t k = 0; k < kCheckpointKinds.size(); ++k) {
      offsets[std::string(kCheckpointKinds[k])] = chunk.offsets[k];
    }
    chunks.push_back({{"file", chunk.file},
                      {"origin", numbers(chunk.box.origin, chunk.box.extent.rank())},
                      {"extent", dims(chunk.box.extent)},
                      {"offsets", std::move(offsets)}});
  }
  return {{"name", tensor.name},
          {"dtype", "fp32"},
          {"shape", dims(tensor.shape)},
          {"digests", std::move(digests)},
          {"chunks", std::move(chunks)}};
}

// Floats as the numbers of their bits: a manifest holds whole numbers alone.
Json to_json(const TrainState& train) {
  return {{"step", train.step},
          {"position", train.position},
          {"tokens", train.tokens},
          {"skipped", train.skipped},
          {"means",
           {{"loss_bits", std::bit_cast<std::uint32_t>(train.means.loss)},
            {"norm_bits", std::bit_cast<std::uint32_t>(train.means.norm)},
            {"updates", train.means.updates}}}};
}

RunningMeans read_means(const Json& json, const std::string& where) {
  check_json_keys(json, {"loss_bits", "norm_bits", "updates"}, where);
  const auto value = [&](const char* key) {
    const auto bits = json_size(json, key, where);
    check(bits <= 0xffffffffU, "{}: train.means.{} = {} is not a number of 32 bits", where, key, bits);
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
  };
  return {value("loss_bits"), value("norm_bits"), static_cast<std::int64_t>(json_size(json, "updates", where))};
}

TrainState read_train(const Json& json, const std::string& where) {
  check_json_keys(json, {"step", "position", "tokens", "skipped", "means"}, where);
  TrainState train{.step = static_cast<std::int64_t>(json_size(json, "step", where)),
                   .position = static_cast<std::int64_t>(json_size(json, "position", where)),
                   .tokens = static_cast<std::int64_t>(json_size(json, "tokens", where))};
  // Checkpoints from before updates could be skipped have neither.
  if (json.contains("skipped")) train.skipped = static_cast<std::int64_t>(json_size(json, "skipped", where));
  if (json.contains("means")) train.means = read_means(json_object(json, "means", where), where);
  return train;
}

ManifestFile read_file_entry(const Json& json, const Manifest& manifest, const std::string& where) {
  check_json_keys(json, {"name", "bytes", "blocks"}, where);
  ManifestFile file;
  file.name = json_text(json, "name", where);
  // The names are ours: none leads out of the folder.
  std::int64_t writer = -1;
  if (file.name.size() > 6) std::from_chars(file.name.data() + 6, file.name.data() + file.name.size(), writer);
  check(writer >= 0 && writer < manifest.world && file.name == checkpoint_file_name(writer, manifest.world),
        "{}: a file of {} writers cannot be called '{}'", where, manifest.world, file.name);
  file.bytes = json_size(json, "bytes", where);
  const Json& blocks = json_array(json, "blocks", where);
  const std::uint64_t expected = file.bytes / kCheckpointBlock + (file.bytes % kCheckpointBlock != 0 ? 1 : 0);
  check(blocks.size() == expected, "{}: {} bytes have {} blocks, {} are listed", where, file.bytes, expected,
        blocks.size());
  for (const Json& block : blocks) {
    check(block.is_string(), "{}: a block's checksum must be text", where);
    file.blocks.push_back(hash64_from_hex(block.get_ref<const std::string&>(), where));
  }
  return file;
}

ManifestChunk read_chunk(const Json& json, const Manifest& manifest, const ManifestTensor& tensor,
                         const std::string& where) {
  check_json_keys(json, {"file", "origin", "extent", "offsets"}, where);
  ManifestChunk chunk;
  chunk.file = json_size(json, "file", where);
  check(chunk.file < manifest.files.size(), "{}: file {} of {}", where, chunk.file, manifest.files.size());
  const auto origin = read_numbers(json, "origin", 0, where);
  chunk.box.extent = read_shape(json, "extent", where);
  const auto rank = static_cast<std::size_t>(tensor.shape.rank());
  check(origin.size() == rank && chunk.box.extent.rank() == tensor.shape.rank(), "{}: a box of {} dims expected", where,
        rank);
  for (std::size_t i = 0; i < rank; ++i) {
    const int d = static_cast<int>(i);
    chunk.box.origin[i] = origin[i];
    check(origin[i] + chunk.box.extent[d] <= tensor.shape[d], "{}: the box leaves the tensor {}", where,
          to_string(tensor.shape));
  }
  const Json& offsets = json_object(json, "offsets", where);
  check_json_keys(offsets, {"master", "first", "second"}, where);
  const std::uint64_t bytes = static_cast<std::uint64_t>(chunk.box.extent.elements()) * sizeof(float);
  const ManifestFile& file = manifest.files[chunk.file];
  for (std::size_t k = 0; k < kCheckpointKinds.size(); ++k) {
    chunk.offsets[k] = json_size(offsets, std::string(kCheckpointKinds[k]), where);
    check(chunk.offsets[k] <= file.bytes && bytes <= file.bytes - chunk.offsets[k],
          "{}: bytes {} to {} + {} lie outside {} of {} bytes", where, chunk.offsets[k], chunk.offsets[k], bytes,
          file.name, file.bytes);
  }
  return chunk;
}

/// Every element of the tensor belongs to exactly one chunk.
void check_cover(const ManifestTensor& tensor, const std::string& where) {
  std::int64_t covered = 0;
  for (const ManifestChunk& chunk : tensor.chunks) {
    check(!__builtin_add_overflow(covered, chunk.box.extent.elements(), &covered), "{}: {}: too many elements", where,
          tensor.name);
  }
  check(covered == tensor.shape.elements(), "{}: chunks hold {} elements, {} {} has {}", where, covered, tensor.name,
        to_string(tensor.shape), tensor.shape.elements());
  std::vector<const Box*> boxes;
  for (const ManifestChunk& chunk : tensor.chunks) boxes.push_back(&chunk.box);
  std::sort(boxes.begin(), boxes.end(), [](const Box* a, const Box* b) { return a->origin < b->origin; });
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const std::int64_t end = boxes[i]->origin[0] + boxes[i]->extent[0];
    for (std::size_t j = i + 1; j < boxes.size() && boxes[j]->origin[0] < end; ++j) {
      check(!overlap(*boxes[i], *boxes[j]), "{}: two chunks of {} hold the same element", where, tensor.name);
    }
  }
}

ManifestTensor read_tensor(const Json& json, const Manifest& manifest, const std::string& where) {
  check_json_keys(json, {"name", "dtype", "shape", "digests", "chunks"}, where);
  ManifestTensor tensor;
  tensor.name = json_text(json, "name", where);
  const std::string place = fmt::format("{}: {}", where, tensor.name);
  check(json_text(json, "dtype", place) == "fp32", "{}: dtype fp32 expected", place);
  tensor.shape = read_shape(json, "shape", place);
  const Json& digests = json_object(json, "digests", place);
  check_json_keys(digests, {"master", "first", "second"}, place);
  for (std::size_t k = 0; k < kCheckpointKinds.size(); ++k) {
    const Hash128 hash = hash128_from_hex(json_text(digests, std::string(kCheckpointKinds[k]), place), place);
    tensor.digests[k] = {hash.high, hash.low};
  }
  for (const Json& chunk : json_array(json, "chunks", place)) {
    tensor.chunks.push_back(read_chunk(chunk, manifest, tensor, place));
  }
  return tensor;
}

/// No byte of a file belongs to two arrays.
void check_disjoint(const Manifest& manifest, const std::string& where) {
  std::vector<std::tuple<std::size_t, std::uint64_t, std::uint64_t>> ranges;  // file, begin, end
  for (const ManifestTensor& tensor : manifest.tensors) {
    for (const ManifestChunk& chunk : tensor.chunks) {
      const std::uint64_t bytes = static_cast<std::uint64_t>(chunk.box.extent.elements()) * sizeof(float);
      for (const std::uint64_t offset : chunk.offsets) ranges.emplace_back(chunk.file, offset, offset + bytes);
    }
  }
  std::sort(ranges.begin(), ranges.end());
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    const auto& [file, begin, end] = ranges[i];
    check(std::get<0>(ranges[i - 1]) != file || std::get<2>(ranges[i - 1]) <= begin,
          "{}: two arrays share byte {} of {}", where, begin, manifest.files[file].name);
  }
}

}  // namespace

std::string checkpoint_file_name(std::int64_t writer, std::int64_t world) {
  return fmt::format("shard-{:05}-of-{:05}.h5", writer, world);
}

std::string manifest_text(const Manifest& manifest) {
  Json files = Json::array();
  for (const ManifestFile& file : manifest.files) {
    Json blocks = Json::array();
    for (const std::uint64_t block : file.blocks) blocks.push_back(hex(block));
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"blocks", std::move(blocks)}});
  }
  Json tensors = Json::array();
  for (const ManifestTensor& tensor : manifest.tensors) tensors.push_back(to_json(tensor));
  Json body = {{"format", kFormat},
               {"version", kVersion},
               {"run", manifest.run},
               {"attempt", manifest.attempt},
               {"parent_step", manifest.parent_step},
               {"world", manifest.world},
               {"config", manifest.config_hash},
               {"train", to_json(manifest.train)},
               {"files", std::move(files)},
               {"tensors", std::move(tensors)}};
  const std::string checksum = hex(xxh3_128(to_text(body)));
  return to_text({{"manifest", std::move(body)}, {"xxh3_128", checksum}});
}

Manifest parse_manifest(std::string_view text, const std::string& where, ManifestScope scope) {
  check(text.size() <= kManifestLimit, "{}: {} bytes, at most {} expected", where, text.size(), kManifestLimit);
  const Json whole = parse_json(text, where);
  check_json_keys(whole, {"manifest", "xxh3_128"}, where);
  const Json& body = json_object(whole, "manifest", where);
  const std::string checksum = hex(xxh3_128(to_text(body)));
  check(json_text(whole, "xxh3_128", where) == checksum, "{}: its checksum is {}, its content has {}: damaged", where,
        json_text(whole, "xxh3_128", where), checksum);
  check(to_text(whole) == text, "{}: not the bytes that were written: damaged", where);
  check_json_keys(
      body, {"format", "version", "run", "attempt", "parent_step", "world", "config", "train", "files", "tensors"},
      where);
  check(json_text(body, "format", where) == kFormat && json_int(body, "version", where) == kVersion,
        "{}: format '{}' version {}, this program reads '{}' version {}", where, json_text(body, "format", where),
        json_int(body, "version", where), kFormat, kVersion);
  Manifest manifest;
  manifest.run = json_text(body, "run", where);
  manifest.attempt = static_cast<std::int64_t>(json_size(body, "attempt", where));
  manifest.parent_step = static_cast<std::int64_t>(json_size(body, "parent_step", where));
  manifest.world = static_cast<std::int64_t>(json_size(body, "world", where));
  check(manifest.world >= 1 && manifest.world <= 1000000, "{}: world = {}", where, manifest.world);
  manifest.config_hash = json_text(body, "config", where);
  manifest.train = read_train(json_object(body, "train", where), where);
  std::set<std::string> names;
  for (const Json& file : json_array(body, "files", where)) {
    manifest.files.push_back(read_file_entry(file, manifest, where));
    check(names.insert(manifest.files.back().name).second, "{}: file {} twice", where, manifest.files.back().name);
  }
  names.clear();
  for (const Json& tensor : json_array(body, "tensors", where)) {
    manifest.tensors.push_back(read_tensor(tensor, manifest, where));
    check(names.insert(manifest.tensors.back().name).second, "{}: tensor {} twice", where,
          manifest.tensors.back().name);
    if (scope == ManifestScope::whole) check_cover(manifest.tensors.back(), where);
  }
  check_disjoint(manifest, where);
  return manifest;
}

void check_same_model(const Manifest& manifest, const ParamTable& table, const std::string& where) {
  std::map<std::string_view, const Shape*> theirs;
  for (const ManifestTensor& tensor : manifest.tensors) theirs.emplace(tensor.name, &tensor.shape);
  std::vector<std::string> differences;
  for (const auto& block : table.blocks()) {
    for (const ParamSpec& spec : block) {
      const auto found = theirs.find(spec.name);
      if (found == theirs.end()) {
        differences.push_back(fmt::format("{} {} is missing there", spec.name, to_string(spec.shape)));
        continue;
      }
      if (*found->second != spec.shape) {
        differences.push_back(fmt::format("{} is {} there and {} in this configuration", spec.name,
                                          to_string(*found->second), to_string(spec.shape)));
      }
      theirs.erase(found);
    }
  }
  for (const auto& [name, shape] : theirs) {
    differences.push_back(fmt::format("{} {} is there alone", name, to_string(*shape)));
  }
  if (differences.empty()) return;
  const std::size_t shown = std::min<std::size_t>(differences.size(), 3);
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? "" : "; ") + differences[i];
  if (shown < differences.size()) text += fmt::format("; and {} more", differences.size() - shown);
  fail_usage("{} holds another model: {}. Use the configuration that it was made with, or another folder", where, text);
}

}  // namespace trireme
