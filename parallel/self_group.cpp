// SPDX-License-Identifier: Apache-2.0
// A group of one: every collective is the identity.
#include <atomic>
#include <cstring>

#include "core/base/error.h"
#include "parallel/parallel.h"

namespace trireme {
namespace {

class SelfGroup final : public Group {
 public:
  explicit SelfGroup(std::string name) : name_(std::move(name)) {}

  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string_view name() const override { return name_; }

  void all_reduce(Stream& /*stream*/, const Tensor& /*t*/, Reduction /*reduction*/) override {}
  void all_gather(Stream& stream, const Tensor& out, const Tensor& in) override { copy(stream, out, in); }
  void reduce_scatter(Stream& stream, const Tensor& out, const Tensor& in) override { copy(stream, out, in); }
  void broadcast(Stream& /*stream*/, const Tensor& /*t*/, int root) override { check_root(root); }

  void barrier() override {}
  void host_reduce(std::span<double> /*values*/, Reduction /*reduction*/) override {}
  void host_reduce(std::span<std::int64_t> /*values*/, Reduction /*reduction*/) override {}
  void host_sum(std::span<std::uint64_t> /*values*/) override {}
  void host_broadcast(std::string& /*bytes*/, int root) override { check_root(root); }
  std::vector<std::string> host_gather(const std::string& bytes) override { return {bytes}; }
  std::int64_t next_ticket() override { return ticket_++; }
  void reset_tickets() override { ticket_ = 0; }

 private:
  void check_root(int root) const { check(root == 0, "group {}: root {} of 1 rank", name_, root); }

  void copy(Stream& stream, const Tensor& out, const Tensor& in) const {
    check(out.bytes() == in.bytes(), "group {}: {} bytes in, {} bytes out", name_, in.bytes(), out.bytes());
    if (out.data == in.data || in.bytes() == 0) return;
    check(stream.native() == nullptr, "group {} of 1 rank copies no memory of a GPU: give it one tensor", name_);
    stream.call([out, in] { std::memmove(out.data, in.data, in.bytes()); });
  }

  std::string name_;
  std::atomic<std::int64_t> ticket_{0};
};

}  // namespace

std::unique_ptr<Group> make_self_group(std::string name) { return std::make_unique<SelfGroup>(std::move(name)); }

}  // namespace trireme
