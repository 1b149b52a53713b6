// SPDX-License-Identifier: Apache-2.0
#include "core/model/run_counts.h"

namespace trireme {

double parameters_by(ParameterCount count, const Architecture& a) {
  const std::int64_t token_tables = (a.tied ? 1 : 2) * a.vocabulary * a.width;
  const std::int64_t positions = a.family == Family::gpt2 ? a.context * a.width : 0;
  switch (count) {
    case ParameterCount::total:
      break;
    case ParameterCount::non_embedding:
      return static_cast<double>(parameter_count(a) - token_tables - positions);
    case ParameterCount::chinchilla:
      return static_cast<double>(matmul_parameter_count(a) + a.layers * a.width * a.heads * a.head_size);
  }
  return static_cast<double>(parameter_count(a));
}

double appendix_f_flops(const Architecture& a, std::int64_t time) {
  const auto s = static_cast<double>(time);
  const auto d = static_cast<double>(a.width);
  const auto v = static_cast<double>(a.vocabulary);
  const auto k = static_cast<double>(a.head_size);
  const auto h = static_cast<double>(a.heads);
  const double projected = k * static_cast<double>(a.heads + 2 * a.kv_heads);
  const double matrices = a.family == Family::llama ? 3.0 : 2.0;
  const double attention =
      2.0 * s * d * projected + 2.0 * s * s * k * h + 3.0 * h * s * s + 2.0 * s * s * k * h + 2.0 * s * k * h * d;
  const double dense = 2.0 * s * matrices * d * static_cast<double>(a.feed_forward);
  const double tables = 2.0 * s * v * d + 2.0 * s * d * v;
  return 3.0 * (tables + static_cast<double>(a.layers) * (attention + dense));
}

double flops_per_token(FlopCount count, ParameterCount parameters, const Architecture& a, std::int64_t time) {
  if (count == FlopCount::six_nd) return 6.0 * parameters_by(parameters, a);
  return appendix_f_flops(a, time) / static_cast<double>(time);
}

}  // namespace trireme
