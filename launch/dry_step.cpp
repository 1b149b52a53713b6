// SPDX-License-Identifier: Apache-2.0
#include "launch/dry_step.h"

#include <algorithm>
#include <string_view>

#include "core/base/error.h"

namespace trireme {

/// Batches of which only the shape counts: every token is token 0. Their memory is the loader's business, not the
/// plan's.
class DryRun::Batches : public BatchSource {
 public:
  explicit Batches(const TrainerConfig& config)
      : zeros_(static_cast<std::size_t>(config.micro_batch * config.sequence)), time_(config.sequence) {
    const Tensor rows{zeros_.data(), Dtype::i32, {config.micro_batch, time_}};
    batch_ = {.tokens = rows,
              .targets = rows,
              .positions = rows,
              .document_start = config.document_mask ? rows : Tensor{},
              .target_count = rows.elements()};
  }

  const Batch& read(std::int64_t /*first*/, std::int64_t count) override {
    check(count == batch_.tokens.shape[0], "{} samples asked for, {} planned", count, batch_.tokens.shape[0]);
    return batch_;
  }
  void prefetch(std::int64_t /*first*/, std::int64_t /*count*/) override {}
  std::int64_t samples_per_epoch() const override { return std::int64_t{1} << 40; }

 private:
  std::vector<std::int32_t> zeros_;
  std::int64_t time_;
  Batch batch_;
};

namespace {

DryDevice& dry_device(const Engine& engine) { return static_cast<DryDevice&>(*engine.device); }

/// The stream's times, by its name.
StreamTimes times_of(const DryCounts& counts, std::string_view stream) {
  for (const StreamTimes& times : counts.streams) {
    if (times.name == stream) return times;
  }
  fail("no stream '{}' was used in this step", stream);
}

/// The mesh's groups, all of them dry.
std::vector<DryGroup*> groups_of(const MeshGroups& mesh) {
  std::vector<DryGroup*> groups;
  for (Group* group : {mesh.replica.get(), mesh.shard.get(), mesh.tensor.get(), mesh.data.get(), mesh.copies.get()}) {
    if (group != nullptr) groups.push_back(static_cast<DryGroup*>(group));
  }
  return groups;
}

}  // namespace

DryRun::DryRun(const RunConfig& config, const Machine& machine)
    : config_(config),
      engine_(std::make_unique<Engine>(machine, config.model.architecture, engine_config(config))),
      batches_(std::make_unique<Batches>(config.train)),
      trainer_(std::make_unique<Trainer>(Trainer::Parts{.architecture = config_.model.architecture,
                                                        .config = config_.train,
                                                        .optimizer = config_.optimizer,
                                                        .device = *engine_->device,
                                                        .ops = *engine_->ops,
                                                        .stream = *engine_->stream,
                                                        .store = *engine_->store,
                                                        .data = *engine_->mesh.data,
                                                        .tensor = *engine_->mesh.tensor,
                                                        .source = *batches_})) {
  trainer_->step();
}

DryRun::~DryRun() = default;

const DryDevice& DryRun::device() const { return dry_device(*engine_); }

PlannedMemory DryRun::memory() const {
  PlannedMemory memory{.purposes = engine_->store->memory()};
  const Plan& plan = trainer_->plan();
  memory.purposes.emplace_back("activations: whole step", plan.stream_bytes());
  memory.purposes.emplace_back("activations: kept for backward", plan.keep_bytes());
  memory.purposes.emplace_back("activations: scratch", plan.scratch_bytes());
  for (const Plan::Entry& entry : plan.entries()) {
    if (entry.name.starts_with("head.")) memory.head += entry.tensor.bytes();
  }
  memory.scratch = device().scratch_bytes();
  memory.purposes.emplace_back("scratch of operations", memory.scratch);
  memory.device = device().allocated_bytes(MemoryKind::device);
  memory.libraries = library_bytes();
  memory.pinned = device().allocated_bytes(MemoryKind::pinned);
  const Machine& machine = device().machine();
  memory.fits = static_cast<std::int64_t>(memory.all()) <= machine.memory_bytes - machine.reserved_bytes;
  return memory;
}

std::size_t DryRun::library_bytes() const {
  const Machine::Libraries& libraries = device().machine().libraries;
  std::int64_t communicators = 0;
  std::int64_t channels = 0;
  for (const DryGroup* group : groups_of(engine_->mesh)) {
    const int held_to = nccl_channels(group->name(), engine_config(config_).nccl);
    communicators += group->communicators();
    channels += group->communicators() * (held_to > 0 ? std::min(held_to, libraries.channels) : libraries.channels);
  }
  std::int64_t bytes = libraries.opening + libraries.operations + channels * libraries.channel;
  if (communicators > 0) bytes += libraries.collectives;
  return static_cast<std::size_t>(bytes);
}

PlannedStep DryRun::step() {
  auto& device = dry_device(*engine_);
  device.clear_counts();
  for (DryGroup* group : groups_of(engine_->mesh)) group->clear_traffic();
  const double begin = times_of(device.counts(), "compute").now_seconds;
  trainer_->step();
  PlannedStep step;
  step.micro_steps = config_.train.global_batch / (config_.train.micro_batch * config_.mesh.data());
  step.counts = device.counts();
  const StreamTimes times = times_of(step.counts, "compute");
  step.seconds = times.now_seconds - begin;
  step.operation_seconds = times.operation_seconds;
  step.communication_seconds = times.communication_seconds;
  step.waiting_seconds = times.waiting_seconds;
  for (const DryGroup* group : groups_of(engine_->mesh)) {
    if (!group->traffic().empty()) {
      step.axes.push_back({std::string(group->name()), group->size(), group->traffic()});
    }
  }
  const auto tokens = static_cast<double>(config_.train.global_batch * config_.train.sequence);
  step.tokens_per_second = tokens / step.seconds;
  step.mfu = training_flops_per_token(config_.model.architecture, config_.train.sequence) * step.tokens_per_second /
             (device.peak_flops(config_.train.precision) * static_cast<double>(config_.mesh.ranks()));
  return step;
}

}  // namespace trireme
