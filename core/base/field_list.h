// SPDX-License-Identifier: Apache-2.0
// The settings of a configurable struct as a flat list: for differences between two runs, and for programs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/base/config.h"

namespace trireme {

struct FieldEntry {
  std::string name;  // dotted: "optimizer.lr", "sources[0].files"
  std::string type;  // "boolean", "integer", "integer or auto", "number", "text", "list of texts", "list of numbers" or
                     // "choice"
  std::string value;  // as YAML
  std::string json;   // the value as JSON
  std::string doc;
  Bounds bounds = {};                     // of numbers
  std::vector<std::string> choices = {};  // of a choice
};

/// Every field in order. Of an empty list of structs the fields of one item are there, as "sources[].files".
std::vector<FieldEntry> list_fields(const std::function<void(FieldVisitor&)>& walk);

/// One JSON object, {"settings": [...]}: of each field in `resolved` its name, type, value, default (its value in
/// `standard`), description, where it came from (`places`, else "default"), and the bounds or choices that it has.
std::string fields_to_json(const std::vector<FieldEntry>& resolved, const std::vector<FieldEntry>& standard,
                           const Places& places);

}  // namespace trireme
