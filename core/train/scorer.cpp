// SPDX-License-Identifier: Apache-2.0
#include "core/train/scorer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>

#include "core/base/error.h"
#include "core/model/model.h"

namespace trireme {

/// One input of the model and the requests that it answers.
struct Scorer::Row {
  std::vector<std::size_t> requests;
  std::int64_t length = 0;        // of the input
  std::int64_t first_scored = 0;  // the smallest position whose logits some request needs
};

namespace {

std::span<const std::int32_t> input_of(const ScoreRequest& request) {
  return std::span(request.tokens).first(request.tokens.size() - 1);
}

/// The next of 32, 40, 48, 56, 64, 80, ...: few shapes, and at most an eighth of padding for a long row.
std::int64_t padded(std::int64_t length, std::int64_t context) {
  std::int64_t step = 8;
  std::int64_t size = 32;
  while (size < length) {
    if (size == 8 * step) step *= 2;
    size += step;
  }
  return std::min(size, context);
}

/// The largest of a row of logits, and the log of the sum of their exponentials relative to it.
struct Normaliser {
  Normaliser(const float* logits, std::int64_t vocabulary)
      : best(std::max_element(logits, logits + vocabulary) - logits), largest(static_cast<double>(logits[best])) {
    double sum = 0.0;
    for (const auto* l = logits; l != logits + vocabulary; ++l) sum += std::exp(static_cast<double>(*l) - largest);
    log_sum = std::log(sum);
  }

  std::int64_t best;
  double largest;
  double log_sum;
};

constexpr std::int64_t kLogitRows = 128;  // of one product with the head's matrix

}  // namespace

/// A batch of one shape: the model planned for it, and pinned memory to fill and to read.
class Scorer::ScoringPass {
 public:
  ScoringPass(const Scorer::Parts& parts, std::int64_t rows, std::int64_t time)
      : parts_(parts), model_(parts.architecture), plan_(Saving::none) {
    model_.params();
    model_.plan(plan_, {.batch = rows, .time = time, .dtype = parts.dtype});
    logits_ = plan_.stream("logits", Dtype::f32, {std::min(kLogitRows, rows * time), parts.architecture.vocabulary});
    plan_.commit(parts.device);
    model_.load_constants(parts.device, parts.stream, plan_);
    const auto bytes = static_cast<std::size_t>(rows * time) * sizeof(std::int32_t);
    for (auto* tensor : {&batch_.tokens, &batch_.targets, &batch_.positions}) {
      buffers_.push_back(parts.device.allocate(bytes, MemoryKind::pinned));
      *tensor = {buffers_.back().data(), Dtype::i32, {rows, time}};
    }
    host_logits_ = parts.device.allocate(plan_[logits_].bytes(), MemoryKind::pinned);
  }

  Batch& batch() { return batch_; }
  void forward() {
    model_.batch().upload(parts_.device, parts_.stream, plan_, batch_);
    model_.forward(pass(), parts_.store);
  }
  /// Runs use(i, logits) on the host logits [vocabulary] of the i-th of the given rows of the flattened batch, in
  /// ascending order; once after forward().
  template <class Use>
  void for_logits(std::span<const std::int64_t> rows, const Use& use) {
    model_.gather(pass(), parts_.device, rows);
    const auto all = static_cast<std::int64_t>(rows.size());
    const auto vocabulary = parts_.architecture.vocabulary;
    for (std::int64_t first = 0; first < all; first += kLogitRows) {
      const auto out = plan_[logits_].rows(0, std::min(kLogitRows, all - first));
      model_.logits(pass(), parts_.store, first, out);
      parts_.device.copy(parts_.stream, host_logits_.data(), out.data, out.bytes());
      parts_.stream.synchronize();
      const auto* host = static_cast<const float*>(host_logits_.data());
      for (std::int64_t i = 0; i < out.shape[0]; ++i) use(static_cast<std::size_t>(first + i), host + i * vocabulary);
    }
  }
  bool has_shape(std::int64_t rows, std::int64_t time) const { return batch_.tokens.shape == Shape{rows, time}; }

 private:
  Pass pass() const {
    return {.ops = parts_.ops,
            .stream = parts_.stream,
            .plan = plan_,
            .batch = model_.batch().view(plan_),
            .tensor_axis = parts_.tensor,
            .cos_sin = {}};
  }

