// SPDX-License-Identifier: Apache-2.0
// Chooses the kernels for the processor that the program runs on.
#include "kernels/cpu/kernel_table.h"

namespace trireme::cpu {

namespace baseline {
extern const KernelTable kTable;
}
#ifdef TRIREME_CPU_X86
namespace avx2 {
extern const KernelTable kTable;
}
namespace avx512 {
extern const KernelTable kTable;
}
#endif

const KernelTable* kernel_table(InstructionSet set) {
#ifdef TRIREME_CPU_X86
  const bool has_avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512cd");
  if (set == InstructionSet::avx512) return has_avx512 ? &avx512::kTable : nullptr;
  if (set == InstructionSet::avx2) return has_avx2 ? &avx2::kTable : nullptr;
#endif
  return set == InstructionSet::baseline ? &baseline::kTable : nullptr;
}

const KernelTable& best_kernel_table() {
  for (const auto set : {InstructionSet::avx512, InstructionSet::avx2}) {
    if (const KernelTable* table = kernel_table(set)) return *table;
  }
  return baseline::kTable;
}

}  // namespace trireme::cpu
