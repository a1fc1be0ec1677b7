"""Profiles: what the likelihood says of one coefficient when the others follow it, and limits from that.

    r(b) = sign(b - estimate) sqrt(2 (max l - max l(b, others)) / dispersion)      the signed root
    s(b) = -score_b / sqrt(information_b dispersion)    at the same constrained maximum: the score statistic

Limits of level 1 - a are where r (method "profile") or s ("score") is plus and minus the normal quantile, as
R's `confint` has them. Profile limits are found without a profile: the limit is the largest (smallest)
coefficient with a log-likelihood of at least max l - z^2 dispersion / 2, and Newton's steps go to where
score = m c and l is that (Venzon and Moolgavkar 1988): two or three passes each. Where these do not arrive,
and for the score, b is sought along constrained maxima, each from the last one; where the likelihood has none
inside the link's domain, or rises for ever, by fits with b x as offset (`refits`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.fitting import coordinates, linalg
from glmnet_bridge.fitting.linalg import Factor
from glmnet_bridge.model.models import Model, Sums

Array = np.ndarray

METHODS = ("profile", "score")
MOST = 40  # steps
CLOSE, CLOSER = 1e-4, 1e-8  # last steps in standard errors: with the observed information errors are squared
LOST = 1e-5  # share of a drop that is rounding; weights so large leave a parabola, whose limits are Wald's
REACH = 200.0  # standard errors beyond which a statistic that has not been reached is not sought any more


@dataclass(frozen=True, slots=True)
class Surface:
    """A log-likelihood with a maximum, in columns of unit size.

    Attributes
    ----------
    model, rows : what is maximised, P free parameters
    theta : (P,) the maximum
    sums : log-likelihood, score and information there
    to_raw : (P, P) array that maps theta to the coefficients
    dispersion : what differences in log-likelihood are divided by
    """

    model: Model
    rows: Rows
    theta: Array
    sums: Sums
    to_raw: Array
    dispersion: float

    def at(self, theta: Array) -> Point | None:
        """What the likelihood is like at theta; None outside the link's domain, or where it is flat."""
        with np.errstate(all="ignore"):
            return _point(theta, self.model.sums(self.rows, theta, "both"))

    def spread(self, towards: Array) -> float:
        """The standard error of `towards @ theta`; nan where the information has no inverse."""
        used = None if self.sums.expected is None else linalg.factor(self.sums.expected)
        return np.nan if used is None else float(np.sqrt(towards @ used.solve(towards) * self.dispersion))


@dataclass(frozen=True, slots=True)
class Point:
    """A theta with its sums; `factor` is that of the observed information where it is one, else of the expected."""

    theta: Array
    sums: Sums
    factor: Factor
    exact: bool

    @property
    def score(self) -> Array:
        assert self.sums.score is not None
        return self.sums.score

    def statistic(self, towards: Array, dispersion: float) -> float:
        """The score statistic of `towards @ theta`, positive above the estimate."""
        assert self.sums.expected is not None
        used = linalg.factor(self.sums.expected)
        if used is None:
            return np.nan
        back = used.solve(towards)
        return float(-(self.score @ back) / np.sqrt(towards @ back * dispersion))


def _point(theta: Array, sums: Sums) -> Point | None:
    if not np.isfinite(sums.loglik) or sums.observed is None or sums.expected is None:
        return None
    used = linalg.factor(sums.observed)
    if used is not None:
        return Point(theta, sums, used, True)
    used = linalg.factor(sums.expected)
    return None if used is None else Point(theta, sums, used, False)


def surface(model: Model, rows: Rows, theta: Array, dispersion: float) -> Surface:
    """The likelihood around its maximum, with one pass.

    Parameters
    ----------
    model : one unit (or several) on some of the columns, each with a parameter of its own
    rows : all rows
    theta : (P,) the maximum, coefficients of these columns as they are
    dispersion : for standard errors
    """
    names, inputs = model.columns, model.network.inputs
    constant = names.index("Intercept") if "Intercept" in inputs.names else None
    axes = coordinates.choose(rows, names, constant)
    kept = np.array([names.index(name) for name in inputs.names], dtype=int)
    over = np.eye(len(kept)) if axes.to_raw is None else axes.to_raw[np.ix_(kept, kept)]
    to_raw = np.kron(over, np.eye(model.network.outputs))
    own, moved = np.linalg.solve(to_raw, theta), rows.standardised(axes.shift, axes.scale)
    return Surface(model, moved, own, model.sums(moved, own, "both"), to_raw, dispersion)


# --- limits -----------------------------------------------------------------------------------


def limit(of: Surface, at: int, side: float, quantile: float, method: str) -> float:
    """The limit of coefficient `at` on one side (-1 or 1); infinite where the statistic does not get so far.

    nan where no step leads there: the likelihood ends, or is not that of a single maximum.
    """
    towards, drop = of.to_raw[at], 0.5 * quantile**2 * of.dispersion
    spread = of.spread(towards)
    if method == "profile" and np.spacing(abs(of.sums.loglik)) > LOST * drop:
        return float(towards @ of.theta) + side * quantile * spread
    found = _walk(of, towards, side, drop) if method == "profile" else np.nan
    if not np.isnan(found):
        return found
    if not (np.isfinite(spread) and spread > 0):
        return np.nan
    root = Tracker(of, towards, method)
    return crossing(root, float(towards @ of.theta), side, quantile, spread)


