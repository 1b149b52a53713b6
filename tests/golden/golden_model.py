#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden values of whole models from transformers and torch: logits, loss, every gradient, ten AdamW steps.

usage: python tests/golden/golden_model.py             writes tests/golden/model
       python tests/golden/golden_model.py --check     compares with it; exit code 1 where it differs, 77 without torch

Writes NAME.json (the shape, the batch, what torch itself loses in float32 and bfloat16) and NAME.bin (arrays, one after
another) per model. Reference values are computed in float64; RMSNorm is patched to stay in it, rotary tables remain
float32, as transformers computes them. Parameters have this project's names and layout: [out, in], queries, keys and
values in one matrix, gate and up in one. Needs torch and transformers; the tests that read the files need neither.
"""
import json
import math
import pathlib
import sys
import tempfile

try:
    import numpy as np
    import torch
    from transformers import (GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM)
    from transformers.models.llama.modeling_llama import LlamaRMSNorm
    from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

BATCH, TIME, STEPS, VOCABULARY, CONTEXT = 3, 17, 10, 61, 32
OPTIMIZER = dict(lr=3e-3, beta1=0.9, beta2=0.95, eps=1e-5, weight_decay=0.1, clip=0.5, warmup_steps=3, final_ratio=0.1)


def rms_norm(self, x):
    """In x's dtype when that is float64; transformers would go through float32."""
    y = x if x.dtype == torch.float64 else x.float()
    y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
    return self.weight * y.to(x.dtype)


LlamaRMSNorm.forward = rms_norm
Qwen2RMSNorm.forward = rms_norm


def gpt2_model(a):
    return GPT2LMHeadModel(GPT2Config(
        vocab_size=a["vocabulary"], n_positions=a["context"], n_embd=a["width"], n_layer=a["layers"],
        n_head=a["heads"], n_inner=a["feed_forward"], resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        layer_norm_epsilon=a["norm_eps"], attn_implementation="sdpa"))


def llama_model(a):
    rope = dict(rope_type="default", rope_theta=a["rope"]["theta"])
    if a["rope"]["factor"] != 1.0:
        rope.update(rope_type="llama3", factor=a["rope"]["factor"],
                    low_freq_factor=a["rope"]["low_frequency_factor"],
                    high_freq_factor=a["rope"]["high_frequency_factor"],
                    original_max_position_embeddings=a["rope"]["original_context"])
    common = dict(
        vocab_size=a["vocabulary"], max_position_embeddings=a["context"], hidden_size=a["width"],
        num_hidden_layers=a["layers"], num_attention_heads=a["heads"], num_key_value_heads=a["kv_heads"],
        intermediate_size=a["feed_forward"], rms_norm_eps=a["norm_eps"], tie_word_embeddings=a["tied"],
        rope_parameters=rope, attn_implementation="sdpa")
    if a["qkv_bias"]:
        return Qwen2ForCausalLM(Qwen2Config(**common))
    return LlamaForCausalLM(LlamaConfig(head_dim=a["head_size"], **common))


def names(a):
    """This project's name -> how to find the tensor among the model's (a list: rows one after another)."""
    if a["family"] == "gpt2":
        table = {"embedding.tokens.weight": "transformer.wte.weight", "embedding.positions.weight": "transformer.wpe.weight",
                 "head.norm.weight": "transformer.ln_f.weight", "head.norm.bias": "transformer.ln_f.bias"}
        for i in range(a["layers"]):
            to, of = f"blocks.{i}.", f"transformer.h.{i}."
            for ours, theirs in (("norm1", "ln_1"), ("attention.qkv", "attn.c_attn"), ("attention.out", "attn.c_proj"),
                                 ("norm2", "ln_2"), ("mlp.up", "mlp.c_fc"), ("mlp.down", "mlp.c_proj")):
                for part in ("weight", "bias"):
                    table[f"{to}{ours}.{part}"] = f"{of}{theirs}.{part}"
        return table
    table = {"embedding.tokens.weight": "model.embed_tokens.weight", "head.norm.weight": "model.norm.weight"}
    if not a["tied"]:
        table["head.weight"] = "lm_head.weight"
    for i in range(a["layers"]):
        to, of = f"blocks.{i}.", f"model.layers.{i}."
        table[to + "norm1.weight"] = of + "input_layernorm.weight"
        table[to + "norm2.weight"] = of + "post_attention_layernorm.weight"
        for part in ("weight", "bias") if a["qkv_bias"] else ("weight",):
            table[f"{to}attention.qkv.{part}"] = [f"{of}self_attn.{p}_proj.{part}" for p in "qkv"]
        table[to + "attention.out.weight"] = of + "self_attn.o_proj.weight"
        table[to + "mlp.gate_up.weight"] = [of + "mlp.gate_proj.weight", of + "mlp.up_proj.weight"]
        table[to + "mlp.down.weight"] = of + "mlp.down_proj.weight"
    return table