  const Scorer::Parts& parts_;
  Model model_;
  Plan plan_;
  Slot logits_;
  std::vector<Buffer> buffers_;
  Batch batch_;
  Buffer host_logits_;
};

std::vector<Scorer::Row> Scorer::distinct_rows(std::span<const ScoreRequest> requests) const {
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto x = input_of(requests[a]);
    const auto y = input_of(requests[b]);
    if (x.size() != y.size()) return x.size() > y.size();
    const auto ordering = std::lexicographical_compare_three_way(x.begin(), x.end(), y.begin(), y.end());
    return ordering != 0 ? ordering < 0 : a < b;
  });
  std::vector<Row> rows;
  for (const auto i : order) {
    const auto& request = requests[i];
    const auto length = static_cast<std::int64_t>(request.tokens.size()) - 1;
    check(length >= 1 && length <= parts_.architecture.context && request.continuation >= 1 &&
              request.continuation <= length,
          "a text of {} tokens with a continuation of {} does not fit a context of {}", length + 1,
          request.continuation, parts_.architecture.context);
    for (const auto token : request.tokens) {
      check(token >= 0 && token < parts_.architecture.vocabulary, "token {} is not below the model's vocabulary of {}",
            token, parts_.architecture.vocabulary);
    }
    const auto input = input_of(request);
    if (rows.empty() || !std::ranges::equal(input, input_of(requests[rows.back().requests.front()]))) {
      rows.push_back({{}, length, length});
    }
    rows.back().requests.push_back(i);
    rows.back().first_scored = std::min(rows.back().first_scored, length - request.continuation);
  }
  return rows;
}

void Scorer::score_batch(std::span<const ScoreRequest> requests, std::span<const Row> rows, ScoringPass& pass,
                         std::vector<Likelihood>& out) const {
  auto& batch = pass.batch();
  const auto time = batch.tokens.shape[1];
  std::memset(batch.tokens.data, 0, batch.tokens.bytes());
  std::memset(batch.targets.data, 0xff, batch.targets.bytes());  // -1: nothing to predict
  struct Place {
    const Row* row;
    std::int64_t at;
  };
  std::vector<Place> places;
  std::vector<std::int64_t> scored;  // the places' rows of the flattened batch
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto input = input_of(requests[rows[r].requests.front()]);
    std::copy(input.begin(), input.end(), batch.tokens.as<std::int32_t>() + r * static_cast<std::size_t>(time));
    auto* positions = batch.positions.as<std::int32_t>() + r * static_cast<std::size_t>(time);
    std::iota(positions, positions + time, 0);
    for (auto at = rows[r].first_scored; at < rows[r].length; ++at) {
      places.push_back({&rows[r], at});
      scored.push_back(static_cast<std::int64_t>(r) * time + at);
    }
    for (const auto i : rows[r].requests) out[i] = {0.0, true};
  }
  pass.forward();
  pass.for_logits(scored, [&](std::size_t p, const float* logits) {
    const auto& [row, at] = places[p];
    const Normaliser normaliser(logits, parts_.architecture.vocabulary);
    for (const auto i : row->requests) {
      if (at < row->length - requests[i].continuation) continue;
      const auto target = requests[i].tokens[static_cast<std::size_t>(at) + 1];
      out[i].log_prob += static_cast<double>(logits[target]) - normaliser.largest - normaliser.log_sum;
      out[i].greedy = out[i].greedy && normaliser.best == target;
    }
  });
}

std::vector<Likelihood> Scorer::score(std::span<const ScoreRequest> requests,
                                      const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const auto rows = distinct_rows(requests);
  struct Piece {
    std::size_t begin, end;
    std::int64_t time;
  };
  std::vector<Piece> pieces;
  for (std::size_t begin = 0; begin < rows.size();) {
    const auto time = padded(rows[begin].length, parts_.architecture.context);
    const auto count = static_cast<std::size_t>(std::max<std::int64_t>(1, tokens_per_batch_ / time));
    auto end = begin;
    while (end < rows.size() && end - begin < count && padded(rows[end].length, parts_.architecture.context) == time) {
      ++end;
    }
    pieces.push_back({begin, end, time});
    begin = end;
  }
  std::vector<Likelihood> mine(requests.size());
  const auto size = static_cast<std::size_t>(parts_.data.size());
  const auto first = static_cast<std::size_t>(parts_.data.rank());
  const auto tokens_of = [](const Piece& p) { return static_cast<std::int64_t>(p.end - p.begin) * p.time; };
  std::int64_t all = 0;
  for (auto i = first; i < pieces.size(); i += size) all += tokens_of(pieces[i]);
  std::int64_t done = 0;
  std::unique_ptr<ScoringPass> pass;  // as long as batches have its shape
  for (auto i = first; i < pieces.size(); i += size) {
    const auto piece = std::span(rows).subspan(pieces[i].begin, pieces[i].end - pieces[i].begin);
    if (!pass || !pass->has_shape(static_cast<std::int64_t>(piece.size()), pieces[i].time)) {
      pass.reset();  // the old one's memory goes first
      pass = std::make_unique<ScoringPass>(parts_, static_cast<std::int64_t>(piece.size()), pieces[i].time);
    }
    score_batch(requests, piece, *pass, mine);
    done += tokens_of(pieces[i]);
    if (progress) progress(done, all);
  }
  // Each request was scored by one rank; the others' zeros do not change the bits of a sum.
  std::vector<double> values;
  for (const auto& m : mine) {
    values.push_back(m.log_prob);
    values.push_back(m.greedy ? 1.0 : 0.0);
  }
  parts_.data.host_reduce(std::span<double>(values), Reduction::sum);
  for (std::size_t i = 0; i < mine.size(); ++i) mine[i] = {values[2 * i], values[2 * i + 1] != 0.0};
  return mine;
}

}  // namespace trireme
