// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/attention_plan.h"

#include <cudnn_frontend.h>
#include <fmt/format.h>

#include <map>
#include <string>
#include <unordered_map>
#include <utility>
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
  kValueGradient,
  kLengths,
  kQkvBegin,
  kOutBegin,
  kStatsBegin
};

void check_cudnn(cudnnStatus_t status, const char* what) {
  trireme::check(status == CUDNN_STATUS_SUCCESS, "cuDNN: {}: {}", what, cudnnGetErrorString(status));
}

/// Heads of a packed tensor whose rows are `row` elements apart.
struct Heads {
  std::vector<std::int64_t> dim, stride;
  Attributes begin = nullptr;  // of each sequence, in elements, with documents
};
Heads heads_of(const AttentionKey& key, std::int64_t heads, std::int64_t row, Attributes begin) {
  return {{key.batch, heads, key.time, key.size}, {key.time * row, key.size, row, 1}, std::move(begin)};
}

fe::graph::Tensor_attributes attributes(const char* name, Uid uid, const Heads& heads) {
  auto tensor = fe::graph::Tensor_attributes().set_name(name).set_uid(uid).set_dim(heads.dim).set_stride(heads.stride);
  if (heads.begin) tensor.set_ragged_offset(heads.begin);
  return tensor;
}

Attributes input(fe::graph::Graph& graph, const char* name, Uid uid, const Heads& heads) {
  return graph.tensor(attributes(name, uid, heads));
}

void output(const Attributes& tensor, Uid uid, const Heads& heads) {
  tensor->set_output(true).set_uid(uid).set_dim(heads.dim).set_stride(heads.stride);
  if (heads.begin) tensor->set_ragged_offset(heads.begin);
}

/// What a graph has beside the tensors with documents; without them nothing.
struct Sequences {
  Attributes lengths, qkv_begin, y_begin, lse_begin;
};
Sequences sequences_of(fe::graph::Graph& graph, const AttentionKey& key) {
  if (key.row_time == 0) return {};
  const auto table = [&](const char* name, Uid uid, std::int64_t count, fe::DataType_t type) {
    return graph.tensor(fe::graph::Tensor_attributes()
                            .set_name(name)
                            .set_uid(uid)
                            .set_dim({count, 1, 1, 1})
                            .set_stride({1, 1, 1, 1})
                            .set_data_type(type));
  };
  return {table("lengths", kLengths, key.batch, fe::DataType_t::INT32),
          table("qkv_begin", kQkvBegin, key.batch + 1, fe::DataType_t::INT64),
          table("y_begin", kOutBegin, key.batch + 1, fe::DataType_t::INT64),
          table("lse_begin", kStatsBegin, key.batch + 1, fe::DataType_t::INT64)};
}

template <class Options>
void mask(Options& options, const Sequences& sequences) {
  options.set_causal_mask(true);
  if (sequences.lengths) {
    options.set_padding_mask(true).set_seq_len_q(sequences.lengths).set_seq_len_kv(sequences.lengths);
  }
}

/// lse [B, H, T], of which a sequence has a part of each head's row.
Heads stats_of(const AttentionKey& key, Attributes begin) {
  const std::int64_t time = key.row_time == 0 ? key.time : key.row_time;
  return {{key.batch, key.heads, key.time, 1}, {key.heads * time, time, 1, 1}, std::move(begin)};
}

struct Plan {
  std::shared_ptr<fe::graph::Graph> graph;  // none where cuDNN has no engine
  std::size_t workspace = 0;
  std::string refusal;  // cuDNN's words where there is none
};

void add_forward(fe::graph::Graph& graph, const AttentionKey& key) {
  const std::int64_t row = (key.heads + 2 * key.kv_heads) * key.size;
  const Sequences sequences = sequences_of(graph, key);
  const auto q = input(graph, "q", kQuery, heads_of(key, key.heads, row, sequences.qkv_begin));
  const auto k = input(graph, "k", kKey, heads_of(key, key.kv_heads, row, sequences.qkv_begin));
  const auto v = input(graph, "v", kValue, heads_of(key, key.kv_heads, row, sequences.qkv_begin));
  auto options = fe::graph::SDPA_attributes().set_name("attention").set_generate_stats(true).set_attn_scale(key.scale);
  mask(options, sequences);
  const auto [out, stats] = graph.sdpa(q, k, v, options);
  output(out, kOut, heads_of(key, key.heads, key.heads * key.size, sequences.y_begin));
  output(stats, kStats, stats_of(key, sequences.lse_begin));
  stats->set_data_type(fe::DataType_t::FLOAT);
}

void add_backward(fe::graph::Graph& graph, const AttentionKey& key) {
  const std::int64_t row = (key.heads + 2 * key.kv_heads) * key.size;
  const Sequences sequences = sequences_of(graph, key);
  const Heads queries = heads_of(key, key.heads, row, sequences.qkv_begin);
  const Heads keys = heads_of(key, key.kv_heads, row, sequences.qkv_begin);
  const Heads outs = heads_of(key, key.heads, key.heads * key.size, sequences.y_begin);
  const auto q = input(graph, "q", kQuery, queries);
  const auto k = input(graph, "k", kKey, keys);
  const auto v = input(graph, "v", kValue, keys);
  const auto out = input(graph, "out", kOut, outs);
  const auto d_out = input(graph, "d_out", kOutGradient, outs);
  const auto stats = input(graph, "stats", kStats, stats_of(key, sequences.lse_begin));
  stats->set_data_type(fe::DataType_t::FLOAT);
  auto options = fe::graph::SDPA_backward_attributes()
                     .set_name("attention_backward")
                     .set_attn_scale(key.scale)
                     .set_deterministic_algorithm(key.deterministic);
  mask(options, sequences);
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
  auto status = graph->build(handle, {fe::HeurMode_t::A});
  if (status.is_bad()) {
    plan.refusal = fmt::format("cuDNN {}: {}", cudnnGetVersion(), status.get_message());
    return plan;
  }
  std::int64_t bytes = 0;
  status = graph->get_workspace_size(bytes);
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

const std::string& AttentionPlans::refusal(const AttentionKey& key) { return graphs_->of(key).refusal; }

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
  if (key.row_time != 0) {
    tensors[kLengths] = memory.lengths;
    tensors[kQkvBegin] = memory.qkv_begin;
    tensors[kOutBegin] = memory.y_begin;
    tensors[kStatsBegin] = memory.lse_begin;
  }
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
