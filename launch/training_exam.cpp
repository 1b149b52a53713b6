// SPDX-License-Identifier: Apache-2.0
// The exam that a run sits when its last step is made.
#include <fmt/format.h>

#include <exception>

#include "core/base/status_board.h"
#include "core/train/rank_agreement.h"
#include "core/train/scorer.h"
#include "launch/exam_sheet.h"
#include "launch/run_metrics.h"
#include "launch/training_run.h"

namespace trireme {
namespace {

/// Every rank reads the exam for itself, from the same files.
ExamSheet read_sheet(const RunConfig& config) {
  const auto tokenizer = Tokenizer::load(tokenizer_in(config.run.dir));
  return make_exam_sheet(load_mmlu(config.eval.exam), tokenizer, config.model.architecture, config.eval.shots, false);
}

}  // namespace

bool TrainingRun::exam_is_left() {
  if (config_.eval.exam.empty()) return false;
  return on_rank_zero(world_.group(), [&]() -> std::string {
           return read_metrics(metrics_path(config_)).exam ? "" : "left";
         }) == "left";
}

void TrainingRun::sit_exam() {
  const PhaseScope scope(process_status(), Phase::evaluation);
  auto sheet = read_sheet(config_);
  engine_.stream->synchronize();
  Scorer scorer({.architecture = config_.model.architecture,
                 .dtype = config_.train.precision,
                 .device = *engine_.device,
                 .ops = *engine_.ops,
                 .stream = *engine_.stream,
                 .store = *engine_.store,
                 .data = *engine_.mesh.data,
                 .tensor = *engine_.mesh.tensor});
  const auto likelihoods =
      scorer.score(sheet.requests, [](std::int64_t /*done*/, std::int64_t /*all*/) { process_status().tick(); });
  on_rank_zero(world_.group(), [&]() -> std::string {
    fill_in(sheet, likelihoods);
    const auto score = report_of(sheet.answers).micro;
    const double loss = task_loss(sheet.answers);
    metrics_->write_exam(trainer_.state().step, {"mmlu", config_.eval.shots, score.questions, score.accuracy, loss});
    note(fmt::format("step {}: exam {}: {:.1f} % of {} questions, {:.4f} nats from the right answers",
                     trainer_.state().step, config_.eval.exam, 100 * score.accuracy, score.questions, loss));
    return {};
  });
}

}  // namespace trireme
