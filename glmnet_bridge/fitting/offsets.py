"""Offsets: a large one that all rows share is the intercept's, and taken out before the fit.

    eta = (b0 + level) + x'b + (offset - level)

Beside an offset of 1e10 a linear predictor has no more than six decimals, and the slopes are found
from these. The level is a whole number, so that nothing is lost where it is subtracted; where it is
given back, the intercept is rounded to the digits that a number of its size has, and only that one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.model.models import Model

Array = np.ndarray

LARGE = 1e4  # offsets below this cost a linear predictor less than 1e-12
ROUNDED = 1e-6  # standard errors; an intercept rounded more coarsely is not the maximum


def common_level(model: Model, rows: Rows) -> float | None:
    """What the offsets have in common; None where it is small, or no free intercept can take it.

    A model with offsets has a single output.
    """
    if rows.offset is None or "Intercept" not in model.columns:
        return None
    penalty = model.decay
    total = float(rows.weights.sum())
    if (penalty is not None and penalty[model.columns.index("Intercept")] > 0) or not 0 < total < np.inf:
        return None
    level = float(np.round(rows.weights @ rows.offset[:, 0] / total))
    return level if LARGE < abs(level) < np.inf else None


def without(rows: Rows, level: float) -> Rows:
    """The rows with the level taken out of their offsets."""
    assert rows.offset is not None
    return replace(rows, offset=rows.offset - level)


def raised(theta: Array, at: int, level: float) -> Array:
    """Coefficients for the rows without the level, whose intercept stands at `at`."""
    theta = theta.copy()
    theta[at] += level
    return theta
