"""Quantile residuals: each response as the normal quantile of its place in its fitted distribution.

    r = Phi^-1(F(y; mean))        of a continuous response
    r = Phi^-1(u),  u uniform between F(y - 1) and F(y)        of counts and of so many of so many

Under the model they are standard normal whatever the family (Dunn and Smyth 1996), which no other residual is.
Both tails are computed, and the smaller one is used: a row far out keeps its size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from glmnet_bridge.errors import ArgumentError

Array = np.ndarray
Ends = tuple[Array, Array, Array, Array]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Rows with their fitted distributions.

    Attributes
    ----------
    y, mean : (n,) response (a proportion for binomial) and fitted mean
    trials : (n,) array; 1 for a single yes or no
    dispersion : (n,) array, that of the fit over the row's prior weight
    """

    y: Array
    mean: Array
    trials: Array
    dispersion: Array


def _binomial(rows: Fitted) -> Ends:
    hits, n = np.round(rows.y * rows.trials), rows.trials
    some, all_ = hits > 0, hits >= n
    k, rest = np.where(some, hits, 1.0), np.where(all_, 1.0, n - hits)
    below = np.where(some, scipy.special.betaincc(k, n - k + 1.0, rows.mean), 0.0)  # so many or fewer, as a beta law
    reaches = np.where(some, scipy.special.betainc(k, n - k + 1.0, rows.mean), 1.0)
    high = np.where(all_, 1.0, scipy.special.betaincc(hits + 1.0, rest, rows.mean))
    return below, high, reaches, np.where(all_, 0.0, scipy.special.betainc(hits + 1.0, rest, rows.mean))


def _poisson(rows: Fitted) -> Ends:
    below = np.where(rows.y > 0, scipy.special.pdtr(rows.y - 1.0, rows.mean), 0.0)
    reaches = np.where(rows.y > 0, scipy.special.pdtrc(rows.y - 1.0, rows.mean), 1.0)
    return below, scipy.special.pdtr(rows.y, rows.mean), reaches, scipy.special.pdtrc(rows.y, rows.mean)


def _gaussian(rows: Fitted) -> Ends:
    z = (rows.y - rows.mean) / np.sqrt(rows.dispersion)
    lower, upper = scipy.special.ndtr(z), scipy.special.ndtr(-z)
    return lower, lower, upper, upper


def _gamma(rows: Fitted) -> Ends:
    shape = 1.0 / rows.dispersion
    scaled = shape * rows.y / rows.mean
    lower, upper = scipy.special.gammainc(shape, scaled), scipy.special.gammaincc(shape, scaled)
    return lower, lower, upper, upper


def _inverse_gaussian(rows: Fitted) -> Ends:
    from scipy.stats import invgauss

    y, mean = rows.y * rows.dispersion, rows.mean * rows.dispersion  # in units of the shape parameter
    lower, upper = invgauss.cdf(y, mean), invgauss.sf(y, mean)
    return lower, lower, upper, upper


ENDS: dict[str, Callable[[Fitted], Ends]] = {
    "binomial": _binomial,
    "poisson": _poisson,
    "gaussian": _gaussian,
    "gamma": _gamma,
    "inverse_gaussian": _inverse_gaussian,
}
DISCRETE = ("binomial", "poisson")


def residuals(name: str, rows: Fitted, random_state: object = None) -> Array:
    """Quantile residuals `(n,)`, randomised where the response is discrete.

    Parameters
    ----------
    name : of the distribution
    rows : the rows with their fitted distributions
    random_state : seed or generator of the uniform numbers

    Raises
    ------
    ArgumentError
        for a family whose distribution function is not known here (a quasi family has none)
    """
    if name not in ENDS:
        raise ArgumentError(
            f"Residuals of kind 'quantile' need the distribution function of the response; for the {name} family there "
            f"is none here, but for {', '.join(ENDS)}. Use kind='rstandard' or 'deviance'."
        )
    with np.errstate(all="ignore"):
        low, high, reaches, above = ENDS[name](rows)
    u = np.random.default_rng(random_state).uniform(size=len(rows.y)) if name in DISCRETE else 0.5  # type: ignore[arg-type]
    lower = low + u * (high - low)
    upper = above + (1.0 - u) * (reaches - above)
    tail = np.maximum(np.minimum(lower, upper), np.finfo(float).tiny)
    size = -scipy.special.ndtri(tail)
    found: Array = np.where(lower < upper, -size, size)
    known = np.isfinite(low) & np.isfinite(above) & (rows.dispersion > 0)
    return np.where(known, found, np.nan)
