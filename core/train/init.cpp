// SPDX-License-Identifier: Apache-2.0
#include "core/train/init.h"

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/base/rng.h"

namespace trireme {
namespace {

constexpr std::int64_t kChunk = std::int64_t{1} << 20;  // elements staged at a time

// The index in the global tensor of the slice's element `i`, row-major.
std::int64_t global_index(const NamedSlice& slice, std::int64_t i) {
  std::int64_t index = 0;
  std::int64_t stride = 1;
  for (int dim = slice.global.rank() - 1; dim >= 0; --dim) {
    index += (slice.origin[static_cast<std::size_t>(dim)] + i % slice.extent[dim]) * stride;
    i /= slice.extent[dim];
    stride *= slice.global[dim];
  }
  return index;
}

// Elements [first, first + out.size()) of the slice.
void fill(const NamedSlice& slice, const Init& init, const Random& random, std::int64_t first, std::span<float> out) {
  if (init.kind != Init::Kind::normal) {
    std::fill(out.begin(), out.end(), init.value);
    return;
  }
  const std::int64_t run = slice.extent[slice.extent.rank() - 1];  // neighbours here are neighbours in the whole
  std::int64_t index = 0;
  for (std::size_t i = 0; i < out.size(); ++i, ++index) {
    const auto element = first + static_cast<std::int64_t>(i);
    if (i == 0 || element % run == 0) index = global_index(slice, element);
    out[i] = static_cast<float>(init.value * random.normal(static_cast<std::uint64_t>(index)));
  }
}

// fill() on a few threads: a billion normal deviates take minutes on one.
void fill_threaded(const NamedSlice& slice, const Init& init, const Random& random, std::int64_t first,
                   std::span<float> out) {
  const std::size_t threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 16);
  const std::size_t part = std::max<std::size_t>((out.size() + threads - 1) / threads, 4096);
  std::vector<std::jthread> workers;
  for (std::size_t begin = 0; begin < out.size(); begin += part) {
    const auto piece = out.subspan(begin, std::min(part, out.size() - begin));
    const auto at = first + static_cast<std::int64_t>(begin);
    if (begin + part >= out.size()) {
      fill(slice, init, random, at, piece);
    } else {
      workers.emplace_back([&slice, &init, &random, at, piece] { fill(slice, init, random, at, piece); });
    }
  }
}

}  // namespace

void initialise(const ParamTable& table, ParamStore& store, Device& device, Stream& stream, std::uint64_t seed) {
  std::map<std::string, Init> inits;
  for (const auto& block : table.blocks()) {
    for (const auto& spec : block) inits.emplace(spec.name, spec.init);
  }
  const Buffer staging = device.allocate(static_cast<std::size_t>(kChunk) * sizeof(float), MemoryKind::pinned);
  auto* host = static_cast<float*>(staging.data());
  for (const NamedSlice& slice : store.slices(SliceKind::held)) {
    const auto init = inits.find(slice.name);
    check(init != inits.end(), "the parameter store holds {}, which the model does not have", slice.name);
    const Random random(seed, "init " + slice.name);
    const std::int64_t elements = slice.extent.elements();
    const Tensor flat = slice.master.reshape({elements});
    for (std::int64_t first = 0; first < elements; first += kChunk) {
      const Tensor to = flat.rows(first, std::min(kChunk, elements - first));
      fill_threaded(slice, init->second, random, first, {host, static_cast<std::size_t>(to.elements())});
      device.copy(stream, to.data, host, to.bytes());
      stream.synchronize();
    }
  }
  store.refresh(stream);
  stream.synchronize();
}

}  // namespace trireme
