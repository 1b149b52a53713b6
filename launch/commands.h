// SPDX-License-Identifier: Apache-2.0
// A function per command, each in the file of its name, and the options that several of them have.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/base/config.h"
#include "launch/command.h"
#include "launch/synth.h"
#include "launch/tokenizer.h"

namespace trireme {

int data_command(std::span<const std::string> arguments);
int train_command(std::span<const std::string> arguments);
int eval_command(std::span<const std::string> arguments);
int inspect_command(std::span<const std::string> arguments);
int plan_command(std::span<const std::string> arguments);
int fit_command(std::span<const std::string> arguments);
int sweep_command(std::span<const std::string> arguments);
int bench_command(std::span<const std::string> arguments);

/// --set KEY=VALUE, any number of times.
void add_set_option(boost::program_options::options_description& options);
std::vector<std::string> set_options(const boost::program_options::variables_map& values);

/// What --describe prints: every setting of `resolved` with its value and doc; with `json` one object, which also has
/// the defaults (of `standard`) and where each value came from.
void print_settings(const std::function<void(FieldVisitor&)>& resolved,
                    const std::function<void(FieldVisitor&)>& standard, const Places& places, bool json);

}  // namespace trireme
