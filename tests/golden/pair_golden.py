#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes pair.json: contexts and continuations as tokens, split by the reference harness's own code (TemplateLM's
loglikelihood and HFLM's tok_encode) over a tokenizer of Hugging Face, and cut as its HFLM cuts the model's input.

    pip install lm-eval==0.4.13 transformers tokenizers
    python tests/golden/pair_golden.py [--check] [TOKENIZER.json OUT.json]

`fallback`: the harness finds no token of the continuation and gives up. Ours then encodes the continuation by itself:
that, too, is written here.
"""
import json
import pathlib
import sys

try:
    from lm_eval.api.instance import Instance
    from lm_eval.api.model import TemplateLM
    from lm_eval.models.huggingface import HFLM
    from tokenizers import Tokenizer, processors
    from transformers import PreTrainedTokenizerFast
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

FOLDER = pathlib.Path(__file__).parent
BOS = "<|endoftext|>"
CONTEXTS = [
    "", "Answer:", "Which oar?\nA. the first\nB. the second\nAnswer:", "Answer: ", "Answer:   ", "Answer:\n", "Answer:\n\n",
    "Answer:\t", "Answer:\u00a0", "Answer:\u3000 ", "x\n\n\nAnswer", "the boat", "the boatwr", "a\r\nb\n'tis\nAnswer:",
    "Nordhaven's mill\n  indented\nAnswer:", "Straße größer\nЖивёт\nAnswer:", "1234\n5678\nA1:", "\nAnswer:", "a\n\n", "naïve e\u0301",
    "说:河边\n有", "no line " * 30 + "\nAnswer:", "\U0001f600\nAnswer:",
]
CONTINUATIONS = [" A", " B", "A", " the old harbour by the river", "'s", "ight", "\u0301", " größer", " 12", "\n", "\U0001f600", "说"]


class Harness(TemplateLM):
    """The harness's splitting, its end replaced: requests are kept instead of scored."""

    backend = "causal"
    tokenizer_name = "golden"
    prefix_token_id = property(lambda self: self.tokenizer.bos_token_id or self.tokenizer.eos_token_id)
    eot_token_id = property(lambda self: self.tokenizer.eos_token_id)
    tok_encode = HFLM.tok_encode

    def __init__(self, tokenizer):
        super().__init__()
        self.tokenizer = tokenizer
        self.add_bos_token = None

    def _loglikelihood_tokens(self, requests, **_):
        return [(context, continuation) for _, context, continuation in requests]

    def loglikelihood_rolling(self, requests, **_):
        raise NotImplementedError

    def generate_until(self, requests, **_):
        raise NotImplementedError


def cases_of(path, with_bos):
    tokenizer = Tokenizer.from_file(str(path))
    bos = tokenizer.token_to_id(BOS)
    if with_bos:
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, bos)])
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=BOS, eos_token=BOS)
    harness = Harness(wrapped)
    contexts = CONTEXTS + ([BOS + "Answer:", BOS + "a\nAnswer: "] if with_bos else [])
    for context in contexts:
        for continuation in CONTINUATIONS:
            request = Instance("loglikelihood", {}, (context, continuation), 0)
            [(before, after)] = harness.loglikelihood([request], disable_tqdm=True)
            fallback = not after
            if fallback:
                blanks = context[len(context.rstrip()):]
                after = wrapped.encode(blanks + continuation, add_special_tokens=False)
            whole = before + after
            for limit in (1000, 9, len(after)):
                if len(after) > limit:
                    continue
                # As HFLM._loglikelihood_tokens: the input is all of this but the last token.
                kept = whole[-(limit + 1):]
                yield [context, continuation, limit, " ".join(map(str, kept)), len(after), len(kept) < len(whole),
                       fallback]


def main():
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    path, out = arguments if arguments else (FOLDER / "tokenizer_small.json", FOLDER / "pair.json")
    golden = {"tokenizer": pathlib.Path(path).name, "bos": Tokenizer.from_file(str(path)).token_to_id(BOS)}
    golden |= {key: list(cases_of(path, key == "with_bos")) for key in ("without_bos", "with_bos")}
    text = json.dumps(golden, ensure_ascii=False, separators=(",", ":")).replace("],[", "],\n[") + "\n"
    if "--check" in sys.argv:
        assert pathlib.Path(out).read_text(encoding="utf-8") == text, f"{out} is not what the harness gives"
    else:
        pathlib.Path(out).write_text(text, encoding="utf-8")
    print(sum(len(golden[k]) for k in ("without_bos", "with_bos")), "pairs,",
          sum(c[6] for k in ("without_bos", "with_bos") for c in golden[k]), "of them spanned by a token")


if __name__ == "__main__":
    main()
