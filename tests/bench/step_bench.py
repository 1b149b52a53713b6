#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One training step of GPT-2 124M on the CPU, Trireme and PyTorch in turn in one run: median seconds, tokens a second,
the fraction of the machine's matrix peak, and the ratio round by round.

usage: step_bench.py [--trireme build/release/trireme] [--rounds 3] [--threads 2] [--batch 4] [--time 256] [--no-compile]
Needs torch. PyTorch's figure of a round is its best variant (see step_peer.py).
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys


def last_json(command, environment=None):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trireme", default="build/release/trireme")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--time", type=int, default=256)
    parser.add_argument("--no-compile", action="store_true")
    args = parser.parse_args()
    peer = pathlib.Path(__file__).with_name("step_peer.py")
    shape = ["--threads", str(args.threads), "--batch", str(args.batch)]
    for precision in ("fp32", "bf16"):
        ours, theirs = [], []
        for _ in range(args.rounds):
            ours.append(last_json([args.trireme, "bench", "step", "--preset", "gpt2_124m", "--precision", precision,
                                   "--sequence", str(args.time), "--steps", "5", "--json"] + shape))
            theirs.append(last_json([sys.executable, str(peer), "--time", str(args.time), "--steps", "5", "--only",
                                     precision] + shape + (["--no-compile"] if args.no_compile else [])))
        mine = [r["seconds_min"] for r in ours]
        peers = [r["best"][precision]["seconds"] for r in theirs]
        tokens = args.batch * args.time
        ratios = [p / m for m, p in zip(mine, peers)]
        print(f"{precision}: Trireme {statistics.median(mine):.3f} s ({tokens / statistics.median(mine):.0f} tokens/s, "
              f"{100 * statistics.median(r['fraction_of_peak'] * r['seconds_median'] / r['seconds_min'] for r in ours):.0f} % "
              f"of {statistics.median(r['peak_flops'] for r in ours) / 1e9:.0f} GFLOP/s), "
              f"PyTorch {theirs[0]['torch']} {statistics.median(peers):.3f} s ({tokens / statistics.median(peers):.0f} "
              f"tokens/s); PyTorch's time / Trireme's, by round: {', '.join(f'{r:.2f}' for r in ratios)}", flush=True)


if __name__ == "__main__":
    main()
