// SPDX-License-Identifier: Apache-2.0
// Collectives along one axis of the mesh. Kinds: self, threads, mpi, nccl, dry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/device.h"
#include "core/base/tensor.h"

namespace trireme {

enum class Reduction { sum, max };

/// A set of ranks that act together. Every rank of the group makes the same calls in the same order. Collectives on
/// tensors are ordered by the stream and do not block the caller; host calls block, and are for control, not for data.
class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// "replica", "shard", "tensor", "world": for messages.
  virtual std::string_view name() const = 0;

  /// t becomes the reduction over ranks, the same bits on each. f32, bf16 or i32. Sums of bf16 are taken in fp32 and
  /// rounded once; by nccl each of the n - 1 additions is rounded to bf16, so that the sum is within (n - 1) 2^-8 of
  /// the summed magnitudes (for two ranks that is the same number). A NaN is in the sum; in a maximum, nccl may pass it
  /// over.
  virtual void all_reduce(Stream& stream, const Tensor& t, Reduction reduction = Reduction::sum) = 0;
  /// out holds every rank's `in`, by rank; `in` may lie at its place within out. out.bytes() = size * in.bytes().
  virtual void all_gather(Stream& stream, const Tensor& out, const Tensor& in) = 0;
  /// out becomes this rank's part (by rank) of the sum over ranks of `in`. in.bytes() = size * out.bytes().
  virtual void reduce_scatter(Stream& stream, const Tensor& out, const Tensor& in) = 0;
  /// t becomes root's t.
  virtual void broadcast(Stream& stream, const Tensor& t, int root) = 0;

  /// Host, by all ranks together: gathers may go into this memory by a shorter road, for as long as what is returned
  /// lives; it is let go of by all ranks together, too, before the memory and the group are. None: there is no such
  /// road. What a gather then fills lies at the same place of the memory that the same call has shared on every rank;
  /// the memory is idle and as large on all of them.
  virtual std::shared_ptr<void> share(const Buffer& /*memory*/) { return nullptr; }

  /// Host: returns when every rank has called.
  virtual void barrier() = 0;
  /// Host: element-wise over ranks, in place.
  virtual void host_reduce(std::span<double> values, Reduction reduction) = 0;
  virtual void host_reduce(std::span<std::int64_t> values, Reduction reduction) = 0;
  /// Host: wrapping sums of unsigned words (hashes, digests).
  virtual void host_sum(std::span<std::uint64_t> values) = 0;
  /// Host: root's bytes on every rank.
  virtual void host_broadcast(std::string& bytes, int root) = 0;
  /// Host: every rank's bytes, by rank, on every rank.
  virtual std::vector<std::string> host_gather(const std::string& bytes) = 0;
  /// Host: 0, 1, 2, ... each number handed out once over the whole group, to whoever asks next. `reset_tickets` (by all
  /// ranks together) starts again from 0. For dynamic work distribution.
  virtual std::int64_t next_ticket() = 0;
  virtual void reset_tickets() = 0;
};

}  // namespace trireme
