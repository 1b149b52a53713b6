// SPDX-License-Identifier: Apache-2.0
#include "core/train/scorer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>

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

/// log softmax(logits)[target] over `vocabulary` columns, and whether no other column is larger.
Likelihood likelihood_of(const float* logits, std::int64_t vocabulary, std::int32_t target) {
  const auto* end = logits + vocabulary;
  const auto* best = std::max_element(logits, end);
  double sum = 0.0;
  for (const auto* l = logits; l != end; ++l) sum += std::exp(static_cast<double>(*l) - static_cast<double>(*best));
  return {static_cast<double>(logits[target]) - static_cast<double>(*best) - std::log(sum), best - logits == target};
}

/// A batch of one shape: the model planned for it, and pinned memory to fill and to read.
class ScoringPass {
 public:
  ScoringPass(const Scorer::Parts& parts, std::int64_t rows, std::int64_t time, std::int64_t logit_rows)
      : parts_(parts), model_(parts.architecture), plan_(Saving::none) {
    model_.params();
    model_.plan(plan_, {.batch = rows, .time = time, .dtype = parts.dtype});
    logits_ = plan_.stream("logits", Dtype::f32, {logit_rows, parts.architecture.vocabulary});
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
  /// Host logits of rows [first, first + count) of the flattened batch.
  const float* logits(std::int64_t first, std::int64_t count) {
    const auto out = plan_[logits_].rows(0, count);
    model_.logits(pass(), parts_.store, first, out);
    parts_.device.copy(parts_.stream, host_logits_.data(), out.data, out.bytes());
    parts_.stream.synchronize();
    return static_cast<const float*>(host_logits_.data());
  }

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

}  // namespace

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

void Scorer::score_batch(std::span<const ScoreRequest> requests, std::span<const Row> rows, std::int64_t time,
                         std::vector<Likelihood>& out) const {
  std::int64_t most = 1;
  for (const auto& row : rows) most = std::max(most, row.length - row.first_scored);
  ScoringPass pass(parts_, static_cast<std::int64_t>(rows.size()), time, most);
  auto& batch = pass.batch();
  std::memset(batch.tokens.data, 0, batch.tokens.bytes());
  std::memset(batch.targets.data, 0xff, batch.targets.bytes());  // -1: nothing to predict
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto input = input_of(requests[rows[r].requests.front()]);
    std::copy(input.begin(), input.end(), batch.tokens.as<std::int32_t>() + r * static_cast<std::size_t>(time));
    auto* positions = batch.positions.as<std::int32_t>() + r * static_cast<std::size_t>(time);
    std::iota(positions, positions + time, 0);
  }
  pass.forward();
  const auto vocabulary = parts_.architecture.vocabulary;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto& row = rows[r];
    const auto* logits =
        pass.logits(static_cast<std::int64_t>(r) * time + row.first_scored, row.length - row.first_scored);
    for (const auto i : row.requests) {
      const auto& request = requests[i];
      Likelihood sum{0.0, true};
      for (auto at = row.length - request.continuation; at < row.length; ++at) {
        const auto one = likelihood_of(logits + (at - row.first_scored) * vocabulary, vocabulary,
                                       request.tokens[static_cast<std::size_t>(at) + 1]);
        sum.log_prob += one.log_prob;
        sum.greedy = sum.greedy && one.greedy;
      }
      out[i] = sum;
    }
  }
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
  for (auto i = static_cast<std::size_t>(parts_.data.rank()); i < pieces.size(); i += size) {
    score_batch(requests, std::span(rows).subspan(pieces[i].begin, pieces[i].end - pieces[i].begin), pieces[i].time,
                mine);
    if (progress) progress(static_cast<std::int64_t>(i / size) + 1, static_cast<std::int64_t>(pieces.size() / size));
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
