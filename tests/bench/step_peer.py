#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One training step of GPT-2 124M in PyTorch on the CPU: the time that Trireme's own step is compared with.

Forward, backward, clipping by global norm, AdamW; fp32 and bf16 (fp32 masters under autocast, and bf16 parameters with
fp32 masters beside them); eager with scaled_dot_product_attention, and torch.compile where it works. Prints one JSON
object a variant and, last, the best of each precision. On a shared machine compare processor_seconds (the process's
processor time over its threads), with OMP_WAIT_POLICY=passive so that waiting is no work.

usage: step_peer.py [--threads 2] [--batch 4] [--time 256] [--steps 3] [--only fp32|bf16] [--no-compile]
"""
import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

VOCABULARY, CONTEXT, LAYERS, HEADS, WIDTH = 50257, 1024, 12, 12, 768


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.ln_1(x)).view(b, t, 3, HEADS, d // HEADS).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, tokens, targets):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


class Step:
    """The whole step of one variant; `masters` are what AdamW works on."""

    def __init__(self, precision, compiled, optimizer):
        torch.manual_seed(0)
        self.model = Model()
        self.autocast = precision == "bf16-autocast"
        self.masters = list(self.model.parameters())
        if precision == "bf16-parameters":
            self.masters = [p.detach().clone() for p in self.model.parameters()]
            self.model.to(torch.bfloat16)
        self.copies = precision == "bf16-parameters"
        self.forward = torch.compile(self.model) if compiled else self.model
        self.optimizer = torch.optim.AdamW(self.masters, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1,
                                           **({"fused": True} if optimizer == "fused" else {"foreach": True}))

    def __call__(self, tokens, targets):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            loss = self.forward(tokens, targets)
        loss.backward()
        if self.copies:
            for master, parameter in zip(self.masters, self.model.parameters()):
                master.grad, parameter.grad = parameter.grad.float(), None
        torch.nn.utils.clip_grad_norm_(self.masters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.copies:
            with torch.no_grad():
                torch._foreach_copy_(list(self.model.parameters()), self.masters)
        return loss.item()


def measure(args, precision, compiled, optimizer):
    step = Step(precision, compiled, optimizer)
    tokens = torch.randint(VOCABULARY, (args.batch, args.time))
    targets = torch.randint(VOCABULARY, (args.batch, args.time))
    loss, seconds, processor = step(tokens, targets), [], []
    for _ in range(args.steps):
        start, busy = time.perf_counter(), time.process_time()
        loss = step(tokens, targets)
        seconds.append(time.perf_counter() - start)
        processor.append((time.process_time() - busy) / args.threads)
    return {"precision": precision, "compiled": compiled, "optimizer": optimizer, "seconds": min(seconds),
            "processor_seconds": min(processor), "tokens_per_second": args.batch * args.time / min(seconds), "loss": loss}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--time", type=int, default=256)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--only", choices=("fp32", "bf16"))
    parser.add_argument("--no-compile", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    best = {}
    for precision in ("fp32", "bf16-autocast", "bf16-parameters"):
        if args.only and not precision.startswith(args.only):
            continue
        for compiled in (False,) if args.no_compile else (False, True):
            for optimizer in ("fused",) if compiled else ("fused", "foreach"):
                try:
                    result = measure(args, precision, compiled, optimizer)
                except Exception as error:  # torch.compile needs a compiler that suits it
                    print(json.dumps({"precision": precision, "compiled": compiled,
                                      "failed": str(error).split("\n")[0]}), file=sys.stderr)
                    continue
                print(json.dumps(result), flush=True)
                family = precision.split("-")[0]
                if family not in best or result["seconds"] < best[family]["seconds"]:
                    best[family] = result
    print(json.dumps({"torch": torch.__version__, "threads": args.threads, "best": best}))


if __name__ == "__main__":
    main()
