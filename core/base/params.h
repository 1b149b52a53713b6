// SPDX-License-Identifier: Apache-2.0
// Parameters: what the model declares (ParamTable) and where they live between uses (ParamStore).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/device.h"
#include "core/base/tensor.h"

namespace trireme {

/// The parameter's place: which block leases it, and which one of the block it is.
struct ParamId {
  int block = 0;
  int index = 0;
};

/// How a parameter starts.
struct Init {
  enum class Kind { zeros, ones, normal } kind = Kind::zeros;
  float std = 0.0F;
};

/// Where the tensor axis cuts a parameter: along dim `dim`; none: every rank of the axis holds it whole. A rank gets
/// its equal part of each section (queries, keys and values, or gate and up, packed in one matrix).
struct Cut {
  int dim = -1;
  std::vector<std::int64_t> sections;  // sizes along dim, in order; empty: one section
};

struct ParamSpec {
  std::string name;  // canonical, dotted: "blocks.3.attention.qkv.weight"
  Shape shape;       // global and unpadded
  Init init;
  bool decay = false;  // weight decay applies
  Cut cut;
};

/// Everything the model declares, block by block, in the order of the forward pass.
class ParamTable {
 public:
  /// Declares a parameter of the block; blocks are numbered from 0 without gaps.
  ParamId add(int block, ParamSpec spec);
  const std::vector<std::vector<ParamSpec>>& blocks() const { return blocks_; }
  const ParamSpec& operator[](ParamId id) const;
  /// Parameters, each counted once.
  std::int64_t count() const;

 private:
  std::vector<std::vector<ParamSpec>> blocks_;
};

/// The tensors of one leased block, by ParamId::index.
class Weights {
 public:
  Weights() = default;
  explicit Weights(std::span<const Tensor> tensors) : tensors_(tensors) {}
  const Tensor& operator[](ParamId id) const { return tensors_[static_cast<std::size_t>(id.index)]; }

 private:
  std::span<const Tensor> tensors_;
};

/// A range of parameters as the optimizer sees it: flat, on this rank, all with or all without weight decay.
struct FlatRange {
  Tensor master;    // [n] f32
  Tensor first;     // [n] f32
  Tensor second;    // [n] f32
  Tensor gradient;  // [n] f32
  Tensor copy;      // [n] bf16, or empty when the compute dtype is fp32
  bool decay = false;
};

/// A named box of a global tensor that lies contiguous in this rank's memory.
struct NamedSlice {
  std::string name;                                    // "blocks.3.mlp.up.weight"
  Shape global;                                        // global, unpadded shape
  std::array<std::int64_t, Shape::kMaxRank> origin{};  // of the box within the global tensor
  Shape extent;                                        // of the box; same rank as global
  Tensor master, first, second;                        // f32, each of extent's elements
};

/// Which slices: those that this rank holds (to load), or those that it alone is to write (each element of the model
/// belongs to exactly one rank).
enum class SliceKind { held, owned };

/// Where parameters, their gradients and the optimizer's moments live between uses. Kinds: replicated, sharded.
/// Calls name blocks; weights of a block are valid in stream order between acquire and release.
class ParamStore {
 public:
  virtual ~ParamStore() = default;

  /// Before the first micro-step: gradients become zero.
  virtual void begin_step(Stream& compute) = 0;
  /// A hint that `block` is wanted next; starts whatever makes it available.
  virtual void prefetch(int block) = 0;
  /// The block's weights in the compute dtype.
  virtual Weights acquire(Stream& compute, int block) = 0;
  virtual void release(Stream& compute, int block) = 0;
  /// The block's gradients, f32, to be added to.
  virtual Weights gradients(Stream& compute, int block) = 0;
  /// The block's gradients are complete for this micro-step. In the last micro-step of a step (`last`) their reduction
  /// over the data axes starts, while the compute stream goes on with the next block.
  virtual void reduce(Stream& compute, int block, bool last) = 0;
  /// All reductions of the step are ordered before what `compute` does next.
  virtual void finish_reduce(Stream& compute) = 0;
  /// Adds up over ranks what each rank's flat ranges contribute to a global sum (the squared norm). No work when
  /// every rank holds everything.
  virtual void sum_over_ranges(Stream& compute, const Tensor& scalar) = 0;
  /// What this rank's optimizer updates. The same ranges on every call.
  virtual std::span<const FlatRange> ranges() = 0;
  /// The optimizer has written masters and copies: make them what the next acquire() gives.
  virtual void publish(Stream& compute) = 0;
  /// Masters were written from outside (initialisation, a checkpoint): derive the compute copies from them.
  virtual void refresh(Stream& compute) = 0;
  /// For checkpoints and initialisation.
  virtual std::vector<NamedSlice> slices(SliceKind kind) = 0;
  /// Bytes by purpose: "masters", "moments", "gradients", "copies", "buffers".
  virtual std::vector<std::pair<std::string, std::size_t>> memory() const = 0;
};

}  // namespace trireme
