"""Profile limits of ten coefficients (1e5 x 10 logit, with an Intercept) beside the fit; medians of several runs.

python benchmarks/intervals.py [--rows 100000] [--columns 10] [--repeat 5]
"""

from __future__ import annotations

import argparse

import numpy as np
from robust import timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    import glmnet_bridge as gb

    random = np.random.default_rng(1)
    X = random.standard_normal((options.rows, options.columns))
    eta = X @ random.normal(0, 0.6 / np.sqrt(options.columns), options.columns) - 0.7
    y = (random.random(options.rows) < 1 / (1 + np.exp(-eta))).astype(float)
    fit = gb.fit(X, y)
    unit = timed(lambda: gb.fit(X, y), 3 * options.repeat)
    print(f"fit     {1e3 * unit:.1f} ms")
    for method in ("profile", "score"):
        seconds = timed(lambda method=method: fit.conf_int(method=method), options.repeat)
        print(f"{method:<8}{1e3 * seconds:.1f} ms   {seconds / unit:.1f} fits for {options.columns + 1} coefficients")


if __name__ == "__main__":
    main()
