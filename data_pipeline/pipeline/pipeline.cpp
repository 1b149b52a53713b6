// SPDX-License-Identifier: Apache-2.0
// The whole route: plan, read every unit into the stage, find duplicates, write the shards, account for it all.
#include "data_pipeline/pipeline/pipeline.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <optional>
#include <set>

#include "core/base/error.h"
#include "core/base/stop.h"
#include "core/io/folder_lock.h"
#include "core/io/json.h"
#include "data_pipeline/dedup/exact.h"
#include "data_pipeline/pipeline/account.h"
#include "data_pipeline/pipeline/together.h"
#include "data_pipeline/pipeline/unit_result.h"
#include "data_pipeline/pipeline/work_plan.h"
#include "data_pipeline/shards/manifest.h"
#include "data_pipeline/tokenizer/tokenizer.h"

namespace trireme {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr auto kBetweenReports = std::chrono::milliseconds(500);

std::int64_t token_of(bool wanted, std::optional<std::uint32_t> id, const char* name, const std::string& path) {
  check_usage(!wanted || id, "data.{} is on, but the tokenizer {} has no {} token", name, path, name);
  return wanted ? static_cast<std::int64_t>(*id) : -1;
}

/// One run of the pipeline on one rank.
class Pipeline {
 public:
  Pipeline(const DataConfig& config, Group& world, const std::function<void(const DataProgress&)>& progress)
      : config_(config), world_(world), progress_(progress), stage_((fs::path(config.out) / ".stage").string()) {}

  DataSummary run() {
    load_tokenizer();
    plan_ = plan_work(config_, header_, world_);
    summary_.manifest = manifest_path();
    summary_.units = plan_.units.size();
    if (finished_before()) return summary_;
    together(world_, [&] { prepare_folder(); });
    read_units();
    gather_results();
    find_copies();
    write_shards();
    const CorpusManifest manifest = make_account(config_, plan_, header_, results_, shards_, summary_.warnings);
    summary_.counts = manifest.counts();
    summary_.tokens = manifest.tokens();
    summary_.shards = manifest.shards.size();
    together(world_, [&] { finish(manifest); });
    return summary_;
  }

 private:
  std::string manifest_path() const { return (fs::path(config_.out) / "corpus.json").string(); }
  static std::string shard_name(std::uint64_t unit) { return fmt::format("shard-{:06}.h5", unit); }
  bool first_rank() const { return world_.rank() == 0; }

  void load_tokenizer() {
    together(world_, [&] {
      check_usage(!config_.tokenizer.empty(), "data.tokenizer is empty: a tokenizer.json or tiktoken file is expected");
      check_usage(fs::exists(config_.tokenizer), "the tokenizer {} is missing", config_.tokenizer);
      tokenizer_ = std::make_unique<Tokenizer>(Tokenizer::load(config_.tokenizer));
      header_ = {.tokenizer = tokenizer_->hash(),
                 .vocabulary = tokenizer_->vocab_size(),
                 .bos = token_of(config_.bos, tokenizer_->bos(), "bos", config_.tokenizer),
                 .eos = token_of(config_.eos, tokenizer_->eos(), "eos", config_.tokenizer)};
    });
  }

  /// True, with the summary filled in, when the corpus of these settings and files is there already.
  bool finished_before() {
    std::string answer;
    together(world_, [&] {
      if (!first_rank() || !fs::exists(manifest_path())) return;
      CorpusManifest manifest;
      try {
        manifest = read_manifest(manifest_path());
        for (const ShardEntry& entry : manifest.shards) open_shard(config_.out, manifest, entry);
      } catch (const Error& error) {
        check_usage(config_.overwrite, "{} holds a corpus that is damaged ({}): set overwrite to make it anew",
                    config_.out, error.what());
        return;
      }
      check_usage(manifest.key == plan_.key || config_.overwrite,
                  "{} holds a corpus from other settings or files: choose another out, or set overwrite", config_.out);
      if (manifest.key != plan_.key) return;
      fs::remove_all(stage_.folder());  // left when a run was interrupted at its very end
      answer = "yes";
    });
    world_.host_broadcast(answer, 0);
    if (answer.empty()) return false;
    together(world_, [&] {
      const CorpusManifest manifest = read_manifest(manifest_path());
      summary_.counts = manifest.counts();
      summary_.tokens = manifest.tokens();
      summary_.shards = manifest.shards.size();
      summary_.up_to_date = true;
    });
    return true;
  }

