// SPDX-License-Identifier: Apache-2.0
#include "tests/parity/traffic_formula.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace trireme {
namespace {

using std::int64_t;

constexpr int64_t kF32 = 4;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t unit) { return ceil_div(a, unit) * unit; }

/// Who on the tensor axis has the same elements.
enum class Holder { alone, neighbours, everyone };

struct Run {
  int64_t elements;
  Holder holder = Holder::alone;
};
/// A parameter as one rank has it: in more than one run where only some of its rows are copied.
using Parameter = std::vector<Run>;

/// A block laid out flat: every parameter begins at a multiple of 64 elements, and the end is padded to one of 64 times
/// the shard axis. A run lasts until another holder's begins.
struct FlatBlock {
  struct Stretch {
    int64_t begin, end;
    Holder holder;
  };
  int64_t elements = 0;
  std::vector<Stretch> stretches;
};

FlatBlock flat(const std::vector<Parameter>& parameters, int64_t shards) {
  FlatBlock block;
  int64_t at = 0;
  for (const Parameter& parameter : parameters) {
    at = round_up(at, 64);
    for (const Run& run : parameter) {
      if (block.stretches.empty() || block.stretches.back().holder != run.holder) {
        if (!block.stretches.empty()) block.stretches.back().end = at;
        block.stretches.push_back({at, at, run.holder});
      }
      at += run.elements;
    }
  }
  block.elements = round_up(at, 64 * shards);
  block.stretches.back().end = block.elements;
  return block;
}

/// What one rank of the tensor axis has of each matrix's cut side.
struct LocalSizes {
  LocalSizes(const Architecture& a, int64_t t)
      : vocabulary(round_up(ceil_div(a.vocabulary, t), a.vocabulary >= 1024 ? 64 : 1)),
        queries(a.kv_heads >= t ? ceil_div(a.kv_heads, t) * (a.heads / a.kv_heads) * a.head_size
                                : a.heads * a.head_size / t),
        keys(std::max<int64_t>(ceil_div(a.kv_heads, t), 1) * a.head_size),
        feed_forward(ceil_div(a.feed_forward, t)),
        key_holder(a.kv_heads < t ? Holder::neighbours : Holder::alone),
        whole(t > 1 ? Holder::everyone : Holder::alone) {}
  int64_t vocabulary, queries, keys, feed_forward;
  Holder key_holder, whole;
};

FlatBlock embedding(const Architecture& a, const LocalSizes& local, int64_t shards) {
  std::vector<Parameter> parameters{{{local.vocabulary * a.width}}};
  if (a.family == Family::gpt2) parameters.push_back({{a.context * a.width, local.whole}});
  return flat(parameters, shards);
}

FlatBlock transformer_block(const Architecture& a, const LocalSizes& local, int64_t shards) {
  const bool gpt2 = a.family == Family::gpt2;
  const int64_t d = a.width;
  const int64_t raised = (gpt2 ? 1 : 2) * local.feed_forward;
  const auto qkv = [&](int64_t columns) {
    return Parameter{{local.queries * columns}, {2 * local.keys * columns, local.key_holder}};
  };
  std::vector<Parameter> parameters{qkv(d), {{d * local.queries}}, {{raised * d}}, {{d * local.feed_forward}}};
  // Two norms; in GPT-2 each with a bias, and those of the projections back to the residual stream.
  for (int i = 0; i < (gpt2 ? 6 : 2); ++i) parameters.push_back({{d, local.whole}});
  if (a.qkv_bias) parameters.push_back(qkv(1));
  if (gpt2) parameters.push_back({{raised}});
  return flat(parameters, shards);
}

FlatBlock head(const Architecture& a, const LocalSizes& local, int64_t shards) {
  std::vector<Parameter> parameters;
  if (!a.tied) parameters.push_back({{local.vocabulary * a.width}});
  for (int i = 0; i < (a.family == Family::gpt2 ? 2 : 1); ++i) parameters.push_back({{a.width, local.whole}});
  return flat(parameters, shards);
}

class Formula {
 public:
  Formula(const TrafficCase& c, const MeshPlace& place)
      : c_(c),
        place_(place),
        micro_steps_(c.train.global_batch / (c.mesh.data() * c.train.micro_batch)),
        element_(c.train.precision == Dtype::bf16 ? 2 : 4) {
    const LocalSizes local(c.architecture, c.mesh.tensor);
    blocks_.push_back(embedding(c.architecture, local, c.mesh.shard));
    for (int64_t i = 0; i < layers(); ++i) {
      blocks_.push_back(transformer_block(c.architecture, local, c.mesh.shard));
    }
    blocks_.push_back(head(c.architecture, local, c.mesh.shard));
    for (const FlatBlock& block : blocks_) elements_ += block.elements;
  }

  std::map<std::string, std::size_t> memory() const {
    const int64_t shards = c_.mesh.shard;
    const int64_t piece = elements_ / shards;
    const bool bf16 = element_ == 2;
    const int64_t ends[] = {blocks_.front().elements, blocks_.back().elements};
    const int64_t largest = std::max({ends[0], ends[1], blocks_[1].elements});
    const int64_t places = std::min<int64_t>(layers(), 2) * blocks_[1].elements +
                           (c_.architecture.tied ? ends[0] + ends[1] : std::max(ends[0], ends[1]));
    int64_t copies = bf16 ? 2 * elements_ : kF32 * (elements_ - piece);
    int64_t buffers = 0;
    if (shards > 1 && c_.stage == ZeroStage::parameters) {
      copies = bf16 ? 2 * piece : 0;
      buffers += element_ * places;
    }
    const bool leased = shards > 1 && sums_often();
    if (leased) buffers += kF32 * (places + largest / shards);
    if (shards > 1 && c_.reduce_dtype == Dtype::bf16) buffers += 2 * largest;
    const auto bytes = [](int64_t n) { return static_cast<std::size_t>(n); };
    return {{"masters", bytes(kF32 * piece)},
            {"moments", bytes(2 * kF32 * piece)},
            {"gradients", bytes(kF32 * (leased ? piece : elements_))},
            {"copies", bytes(copies)},
            {"buffers", bytes(buffers)}};
  }

