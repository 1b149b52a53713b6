// SPDX-License-Identifier: Apache-2.0
// Reads the command line of `trireme synth`; the world is written by the data wing.
#include "launch/synth.h"

#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <sstream>
#include <vector>

#include "core/base/error.h"
#include "data_pipeline/data.h"
#include "launch/command.h"

namespace trireme {
namespace po = boost::program_options;

int synth_command(std::span<const std::string> args) {
  SynthOptions wanted;
  po::options_description shown("Options");
  shown.add_options()("help,h", "print this text")("json",
                                                   "one JSON object on standard output, and nothing else there")(
      "documents", po::value(&wanted.documents)->default_value(wanted.documents),
      "pages of the crawl and of the encyclopedia together")(
      "seed", po::value(&wanted.seed)->default_value(wanted.seed), "another seed, another world");
  po::options_description all(shown);
  all.add_options()("out", po::value(&wanted.out));
  po::positional_options_description places;
  places.add("out", 1);
  po::variables_map given;
  try {
    const std::vector<std::string> words(args.begin(), args.end());
    po::store(po::command_line_parser(words).options(all).positional(places).run(), given);
    po::notify(given);
  } catch (const po::error& error) {
    fail_usage("trireme synth: {} (`trireme synth --help` lists the options)", explain(error, shown));
  }
  if (given.count("help") != 0) {
    std::ostringstream text;
    text << shown;
    fmt::print(
        "usage: trireme synth OUT [--documents N] [--seed S]\n\nWrites a fictional world: a crawl (WET), an "
        "encyclopedia "
        "(MediaWiki XML) and an exam about both in MMLU's layout. The same N and S give the same bytes.\n\n{}",
        text.str());
    return 0;
  }
  check_usage(!wanted.out.empty(), "trireme synth: no folder to write to; expected `trireme synth OUT`");
  const nlohmann::json summary = write_synthetic_world(wanted);
  const bool json = given.count("json") != 0;
  fmt::print(json ? stderr : stdout, "{} documents about {} people in {}; each exam fact is stated at least {} times\n",
             wanted.documents, summary.at("people").get<std::uint64_t>(), wanted.out,
             summary.at("exam").at("least_statements").get<std::uint64_t>());
  if (json) fmt::print("{}\n", summary.dump());
  return 0;
}

}  // namespace trireme
