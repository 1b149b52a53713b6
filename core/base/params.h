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
  enum class Kind { constant, normal } kind = Kind::constant;
  float value = 0.0F;  // the constant, or the standard deviation
};

/// A part of a dim that the tensor axis deals out on its own (queries, keys and values, or gate and up, packed in one
/// matrix), in whole units (the rows of a head).
struct Section {
  std::int64_t size = 0;  // along the dim, unpadded
  std::int64_t unit = 1;  // divides size
  /// Where units are fewer than ranks, neighbours hold the same one (`copied`), or split it in multiples of `grain`.
  std::int64_t grain = 1;
  bool copied = false;
  /// What each rank holds is padded to a multiple of this; for units of 1.
  std::int64_t multiple = 1;
};

/// Where the tensor axis cuts a parameter: along dim `dim`; none: every rank of the axis holds it whole. Each rank gets
/// as many units of each section; where they do not divide, the last ranks hold zeros that never learn.
struct Cut {
  int dim = -1;
  std::vector<Section> sections;  // in order; empty: one section of units of 1
};

struct ParamSpec {
  std::string name;  // canonical, dotted: "blocks.3.attention.qkv.weight"
  Shape shape;       // global and unpadded
  Init init;
  bool decay = false;  // weight decay applies
  Cut cut;
  float lr_scale = 1.0F;  // of the learning rate
};

/// How a piece of a parameter is held along the tensor axis: by one rank alone; by several neighbours, each of which
/// has a part of its gradient; or so by all ranks.
enum class Held { alone, by_neighbours, by_all };

/// What one rank of the tensor axis holds of a parameter: a tensor of `shape`, the same on every rank, in which
/// `pieces` lie; the rest is padding.
struct LocalParam {
  struct Piece {
    std::int64_t local = 0;   // first index along `dim` here
    std::int64_t global = 0;  // first index along `dim` of the whole parameter
    std::int64_t count = 0;   // indices; may be 0
    Held held = Held::alone;
    bool first = true;  // this rank is the first of those that hold it
  };
  Shape shape;
  int dim = 0;
  std::vector<Piece> pieces;  // in order of `local`
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
  /// Says that the last block is leased together with the first one: a tied head reads the token table.
  void tie_ends() { ends_tied_ = true; }
  bool ends_tied() const { return ends_tied_; }

 private:
  std::vector<std::vector<ParamSpec>> blocks_;
  bool ends_tied_ = false;
};

/// How many neighbours of a tensor axis of `ranks` hold the same units of the section: 1 where there are enough units.
/// Throws Error(usage) when the units can be dealt out in no way: fewer than ranks and no divisor of them.
std::int64_t copies_of(const Section& section, std::int64_t ranks);
/// Indices that each rank of a tensor axis of `ranks` holds of the section, padding included.
std::int64_t local_size(const Section& section, std::int64_t ranks);
/// What rank `rank` of a tensor axis of `ranks` holds of the parameter.
LocalParam local_param(const ParamSpec& spec, std::int64_t rank, std::int64_t ranks);

/// The tensors of one leased block, by ParamId::index.
class Weights {
 public:
  Weights() = default;
  explicit Weights(std::span<const Tensor> tensors) : tensors_(tensors) {}
  const Tensor& operator[](ParamId id) const { return tensors_[static_cast<std::size_t>(id.index)]; }

 private:
  std::span<const Tensor> tensors_;
};

/// A range of parameters as the optimizer sees it: flat, on this rank, all treated alike.
struct FlatRange {
  Tensor master;    // [n] f32
  Tensor first;     // [n] f32
  Tensor second;    // [n] f32
  Tensor gradient;  // [n] f32
  Tensor copy;      // [n] bf16, or empty when the compute dtype is fp32
  bool decay = false;
  float lr_scale = 1.0F;
  bool counted = true;  // in global sums; no: another rank of the tensor axis counts the same elements
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

/// Where parameters, their gradients and the optimizer's moments live between uses: replicated, or sharded in one of
/// the ZeRO stages (Rajbhandari et al. 2020). Calls name blocks; the weights of a block are valid in stream order
/// between acquire and release, its gradients between gradients and reduce.
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
  /// The block's gradients are complete for this micro-step: what has to be reduced now is, while the compute stream
  /// goes on with the next block. After the last micro-step of a step (`last`) they are sums over all ranks.
  virtual void reduce(Stream& compute, int block, bool last) = 0;
  /// All reductions of the step are ordered before what `compute` does next.
  virtual void finish_reduce(Stream& compute) = 0;
  /// Adds up over ranks what each rank's counted flat ranges contribute to a global sum (the squared norm). No work
  /// when every rank holds everything.
  virtual void sum_over_ranges(Stream& compute, const Tensor& scalar) = 0;
  /// What this rank's optimizer updates. The same ranges on every call.
  virtual std::span<const FlatRange> ranges() = 0;
  /// The optimizer has written masters and copies: make them what the next acquire() gives.
  virtual void publish(Stream& compute) = 0;
  /// Masters were written from outside (initialisation, a checkpoint): derive the compute copies from them.
  virtual void refresh(Stream& compute) = 0;
  /// For checkpoints and initialisation: waits for what publish() has set going, so that masters may be written.
  virtual std::vector<NamedSlice> slices(SliceKind kind) = 0;
  /// Bytes by purpose: "masters", "moments", "gradients", "copies", "buffers".
  virtual std::vector<std::pair<std::string, std::size_t>> memory() const = 0;
};

}  // namespace trireme
