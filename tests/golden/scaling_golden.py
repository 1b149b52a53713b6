#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes scaling.json: a table of runs, and what SciPy's and NumPy's optimisers make of it: approach 3 and Kaplan's L(N,D)
(sum of Huber losses of log loss, minimised by BFGS from many starts, then by Nelder and Mead's simplex), the parabolas and
line of approach 2 (polyfit), the data-constrained law (bounded search), and the logistic curve of accuracy (least squares).

    pip install scipy numpy
    python tests/golden/scaling_golden.py [--check]
"""
import itertools
import json
import pathlib
import sys

try:
    import numpy as np
    from scipy import optimize, special
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

OUT = pathlib.Path(__file__).parent / "scaling.json"
E, A, B, ALPHA, BETA = 1.75, 350.0, 900.0, 0.33, 0.31
R_D, R_N = 12.0, 6.0


def base_loss(n, d):
    return E + A * n**-ALPHA + B * d**-BETA


def wanted(unique):
    g = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA))
    return g * (unique * g) ** (BETA / ALPHA)


def saturated(x, base, r):
    return base * (1 + r * (1 - np.exp(-(x / base - 1) / r)))


def table():
    random = np.random.default_rng(11)
    rows = []
    for budget, n in itertools.product([1e17, 4e17, 1.6e18, 6.4e18], np.geomspace(1e7, 1e9, 7).round()):
        d = budget / (6 * n)
        loss = base_loss(n, d) * np.exp(0.004 * random.standard_normal())
        task = 0.5 * (loss - 1.2)
        accuracy = 0.25 + 0.6 / (1 + np.exp((task - 1.15) / 0.1)) + 0.005 * random.standard_normal()
        rows.append([n, d, loss, d, task, accuracy])
    for epochs, n in itertools.product([2, 5, 20, 80], [3e7, 1e8, 1e9]):
        unique = 5e8
        loss = base_loss(saturated(n, min(n, wanted(unique)), R_N), saturated(epochs * unique, unique, R_D))
        rows.append([n, epochs * unique, loss * np.exp(0.002 * random.standard_normal()), unique, None, None])
    return rows


def huber(r):
    r = np.abs(r)
    return np.where(r <= 1e-3, 0.5 * r * r, 1e-3 * (r - 5e-4)).sum()


def least(objective, starts):
    ends = [optimize.minimize(objective, s, method="BFGS", options={"gtol": 1e-10}) for s in starts]
    best = min(ends, key=lambda e: e.fun)
    for _ in range(20):
        best = optimize.minimize(objective, best.x, method="Nelder-Mead",
                                 options={"xatol": 1e-12, "fatol": 1e-16, "maxiter": 20000, "maxfev": 20000})
    return best.x, best.fun


def approach_3(n, d, loss):
    ln, ld, ll = np.log(n), np.log(d), np.log(loss)
    mn, md = ln.mean(), ld.mean()

    def objective(x):
        a, b, e, alpha, beta = x
        terms = [a - alpha * (ln - mn), b - beta * (ld - md), np.full_like(ln, e)]
        return 1e3 * huber(special.logsumexp(terms, axis=0) - ll)

    starts = itertools.product([-1.0, 0.0], [-1.0, 0.0], [0.0, 0.6], [0.2, 0.5], [0.2, 0.5])
    (a, b, e, alpha, beta), value = least(objective, starts)
    return {"E": np.exp(e), "A": np.exp(a + alpha * mn), "B": np.exp(b + beta * md), "alpha": alpha, "beta": beta,
            "objective": value / 1e3}


def kaplan(n, d, loss):
    ln, ld, ll = np.log(n), np.log(d), np.log(loss)
    mn, md = ln.mean(), ld.mean()

    def objective(x):
        nc, dc, an, ad = x[0], x[1], np.exp(x[2]), np.exp(x[3])
        return 1e3 * huber(ad * special.logsumexp([an / ad * (nc - ln), dc - ld], axis=0) - ll)

    starts = [[mn + c, md + c, np.log(s), np.log(s)] for c in (8, 12, 20) for s in (0.05, 0.1, 0.2)]
    (nc, dc, an, ad), value = least(objective, starts)
    return {"n_c": np.exp(nc), "d_c": np.exp(dc), "alpha_n": np.exp(an), "alpha_d": np.exp(ad), "objective": value / 1e3}


def approach_2(n, d, loss):
    budgets, minima = [1e17, 4e17, 1.6e18, 6.4e18], []
    for budget in budgets:
        own = np.abs(np.log(6 * n * d / budget)) < 0.05
        c2, c1, _ = np.polyfit(np.log10(n[own]), loss[own], 2)
        minima.append(-c1 / (2 * c2))
    a, _ = np.polyfit(np.log10(budgets), minima, 1)
    return {"minima": [10**m for m in minima], "a": a}


def repetition(rows, law):
    n, d, loss, unique = (np.array([r[i] for r in rows], dtype=float) for i in range(4))
    g = (law["alpha"] * law["A"] / (law["beta"] * law["B"])) ** (1 / (law["alpha"] + law["beta"]))
    enough = np.minimum(n, g * (unique * g) ** (law["beta"] / law["alpha"]))

    def objective(x):
        tokens = saturated(d, unique, np.exp(x[0]))
        parameters = np.where(n <= enough, n, saturated(n, enough, np.exp(x[1])))
        return 1e3 * huber(np.log(law["E"] + law["A"] * parameters ** -law["alpha"] + law["B"] * tokens ** -law["beta"])
                           - np.log(loss))

    (r_d, r_n), value = least(objective, itertools.product([1.0, 2.0, 3.0], [1.0, 2.0]))
    return {"r_d": np.exp(r_d), "r_n": np.exp(r_n), "objective": value / 1e3}


def accuracy(rows):
    x, y = (np.array([r[i] for r in rows], dtype=float) for i in (4, 5))
    curve = lambda x, floor, ceiling, middle, width: floor + (ceiling - floor) / (1 + np.exp((x - middle) / width))
    (floor, ceiling, middle, width), _ = optimize.curve_fit(curve, x, y, [0.2, 0.9, 1.1, 0.1], ftol=1e-15, xtol=1e-15,
                                                            gtol=1e-15, maxfev=100000)
    return {"floor": floor, "ceiling": ceiling, "middle": middle, "width": width}


def main():
    rows = table()
    fresh = [r for r in rows if r[4] is not None]
    n, d, loss = (np.array([r[i] for r in fresh], dtype=float) for i in range(3))
    law = approach_3(n, d, loss)
    golden = {"rows": rows, "columns": ["parameters", "tokens", "loss", "unique_tokens", "task_loss", "accuracy"],
              "approach_2": approach_2(n, d, loss), "approach_3": law, "kaplan": kaplan(n, d, loss),
              "data_constrained": repetition([r for r in rows if r[4] is None], law), "accuracy": accuracy(fresh)}
    text = json.dumps(golden, indent=1, default=float).replace(",\n   ", ", ").replace("[\n   ", "[").replace("\n  ]", "]") + "\n"
    if "--check" in sys.argv:
        old = json.loads(OUT.read_text(encoding="utf-8"))
        for part in ("approach_3", "kaplan", "data_constrained"):
            assert abs(old[part]["objective"] / golden[part]["objective"] - 1) < 1e-6, part
        assert np.allclose(old["rows"][0][:4], rows[0][:4]), "another table"
    else:
        OUT.write_text(text, encoding="utf-8")
    print(json.dumps({k: v for k, v in golden.items() if k != "rows"}, default=float))


if __name__ == "__main__":
    main()
