"""Refits: the profile of one coefficient by whole fits of the others, with its part of eta as an offset.

They hold where a walk along maxima does not: the coefficient is infinite (separated data), the others
run off as it is held, or the maximum slides along the edge of the link's domain. Each is a fit that is
examined like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import BridgeError
from glmnet_bridge.fitting import linalg
from glmnet_bridge.fitting.estimates import Estimate, estimate
from glmnet_bridge.mapping.unions import CONSTANT, Combined
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit

Array = np.ndarray

WIDEST = 60  # doublings in the search for a bracket
TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True)
class Refits:
    """One coefficient, and the fit of the others for each of its values.

    Attributes
    ----------
    family, names : the family and the columns that count, `names[at]` the one that is held
    matrix : (q, d) array, these columns in terms of those of the rows
    rows : all rows
    at : which column is held
    best : the largest log-likelihood, in the limit where the data are separated
    centre : the estimate, plus or minus infinity where it is
    dispersion : what differences in log-likelihood are divided by
    nobs : number of observations
    """

    family: Family
    names: tuple[str, ...]
    matrix: Array
    rows: Rows
    at: int
    best: float
    centre: float
    dispersion: float
    nobs: float

    @property
    def unit(self) -> float:
        """A step of the coefficient that moves linear predictors by about 1."""
        column = self._own()
        size = float(np.sqrt(np.mean(column**2)))
        return 1.0 / size if size > 0 else 1.0

    def _own(self) -> Array:
        return np.concatenate([block.columns.dot(self.matrix[:, [self.at]]) for block in self.rows.blocks()])

    def held(self, value: float) -> tuple[float, Estimate | None, Rows]:
        """The largest log-likelihood at this value, the fit of the others, and their rows; nan where there is none."""
        others = [j for j in range(len(self.names)) if j != self.at]
        offset = value * self._own() + (0.0 if self.rows.offset is None else self.rows.offset)
        names = tuple(self.names[j] for j in others)
        constant = names.index(CONSTANT) if CONSTANT in names else -1
        moved = replace(self.rows, source=Combined(self.rows.source, self.matrix[:, others], constant), offset=offset)
        rest = Model(names, single_unit(names), self.family)
        if not others:
            with np.errstate(all="ignore"):
                return rest.sums(moved, np.zeros(0), "value").loglik, None, moved
        try:
            found = estimate(rest, moved, nobs=self.nobs)
        except BridgeError:  # no value of the others keeps all rows in the link's domain
            return np.nan, None, moved
        return found.sums.loglik, found, moved

    def root(self, value: float) -> float:
        """The signed root of the profile."""
        loglik = self.held(value)[0]
        if not np.isfinite(loglik):
            return np.nan
        drop = max(2.0 * (self.best - loglik) / self.dispersion, 0.0)
        return float(np.sign(value - self.centre) * np.sqrt(drop))

    def statistic(self, value: float) -> float:
        """The score statistic, positive above the estimate; rows that are fitted perfectly say nothing."""
        loglik, found, moved = self.held(value)
        if not np.isfinite(loglik):
            return np.nan
        theta = np.zeros(0) if found is None else _placed(found, len(self.names) - 1)
        weights = self.rows.weights
        if found is not None and found.separation is not None:
            weights = np.where(found.separation.goes_off, 0.0, weights)
        whole = Combined(self.rows.source, self.matrix, self.names.index(CONSTANT) if CONSTANT in self.names else -1)
        model = Model(self.names, single_unit(self.names), self.family)
        sums = model.sums(replace(self.rows, source=whole, weights=weights), np.insert(theta, self.at, value), "both")
        if sums.expected is None or sums.score is None:
            return np.nan
        back = linalg.generalised_inverse(sums.expected)[self.at]
        return float(-(sums.score @ back) / np.sqrt(back[self.at] * self.dispersion)) if back[self.at] > 0 else np.nan


def _placed(found: Estimate, width: int) -> Array:
    """Coefficients of all columns, 0 for those that were left out."""
    out = np.zeros(width)
    names = found.model.columns
    out[[names.index(name) for name in found.model.network.inputs.names]] = found.theta
    return out


def limit(of: Refits, side: float, quantile: float, method: str, spread: float) -> float:
    """The limit on one side: where the statistic is `side * quantile`; infinite where it does not get so far.

    Of an infinite coefficient the limit towards the estimate's own infinity is infinite.
    """
    from scipy import optimize

    root = of.root if method == "profile" else of.statistic
    if of.centre == side * np.inf:
        return of.centre

    def beyond(value: float) -> float:
        found = side * root(value)
        return 10.0 * quantile if np.isnan(found) else found - quantile

    start = of.centre if np.isfinite(of.centre) else 0.0
    inside, outside = _bracket(beyond, start, side, spread, np.isfinite(of.centre))
    if np.isnan(inside) or np.isnan(outside):
        return side * np.inf
    low, high = sorted((inside, outside))
    return float(optimize.brentq(beyond, low, high, xtol=1e-8 * min(spread, high - low), rtol=1e-14))


def _bracket(beyond: object, start: float, side: float, spread: float, inner: bool) -> tuple[float, float]:
    """A value inside the limit and one beyond it; nan where there is none."""
    assert callable(beyond)
    if inner or beyond(start) < 0.0:
        inside, step, before = start, spread, np.nan
        for _ in range(WIDEST):
            value = inside + side * step
            found = beyond(value)
            if found >= 0.0:
                return inside, value
            if abs(found - before) < TOLERANCE:
                break  # it has come to rest
            inside, step, before = value, 2.0 * step, found
        return inside, np.nan
    outside, step = start, spread
    for _ in range(WIDEST):
        value = outside - side * step
        if beyond(value) < 0.0:
            return value, outside
        outside, step = value, 2.0 * step
    return np.nan, outside
