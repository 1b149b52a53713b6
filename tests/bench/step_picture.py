#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws where the time of training steps goes, from what `trireme bench ops --json` printed: a bar a file.

usage: step_picture.py OPS.json [OPS.json ...] > picture.svg
       step_picture.py --table OPS.json [OPS.json ...]          the same as a table in Markdown
"""
import json
import sys

# In the order of the bars: name, colour, the operations in it.
GROUPS = [
    ("matrix products", "#3b6ea8", ("linear", "linear_backward_input", "linear_backward_weight")),
    ("attention", "#6aa84f", ("attention", "attention_backward")),
    ("head and loss", "#8e7cc3", ("cross_entropy", "softmax_part", "token_score", "sum")),
    ("norms", "#e0a030", ("layer_norm", "layer_norm_backward", "rms_norm", "rms_norm_backward")),
    ("activations, rotation, embedding", "#cc6666", ("gelu", "gelu_backward", "swiglu", "swiglu_backward", "rope",
                                                     "embedding", "embedding_backward", "add", "cast")),
    ("optimizer", "#76a5af", ("adamw", "squared_norm", "gradient_scale")),
]
# What is no operation: the tensor axis' collectives; what is waited for before the update, and before all others.
TENSOR = ("tensor axis", "#a64d79")
REDUCTIONS = ("waiting for reductions", "#444444")
IDLE = ("waiting for gathers, all else", "#bbbbbb")


def group_of(operation, most_columns):
    """The head's products are those whose matrix is as wide as the widest of the step: the vocabulary."""
    name = operation["operation"]
    if name.startswith("linear") and str(most_columns) in operation["shape"].replace(",", " ").replace("]", " ").split():
        return "head and loss"
    for group, _, operations in GROUPS:
        if name in operations:
            return group
    sys.exit(f"step_picture.py: an operation that belongs to no group: {name}")


def measured(path):
    """Seconds by group, and the label of a bar."""
    step = json.load(open(path))
    losses = [o for o in step["operations"] if o["operation"] == "cross_entropy"]
    columns = int(losses[0]["shape"].strip("[]").split(",")[1])
    seconds = {group: 0.0 for group, _, _ in GROUPS}
    ideal = dict(seconds)
    for operation in step["operations"]:
        group = group_of(operation, columns)
        seconds[group] += operation["seconds_of_step"]
        ideal[group] += operation["seconds_of_step"] * operation["fraction_of_roofline"]
    seconds[TENSOR[0]] = step.get("tensor_axis_seconds", 0.0)
    seconds[REDUCTIONS[0]] = sum(o.get("waited_of_step", 0.0) for o in step["operations"]
                                 if o["operation"] in ("squared_norm", "gradient_scale"))
    seconds[IDLE[0]] = max(0.0, step["step_seconds"] - sum(seconds.values()))
    ideal.update({TENSOR[0]: 0.0, REDUCTIONS[0]: 0.0, IDLE[0]: 0.0})
    label = f"{step['preset']}, {step['batch']} x {step['sequence']}"
    mesh = {axis: n for axis, n in step.get("mesh", {}).items() if n > 1}
    if mesh:
        label += ", " + " x ".join(f"{axis} {n}" for axis, n in mesh.items())
        label += f", ZeRO {step['zero']}" if "shard" in mesh else ""
    return label, step["step_seconds"], seconds, ideal


def picture(steps):
    width, left, bar, gap, top = 1180, 300, 34, 22, 20
    scale = (width - left - 110) / 1.0
    colours = {**{g: c for g, c, _ in GROUPS}, **dict([TENSOR, REDUCTIONS, IDLE])}
    height = top + len(steps) * (bar + gap) + 50
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
           'font-family="sans-serif" font-size="12">', f'<rect width="{width}" height="{height}" fill="white"/>']
    for i, (label, total, seconds, _) in enumerate(steps):
        y, x = top + i * (bar + gap), float(left)
        out.append(f'<text x="{left - 8}" y="{y + bar / 2 + 4:.0f}" text-anchor="end">{label}</text>')
        whole = max(total, sum(seconds.values()))
        for group, value in seconds.items():
            w = value / whole * scale
            out.append(f'<rect x="{x:.1f}" y="{y}" width="{w:.1f}" height="{bar}" fill="{colours[group]}"/>')
            if w > 34:
                out.append(f'<text x="{x + w / 2:.1f}" y="{y + bar / 2 + 4:.0f}" fill="white" text-anchor="middle">'
                           f'{value * 1e3:.1f}</text>')
            x += w
        out.append(f'<text x="{x + 8:.1f}" y="{y + bar / 2 + 4:.0f}">{total * 1e3:.1f} ms</text>')
    x, y = 12, height - 20
    for group, colour in colours.items():
        out.append(f'<rect x="{x}" y="{y - 10}" width="11" height="11" fill="{colour}"/>')
        out.append(f'<text x="{x + 15}" y="{y}" font-size="11">{group}</text>')
        x += 34 + int(6.0 * len(group))
    return "\n".join(out + ["</svg>"])


def table(steps):
    groups = list(steps[0][2])
    lines = ["| ms (share of the roofline) | " + " | ".join(groups) + " | step |", "|---" * (len(groups) + 2) + "|"]
    for label, total, seconds, ideal in steps:
        cells = [f"{seconds[g] * 1e3:.1f} ({100 * ideal[g] / seconds[g]:.0f} %)" if ideal[g] else
                 f"{seconds[g] * 1e3:.1f}" for g in groups]
        lines.append(f"| {label} | " + " | ".join(cells) + f" | {total * 1e3:.1f} |")
    return "\n".join(lines)


def main():
    words = sys.argv[1:]
    if not words or words[0] in ("--help", "-h"):
        sys.exit(__doc__)
    draw = picture
    if words[0] == "--table":
        draw, words = table, words[1:]
    print(draw([measured(path) for path in words]))


main()
