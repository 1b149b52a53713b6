// SPDX-License-Identifier: Apache-2.0
// The world's encyclopedia: a MediaWiki export in bzip2 streams of a hundred pages, with the index that lists them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "data_pipeline/synth/world.h"

namespace trireme::synth {

/// The bytes of `*-pages-articles-multistream.xml.bz2` and of its `-index.txt.bz2`, and what is in them.
struct WikiDump {
  std::string xml, index;
  std::size_t articles = 0, redirects = 0, other_namespaces = 0;
  std::vector<FactId> stated;  // by articles, once for each sentence
};

/// An export (schema 0.11) of `pages` pages: an article for each person, town and feast first, then the long tail;
/// every fifth page a redirect, some talk, template and category pages between.
WikiDump wiki_dump(const World& world, std::size_t pages);

}  // namespace trireme::synth
