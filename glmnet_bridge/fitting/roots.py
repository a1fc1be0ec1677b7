"""Roots: where a score vanishes that need not be the slope of anything, by quasi-Newton with step control.

    step      = B score             B: the inverse information, bent towards the score's own slope as steps are taken
    decrement = sqrt(score' I^-1 score / dispersion)             the distance to the root in standard errors

The usual iteration, a full step with the information, runs away where rows are few: the adjustment of the
score moves as much as the score. Here a step must raise the penalised log-likelihood where the score is the
slope of one (Armijo), else shorten the score in the metric of the information where it starts (the natural
monotonicity test, Deuflhard 2011), or it is halved. Once near, Broyden's (1965) update of the inverse makes the
way in superlinear; from afar the information at each place is the better guide. Where none of these steps is
accepted the slope of the score is taken by differences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glmnet_bridge.fitting import irls
from glmnet_bridge.fitting.linalg import Factor, factor
from glmnet_bridge.model.models import Sums

Array = np.ndarray

HALVINGS = 30
DIFFERENCE = 1e-4  # standard errors by which a coordinate is moved to see the slope of the score
CLOSE = 0.5  # standard errors from the root from which on steps are learnt from
SETTLED = 1e-6  # standard errors from the root at which what no step improves is rounding


@dataclass(frozen=True, slots=True)
class Place:
    """A theta with what is known there.

    Attributes
    ----------
    theta : (P,) parameters
    sums : log-likelihood, score and expected information
    score : (r,) adjusted score, along the directions in which theta may move
    factor : of the information in these directions
    value : penalised log-likelihood that the score is the slope of, or nan where there is none
    dispersion : what squares of the score are measured against
    """

    theta: Array
    sums: Sums
    score: Array
    factor: Factor
    value: float
    dispersion: float

    @property
    def decrement(self) -> float:
        """The adjusted score in standard errors."""
        return self.length(self.score)

    def length(self, score: Array) -> float:
        """A score in the metric of the information here."""
        return float(np.sqrt(max(float(score @ self.factor.solve(score)), 0.0) / self.dispersion))


At = Callable[[Array], "Place | None"]


@dataclass(frozen=True, slots=True)
class Way:
    """What was walked: the last place, the steps, "converged", "step limit" or "stalled"."""

    end: Place
    steps: tuple[irls.Step, ...]
    outcome: str


def solve(at: At, here: Place, *, tol: float, max_steps: int, basis: Array | None = None) -> Way:
    """The root of the adjusted score.

    Parameters
    ----------
    at : theta -> Place, or None outside the domain
    here : where to start
    tol : decrement to stop at
    max_steps : steps at most
    basis : (P, r) directions in which theta may move; all by default. `at` gives scores along them
    """
    record = irls.Recorder()
    _noted(record, here)
    inverse: Array | None = None
    for _ in range(max_steps):
        if here.decrement <= tol:
            break
        there, length, step = _onwards(at, here, inverse, basis)
        if there is None:
            return Way(here, tuple(record.steps), "converged" if here.decrement <= SETTLED else "stalled")
        inverse = _updated(here, there, step, inverse) if length == 1.0 and here.decrement < CLOSE else None
        here = there
        _noted(record, here)
    return Way(here, tuple(record.steps), "converged" if here.decrement <= tol else "step limit")


def _noted(record: irls.Recorder, place: Place) -> None:
    record.add(irls.Point(place.theta, place.sums, place.value, decrement=place.decrement))


def _onwards(at: At, here: Place, inverse: Array | None, basis: Array | None) -> tuple[Place | None, float, Array]:
    """The next place, how much of the step was taken, and the step: by Broyden, Fisher or differences."""
    ways: list[Callable[[], Array | None]] = [] if inverse is None else [lambda: inverse @ here.score]
    ways += [lambda: here.factor.solve(here.score), lambda: _by_differences(at, here, basis)]
    step = np.zeros_like(here.score)
    for number, way in enumerate(ways):
        found = way()
        if found is None or not np.isfinite(found).all():
            continue
        step = found
        # a bent inverse that asks for a shorter step is not worth one
        there, length = _search(at, here, step, basis, 1 if inverse is not None and number == 0 else HALVINGS)
        if there is not None:
            return there, length, step
    return None, 0.0, step


def _search(at: At, here: Place, step: Array, basis: Array | None, most: int) -> tuple[Place | None, float]:
    """The step halved until it is accepted."""
    length = 1.0
    whole = step if basis is None else basis @ step
    for _ in range(most):
        there = at(here.theta + length * whole)
        if there is not None and _accepted(here, there, length, step):
            return there, length
        length *= 0.5
    return None, 0.0


def _accepted(here: Place, there: Place, length: float, step: Array) -> bool:
    """Armijo's rule for the penalised likelihood; the natural monotonicity test where there is none."""
    gain = length * float(here.score @ step)
    if np.isfinite(here.value) and abs(gain) > 1e-11 * (1.0 + abs(here.value)):
        return gain > 0.0 and there.value >= here.value + 1e-4 * gain
    return here.length(there.score) <= (1.0 - 0.1 * length) * here.decrement


def _updated(here: Place, there: Place, step: Array, inverse: Array | None) -> Array | None:
    """Broyden's inverse after a full step; None where it would be singular."""
    old = here.factor.inverse() if inverse is None else inverse
    change = old @ (here.score - there.score)
    along = step @ old
    scale = float(along @ (here.score - there.score))
    if abs(scale) <= 1e-8 * float(step @ step) ** 0.5 * float(along @ along) ** 0.5 or not np.isfinite(scale):
        return None
    return old + np.outer(step - change, along) / scale


def _by_differences(at: At, here: Place, basis: Array | None) -> Array | None:
    """Newton's step with the slope of the score from central differences, along axes of one standard error."""
    axes = here.factor.half() * DIFFERENCE
    slopes = np.empty_like(axes)
    for j, axis in enumerate(axes.T):
        move = axis if basis is None else basis @ axis
        ahead, behind = at(here.theta + move), at(here.theta - move)
        if ahead is None or behind is None:
            return None
        slopes[:, j] = 0.5 * (ahead.score - behind.score)
    try:
        return -axes @ np.linalg.solve(slopes, here.score)
    except np.linalg.LinAlgError:
        return None


def restricted(place: Place, basis: Array) -> Place | None:
    """The same place for movements along a basis alone."""
    info = place.sums.expected
    assert info is not None
    used = factor(basis.T @ info @ basis)
    if used is None:
        return None
    return Place(place.theta, place.sums, basis.T @ place.score, used, place.value, place.dispersion)
