// SPDX-License-Identifier: Apache-2.0
#include "core/train/optimizer.h"

namespace trireme {

void Optimizer::plan(Plan& plan) {
  norm_squared_ = plan.stream("optimizer.norm_squared", Dtype::f32, {1});
  scale_ = plan.stream("optimizer.scale", Dtype::f32, {1});
  verdict_ = plan.stream("optimizer.verdict", Dtype::f32, {sizeof(Verdict) / sizeof(float)});
}

void Optimizer::set_means(Device& device, Stream& stream, const Plan& plan, const RunningMeans& means) const {
  const Buffer staged = device.allocate(sizeof(Verdict), MemoryKind::pinned);
  *static_cast<Verdict*>(staged.data()) = {
      .loss_mean = means.loss, .norm_mean = means.norm, .updates = static_cast<float>(means.updates)};
  device.copy(stream, verdict(plan).data, staged.data(), sizeof(Verdict));
  stream.synchronize();
}

double Optimizer::learning_rate(std::int64_t step) const {
  return config_.lr * schedule_factor(config_.schedule, step, steps_);
}

void Optimizer::update(const Update& u) const {
  const Tensor norm_squared = u.plan[norm_squared_];
  const Tensor scale = u.plan[scale_];
  const Tensor verdict = u.plan[verdict_];
  u.device.zero(u.stream, norm_squared.data, norm_squared.bytes());
  for (const FlatRange& range : u.store.ranges()) {
    if (range.counted) u.ops.run(u.stream, SquaredNorm{.out = norm_squared, .x = range.gradient});
  }
  u.store.sum_over_ranges(u.stream, norm_squared);
  u.ops.run(u.stream, GradientScale{.scale = scale,
                                    .norm = verdict.rows(0, 1),
                                    .norm_squared = norm_squared,
                                    .count = u.target_count,
                                    .expected = u.expected_targets,
                                    .clip = static_cast<float>(config_.clip),
                                    .guard = {.loss_sum = u.loss_sum,
                                              .state = verdict.rows(1, 4),
                                              .loss_factor = static_cast<float>(skip_.loss_factor),
                                              .norm_factor = static_cast<float>(skip_.norm_factor),
                                              .window = static_cast<float>(skip_.window)}});
  for (const FlatRange& range : u.store.ranges()) {
    u.ops.run(u.stream,
              AdamW{.master = range.master,
                    .first = range.first,
                    .second = range.second,
                    .gradient = range.gradient,
                    .copy = range.copy,
                    .scale = scale,
                    .lr = static_cast<float>(learning_rate(u.step)) * range.lr_scale,
                    .beta1 = static_cast<float>(config_.beta1),
                    .beta2 = static_cast<float>(config_.beta2),
                    .eps = static_cast<float>(config_.eps),
                    .weight_decay = range.decay ? static_cast<float>(config_.weight_decay) / range.lr_scale : 0.0F,
                    .step = u.step + 1});
  }
  u.store.publish(u.stream);
}

}  // namespace trireme
