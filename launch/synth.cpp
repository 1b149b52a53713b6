// SPDX-License-Identifier: Apache-2.0
// Reads the command line of `trireme synth`; the world is written by the data wing.
#include "launch/synth.h"

#include <boost/program_options/value_semantic.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdio>

#include "core/base/error.h"
#include "data_pipeline/data.h"
#include "launch/command.h"

namespace trireme {
namespace po = boost::program_options;

int synth_command(std::span<const std::string> args) {
  SynthOptions wanted;
  CommandLine line{"synth OUT [--documents N] [--seed S]",
                   "Writes a fictional world: a crawl (WET), an encyclopedia (MediaWiki XML) and an exam about both in "
                   "MMLU's layout. The same N and S give the same bytes.",
                   po::options_description("Options"),
                   {"out"}};
  line.options.add_options()("documents",
                             po::value<std::int64_t>()->default_value(static_cast<std::int64_t>(wanted.documents)),
                             "pages of the crawl and of the encyclopedia together")(
      "seed", po::value<std::int64_t>()->default_value(static_cast<std::int64_t>(wanted.seed)),
      "another seed, another world");
  const auto given = parse_command_line(line, args);
  if (!given) return 0;
  wanted.out = required(*given, "out");
  check_usage(!wanted.out.empty(), "synth: OUT is empty; expected the name of a folder");
  for (const char* name : {"documents", "seed"}) {
    const auto number = (*given)[name].as<std::int64_t>();
    check_usage(number >= 0, "synth: --{} {} is negative", name, number);
  }
  wanted.documents = static_cast<std::uint64_t>((*given)["documents"].as<std::int64_t>());
  wanted.seed = static_cast<std::uint64_t>((*given)["seed"].as<std::int64_t>());
  const nlohmann::json summary = write_synthetic_world(wanted);
  const bool json = given->count("json") != 0;
  fmt::print(json ? stderr : stdout, "{} documents about {} people in {}; each exam fact is stated at least {} times\n",
             wanted.documents, summary.at("people").get<std::uint64_t>(), wanted.out,
             summary.at("exam").at("least_statements").get<std::uint64_t>());
  if (json) fmt::print("{}\n", summary.dump());
  return 0;
}

}  // namespace trireme