def collect(a, model, value):
    """name -> array in this project's layout; value(parameter) picks the data or the gradient."""
    parameters = dict(model.named_parameters())

    def one(name):
        t = value(parameters[name]).detach().double().clone()  # the optimizer writes in place
        transposed = a["family"] == "gpt2" and t.dim() == 2 and ".h." in name  # Conv1D holds [in, out]
        return (t.T if transposed else t).contiguous().numpy()

    return {ours: np.concatenate([one(n) for n in theirs]) if isinstance(theirs, list) else one(theirs)
            for ours, theirs in names(a).items()}


def loss_of(logits, targets):
    return torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=-1)


def first_step(a, model, tokens, targets):
    model.zero_grad()
    logits = model(tokens).logits
    loss = loss_of(logits.double() if logits.dtype == torch.float64 else logits.float(), targets)
    loss.backward()
    values = {"logits": logits.detach().double().reshape(-1, a["vocabulary"]).clone().numpy()}
    values.update({"gradient." + n: g for n, g in collect(a, model, lambda p: p.grad).items()})
    return loss.item(), values


def learning_rate(step):
    o = OPTIMIZER
    if step < o["warmup_steps"]:
        return o["lr"] * (step + 1) / o["warmup_steps"]
    progress = (step - o["warmup_steps"]) / (STEPS - o["warmup_steps"])
    return o["lr"] * (o["final_ratio"] + (1 - o["final_ratio"]) * 0.5 * (1 + math.cos(math.pi * progress)))


def train(a, model, tokens, targets):
    o = OPTIMIZER
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in parameters if p.dim() == 2], "weight_decay": o["weight_decay"]},
         {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0}],
        lr=o["lr"], betas=(o["beta1"], o["beta2"]), eps=o["eps"])
    losses, norms = [], []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.zero_grad()
        loss = loss_of(model(tokens[step]).logits, targets[step])
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, o["clip"]).item())
        optimizer.step()
        losses.append(loss.item())
    return losses, norms


def distance(values, reference):
    return {n: float(np.linalg.norm(values[n] - reference[n]) / np.linalg.norm(reference[n])) for n in reference}


