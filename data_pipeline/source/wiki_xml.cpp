// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/source/wiki_xml.h"

#include <expat.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "core/base/error.h"

namespace trireme {
namespace {

constexpr std::size_t kMostDepth = 64;
constexpr std::size_t kMostField = 4096;        // title, model, namespace name, number
constexpr std::uint64_t kMostToken = 1u << 20;  // a tag or comment longer than that is no export
constexpr std::string_view kRoot = "<mediawiki>";

std::string lower_ascii(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

std::int64_t number(std::string_view text) {
  std::int64_t value = std::numeric_limits<std::int64_t>::min();
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

/// One expat parser and the place in the document; the callbacks are its members.
struct WikiXml::Parser {
  Parser(WikiXml& xml, const char* encoding) : owner(xml), expat(XML_ParserCreate(encoding)) {
    check(expat != nullptr, "expat could not make a parser");
    XML_SetUserData(expat, this);
    XML_SetElementHandler(expat, &on_start, &on_end);
    XML_SetCharacterDataHandler(expat, &on_text);
    XML_SetStartDoctypeDeclHandler(expat, &on_doctype);
    XML_SetXmlDeclHandler(expat, &on_declaration);
  }
  ~Parser() { XML_ParserFree(expat); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  static Parser& of(void* user) { return *static_cast<Parser*>(user); }

  static void XMLCALL on_start(void* user, const XML_Char* name, const XML_Char** attributes) {
    of(user).heard = true;
    of(user).start(name, attributes);
  }
  static void XMLCALL on_end(void* user, const XML_Char* name) {
    of(user).heard = true;
    of(user).end(name);
  }
  static void XMLCALL on_text(void* user, const XML_Char* text, int size) {
    of(user).heard = true;
    of(user).text({text, static_cast<std::size_t>(size)});
  }
  static void XMLCALL on_doctype(void* user, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    of(user).stop("XML with a document type");
  }
  static void XMLCALL on_declaration(void* user, const XML_Char*, const XML_Char* encoding, int) {
    if (encoding != nullptr) {
      of(user).owner.encoding_ = lower_ascii(encoding);
    }
  }

  void stop(const char* reason) {
    if (stopped == nullptr) {
      stopped = reason;
      XML_StopParser(expat, XML_FALSE);
    }
  }

  bool parent_is(std::string_view name) const { return path.size() >= 2 && path[path.size() - 2] == name; }

  void start(std::string_view name, const XML_Char** attributes) {
    if (path.size() >= kMostDepth) {
      stop("XML nested too deeply");
      return;
    }
    path.emplace_back(name.substr(0, 64));
    field = nullptr;
    if (name == "page" && !in_page) {
      in_page = true;
      page = {};
      const auto index = static_cast<std::uint64_t>(std::max<XML_Index>(XML_GetCurrentByteIndex(expat), 0));
      page.offset = exact ? base + index - fed_before : base;
    } else if (name == "namespace" && !in_page) {
      namespace_key.clear();
      for (; attributes[0] != nullptr; attributes += 2) {
        if (std::string_view(attributes[0]) == "key") {
          namespace_key = attributes[1];
        }
      }
      namespace_name.clear();
      field = &namespace_name;
    }
    if (in_page) {
      start_in_page(name);
    }
  }

  void start_in_page(std::string_view name) {
    if (name == "redirect" && parent_is("page")) {
      page.redirect = true;
    } else if (name == "title" && parent_is("page")) {
      field = &page.title;
    } else if (name == "ns" && parent_is("page")) {
      value.clear();
      field = &value;
    } else if (name == "revision" && parent_is("page")) {
      page.text.clear();  // a history dump: the last revision counts
      page.model.clear();
      page.too_long = false;
    } else if (name == "model" && parent_is("revision")) {
      field = &page.model;
    } else if (name == "text" && parent_is("revision")) {
      // Extra slots (schema 0.11) hold their text in <content>, not directly in <revision>.
      page.has_text = true;
      field = &page.text;
    }
  }

  void text(std::string_view bytes) {
    if (field == nullptr) {
      return;
    }
    const std::uint64_t limit = field == &page.text ? owner.max_page_bytes_ : kMostField;
    if (field->size() + bytes.size() > limit) {
      page.too_long = true;
      field->clear();
      field->shrink_to_fit();
      field = nullptr;
      return;
    }
    field->append(bytes);
  }

  void end(std::string_view name) {
    if (in_page && field == &value && name == "ns") {
      page.ns = number(value);
    } else if (!in_page && name == "namespace" && (namespace_key == "6" || namespace_key == "14") &&
               !namespace_name.empty() && owner.silent_namespaces_.size() < 16) {
      owner.silent_namespaces_.push_back(lower_ascii(namespace_name));
    } else if (in_page && name == "page") {
      in_page = false;
      owner.pages_.push_back(std::move(page));
    }
    field = nullptr;
    if (!path.empty()) {
      path.pop_back();
    }
  }

  WikiXml& owner;
  XML_Parser expat;
  std::vector<std::string> path;
  WikiPage page;
  bool in_page = false;
  std::string* field = nullptr;
  std::string value;
  std::string namespace_key;
  std::string namespace_name;
  const char* stopped = nullptr;
  std::uint64_t fed = 0;         // bytes given to expat, the root that was put before them included
  std::uint64_t fed_before = 0;  // the same when the current bytes began
  std::uint64_t base = 0;        // offset of the current bytes in the file
  bool exact = false;
  bool heard = false;       // some callback since feed() began
  std::uint64_t quiet = 0;  // bytes since the last one: the length of a token that does not end
};

WikiXml::WikiXml(std::uint64_t max_page_bytes) : max_page_bytes_(max_page_bytes) { start(false); }
WikiXml::~WikiXml() = default;

bool WikiXml::in_page() const { return parser_->in_page; }

void WikiXml::start(bool inside) {
  error_.clear();
  const bool other = inside && !encoding_.empty() && encoding_ != "utf-8" && encoding_ != "utf-16";
  parser_ = std::make_unique<Parser>(*this, other ? encoding_.c_str() : nullptr);
  if (!inside) {
    return;
  }
  const auto size = static_cast<int>(kRoot.size());
  if (XML_Parse(parser_->expat, kRoot.data(), size, 0) != XML_STATUS_OK) {
    // An encoding that does not exist.
    encoding_.clear();
    parser_ = std::make_unique<Parser>(*this, nullptr);
    XML_Parse(parser_->expat, kRoot.data(), size, 0);
  }
  parser_->fed = kRoot.size();
}

bool WikiXml::feed(std::string_view bytes, std::uint64_t offset, bool exact) {
  Parser& p = *parser_;
  p.base = offset;
  p.exact = exact;
  p.fed_before = p.fed;
  p.fed += bytes.size();
  const XML_Status status = XML_Parse(p.expat, bytes.data(), static_cast<int>(bytes.size()), 0);
  p.quiet = p.heard ? 0 : p.quiet + bytes.size();
  p.heard = false;
  if (status == XML_STATUS_OK && p.quiet <= kMostToken) {
    return true;
  }
  const auto at = static_cast<std::uint64_t>(std::max<XML_Index>(XML_GetCurrentByteIndex(p.expat), 0));
  error_index_ =
      static_cast<std::size_t>(std::min<std::uint64_t>(at > p.fed_before ? at - p.fed_before : 0, bytes.size()));
  if (status == XML_STATUS_OK) {
    error_ = "XML token longer than its limit";
  } else if (p.stopped != nullptr) {
    error_ = p.stopped;
  } else {
    error_ = std::string("XML: ") + XML_ErrorString(XML_GetErrorCode(p.expat));
  }
  return false;
}

bool WikiXml::finish() { return !parser_->in_page; }

}  // namespace trireme
