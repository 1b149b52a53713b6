// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/reference.h"

#include <cmath>
#include <numbers>

namespace trireme::reference {

Values linear(const Values& x, const Values& w, const Values& bias, const Values& residual, std::size_t n,
              std::size_t i, std::size_t o) {
  Values y(n * o);
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t column = 0; column < o; ++column) {
      double sum = bias.empty() ? 0.0 : bias[column];
      if (!residual.empty()) sum += residual[row * o + column];
      for (std::size_t k = 0; k < i; ++k) sum += x[row * i + k] * w[column * i + k];
      y[row * o + column] = sum;
    }
  }
  return y;
}

Values linear_backward_input(const Values& dy, const Values& w, std::size_t n, std::size_t i, std::size_t o) {
  Values dx(n * i);
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t k = 0; k < i; ++k) {
      for (std::size_t column = 0; column < o; ++column) dx[row * i + k] += dy[row * o + column] * w[column * i + k];
    }
  }
  return dx;
}

Values linear_backward_weight(const Values& dy, const Values& x, std::size_t n, std::size_t i, std::size_t o) {
  Values dw(o * i);
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t column = 0; column < o; ++column) {
      for (std::size_t k = 0; k < i; ++k) dw[column * i + k] += dy[row * o + column] * x[row * i + k];
    }
  }
  return dw;
}

Values column_sums(const Values& x, std::size_t rows, std::size_t columns) {
  Values sums(columns);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t c = 0; c < columns; ++c) sums[c] += x[row * columns + c];
  }
  return sums;
}

namespace {

/// Mean (0 for RMSNorm) and 1 / standard deviation of each row.
void statistics(Norm& norm, const Values& x, std::size_t width, double eps, bool centred) {
  for (std::size_t begin = 0; begin < x.size(); begin += width) {
    double mean = 0.0;
    for (std::size_t k = 0; k < width && centred; ++k) mean += x[begin + k] / static_cast<double>(width);
    double variance = 0.0;
    for (std::size_t k = 0; k < width; ++k) variance += std::pow(x[begin + k] - mean, 2) / static_cast<double>(width);
    norm.mean.push_back(mean);
    norm.rstd.push_back(1.0 / std::sqrt(variance + eps));
  }
}

Norm norm_forward(const Values& x, const Values& weight, const Values& bias, std::size_t width, double eps,
                  bool centred) {
  Norm norm;
  statistics(norm, x, width, eps, centred);
  for (std::size_t at = 0; at < x.size(); ++at) {
    const std::size_t row = at / width;
    const std::size_t k = at % width;
    norm.y.push_back((x[at] - norm.mean[row]) * norm.rstd[row] * weight[k] + (bias.empty() ? 0.0 : bias[k]));
  }
  return norm;
}

NormGradient norm_backward(const Values& dy, const Values& x, const Values& weight, std::size_t width, double eps,
                           bool centred) {
  Norm norm;
  statistics(norm, x, width, eps, centred);
  NormGradient gradient{Values(x.size()), Values(width), Values(width)};
  const auto count = static_cast<double>(width);
  for (std::size_t row = 0; row < x.size() / width; ++row) {
    Values unit(width), g(width);
    double mean_g = 0.0;
    double mean_gx = 0.0;
    for (std::size_t k = 0; k < width; ++k) {
      const std::size_t at = row * width + k;
      unit[k] = (x[at] - norm.mean[row]) * norm.rstd[row];
      g[k] = dy[at] * weight[k];
      mean_g += g[k] / count;
      mean_gx += g[k] * unit[k] / count;
      gradient.d_weight[k] += dy[at] * unit[k];
      gradient.d_bias[k] += dy[at];
    }
    for (std::size_t k = 0; k < width; ++k) {
      gradient.dx[row * width + k] = norm.rstd[row] * (g[k] - (centred ? mean_g : 0.0) - unit[k] * mean_gx);
    }
  }
  return gradient;
}

}  // namespace

Norm layer_norm(const Values& x, const Values& weight, const Values& bias, std::size_t width, double eps) {
  return norm_forward(x, weight, bias, width, eps, true);
}
NormGradient layer_norm_backward(const Values& dy, const Values& x, const Values& weight, std::size_t width,
                                 double eps) {
  return norm_backward(dy, x, weight, width, eps, true);
}
Norm rms_norm(const Values& x, const Values& weight, std::size_t width, double eps) {
  return norm_forward(x, weight, {}, width, eps, false);
}
NormGradient rms_norm_backward(const Values& dy, const Values& x, const Values& weight, std::size_t width, double eps) {
  return norm_backward(dy, x, weight, width, eps, false);
}

