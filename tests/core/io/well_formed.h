// SPDX-License-Identifier: Apache-2.0
// Whether text is well-formed XML, said by a parser that is not ours; for tests, which link expat.
#pragma once

#include <expat.h>

#include <map>
#include <string>

namespace trireme::testing {

/// Nothing, or what is wrong and in which line.
inline std::string xml_problem(const std::string& text) {
  XML_Parser parser = XML_ParserCreate("UTF-8");
  std::string problem;
  if (XML_Parse(parser, text.data(), static_cast<int>(text.size()), 1) != XML_STATUS_OK) {
    problem = std::string(XML_ErrorString(XML_GetErrorCode(parser))) + " in line " +
              std::to_string(XML_GetCurrentLineNumber(parser));
  }
  XML_ParserFree(parser);
  return problem;
}

/// How many elements of each name well-formed text has.
inline std::map<std::string, int> xml_elements(const std::string& text) {
  XML_Parser parser = XML_ParserCreate("UTF-8");
  std::map<std::string, int> counts;
  XML_SetUserData(parser, &counts);
  XML_SetStartElementHandler(parser, [](void* data, const XML_Char* name, const XML_Char**) {
    ++(*static_cast<std::map<std::string, int>*>(data))[name];
  });
  XML_Parse(parser, text.data(), static_cast<int>(text.size()), 1);
  XML_ParserFree(parser);
  return counts;
}

}  // namespace trireme::testing