  void prepare_folder() {
    if (!first_rank()) return;
    fs::create_directories(config_.out);
    lock_.emplace(config_.out);
    fs::create_directories(stage_.folder());
    // From here on the folder is not a finished corpus.
    if (fs::remove(manifest_path())) sync_directory(config_.out);
  }

  void read_units() {
    results_.resize(plan_.units.size());
    mine_.assign(plan_.units.size(), 0);
    for (const PlannedUnit& unit : plan_.units) {
      bytes_before_.push_back(bytes_before_.back() + unit.range.end - unit.range.begin);
    }
    std::atomic<std::uint64_t> reused{0};
    const auto body = [&](std::uint64_t u) {
      const PlannedUnit& unit = plan_.units[u];
      std::optional<UnitResult> found = stage_.find(unit.key);
      if (found) ++reused;
      results_[u] = found ? *std::move(found) : process_unit(config_, plan_, unit, header_, *tokenizer_, stage_);
      mine_[u] = 1;
      documents_ += results_[u].counts.kept;
      tokens_ += results_[u].shard ? results_[u].shard->tokens : 0;
    };
    for_each_unit(world_, plan_.units.size(), config_.workers, body, [&](std::uint64_t n) { report("read", n); });
    std::array<std::int64_t, 1> sum = {static_cast<std::int64_t>(reused.load())};
    world_.host_reduce(std::span(sum), Reduction::sum);
    summary_.units_reused = static_cast<std::uint64_t>(sum[0]);
  }

  /// Every rank learns every unit's account.
  void gather_results() {
    Json done = Json::array();
    for (std::size_t u = 0; u < results_.size(); ++u) {
      if (mine_[u] != 0) done.push_back({u, result_to_text(results_[u])});
    }
    for (const std::string& part : world_.host_gather(done.dump())) {
      for (const Json& item : Json::parse(part)) {
        const std::uint64_t u = item[0];
        results_[u] = result_from_text(item[1].get_ref<const std::string&>(), "the account of " + shard_name(u));
      }
    }
  }

  void find_copies() {
    copies_.resize(plan_.units.size());
    if (!config_.exact_dedup) return;
    report("deduplicate", 0);
    std::vector<std::vector<Hash128>> hashes(plan_.units.size());
    together(world_, [&] {
      const auto size = static_cast<std::size_t>(world_.size());
      for (auto u = static_cast<std::size_t>(world_.rank()); u < hashes.size(); u += size) {
        leave_if_stop_requested();
        if (results_[u].shard) hashes[u] = Shard(stage_.shard_path(plan_.units[u].key)).text_hashes();
      }
    });
    copies_ = find_duplicates(world_, hashes.size(), [&](std::uint64_t u) { return std::move(hashes[u]); });
  }

  void write_shards() {
    std::vector<ShardEntry> own(plan_.units.size());
    const auto body = [&](std::uint64_t u) {
      if (results_[u].shard) own[u] = write_survivors(u);
    };
    for_each_unit(world_, plan_.units.size(), config_.workers, body, [&](std::uint64_t n) { report("write", n); });
    Json done = Json::array();
    for (std::size_t u = 0; u < own.size(); ++u) {
      if (own[u].documents == 0) continue;
      done.push_back({u, own[u].bytes, own[u].tokens, own[u].documents, own[u].hash.high, own[u].hash.low});
    }
    shards_.resize(plan_.units.size());
    for (const std::string& part : world_.host_gather(done.dump())) {
      for (const Json& item : Json::parse(part)) {
        const std::uint64_t u = item[0];
        shards_[u] = {.file = shard_name(u),
                      .bytes = item[1],
                      .tokens = item[2],
                      .documents = item[3],
                      .hash = {item[4], item[5]}};
      }
    }
  }

