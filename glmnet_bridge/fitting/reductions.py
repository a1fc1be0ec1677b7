"""Bias reduction: the root of an adjusted score.

    score + dispersion * A(theta) = 0                        h_i: leverage, V = (X'WX)^-1, q_i = x_i'V x_i

    mean      A = X' (h bend / 2)                            first-order mean bias removed (Firth 1993;
                                                             Kosmidis and Firth 2009)
    jeffreys  A = slope of log det(X'WX) / 2                 = X' (h (2 bend - tilt) / 2); the same as mean for
                                                             canonical links (Firth 1993; Heinze and Schemper 2002)
    median    A = X' (h bend / 2) + X'WX m                   each estimate is above and below the truth equally often
              m_j = sum_i w_i (x_i'V_j)^3 (tilt/6 - bend/2) / V_jj       (Kenne Pagui, Salvan and Sartori 2017)

`bend` and `tilt` are of `model.curvatures`. A free dispersion solves its own adjusted score, as in brglm2
(Kosmidis, Kenne Pagui and Sartori 2020). Two passes a step: sums, then leverages with their factor.
The median's adjustment belongs to the raw coefficients: it is formed for them in whatever coordinates (a column
that is shifted gives another intercept, and with it, to second order, other slopes; the other two do not care).
Of several classes the third cumulants are those of the softmax, and mean and jeffreys are one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy

from glmnet_bridge.data.rows import Block
from glmnet_bridge.errors import ArgumentError, nearest
from glmnet_bridge.fitting import irls, linalg, roots
from glmnet_bridge.fitting.linalg import Factor
from glmnet_bridge.fitting.problems import Problem
from glmnet_bridge.fitting.roots import Place
from glmnet_bridge.model import curvatures
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.models import Model, Sums
from glmnet_bridge.model.multinomials import probabilities
from glmnet_bridge.model.penalties import Penalty

Array = np.ndarray

KINDS = ("mean", "median", "jeffreys")
OTHER_WORDS = {"firth": "mean", "as-mean": "mean", "as_mean": "mean", "as-median": "median", "as_median": "median",
               "mpl_jeffreys": "jeffreys"}  # fmt: skip
BEYOND = (1.0, 2.0, 4.0)  # multiples of the maximum with Jeffreys' prior to start again from
NEAR = 1e-3  # standard errors from that maximum at which it is near enough
ILL = 1e-8  # below this condition leverages are formed from a QR of the rows


def given(word: object, family: Family, penalty: Penalty) -> str:
    """What `bias_reduction=` asks for: one of `KINDS`, or "" for None.

    Raises
    ------
    ArgumentError
        for another word, for a family whose cumulants are not known, for the median of several classes, and
        beside a penalty
    """
    if word is None:
        return ""
    kind = OTHER_WORDS.get(word.lower(), word.lower()) if isinstance(word, str) else word
    if kind not in KINDS:
        raise ArgumentError(
            f'bias_reduction={word!r} is unknown; it is "mean" (or "firth"), "median" or "jeffreys".'
            f"{nearest(word, [*KINDS, 'firth'])}"
        )
    if penalty.strength > 0:
        raise ArgumentError(
            f"penalty={penalty!r} and bias_reduction={word!r} contradict each other: bias reduction is a penalty of "
            "its own. Leave one of them out."
        )
    if not curvatures.known(family):
        raise ArgumentError(
            f"bias_reduction= is not defined here for the {family.name} family with the {family.link.name} link: "
            f"it is for binomial, multinomial and {', '.join(curvatures.POWERS)}. Leave it out."
        )
    if family.joint and kind == "median":
        raise ArgumentError(
            'bias_reduction="median" is not done for the multinomial family, where it depends on the base class. '
            'Use "mean", which does not.'
        )
    return str(kind)


def word(kind: str, family: Family) -> str:
    """A reduction for headings: `bias-reduced (Firth)`."""
    if kind == "jeffreys":
        return "penalised by Jeffreys' prior"
    firth = kind == "mean" and family.canonical
    return "bias-reduced (Firth)" if firth else f"{kind} bias-reduced"


def gradient_of_penalty(model: Model) -> bool:
    """Whether the adjusted score is the slope of a penalised log-likelihood."""
    family = model.family
    if family.distribution.free_dispersion:
        return False
    return model.reduction == "jeffreys" or (model.reduction == "mean" and family.canonical)


def solve(problem: Problem, start: Array, counts: Array | None) -> irls.Path:
    """The root of the adjusted score from `start` `(P,)`, in the problem's coordinates."""
    model = problem.reduced()
    score = Adjusted(problem, model, Crowd.of(problem, counts))
    tol = problem.limits.tol / problem.root
    way = _walked(score, start, tol, problem.limits.max_steps)
    if way is None or (way.outcome == "stalled" and not gradient_of_penalty(model)):
        led = _led(score, start, tol)
        way = led if led is not None and (way is None or led.end.decrement < way.end.decrement) else way
    if way is None:
        return irls.Path(problem.objective(model).at(start), (), "singular")
    end = way.end
    return irls.Path(
        irls.Point(end.theta, end.sums, end.value, end.factor, None, end.decrement), way.steps, way.outcome
    )


