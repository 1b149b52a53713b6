// SPDX-License-Identifier: Apache-2.0
// The field list of `trireme data`'s configuration.
#pragma once

#include "core/base/config.h"
#include "data_pipeline/data.h"

namespace trireme {

void fields(FieldVisitor& v, SourceConfig& c);
void fields(FieldVisitor& v, FilterConfig& c);
void fields(FieldVisitor& v, DataConfig& c);

}  // namespace trireme
