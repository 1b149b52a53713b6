// SPDX-License-Identifier: Apache-2.0
#include "tests/parity/model_rig.h"

#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "tests/kernels/test_device.h"

namespace trireme {
namespace {

template <class T>
std::vector<T> values_of(const Tensor& tensor) {
  const auto* data = tensor.as<T>();
  return {data, data + tensor.elements()};
}

}  // namespace

ModelRig::ModelRig(const Architecture& a, const Options& options)
    : a_(a),
      options_(options),
      device_(make_test_device({.threads = options.threads})),
      ops_(make_test_ops(*device_)),
      stream_(device_->make_stream("compute")),
      tensor_(make_self_group("tensor")),
      model_(a, options.head_rows),
      table_(model_.params()),
      store_(make_params(table_, *device_, *ops_, options.dtype, {})),
      plan_(options.saving) {
  loss_sum_ = plan_.stream("loss_sum", Dtype::f32, {1});
  model_.plan(
      plan_,
      {.batch = options.batch, .time = options.time, .dtype = options.dtype, .document_mask = options.document_mask});
  plan_.commit(*device_);
  model_.load_constants(*device_, *stream_, plan_);
}

void ModelRig::set_parameters(const NamedValues& values) {
  for (const NamedSlice& slice : store_->slices(SliceKind::held)) {
    const auto& from = values.at(slice.name);
    check(from.size() == static_cast<std::size_t>(slice.master.elements()), "{} has {} elements, {} given", slice.name,
          slice.master.elements(), from.size());
    std::memcpy(slice.master.data, from.data(), slice.master.bytes());
  }
  store_->refresh(*stream_);
  stream_->synchronize();
}

NamedValues ModelRig::parameters() {
  NamedValues values;
  for (const NamedSlice& slice : store_->slices(SliceKind::held)) values[slice.name] = values_of<float>(slice.master);
  return values;
}

Pass ModelRig::pass() {
  return {
      .ops = *ops_, .stream = *stream_, .plan = plan_, .batch = model_.batch().view(plan_), .tensor_axis = *tensor_};
}

void ModelRig::forward(const Batch& batch) {
  model_.batch().upload(*device_, *stream_, plan_, batch);
  model_.forward(pass(), *store_);
}

LossAndGradients ModelRig::loss_and_gradients(BatchSource& source, std::int64_t first, std::int64_t count) {
  const Tensor loss_sum = plan_[loss_sum_];
  device_->zero(*stream_, loss_sum.data, loss_sum.bytes());
  store_->begin_step(*stream_);
  std::int64_t targets = 0;
  for (std::int64_t i = 0; i < count; i += options_.batch) {
    targets += source.read(first + i, options_.batch).target_count;
  }
  for (std::int64_t i = 0; i < count; i += options_.batch) {
    forward(source.read(first + i, options_.batch));
    model_.backward(pass(), *store_, loss_sum, 1.0F / static_cast<float>(targets), i + options_.batch >= count);
    stream_->synchronize();  // the batch's memory is free again
  }
  store_->finish_reduce(*stream_);
  stream_->synchronize();

  LossAndGradients result;
  result.loss = static_cast<double>(loss_sum.as<float>()[0]) / static_cast<double>(targets);
  for (int block = 0; block < static_cast<int>(table_.blocks().size()); ++block) {
    const Weights gradients = store_->gradients(*stream_, block);
    const auto& specs = table_.blocks()[static_cast<std::size_t>(block)];
    for (int i = 0; i < static_cast<int>(specs.size()); ++i) {
      result.gradients[specs[static_cast<std::size_t>(i)].name] = values_of<float>(gradients[{block, i}]);
    }
  }
  return result;
}

double ModelRig::loss(BatchSource& source, std::int64_t first) {
  const Batch& batch = source.read(first, options_.batch);
  forward(batch);
  const Tensor losses = model_.losses(pass(), *store_);
  stream_->synchronize();
  double sum = 0.0;
  for (const float loss : values_of<float>(losses)) sum += static_cast<double>(loss);
  return sum / static_cast<double>(batch.target_count);
}

std::vector<float> ModelRig::logits(BatchSource& source, std::int64_t first) {
  forward(source.read(first, options_.batch));
  const std::int64_t rows = options_.batch * options_.time;
  const Buffer out = device_->allocate(static_cast<std::size_t>(rows * a_.vocabulary) * sizeof(float));
  const Tensor logits{out.data(), Dtype::f32, {rows, a_.vocabulary}};
  model_.logits(pass(), *store_, 0, logits);
  stream_->synchronize();
  return values_of<float>(logits);
}

std::pair<std::vector<float>, std::vector<std::int32_t>> ModelRig::score(BatchSource& source, std::int64_t first) {
  forward(source.read(first, options_.batch));
  const auto scores = model_.score(pass(), *store_);
  stream_->synchronize();
  return {values_of<float>(scores.log_prob), values_of<std::int32_t>(scores.best)};
}

double relative_error(const std::vector<float>& values, const std::vector<float>& reference) {
  check(values.size() == reference.size(), "{} values compared with {}", values.size(), reference.size());
  double difference = 0.0;
  double norm = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double r = static_cast<double>(reference[i]);
    const double e = static_cast<double>(values[i]) - r;
    difference += e * e;
    norm += r * r;
  }
  return std::sqrt(difference / norm);
}

NamedValues random_parameters(const ParamTable& table, std::uint64_t seed) {
  NamedValues values;
  for (const auto& block : table.blocks()) {
    for (const ParamSpec& spec : block) {
      const Random random(seed, spec.name);
      const double mean = spec.init.kind == Init::Kind::constant ? static_cast<double>(spec.init.value) : 0.0;
      const double std = spec.shape.rank() == 2 ? 0.25 : 0.1;
      for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(spec.shape.elements()); ++i) {
        values[spec.name].push_back(static_cast<float>(Bf16(static_cast<float>(mean + std * random.normal(i)))));
      }
    }
  }
  return values;
}

}  // namespace trireme
