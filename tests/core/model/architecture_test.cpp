// SPDX-License-Identifier: Apache-2.0
// Every preset has the published number of parameters, by the formula and by what the built model declares.
#include "core/model/architecture.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <set>

#include "core/base/error.h"
#include "core/model/model.h"

namespace trireme {
namespace {

struct Preset {
  std::string file, name;
  std::int64_t parameters = 0;
  Architecture architecture;
};

Preset read_preset(const std::filesystem::path& path) {
  const YAML::Node node = YAML::LoadFile(path.string());
  Preset preset;
  preset.file = path.stem().string();
  preset.name = node["name"].as<std::string>();
  preset.parameters = node["parameters"].as<std::int64_t>();
  Architecture& a = preset.architecture;
  a.family = node["family"].as<std::string>() == "gpt2" ? Family::gpt2 : Family::llama;
  a.vocabulary = node["vocabulary"].as<std::int64_t>();
  a.context = node["context"].as<std::int64_t>();
  a.layers = node["layers"].as<std::int64_t>();
  a.width = node["width"].as<std::int64_t>();
  a.heads = node["heads"].as<std::int64_t>();
  a.kv_heads = node["kv_heads"].as<std::int64_t>();
  a.head_size = node["head_size"].as<std::int64_t>();
  a.feed_forward = node["feed_forward"].as<std::int64_t>();
  a.norm_eps = node["norm_eps"].as<double>();
  a.tied = node["tied"].as<bool>();
  a.qkv_bias = node["qkv_bias"].as<bool>();
  if (node["rope"]) a.rope.theta = node["rope"]["theta"].as<double>();
  return preset;
}

std::vector<Preset> presets() {
  std::vector<Preset> all;
  const std::filesystem::path folder = std::filesystem::path(TRIREME_SOURCE_DIR) / "configs" / "models";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) all.push_back(read_preset(entry.path()));
  return all;
}

TEST(Presets, HaveThePublishedNumberOfParameters) {
  for (const Preset& preset : presets()) {
    SCOPED_TRACE(preset.file);
    EXPECT_EQ(parameter_count(preset.architecture), preset.parameters);
    EXPECT_EQ(Model(preset.architecture).params().count(), preset.parameters);
  }
}

TEST(Presets, NameEveryModelThatIsPromised) {
  // Published counts, written here a second time: a preset must not drift together with its own number.
  const std::set<std::pair<std::string, std::int64_t>> promised = {
      {"gpt2_124m", 124'439'808},     {"gpt2_355m", 354'823'168},      {"gpt2_774m", 774'030'080},
      {"gpt2_1558m", 1'557'611'200},  {"gpt3_125m", 125'226'240},      {"gpt3_350m", 355'871'744},
      {"gpt3_760m", 760'300'032},     {"gpt3_1300m", 1'315'723'264},   {"gpt3_2700m", 2'651'553'280},
      {"gpt3_6700m", 6'658'404'352},  {"gpt3_13b", 12'853'386'240},    {"gpt3_175b", 174'604'259'328},
      {"llama2_7b", 6'738'415'616},   {"llama2_13b", 13'015'864'320},  {"llama2_70b", 68'976'648'192},
      {"llama31_8b", 8'030'261'248},  {"llama31_70b", 70'553'706'496}, {"llama31_405b", 405'853'388'800},
      {"llama32_1b", 1'235'814'400},  {"llama32_3b", 3'212'749'824},   {"qwen25_0.5b", 494'032'768},
      {"qwen25_1.5b", 1'543'714'304}, {"qwen25_7b", 7'615'616'512},
  };
  std::set<std::pair<std::string, std::int64_t>> found;
  for (const Preset& preset : presets()) found.emplace(preset.file, preset.parameters);
  for (const auto& one : promised) EXPECT_TRUE(found.contains(one)) << one.first << " " << one.second;
}

TEST(ParamTable, NamesAreUniqueAndOnlyMatricesDecay) {
  for (const Preset& preset : presets()) {
    std::set<std::string> names;
    const ParamTable table = Model(preset.architecture).params();
    for (const auto& block : table.blocks()) {
      for (const ParamSpec& spec : block) {
        EXPECT_TRUE(names.insert(spec.name).second) << preset.file << ": " << spec.name;
        EXPECT_EQ(spec.decay, spec.shape.rank() == 2) << preset.file << ": " << spec.name;
      }
    }
  }
}

TEST(ParamTable, SectionsOfACutCoverTheirDim) {
  for (const Preset& preset : presets()) {
    const ParamTable table = Model(preset.architecture).params();
    for (const auto& block : table.blocks()) {
      for (const ParamSpec& spec : block) {
        if (spec.cut.dim < 0 || spec.cut.sections.empty()) continue;
        std::int64_t covered = 0;
        for (const Section& section : spec.cut.sections) covered += section.size;
        EXPECT_EQ(covered, spec.shape[spec.cut.dim]) << preset.file << ": " << spec.name;
      }
    }
  }
}

// 12 layers of 12 * 768^2 and the head's 50257 * 768; attention at T = 1024 adds 6 * 12 * 768 * 1024.
TEST(Architecture, CountsFlopsOfGpt2) {
  const Architecture gpt2;
  EXPECT_EQ(matmul_parameter_count(gpt2), 12LL * 12 * 768 * 768 + 50257LL * 768);
  EXPECT_DOUBLE_EQ(training_flops_per_token(gpt2, 1024),
                   6.0 * static_cast<double>(matmul_parameter_count(gpt2)) + 6.0 * 12 * 768 * 1024);
}

TEST(Model, RefusesShapesThatCannotBe) {
  EXPECT_THROW(Model({.heads = 12, .kv_heads = 5}), Error);
  EXPECT_THROW(Model({.family = Family::llama, .head_size = 63}), Error);
  EXPECT_THROW(Model({.layers = 0}), Error);
  EXPECT_THROW(Model(Architecture{}, 0), Error);
  Model model{Architecture{}};
  model.params();
  Plan plan(Saving::keep);
  EXPECT_THROW(model.plan(plan, {.batch = 1, .time = 1025}), Error);
}

}  // namespace
}  // namespace trireme
