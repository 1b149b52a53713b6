// SPDX-License-Identifier: Apache-2.0
// The table of commands, and the options that several of them have.
#include "launch/commands.h"

#include <boost/program_options/value_semantic.hpp>
#include <fmt/format.h>

#include "core/base/field_list.h"

namespace trireme {
namespace {

constexpr Command kCommands[] = {
    {"synth", "a synthetic world: WET and MediaWiki files, and an MMLU-format exam about it", synth_command},
    {"tokenizer", "train | encode | decode | inspect", tokenizer_command},
    {"data", "raw files to cleaned, deduplicated, tokenized HDF5 shards", data_command},
    {"train", "train a model, or resume", train_command},
    {"eval", "exams on a trained model", eval_command},
    {"inspect", "what is in a shard, a corpus, a checkpoint, a run", inspect_command},
    {"plan", "memory, traffic and time of one rank, nothing run", plan_command},
    {"sweep", "a scaling-law study: many runs in one job, or what they would take", sweep_command},
    {"fit", "scaling laws of a table of runs: intervals, predictions, a hold-out check", fit_command},
    {"bench", "a training step, measured", bench_command},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

void add_set_option(boost::program_options::options_description& options) {
  options.add_options()("set", boost::program_options::value<std::vector<std::string>>()->composing(),
                        "KEY=VALUE: replace a setting, e.g. --set train.steps=100; may be repeated");
}

std::vector<std::string> set_options(const boost::program_options::variables_map& values) {
  return values.count("set") == 0 ? std::vector<std::string>() : values["set"].as<std::vector<std::string>>();
}

void print_settings(const std::function<void(FieldVisitor&)>& resolved,
                    const std::function<void(FieldVisitor&)>& standard, const Places& places, bool json) {
  if (json) {
    fmt::print("{}\n", fields_to_json(list_fields(resolved), list_fields(standard), places));
  } else {
    fmt::print("{}", describe_fields(resolved));
  }
}

}  // namespace trireme
