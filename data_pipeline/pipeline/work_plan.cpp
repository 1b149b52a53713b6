// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/pipeline/work_plan.h"

#include <glob.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/io/json.h"
#include "data_pipeline/pipeline/together.h"

namespace trireme {
namespace {

using Json = nlohmann::json;

constexpr int kPipelineVersion = 1;  // grows whenever the same settings would make other bytes
constexpr std::uint64_t kEndBytes = 65536;

bool is_file(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

/// The files of a path or pattern; empty when there are none.
std::vector<std::string> expand(const std::string& pattern) {
  if (is_file(pattern)) return {pattern};
  if (pattern.find_first_of("*?[") == std::string::npos) return {};
  glob_t found{};
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) {
      if (is_file(found.gl_pathv[i])) paths.emplace_back(found.gl_pathv[i]);
    }
  }
  ::globfree(&found);
  std::sort(paths.begin(), paths.end());  // by bytes, whatever the locale
  return paths;
}

void check_settings(const DataConfig& config) {
  check_usage(!config.out.empty(), "out is empty: the folder for the corpus is expected");
  check_usage(!config.sources.empty(), "data.sources is empty: nothing to read");
  check_usage(config.unit_bytes >= 4096, "data.unit_bytes = {}: at least 4096 expected", config.unit_bytes);
  check_usage(config.max_record_bytes >= 1024, "data.max_record_bytes = {}: at least 1024 expected",
              config.max_record_bytes);
  check_usage(config.workers >= 1 && config.workers <= 1024, "data.workers = {}: 1 to 1024 expected", config.workers);
  check_usage(config.max_failed_fraction >= 0 && config.max_failed_fraction <= 1,
              "data.max_failed_fraction = {}: 0 to 1 expected", config.max_failed_fraction);
  std::set<std::string> names;
  for (std::size_t i = 0; i < config.sources.size(); ++i) {
    check_usage(!config.sources[i].files.empty(), "{} has no files", source_name(config, i));
    check_usage(names.insert(source_name(config, i)).second, "two sources are called {}", source_name(config, i));
  }
}

/// Every file, with all that are missing in one error.
std::vector<PlannedFile> find_files(const DataConfig& config) {
  std::vector<PlannedFile> files;
  std::string missing;
  std::size_t lost = 0;
  for (std::size_t source = 0; source < config.sources.size(); ++source) {
    const SourceConfig& wanted = config.sources[source];
    for (const std::string& pattern : wanted.files) {
      const std::vector<std::string> paths = expand(pattern);
      if (paths.empty()) {
        missing += fmt::format("\n  {} ({})", pattern, source_name(config, source));
        ++lost;
      }
      for (const std::string& path : paths) {
        const SourceKind kind = wanted.kind.empty() ? guess_source_kind(path) : source_kind(wanted.kind);
        files.push_back({.source = source, .path = path, .kind = kind, .bytes = 0, .identity = {}});
      }
    }
  }
  check_usage(lost == 0, "{} source {} missing, or no regular files:{}", lost, lost == 1 ? "file is" : "files are",
              missing);
  return files;
}

Json filter_settings(const FilterConfig& filter) {
  return {{"min_characters", filter.min_characters},
          {"max_characters", filter.max_characters},
          {"gopher", filter.gopher},
          {"min_words", filter.min_words},
          {"max_words", filter.max_words},
          {"min_mean_word_length", filter.min_mean_word_length},
          {"max_mean_word_length", filter.max_mean_word_length},
          {"max_symbols_per_word", filter.max_symbols_per_word},
          {"max_bullet_lines", filter.max_bullet_lines},
          {"max_ellipsis_lines", filter.max_ellipsis_lines},
          {"min_alphabetic_words", filter.min_alphabetic_words},
          {"min_stop_words", filter.min_stop_words}};
}

/// What decides a unit's result, its source aside.
Json unit_settings(const DataConfig& config, const ShardHeader& header) {
  return {{"pipeline_version", kPipelineVersion},
          {"shard_version", kShardVersion},
          {"tokenizer", header.tokenizer},
          {"bos", config.bos},
          {"eos", config.eos},
          {"filter", filter_settings(config.filter)},
          {"unit_bytes", config.unit_bytes},
          {"max_record_bytes", config.max_record_bytes}};
}

Json source_settings(const SourceConfig& source) {
  return {{"kind", source.kind}, {"field", source.field}, {"blank_lines_separate", source.blank_lines_separate}};
}

Json corpus_settings(const DataConfig& config, const ShardHeader& header) {
  Json settings = unit_settings(config, header);
  settings["exact_dedup"] = config.exact_dedup;
  settings["sources"] = Json::array();
  for (std::size_t i = 0; i < config.sources.size(); ++i) {
    Json source = source_settings(config.sources[i]);
    source["name"] = source_name(config, i);
    settings["sources"].push_back(source);
  }
  return settings;
}

/// The units of every size-th file, by file, as JSON for the other ranks.
Json own_units(const DataConfig& config, std::vector<PlannedFile>& files, const Group& world) {
  Json found = Json::array();
  for (auto f = static_cast<std::size_t>(world.rank()); f < files.size(); f += static_cast<std::size_t>(world.size())) {
    PlannedFile& file = files[f];
    identify(file);
    Json ranges = Json::array();
    for (const WorkUnit& unit : split(file.path, file.kind, static_cast<std::uint64_t>(config.unit_bytes),
                                      config.sources[file.source].blank_lines_separate)) {
      ranges.push_back({unit.begin, unit.end});
    }
    found.push_back({{"file", f}, {"bytes", file.bytes}, {"identity", file.identity}, {"ranges", ranges}});
  }
  return found;
}

}  // namespace

