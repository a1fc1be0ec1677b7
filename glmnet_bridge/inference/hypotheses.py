"""Hypotheses about coefficients: Wald statistics, tails, and what many tests at once cost.

    Wald      (L b - r)' (L V L')^-1 (L b - r),   chi-squared with rank(L) degrees of freedom

Over its degrees of freedom it is F where the dispersion is estimated. A combination `l b` is estimable if it is
the same whichever of several aliased columns is left out: `l[dropped] = E l[kept]` with the alias equations E.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
import scipy.linalg

from glmnet_bridge.errors import ArgumentError, nearest
from glmnet_bridge.fitting import linalg
from glmnet_bridge.fitting.linalg import Rank

Array = np.ndarray

ADJUSTMENTS = ("none", "bonferroni", "holm", "tukey")


def tail(statistic: Array | float, df: Array | float, residual_df: float | None) -> Array:
    """p-values: chi-squared, or F with `residual_df`; nan without degrees of freedom."""
    value, degrees = np.broadcast_arrays(np.asarray(statistic, dtype=float), np.asarray(df, dtype=float))
    tested = (degrees > 0) & (value >= 0)
    one = np.where(degrees > 0, degrees, 1.0)
    found = scipy.special.chdtrc(one, value) if residual_df is None else scipy.special.fdtrc(one, residual_df, value)
    return np.where(tested, found, np.nan)


def wald(difference: Array, covariance: Array) -> float:
    """The quadratic form of `L b - r` `(q,)` in the inverse of `L V L'` `(q, q)`; nan where that has none."""
    used = linalg.factor(covariance) if np.isfinite(covariance).all() else None
    return np.nan if used is None else float(difference @ used.solve(difference))


def dependent(matrix: Array) -> Array:
    """Positions of the rows `(q, p)` that are combinations of earlier ones."""
    return linalg.rank(np.asarray(matrix.T)).dropped


def estimable(matrix: Array, rank: Rank | None, outputs: int = 1) -> Array:
    """Whether each row `(q,)` of combinations `(q, p * outputs)` is one that the data speak of."""
    found = np.ones(len(matrix), dtype=bool)
    if rank is None:
        return found
    equations = _equations(rank)
    for part in np.split(matrix, outputs, axis=1):
        expected = part[:, rank.kept] @ equations.T
        size = np.abs(part[:, rank.kept]) @ np.abs(equations.T) + np.abs(part[:, rank.dropped])
        found &= (np.abs(part[:, rank.dropped] - expected) <= 1e-7 * size).all(axis=1)
    return found


def _equations(rank: Rank) -> Array:
    """The alias equations, without coefficients at the level of rounding, as where they are written in words."""
    size = np.abs(rank.equations).max(axis=1, initial=0.0, keepdims=True)
    return np.where(np.abs(rank.equations) <= 1e-9 * size, 0.0, rank.equations)


def estimable_within(places: Array, width: int, rank: Rank | None, outputs: int = 1) -> Array:
    """All combinations `(q, width)` of the coefficients at `places` alone that are estimable.

    Without aliased columns these are the coefficients themselves; else as many as the rank that the columns add.
    """
    if rank is None:
        return np.eye(width)[places]
    columns = width // outputs
    equations = np.zeros((len(rank.dropped), columns))
    equations[:, rank.kept] = _equations(rank)
    equations[np.arange(len(rank.dropped)), rank.dropped] = -1.0
    bound = np.kron(np.eye(outputs), equations)[:, places]
    bound = bound[bound.any(axis=1)]
    left = scipy.linalg.null_space(bound / np.abs(bound).max(axis=1, keepdims=True), rcond=1e-7)
    found = np.zeros((left.shape[1], width))
    found[:, places] = left.T
    return found


@dataclass(frozen=True, slots=True)
class Family:
    """How many tests are made together, and how errors are shared among them.

    Attributes
    ----------
    adjust : one of `ADJUSTMENTS`
    levels : of the factor whose levels are compared in pairs; None for other contrasts
    residual_df : degrees of freedom of t, or None for normal
    """

    adjust: str
    levels: int | None
    residual_df: float | None

    def __post_init__(self) -> None:
        if self.adjust not in ADJUSTMENTS:
            hint = nearest(self.adjust, ADJUSTMENTS)
            raise ArgumentError(f"adjust={self.adjust!r} is unknown; it is one of {', '.join(ADJUSTMENTS)}.{hint}")
        if self.adjust == "tukey" and self.levels is None:
            raise ArgumentError(
                "adjust='tukey' is for all pairs of the levels of one factor, as `pairwise` compares them. "
                "For other contrasts use 'holm' or 'bonferroni'."
            )

    def p_values(self, statistic: Array, p: Array) -> Array:
        """Adjusted p-values, as R's `p.adjust`; tests without one (nan) are not counted."""
        if self.adjust == "tukey":
            found = _range().sf(np.abs(statistic) * np.sqrt(2.0), self.levels, self._degrees)
            return np.where(np.isnan(statistic), np.nan, found)
        count = int(np.sum(~np.isnan(p)))
        if self.adjust == "none" or not count:
            return p
        if self.adjust == "bonferroni":
            return np.minimum(p * count, 1.0)
        order = np.argsort(p)[:count]  # nan sorts last
        stepped = np.maximum.accumulate(p[order] * (count - np.arange(count)))
        out = np.full(len(p), np.nan)
        out[order] = np.minimum(stepped, 1.0)
        return out

    def quantile(self, level: float, count: int) -> float:
        """Half width of the limits in standard errors; of "holm" they are those of "bonferroni"."""
        if self.adjust == "tukey":
            return float(_range().ppf(level, self.levels, self._degrees) / np.sqrt(2.0))
        share = 1.0 if self.adjust == "none" else max(count, 1)
        upper = 1.0 - 0.5 * (1.0 - level) / share
        if self.residual_df is None:
            return float(scipy.special.ndtri(upper))
        return float(scipy.special.stdtrit(self.residual_df, upper))

    @property
    def _degrees(self) -> float:
        return np.inf if self.residual_df is None else self.residual_df


def _range() -> Any:
    from scipy.stats import studentized_range

    return studentized_range
