// SPDX-License-Identifier: Apache-2.0
// From the block of a WARC response to the text of its page.
#pragma once

#include <string>
#include <string_view>

#include "data_pipeline/source/reader.h"
#include "data_pipeline/source/warc_record.h"

namespace trireme {

/// What became of a block; `reason` is one of a few fixed texts.
struct HtmlVerdict {
  enum class What { text, skipped, failed };
  What what = What::text;
  std::string_view reason;
};

/// Takes HTTP header, chunks and gzip off `block`, decodes the charset and puts the page's text (or, without
/// options.extract, its HTML in UTF-8) into `text`. Whatever is not HTML is skipped.
HtmlVerdict html_from_block(std::string_view block, const WarcHeader& header, const ReaderOptions& options,
                            std::string& text);

}  // namespace trireme
