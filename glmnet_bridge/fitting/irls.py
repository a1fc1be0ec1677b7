"""Newton's method in score form, on any function theta -> Sums.

    step      = (I + P)^-1 (score - P theta)          I: observed information, P: penalty
    decrement = sqrt(step' (I + P) step / dispersion)  the distance to the optimum in SE

The score form refines itself: an inexact information only slows it down, the answer is
where the score vanishes. Steps are halved until the log-likelihood rises (Armijo); once
its differences drown in rounding, the decrement itself must fall. The fit stops on the
decrement, never on the deviance, and everything is evaluated at the final theta.

`newton` has never heard of families, frames or networks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from glmnet_bridge.fitting.linalg import Factor, factor
from glmnet_bridge.fitting.traces import Step
from glmnet_bridge.model.models import Sums

Array = np.ndarray
Evaluate = Callable[[Array, str], Sums]

HALVINGS = 40
SQUARED = 1e-12  # below this condition the sums, in which it is squared, hold no digit of a step


@dataclass(frozen=True, slots=True)
class Objective:
    """What is maximised: a log-likelihood less a quadratic penalty.

    Attributes
    ----------
    evaluate : (theta, want) -> Sums, see `Model.sums`
    penalty : (P, P) second derivative of the penalty, or None
    residual_df : to estimate the dispersion for the decrement; None where it is known to be 1
    exact : theta -> factor of the expected information by QR, for columns so nearly collinear that
        the sums have lost it; None where there is no such way
    floor : the dispersion is at least this: where every row is fitted exactly there are no standard errors
    """

    evaluate: Evaluate
    penalty: Array | None = None
    residual_df: float | None = None
    exact: Callable[[Array], Factor | None] | None = None
    floor: float = float(np.finfo(float).tiny)

    def value(self, theta: Array, loglik: float) -> float:
        return loglik if self.penalty is None else loglik - 0.5 * float(theta @ self.penalty @ theta)

    def dispersion(self, loglik: float) -> float:
        """A rough dispersion: deviance per residual degree of freedom."""
        if self.residual_df is None:
            return 1.0
        return max(-2.0 * loglik / max(self.residual_df, 1.0), self.floor)

    def at(self, theta: Array) -> Point:
        """Evaluate at theta: observed information where it is positive definite, else expected."""
        sums = self.evaluate(theta, "observed")
        if sums.score is None or sums.observed is None:
            return Point(theta, sums, self.value(theta, sums.loglik))
        score = self.slope(theta, sums.score)
        used = self.factored(sums.observed)
        if used is None and sums.expected is not sums.observed:
            sums = self.evaluate(theta, "both")
            used = None if sums.expected is None else self.factored(sums.expected)
        if self.exact is not None and (used is None or used.rcond < SQUARED):
            used = self.exact(theta) or used
        step = None if used is None else used.solve(score)
        return self._point(theta, sums, used, score, step)

    def _point(self, theta: Array, sums: Sums, used: Factor | None, score: Array, step: Array | None) -> Point:
        decrement, gain = np.inf, np.nan
        if step is not None and np.isfinite(step).all():
            gain = max(float(score @ step), 0.0)
            decrement = float(np.sqrt(gain / self.dispersion(sums.loglik)))
        return Point(theta, sums, self.value(theta, sums.loglik), used, step, decrement, gain)

    def slope(self, theta: Array, score: Array) -> Array:
        """Score less the penalty's gradient."""
        return score if self.penalty is None else score - self.penalty @ theta

    def factored(self, info: Array) -> Factor | None:
        """The factor of an information with the penalty's curvature added."""
        return factor(info if self.penalty is None else info + self.penalty)


@dataclass(frozen=True, slots=True)
class Point:
    """A theta with all that is known there; `step` is None where no factor exists."""

    theta: Array
    sums: Sums
    value: float
    factor: Factor | None = None
    step: Array | None = None
    decrement: float = np.inf
    gain: float = np.nan


