// SPDX-License-Identifier: Apache-2.0
// The commands of the binary: a name, a line for people, a function. What they share on the command line.
#pragma once

#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

class World;

struct Command {
  std::string_view name;
  std::string_view summary;
  /// Arguments after the command's name; returns the exit code, or throws Error.
  int (*run)(std::span<const std::string> arguments);
};

/// All commands, in the order of the help text.
std::span<const Command> commands();

/// How a command line looks: "train CONFIG" and what it does; `options` without --help, --json and positionals.
struct CommandLine {
  std::string usage;
  std::string summary;
  boost::program_options::options_description options;
  std::vector<std::string> positional;  // names in order; the last may repeat when `repeat_last`
  bool repeat_last = false;
};

/// What was given on a command line, and how it should look.
struct Arguments : boost::program_options::variables_map {
  std::string usage;
  std::vector<std::string> positional;
};

/// Parses; a mistake throws Error(usage). Nothing is returned when --help was given, and was printed.
std::optional<Arguments> parse_command_line(const CommandLine& line, std::span<const std::string> arguments);

/// What is wrong with a command line; for an unknown option with the nearest of those that there are.
std::string explain(const boost::program_options::error& mistake,
                    const boost::program_options::options_description& known);

/// The string of a positional argument or option that must be there; otherwise throws Error(usage) with the usage line.
std::string required(const Arguments& values, const std::string& name);

/// Connects the world and runs `body` in it; an Error ends every rank: reported once, with the rank that met it.
int run_in_world(const std::function<int(World&)>& body);

/// Runs `body` on rank 0 alone; when it throws, the message is printed there, and on every rank Error(its code) without
/// a message ends the command. For checks of the user's request, whose outcome is the same for all.
void on_rank_zero(World& world, const std::function<void()>& body);

}  // namespace trireme
