// SPDX-License-Identifier: Apache-2.0
// position -> corpus (mixture) -> sample (permutation) -> window of tokens (stream) -> row of a batch, one batch ahead.
#include "data_pipeline/loader/loader.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>

#include "core/base/error.h"
#include "data_pipeline/loader/mixture.h"
#include "data_pipeline/loader/order.h"
#include "data_pipeline/loader/token_stream.h"

namespace trireme {
namespace {

// Shards open at a time, of all corpora: well below the usual limit of 1024 files per process.
constexpr std::size_t kMostOpen = 128;

/// The streams of all corpora, checked to agree about the meaning of their ids.
std::vector<TokenStream> open_streams(const LoaderConfig& config) {
  check_usage(!config.corpora.empty(), "no corpora to load: data.shards names none");
  check_usage(config.sequence >= 1 && config.sequence <= std::int64_t{1} << 24U, "a sequence of {} tokens",
              config.sequence);
  check_usage(config.validation_fraction >= 0 && config.validation_fraction < 1,
              "data.validation = {}: a fraction from 0 to below 1 expected", config.validation_fraction);
  check_usage(config.split == Split::train || config.validation_fraction > 0,
              "data.validation = 0: no documents are held out to validate with");
  std::vector<TokenStream> streams;
  for (const CorpusConfig& corpus : config.corpora) {
    const TokenStream& stream =
        streams.emplace_back(corpus.path, config.split, config.validation_fraction, kMostOpen / config.corpora.size());
    check_usage(
        stream.header() == streams.front().header(),
        "{} was made with tokenizer {} (vocabulary {}, bos {}, eos {}), {} with {} ({}, {}, {}): corpora of one "
        "run must agree",
        stream.path(), stream.header().tokenizer, stream.header().vocabulary, stream.header().bos, stream.header().eos,
        streams.front().path(), streams.front().header().tokenizer, streams.front().header().vocabulary,
        streams.front().header().bos, streams.front().header().eos);
    check_usage(stream.tokens() > static_cast<std::uint64_t>(config.sequence),
                "{} has {} tokens in the {} split; one sample of sequence {} needs {}{}", stream.path(),
                stream.tokens(), config.split == Split::train ? "train" : "validation", config.sequence,
                config.sequence + 1,
                config.split == Split::train ? "" : "; raise data.validation, or set it to 0 to hold nothing out");
  }
  return streams;
}

std::uint64_t samples_in(const TokenStream& stream, std::int64_t sequence) {
  return (stream.tokens() - 1) / static_cast<std::uint64_t>(sequence);
}

std::vector<double> weights_of(const LoaderConfig& config) {
  std::vector<double> weights;
  for (const CorpusConfig& corpus : config.corpora) weights.push_back(corpus.weight);
  return weights;
}

/// Rows of the global order, read into memory that the caller gives. One thread at a time.
class RowReader {
 public:
  explicit RowReader(const LoaderConfig& config)
      : config_(config),
        streams_(open_streams(config)),
        mixture_(weights_of(config)),
        orders_(streams_.size()),
        window_(static_cast<std::size_t>(config.sequence) + 1),
        starts_(window_.size()) {}

  std::int64_t samples_per_epoch() const {
    std::uint64_t sum = 0;
    for (const TokenStream& stream : streams_) sum += samples_in(stream, config_.sequence);
    return static_cast<std::int64_t>(sum);
  }

  /// Row `row` of the batch becomes the sample at `position`; the batch's counts and hash grow by it.
  void read(std::int64_t position, std::int64_t row, Batch& batch) {
    const Mixture::Draw draw = mixture_.at(static_cast<std::uint64_t>(position));
    TokenStream& stream = streams_[draw.corpus];
    const std::uint64_t samples = samples_in(stream, config_.sequence);
    const Permutation& order = order_of(draw.corpus, draw.index / samples, samples);
    const std::uint64_t first = order(draw.index % samples) * static_cast<std::uint64_t>(config_.sequence);
    stream.read(first, window_);
    if (config_.document_mask) stream.read_document_starts(first, starts_);
    fill(row, batch);
    batch.token_hash +=
        xxh3_64(window_.data(), window_.size() * sizeof window_[0], static_cast<std::uint64_t>(position));
  }

 private:
  struct Order {
    std::uint64_t epoch;
    Permutation permutation;
  };

  const Permutation& order_of(std::size_t corpus, std::uint64_t epoch, std::uint64_t samples) {
    std::optional<Order>& order = orders_[corpus];
    if (!order || order->epoch != epoch) {
      const std::string purpose = fmt::format("order of {} in epoch {}", streams_[corpus].identity(), epoch);
      order = Order{epoch, Permutation(samples, config_.seed, purpose)};
    }
    return order->permutation;
  }

