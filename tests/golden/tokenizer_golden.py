#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the golden files of the tokenizer tests from text of our own, with Hugging Face tokenizers and tiktoken.

    pip install tokenizers==0.23.3 tiktoken==0.14.0
    python tests/golden/tokenizer_golden.py

tokenizer_text.txt   the text that was trained on
tokenizer_small.json what Hugging Face's BpeTrainer learnt from it
tokenizer_ids.json   hard texts and their ids under every pattern: by tokenizers ("merges"), special tokens
                     recognised, and by tiktoken ("ranks"), as text, where those differ
"""
import json
import pathlib
import random

import tiktoken
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

FOLDER = pathlib.Path(__file__).parent
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
LEAD, TAIL = r"[^\r\n\p{L}\p{N}]?", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "cl100k": CL100K,
    "qwen2": CL100K.replace(r"\p{N}{1,3}", r"\p{N}"),
    "o200k": f"{LEAD}{UPPER}*{LOWER}+{TAIL}|{LEAD}{UPPER}+{LOWER}*{TAIL}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}

PEOPLE = ["Ada", "Borek", "Cem", "Dilnaz", "Edda", "Fiorella", "Gwen", "Hakon"]
TRADES = ["weaver", "boatwright", "glassblower", "baker", "surveyor", "beekeeper"]
PLACES = ["the old harbour", "Nordhaven", "the mill", "a village by the river", "Lindisholm"]
LINES = [
    "{p} isn't the {t} of {l}; she's older than {q}, who'll be {n} next spring.",
    "They've asked {p}: \"Where does the {t} live?\" -- in {l}, {n} steps from the well.",
    "  * {p}'s boat carries {n},{n} oars (3 banks) and costs {n}.50 crowns!",
    "Die Straße nach {l} ist {n} Meter lang, sagt {p}; größer wird sie nicht.",
    "Где живёт {p}? В городе у реки, дом {n}.",
    "{p}说:河边有{n}条船,都是新的。",
    "def row_{n}(oars):\n    return [oar * {n} for oar in oars]\n",
]
HARD = [
    "", " ", "  ", "   x", "\n", " \n", "\n ", "a\n  ", "\r\n\r\n", "\t\tif x:\n\t\t\treturn\n", "a  b   c    ",
    "I'm you're he'll WE'VE it'S o'clock 'tis rock'n'roll 'sS", "it'\u017f IT'\u017f '\u017f \u017f", "''s '''ll 'r 've'",
    "1 12 123 1234 12345 3.14159 \u00bd \u0663\u0664\u0665\u0666 \u2167", "x=1;y+=2//3 /* a/b/c */ http://a.b/c?d=e#f\n/\n//\n",
    "HTTPServer iPhone McDonald ABCdef abcDEF \u01c5x \u01c8\u01cb \u02b0x A\u02b0B\u02b0c \u00aaA\u00aa",
    "e\u0301 \u0301 \u0301\u0301a A\u0308B \u0301A\u0301 \u0301AB \u20dd1\u20dd 9\u0303", "\u0301", "\u0301\u0301'S", "\u0301ABC'LL",
    "\u00a0x \u2003y\u2003\u2003z \u3000\u3000 \u1680 \u2028\u2029 \u0085 \u180e \u200b \ufeff",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f1ee\U0001f1e9 \u2764\ufe0f",
    "\u4e2d\u6587\u5b57123\u3002\u304b\u306a\u30ab\u30ca\ud55c\uad6d\uc5b4 \u0939\u093f\u0928\u094d\u0926\u0940 \u0639\u0631\u0628\u0649 \u05e2\u05d1",
    "\U0001e900\U0001e922\U00010400\U00010428 \U0001d400\U0001d7d8 \U000e0100 \U0010ffff \ufffd \u0378", "\x00\x01\x7f\x80\u009f",
    "a" * 300, "ab" * 200, " " * 100 + "x", "=" * 130, "\n" * 70, "\u00e9" * 150, "\u0301" * 90, "\u4e00" * 60, "9" * 50,
    "<|endoftext|>", "a<|endoftext|>b <|endoftext|><|endof", "oars oarsman Nordhaven boatwright beekeeper",
]
ATOMS = list(" \t\n\r'/.,-aeslStLM09\u00e4\u00c4\u0436\u4e2d\u0301\u02b0\u01c5\u00aa\u0663\u00bd\u00a0\u3000\u200b\u017f\U0001f600") + ["'s", "'LL", "  ", "the", " Oar"]


def own_text():
    rng = random.Random(1)
    lines = []
    for _ in range(160):
        p, q = rng.sample(PEOPLE, 2)
        line = rng.choice(LINES)
        lines.append(line.format(p=p, q=q, t=rng.choice(TRADES), l=rng.choice(PLACES), n=rng.randint(2, 400)))
    return "\n".join(lines) + "\n"


def byte_of_spelling():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(others)}


def splitter(pattern):
    if pattern == "gpt2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    split = pre_tokenizers.Split(Regex(PATTERNS[pattern]), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def write_json(name, value):
    with open(FOLDER / name, "w", encoding="ascii") as file:
        json.dump(value, file, indent=0, separators=(",", ":"))
        file.write("\n")


def main():
    text = own_text()
    (FOLDER / "tokenizer_text.txt").write_text(text, encoding="utf-8")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = splitter("gpt2")
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([text], trainer)
    tokenizer.save(str(FOLDER / "tokenizer_small.json"), pretty=False)

    rng = random.Random(2)
    texts = HARD + ["".join(rng.choice(ATOMS) for _ in range(rng.randint(1, 30))) for _ in range(70)]
    texts += [rng.randbytes(rng.randint(1, 40)).decode("utf-8", errors="replace") for _ in range(20)]
    byte_of = byte_of_spelling()
    ranks = {bytes(byte_of[c] for c in spelled): id for spelled, id in tokenizer.get_vocab().items() if id > 0}
    merges, by_rank = {}, {}
    for pattern, regex in PATTERNS.items():
        tokenizer.pre_tokenizer = splitter(pattern)
        found = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
        merges[pattern] = [" ".join(map(str, ids)) for ids in found]
        encoding = tiktoken.Encoding(
            "small", pat_str=regex, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 0})
        found = [" ".join(map(str, encoding.encode_ordinary(t))) for t in texts]
        by_rank[pattern] = {t: f for t, f, m in zip(texts, found, merges[pattern]) if f != m}
    write_json("tokenizer_ids.json", {"texts": texts, "merges": merges, "ranks": by_rank})


main()
