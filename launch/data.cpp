// SPDX-License-Identifier: Apache-2.0
// `trireme data`: raw files to a corpus of token shards.
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <optional>

#include "core/base/error.h"
#include "core/base/stop.h"
#include "core/io/atomic_file.h"
#include "launch/commands.h"
#include "launch/data_config_fields.h"
#include "launch/run.h"
#include "parallel/parallel.h"

namespace trireme {
namespace {

struct LoadedDataConfig {
  DataConfig config;
  Places places;
};

LoadedDataConfig load_config(const std::string& path, const std::vector<std::string>& sets, Problems& problems) {
  auto root = path.empty() ? ConfigNode{} : parse_yaml_file(path, problems);
  for (const auto& set : sets) override_node(root, set, problems);
  LoadedDataConfig loaded;
  loaded.places = read_fields(root, problems, [&](FieldVisitor& v) { fields(v, loaded.config); });
  return loaded;
}

/// Why the kind of a source, or of one of its files by name, is not known; empty when it is.
std::string kind_problem(const SourceConfig& source) {
  try {
    if (!source.kind.empty()) {
      source_kind(source.kind);
      return "";
    }
    for (const auto& file : source.files) {
      const auto pattern = file.find_first_of("*?[") != std::string::npos;  // judged when its files are known
      if (!pattern) guess_source_kind(file);
    }
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

/// What cannot be, as far as the configuration and the names of its files tell.
void validate(const LoadedDataConfig& loaded, const std::string& path, Problems& problems) {
  const auto& c = loaded.config;
  const auto require = [&](bool ok, const std::string& key, const std::string& message) {
    const auto hit = loaded.places.find(key);
    if (!ok && !problems.spoilt(key)) problems.add(hit == loaded.places.end() ? path : hit->second, message);
  };
  require(!c.out.empty(), "out", "out is empty; expected the folder of the corpus");
  require(!c.tokenizer.empty(), "tokenizer", "tokenizer is empty; expected a tokenizer.json or tiktoken ranks");
  require(c.tokenizer.empty() || !missing(c.tokenizer), "tokenizer",
          fmt::format("the tokenizer {} is missing; `trireme tokenizer train` makes one", c.tokenizer));
  require(!c.sources.empty(), "sources", "sources is empty; expected a list of files to read");
  for (std::size_t i = 0; i < c.sources.size(); ++i) {
    const auto key = fmt::format("sources[{}]", i);
    require(!c.sources[i].files.empty(), key + ".files", key + ".files is empty");
    const auto kind = kind_problem(c.sources[i]);
    require(kind.empty(), key + (c.sources[i].kind.empty() ? ".files" : ".kind"), fmt::format("{}: {}", key, kind));
  }
}

/// Rank 0 reads; the others get the same settings as text.
DataConfig shared_config(World& world, const std::string& path, const std::vector<std::string>& sets) {
  DataConfig config;
  on_rank_zero(world, [&] {
    Problems problems;
    const auto loaded = load_config(path, sets, problems);
    validate(loaded, path, problems);
    problems.raise();
    config = loaded.config;
  });
  const auto walk = [&](FieldVisitor& v) { fields(v, config); };
  auto text = write_fields(walk);
  world.group().host_broadcast(text, 0);
  if (world.rank() != 0) {
    Problems problems;
    config = {};
    read_fields(parse_yaml(text, "settings of rank 0", problems), problems, walk);
    problems.raise();
  }
  return config;
}

/// A line that is rewritten on a terminal, a line each ten seconds elsewhere.
class DataProgressPrinter {
 public:
  DataProgressPrinter() : terminal_(isatty(STDERR_FILENO) != 0) {}
  ~DataProgressPrinter() {
    if (open_) fmt::print(stderr, "\n");
  }
  void operator()(const DataProgress& p) {
    if (p.seconds < next_) return;
    next_ = p.seconds + (terminal_ ? 0.2 : 10.0);
    const auto part = p.bytes_total == 0 ? 0.0 : static_cast<double>(p.bytes_done) / static_cast<double>(p.bytes_total);
    const auto eta = part > 0 ? fmt::format("  ETA {:.0f} s", p.seconds * (1 - part) / part) : std::string();
    fmt::print(stderr, "{}{:<12} {:5.1f} %  {} documents  {} tokens on this rank{}{}", terminal_ ? "\r" : "", p.stage,
               100 * part, p.documents, p.tokens, eta, terminal_ ? "\x1b[K" : "\n");
    open_ = terminal_;
  }

 private:
  bool terminal_;
  bool open_ = false;
  double next_ = 0;
};

void print_counts(std::FILE* out, const DataSummary& summary) {
  const auto& c = summary.counts;
  fmt::print(out, "{} records read = {} documents kept", c.read, c.kept);
  const auto list = [&](const std::map<std::string, std::uint64_t>& reasons, const char* what) {
    std::uint64_t total = 0;
    for (const auto& [reason, count] : reasons) total += count;
    fmt::print(out, " + {} {}", total, what);
  };
  list(c.rejected, "rejected");
  list(c.failed, "failed");
  fmt::print(out, "\n");
  for (const auto& [reason, count] : c.rejected) fmt::print(out, "  {:>10}  {}\n", count, reason);
  for (const auto& [reason, count] : c.failed) fmt::print(out, "  {:>10}  failed: {}\n", count, reason);
  fmt::print(out, "{} tokens in {} shards, {}{}\n", summary.tokens, summary.shards, summary.manifest,
             summary.up_to_date ? " (up to date, nothing to do)" : "");
}

nlohmann::json to_json(const DataSummary& s) {
  return {{"read", s.counts.read},
          {"kept", s.counts.kept},
          {"documents", s.counts.kept},
          {"rejected", s.counts.rejected},
          {"failed", s.counts.failed},
          {"tokens", s.tokens},
          {"shards", s.shards},
          {"units", s.units},
          {"units_reused", s.units_reused},
          {"up_to_date", s.up_to_date},
          {"warnings", s.warnings},
          {"manifest", s.manifest}};
}

/// Nothing, told by rank 0, when the ranks were asked to stop: all leave together.
std::optional<DataSummary> data_unless_stopped(World& world, const DataConfig& config,
                                               const std::function<void(const DataProgress&)>& progress) {
  try {
    return run_data(config, world.group(), progress);
  } catch (const Error& e) {
    if (e.code() != ExitCode::requeue) throw;
    if (world.rank() == 0) fmt::print(stderr, "{}\n", e.what());
    return std::nullopt;
  }
}

}  // namespace

int data_command(std::span<const std::string> arguments) {
  CommandLine line{"data CONFIG [--set KEY=VALUE ...]",
                   "Cleans, deduplicates and tokenizes raw files into a corpus of HDF5 shards. Any number of ranks "
                   "writes the same bytes; an interrupted run goes on where it stopped.",
                   boost::program_options::options_description("Options"),
                   {"config"}};
  add_set_option(line.options);
  line.options.add_options()(
      "describe", "print every setting with the value that CONFIG and --set give it, and stop; CONFIG may be left out");
  const auto values = parse_command_line(line, arguments);
  if (!values) return 0;
  if (values->count("describe") != 0) {
    Problems problems;
    const auto config = values->count("config") != 0 ? required(*values, "config") : std::string();
    auto resolved = load_config(config, set_options(*values), problems);
    problems.raise();
    DataConfig standard;
    print_settings([&](FieldVisitor& v) { fields(v, resolved.config); }, [&](FieldVisitor& v) { fields(v, standard); },
                   resolved.places, values->count("json") != 0);
    return 0;
  }
  const auto path = required(*values, "config");
  const bool json = values->count("json") != 0;
  listen_for_stop();
  return run_in_world([&](World& world) {
    const auto config = shared_config(world, path, set_options(*values));
    DataProgressPrinter printer;
    const auto summary = data_unless_stopped(world, config, [&](const DataProgress& p) {
      if (world.rank() == 0) printer(p);
    });
    if (!summary) return static_cast<int>(ExitCode::requeue);
    if (world.rank() != 0) return 0;
    keep_tokenizer(config.tokenizer, config.out);
    for (const auto& warning : summary->warnings) fmt::print(stderr, "warning: {}\n", warning);
    print_counts(json ? stderr : stdout, *summary);
    if (json) fmt::print("{}\n", to_json(*summary).dump());
    return 0;
  });
}

}  // namespace trireme
