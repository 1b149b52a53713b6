// SPDX-License-Identifier: Apache-2.0
// The axes of the mesh, laid over the ranks node by node.
#include <algorithm>
#include <numeric>
#include <vector>

#include "core/base/error.h"
#include "parallel/parallel.h"

namespace trireme {

std::vector<std::int64_t> ranks_by_node(std::span<const RankHome> homes) {
  std::vector<std::size_t> order(homes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return homes[a].node < homes[b].node; });
  std::vector<std::int64_t> index(homes.size());
  for (std::size_t i = 0; i < order.size(); ++i) index[order[i]] = static_cast<std::int64_t>(i);
  return index;
}

int nccl_channels(std::string_view axis, const NcclOptions& options) {
  constexpr int kScalarChannels = 1;  // the data axis sums a step's totals and nothing else
  if (axis == "data") return kScalarChannels;
  return axis == "replica" || axis == "shard" ? options.channels : 0;
}

MeshGroups connect_mesh(World& world, const MeshShape& shape, std::int64_t copies, Device& device,
                        const NcclOptions& nccl) {
  check_usage(shape.replica >= 1 && shape.shard >= 1 && shape.tensor >= 1 && shape.ranks() == world.size(),
              "mesh.replica * mesh.shard * mesh.tensor = {} * {} * {} must be the number of ranks, which is {}",
              shape.replica, shape.shard, shape.tensor, world.size());
  check_usage(copies >= 1 && shape.tensor % copies == 0, "{} neighbours do not divide mesh.tensor = {}", copies,
              shape.tensor);
  MeshGroups mesh;
  mesh.shape = shape;
  mesh.place = place_of(shape, ranks_by_node(world.homes())[static_cast<std::size_t>(world.rank())]);
  const auto& [replica, shard, tensor] = mesh.place;
  const std::int64_t data = mesh.place.data(shape);
  mesh.replica = world.split("replica", shard * shape.tensor + tensor, replica, device, nccl);
  mesh.shard = world.split("shard", replica * shape.tensor + tensor, shard, device, nccl);
  mesh.tensor = world.split("tensor", data, tensor, device, nccl);
  mesh.data = world.split("data", tensor, data, device, nccl);
  mesh.copies = world.split("copies", data * (shape.tensor / copies) + tensor / copies, tensor, device, nccl);
  return mesh;
}

MeshGroups make_dry_mesh(const MeshShape& shape, std::int64_t rank, std::int64_t copies, const ClusterLinks& links) {
  check_usage(rank >= 0 && rank < shape.ranks(), "rank {} of a mesh of {} ranks", rank, shape.ranks());
  check_usage(copies >= 1 && shape.tensor % copies == 0, "{} neighbours do not divide mesh.tensor = {}", copies,
              shape.tensor);
  MeshGroups mesh;
  mesh.shape = shape;
  mesh.place = place_of(shape, rank);
  const auto group = [&](const char* name, std::int64_t place, std::int64_t size, std::int64_t stride) {
    return make_dry_group(name, static_cast<int>(place), static_cast<int>(size), ring_link(links, stride, size));
  };
  const auto& [replica, shard, tensor] = mesh.place;
  mesh.replica = group("replica", replica, shape.replica, shape.shard * shape.tensor);
  mesh.shard = group("shard", shard, shape.shard, shape.tensor);
  mesh.tensor = group("tensor", tensor, shape.tensor, 1);
  mesh.data = group("data", mesh.place.data(shape), shape.data(), shape.tensor);
  mesh.copies = group("copies", tensor % copies, copies, 1);
  return mesh;
}

}  // namespace trireme
