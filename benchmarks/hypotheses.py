"""Tests of terms: drop1, anova, score test of a logit with 10 terms, in fits, beside statsmodels term by term.

python benchmarks/hypotheses.py --rows 100000
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import statsmodels.api as sm

import glmnet_bridge as gb

TERMS = 10


def data(n: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    frame = pd.DataFrame({f"x{j}": random.standard_normal(n) for j in range(TERMS + 1)})
    eta = frame.to_numpy() @ random.normal(0, 0.3, TERMS + 1) - 1.0
    return frame.assign(y=(random.random(n) < 1 / (1 + np.exp(-eta))).astype(int))


def best(f: Callable[[], Any], repeat: int) -> float:
    """Least processor time of several runs."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        f()
        times.append(time.process_time() - start)
    return min(times)


def refitted(X: np.ndarray, y: np.ndarray) -> list[float]:
    """The deviance without each column, by statsmodels."""
    kept = [np.delete(X, j, axis=1) for j in range(1, X.shape[1])]
    return [sm.GLM(y, each, family=sm.families.Binomial()).fit().deviance for each in kept]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    frame = data(given.rows)
    names = [f"x{j}" for j in range(TERMS)]
    formula = f"y ~ {' + '.join(names)}"
    fit = gb.glm(formula, frame)
    one = best(lambda: gb.glm(formula, frame), given.repeat)
    print(f"one fit of {given.rows} rows and {TERMS} terms: {one:.3f} s")
    calls = {
        "drop1, Chisq": lambda: gb.drop1(fit),
        "drop1, Rao": lambda: gb.drop1(fit, test="Rao"),
        "anova, type I": lambda: gb.anova(fit),
        "anova, type III Wald": lambda: gb.anova(fit, kind=3),
        "score test of one column": lambda: gb.score_test(fit, f"x{TERMS}"),
    }
    for name, call in calls.items():
        seconds = best(call, given.repeat)
        print(f"{name:26} {seconds:.3f} s, {seconds / one:5.1f} fits")
    X = np.column_stack([np.ones(given.rows), frame[names].to_numpy()])
    theirs = best(lambda: refitted(X, frame["y"].to_numpy()), 1)
    ours = gb.drop1(fit)["deviance"].to_numpy()[1:]
    assert np.allclose(ours, refitted(X, frame["y"].to_numpy()), rtol=1e-8)
    print(f"{'statsmodels, refitted':26} {theirs:.3f} s, {theirs / one:5.1f} fits")


if __name__ == "__main__":
    main()
