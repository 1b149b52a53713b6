// SPDX-License-Identifier: Apache-2.0
#include "core/scaling/envelope.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "core/base/error.h"

namespace trireme {
namespace {

constexpr std::size_t kGrid = 1500;

/// A run's loss and tokens at each amount of compute; infinite where it has not been.
struct Curve {
  double parameters = 0;
  std::vector<double> loss, tokens;
};

/// All curves with more than one row, at the same amounts of compute.
struct Curves {
  std::vector<double> flops;
  std::vector<Curve> all;
  std::vector<std::size_t> run_of;   // of each, from 0
  double smallest = 0, largest = 0;  // sizes
};

Curve interpolated(std::vector<const ScalingPoint*> rows, std::span<const double> flops) {
  std::sort(rows.begin(), rows.end(), [](const auto* x, const auto* y) { return x->flops < y->flops; });
  Curve curve{rows[0]->parameters, {}, {}};
  std::size_t next = 0;
  for (const auto c : flops) {
    while (next < rows.size() && rows[next]->flops < c) ++next;
    if (next == rows.size() || (next == 0 && rows[0]->flops > c)) {
      curve.loss.push_back(std::numeric_limits<double>::infinity());
      curve.tokens.push_back(0);
      continue;
    }
    const auto *above = rows[next], *below = rows[next == 0 ? 0 : next - 1];
    const auto range = std::log(above->flops / below->flops);
    const auto part = range > 0 ? std::log(c / below->flops) / range : 1;
    curve.loss.push_back(below->loss + part * (above->loss - below->loss));
    curve.tokens.push_back(below->tokens * std::pow(above->tokens / below->tokens, part));
  }
  return curve;
}

Curves read_curves(std::span<const ScalingPoint> points) {
  const auto run_of = run_numbers(points);
  std::map<std::pair<std::size_t, std::string>, std::vector<const ScalingPoint*>> rows;
  for (std::size_t i = 0; i < points.size(); ++i) rows[{run_of[i], points[i].curve}].push_back(&points[i]);
  std::erase_if(rows, [](const auto& r) { return r.second.size() < 2; });
  check_usage(!rows.empty(),
              "training curves need several rows of a run; every run here has one row (its end). Give the curves of "
              "all runs with --curves, and name the column of their runs");
  Curves curves;
  double first = std::numeric_limits<double>::infinity(), last = 0;
  std::vector<double> sizes;
  for (const auto& [of, run] : rows) {
    for (const auto* p : run) {
      first = std::min(first, p->flops);
      last = std::max(last, p->flops);
    }
    sizes.push_back(run[0]->parameters);
  }
  for (std::size_t i = 0; i < kGrid; ++i) {
    curves.flops.push_back(first * std::pow(last / first, static_cast<double>(i) / (kGrid - 1)));
  }
  curves.flops.back() = last;                  // pow may round beyond it
  std::map<std::size_t, std::size_t> numbers;  // runs without a curve have none
  for (const auto& [of, run] : rows) {
    curves.all.push_back(interpolated(run, curves.flops));
    curves.run_of.push_back(numbers.try_emplace(of.first, numbers.size()).first->second);
  }
  curves.smallest = *std::min_element(sizes.begin(), sizes.end());
  curves.largest = *std::max_element(sizes.begin(), sizes.end());
  return curves;
}

std::vector<EnvelopePoint> envelope_of(const Curves& curves, std::span<const double> weights) {
  std::vector<EnvelopePoint> envelope;
  for (std::size_t i = 0; i < curves.flops.size(); ++i) {
    const Curve* best = nullptr;
    for (std::size_t k = 0; k < curves.all.size(); ++k) {
      const auto& curve = curves.all[k];
      if (weights[k] > 0 && std::isfinite(curve.loss[i]) && (best == nullptr || curve.loss[i] < best->loss[i])) {
        best = &curve;
      }
    }
    if (best == nullptr) continue;
    const bool inside =
        best->parameters > curves.smallest * (1 + 1e-3) && best->parameters < curves.largest * (1 - 1e-3);
    if (inside) envelope.push_back({curves.flops[i], best->parameters, best->tokens[i], best->loss[i]});
  }
  return envelope;
}

std::optional<ComputeLines> lines_of(const std::vector<EnvelopePoint>& envelope) {
  std::vector<double> c, n, d;
  for (const auto& p : envelope) {
    c.push_back(p.flops);
    n.push_back(p.parameters);
    d.push_back(p.tokens);
  }
  if (distinct(n).size() < 2) return std::nullopt;
  return ComputeLines{line_through(c, n), line_through(c, d)};
}

}  // namespace

EnvelopeFit fit_envelope(std::span<const ScalingPoint> curves, const BootstrapOptions& options) {
  check_usage(!curves.empty(), "there are no training curves");
  check_points(curves);
  const auto read = read_curves(curves);
  EnvelopeFit fit;
  fit.runs = read.all.size();
  fit.envelope = envelope_of(read, std::vector<double>(read.all.size(), 1));
  const auto lines = lines_of(fit.envelope);
  check_usage(
      lines.has_value(),
      "along the envelope of {} training curves fewer than two sizes are best that have both smaller and larger "
      "ones beside them; train more sizes, or each of them longer",
      fit.runs);
  fit.lines = *lines;
  std::vector<std::optional<ComputeLines>> found(static_cast<std::size_t>(options.resamples));
  for_each_resample(options, [&](int number) {
    found[static_cast<std::size_t>(number)] = lines_of(envelope_of(read, draw_rows(options, number, read.run_of)));
  });
  for (const auto& l : found) {
    if (l) fit.resamples.push_back(*l);
  }
  return fit;
}

}  // namespace trireme
