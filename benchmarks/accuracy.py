"""What the speed costs: distance of the fast route from a plain Newton fit, in standard errors, and that of the SE.

python benchmarks/accuracy.py
"""

from __future__ import annotations

import os
import sys
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np
import workloads

import glmnet_bridge as gb
from glmnet_bridge.fitting import large


def main() -> None:
    for name in ("dense", "wide", "formula"):
        work = workloads.make(name)

        def fit(work: workloads.Workload = work) -> object:
            return gb.glm(work.formula, work.frame) if work.formula else gb.fit(work.X, work.y)

        fast = fit()
        with mock.patch.object(large, "ROWS", 10**12):
            plain = fit()
        distance = np.abs((fast.params - plain.params) / plain.bse).max()
        error = np.abs(fast.bse / plain.bse - 1).max()
        print(
            f"  {name:<8} coefficients within {distance:.0e} SE, standard errors within {error:.0e} relative,"
            f" certificate {fast.distance_to_mle:.0e} SE"
        )


if __name__ == "__main__":
    main()
