#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Encodes the sample texts with trireme and tiktoken in turn, one thread each, and prints the ratio of their speeds.

    python tests/bench/tokenizer_bench.py build/release/tokenizer_bench SAMPLES [ROUNDS]

Times are processor time, so that other work on the machine does not count. Cold: every piece is met for the first time in the round. Warm: the cache of pieces has seen the texts.
"""
import base64
import bz2
import gzip
import json
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import tiktoken

CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"


def texts_of(samples):
    """Name -> documents."""
    wiki = bz2.open(samples / "wiki/gensim-enwiki-latest-pages-articles1-shortened.xml.bz2", "rt", encoding="utf-8").read()
    with gzip.open(samples / "text/dolma-cc_en_head-0091.jsonl.gz", "rt", encoding="utf-8") as lines:
        crawl = [json.loads(line)["text"] for line in lines]
    return {
        "text": [(samples / "text/spm-botchan.txt").read_text(encoding="utf-8"), *crawl],
        "wiki": re.findall(r"<text[^>]*>(.*?)</text>", wiki, re.S),
    }


def byte_of_spelling():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(others)}


def encodings(samples):
    """Name -> tokenizer file and tiktoken's encoding of it."""
    ranks = {}
    cl100k = samples / "tokenizers/cl100k_base.tiktoken.gz"
    for line in gzip.open(cl100k):
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    gpt2 = samples / "tokenizers/gpt2-tokenizer.json"
    byte_of = byte_of_spelling()
    vocab = json.loads(gpt2.read_text())["model"]["vocab"]
    vocab.pop("<|endoftext|>")
    gpt2_ranks = {bytes(byte_of[c] for c in token): id for token, id in vocab.items()}
    return {
        "gpt2": (gpt2, tiktoken.Encoding("g", pat_str=GPT2, mergeable_ranks=gpt2_ranks, special_tokens={})),
        "cl100k": (cl100k, tiktoken.Encoding("c", pat_str=CL100K, mergeable_ranks=ranks, special_tokens={})),
    }


def main():
    program, samples = sys.argv[1], pathlib.Path(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    for corpus, texts in texts_of(samples).items():
        size = sum(len(t.encode()) for t in texts)
        repeats = max(1, 2_000_000 // size)
        texts = texts * repeats
        size *= repeats
        with tempfile.NamedTemporaryFile() as file:
            for text in texts:
                data = text.encode()
                file.write(struct.pack("<I", len(data)) + data)
            file.flush()
            for name, (path, encoding) in encodings(samples).items():
                child = subprocess.Popen([program, path, file.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

                def ours(kind):
                    child.stdin.write(kind + "\n")
                    child.stdin.flush()
                    seconds, tokens = child.stdout.readline().split()
                    return float(seconds), int(tokens)

                cold, warm, theirs = [], [], []
                for _ in range(rounds):
                    start = time.process_time()
                    count = sum(len(encoding.encode_ordinary(t)) for t in texts)
                    theirs.append(time.process_time() - start)
                    for kind, times in (("cold", cold), ("warm", warm)):
                        seconds, tokens = ours(kind)
                        assert tokens == count, (tokens, count)
                        times.append(seconds)
                child.stdin.close()
                child.wait()
                speed = lambda times: f"{size / statistics.median(times) / 1e6:.1f}"
                ratio = lambda times: sorted(t / o for t, o in zip(theirs, times))
                print(
                    f"{corpus} {name}: {size / 1e6:.2f} MB, tiktoken {speed(theirs)} MB/s, cold {speed(cold)}, warm {speed(warm)};"
                    f" ratio cold min {ratio(cold)[0]:.1f} median {statistics.median(ratio(cold)):.1f},"
                    f" warm min {ratio(warm)[0]:.1f} median {statistics.median(ratio(warm)):.1f}", flush=True)


main()
