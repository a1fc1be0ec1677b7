"""Diagnostics of 1e6 x 20 in fits, in processor time: the goal is at most 5 for influence with all its columns.

python benchmarks/diagnostics.py --repeat 5
python benchmarks/diagnostics.py --rows 100000 --peers statsmodels

A step is timed beside a fit of the same data in the same round; the table has medians over rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import glmnet_bridge as gb


def seconds(step: Callable[[], Any]) -> float:
    began = time.process_time()
    step()
    return time.process_time() - began


def theirs(X: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    """statsmodels' influence: leverage, Cook's distance and one-step changes."""
    import statsmodels.api as sm

    found = sm.GLM(y, sm.add_constant(X), family=sm.families.Binomial()).fit()

    def ask() -> None:
        influence = found.get_influence()
        _ = influence.hat_matrix_diag, influence.cooks_distance, influence.d_params, influence.resid_studentized

    return ask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--peers", nargs="*", default=[], choices=["statsmodels"])
    options = parser.parse_args()
    random = np.random.default_rng(0)
    X = random.normal(size=(options.rows, options.columns))
    y = (random.random(options.rows) < 1 / (1 + np.exp(-0.2 * X[:, :5].sum(axis=1)))).astype(float)
    fit = gb.fit(X, y)
    steps: dict[str, Callable[[], Any]] = {
        "fit": lambda: gb.fit(X, y),
        "influence": fit.influence,
        "influence, no changes": lambda: fit.influence(dfbeta=False),
        "quantile residuals": lambda: fit.residuals("quantile", random_state=0),
        "auc": fit.auc,
        "hosmer_lemeshow": fit.hosmer_lemeshow,
        "link_test": fit.link_test,
        "vif": fit.vif,
        "check": fit.check,
    }
    if "statsmodels" in options.peers:
        steps["statsmodels influence"] = theirs(X, y)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.repeat):
        for name, step in steps.items():
            times[name].append(seconds(step))
    base = statistics.median(times["fit"])
    for name, measured in times.items():
        middle = statistics.median(measured)
        print(f"  {name:<24}{middle:8.3f} s {middle / base:8.2f} fits")


if __name__ == "__main__":
    main()
