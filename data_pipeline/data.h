// SPDX-License-Identifier: Apache-2.0
// The data wing's public header: from raw files to batches.
#pragma once

#include "core/base/batch.h"
#include "data_pipeline/exams/mmlu.h"
#include "data_pipeline/exams/pair.h"
#include "data_pipeline/exams/report.h"
#include "data_pipeline/loader/loader.h"
#include "data_pipeline/pipeline/pipeline.h"
#include "data_pipeline/shards/inspect.h"
#include "data_pipeline/synth/synth.h"
#include "data_pipeline/tokenizer/bpe_trainer.h"
#include "data_pipeline/tokenizer/corpus_pieces.h"
#include "data_pipeline/tokenizer/tokenizer.h"
