// SPDX-License-Identifier: Apache-2.0
// How parameters start and how fast they learn, as the model grows wider. Standard: GPT-2's rule (Radford et al. 2019),
// for both families. mup: the maximal update parametrization for Adam (Yang et al. 2022, table 8), with which the
// learning rate that is best at one width is best at all.
//
// m = width / base_width. mup gives matrices within blocks 1/m of the variance and 1/m of the learning rate, and
// logits the factor 1/m. Under Adam this factor is the same as a last norm that starts at 1/m of its weight and learns
// at 1/m of the rate, so that is where it is, and a trained model is a plain one. At width = base_width the two are
// one.
#pragma once

#include <cmath>

#include "core/base/params.h"
#include "core/model/architecture.h"

namespace trireme {

/// How a parameter starts, and the part of the learning rate that it learns at.
struct Start {
  Init init;
  float lr_scale = 1.0F;
};

/// m; 1 in the standard parametrization.
inline double width_factor(const Architecture& a) {
  return a.parametrization == Parametrization::mup ? static_cast<double>(a.width) / static_cast<double>(a.base_width)
                                                   : 1.0;
}

inline Start normal_start(double std, double lr_scale = 1.0) {
  return {{.kind = Init::Kind::normal, .value = static_cast<float>(std)}, static_cast<float>(lr_scale)};
}

/// Of embeddings and of the head: 0.02 whatever the width.
inline Start table_start(const Architecture& /*a*/) { return normal_start(0.02); }
/// Of matrices that read the residual stream.
inline Start reader_start(const Architecture& a) {
  const double m = width_factor(a);
  return normal_start(0.02 / std::sqrt(m), 1.0 / m);
}
/// Of matrices that write to the residual stream: divided by sqrt(2L), so that 2L additions keep its variance.
inline Start writer_start(const Architecture& a) {
  const double m = width_factor(a);
  return normal_start(0.02 / std::sqrt(2.0 * static_cast<double>(a.layers) * m), 1.0 / m);
}
/// Of the weight of a norm; `last`: before the head.
inline Start gain_start(const Architecture& a, bool last) {
  const auto part = static_cast<float>(last ? 1.0 / width_factor(a) : 1.0);
  return {{.kind = Init::Kind::constant, .value = part}, part};
}
/// Of the bias of a norm; `last`: before the head.
inline Start shift_start(const Architecture& a, bool last) { return {{}, gain_start(a, last).lr_scale}; }

/// What attention scores are multiplied with: 1/sqrt(K); in mup falling as 1/K from the base's head size on.
inline float attention_scale(const Architecture& a) {
  const auto k = static_cast<double>(a.head_size);
  const bool own = a.parametrization == Parametrization::standard || a.base_head_size == 0;
  return static_cast<float>(own ? 1.0 / std::sqrt(k) : std::sqrt(static_cast<double>(a.base_head_size)) / k);
}

}  // namespace trireme
