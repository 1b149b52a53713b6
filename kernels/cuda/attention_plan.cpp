// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/attention_plan.h"

#include <cudnn_frontend.h>

#include <map>
#include <unordered_map>
#include <vector>

#include "core/base/error.h"
#include "kernels/cuda/check.h"

namespace trireme::cuda {
namespace {

namespace fe = cudnn_frontend;
using Attributes = std::shared_ptr<fe::graph::Tensor_attributes>;

enum Uid : std::int64_t {
  kQuery = 1,
  kKey,
  kValue,
  kOut,
  kStats,
  kOutGradient,
  kQueryGradient,
  kKeyGradient,
  kValueGradient
};

void check_cudnn(cudnnStatus_t status, const char* what) {
  trireme::check(status == CUDNN_STATUS_SUCCESS, "cuDNN: {}: {}", what, cudnnGetErrorString(status));
}

/// Heads of a packed tensor whose rows are `row` elements apart.
struct Heads {
  std::vector<std::int64_t> dim, stride;
};
Heads heads_of(const AttentionKey& key, std::int64_t heads, std::int64_t row) {
  return {{key.batch, heads, key.time, key.size}, {key.time * row, key.size, row, 1}};
}

Attributes input(fe::graph::Graph& graph, const char* name, Uid uid, const Heads& heads) {
  return graph.tensor(
      fe::graph::Tensor_attributes().set_name(name).set_uid(uid).set_dim(heads.dim).set_stride(heads.stride));
}

void output(const Attributes& tensor, Uid uid, const Heads& heads) {
  tensor->set_output(true).set_uid(uid).set_dim(heads.dim).set_stride(heads.stride);
}

Heads stats_of(const AttentionKey& key) {
  return {{key.batch, key.heads, key.time, 1}, {key.heads * key.time, key.time, 1, 1}};
}

struct Plan {
  std::shared_ptr<fe::graph::Graph> graph;  // none where cuDNN has no engine
  std::size_t workspace = 0;
};

void add_forward(fe::graph::Graph& graph, const AttentionKey& key) {
  const std::int64_t row = (key.heads + 2 * key.kv_heads) * key.size;
  const auto q = input(graph, "q", kQuery, heads_of(key, key.heads, row));
  const auto k = input(graph, "k", kKey, heads_of(key, key.kv_heads, row));
  const auto v = input(graph, "v", kValue, heads_of(key, key.kv_heads, row));
  auto options = fe::graph::SDPA_attributes().set_name("attention").set_generate_stats(true).set_attn_scale(key.scale);
  options.set_causal_mask(true);
  const auto [out, stats] = graph.sdpa(q, k, v, options);
  output(out, kOut, heads_of(key, key.heads, key.heads * key.size));
  output(stats, kStats, stats_of(key));
  stats->set_data_type(fe::DataType_t::FLOAT);
}

void add_backward(fe::graph::Graph& graph, const AttentionKey& key) {
  const std::int64_t row = (key.heads + 2 * key.kv_heads) * key.size;
  const Heads queries = heads_of(key, key.heads, row);
  const Heads keys = heads_of(key, key.kv_heads, row);
  const Heads outs = heads_of(key, key.heads, key.heads * key.size);
  const auto q = input(graph, "q", kQuery, queries);
  const auto k = input(graph, "k", kKey, keys);
  const auto v = input(graph, "v", kValue, keys);
  const auto out = input(graph, "out", kOut, outs);
  const auto d_out = input(graph, "d_out", kOutGradient, outs);
  const auto stats = input(graph, "stats", kStats, stats_of(key));
  stats->set_data_type(fe::DataType_t::FLOAT);
  auto options = fe::graph::SDPA_backward_attributes()
                     .set_name("attention_backward")
                     .set_attn_scale(key.scale)
                     .set_deterministic_algorithm(key.deterministic);
  options.set_causal_mask(true);
  const auto [dq, dk, dv] = graph.sdpa_backward(q, k, v, out, d_out, stats, options);
  output(dq, kQueryGradient, queries);
  output(dk, kKeyGradient, keys);
  output(dv, kValueGradient, keys);
}

Plan build(cudnnHandle_t handle, const AttentionKey& key) {
  Plan plan;
  auto graph = std::make_shared<fe::graph::Graph>();
  graph->set_io_data_type(fe::DataType_t::BFLOAT16)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  key.backward ? add_backward(*graph, key) : add_forward(*graph, key);
  if (graph->build(handle, {fe::HeurMode_t::A}).is_bad()) return plan;
  std::int64_t bytes = 0;
  auto status = graph->get_workspace_size(bytes);
  trireme::check(status.is_good(), "cuDNN: size of attention's workspace: {}", status.get_message());
  plan.workspace = static_cast<std::size_t>(bytes);
  plan.graph = std::move(graph);
  return plan;
}

}  // namespace

struct AttentionPlans::Graphs {
  cudnnHandle_t handle = nullptr;
  std::map<AttentionKey, Plan> plans;

  Graphs() { check_cudnn(cudnnCreate(&handle), "cannot start"); }
  Graphs(const Graphs&) = delete;
  Graphs& operator=(const Graphs&) = delete;
  ~Graphs() {
    plans.clear();
    cudnnDestroy(handle);
  }

  const Plan& of(const AttentionKey& key) {
    const auto hit = plans.find(key);
    return hit != plans.end() ? hit->second : plans.emplace(key, build(handle, key)).first->second;
  }
};

AttentionPlans::AttentionPlans() : graphs_(std::make_unique<Graphs>()) {}
AttentionPlans::~AttentionPlans() = default;

bool AttentionPlans::has(const AttentionKey& key) { return graphs_->of(key).graph != nullptr; }

std::size_t AttentionPlans::workspace(const AttentionKey& key) { return graphs_->of(key).workspace; }

void AttentionPlans::run(cudaStream_t stream, const AttentionKey& key, const AttentionMemory& memory, void* workspace) {
  constexpr std::size_t kBytes = 2;  // of a bf16
  const auto heads = static_cast<std::size_t>(key.heads * key.size) * kBytes;
  const auto kv = static_cast<std::size_t>(key.kv_heads * key.size) * kBytes;
  const auto at = [](void* base, std::size_t bytes) -> void* { return static_cast<std::byte*>(base) + bytes; };
  std::unordered_map<std::int64_t, void*> tensors = {{kQuery, memory.qkv},
                                                     {kKey, at(memory.qkv, heads)},
                                                     {kValue, at(memory.qkv, heads + kv)},
                                                     {kOut, memory.y},
                                                     {kStats, memory.lse}};
  if (key.backward) {
    tensors[kOutGradient] = memory.dy;
    tensors[kQueryGradient] = memory.d_qkv;
    tensors[kKeyGradient] = at(memory.d_qkv, heads);
    tensors[kValueGradient] = at(memory.d_qkv, heads + kv);
  }
  check_cudnn(cudnnSetStream(graphs_->handle, stream), "cannot take the stream");
  auto status = graphs_->of(key).graph->execute(graphs_->handle, tensors, workspace);
  trireme::check(status.is_good(), "cuDNN attention [B {}, T {}, H {}, G {}, K {}]: {}", key.batch, key.time, key.heads,
                 key.kv_heads, key.size, status.get_message());
}

}  // namespace trireme::cuda
