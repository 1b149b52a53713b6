// SPDX-License-Identifier: Apache-2.0
#include "launch/validation_sets.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "launch/run.h"
#include "launch/study_names.h"

namespace trireme {
namespace {

std::filesystem::path without_end(const std::string& folder) {
  std::filesystem::path path(folder);
  return path.has_filename() ? path : path.parent_path();  // "a/b/" is "a/b"
}

/// The loader's settings of one folder alone.
LoaderConfig alone(const RunConfig& config, const std::string& folder, Split split, double held_out) {
  auto loader = loader_config(config, split);
  loader.corpora = {CorpusConfig{folder}};
  loader.validation_fraction = held_out;
  return loader;
}

}  // namespace

std::vector<ValidationSet> validation_sets(const RunConfig& config) {
  std::vector<ValidationSet> sets;
  if (config.data.validation > 0 && config.data.shards.size() > 1) {
    for (const auto& folder : config.data.shards) {
      sets.push_back({folder, alone(config, folder, Split::validation, config.data.validation)});
    }
  }
  for (const auto& folder : config.eval.shards) sets.push_back({folder, alone(config, folder, Split::train, 0)});
  std::map<std::string, int> count;
  for (const auto& set : sets) ++count[without_end(set.name).filename().string()];
  for (auto& set : sets) {
    const auto path = without_end(set.name);
    const auto last = path.filename().string();
    set.name = file_name_part(count[last] > 1 ? path.string() : last);
  }
  return sets;
}

std::string validation_problem(const RunConfig& config) {
  if (config.eval.shards.empty()) return "";
  if (config.data.validation <= 0) {
    return "sets beside what data.validation holds out, and that is nothing; expected data.validation above 0";
  }
  const auto tokens = describe_loader(loader_config(config, Split::train)).tokenizer;
  for (const auto& folder : config.eval.shards) {
    if (!std::filesystem::exists(folder)) {
      return folder + " is not there; expected a folder that `trireme data` wrote, or one of its .h5 files";
    }
    if (describe_loader(alone(config, folder, Split::train, 0)).tokenizer != tokens) {
      return folder + " was made with another tokenizer than data.shards: its tokens mean other text";
    }
  }
  return "";
}

}  // namespace trireme