@dataclass(frozen=True, slots=True)
class Path:
    """Where Newton went.

    Attributes
    ----------
    end : the last point; everything in it is evaluated at its theta
    steps : the trace
    outcome : "converged", "step limit", "stalled" (no step improves), "singular" (no factor)
    """

    end: Point
    steps: tuple[Step, ...]
    outcome: str


@dataclass(slots=True)
class Recorder:
    """Collects the steps of one fit."""

    began: float = field(default_factory=time.perf_counter)
    steps: list[Step] = field(default_factory=list)

    def add(self, point: Point) -> None:
        number = len(self.steps)
        seconds = time.perf_counter() - self.began
        self.steps.append(Step(number, number, point.sums.loglik, point.decrement, seconds, point.theta))


def newton(
    objective: Objective,
    theta: Array,
    *,
    tol: float = 1e-9,
    max_steps: int = 50,
    polish: bool = True,
    watch: Callable[[list[Step]], bool] | None = None,
    known: Point | None = None,
) -> Path:
    """Maximise from `theta`.

    Parameters
    ----------
    objective : what to maximise
    theta : (P,) start, inside the domain of the likelihood
    tol : stop when the decrement, in standard errors, is at most this
    max_steps : most steps
    polish : take the last step too after `tol` is met; it squares the remaining distance
    watch : given the steps so far, True ends the fit with outcome "suspicious"
    known : the point at `theta`, where it has been evaluated already
    """
    record = Recorder()
    here = objective.at(theta) if known is None else known
    record.add(here)
    polished = False
    for _ in range(max_steps):
        if here.step is None:
            return Path(here, tuple(record.steps), "singular")
        done = here.decrement <= tol
        if done and (polished or not polish or here.decrement < 1e-13):
            return Path(here, tuple(record.steps), "converged")
        if watch is not None and watch(record.steps):
            return Path(here, tuple(record.steps), "suspicious")
        there = search(objective, here)
        if there is None:
            # at the level of rounding no step can improve: that is the optimum to working precision
            return Path(here, tuple(record.steps), "converged" if _settled(objective, here) else "stalled")
        here, polished = there, done
        record.add(here)
    outcome = "singular" if here.step is None else "converged" if here.decrement <= tol else "step limit"
    return Path(here, tuple(record.steps), outcome)


def _settled(objective: Objective, here: Point) -> bool:
    """Whether the step left is rounding: in standard errors, or, where these are tiny, in theta itself."""
    if here.step is None or here.factor is None:
        return False
    # a score of nearly collinear columns has lost as many digits as their condition number has
    noise = 16.0 * np.finfo(float).eps / np.sqrt(here.factor.rcond)
    if here.decrement <= max(1e-6, noise):
        return True
    step, size = np.abs(here.step), np.abs(here.theta)
    if objective.residual_df is None:
        # each for itself: beside an intercept of 1e10 a slope would have no digit
        return bool((step <= 1e-12 * np.maximum(size, 1.0)).all())
    return float(step.max()) <= 1e-12 * float(size.max())


def search(objective: Objective, here: Point) -> Point | None:
    """The next point along the step, halved until it improves; None if nothing does."""
    if here.step is None:
        return None
    there = objective.at(here.theta + here.step)
    if improves(here, there):
        return there
    length = 0.5
    for _ in range(HALVINGS):
        if length * here.gain <= rounding(here):
            return None
        theta = here.theta + length * here.step
        value = objective.value(theta, objective.evaluate(theta, "value").loglik)
        if value >= here.value + 1e-4 * length * here.gain:
            return objective.at(theta)
        # where the information has nearly vanished the step is too long by many orders
        length *= 0.5 if length > 1e-3 else 0.05
    return None


def rounding(point: Point) -> float:
    """Differences of the log-likelihood below this say nothing."""
    return 1e-13 * (1.0 + abs(point.sums.loglik))


def improves(here: Point, there: Point) -> bool:
    """Armijo's rule for the whole step; below the rounding error of the log-likelihood the decrement must fall."""
    if not np.isfinite(there.value):
        return False
    if here.gain <= rounding(here):
        return there.decrement < here.decrement
    return there.value >= here.value + 1e-4 * here.gain