namespace {

/// Where things are in packed heads.
struct Layout {
  const AttentionSizes& s;
  std::size_t at(std::size_t b, std::size_t t, std::size_t head) const {
    return ((b * s.time + t) * (s.heads + 2 * s.kv_heads) + head) * s.size;
  }
  std::size_t key(std::size_t b, std::size_t t, std::size_t h) const {
    return at(b, t, s.heads + h / (s.heads / s.kv_heads));
  }
  std::size_t value(std::size_t b, std::size_t t, std::size_t h) const {
    return at(b, t, s.heads + s.kv_heads + h / (s.heads / s.kv_heads));
  }
  std::size_t out(std::size_t b, std::size_t t, std::size_t h) const {
    return ((b * s.time + t) * s.heads + h) * s.size;
  }
};

/// Probabilities of keys [first, t] for one query; the rest are 0.
Values probabilities(const Values& qkv, const Layout& where, std::size_t b, std::size_t t, std::size_t h,
                     std::size_t first, double& lse) {
  const AttentionSizes& s = where.s;
  Values p(s.time);
  double high = -INFINITY;
  for (std::size_t key = first; key <= t; ++key) {
    for (std::size_t k = 0; k < s.size; ++k) p[key] += qkv[where.at(b, t, h) + k] * qkv[where.key(b, key, h) + k];
    p[key] *= s.scale;
    high = std::max(high, p[key]);
  }
  double total = 0.0;
  for (std::size_t key = first; key <= t; ++key) total += std::exp(p[key] - high);
  lse = high + std::log(total);
  for (std::size_t key = first; key <= t; ++key) p[key] = std::exp(p[key] - lse);
  return p;
}

std::size_t first_key(const Index& document_start, std::size_t row) {
  return document_start.empty() ? 0 : static_cast<std::size_t>(document_start[row]);
}

}  // namespace

AttentionResult attention(const Values& qkv, const Index& document_start, const AttentionSizes& s) {
  const Layout where{s};
  AttentionResult result{Values(s.batch * s.time * s.heads * s.size), Values(s.batch * s.heads * s.time)};
  for (std::size_t b = 0; b < s.batch; ++b) {
    for (std::size_t h = 0; h < s.heads; ++h) {
      for (std::size_t t = 0; t < s.time; ++t) {
        const std::size_t first = first_key(document_start, b * s.time + t);
        const Values p = probabilities(qkv, where, b, t, h, first, result.lse[(b * s.heads + h) * s.time + t]);
        for (std::size_t key = first; key <= t; ++key) {
          for (std::size_t k = 0; k < s.size; ++k) {
            result.y[where.out(b, t, h) + k] += p[key] * qkv[where.value(b, key, h) + k];
          }
        }
      }
    }
  }
  return result;
}

Values attention_backward(const Values& dy, const Values& qkv, const Index& document_start, const AttentionSizes& s) {
  const Layout where{s};
  Values d(qkv.size());
  for (std::size_t b = 0; b < s.batch; ++b) {
    for (std::size_t h = 0; h < s.heads; ++h) {
      for (std::size_t t = 0; t < s.time; ++t) {
        double lse = 0.0;
        const std::size_t first = first_key(document_start, b * s.time + t);
        const Values p = probabilities(qkv, where, b, t, h, first, lse);
        Values dp(s.time);
        double dot = 0.0;
        for (std::size_t key = first; key <= t; ++key) {
          for (std::size_t k = 0; k < s.size; ++k) {
            dp[key] += dy[where.out(b, t, h) + k] * qkv[where.value(b, key, h) + k];
          }
          dot += p[key] * dp[key];
        }
        for (std::size_t key = first; key <= t; ++key) {
          const double ds = p[key] * (dp[key] - dot) * s.scale;
          for (std::size_t k = 0; k < s.size; ++k) {
            d[where.at(b, t, h) + k] += ds * qkv[where.key(b, key, h) + k];
            d[where.key(b, key, h) + k] += ds * qkv[where.at(b, t, h) + k];
            d[where.value(b, key, h) + k] += p[key] * dy[where.out(b, t, h) + k];
          }
        }
      }
    }
  }
  return d;
}

