// SPDX-License-Identifier: Apache-2.0
#include "tests/parity/golden.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <cstring>

#include "core/base/error.h"
#include "core/io/atomic_file.h"

namespace trireme {
namespace {

Architecture architecture_from(const nlohmann::json& j) {
  Architecture a;
  a.family = j.at("family") == "gpt2" ? Family::gpt2 : Family::llama;
  a.vocabulary = j.at("vocabulary");
  a.context = j.at("context");
  a.layers = j.at("layers");
  a.width = j.at("width");
  a.heads = j.at("heads");
  a.kv_heads = j.at("kv_heads");
  a.head_size = j.at("head_size");
  a.feed_forward = j.at("feed_forward");
  a.norm_eps = j.at("norm_eps");
  a.tied = j.at("tied");
  a.qkv_bias = j.at("qkv_bias");
  const auto& rope = j.at("rope");
  a.rope = {.theta = rope.at("theta"),
            .factor = rope.at("factor"),
            .low_frequency_factor = rope.at("low_frequency_factor"),
            .high_frequency_factor = rope.at("high_frequency_factor"),
            .original_context = rope.at("original_context")};
  return a;
}

OptimizerConfig optimizer_from(const nlohmann::json& j) {
  OptimizerConfig o;
  o.lr = j.at("lr");
  o.beta1 = j.at("beta1");
  o.beta2 = j.at("beta2");
  o.eps = j.at("eps");
  o.weight_decay = j.at("weight_decay");
  o.clip = j.at("clip");
  o.schedule = {.kind = ScheduleKind::cosine, .warmup_steps = j.at("warmup_steps"), .final_ratio = j.at("final_ratio")};
  return o;
}

template <class T>
std::vector<T> array(const std::string& bytes, const nlohmann::json& entry) {
  std::size_t elements = 1;
  for (const std::size_t dim : entry.at("shape")) elements *= dim;
  const std::size_t offset = entry.at("offset");
  check(offset + elements * sizeof(T) <= bytes.size(), "the golden file ends within an array at byte {}", offset);
  std::vector<T> values(elements);
  std::memcpy(values.data(), bytes.data() + offset, elements * sizeof(T));
  return values;
}

}  // namespace

Golden read_golden(const std::string& name) {
  const char* moved = std::getenv("TRIREME_TEST_SOURCES");  // where a bundle has them
  const std::string sources = moved == nullptr ? TRIREME_SOURCE_DIR : moved;
  const std::string stem = sources + "/tests/golden/model/" + name;
  const auto json = nlohmann::json::parse(read_file(stem + ".json", 1 << 20));
  const std::string bytes = read_file(stem + ".bin", 1 << 24);
  Golden golden;
  golden.architecture = architecture_from(json.at("architecture"));
  golden.optimizer = optimizer_from(json.at("optimizer"));
  golden.batch = json.at("batch");
  golden.time = json.at("time");
  golden.steps = json.at("steps");
  golden.loss = json.at("loss");
  golden.losses = json.at("losses").get<std::vector<double>>();
  golden.norms = json.at("norms").get<std::vector<double>>();
  golden.torch_error = json.at("torch_error").get<std::map<std::string, std::map<std::string, double>>>();
  for (const auto& [key, entry] : json.at("arrays").items()) {
    if (key == "tokens") {
      golden.tokens = array<std::int32_t>(bytes, entry);
    } else if (key == "targets") {
      golden.targets = array<std::int32_t>(bytes, entry);
    } else {
      golden.arrays[key] = array<float>(bytes, entry);
    }
  }
  return golden;
}

}  // namespace trireme
