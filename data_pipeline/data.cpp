// SPDX-License-Identifier: Apache-2.0
#include "data_pipeline/data.h"
