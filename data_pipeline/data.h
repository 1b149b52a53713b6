// SPDX-License-Identifier: Apache-2.0
// The data wing's public header: from raw files to batches.
#pragma once

#include "core/base/batch.h"
