// SPDX-License-Identifier: Apache-2.0
// The list of a run's settings: names, docs and bounds.
#include <string_view>

#include "core/base/config.h"
#include "launch/run_config.h"

namespace trireme {
namespace {

constexpr std::string_view kFamilies[] = {"gpt2", "llama"};
constexpr std::string_view kParametrizations[] = {"standard", "mup"};
constexpr std::string_view kPrecisions[] = {"fp32", "bf16"};  // in the order of Dtype
constexpr std::string_view kRecompute[] = {"none", "light", "full"};
constexpr std::string_view kDevices[] = {"auto", "cpu", "cuda"};
constexpr std::string_view kProductChoices[] = {"heuristic", "measured"};
constexpr std::string_view kDeterminism[] = {"auto", "true", "false"};
constexpr std::string_view kGatherRoads[] = {"auto", "copy", "nccl"};
constexpr std::string_view kReduceEvery[] = {"step", "micro_step"};
constexpr std::string_view kSchedules[] = {"constant", "linear", "cosine", "wsd"};
constexpr std::string_view kDecays[] = {"sqrt", "linear"};

void fields(FieldVisitor& v, RopeConfig& c) {
  v.field("theta", c.theta, "base of the rotation's wavelengths", kPositive);
  v.field("factor", c.factor, "stretch of low frequencies as in Llama-3.1; 1: none", kAtLeastOne);
  v.field("low_frequency_factor", c.low_frequency_factor, "wavelengths beyond context/this are stretched", kPositive);
  v.field("high_frequency_factor", c.high_frequency_factor, "wavelengths below context/this are not", kPositive);
  v.field("original_context", c.original_context, "context before stretching", kAtLeastOne);
}

void fields(FieldVisitor& v, ScheduleConfig& c) {
  v.choice("kind", c.kind, kSchedules, "shape of the learning rate over steps");
  v.field("warmup_steps", c.warmup_steps, "linear warm-up from 0", kNotNegative);
  v.field("final_ratio", c.final_ratio, "of the peak, at the end of the decay", kFraction);
  v.field("decay_fraction", c.decay_fraction, "wsd: the part of all steps that decays", kFraction);
  v.choice("decay_shape", c.decay_shape, kDecays, "wsd: 1 - sqrt(progress) or 1 - progress");
  v.field("horizon", c.horizon, "steps that the schedule spans; 0: train.steps", kNotNegative);
}

void fields(FieldVisitor& v, OptimizerConfig& c) {
  v.field("lr", c.lr, "peak learning rate", kPositive);
  v.field("beta1", c.beta1, "decay of the first moment", kFraction);
  v.field("beta2", c.beta2, "decay of the second moment", kFraction);
  v.field("eps", c.eps, "added to the root of the second moment", kPositive);
  v.field("weight_decay", c.weight_decay, "on matrices and embeddings", kNotNegative);
  v.field("clip", c.clip, "global norm that gradients are clipped to; 0: off", kNotNegative);
  v.group("schedule", "the learning rate over steps", [&] { fields(v, c.schedule); });
}

void train_fields(FieldVisitor& v, TrainerConfig& c) {
  v.field("steps", c.steps, "updates in the whole run", kAtLeastOne);
  v.field("sequence", c.sequence, "tokens per sample (T); 0: the model's context, at most 1024", kNotNegative);
  v.field("global_batch", c.global_batch, "samples per update, over all ranks", kAtLeastOne);
  v.field("micro_batch", c.micro_batch, "samples per forward pass of one rank (B)", kAtLeastOne);
  auto seed = static_cast<std::int64_t>(c.seed);
  v.field("seed", seed, "of initial parameters and of the order of samples", kNotNegative);
  c.seed = static_cast<std::uint64_t>(seed);
  v.count_or_auto("head_rows", c.head_rows, "rows whose logits exist at a time; auto: as suits the device");
  v.group("skip", "updates that are not made: those whose loss or gradient norm is not finite, or a spike", [&] {
    v.field("budget", c.skip.budget, "updates that a run may skip; one more ends it", kNotNegative);
    v.field("loss_factor", c.skip.loss_factor, "above 1, of its running mean: a larger loss is a spike; 0: none is",
            kNotNegative);
    v.field("norm_factor", c.skip.norm_factor,
            "above 1, of its running mean: a larger gradient norm is a spike; 0: none is", kNotNegative);
    v.field("window", c.skip.window, "updates that the means look back on; before as many, nothing is a spike",
            kAtLeastOne);
  });
}

}  // namespace

void fields(FieldVisitor& v, Architecture& c) {
  v.choice("family", c.family, kFamilies, "kind of transformer");
  v.field("vocabulary", c.vocabulary, "tokens; 0: that of the data", kNotNegative);
  v.field("context", c.context, "longest sequence (rows of learned positions)", kAtLeastOne);
  v.field("layers", c.layers, "blocks", kAtLeastOne);
  v.field("width", c.width, "of the residual stream (D)", kAtLeastOne);
  v.field("heads", c.heads, "query heads (H)", kAtLeastOne);
  v.field("kv_heads", c.kv_heads, "key and value heads (G)", kAtLeastOne);
  v.field("head_size", c.head_size, "of one head (K)", kAtLeastOne);
  v.field("feed_forward", c.feed_forward, "width inside the MLP (F)", kAtLeastOne);
  v.field("norm_eps", c.norm_eps, "added to the variance", kPositive);
  v.field("tied", c.tied, "head and token embedding share one matrix");
  v.field("qkv_bias", c.qkv_bias, "biases on queries, keys and values (llama)");
  v.group("rope", "rotary positions (llama)", [&] { fields(v, c.rope); });
  v.choice("parametrization", c.parametrization, kParametrizations,
           "how initial sizes and learning rates depend on the width");
  v.field("base_width", c.base_width, "mup: the width at which it is the standard one", kAtLeastOne);
  v.field("base_head_size", c.base_head_size, "mup: likewise of attention's scale; 0: head_size", kNotNegative);
}

void fields(FieldVisitor& v, RunConfig& c) {
  v.group("run", "the run", [&] {
    v.field("dir", c.run.dir, "folder of everything the run writes");
    v.field("max_seconds", c.run.max_seconds,
            "save and leave with exit code 75 when this time is about to be over; 0: no limit", kNotNegative);
  });
  v.group("model", "the model: a preset, and settings that replace the preset's", [&] {
    v.field("preset", c.model.preset, "a file of configs/models/, by name or path");
    fields(v, c.model.architecture);
  });
  v.group("train", "the steps", [&] { train_fields(v, c.train); });
  v.choice("precision", c.train.precision, kPrecisions, "compute dtype; masters and moments are fp32");
  v.choice("recompute", c.train.recompute, kRecompute,
           "what backward computes again: nothing; norms and activation functions; every block");
  v.group("mesh", "ranks by axis; their product is the number of ranks", [&] {
    v.count_or_auto("replica", c.mesh.replica, "data-parallel replicas; auto: what the other axes leave");
    v.count_or_auto("shard", c.mesh.shard, "ranks that share one copy of the parameters; auto: what the others leave");
    v.field("tensor", c.mesh.tensor, "ranks that split each layer, within a node", kAtLeastOne);
  });
  v.group("sharding", "what the shard axis shards, and how it sums gradients", [&] {
    auto zero = static_cast<std::int64_t>(c.sharding.stage);
    v.field("zero", zero, "ZeRO stage; 1: optimizer, 2: gradients too, 3: parameters too", {.low = 1, .high = 3});
    c.sharding.stage = static_cast<ZeroStage>(zero);
    v.choice("reduce", c.sharding.reduce, kReduceEvery,
             "stages 2 and 3: sum whole gradients once, or parts as they come");
    v.choice("reduce_dtype", c.sharding.reduce_dtype, kPrecisions, "of gradients on the way over the shard axis");
  });
  v.group("optimizer", "AdamW", [&] { fields(v, c.optimizer); });
  v.group("data", "what is read", [&] {
    v.field("shards", c.data.shards, "folders of token shards");
    v.field("weights", c.data.weights, "of each folder in the mixture; none: by its tokens", kPositive);
    v.field("validation", c.data.validation, "part of the data held out", kFraction);
    v.field("document_mask", c.train.document_mask, "attention stays within a document");
  });
  v.group("checkpoint", "saving", [&] {
    v.field("every", c.checkpoint.every, "steps between checkpoints; 0: only at the end", kNotNegative);
    v.field("keep", c.checkpoint.keep, "newest checkpoints that stay", kAtLeastOne);
  });
  v.group("eval", "validation loss, and an exam at the end", [&] {
    v.field("every", c.eval.every, "steps between validations; 0: only at the end", kNotNegative);
    v.field("samples", c.eval.samples, "held-out samples that are scored, of each set", kAtLeastOne);
    v.field("shards", c.eval.shards,
            "further sets, each with a loss of its own: folders of token shards that are not trained on");
    v.field("exam", c.eval.exam, "folder of an exam like MMLU's, which the run sits at its end; empty: none");
    v.field("shots", c.eval.shots, "worked examples before each question of the exam", kNotNegative);
  });
  v.group("log", "what people see", [&] { v.field("every", c.log.every, "steps between lines", kAtLeastOne); });
  v.group("watchdog", "ends a job that hangs, and says whose fault it is", [&] {
    v.field("seconds", c.watchdog.seconds, "longest wait of one rank for others that show no progress; 0: off",
            kNotNegative);
  });
  v.choice("device", c.device, kDevices, "where the model runs; auto: a GPU where every rank has its own");
  v.group("cuda", "the GPU", [&] {
    v.choice("deterministic", c.cuda.deterministic, kDeterminism,
             "the same bits on every run, also from attention's backward pass; auto: for sequences of at most 2048");
    v.choice("products", c.cuda.products, kProductChoices,
             "a matrix product's algorithm: the library's first proposal, or the fastest when tried at its first use");
    v.field("cache", c.cuda.cache,
            "folder that keeps what was tried, for the same bits at the next start; auto: the user's cache; empty: "
            "none, and products are heuristic");
  });
  v.group("nccl", "collectives between GPUs", [&] {
    v.field("channels", c.nccl.channels,
            "multiprocessors that a collective over replicas or shards takes from the compute beside it; 0: as NCCL "
            "chooses",
            {.low = 0, .high = 64});
    v.choice("gather", c.nccl.gather, kGatherRoads,
             "how shards are gathered: by kernels, or within a node by the GPUs' copy engines (copy); auto: nccl");
  });
  v.group("cpu", "the CPU device", [&] {
    v.field("threads", c.cpu.threads, "of each rank; 0: the cores that it may run on, shared with its neighbours",
            kNotNegative);
    v.field("inline_streams", c.cpu.inline_streams, "run work in the caller instead of on a queue");
  });
}

}  // namespace trireme
