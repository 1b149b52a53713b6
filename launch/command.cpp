// SPDX-License-Identifier: Apache-2.0
#include "launch/command.h"

#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "core/base/config.h"
#include "core/base/error.h"
#include "parallel/parallel.h"

namespace trireme {
namespace po = boost::program_options;

namespace {

/// The lines under a message about the command line.
std::string how_it_looks(const std::string& usage) {
  return fmt::format("usage: trireme {}\n`trireme {} --help` lists the options", usage,
                     usage.substr(0, usage.find(' ')));
}

}  // namespace

std::optional<Arguments> parse_command_line(const CommandLine& line, std::span<const std::string> arguments) {
  po::options_description shown(line.options);
  shown.add_options()("json", "end with one JSON object on stdout, and print nothing else there")("help,h",
                                                                                                  "print this text");
  po::options_description all(shown);
  po::positional_options_description positions;
  for (std::size_t i = 0; i < line.positional.size(); ++i) {
    const bool repeats = line.repeat_last && i + 1 == line.positional.size();
    if (repeats) {
      all.add_options()(line.positional[i].c_str(), po::value<std::vector<std::string>>(), "");
    } else {
      all.add_options()(line.positional[i].c_str(), po::value<std::string>(), "");
    }
    positions.add(line.positional[i].c_str(), repeats ? -1 : 1);
  }
  Arguments values;
  values.usage = line.usage;
  values.positional = line.positional;
  try {
    const std::vector<std::string> words(arguments.begin(), arguments.end());
    po::store(po::command_line_parser(words).options(all).positional(positions).run(), values);
    po::notify(values);
  } catch (const po::error& e) {
    fail_usage("{}: {}\n{}", line.usage.substr(0, line.usage.find(' ')), explain(e, shown), how_it_looks(line.usage));
  }
  if (values.count("help") != 0) {
    std::ostringstream text;
    text << "usage: trireme " << line.usage << "\n\n" << line.summary << "\n\n" << shown;
    fmt::print("{}", text.str());
    return std::nullopt;
  }
  return values;
}

std::string explain(const po::error& mistake, const po::options_description& known) {
  const auto* unknown = dynamic_cast<const po::unknown_option*>(&mistake);
  if (unknown == nullptr) return mistake.what();
  std::vector<std::string> names;
  for (const auto& option : known.options()) names.push_back(option->long_name());
  auto word = unknown->get_option_name();
  word.erase(0, word.find_first_not_of('-'));
  const auto near = nearest(word, names);
  return near.empty() ? mistake.what() : fmt::format("{}; did you mean '--{}'?", mistake.what(), near);
}

std::string required(const Arguments& values, const std::string& name) {
  if (values.count(name) == 0) {
    auto shown = "--" + name;
    if (std::find(values.positional.begin(), values.positional.end(), name) != values.positional.end()) {
      shown = name;
      std::transform(shown.begin(), shown.end(), shown.begin(),
                     [](char c) { return static_cast<char>(std::toupper(c)); });
    }
    fail_usage("{}: {} is missing\n{}", values.usage.substr(0, values.usage.find(' ')), shown,
               how_it_looks(values.usage));
  }
  return values[name].as<std::string>();
}

int run_in_world(const std::function<int(World&)>& body) {
  auto world = World::connect(nullptr, nullptr);
  try {
    return body(*world);
  } catch (const std::exception& problem) {
    const auto e = explained(problem);
    // A request that cannot be met is found by all ranks together: it was printed by rank 0, and ends in good order.
    if (e.what()[0] == '\0') return static_cast<int>(e.code());
    if (world->size() == 1) throw;
    world->abort(e.what(), static_cast<int>(e.code()));
  }
  std::abort();  // World::abort does not return
}

void on_rank_zero(World& world, const std::function<void()>& body) {
  std::string outcome = "0";
  if (world.rank() == 0) {
    try {
      body();
    } catch (const std::exception& problem) {
      const auto e = explained(problem);
      fmt::print(stderr, "trireme: {}\n", e.what());
      outcome = std::to_string(static_cast<int>(e.code()));
    }
  }
  world.group().host_broadcast(outcome, 0);
  const auto code = static_cast<ExitCode>(std::stoi(outcome));
  if (code != ExitCode::done) throw Error("", code, std::source_location::current());
}

}  // namespace trireme