def _walked(score: Adjusted, start: Array, tol: float, max_steps: int) -> roots.Way | None:
    here = score.at(start)
    return None if here is None else roots.solve(score.at, here, tol=tol, max_steps=max_steps)


def _led(score: Adjusted, start: Array, tol: float) -> roots.Way | None:
    """From the maximum with Jeffreys' prior, to which there is a way, or from beyond it: others shrink less."""
    steps = score.problem.limits.max_steps
    first = replace(score, model=replace(score.model, reduction="jeffreys"))
    near = _walked(first, start, NEAR / score.problem.root, steps)
    if near is None:
        return None
    found = []
    for length in BEYOND:
        way = _walked(score, length * near.end.theta, tol, steps)
        if way is not None:
            found.append(way)
            if way.outcome == "converged":
                break
    return min(found, key=lambda way: way.end.decrement, default=None)


@dataclass(frozen=True, slots=True)
class Adjusted:
    """The adjusted score of a problem.

    Attributes
    ----------
    problem : rows, coordinates, unit of the weights
    model : on the columns that are kept; it says the kind of reduction
    crowd : how many rows there are of each prior weight, where the dispersion is free; else None
    """

    problem: Problem
    model: Model
    crowd: Crowd | None = None

    def at(self, theta: Array) -> Place | None:
        """Everything at theta; None where the likelihood is not finite or the information singular."""
        model, unit = self.model, self.problem.unit
        sums = model.sums(self.problem.rows, theta, "expected")
        if sums.expected is None or sums.score is None:
            return None
        used = linalg.factor(sums.expected)
        if used is None or used.rcond < ILL:
            used = linalg.from_triangle(self.problem.triangle(model, theta)) or used
        if used is None:
            return None
        scale = self.dispersion(sums, len(theta))
        score = sums.score + scale / unit * self._adjustment(theta, used, sums.expected)
        if not np.isfinite(score).all():
            return None
        value = np.nan
        if gradient_of_penalty(model):
            value = sums.loglik + 0.5 * log_determinant(used) / unit
        return Place(theta, sums, score, used, value, scale / unit if self.crowd is not None else 1.0)

    def dispersion(self, sums: Sums, rank: int) -> float:
        """Of the weights as they were given; 1 where it is known."""
        if self.crowd is None:
            return 1.0
        deviance = -2.0 * sums.loglik * self.problem.unit
        least = self.problem.floor * self.problem.unit  # also where no row is left to estimate it from
        return float(np.fmax(dispersion(self.model, deviance, rank, self.crowd), least))

    def _adjustment(self, theta: Array, used: Factor, info: Array) -> Array:
        """`A(theta)` `(P,)`; it does not depend on the unit of the weights."""
        model, kept = self.model, self.problem.kept
        width, k = len(self.problem.model.columns), model.network.outputs
        places = np.arange(width) if kept is None else kept
        half = used.half()

        def spread(matrix: Array) -> Array:
            """Rows of kept columns at their places among all columns."""
            out = np.zeros((width, matrix.shape[1]))
            out[places] = matrix
            return out

        halves = [spread(half[output::k]) for output in range(k)]
        if model.family.joint:
            return self._of_classes(theta, halves)
        if model.reduction != "median":
            return self.problem.rows.sum(self._of_rows(theta, halves[0], None))
        to_raw = self.problem.own_axes().raw(np.eye(len(theta)))
        raw = half @ (half.T @ to_raw.T)  # (X'WX)^-1 T': column j for the raw coefficient j
        sizes = np.einsum("jp,pj->j", to_raw, raw)
        both = self.problem.rows.sum(self._of_rows(theta, halves[0], spread(raw)))
        mean, cubes = both[: len(theta)], both[len(theta) :]
        found: Array = mean + info @ np.linalg.solve(to_raw, cubes / sizes)
        return found

    def _of_rows(self, theta: Array, half: Array, raw: Array | None) -> Callable[[Block], Array]:
        """`X'(h c)`, followed by `sum_i w_i (x_i'V_j)^3 (tilt/6 - bend/2)` where `raw` gives V_j."""
        model, family = self.model, self.model.family
        body = model.network.at(theta)
        sure = model.reduction == "jeffreys"

        def part(block: Block) -> Array:
            eta, tape = body.forward(block.columns)
            eta = eta if block.offset is None else eta + block.offset
            local = family.local(block.response, eta)
            w = np.where(block.weights > 0, block.weights, 0.0) * local.expected[:, 0]
            counts = (block.weights > 0) & (w > 0)  # elsewhere the curvatures may be infinite
            bend = np.where(counts, curvatures.bend(family, eta)[:, 0], 0.0)
            w = np.where(counts, w, 0.0)
            tilt = np.where(counts, curvatures.tilt(family, eta)[:, 0], 0.0) if sure or raw is not None else 0.0
            square = np.square(block.columns.dot(half)).sum(axis=1)
            change = 2.0 * bend - tilt if sure else bend
            mean = body.score(tape, (0.5 * w * square * change)[:, None])
            if raw is None:
                return mean
            cubes = block.columns.dot(raw) ** 3
            return np.concatenate([mean, (w * (tilt / 6.0 - bend / 2.0)) @ cubes])

        return part

    def _of_classes(self, theta: Array, halves: list[Array]) -> Array:
        """Half the slope of log det: `w S (diag G - 2 G p) / 2` with S the covariance of a row's classes."""
        body = self.model.network.at(theta)
        family = self.model.family

        def part(block: Block) -> Array:
            eta, tape = body.forward(block.columns)
            mean = probabilities(eta)[:, 1:]
            parts = [block.columns.dot(half) for half in halves]
            inner = np.stack([np.stack([np.einsum("mr,mr->m", a, b) for b in parts], axis=1) for a in parts], axis=1)
            pull = np.einsum("mcc->mc", inner) - 2.0 * np.einsum("mcd,md->mc", inner, mean)
            spread = np.einsum("mcd,md->mc", family.local(block.response, eta).expected, pull)
            return body.score(tape, 0.5 * block.weights[:, None] * spread)

        return self.problem.rows.sum(part)


