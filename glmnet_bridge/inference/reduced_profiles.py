"""Profiles of a penalised likelihood: tests and limits of a bias-reduced fit.

    l*(theta) = l(theta) + log det I(theta) / 2         I: the expected information of all coefficients
    chi2(b)   = 2 (l*(estimate) - max l* given beta_j = b)

Where separation would make the likelihood flat, l* falls on both sides, so that both limits are finite; they
are lopsided as it is (Heinze and Schemper 2002, and their logistf). The limits are where the signed root of
chi2 is the normal quantile: it is nearly a straight line in b, whose slope comes with each constrained fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy

from glmnet_bridge.data.rows import Rows, one_blas_thread
from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.fitting import reductions, roots
from glmnet_bridge.fitting.batches import hold
from glmnet_bridge.fitting.covariances import coefficients
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.fitting.problems import Limits, of_columns, posed
from glmnet_bridge.fitting.reductions import Adjusted
from glmnet_bridge.fitting.roots import Place
from glmnet_bridge.model.networks import by_output, single_unit

Array = np.ndarray

STEPS = 60  # of one constrained fit, and of the search for one limit
ENOUGH = 1e-8  # standard errors to which a constrained fit and the signed root are solved


@dataclass(frozen=True, slots=True)
class Profile:
    """The penalised log-likelihood around its maximum, along one coefficient.

    Attributes
    ----------
    score : the adjusted score, in the problem's coordinates
    peak : its root
    axis : (P,) the coefficient as a combination of theta
    estimate : the coefficient at the peak
    """

    score: Adjusted
    peak: Place
    axis: Array
    estimate: float

    def chi2(self, value: float) -> float:
        """Likelihood ratio of the coefficient at `value`, penalised."""
        place = self._at(value, self._straight(value))
        return np.nan if place is None else self._drop(place)

    def limit(self, root: float) -> float:
        """The coefficient on that side of the peak where the root of chi2 is `root`, a number with a sign."""
        goal, sign = abs(root), float(np.sign(root))
        error = float(np.sqrt(self.axis @ self.peak.factor.solve(self.axis) / self.score.problem.unit))
        inner, outer = 0.0, np.inf  # distances from the estimate
        away, theta = goal * error, None
        for _ in range(STEPS):
            value = self.estimate + sign * away
            place = self._at(value, self._straight(value) if theta is None else theta)
            if place is None:
                outer = away
                away = 0.5 * (inner + outer)
                continue
            reached = float(np.sqrt(max(self._drop(place), 0.0)))
            if abs(reached - goal) <= ENOUGH:
                return value
            inner, outer = (away, outer) if reached < goal else (inner, away)
            away = self._next(place, away, reached, goal, sign, (inner, outer))
            theta = place.theta + self._along(self.estimate + sign * away - value)
        return np.nan

    def _next(
        self, place: Place, away: float, reached: float, goal: float, sign: float, within: tuple[float, float]
    ) -> float:
        """A Newton step for the root, which is nearly linear; halved or doubled where it leaves what is known."""
        fall = -sign * float(self.axis @ self.full(place).score) / float(self.axis @ self.axis)
        slope = fall * self.score.problem.unit / max(reached, 1e-300)
        found = away + (goal - reached) / slope if slope > 0 else np.nan
        inner, outer = within
        if inner < found < min(outer, 8.0 * away):
            return found
        return 2.0 * away if np.isinf(outer) else 0.5 * (inner + outer)

    def full(self, place: Place) -> Place:
        """The place with its score in all directions."""
        return self.score.at(place.theta) or place

    def _drop(self, place: Place) -> float:
        return 2.0 * (self.peak.value - place.value) * self.score.problem.unit

    def _along(self, change: float) -> Array:
        """How theta moves with the coefficient, to first order."""
        way = self.peak.factor.solve(self.axis)
        moved: Array = way * change / float(self.axis @ way)
        return moved

    def _straight(self, value: float) -> Array:
        return self.peak.theta + self._along(value - self.estimate)

    def _at(self, value: float, theta: Array) -> Place | None:
        """The maximum with the coefficient at `value`, from a theta nearby; None where it is not found."""
        theta = theta + self.axis * (value - float(self.axis @ theta)) / float(self.axis @ self.axis)
        basis = np.linalg.qr(self.axis[:, None], mode="complete")[0][:, 1:]

        def at(theta: Array) -> Place | None:
            found = self.score.at(theta)
            return None if found is None else roots.restricted(found, basis)

        here = at(theta)
        if here is None or not basis.shape[1]:
            return here
        tol = ENOUGH / self.score.problem.root
        way = roots.solve(at, here, tol=tol, max_steps=STEPS, basis=basis)
        return way.end if way.end.decrement <= max(tol, roots.SETTLED / self.score.problem.root) else None


def profiles(estimate: Estimate, rows: Rows) -> list[Profile | None]:
    """One profile for each coefficient, in the order of the labels; None for those that were left out.

    Raises
    ------
    ArgumentError
        for a fit whose adjusted score is the slope of no penalised likelihood
    """
    model = estimate.model
    if not reductions.gradient_of_penalty(model):
        raise ArgumentError(
            f'bias_reduction="{model.reduction}" with the {model.family.title} maximises no penalised likelihood, so '
            "that it has no profile: use Wald limits, method='wald'. There is one for \"jeffreys\" with a known "
            'dispersion, and for "mean" with the canonical link.'
        )
    network = single_unit(model.columns, model.outputs)
    problem = posed(replace(model, network=network), hold(rows) if len(rows.spans()) == 1 else rows, Limits(), rows.n)
    width, k = len(model.columns), network.outputs
    places = np.arange(width * k)
    if estimate.rank is not None:
        problem = replace(problem, kept=estimate.rank.kept)
        places = of_columns(estimate.rank.kept, k)
    score = Adjusted(problem, problem.reduced())
    peak = score.at(problem.own_axes().own(estimate.theta))
    if peak is None:
        raise ArgumentError("The information of this fit is singular: there is no profile around it.")
    to_raw = problem.own_axes().raw(np.eye(len(places)))
    found: list[Profile | None] = [None] * (width * k)
    label = np.argsort(by_output(width, k))
    for axis, place, value in zip(to_raw, places, estimate.theta, strict=True):
        found[label[place]] = Profile(score, peak, axis, float(value))
    return found


def limits(estimate: Estimate, rows: Rows, level: float) -> Array:
    """Limits `(p * k, 2)` of the coefficients by the profile of the penalised likelihood; nan where left out."""
    half = float(scipy.special.ndtri(0.5 + 0.5 * level))
    with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
        found = [
            [np.nan, np.nan] if profile is None else [profile.limit(-half), profile.limit(half)]
            for profile in profiles(estimate, rows)
        ]
    return np.array(found).reshape(len(found), 2)


def tests(estimate: Estimate, rows: Rows, values: float | Array = 0.0) -> tuple[Array, Array]:
    """Penalised likelihood ratios `(p * k,)` of each coefficient at `values`, and their p-values (chi2, 1 df)."""
    given = np.broadcast_to(np.asarray(values, dtype=float), len(coefficients(estimate)))
    with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
        chi2 = np.array(
            [
                np.nan if profile is None else profile.chi2(float(value))
                for profile, value in zip(profiles(estimate, rows), given, strict=True)
            ]
        )
    return chi2, scipy.special.chdtrc(1.0, np.maximum(chi2, 0.0))
