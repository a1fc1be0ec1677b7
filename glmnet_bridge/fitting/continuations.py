"""Continuations: offsets so large that Newton finds no way from its start are let in step by step.

    maximise  l(X theta + t offset)      t = 1/|offset|, 2/|offset|, ..., 1

Offsets have no say in whether there is a maximum, so each of these has one where the last has.
Where they dominate, eta and with it theta grow in proportion to t: that is the next start.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from glmnet_bridge.fitting.irls import Path

Array = np.ndarray

GROWTH = 2.0  # of t from one fit to the next
LEAST = 1.05  # with steps this small there is no way


def let_in(solve: Callable[[float, Array | None], Path], size: float) -> Path | None:
    """The path of the last fit, or None where a fit before it found no maximum.

    Parameters
    ----------
    solve : (t, start) -> the fit with t times the offset, from the start (None: its own)
    size : of the offsets
    """
    share, growth = min(1.0, 1.0 / size), GROWTH
    path = solve(share, None)
    if path.outcome != "converged":
        return None
    while share < 1.0:
        following = min(1.0, share * growth)
        trial = solve(following, path.end.theta * (following / share))
        if trial.outcome == "converged":
            path, share = trial, following
            continue
        growth = float(np.sqrt(following / share))
        if growth < LEAST:
            return None
    return path