  StepTraffic step() {
    if (c_.mesh.shard > 1) {
      gather_weights();
      scatter_gradients();
      add("shard", CollectiveKind::all_reduce, 1, kF32);  // the norm
    }
    if (c_.mesh.replica > 1) {
      add("replica", CollectiveKind::all_reduce, layers() + 2, kF32 * elements_ / c_.mesh.shard);
    }
    if (c_.mesh.data() > 1) add("data", CollectiveKind::all_reduce, 2, 2 * kF32 + 5 * kF32);
    if (c_.mesh.tensor > 1) {
      for (int64_t i = 0; i < micro_steps_; ++i) activations();
      shared_gradients();
      add("tensor", CollectiveKind::all_reduce, 2, 2 * kF32);  // the norm, requests to stop
    }
    return traffic_;
  }

 private:
  int64_t layers() const { return c_.architecture.layers; }
  bool sums_often() const { return c_.stage != ZeroStage::optimizer && c_.reduce == ReduceEvery::micro_step; }

  void add(const char* axis, CollectiveKind kind, int64_t messages, int64_t bytes) {
    if (messages == 0) return;
    Sent& sent = traffic_[{axis, kind}];
    sent.messages += messages;
    sent.bytes += bytes;
  }

  void gather_weights() {
    int64_t messages = layers() + 2;
    int64_t elements = elements_;
    if (c_.stage == ZeroStage::parameters) {
      const int64_t ends = blocks_.front().elements + blocks_.back().elements;
      const int64_t inner = blocks_[1].elements;
      // Once a step where the ends are tied: both stay. Otherwise each takes the other's place in each pass.
      const int64_t of_ends = c_.architecture.tied ? 1 : micro_steps_;
      // Every block once; then every change of direction finds the two that were used last in their places.
      const int64_t turned = std::max<int64_t>(layers() - 2, 0);
      const int64_t of_inner = layers() + (2 * micro_steps_ - 1) * turned;
      messages = 2 * of_ends + of_inner;
      elements = of_ends * ends + of_inner * inner;
    }
    add("shard", CollectiveKind::all_gather, messages, element_ * elements);
  }

  void scatter_gradients() {
    const int64_t times = sums_often() ? micro_steps_ : 1;
    const int64_t element = c_.reduce_dtype == Dtype::bf16 ? 2 : 4;
    add("shard", CollectiveKind::reduce_scatter, times * (layers() + 2), times * element * elements_);
  }

  /// The rows of one micro-step over the tensor axis.
  void activations() {
    const int64_t rows = c_.train.micro_batch * c_.train.sequence;
    const int64_t stream = element_ * rows * c_.architecture.width;
    const int64_t again = c_.train.recompute == Recompute::full ? layers() - 1 : 0;
    // Forward: two pairs a block, one gather for the head, one sum of the embedding. Backward: the transposes, and a
    // second gather of each of the two inputs for the weights' gradients.
    const int64_t gathers = 2 * (layers() + again) + 1 + 4 * layers() + 1;
    const int64_t scatters = 2 * (layers() + again) + 1 + 2 * layers() + 1;
    add("tensor", CollectiveKind::all_gather, gathers, gathers * stream);
    add("tensor", CollectiveKind::reduce_scatter, scatters, scatters * stream);
    // Two bf16 rows at least, for evaluation reads them as one in fp32.
    const int64_t asked = c_.train.head_rows > 0 ? c_.train.head_rows : 8192;  // what a GPU takes by itself
    const int64_t chunk = std::clamp<int64_t>(asked, element_ == 2 ? 2 : 1, std::max<int64_t>(rows, 2));
    add("tensor", CollectiveKind::all_gather, ceil_div(rows, chunk), rows * c_.mesh.tensor * 4 * kF32);
  }

  /// Gradients of what several ranks of the tensor axis hold: a message for each stretch of this rank's pieces.
  void shared_gradients() {
    for (const FlatBlock& block : blocks_) {
      const int64_t piece = block.elements / c_.mesh.shard;
      for (const FlatBlock::Stretch& stretch : block.stretches) {
        const int64_t begin = std::max(stretch.begin, piece * place_.shard);
        const int64_t end = std::min(stretch.end, piece * (place_.shard + 1));
        if (stretch.holder == Holder::alone || begin >= end) continue;
        add(stretch.holder == Holder::everyone ? "tensor" : "copies", CollectiveKind::all_reduce, 1,
            kF32 * (end - begin));
      }
    }
  }

  const TrafficCase& c_;
  const MeshPlace place_;
  const int64_t micro_steps_;
  const int64_t element_;  // bytes in the compute dtype
  std::vector<FlatBlock> blocks_;
  int64_t elements_ = 0;
  StepTraffic traffic_;
};

}  // namespace

std::ostream& operator<<(std::ostream& out, const Sent& sent) {
  return out << sent.messages << " messages of " << sent.bytes << " bytes";
}

StepTraffic step_traffic(const TrafficCase& c, const MeshPlace& place) { return Formula(c, place).step(); }
std::map<std::string, std::size_t> store_bytes(const TrafficCase& c) { return Formula(c, {}).memory(); }

}  // namespace trireme