  void fill(std::int64_t row, Batch& batch) const {
    const std::int64_t length = config_.sequence;
    auto* const tokens = batch.tokens.as<std::int32_t>() + row * length;
    auto* const targets = batch.targets.as<std::int32_t>() + row * length;
    auto* const positions = batch.positions.as<std::int32_t>() + row * length;
    std::copy_n(window_.begin(), length, tokens);
    std::copy_n(window_.begin() + 1, length, targets);
    batch.target_count += length;
    if (!config_.document_mask) {
      for (std::int32_t i = 0; i < static_cast<std::int32_t>(length); ++i) positions[i] = i;
      return;
    }
    auto* const starts = batch.document_start.as<std::int32_t>() + row * length;
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(length); ++i) {
      const auto at = static_cast<std::size_t>(i);
      starts[i] = starts_[at];
      positions[i] = i - starts_[at];
      if (starts_[at + 1] == i + 1) {  // the next token begins another document
        targets[i] = -1;
        --batch.target_count;
      }
    }
  }

  LoaderConfig config_;
  std::vector<TokenStream> streams_;
  Mixture mixture_;
  std::vector<std::optional<Order>> orders_;
  std::vector<std::int32_t> window_;
  std::vector<std::int32_t> starts_;
};

class Loader final : public BatchSource {
 public:
  Loader(Device& device, const LoaderConfig& config)
      : device_(device),
        sequence_(config.sequence),
        document_mask_(config.document_mask),
        rows_(config),
        thread_([this] { work(); }) {}

  ~Loader() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  std::int64_t samples_per_epoch() const override { return rows_.samples_per_epoch(); }

  void prefetch(std::int64_t first, std::int64_t count) override {
    check_range(first, count);
    std::unique_lock lock(mutex_);
    if (wanted_) return;  // still at the hint before: that one comes first
    Slot& slot = spare();
    if (slot.holds(first, count)) return;
    prepare(slot, first, count);
    wanted_ = true;
    lock.unlock();
    changed_.notify_all();
  }

  const Batch& read(std::int64_t first, std::int64_t count) override {
    check_range(first, count);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !wanted_; });
    Slot& slot = spare();
    if (!slot.holds(first, count)) {
      prepare(slot, first, count);
      fill(slot);
    }
    if (slot.error) {
      slot.count = 0;
      std::rethrow_exception(std::exchange(slot.error, nullptr));
    }
    current_ = 1 - current_;
    slots_[1 - current_].count = 0;  // the batch before is over
    return slot.batch;
  }

 private:
  /// A batch and the memory that holds it.
  struct Slot {
    Buffer memory;
    std::int64_t capacity = 0;  // rows
    std::int64_t first = 0;
    std::int64_t count = 0;  // 0: nothing in it
    Batch batch;
    std::exception_ptr error;

    bool holds(std::int64_t f, std::int64_t c) const { return count > 0 && first == f && count == c; }
  };

  Slot& spare() { return slots_[1 - current_]; }

  static void check_range(std::int64_t first, std::int64_t count) {
    check(first >= 0 && count >= 1 && first <= (std::int64_t{1} << 62U) - count,
          "samples {} to {} of the order asked for", first, first + count);
  }

  void prepare(Slot& slot, std::int64_t first, std::int64_t count) {
    const std::size_t tensors = document_mask_ ? 4 : 3;
    if (slot.capacity < count) {
      slot.memory = device_.allocate(tensors * row_bytes() * static_cast<std::size_t>(count), MemoryKind::pinned);
      slot.capacity = count;
    }
    auto* const base = static_cast<char*>(slot.memory.data());
    const std::size_t stride = row_bytes() * static_cast<std::size_t>(slot.capacity);
    const auto tensor = [&](std::size_t i) { return Tensor{base + i * stride, Dtype::i32, {count, sequence_}}; };
    slot.batch = {.tokens = tensor(0), .targets = tensor(1), .positions = tensor(2), .document_start = {}};
    if (document_mask_) slot.batch.document_start = tensor(3);
    slot.first = first;
    slot.count = count;
    slot.error = nullptr;
  }

  void fill(Slot& slot) noexcept {
    try {
      for (std::int64_t row = 0; row < slot.count; ++row) rows_.read(slot.first + row, row, slot.batch);
    } catch (...) {
      slot.error = std::current_exception();
    }
  }

  std::size_t row_bytes() const { return static_cast<std::size_t>(sequence_) * sizeof(std::int32_t); }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return wanted_ || stop_; });
      if (stop_) return;
      Slot& slot = spare();  // stays the spare one: read() waits until it is filled
      lock.unlock();
      fill(slot);
      lock.lock();
      wanted_ = false;
      changed_.notify_all();
    }
  }

  Device& device_;
  std::int64_t sequence_;
  bool document_mask_;
  RowReader rows_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool wanted_ = false;  // the spare slot is being filled by the thread
  bool stop_ = false;
  std::size_t current_ = 0;
  std::array<Slot, 2> slots_;
  std::thread thread_;  // last: everything is there when it starts
};

}  // namespace

std::unique_ptr<BatchSource> make_loader(Device& device, const LoaderConfig& config) {
  return std::make_unique<Loader>(device, config);
}

LoaderInfo describe_loader(const LoaderConfig& config) {
  LoaderInfo info;
  for (const TokenStream& stream : open_streams(config)) {
    info.vocabulary = stream.header().vocabulary;
    info.tokenizer = stream.header().tokenizer;
    info.eos = stream.header().eos;
    info.tokens += stream.tokens();
    info.samples += samples_in(stream, config.sequence);
  }
  return info;
}

}  // namespace trireme
