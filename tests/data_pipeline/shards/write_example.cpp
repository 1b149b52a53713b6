// SPDX-License-Identifier: Apache-2.0
// Writes a corpus for h5py_test.py and prints, through the reader, what is in it: "name value value ...".
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <exception>

#include "tests/data_pipeline/shards/example_corpus.h"

namespace trireme {
namespace {

void write_and_print(const std::string& folder) {
  testing::write_corpus(folder, {testing::example_shard(1, 3000), testing::example_shard(2, 10)});
  testing::write_corpus(folder + "/wide", {testing::example_shard(3, 50, 100000)});
  for (const char* name : {"shard-000000.h5", "shard-000001.h5", "wide/shard-000000.h5"}) {
    Shard shard(folder + "/" + name);
    const ShardContent content = shard.read_all();
    fmt::print("{} tokens {}\n", name, fmt::join(content.tokens, " "));
    fmt::print("{} documents {}\n", name, fmt::join(content.ends, " "));
    fmt::print("{} provenance", name);
    for (const DocumentAddress& a : content.addresses) fmt::print(" {} {} {}", a.source, a.record, a.offset);
    fmt::print("\n{} text_hashes", name);
    for (const Hash128& h : content.hashes) fmt::print(" {} {}", h.high, h.low);
    fmt::print("\n");
  }
}

}  // namespace
}  // namespace trireme

int main(int argc, char** argv) {
  try {
    if (argc != 2) return 2;
    trireme::write_and_print(argv[1]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