  /// The shard of unit `u` without its copies: the staged file itself where it has none.
  ShardEntry write_survivors(std::uint64_t u) const {
    const std::string staged = stage_.shard_path(plan_.units[u].key);
    const std::string path = (fs::path(config_.out) / shard_name(u)).string();
    const auto copies = static_cast<std::size_t>(std::count(copies_[u].begin(), copies_[u].end(), true));
    if (copies == results_[u].shard->documents) return {};
    if (copies == 0) return link_shard(staged, path, *results_[u].shard);
    const ShardContent all = Shard(staged).read_all();
    ShardContent kept{
        .header = all.header, .sources = all.sources, .tokens = {}, .ends = {}, .addresses = {}, .hashes = {}};
    for (std::size_t d = 0; d < all.ends.size(); ++d) {
      if (copies_[u][d]) continue;
      const auto begin = all.tokens.begin() + static_cast<std::ptrdiff_t>(d == 0 ? 0 : all.ends[d - 1]);
      kept.tokens.insert(kept.tokens.end(), begin, all.tokens.begin() + static_cast<std::ptrdiff_t>(all.ends[d]));
      kept.ends.push_back(kept.tokens.size());
      kept.addresses.push_back(all.addresses[d]);
      kept.hashes.push_back(all.hashes[d]);
    }
    return write_shard(path, kept);
  }

  static ShardEntry link_shard(const std::string& staged, const std::string& path, ShardEntry entry) {
    const std::string temporary = path + ".tmp";
    fs::remove(temporary);
    std::error_code refused;
    fs::create_hard_link(staged, temporary, refused);
    if (refused) {
      fs::copy_file(staged, temporary);
      FileDescriptor::open_write(temporary).sync();
    }
    rename_synced(temporary, path);
    entry.file = fs::path(path).filename().string();
    return entry;
  }

  /// The first rank judges the whole and, when it is good, writes the manifest and clears up.
  void finish(const CorpusManifest& manifest) const {
    for (const CorpusSource& source : manifest.sources) {
      const double failed = static_cast<double>(source.counts.total_failed());
      check(failed <= config_.max_failed_fraction * static_cast<double>(source.counts.read),
            "{} of {} records of {} failed, more than data.max_failed_fraction = {}: {}", source.counts.total_failed(),
            source.counts.read, source.name, config_.max_failed_fraction, explain_counts(source.counts));
    }
    check(summary_.counts.kept > 0, "nothing was kept of any source: {}", explain_counts(summary_.counts));
    if (!first_rank()) return;
    std::set<std::string> names;
    for (const ShardEntry& entry : manifest.shards) names.insert(entry.file);
    for (const fs::directory_entry& entry : fs::directory_iterator(config_.out)) {
      const std::string name = entry.path().filename().string();
      // Shards of the corpus before, and what an interrupted run was writing.
      const bool ours = name.starts_with("shard-") || name.starts_with(".shard-");
      if (ours && !names.contains(name)) fs::remove(entry.path());
    }
    write_manifest(manifest_path(), manifest);
    fs::remove_all(stage_.folder());
  }

  /// Tells that `units` have been handed out in this stage.
  void report(const char* stage, std::uint64_t units) {
    const std::uint64_t done = bytes_before_[units];
    const std::uint64_t total = bytes_before_.back();
    const auto now = std::chrono::steady_clock::now();
    if (!progress_ || (stage_name_ == stage && done < total && now - last_report_ < kBetweenReports)) return;
    last_report_ = now;
    stage_name_ = stage;
    progress_({.stage = stage,
               .bytes_done = done,
               .bytes_total = total,
               .documents = documents_,
               .tokens = tokens_,
               .seconds = std::chrono::duration<double>(now - start_).count()});
  }

  const DataConfig& config_;
  Group& world_;
  const std::function<void(const DataProgress&)>& progress_;
  UnitStage stage_;
  std::optional<FolderLock> lock_;  // of the first rank, while it writes
  std::unique_ptr<Tokenizer> tokenizer_;
  ShardHeader header_;
  WorkPlan plan_;
  std::vector<UnitResult> results_;                // by unit
  std::vector<std::uint64_t> bytes_before_ = {0};  // by unit: of the source files, in the units before it
  std::vector<char> mine_;                 // by unit: done by this rank; bytes, as threads write them side by side
  std::vector<std::vector<bool>> copies_;  // by unit: documents that an earlier one equals
  std::vector<ShardEntry> shards_;         // by unit; without documents where nothing is left
  DataSummary summary_;
  std::atomic<std::uint64_t> documents_{0};
  std::atomic<std::uint64_t> tokens_{0};
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_report_;
  std::string stage_name_;
};

}  // namespace

DataSummary run_data(const DataConfig& config, Group& world, const std::function<void(const DataProgress&)>& progress) {
  return Pipeline(config, world, progress).run();
}

}  // namespace trireme
