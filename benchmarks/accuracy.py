"""What the speed costs: distance of the fast route from a plain Newton fit, in standard errors, and that of the SE.

python benchmarks/accuracy.py
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np
import workloads

import glmnet_bridge as gb
from glmnet_bridge.fitting import large

TAILS = {
    "t(3)": lambda random, size: random.standard_t(3, size),
    "lognormal": lambda random, size: random.lognormal(0.0, 1.2, size),
    "exponential": lambda random, size: random.exponential(size=size),
    "few large": lambda random, size: random.normal(size=size) * np.where(np.arange(size[0]) % 7919, 1, 100)[:, None],
}


def heavy(name: str, n: int) -> workloads.Workload:
    """Four columns in which few rows have much leverage."""
    random = np.random.default_rng([n, len(name)])
    X = TAILS[name](random, (n, 4))
    eta = np.clip((X - X.mean(0)) / X.std(0) @ random.normal(0, 0.4, 4), -5, 5)
    return workloads.Workload(f"{name} {n:.0e}", X=X, y=(random.random(n) < 1 / (1 + np.exp(-eta))).astype(float))


def works() -> Iterator[workloads.Workload]:
    yield from (workloads.make(name) for name in ("dense", "wide", "formula"))
    yield from (heavy(name, n) for n in (60_000, 200_000, 1_000_000) for name in TAILS)


def main() -> None:
    for work in works():

        def fit(work: workloads.Workload = work) -> object:
            return gb.glm(work.formula, work.frame) if work.formula else gb.fit(work.X, work.y)

        fast = fit()
        with mock.patch.object(large, "ROWS", 10**12):
            plain = fit()
        distance = np.abs((fast.params - plain.params) / plain.bse).max()
        error = np.abs(fast.bse / plain.bse - 1).max()
        print(
            f"  {work.name:<18} coefficients within {distance:.0e} SE, standard errors within {error:.0e} relative,"
            f" certificate {fast.distance_to_mle:.0e} SE"
        )


if __name__ == "__main__":
    main()