def _walk(of: Surface, towards: Array, side: float, drop: float) -> float:
    """Newton's way to the extreme of `towards @ theta` on the contour `drop` below the maximum; nan if it fails."""
    goal, here = of.sums.loglik - drop, _point(of.theta, of.sums)
    theta, step = of.theta, np.zeros_like(of.theta)
    for _ in range(MOST):
        if here is not None:
            away = here.factor.solve(towards)
            back = here.factor.solve(here.score)
            # what the second-order model at theta promises at its maximum, above the contour
            above = 2.0 * (here.sums.loglik - goal + 0.5 * float(here.score @ back))
        if here is None or not above >= 0.0:
            step = 0.5 * step
            theta = theta - step
            if not step.any():
                return np.nan
            here = of.at(theta)
            continue
        step = back + side * np.sqrt(above / float(towards @ away)) * away
        theta = here.theta + step
        length = np.sqrt(max(_quadratic(of, here, step), 0.0) / of.dispersion)
        if length <= (CLOSE if here.exact else CLOSER):
            return float(towards @ theta)
        here = of.at(theta)
    return np.nan


def _quadratic(of: Surface, here: Point, step: Array) -> float:
    info = here.sums.observed if here.exact else here.sums.expected
    assert info is not None
    return float(step @ info @ step)


def crossing(root: Callable[[float], float], centre: float, side: float, quantile: float, spread: float) -> float:
    """Where an increasing `root` passes `side * quantile`, sought from `centre` in steps of `spread`.

    Infinite where it does not within `REACH` steps; nan where the root is on the way.
    """
    from scipy import optimize

    @functools.cache  # a root that starts at the last maximum may say something else when it is asked again
    def beyond(value: float) -> float:
        return side * root(value) - quantile

    inside, reach = centre, quantile
    beyond(centre)
    while reach <= REACH:
        value = centre + side * reach * spread
        if np.isnan(beyond(value)):
            return np.nan
        if beyond(value) >= 0.0:
            low, high = sorted((inside, value))
            found = float(optimize.brentq(beyond, low, high, xtol=1e-8 * spread, rtol=1e-14))
            return found if abs(beyond(found)) < 1e-5 else np.nan
        inside, reach = value, reach * 1.5
    return side * np.inf


@dataclass(slots=True)
class Tracker:
    """The signed root, or the score statistic, at values of one coefficient; each maximum starts at the last one."""

    of: Surface
    towards: Array
    method: str
    last: Point | None = None

    def __call__(self, value: float) -> float:
        point = self.maximum(value)
        if point is None:
            return np.nan
        if self.method == "score":
            return point.statistic(self.towards, self.of.dispersion)
        return self.root(value, point.sums.loglik)

    def root(self, value: float, loglik: float) -> float:
        """The signed root of a profile log-likelihood."""
        drop = max(2.0 * (self.of.sums.loglik - loglik) / self.of.dispersion, 0.0)
        return float(np.sign(value - float(self.towards @ self.of.theta)) * np.sqrt(drop))

    def maximum(self, value: float) -> Point | None:
        """The maximum among theta with `towards @ theta = value`; None where Newton does not arrive."""
        centre = _point(self.of.theta, self.of.sums)
        for start in (centre,) if self.last is None else (self.last, centre):
            found = self._climbed(self._moved(start, value))
            if found is not None:
                self.last = found
                return found
        return None

    def _climbed(self, here: Point | None) -> Point | None:
        """The maximum that Newton's steps lead to from here, all with the same value."""
        for _ in range(MOST):
            if here is None:
                return None
            back, away = here.factor.solve(here.score), here.factor.solve(self.towards)
            step = back - float(self.towards @ back) / float(self.towards @ away) * away
            gain = float(here.score @ step)
            if gain <= CLOSER**2 * self.of.dispersion or gain <= 1e-14 * (1.0 + abs(here.sums.loglik)):
                return here
            here = self._better(here, step, gain)
        return None

    def _moved(self, start: Point | None, value: float) -> Point | None:
        """From `start` to this value, as the second-order model there says; None outside the link's domain."""
        if start is None:
            return None
        away = start.factor.solve(self.towards)
        length = (value - float(self.towards @ start.theta)) / float(self.towards @ away)
        return self.of.at(start.theta + length * away)

    def _better(self, here: Point, step: Array, gain: float) -> Point | None:
        length = 1.0
        while length > 1e-9:
            there = self.of.at(here.theta + length * step)
            slack = 1e-13 * (1.0 + abs(here.sums.loglik))
            if there is not None and there.sums.loglik >= here.sums.loglik + 1e-4 * length * gain - slack:
                return there
            length *= 0.5
        return None