void identify(PlannedFile& file) {
  const FileDescriptor descriptor = FileDescriptor::open_read(file.path);
  struct stat status {};
  check(::stat(file.path.c_str(), &status) == 0, "cannot stat {}", file.path);
  file.bytes = descriptor.size();
  const auto part = static_cast<std::size_t>(std::min(kEndBytes, file.bytes));
  std::string ends(2 * part, '\0');
  descriptor.pread_all(ends.data(), part, 0);
  descriptor.pread_all(ends.data() + part, part, file.bytes - part);
  file.identity = hex(xxh3_128(fmt::format("{}\n{}\n{}.{}\n{}", file.path, file.bytes, status.st_mtim.tv_sec,
                                           status.st_mtim.tv_nsec, hex(xxh3_128(ends)))));
}

std::string source_name(const DataConfig& config, std::size_t source) {
  const std::string& name = config.sources[source].name;
  return name.empty() ? fmt::format("source-{}", source) : name;
}

WorkPlan plan_work(const DataConfig& config, const ShardHeader& header, Group& world) {
  WorkPlan plan;
  Json own;
  together(world, [&] {
    check_settings(config);
    plan.files = find_files(config);
    own = own_units(config, plan.files, world);
  });
  std::vector<std::vector<std::pair<std::uint64_t, std::uint64_t>>> ranges(plan.files.size());
  for (const std::string& part : world.host_gather(own.dump())) {
    for (const Json& item : Json::parse(part)) {
      const auto f = item.at("file").get<std::size_t>();
      plan.files[f].bytes = item.at("bytes");
      plan.files[f].identity = item.at("identity");
      item.at("ranges").get_to(ranges[f]);
    }
  }
  const Json settings = corpus_settings(config, header);
  std::string identities = settings.dump();
  const std::string common = unit_settings(config, header).dump();
  std::map<std::string, std::uint64_t> times;  // by key: a file that is listed twice is read twice
  for (std::size_t f = 0; f < plan.files.size(); ++f) {
    const PlannedFile& file = plan.files[f];
    identities += "\n" + file.identity;
    plan.bytes += file.bytes;
    const std::string source = source_settings(config.sources[file.source]).dump();
    for (std::size_t i = 0; i < ranges[f].size(); ++i) {
      const auto& [begin, end] = ranges[f][i];
      const WorkUnit range{.file = file.path, .kind = file.kind, .begin = begin, .end = end, .index = i};
      std::string key = hex(xxh3_128(fmt::format("{}\n{}\n{}\n{} {} {} {}", common, source, file.identity,
                                                 source_kind_name(file.kind), i, begin, end)));
      // Two units under one key would write the same staged files at the same time.
      if (const std::uint64_t before = times[key]++; before > 0) key = hex(xxh3_128(fmt::format("{} {}", key, before)));
      plan.units.push_back({.file = f, .range = range, .key = key});
    }
  }
  plan.settings = settings.dump();
  plan.key = hex(xxh3_128(identities));
  return plan;
}

}  // namespace trireme
