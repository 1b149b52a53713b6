#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the golden exam: odd questions of our own as CSV (by Python's csv), the prompts as Jinja renders the reference
harness's MMLU template, and the standard errors by the textbook formulas in Python.

    python3 tests/golden/exam_golden.py            needs jinja2
"""
import csv
import json
import math
import pathlib
import statistics

import jinja2

HERE = pathlib.Path(__file__).parent
SUBJECTS = {
    "harbour_trades": {
        "dev": [
            ("  Who mends nets?  ", "a netmaker", " a cook", "the \"old\" pilot", "no one", "A"),
            ("Which rope, if any,\nholds?", "the thin one", "the thick one", "both", "neither", "B"),
        ],
        "test": [
            ("What is 2, 3 and 4?\u00a0", "9", "None", "10", "nan", "A"),
            ("\tIs it naïve \u2003", "ja, \"ja\"", "nein", "{{ braces }}", "", "D"),
            ("Second line\nof a question", "a", "b", "c", "d", "C"),
        ],
    },
    "tides": {
        "dev": [("When is high water?", "noon", "dusk", "dawn", "night", "C")] * 2,
        "test": [("When is low water?", "noon", "dusk", "dawn", "night", "B")],
    },
}
TEXT = ("{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:")


def main():
    env = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    text = env.from_string(TEXT)
    prompts = []
    for subject, splits in SUBJECTS.items():
        for split, rows in splits.items():
            path = HERE / "exam" / split / f"{subject}_{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "w", newline="", encoding="utf-8") as out:
                csv.writer(out).writerows(rows)
        for shots in (0, 2):
            head = f"The following are multiple choice questions (with answers) about {subject.replace('_', ' ')}.\n\n"
            for row in splits["dev"][:shots]:
                head += text.render(question=row[0], choices=row[1:5]) + " " + row[5] + "\n\n"
            for index, row in enumerate(splits["test"]):
                prompts.append({"subject": subject, "shots": shots, "index": index,
                                "prompt": head + text.render(question=row[0], choices=row[1:5])})
    right = {"a": [1, 0, 1, 1, 0], "b": [0, 0, 1], "c": [1] * 7 + [0] * 2}
    scores = {}
    for name, values in right.items():
        scores[name] = [statistics.mean(values), statistics.stdev(values) / math.sqrt(len(values))]
    n = sum(map(len, right.values()))
    pooled = math.sqrt(sum(statistics.variance(v) * (len(v) - 1) for v in right.values()) / (n - len(right)) / n)
    golden = {
        "prompts": prompts,
        "right": right,
        "scores": scores,
        "micro": [sum(map(sum, right.values())) / n, pooled],
        "macro": [statistics.mean(s[0] for s in scores.values()),
                  math.sqrt(sum(s[1] ** 2 for s in scores.values())) / len(scores)],
    }
    (HERE / "exam" / "golden.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
