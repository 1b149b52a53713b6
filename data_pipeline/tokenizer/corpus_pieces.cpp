// SPDX-License-Identifier: Apache-2.0
// Work units from all files in one queue; each thread reads its own and counts into its own table.
#include "data_pipeline/tokenizer/corpus_pieces.h"

#include <exception>
#include <mutex>
#include <thread>

#include "core/base/error.h"
#include "core/base/stop.h"

namespace trireme {
namespace {

constexpr std::uint64_t kUnitBytes = std::uint64_t{16} << 20;
// A text file is one document: a book, or a corpus that somebody has put into one file.
constexpr std::uint64_t kLargestDocument = std::uint64_t{1} << 30;

SourceKind kind_of(const std::string& file) {
  try {
    return guess_source_kind(file);
  } catch (const Error&) {
    return SourceKind::text;
  }
}

/// What the threads share: the units not yet begun, the sum of what is done, the first failure.
struct Work {
  std::vector<WorkUnit> units;
  std::size_t begun = 0;
  CorpusPieces sum;
  std::exception_ptr failure;
  std::mutex mutex;
};

void count_units(Work& work, Pattern pattern) {
  CorpusPieces mine;
  try {
    for (;;) {
      WorkUnit unit;
      {
        const std::lock_guard lock(work.mutex);
        if (work.failure || work.begun == work.units.size()) break;
        unit = work.units[work.begun++];
      }
      ReaderOptions options;
      options.file = unit.file;
      options.kind = unit.kind;
      options.begin = unit.begin;
      options.end = unit.end;
      options.max_record_bytes = kLargestDocument;
      const auto reader = open_reader(options);
      for (Document document; reader->next(document);) {
        leave_if_stop_requested();
        mine.text_bytes += document.text.size();
        mine.pieces.add(pattern, document.text);
      }
      mine.records.merge(reader->counts());
    }
  } catch (...) {
    const std::lock_guard lock(work.mutex);
    if (!work.failure) work.failure = std::current_exception();
    return;
  }
  const std::lock_guard lock(work.mutex);
  work.sum.pieces.merge(mine.pieces);
  work.sum.records.merge(mine.records);
  work.sum.text_bytes += mine.text_bytes;
}

}  // namespace

CorpusPieces count_corpus(const std::vector<std::string>& files, std::optional<SourceKind> kind, Pattern pattern,
                          int threads) {
  check_usage(threads >= 1, "threads = {}: expected at least 1", threads);
  Work work;
  for (const std::string& file : files) {
    const std::vector<WorkUnit> units = split(file, kind ? *kind : kind_of(file), kUnitBytes);
    work.units.insert(work.units.end(), units.begin(), units.end());
  }
  {
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back([&] { count_units(work, pattern); });
    count_units(work, pattern);
  }
  if (work.failure) std::rethrow_exception(work.failure);
  const ReadCounts& records = work.sum.records;
  check(records.documents > 0, "no document in {} files: {} records, of which {} skipped and {} failed{}", files.size(),
        records.records, records.total_skipped(), records.total_failed(),
        records.examples.empty() ? "" : " (" + records.examples.front() + ")");
  return std::move(work.sum);
}

}  // namespace trireme
