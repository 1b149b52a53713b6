#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What sharding costs: a training step under mpirun with each ZeRO stage, in turns with data parallel on the same ranks.
Prints the ratio of the fastest steps round by round, and each rank's memory beside the formula of docs/parallelism.md.

usage: shard_bench.py [--trireme build/release/trireme] [--ranks 2] [--rounds 3] [--preset gpt2_124m] [--batch 1]
                      [--time 256] [--precision fp32] [--steps 4] [--threads 1]
"""
import argparse
import json
import os
import statistics
import subprocess

MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
       "OMPI_MCA_mpi_yield_when_idle": "1", "OMPI_MCA_hwloc_base_binding_policy": "none"}


def measure(args, shard, zero):
    command = ["mpirun", "-n", str(args.ranks), args.trireme, "bench", "step", "--preset", args.preset, "--precision",
               args.precision, "--batch", str(args.batch), "--sequence", str(args.time), "--steps", str(args.steps),
               "--threads", str(args.threads), "--shard", str(shard), "--zero", str(zero), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **MPI})
    return json.loads(done.stdout.strip().splitlines()[-1])


def formula(whole, args, zero):
    """Bytes of masters, moments, gradients and copies of one of S ranks, from those of a rank that has everything; the
    places of whole blocks apart."""
    s = args.ranks
    elements = whole["masters"] / 4
    bf16 = args.precision == "bf16"
    copies = 2 * elements if bf16 else 4 * (elements - elements / s)
    if zero == 3:
        copies = 2 * elements / s if bf16 else 0
    return {"masters": 4 * elements / s, "moments": 8 * elements / s,
            "gradients": 4 * elements if zero == 1 else 4 * elements / s, "copies": copies}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trireme", default="build/release/trireme")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--preset", default="gpt2_124m")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--time", type=int, default=256)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    whole = None
    ratios = {1: [], 2: [], 3: []}
    seen = {}
    for i in range(args.rounds):
        plain = measure(args, 1, 1)
        whole = plain["planned_bytes"]
        seen[0] = plain
        line = [f"round {i + 1}: data parallel {plain['seconds_min']:.3f} s"]
        for zero in ratios:
            seen[zero] = measure(args, args.ranks, zero)
            ratios[zero].append(seen[zero]["seconds_min"] / plain["seconds_min"])
            line.append(f"stage {zero} x{ratios[zero][-1]:.3f}")
        print(", ".join(line), flush=True)
    for zero, of_rounds in ratios.items():
        print(f"stage {zero}: {statistics.median(of_rounds):.3f} of data parallel's time (median of rounds)")
    print("GB of a rank           masters  moments gradients copies  buffers  plan   planned resident")
    for zero, result in sorted(seen.items()):
        planned = result["planned_bytes"]
        names = ("masters", "moments", "gradients", "copies", "buffers", "plan")
        print(f"{'stage ' + str(zero) if zero else 'data parallel':<22} "
              + " ".join(f"{planned[n] / 1e9:8.3f}" for n in names)
              + f" {sum(planned.values()) / 1e9:8.3f} {result['peak_resident_bytes'] / 1e9:8.3f}")
        if zero:
            expected = formula(whole, args, zero)
            print(f"{'  formula':<22} " + " ".join(f"{expected[n] / 1e9:8.3f}" for n in names[:4]))


if __name__ == "__main__":
    main()
