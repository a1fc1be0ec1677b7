"""Robust covariances beside the fit and statsmodels: 1e6 x 20 logit, 20,000 clusters; medians of several runs.

    python benchmarks/robust.py [--rows 1000000] [--columns 20] [--repeat 5]

statsmodels' "HC3" is HC0 for a GLM, whatever is asked for, and its covariance is chosen at the fit: its times
are those of a fit with it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def timed(work: Callable[[], Any], repeat: int) -> float:
    """Median seconds of the processor's clock on the wall."""
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--peer", action="store_true", help="statsmodels too")
    options = parser.parse_args()
    import glmnet_bridge as gb

    random = np.random.default_rng(1)
    X = random.standard_normal((options.rows, options.columns))
    eta = X @ random.normal(0, 0.6 / np.sqrt(options.columns), options.columns) - 0.7
    y = (random.random(options.rows) < 1 / (1 + np.exp(-eta))).astype(float)
    clusters = random.integers(0, max(options.rows // 50, 2), options.rows)
    fit = gb.fit(X, y)
    pairs = random.integers(0, options.rows // 2, options.rows)
    asked = {"HC0": "HC0", "HC3": "HC3", "cluster": {"cluster": clusters}, "many clusters": {"cluster": pairs}}
    for name, vcov in asked.items():
        # side by side, as another program may come and go
        runs = [
            (timed(lambda: gb.fit(X, y), 1), timed(lambda vcov=vcov: fit.cov_params(vcov), 1))
            for _ in range(options.repeat)
        ]
        unit, seconds = np.median(runs, axis=0)
        print(f"{name:<14}{seconds:.3f} s   fit {unit:.3f} s   {np.median([b / a for a, b in runs]):.2f} fits")
    if options.peer:
        import statsmodels.api as sm

        model = sm.GLM(y, np.column_stack([np.ones(options.rows), X]), family=sm.families.Binomial())
        print(f"statsmodels fit {timed(lambda: model.fit(), 1):.2f} s")
        for name, extra in (("HC3", {}), ("cluster", {"cov_kwds": {"groups": clusters}})):
            seconds = timed(lambda name=name, extra=extra: model.fit(cov_type=name, **extra), 1)
            print(f"statsmodels {name:<10}{seconds:.2f} s")


if __name__ == "__main__":
    main()
