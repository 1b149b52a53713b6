#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares ids with tiktoken and Hugging Face tokenizers: samples, hard strings, random Unicode.

    python oracle_test.py ENCODE_FRAMES TRAINED_TOKENIZER SAMPLES [CASES]

Exit code 77 (skipped) where the packages or the samples are missing.
"""
import base64
import bz2
import gzip
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

try:
    import tiktoken
    from tiktoken_ext import openai_public
    from tokenizers import Regex, Tokenizer, pre_tokenizers
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = CL100K.replace(r"\p{N}{1,3}", r"\p{N}")
U, L = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
LEAD, TAIL = r"[^\r\n\p{L}\p{N}]?", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = (
    f"{LEAD}{U}*{L}+{TAIL}|{LEAD}{U}+{L}*{TAIL}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Ours:
    """encode_frames as a child that answers one text at a time."""

    def __init__(self, program, *arguments):
        self.child = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        self.child.stdin.write(struct.pack("<I", len(data)) + data)
        self.child.stdin.flush()
        (count,) = struct.unpack("<I", self.child.stdout.read(4))
        return list(struct.unpack(f"<{count}I", self.child.stdout.read(4 * count)))


ATOMS = (
    list(" \t\n\r\v\f'/.,!-_<>|()0123456789aeimnstrlvdSTREVLMDABCXYZ")
    + ["'s", "'S", "'ll", "'LL", "'re", "'vE", "'d", "\u017f", "'\u017f", " '", "  ", "\r\n", "\n\n", " \n", "\n "]
    + list("äÄßéÉñЖжШшΩωאבجدकिी็ไ中文字仮名がカ한국ªºᵃᴬǅǈᾈ²½٣๓Ⅷ①\u0301\u0308\u20dd\u200d\u200b\ufe0f\u00a0\u0085")
    + list("\u1680\u2003\u2028\u2029\u202f\u205f\u3000\u180e\ufeff\u00ad😀🏳🇫🀄\U0001e900\U0001e922\U00010400\U00010428")
    + ["\U0001d400", "\U000e0100", "\U0010ffff", "\x00", "\x7f", "ʰ", "ٱ", "ﬀ", "ı", "İ", "K", "the", " The", "HTTP"]
)


def random_text(rng):
    kind = rng.random()
    if kind < 0.6:
        return "".join(rng.choice(ATOMS) for _ in range(rng.randint(0, 40)))
    if kind < 0.7:
        few = [rng.choice(ATOMS) for _ in range(rng.randint(1, 3))]
        return "".join(rng.choice(few) for _ in range(rng.randint(1, 400)))
    if kind < 0.85:
        top = rng.choice([0x80, 0x250, 0x3000, 0x20000, 0x110000])
        codes = (rng.randrange(top) for _ in range(rng.randint(1, 60)))
        return "".join(chr(c) for c in codes if not 0xD800 <= c < 0xE000)
    return rng.randbytes(rng.randint(1, 80)).decode("utf-8", errors="replace")


def sample_texts(samples):
    texts = [(samples / "text/spm-botchan.txt").read_text(encoding="utf-8")]
    with gzip.open(samples / "text/dolma-cc_en_head-0091.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts += [json.loads(line)["text"] for line in lines]
    texts.append((samples / "wiki/dumpster-dive-tinywiki-latest-pages-articles.xml").read_text(encoding="utf-8"))
    wiki = bz2.open(samples / "wiki/gensim-enwiki-latest-pages-articles1-shortened.xml.bz2", "rt", encoding="utf-8").read()
    texts += [wiki[i : i + 100_000] for i in range(0, len(wiki), 100_000)]
    texts += (samples / "tokenizers/gpt2.inp").read_text(encoding="utf-8").split("\n__ggml_vocab_test__\n")
    return texts


def every_code_point():
    """Each code point between letters, in blocks that also put neighbours together."""
    codes = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    for i in range(0, len(codes), 4096):
        block = codes[i : i + 4096]
        yield "".join(block)
        yield "".join(f"a{c}b {c}1" for c in block)


def compare(name, ours, theirs, texts):
    compared = 0
    for text in texts:
        expected, found = theirs(text), ours(text)
        compared += len(expected)
        if expected != found:
            at = next((i for i, (e, f) in enumerate(zip(expected, found)) if e != f), min(len(expected), len(found)))
            sys.exit(f"{name}: {text[:300]!r}\n expected {expected[at:at+10]}\n found    {found[at:at+10]} at id {at}")
    print(f"{name}: {compared} ids equal", flush=True)


def main():
    program, trained, samples = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    cases = int(sys.argv[4]) if len(sys.argv) > 4 else 20000
    if not samples.is_dir():
        print("skipped: no samples at", samples)
        sys.exit(77)
    rng = random.Random(7)
    texts = sample_texts(samples) + [random_text(rng) for _ in range(cases)]
    texts += ["a" * 65535, "a" * 65536, " " * 65537, "\u0301" * 5000, "é" * 40000 + "'s", "=" * 100_000]

    cl100k_file = samples / "tokenizers/cl100k_base.tiktoken.gz"
    ranks = {}
    for line in gzip.open(cl100k_file):
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    specials = {"<|endoftext|>": 100257, "<|fim_prefix|>": 100258}

    def tik(pattern):
        return tiktoken.Encoding("local", pat_str=pattern, mergeable_ranks=ranks, special_tokens=specials)

    published = openai_public.__file__ and pathlib.Path(openai_public.__file__).read_text()
    shipped = published.split("def cl100k_base")[1].split('"pat_str": r"""')[1].split('"""')[0]
    for name, pattern, regex in [
        ("cl100k as tiktoken ships it", "cl100k", shipped),
        ("cl100k", "cl100k", CL100K),
        ("qwen2 pattern", "qwen2", QWEN2),
        ("o200k pattern", "o200k", O200K),
        ("gpt2 pattern", "gpt2", openai_public.r50k_pat_str),
    ]:
        ours = Ours(program, str(cl100k_file), pattern)
        theirs = tik(regex).encode_ordinary
        compare(f"tiktoken, {name}", ours, theirs, texts)
        compare(f"tiktoken, {name}, every code point", ours, theirs, every_code_point())
    special_texts = ["<|endoftext|>", "a<|endoftext|> b<|fim_prefix|><|fim_pre", "  <|endoftext|>  x", "<|<|endoftext|>|>"]
    compare("tiktoken, specials", Ours(program, str(cl100k_file), "cl100k", "special"),
            lambda t: tik(CL100K).encode(t, allowed_special="all"), special_texts)
    compare("tiktoken, specials as text", Ours(program, str(cl100k_file)), tik(CL100K).encode_ordinary, special_texts)

    for name in [str(samples / "tokenizers/gpt2-tokenizer.json"), trained]:
        hf = Tokenizer.from_file(name)
        short = pathlib.Path(name).name
        compare(f"tokenizers, {short}", Ours(program, name, "-", "special"),
                lambda t: hf.encode(t, add_special_tokens=False).ids, texts + special_texts)
    # The other patterns through Hugging Face's splitter, on the trained vocabulary.
    for name, regex in [("cl100k", CL100K), ("qwen2", QWEN2), ("o200k", O200K)]:
        hf = Tokenizer.from_file(trained)
        hf.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(regex), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)])
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            hf.save(file.name)
            compare(f"tokenizers, {name} pattern", Ours(program, file.name, "-", "special"),
                    lambda t: hf.encode(t, add_special_tokens=False).ids, texts + special_texts)


main()
