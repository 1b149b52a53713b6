// SPDX-License-Identifier: Apache-2.0
#include "tests/parity/mesh_rig.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include "core/train/init.h"
#include "kernels/kernels.h"
#include "tests/kernels/test_device.h"
#include "tests/parity/fixed_batches.h"

namespace trireme {
namespace {

/// Puts the slice's values at their places in the whole tensor; NaN where nothing came.
void scatter(MeshRank& rank, const NamedSlice& slice, const Tensor& array, std::vector<float>& whole) {
  if (whole.empty()) {
    whole.assign(static_cast<std::size_t>(slice.global.elements()), std::numeric_limits<float>::quiet_NaN());
  }
  const std::int64_t columns = slice.extent.rank() == 2 ? slice.extent[1] : slice.extent.elements();
  const std::int64_t width = slice.global.rank() == 2 ? slice.global[1] : 0;
  const Buffer host = rank.device->allocate(array.bytes(), MemoryKind::pinned);
  rank.device->copy(*rank.stream, host.data(), array.data, array.bytes());
  rank.stream->synchronize();
  const auto* values = static_cast<const float*>(host.data());
  for (std::int64_t i = 0; i < slice.extent.elements(); ++i) {
    const std::int64_t row = slice.extent.rank() == 2 ? slice.origin[0] + i / columns : 0;
    const std::int64_t column = slice.origin[slice.extent.rank() == 2 ? 1 : 0] + i % columns;
    whole[static_cast<std::size_t>(row * width + column)] = values[i];
  }
}

/// Adds what one rank owns to the whole; each element belongs to one rank.
void gather(const WholeArrays& parts, WholeArrays& wholes) {
  for (const auto& [name, part] : parts) {
    std::vector<float>& whole = wholes[name];
    if (whole.empty()) whole.assign(part.size(), std::numeric_limits<float>::quiet_NaN());
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (std::isnan(part[i])) continue;
      if (!std::isnan(whole[i])) throw std::runtime_error("two ranks own an element of " + name);
      whole[i] = part[i];
    }
  }
}

/// On GPUs each rank has its own, with memory of its own as in earnest.
std::unique_ptr<Device> device_for(const World& world, const MeshCase& c) {
  if (tests_on_cuda() && !c.on_cpu) return make_test_gpu(world.local_rank());
  return make_cpu_device({.threads = 1, .inline_streams = c.inline_streams});
}

MeshGroups mesh_for(World& world, const MeshCase& c, Device& device, const MeshSeams& seams) {
  const auto copies = std::max<std::int64_t>(1, c.mesh.tensor / c.architecture.kv_heads);
  MeshGroups mesh = connect_mesh(world, c.mesh, copies, device, c.nccl);
  if (seams.groups) seams.groups(mesh);
  return mesh;
}

/// Name, zero, number of floats, floats; one array after another.
std::string packed(const WholeArrays& arrays) {
  std::string bytes;
  for (const auto& [name, values] : arrays) {
    const std::uint64_t count = values.size();
    bytes += name + '\0';
    bytes.append(reinterpret_cast<const char*>(&count), sizeof count);
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  }
  return bytes;
}

WholeArrays unpacked(const std::string& bytes) {
  WholeArrays arrays;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::string name = bytes.c_str() + at;
    at += name.size() + 1;
    std::uint64_t count = 0;
    std::memcpy(&count, bytes.data() + at, sizeof count);
    at += sizeof count;
    std::vector<float> values(count);
    std::memcpy(values.data(), bytes.data() + at, count * sizeof(float));
    at += count * sizeof(float);
    arrays.emplace(name, std::move(values));
  }
  return arrays;
}

}  // namespace

OptimizerConfig mesh_optimizer() {
  OptimizerConfig config;
  // Steps far smaller than what they move (weights of 0.02), and an eps about as large as gradients are: an update that
  // is smooth in the gradient. With an eps of next to nothing it would be the gradient's sign, which rounding turns
  // over, and which is the same however often a gradient is counted.
  config.lr = 1e-3;
  config.eps = 1e-2;
  config.weight_decay = 1.0;  // a thousandth of a weight in each step: its absence is above the bounds
  config.clip = 0.5;          // below the norms of the steps: the norm's sum over ranks enters every update
  return config;
}

MeshRank::MeshRank(World& world, const MeshCase& c, BatchSource& source, const MeshSeams& seams)
    : config(c),
      optimizer(mesh_optimizer()),
      device(device_for(world, c)),
      ops(make_test_ops(*device)),
      stream(device->make_stream("compute")),
      mesh(mesh_for(world, c, *device, seams)),
      table(Model(c.architecture).params()),
      store(make_params(table, *device, *ops, c.train.precision,
                        {mesh.replica.get(), mesh.shard.get(), mesh.tensor.get(), mesh.copies.get()}, c.sharding)) {
  if (seams.store) store = seams.store(std::move(store));
  trainer = std::make_unique<Trainer>(Trainer::Parts{.architecture = config.architecture,
                                                     .config = config.train,
                                                     .optimizer = optimizer,
                                                     .device = *device,
                                                     .ops = *ops,
                                                     .stream = *stream,
                                                     .store = *store,
                                                     .data = *mesh.data,
                                                     .tensor = *mesh.tensor,
                                                     .source = source});
  initialise(table, *store, *device, *stream, config.train.seed);
}

std::vector<StepMetrics> MeshRank::run(std::int64_t steps) {
  std::vector<StepMetrics> all;
  for (std::int64_t i = 0; i < steps; ++i) {
    if (const auto metrics = trainer->step()) all.push_back(*metrics);
  }
  if (const auto metrics = trainer->flush()) all.push_back(*metrics);
  return all;
}

FixedBatches mesh_batches(const MeshCase& c) {
  return FixedBatches::random(48, c.train.sequence, c.architecture.vocabulary, 9);
}

MeshResult train_in_world(World& world, const MeshCase& c) {
  MeshResult result;
  auto batches = mesh_batches(c);
  MeshRank rank(world, c, batches);
  result.metrics = rank.run(c.train.steps);
  for (const NamedSlice& slice : rank.store->slices(SliceKind::owned)) {
    scatter(rank, slice, slice.master, result.parameters[slice.name]);
    scatter(rank, slice, slice.first, result.firsts[slice.name]);
    scatter(rank, slice, slice.second, result.seconds[slice.name]);
  }
  return result;
}

void gather_over(World& world, MeshResult& result) {
  for (WholeArrays* arrays : {&result.parameters, &result.firsts, &result.seconds}) {
    WholeArrays wholes;
    for (const std::string& part : world.group().host_gather(packed(*arrays))) gather(unpacked(part), wholes);
    *arrays = std::move(wholes);
  }
}

MeshResult train_on_mesh(const MeshCase& c) {
  MeshResult result;
  std::mutex mutex;
  run_thread_world(static_cast<int>(c.mesh.ranks()), [&](World& world) {
    MeshResult of_rank = train_in_world(world, c);
    const std::lock_guard lock(mutex);
    gather(of_rank.parameters, result.parameters);
    gather(of_rank.firsts, result.firsts);
    gather(of_rank.seconds, result.seconds);
    if (world.rank() == 0) result.metrics = std::move(of_rank.metrics);
  });
  return result;
}

}  // namespace trireme
