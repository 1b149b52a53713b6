// SPDX-License-Identifier: Apache-2.0
// MediaWiki's XML export (schemas 0.3 to 0.11) as a stream of pages.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

/// A <page> with its last revision's main text.
struct WikiPage {
  std::string title;
  std::string model;  ///< empty in old schemas
  std::string text;   ///< wikitext; empty when too_long
  std::int64_t ns = 0;
  bool redirect = false;
  bool too_long = false;  ///< text or another field passed the limit
  bool has_text = false;
  std::uint64_t offset = 0;  ///< as given to feed() for the bytes in which the page begins
};

/// Feeds expat. Bounded by `max_page_bytes`, by a depth of 64 and by refusing document types, so that no entity
/// expands.
class WikiXml {
 public:
  explicit WikiXml(std::uint64_t max_page_bytes);
  ~WikiXml();
  WikiXml(const WikiXml&) = delete;
  WikiXml& operator=(const WikiXml&) = delete;

  /// Starts over. `inside`: the bytes to come begin at a <page> within <mediawiki>.
  void start(bool inside);
  /// Parses `bytes`, which lie at `offset` of the file; `exact` when the offset counts single bytes. Finished pages are
  /// appended to pages(). False when the XML is not acceptable: error() says why, error_index() where in `bytes`.
  bool feed(std::string_view bytes, std::uint64_t offset, bool exact);
  /// True when the end of input is acceptable here: no page is open.
  bool finish();

  std::deque<WikiPage>& pages() { return pages_; }
  bool in_page() const;
  const std::string& error() const { return error_; }
  std::size_t error_index() const { return error_index_; }
  /// Names of the namespaces of files (6) and categories (14), lower case, found in <siteinfo>.
  const std::vector<std::string>& silent_namespaces() const { return silent_namespaces_; }

  struct Parser;

 private:
  friend struct Parser;

  std::uint64_t max_page_bytes_;
  std::unique_ptr<Parser> parser_;
  std::deque<WikiPage> pages_;
  std::string error_;
  std::size_t error_index_ = 0;
  std::string encoding_;
  std::vector<std::string> silent_namespaces_;
};

}  // namespace trireme
