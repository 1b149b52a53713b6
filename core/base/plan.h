// SPDX-License-Identifier: Apache-2.0
// The plan of memory: the only creator of activations. Layers declare sizes first; addresses come once, at commit().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/device.h"
#include "core/base/tensor.h"

namespace trireme {

/// A declared tensor; plan[slot] is its memory once the plan is committed.
struct Slot {
  std::int32_t index = -1;
  explicit operator bool() const { return index >= 0; }
};

/// What happens to tensors that forward saves for backward.
enum class Saving {
  keep,       // a slot per block
  light,      // as keep, but for what backward makes again from it at the cost of a pass over memory: norms' outputs
              // and the activation's, which have no slot
  recompute,  // one slot that all blocks share; backward refills it by calling the same forward again
  none,       // no backward follows: as recompute
};

/// Three lifetimes: `stream` tensors live through the step; `keep` tensors from a block's forward to its backward;
/// `scratch` tensors until the scope in which they are declared ends, after which others take their place.
class Plan {
 public:
  explicit Plan(Saving saving) : saving_(saving) {}

  Saving saving() const { return saving_; }

  /// Declares a tensor for the whole step.
  Slot stream(const std::string& name, Dtype dtype, const Shape& shape);
  /// Declares a tensor that the current block's forward writes and its backward reads. Call between begin_block and
  /// end_block.
  Slot keep(const std::string& name, Dtype dtype, const Shape& shape);
  /// Declares a tensor of the innermost open scope.
  Slot scratch(const std::string& name, Dtype dtype, const Shape& shape);

  void begin_block();
  void end_block();
  /// Scratch declared while the Scope lives is reusable after its end.
  class Scope {
   public:
    explicit Scope(Plan& plan) : plan_(plan), mark_(plan.scratch_used_) {}
    ~Scope() { plan_.scratch_used_ = mark_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Plan& plan_;
    std::size_t mark_;
  };

  /// Allocates everything, once.
  void commit(Device& device);
  /// The memory of a slot; valid after commit().
  Tensor operator[](Slot slot) const;

  /// Bytes of each lifetime, known before commit().
  std::size_t stream_bytes() const { return stream_bytes_; }
  std::size_t keep_bytes() const { return keep_bytes_; }
  std::size_t scratch_bytes() const { return scratch_bytes_; }
  std::size_t bytes() const { return stream_bytes_ + keep_bytes_ + scratch_bytes_; }

  struct Entry {
    enum class Lifetime { stream, keep, scratch } lifetime;
    std::string name;
    Tensor tensor;
    std::size_t offset;
  };
  /// All declarations in order: the table that `trireme plan` prints.
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  Slot add(Entry::Lifetime lifetime, const std::string& name, Dtype dtype, const Shape& shape, std::size_t offset);

  Saving saving_;
  bool in_block_ = false;
  std::vector<Entry> entries_;
  std::size_t stream_bytes_ = 0;
  std::size_t keep_used_ = 0;
  std::size_t keep_bytes_ = 0;
  std::size_t scratch_used_ = 0;
  std::size_t scratch_bytes_ = 0;
  Buffer buffer_;
};

}  // namespace trireme
