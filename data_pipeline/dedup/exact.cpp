// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/dedup/exact.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <tuple>

#include "core/base/error.h"

namespace trireme {
namespace {

__extension__ using Wide = unsigned __int128;

struct Entry {
  Hash128 hash;
  std::uint64_t unit = 0;
  std::uint64_t document = 0;

  auto operator<=>(const Entry&) const = default;  // by hash, then by place
};

struct Place {
  std::uint64_t unit = 0;
  std::uint64_t document = 0;
};

template <class T>
std::string pack(const T* values, std::size_t count) {
  return {reinterpret_cast<const char*>(values), count * sizeof(T)};
}

template <class T>
std::vector<T> unpack(const std::vector<std::string>& parts) {
  std::vector<T> values;
  for (const std::string& part : parts) {
    const std::size_t before = values.size();
    values.resize(before + part.size() / sizeof(T));
    std::memcpy(values.data() + before, part.data(), part.size());
  }
  return values;
}

/// The first hash of part `part` of `parts` equal parts of all hashes; past the last one for part == parts.
bool belongs(const Hash128& hash, std::uint64_t part, std::uint64_t parts) {
  return static_cast<std::uint64_t>(Wide{hash.high} * parts >> 64U) == part;
}

/// This rank's share: the entries of every size-th unit, sorted.
std::vector<Entry> own_entries(const Group& world, std::uint64_t units,
                               const std::function<std::vector<Hash128>(std::uint64_t)>& hashes_of,
                               std::vector<std::int64_t>& documents) {
  std::vector<Entry> entries;
  const auto size = static_cast<std::uint64_t>(world.size());
  for (auto unit = static_cast<std::uint64_t>(world.rank()); unit < units; unit += size) {
    const std::vector<Hash128> hashes = hashes_of(unit);
    documents[unit] = static_cast<std::int64_t>(hashes.size());
    for (std::size_t d = 0; d < hashes.size(); ++d) entries.push_back({hashes[d], unit, d});
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// Of the entries with the same hash, all but the first.
std::vector<Place> later_ones(std::vector<Entry>& entries) {
  std::sort(entries.begin(), entries.end());
  std::vector<Place> places;
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].hash == entries[i - 1].hash) places.push_back({entries[i].unit, entries[i].document});
  }
  return places;
}

}  // namespace

std::vector<std::vector<bool>> find_duplicates(Group& world, std::uint64_t units,
                                               const std::function<std::vector<Hash128>(std::uint64_t)>& hashes_of,
                                               std::uint64_t round_bytes) {
  std::vector<std::int64_t> documents(units);
  const std::vector<Entry> own = own_entries(world, units, hashes_of, documents);
  if (units > 0) world.host_reduce(std::span(documents), Reduction::sum);
  std::vector<std::vector<bool>> duplicate(units);
  std::uint64_t total = 0;
  for (std::size_t unit = 0; unit < units; ++unit) {
    duplicate[unit].resize(static_cast<std::size_t>(documents[unit]));
    total += duplicate[unit].size();
  }
  const std::uint64_t rounds = total * sizeof(Entry) / round_bytes + 1;
  const auto ranks = static_cast<std::uint64_t>(world.size());
  std::size_t begin = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    std::size_t end = begin;
    while (end < own.size() && belongs(own[end].hash, round, rounds)) ++end;
    const std::vector<std::string> parts = world.host_gather(pack(own.data() + begin, end - begin));
    begin = end;
    // All ranks have the round's entries; each judges a range of hashes of its own.
    std::vector<Entry> mine = unpack<Entry>(parts);
    std::erase_if(mine, [&](const Entry& entry) {
      return !belongs(entry.hash, round * ranks + static_cast<std::uint64_t>(world.rank()), rounds * ranks);
    });
    const std::vector<Place> places = later_ones(mine);
    for (const Place& place : unpack<Place>(world.host_gather(pack(places.data(), places.size())))) {
      duplicate[place.unit][place.document] = true;
    }
  }
  return duplicate;
}

}  // namespace trireme
