// SPDX-License-Identifier: Apache-2.0
#include "core/train/coordinate_check.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/model/model.h"
#include "core/train/init.h"
#include "core/train/optimizer.h"

namespace trireme {
namespace {

constexpr std::int64_t kLogitRows = 64;

float value_at(const Tensor& t, std::int64_t i) {
  return t.dtype == Dtype::f32 ? t.as<float>()[i] : static_cast<float>(t.as<Bf16>()[i]);
}

/// One model in training, and what its activations were at the beginning.
class Training {
 public:
  Training(const Architecture& a, const CoordinateCheck& check, Device& device, const Ops& ops, Stream& stream,
           const ParamTable& table, ParamStore& store, Group& self)
      : check_(check),
        device_(device),
        ops_(ops),
        stream_(stream),
        store_(store),
        self_(self),
        model_(a, check.batch * check.sequence),
        optimizer_({.lr = check.lr,
                    .weight_decay = 0.0,
                    .clip = 0.0,
                    .schedule = {.kind = ScheduleKind::constant, .warmup_steps = 0}},
                   check.steps, {.loss_factor = 0.0, .norm_factor = 0.0}) {
    model_.params();
    totals_ = plan_.stream("totals", Dtype::f32, {2});
    const std::int64_t rows = std::min(kLogitRows, check.batch * check.sequence);
    logits_ = plan_.stream("logits", Dtype::f32, {rows, a.vocabulary});
    optimizer_.plan(plan_);
    model_.plan(plan_, {.batch = check.batch, .time = check.sequence, .dtype = check.precision});
    plan_.commit(device);
    model_.load_constants(device, stream, plan_);
    for (std::int64_t i = 0; i <= a.layers; ++i) {
      add(i == 0 ? "embedding" : fmt::format("block {}", i), tensor_of(fmt::format("residual.{}", i)));
    }
    add("logits", plan_[logits_]);
    initialise(table, store, device, stream, check.seed);
  }

  std::vector<Coordinate> run(BatchSource& source) {
    for (std::int64_t step = 0; step <= check_.steps; ++step) {
      const Batch& batch = source.read(0, check_.batch);
      model_.batch().upload(device_, stream_, plan_, batch);
      model_.forward(pass(), store_);
      model_.logits(pass(), store_, 0, plan_[logits_]);
      for (auto& watched : watched_) measure(watched);
      if (step < check_.steps) update(batch, step);
    }
    std::vector<Coordinate> coordinates;
    for (auto& watched : watched_) coordinates.push_back(std::move(watched.coordinate));
    return coordinates;
  }

 private:
  struct Watched {
    Coordinate coordinate;
    Tensor tensor;
    Buffer host;
    std::vector<float> first;
  };

  void add(std::string name, const Tensor& tensor) {
    Watched& watched = watched_.emplace_back();
    watched.coordinate.name = std::move(name);
    watched.tensor = tensor;
    watched.host = device_.allocate(tensor.bytes(), MemoryKind::pinned);
  }

  Tensor tensor_of(const std::string& name) const {
    for (const auto& entry : plan_.entries()) {
      if (entry.name == name) return entry.tensor;
    }
    fail("the model plans no tensor {}", name);
  }

  Pass pass() {
    return {.ops = ops_, .stream = stream_, .plan = plan_, .batch = model_.batch().view(plan_), .tensor_axis = self_};
  }

  void measure(Watched& watched) {
    device_.copy(stream_, watched.host.data(), watched.tensor.data, watched.tensor.bytes());
    stream_.synchronize();
    const Tensor host{watched.host.data(), watched.tensor.dtype, watched.tensor.shape};
    const std::int64_t count = host.elements();
    const bool begins = watched.first.empty();
    double value = 0.0;
    double change = 0.0;
    for (std::int64_t i = 0; i < count; ++i) {
      const float x = value_at(host, i);
      if (begins) watched.first.push_back(x);
      value += std::abs(static_cast<double>(x));
      change += std::abs(static_cast<double>(x) - static_cast<double>(watched.first[static_cast<std::size_t>(i)]));
    }
    watched.coordinate.value.push_back(value / static_cast<double>(count));
    watched.coordinate.change.push_back(change / static_cast<double>(count));
  }

  void update(const Batch& batch, std::int64_t step) {
    const auto targets = static_cast<float>(batch.target_count);
    const Tensor totals = plan_[totals_];
    const Buffer host = device_.allocate(totals.bytes(), MemoryKind::pinned);
    const float begin[2] = {0.0F, targets};
    std::memcpy(host.data(), begin, sizeof begin);
    device_.copy(stream_, totals.data, host.data(), totals.bytes());
    store_.begin_step(stream_);
    model_.backward(pass(), store_, totals.rows(0, 1), 1.0F / targets, true);
    store_.finish_reduce(stream_);
    optimizer_.update({.device = device_,
                       .ops = ops_,
                       .stream = stream_,
                       .plan = plan_,
                       .store = store_,
                       .loss_sum = totals.rows(0, 1),
                       .target_count = totals.rows(1, 1),
                       .expected_targets = targets,
                       .step = step});
    stream_.synchronize();
  }

  CoordinateCheck check_;
  Device& device_;
  const Ops& ops_;
  Stream& stream_;
  ParamStore& store_;
  Group& self_;
  Model model_;
  Optimizer optimizer_;
  Plan plan_{Saving::keep};
  Slot totals_, logits_;
  std::vector<Watched> watched_;
};

}  // namespace

std::vector<Coordinate> check_coordinates(const Architecture& architecture, const CoordinateCheck& check,
                                          Device& device, const Ops& ops, Stream& stream, const ParamTable& table,
                                          ParamStore& store, Group& self, BatchSource& source) {
  return Training(architecture, check, device, ops, stream, table, store, self).run(source);
}

double growth_exponent(const std::vector<double>& widths, const std::vector<double>& values) {
  check(widths.size() == values.size() && widths.size() >= 2, "{} widths and {} values; expected two or more of each",
        widths.size(), values.size());
  const auto n = static_cast<double>(widths.size());
  double x_sum = 0.0;
  double y_sum = 0.0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    x_sum += std::log(widths[i]);
    y_sum += std::log(values[i]);
  }
  double xy = 0.0;
  double xx = 0.0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const double x = std::log(widths[i]) - x_sum / n;
    xy += x * (std::log(values[i]) - y_sum / n);
    xx += x * x;
  }
  check(xx > 0.0, "all widths are the same: no growth can be told");
  return xy / xx;
}

}  // namespace trireme