def golden(name, a, seed, out):
    torch.manual_seed(seed)
    make = gpt2_model if a["family"] == "gpt2" else llama_model
    model = make(a).double().eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            mean = 1.0 if p.dim() == 1 and key.endswith("weight") else 0.0
            # Wide enough that attention and activations are far from linear; exact in float32.
            p.copy_((mean + (0.25 if p.dim() == 2 else 0.1) * torch.randn_like(p)).float().double())
    tokens = torch.randint(0, a["vocabulary"], (STEPS, BATCH, TIME))
    targets = torch.randint(0, a["vocabulary"], (STEPS, BATCH, TIME))
    targets[torch.rand(targets.shape) < 0.1] = -1
    state = {k: v.clone() for k, v in model.state_dict().items()}

    initial = collect(a, model, lambda p: p)
    loss, values = first_step(a, model, tokens[0], targets[0])
    torch_error = {}
    for dtype in (torch.float32, torch.bfloat16):
        low = make(a).eval()
        low.load_state_dict(state)
        torch_error[str(dtype).split(".")[1]] = distance(first_step(a, low.to(dtype), tokens[0], targets[0])[1], values)
    losses, norms = train(a, model, tokens, targets)

    arrays = {"tokens": tokens.numpy().astype("<i4"), "targets": targets.numpy().astype("<i4")}
    arrays.update({"initial." + n: v.astype("<f4") for n, v in initial.items()})
    arrays.update({n: v.astype("<f4") for n, v in values.items()})
    arrays.update({"trained." + n: v.astype("<f4") for n, v in collect(a, model, lambda p: p).items()})
    index, offset = {}, 0
    with open(out / f"{name}.bin", "wb") as f:
        for key, v in arrays.items():
            f.write(v.tobytes())
            index[key] = {"offset": offset, "shape": list(v.shape)}
            offset += v.nbytes
    with open(out / f"{name}.json", "w") as f:
        json.dump({"architecture": a, "optimizer": OPTIMIZER, "batch": BATCH, "time": TIME, "steps": STEPS, "loss": loss,
                   "losses": losses, "norms": norms, "torch_error": torch_error, "arrays": index}, f, indent=1)
        f.write("\n")
    worst = {d: max(e.values()) for d, e in torch_error.items()}
    print(f"{name}: loss {loss:.6f}, {losses[-1]:.6f} after {STEPS} steps; torch's own error {worst}")


def write_all(out):
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    base = dict(vocabulary=VOCABULARY, context=CONTEXT, layers=2, width=24, norm_eps=1e-5)
    rope = dict(theta=10000.0, factor=1.0, low_frequency_factor=1.0, high_frequency_factor=4.0, original_context=8192)
    # Of the four wavelengths 6.3, 63, 628 and 6283 the first stays, the second is between, the others are stretched.
    stretched = dict(rope, factor=8.0, original_context=128)
    golden("gpt2", dict(base, family="gpt2", heads=3, kv_heads=3, head_size=8, feed_forward=96, tied=True, qkv_bias=True,
                        rope=rope), 1, out)
    golden("llama", dict(base, family="llama", heads=4, kv_heads=2, head_size=8, feed_forward=64, tied=False,
                         qkv_bias=False, rope=stretched), 2, out)
    golden("llama_tied", dict(base, family="llama", heads=3, kv_heads=3, head_size=8, feed_forward=56, tied=True,
                              qkv_bias=False, rope=dict(rope, theta=500000.0)), 3, out)
    golden("qwen", dict(base, family="llama", heads=3, kv_heads=1, head_size=8, feed_forward=64, tied=True, qkv_bias=True,
                        norm_eps=1e-6, rope=dict(rope, theta=1000000.0)), 4, out)


def differences(found, expected):
    """Names of arrays that differ by more than float32 can tell: the references are float64, but for rotary tables."""
    for json_file in sorted(expected.glob("*.json")):
        index = json.loads(json_file.read_text())["arrays"]
        a, b = (folder.joinpath(json_file.stem + ".bin").read_bytes() for folder in (found, expected))
        for key, entry in index.items():
            dtype = "<i4" if key in ("tokens", "targets") else "<f4"
            x, y = (np.frombuffer(d, dtype, math.prod(entry["shape"]), entry["offset"]).astype("f8") for d in (a, b))
            if np.linalg.norm(x - y) > 1e-6 * np.linalg.norm(y):
                yield f"{json_file.stem}: {key}"


def main():
    committed = pathlib.Path(__file__).parent / "model"
    if sys.argv[1:] == ["--check"]:
        with tempfile.TemporaryDirectory() as folder:
            write_all(pathlib.Path(folder))
            found = list(differences(pathlib.Path(folder), committed))
        print("\n".join(found) or "the committed values are those of this torch")
        sys.exit(1 if found else 0)
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    write_all(committed)


if __name__ == "__main__":
    main()
