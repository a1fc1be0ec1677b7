"""Where the subsample of the one-Hessian route misleads: its time against plain Newton, at most 1.3.

python benchmarks/safeguards.py --rows 400000
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Iterator
from unittest import mock

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import glmnet_bridge as gb
from glmnet_bridge.fitting import large


def cases(n: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, X, y."""
    random = np.random.default_rng(1)
    X = random.standard_normal((n, 12))
    y = (random.random(n) < 1 / (1 + np.exp(0.7 - X @ random.normal(0, 0.3, 12)))).astype(float)
    yield "random order", X, y
    order = np.argsort(y, kind="stable")
    yield "sorted by response", X[order], y[order]
    order = np.argsort(X[:, 0])
    yield "sorted by a column", X[order], y[order]
    rare = X.copy()
    rare[:, 3] = 0.0
    rare[random.choice(n, 60, replace=False), 3] = 1.0
    yield "rare level", rare, y
    block = X.copy()
    block[:, 4] = 0.0
    block[100:400, 4] = 1.0
    yield "level in one run of rows", block, y
    wild = X.copy()
    wild[:, 5] = random.standard_t(1.5, n)
    yield "heavy tails", wild, y
    period = X.copy()
    period[:, 6] = np.sin(np.arange(n) * 2 * np.pi / (n / (n // 10 // 512)))
    yield "period of the runs", period, y
    gone = X.copy()
    gone[:, 7] = (y == 1) & (random.random(n) < 0.001)
    yield "separated", gone, y
    shifted = (np.arange(n) > n / 2) * 6.0
    yield "drift", X + shifted[:, None] * np.eye(12)[8], y


def seconds(X: np.ndarray, y: np.ndarray, repeat: int, plain: bool) -> float:
    times = []
    for _ in range(repeat):
        with warnings.catch_warnings(), mock.patch.object(large, "ROWS", 10**12 if plain else large.ROWS):
            warnings.simplefilter("ignore")
            began = time.process_time()
            gb.fit(X, y)
            times.append(time.process_time() - began)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    for name, X, y in cases(options.rows):
        one = seconds(X, y, options.repeat, plain=False)
        plain = seconds(X, y, options.repeat, plain=True)
        print(f"  {name:<26}{1e3 * one:9.0f} ms   plain Newton{1e3 * plain:9.0f} ms   ratio{one / plain:6.2f}")


if __name__ == "__main__":
    main()
