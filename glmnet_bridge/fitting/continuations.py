"""Continuations: offsets and weights so different that Newton finds no way from its start, step by step.

    maximise  sum_i w_i^t l_i(x_i'theta + t offset_i)        t = 1/size, 2/size, 4/size, ..., 1

Offsets and weights have no say in whether there is a maximum, so each of these has one where the
last has. Where they dominate, eta and with it theta grow in proportion to t (a row of weight w
is outweighed at an eta of about log w): that is the next start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.fitting.irls import Path

Array = np.ndarray

GROWTH = 2.0  # of t from one fit to the next
LEAST = 1.05  # with steps this small there is no way


def spread(rows: Rows) -> float:
    """How large the offsets and the logarithms of the weights are: the larger of both."""
    counted = rows.weights > 0
    weights = np.log(rows.weights[counted])
    offsets = np.zeros(1) if rows.offset is None else rows.offset[counted]
    return float(max(np.ptp(weights), np.abs(offsets).max()))


def partial(rows: Rows, share: float) -> Rows:
    """The rows with a share of their offsets and of the logarithms of their weights."""
    weights = np.where(rows.weights > 0, rows.weights**share, 0.0)
    return replace(rows, weights=weights, offset=None if rows.offset is None else share * rows.offset)


def let_in(solve: Callable[[float, Array | None], Path | None], size: float) -> Path | None:
    """The path of the last fit, or None where a fit before it found no maximum.

    Parameters
    ----------
    solve : (t, start) -> the fit of `partial(rows, t)`, from the start (None: its own), or None
    size : `spread(rows)`
    """
    share, growth = min(1.0, 1.0 / size), GROWTH
    path = solve(share, None)
    if path is None or path.outcome != "converged":
        return None
    while share < 1.0:
        following = min(1.0, share * growth)
        trial = solve(following, path.end.theta * (following / share))
        if trial is not None and trial.outcome == "converged":
            path, share = trial, following
            continue
        growth = float(np.sqrt(following / share))
        if growth < LEAST:
            return None
    return path
