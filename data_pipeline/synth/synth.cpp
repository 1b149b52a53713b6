// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/synth/synth.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <vector>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/json.h"
#include "data_pipeline/synth/pages.h"
#include "data_pipeline/synth/quiz.h"
#include "data_pipeline/synth/wet.h"
#include "data_pipeline/synth/wiki.h"
#include "data_pipeline/synth/world.h"

namespace trireme {

namespace {

namespace fs = std::filesystem;
using namespace synth;
using nlohmann::json;

constexpr std::size_t kPagesOfFile = 2500;  // of a WET file: enough files to share out among ranks
constexpr std::size_t kWikiShare = 10;      // one document in so many is an encyclopedia page

void check_folder(const SynthOptions& options) {
  if (!fs::exists(options.out) || fs::is_empty(options.out)) return;
  const fs::path summary = fs::path(options.out) / "world.json";
  check_usage(fs::exists(summary), "{} is not empty: choose another folder for the synthetic world", options.out);
  const json before = read_json(summary.string());
  check_usage(before.value("documents", std::uint64_t{0}) == options.documents &&
                  before.value("seed", ~options.seed) == options.seed,
              "{} holds another synthetic world: choose another folder, or remove that one", options.out);
}

/// Writes files below OUT and remembers their names and sizes.
class Folder {
 public:
  explicit Folder(fs::path root) : root_(std::move(root)) {}

  void write(const std::string& name, const std::string& bytes) {
    const fs::path path = root_ / name;
    fs::create_directories(path.parent_path());
    write_file_atomic(path.string(), bytes);
    sizes_[name] = bytes.size();
  }
  const std::map<std::string, std::uint64_t>& sizes() const { return sizes_; }

 private:
  fs::path root_;
  std::map<std::string, std::uint64_t> sizes_;
};

using Counts = std::map<FactId, std::uint64_t>;

json write_crawl(const World& world, const Pages& pages, Folder& folder, Counts& stated) {
  std::array<std::uint64_t, kPageKinds> kinds{};
  for (std::size_t first = 0; first < pages.size(); first += kPagesOfFile) {
    const std::string name = fmt::format("crawl/synth-{:05}.warc.wet.gz", first / kPagesOfFile);
    std::string bytes = wet_opening(world.seed, name.substr(6));
    for (std::size_t i = first; i < std::min(pages.size(), first + kPagesOfFile); ++i) {
      const Page page = pages.page(i);
      bytes += wet_record(world.seed, i, page);
      ++kinds[static_cast<std::size_t>(page.kind)];
      if (page.kind == PageKind::duplicate || page.kind == PageKind::near_duplicate) continue;
      for (FactId fact : page.stated) ++stated[fact];
    }
    folder.write(name, bytes);
  }
  json counts;
  for (std::size_t k = 0; k < kPageKinds; ++k) counts[std::string(page_kind_name(static_cast<PageKind>(k)))] = kinds[k];
  return counts;
}

json write_wiki(const World& world, std::size_t count, Folder& folder, Counts& stated) {
  const WikiDump dump = wiki_dump(world, count);
  folder.write("wiki/synthwiki-pages-articles-multistream.xml.bz2", dump.xml);
  folder.write("wiki/synthwiki-pages-articles-multistream-index.txt.bz2", dump.index);
  for (FactId fact : dump.stated) ++stated[fact];
  return {{"articles", dump.articles}, {"redirects", dump.redirects}, {"other_namespaces", dump.other_namespaces}};
}

json write_exam(const World& world, Folder& folder, Counts& stated) {
  json subjects;
  std::uint64_t least = ~std::uint64_t{0};
  for (std::size_t s = 0; s < world.subjects.size(); ++s) {
    const std::string& name = world.subjects[s].name;
    const auto dev = dev_questions(world, s);
    const auto test = test_questions(world, s);
    folder.write("exam/dev/" + name + "_dev.csv", exam_csv(dev));
    folder.write("exam/test/" + name + "_test.csv", exam_csv(test));
    for (const ExamQuestion& asked : test) least = std::min(least, stated[asked.fact]);
    subjects[name] = {{"dev", dev.size()}, {"test", test.size()}};
  }
  return {{"subjects", subjects}, {"least_statements", least}};
}

}  // namespace

json write_synthetic_world(const SynthOptions& options) {
  check_usage(options.documents >= kFewestDocuments && options.documents <= kMostDocuments,
              "--documents = {}: a world takes from {} to {} of them", options.documents, kFewestDocuments,
              kMostDocuments);
  check_folder(options);
  const World world(options.seed, options.documents);
  const std::size_t wiki_pages = options.documents / kWikiShare;
  const Pages pages(world, options.documents - wiki_pages);
  Folder folder(options.out);
  Counts stated;
  json summary{
      {"format", "trireme synthetic world"}, {"version", 1}, {"documents", options.documents}, {"seed", options.seed}};
  summary["crawl"] = write_crawl(world, pages, folder, stated);
  summary["wiki"] = write_wiki(world, wiki_pages, folder, stated);
  summary["exam"] = write_exam(world, folder, stated);
  summary["people"] = world.people.size();
  summary["files"] = folder.sizes();
  folder.write("world.json", to_text(summary));  // last: what has it is whole
  return summary;
}

}  // namespace trireme
