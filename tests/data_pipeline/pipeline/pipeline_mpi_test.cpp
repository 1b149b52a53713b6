// SPDX-License-Identifier: Apache-2.0
// The pipeline over processes gives the bytes that it gives alone.
#include <gtest/gtest.h>

#include "data_pipeline/pipeline/pipeline.h"
#include "parallel/parallel.h"
#include "tests/core/io/temporary_directory.h"
#include "tests/data_pipeline/pipeline/example_sources.h"
#include "tests/parallel/mpi_main.h"

namespace trireme {
namespace {

TEST(PipelineOverMpi, ByteIdenticalToOneRank) {
  Group& world = test_world().group();
  const testing::TemporaryDirectory directory;  // the first rank's is everybody's
  std::string folder = directory.path().string();
  world.host_broadcast(folder, 0);
  DataConfig config;
  if (world.rank() == 0) testing::write_example_sources(folder);
  world.barrier();
  config = testing::write_example_sources(directory / "unused");
  for (SourceConfig& source : config.sources) {
    for (std::string& file : source.files) file = folder + file.substr(file.rfind('/'));
  }
  config.out = folder + "/together";
  const DataSummary summary = run_data(config, world, {});
  EXPECT_EQ(summary.counts.kept, testing::example_counts().kept);
  if (world.rank() == 0) {
    config.out = folder + "/alone";
    const auto self = make_self_group("world");
    run_data(config, *self, {});
    EXPECT_EQ(testing::corpus_files(folder + "/together"), testing::corpus_files(folder + "/alone"));
  }
  world.barrier();
}

}  // namespace
}  // namespace trireme