def log_determinant(used: Factor) -> float:
    """log det of what was factored."""
    return 2.0 * float(np.log(used.upper.diagonal() * used.scale).sum())


def penalised_deviance(model: Model, sums: Sums) -> float:
    """Deviance less log det of the expected information: -2 times what the adjusted score is the slope of.

    nan where it is the slope of nothing: "median", "mean" with a link that is not canonical, free dispersion.
    """
    used = None if sums.expected is None else linalg.factor(sums.expected)
    if used is None or not gradient_of_penalty(model):
        return np.nan
    return -2.0 * sums.loglik - log_determinant(used)


# --- dispersion -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many rows there are of each prior weight: `weights` `(m,)` and `rows` `(m,)`."""

    weights: Array
    rows: Array

    @classmethod
    def of(cls, problem: Problem, counts: Array | None) -> Crowd | None:
        """That of a problem; None where the dispersion is known."""
        if not problem.model.family.distribution.free_dispersion:
            return None
        return cls.among(problem.rows.weights * problem.unit, counts)

    @classmethod
    def among(cls, weights: Array, counts: Array | None) -> Crowd:
        """Of the products of prior and frequency weights, and the frequencies (None: 1 each)."""
        many = np.ones(len(weights)) if counts is None else counts
        used = (weights > 0) & (many > 0)
        values, at = np.unique(weights[used] / many[used], return_inverse=True)
        return cls(values, np.bincount(at.ravel(), many[used], minlength=len(values)))

    @property
    def total(self) -> float:
        """Number of rows."""
        return float(self.rows.sum())


def dispersion(model: Model, deviance: float, rank: int, crowd: Crowd) -> float:
    """The root of the dispersion's own adjusted score, given the deviance; nan without residual rows.

    With q the deviance, z = -weight / phi and a(z) the cumulant function of the deviance residuals

        sum(q - m a'(z)) / (2 phi^2) + c/phi + (sum m^3 a''') / (e phi^2 sum m^2 a'') = 0

    c, e: (p - 2)/2, 2 for "mean"; p/2, 6 for "median"; -(p + 4)/2, 2 for "jeffreys" (Kosmidis, Kenne Pagui and
    Sartori 2020, section 2; brglm2). Gaussian and inverse Gaussian: deviance / (n - p), / (n - p - 2/3),
    / (n + p + 2).
    """
    n, kind = crowd.total, model.reduction
    lost = {"mean": rank, "median": rank + 2.0 / 3.0, "jeffreys": -rank - 2.0}[kind]
    if n - lost <= 0:
        return np.nan
    first = deviance / (n - lost)
    if model.family.name != "gamma" or not first > 0:
        return first
    share, parts = {"mean": (0.5 * (rank - 2), 2.0), "median": (0.5 * rank, 6.0), "jeffreys": (-0.5 * (rank + 4), 2.0)}[
        kind
    ]

    def slope(log_phi: float) -> float:
        """phi times the adjusted score."""
        phi = float(np.exp(log_phi))
        shape, m = crowd.weights / phi, crowd.weights
        one = 2.0 * (np.log(shape) - scipy.special.digamma(shape))
        two = 2.0 * (scipy.special.polygamma(1, shape) - 1.0 / shape)
        three = -2.0 * (scipy.special.polygamma(2, shape) + shape**-2.0)
        rest = float(crowd.rows @ (m**3 * three)) / float(crowd.rows @ (m**2 * two))
        return (deviance - float(crowd.rows @ (m * one))) / (2.0 * phi) + share + rest / (parts * phi)

    return _crossing(slope, float(np.log(first)))


def _crossing(slope: Callable[[float], float], start: float) -> float:
    """exp of the root of a falling function, by bracketing from `start`; nan where it has none."""
    from scipy.optimize import brentq

    low = high = start
    for _ in range(60):
        if slope(low) > 0:
            break
        low -= 1.0
    for _ in range(60):
        if slope(high) < 0:
            break
        high += 1.0
    if not slope(low) > 0 > slope(high):
        return np.nan
    return float(np.exp(brentq(slope, low, high, xtol=1e-14, rtol=1e-14)))