Values gelu(const Values& x) {
  Values y;
  const double c = std::sqrt(2.0 / std::numbers::pi);
  for (const double v : x) y.push_back(0.5 * v * (1.0 + std::tanh(c * (v + 0.044715 * v * v * v))));
  return y;
}

Values gelu_backward(const Values& dy, const Values& x) {
  Values dx;
  const double c = std::sqrt(2.0 / std::numbers::pi);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    const double t = std::tanh(c * (v + 0.044715 * v * v * v));
    dx.push_back(dy[i] * (0.5 * (1.0 + t) + 0.5 * v * (1.0 - t * t) * c * (1.0 + 3.0 * 0.044715 * v * v)));
  }
  return dx;
}

Values swiglu(const Values& gate_up, std::size_t width) {
  Values y;
  for (std::size_t begin = 0; begin < gate_up.size(); begin += 2 * width) {
    for (std::size_t i = 0; i < width; ++i) {
      const double g = gate_up[begin + i];
      y.push_back(g / (1.0 + std::exp(-g)) * gate_up[begin + width + i]);
    }
  }
  return y;
}

Values swiglu_backward(const Values& dy, const Values& gate_up, std::size_t width) {
  Values d(gate_up.size());
  for (std::size_t row = 0; row < dy.size() / width; ++row) {
    for (std::size_t i = 0; i < width; ++i) {
      const double g = gate_up[row * 2 * width + i];
      const double s = 1.0 / (1.0 + std::exp(-g));
      const double dv = dy[row * width + i];
      d[row * 2 * width + i] = dv * gate_up[row * 2 * width + width + i] * (s + g * s * (1.0 - s));
      d[row * 2 * width + width + i] = dv * g * s;
    }
  }
  return d;
}

Entropy cross_entropy(const Values& logits, const Index& targets, std::size_t width, std::size_t vocabulary) {
  Entropy result{Values(targets.size()), Values(logits.size())};
  for (std::size_t row = 0; row < targets.size(); ++row) {
    if (targets[row] < 0) continue;
    const double* x = &logits[row * width];
    double high = x[0];
    for (std::size_t i = 0; i < vocabulary; ++i) high = std::max(high, x[i]);
    double total = 0.0;
    for (std::size_t i = 0; i < vocabulary; ++i) total += std::exp(x[i] - high);
    const auto target = static_cast<std::size_t>(targets[row]);
    result.losses[row] = std::log(total) - (x[target] - high);
    for (std::size_t i = 0; i < vocabulary; ++i) {
      result.gradient[row * width + i] = std::exp(x[i] - high) / total - (i == target ? 1.0 : 0.0);
    }
  }
  return result;
}

Values rope(const Values& x, const Index& positions, const Values& frequency, std::size_t heads, std::size_t rotated,
            bool inverse) {
  Values y = x;
  const std::size_t half = frequency.size();
  for (std::size_t row = 0; row < positions.size(); ++row) {
    for (std::size_t head = 0; head < rotated; ++head) {
      const std::size_t begin = (row * heads + head) * 2 * half;
      for (std::size_t i = 0; i < half; ++i) {
        const double angle = (inverse ? -1.0 : 1.0) * positions[row] * frequency[i];
        y[begin + i] = x[begin + i] * std::cos(angle) - x[begin + half + i] * std::sin(angle);
        y[begin + half + i] = x[begin + half + i] * std::cos(angle) + x[begin + i] * std::sin(angle);
      }
    }
  }
  return y;
}

void adamw(AdamState& state, const Values& gradient, double scale, double lr, double beta1, double beta2, double eps,
           double weight_decay, int step) {
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double g = gradient[i] * scale;
    state.first[i] = beta1 * state.first[i] + (1.0 - beta1) * g;
    state.second[i] = beta2 * state.second[i] + (1.0 - beta2) * g * g;
    const double m = state.first[i] / (1.0 - std::pow(beta1, step));
    const double v = state.second[i] / (1.0 - std::pow(beta2, step));
    state.master[i] -= lr * weight_decay * state.master[i];
    state.master[i] -= lr * m / (std::sqrt(v) + eps);
  }
}

}  // namespace trireme::reference
