// SPDX-License-Identifier: Apache-2.0
#include "core/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/base/status_board.h"

namespace trireme {
namespace {

constexpr int kLimbs = 4;
constexpr int kWords = kLimbs + 1;  // and the number of ranks that were asked to stop

Saving saving_of(Recompute recompute) {
  switch (recompute) {
    case Recompute::none:
      return Saving::keep;
    case Recompute::light:
      return Saving::light;
    case Recompute::full:
      return Saving::recompute;
  }
  fail("recompute {} is none of three", static_cast<int>(recompute));
}

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// What begins at each of the marks in an update.
constexpr std::array<Phase, 4> kPhaseAfter{Phase::forward_backward, Phase::reduce, Phase::optimizer, Phase::training};

// The layout of what comes back from an update.
struct Told {
  float loss_sum, targets;
  Optimizer::Verdict verdict;
  std::int32_t words[kWords];
};

// The layout of what the host adds to one.
struct Added {
  float targets;
  std::int32_t words[kWords];
};

}  // namespace

Trainer::Trainer(const Parts& parts)
    : parts_(parts),
      config_(parts.config),
      model_(parts.architecture, config_.head_rows > 0 ? config_.head_rows : parts.device.many_rows()),
      optimizer_(parts.optimizer, parts.config.steps, parts.config.skip),
      plan_(saving_of(parts.config.recompute)),
      uploaded_(parts.device.make_event()) {
  const std::int64_t per_pass = parts_.data.size() * config_.micro_batch;
  check_usage(config_.micro_batch > 0 && config_.global_batch > 0 && config_.global_batch % per_pass == 0,
              "train.global_batch = {} is not a multiple of {} data ranks x train.micro_batch = {}",
              config_.global_batch, parts_.data.size(), config_.micro_batch);
  model_.params();
  plan_memory();
  measure_peak();
}

Trainer::~Trainer() {
  try {
    parts_.stream.synchronize();  // enqueued work still uses the plan's memory
  } catch (...) {                 // NOLINT(bugprone-empty-catch): whoever unwinds has the first error already
  }
}

void Trainer::plan_memory() {
  totals_ = plan_.stream("totals", Dtype::f32, {2});
  words_ = plan_.stream("token_hash", Dtype::i32, {kWords});
  optimizer_.plan(plan_);
  model_.plan(plan_, {.batch = config_.micro_batch,
                      .time = config_.sequence,
                      .dtype = config_.precision,
                      .document_mask = config_.document_mask,
                      .tensor = parts_.tensor.size()});
  plan_.commit(parts_.device);
  model_.load_constants(parts_.device, parts_.stream, plan_);
  for (Record& record : records_) {
    record.in = parts_.device.allocate(sizeof(Added), MemoryKind::pinned);
    record.out = parts_.device.allocate(sizeof(Told), MemoryKind::pinned);
    record.done = parts_.device.make_event();
  }
  const auto losses = static_cast<std::size_t>(config_.micro_batch * config_.sequence) * sizeof(float);
  host_losses_ = parts_.device.allocate(losses, MemoryKind::pinned);
}

// Before the first step, while the machine is idle, and on all ranks at the same time: they share its memory. The
// fastest rank speaks for all, for what slows a measurement down is other people's work.
void Trainer::measure_peak() {
  parts_.data.barrier();
  double fastest[] = {parts_.device.peak_flops(config_.precision)};
  parts_.data.host_reduce(std::span<double>(fastest), Reduction::max);
  parts_.tensor.host_reduce(std::span<double>(fastest), Reduction::max);
  peak_flops_ = fastest[0] * parts_.data.size() * parts_.tensor.size();
}

Pass Trainer::pass() {
  return {.ops = parts_.ops,
          .stream = parts_.stream,
          .plan = plan_,
          .batch = model_.batch().view(plan_),
          .tensor_axis = parts_.tensor};
}

void Trainer::mark(Record& record, Mark which) {
  parts_.stream.call([at = &record.marks[which], which] {
    *at = std::chrono::steady_clock::now();
    process_status().device_enters(kPhaseAfter[which]);
  });
}

std::optional<StepMetrics> Trainer::step(bool stop) {
  Record& record = records_[static_cast<std::size_t>(state_.step % 2)];
  record.known = {};
  record.known.step = state_.step + 1;
  record.known.lr = optimizer_.learning_rate(state_.step);
  const std::int64_t micro_steps = config_.global_batch / (parts_.data.size() * config_.micro_batch);
  const Tensor totals = plan_[totals_];
  std::int64_t targets = 0;

  mark(record, begin);
  parts_.store.begin_step(parts_.stream);
  parts_.device.zero(parts_.stream, totals.data, totals.bytes());
  for (std::int64_t i = 0; i < micro_steps; ++i) micro_step(record, i, micro_steps, targets);
  mark(record, computed);
  parts_.store.finish_reduce(parts_.stream);
  share_totals(record, targets, stop);
  mark(record, reduced);
  optimizer_.update({.device = parts_.device,
                     .ops = parts_.ops,
                     .stream = parts_.stream,
                     .plan = plan_,
                     .store = parts_.store,
                     .loss_sum = totals.rows(0, 1),
                     .target_count = totals.rows(1, 1),
                     .expected_targets = static_cast<float>(config_.global_batch * config_.sequence),
                     .step = state_.step});
  mark(record, updated);

  auto* told = static_cast<Told*>(record.out.data());
  parts_.device.copy(parts_.stream, &told->loss_sum, totals.data, totals.bytes());
  parts_.device.copy(parts_.stream, &told->verdict, optimizer_.verdict(plan_).data, sizeof told->verdict);
  parts_.device.copy(parts_.stream, told->words, plan_[words_].data, plan_[words_].bytes());
  parts_.stream.record(*record.done);
  record.pending = true;

  state_.step += 1;
  state_.position += config_.global_batch;
  state_.tokens += config_.global_batch * config_.sequence;
  record.known.tokens = state_.tokens;
  process_status().at_step(state_.step);
  return tell(records_[static_cast<std::size_t>(state_.step % 2)]);
}

const Batch& Trainer::read(std::int64_t position) {
  const PhaseScope scope(process_status(), Phase::data);
  return parts_.source.read(position, config_.micro_batch);
}

void Trainer::micro_step(Record& record, std::int64_t index, std::int64_t count, std::int64_t& targets) {
  const std::int64_t share = config_.global_batch / parts_.data.size();
  const std::int64_t mine = state_.position + parts_.data.rank() * share;
  const bool last = index + 1 == count;
  const std::int64_t following = last ? mine + config_.global_batch : mine + (index + 1) * config_.micro_batch;

  uploaded_->synchronize();
  const auto asked = std::chrono::steady_clock::now();
  const Batch& batch = read(mine + index * config_.micro_batch);
  parts_.source.prefetch(following, config_.micro_batch);
  record.known.seconds.data += seconds_between(asked, std::chrono::steady_clock::now());
  record.known.token_hash += batch.token_hash;
  targets += batch.target_count;

  model_.batch().upload(parts_.device, parts_.stream, plan_, batch);
  parts_.stream.record(*uploaded_);
  const Pass pass = this->pass();
  model_.forward(pass, parts_.store);
  const float scale = 1.0F / static_cast<float>(config_.global_batch * config_.sequence);
  model_.backward(pass, parts_.store, plan_[totals_].rows(0, 1), scale, last);
}

void Trainer::share_totals(Record& record, std::int64_t targets, bool stop) {
  auto* added = static_cast<Added*>(record.in.data());
  added->targets = static_cast<float>(targets);
  // Sixteen bits to a word: sums over up to 32768 ranks do not overflow, and the carries are added up afterwards.
  for (int i = 0; i < kLimbs; ++i) {
    added->words[i] = static_cast<std::int32_t>((record.known.token_hash >> (16 * i)) & 0xffffU);
  }
  added->words[kLimbs] = stop ? 1 : 0;
  const Tensor totals = plan_[totals_];
  const Tensor words = plan_[words_];
  parts_.device.copy(parts_.stream, totals.rows(1, 1).data, &added->targets, sizeof(float));
  parts_.device.copy(parts_.stream, words.data, added->words, words.bytes());
  if (parts_.data.size() > 1) {
    parts_.data.all_reduce(parts_.stream, totals);
    parts_.data.all_reduce(parts_.stream, words);
  }
  // Ranks of the tensor axis have the same samples, but each its own signals.
  if (parts_.tensor.size() > 1) parts_.tensor.all_reduce(parts_.stream, words.rows(kLimbs, 1));
}

bool Trainer::any_rank(bool stop) {
  auto* words = static_cast<Added*>(records_[0].in.data())->words;
  words[kLimbs] = stop ? 1 : 0;
  const Tensor asked = plan_[words_].rows(kLimbs, 1);
  parts_.device.copy(parts_.stream, asked.data, words + kLimbs, asked.bytes());
  if (parts_.data.size() > 1) parts_.data.all_reduce(parts_.stream, asked);
  if (parts_.tensor.size() > 1) parts_.tensor.all_reduce(parts_.stream, asked);
  parts_.device.copy(parts_.stream, words + kLimbs, asked.data, asked.bytes());
  parts_.stream.synchronize();
  return words[kLimbs] != 0;
}

std::optional<StepMetrics> Trainer::tell(Record& record) {
  if (!record.pending) return std::nullopt;
  record.done->synchronize();
  record.pending = false;
  Told told;
  std::memcpy(&told, record.out.data(), sizeof told);
  StepMetrics m = record.known;
  // Devices differ in the sign of what is no number; the run's files do not.
  const auto without_sign = [](double v) { return std::isnan(v) ? std::numeric_limits<double>::quiet_NaN() : v; };
  m.loss = without_sign(static_cast<double>(told.loss_sum) / static_cast<double>(told.targets));
  m.grad_norm = without_sign(static_cast<double>(told.verdict.norm));
  m.skipped = told.verdict.skipped != 0.0F;
  state_.skipped += m.skipped ? 1 : 0;
  state_.means = told.verdict.means();
  m.skips = state_.skipped;
  m.token_hash = 0;
  for (int i = 0; i < kLimbs; ++i) m.token_hash += static_cast<std::uint64_t>(told.words[i]) << (16 * i);
  m.stop = told.words[kLimbs] != 0;
  m.seconds.compute = seconds_between(record.marks[begin], record.marks[computed]);
  m.seconds.reduce = seconds_between(record.marks[computed], record.marks[reduced]);
  m.seconds.optimizer = seconds_between(record.marks[reduced], record.marks[updated]);
  m.seconds.total = seconds_between(record.marks[begin], record.marks[updated]);
  const auto tokens = static_cast<double>(config_.global_batch * config_.sequence);
  if (m.seconds.total > 0.0) m.tokens_per_second = tokens / m.seconds.total;
  const double flops = training_flops_per_token(parts_.architecture, config_.sequence);
  if (peak_flops_ > 0.0) m.mfu = flops * m.tokens_per_second / peak_flops_;
  return m;
}

std::optional<StepMetrics> Trainer::flush() {
  auto metrics = tell(records_[static_cast<std::size_t>((state_.step + 1) % 2)]);
  parts_.stream.synchronize();
  return metrics;
}

void Trainer::resume(const TrainState& state) {
  parts_.stream.synchronize();
  for (Record& record : records_) record.pending = false;
  state_ = state;
  optimizer_.set_means(parts_.device, parts_.stream, plan_, state.means);
}

std::optional<double> Trainer::evaluate(BatchSource& source, std::int64_t samples, const std::function<bool()>& stop) {
  check(samples > 0, "an evaluation over {} samples: at least 1 is needed", samples);
  const PhaseScope scope(process_status(), Phase::evaluation);
  parts_.stream.synchronize();  // the host's collectives below come after those of steps on every rank
  std::vector<double> sums(static_cast<std::size_t>(samples));
  std::vector<double> counts(sums.size());
  const std::int64_t stride = config_.micro_batch * parts_.data.size();
  // As many rounds on every rank: a pass may be a collective of all that share parameters.
  for (std::int64_t round = 0; round < samples; round += stride) {
    if (stop && any_rank(stop())) return std::nullopt;
    process_status().tick();
    score(source, round + parts_.data.rank() * config_.micro_batch, sums, counts);
  }
  // Each sample is one rank's alone: these sums only add zeros, and the order of what follows is the samples'.
  parts_.data.host_reduce(sums, Reduction::sum);
  parts_.data.host_reduce(counts, Reduction::sum);
  double sum = 0.0;
  double count = 0.0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sum += sums[i];
    count += counts[i];
  }
  check(count > 0.0, "the {} samples of the evaluation hold no target", samples);
  return sum / count;
}

void Trainer::score(BatchSource& source, std::int64_t first, std::vector<double>& sums, std::vector<double>& counts) {
  const auto samples = static_cast<std::int64_t>(sums.size());
  const bool counted = first < samples;
  if (!counted) first = samples - 1;  // read for nothing
  const std::int64_t rows = std::min(config_.micro_batch, samples - first);
  const Batch& batch = source.read(first, rows);
  model_.batch().upload(parts_.device, parts_.stream, plan_, batch);
  model_.forward(pass(), parts_.store);
  const Tensor device_losses = model_.losses(pass(), parts_.store);
  parts_.device.copy(parts_.stream, host_losses_.data(), device_losses.data, device_losses.bytes());
  parts_.stream.synchronize();
  if (!counted) return;
  const auto* losses = static_cast<const float*>(host_losses_.data());
  const auto* targets = batch.targets.as<std::int32_t>();
  for (std::int64_t i = 0; i < rows * config_.sequence; ++i) {
    const auto sample = static_cast<std::size_t>(first + i / config_.sequence);
    sums[sample] += static_cast<double>(losses[i]);
    counts[sample] += targets[i] >= 0 ? 1.0 : 0.0;
  }
}

}  // namespace trireme
