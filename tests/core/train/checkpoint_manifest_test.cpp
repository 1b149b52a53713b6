// SPDX-License-Identifier: Apache-2.0
#include "core/train/checkpoint_manifest.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/io/checksum.h"
#include "core/io/json.h"
#include "tests/core/io/expect_error.h"

namespace trireme {
namespace {

using trireme::testing::expect_error;
using Json = nlohmann::json;

Manifest example() {
  Manifest m;
  m.run = std::string(32, 'a');
  m.attempt = 2;
  m.world = 2;
  m.config_hash = "0123";
  m.train = {
      .step = 5, .position = 40, .tokens = 4000, .skipped = 2, .means = {.loss = 3.1F, .norm = 1e-30F, .updates = 3}};
  m.files = {{"shard-00000-of-00002.h5", kCheckpointBlock + 100, {1, 2}}, {"shard-00001-of-00002.h5", 5000, {3}}};
  ManifestTensor matrix{.name = "w", .shape = {4, 6}, .digests = {}, .chunks = {}};
  matrix.digests[0] = {0x1234, 0xfedcba9876543210U};
  matrix.chunks.push_back({.file = 0, .box = {{0, 0}, {2, 6}}, .offsets = {4096, 8192, 12288}});
  matrix.chunks.push_back({.file = 1, .box = {{2, 0}, {2, 3}}, .offsets = {0, 24, 48}});
  matrix.chunks.push_back({.file = 1, .box = {{2, 3}, {2, 3}}, .offsets = {72, 96, 120}});
  ManifestTensor vector{.name = "b", .shape = {3}, .digests = {}, .chunks = {}};
  vector.chunks.push_back({.file = 1, .box = {{0}, {3}}, .offsets = {200, 212, 224}});
  m.tensors = {matrix, vector};
  return m;
}

/// A manifest that says something else and has the right checksum for it.
std::string signed_after(const std::function<void(Json&)>& change) {
  Json body = parse_json(manifest_text(example()), "m")["manifest"];
  change(body);
  const std::string checksum = hex(xxh3_128(to_text(body)));
  return to_text({{"manifest", std::move(body)}, {"xxh3_128", checksum}});
}

TEST(CheckpointManifest, ReadsWhatItWrote) {
  const std::string text = manifest_text(example());
  const Manifest m = parse_manifest(text, "m");
  EXPECT_EQ(manifest_text(m), text);
  EXPECT_EQ(m.train, example().train);
  EXPECT_EQ(m.tensors[0].digests[0], example().tensors[0].digests[0]);
  EXPECT_EQ(m.tensors[0].chunks[2].offsets, example().tensors[0].chunks[2].offsets);
  EXPECT_EQ(m.tensors[0].chunks[2].box.origin, example().tensors[0].chunks[2].box.origin);
}

TEST(CheckpointManifest, OneFromBeforeUpdatesCouldBeSkippedHasSkippedNone) {
  const Manifest m = parse_manifest(signed_after([](Json& body) {
                                      body["train"].erase("skipped");
                                      body["train"].erase("means");
                                    }),
                                    "m");
  EXPECT_EQ(m.train, (TrainState{.step = 5, .position = 40, .tokens = 4000}));
}

TEST(CheckpointManifest, NoFlippedBitAndNoCutGoesUnnoticed) {
  const std::string text = manifest_text(example());
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const int bit : {0, 3, 5, 7}) {
      std::string damaged = text;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      EXPECT_THROW(parse_manifest(damaged, "m"), Error) << "bit " << bit << " of byte " << at;
    }
    EXPECT_THROW(parse_manifest(std::string_view(text).substr(0, at), "m"), Error) << "cut at " << at;
  }
  EXPECT_THROW(parse_manifest(text + "\n", "m"), Error);
}

TEST(CheckpointManifest, RefusesWhatCannotBe) {
  struct Case {
    std::function<void(Json&)> change;
    std::string says;
  };
  const auto matrix = [](Json& m) -> Json& { return m["tensors"][0]; };
  const Case cases[] = {
      {[](Json& m) { m["version"] = 2; }, "version 2"},
      {[](Json& m) { m["format"] = "other"; }, "format"},
      {[](Json& m) { m["extra"] = 1; }, "unknown key"},
      {[](Json& m) { m.erase("train"); }, "train"},
      {[](Json& m) { m["world"] = 0; }, "world = 0"},
      {[](Json& m) { m["train"]["step"] = -1; }, "step"},
      {[](Json& m) { m["train"]["step"] = 1.0; }, "step"},
      {[](Json& m) { m["train"]["skipped"] = -1; }, "skipped"},
      {[](Json& m) { m["train"]["means"]["norm_bits"] = 1LL << 32; }, "not a number of 32 bits"},
      {[](Json& m) { m["train"]["means"].erase("updates"); }, "updates"},
      {[](Json& m) { m["files"][0]["name"] = "../../etc/passwd"; }, "cannot be called"},
      {[](Json& m) { m["files"][0]["name"] = "shard-00002-of-00002.h5"; }, "cannot be called"},
      {[](Json& m) { m["files"][0]["name"] = "shard-00000-of-00002.h5/../x"; }, "cannot be called"},
      {[](Json& m) { m["files"][1]["name"] = "shard-00000-of-00002.h5"; }, "twice"},
      {[](Json& m) { m["files"][0]["bytes"] = 1; }, "blocks"},
      {[](Json& m) { m["files"][0]["blocks"][0] = "xyz"; }, ""},
      {[](Json& m) { m["tensors"][1]["name"] = "w"; }, "twice"},
      {[&](Json& m) { matrix(m)["dtype"] = "bf16"; }, "dtype"},
      {[&](Json& m) {
         matrix(m)["shape"] = {4, 7};
       },
       "24 elements"},
      {[&](Json& m) {
         matrix(m)["shape"] = {1, 1, 1, 1, 24};
       },
       "numbers"},
      {[&](Json& m) {
         matrix(m)["shape"] = {1LL << 40, 1LL << 40, 1LL << 40};
       },
       "2^50"},
      {[&](Json& m) {
         matrix(m)["shape"] = {4, 0};
       },
       "whole numbers"},
      {[&](Json& m) { matrix(m)["chunks"].erase(2); }, "18 elements"},
      {[&](Json& m) {
         matrix(m)["chunks"][2]["origin"] = {2, 2};
       },
       "same element"},
      {[&](Json& m) {
         matrix(m)["chunks"][2]["origin"] = {2, 4};
       },
       "leaves the tensor"},
      {[&](Json& m) { matrix(m)["chunks"][2]["origin"] = {2}; }, "2 dims"},
      {[&](Json& m) { matrix(m)["chunks"][2]["file"] = 2; }, "file 2 of 2"},
      {[&](Json& m) { matrix(m)["chunks"][2]["offsets"]["first"] = 4990; }, "outside"},
      {[&](Json& m) { matrix(m)["chunks"][2]["offsets"]["first"] = INT64_MAX; }, "outside"},
      {[&](Json& m) { matrix(m)["chunks"][2]["offsets"]["first"] = 119; }, "share byte"},
      {[&](Json& m) { matrix(m)["chunks"][2]["offsets"]["third"] = 0; }, "unknown key"},
      {[&](Json& m) { matrix(m)["digests"]["master"] = "12"; }, ""},
  };
  for (const Case& c : cases) {
    const std::string text = signed_after(c.change);
    ASSERT_NE(text, manifest_text(example()));
    expect_error([&] { parse_manifest(text, "the manifest"); }, {"the manifest", c.says});
  }
}

}  // namespace
}  // namespace trireme
