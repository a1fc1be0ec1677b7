"""The mean loss of a network, as learners see it, and how far from its optimum a theta is.

    loss     = (penalty - loglik) / W          W: total weight of the rows
    slope    = (penalty' - score) / W          on a batch: its score times n / rows of the batch
    distance = sqrt(score' (I + P)^-1 score / dispersion)          the Newton decrement, in SE

All of it is read off `Model.sums`: a learner's gradient is the GLM's score. Where the
optimum is known, the distance is measured to it instead: `sqrt(d' (I + P) d / dispersion)`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from glmnet_bridge.data.rows import Block, Rows
from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.fitting.batches import take
from glmnet_bridge.fitting.irls import Objective
from glmnet_bridge.fitting.linalg import Factor, factor, generalised_inverse
from glmnet_bridge.model.models import Model, Sums
from glmnet_bridge.model.multinomials import probabilities

Array = np.ndarray

LARGE = 1e60  # weights beyond it have diverged; their squares would overflow
WIDE = 2000  # with more parameters the information is not formed
LOOK = 2e8  # rows * P^2 that are read to judge the curvature
STEPS = 25  # of Newton, to see whether weights come to rest
MOVED = 0.01  # by a Newton step near the optimum: the linear predictor has not come to rest
SAMPLES = 20  # batches that are looked at for the curvature of a batch


@dataclass(frozen=True, slots=True)
class Gap:
    """How far a theta is from the optimum.

    Attributes
    ----------
    distance : in standard errors, all parameters together; nan where it is unknown
    each : (P,) array `(theta - optimum) / SE`; nan where a parameter alone is not identified
    """

    distance: float
    each: Array


@dataclass(frozen=True, slots=True)
class Newton:
    """A Newton step `(P,)` from some theta: what is left to go, and the metric to measure it in."""

    step: Array
    gain: float
    dispersion: float
    matrix: Array
    factor: Factor | None

    @property
    def distance(self) -> float:
        """In standard errors; nan where the likelihood is flat in every direction, which is no optimum."""
        flat = self.factor is None and not (self.matrix.diagonal() > 0).any()
        return np.nan if flat else float(np.sqrt(self.gain / self.dispersion))

    @property
    def curved(self) -> bool:
        """Whether every parameter still matters: far out the likelihood is flat to the last bit."""
        return self.factor is not None or bool((self.matrix.diagonal() > 0).all())

    def errors(self) -> Array:
        """Standard errors `(P,)`; nan for parameters that are not identified on their own."""
        if self.factor is not None:
            return np.sqrt(self.factor.inverse().diagonal() * self.dispersion)
        inverse = generalised_inverse(self.matrix)
        size = np.sqrt(self.matrix.diagonal())
        # a row of G M that is a row of the identity: the parameter is estimable; in units of the columns
        with np.errstate(divide="ignore", invalid="ignore"):
            rest = np.abs(inverse @ self.matrix - np.eye(len(size))) * size[:, None] / size
        known = (size > 0) & (np.where(size > 0, rest, 0.0).max(axis=1) < 1e-6)
        return np.where(known, np.sqrt(np.maximum(inverse.diagonal(), 0.0) * self.dispersion), np.nan)


@dataclass(slots=True)
class Loss:
    """The mean loss on some rows; remembers its last answers, because loop and learner ask for the same.

    Attributes
    ----------
    model, rows : what is trained, and on which rows
    residual_df : rows less parameters, where the dispersion is free; else None
    total : W, the sum of the weights
    decay : (P,) second derivative of the penalty, or None
    """

    model: Model
    rows: Rows
    residual_df: float | None = None
    total: float = field(init=False)
    decay: Array | None = field(init=False)
    _at: Array | None = field(init=False, default=None)
    _sums: Sums = field(init=False, default=Sums(np.nan))

    def __post_init__(self) -> None:
        self.total = float(self.rows.weights.sum())
        self.decay = self.model.decay

    def loglik(self, theta: Array) -> float:
        """Log-likelihood less that of the saturated model, without penalty; -inf where it is undefined."""
        if theta is not self._at or np.isnan(self._sums.loglik):
            loglik = self.model.sums(self.rows, theta, "value").loglik if usable(theta) else -np.inf
            self._remember(theta, Sums(-np.inf if np.isnan(loglik) else loglik))
        return self._sums.loglik

    def value(self, theta: Array) -> float:
        """Mean loss, penalty included."""
        return (self.penalty(theta) - self.loglik(theta)) / self.total

    def slope(self, theta: Array) -> Array:
        """Gradient `(P,)` of the mean loss."""
        if theta is not self._at or self._sums.score is None:
            self._remember(theta, self.model.sums(self.rows, theta, "score"))
        return self._downhill(theta, self._sums.score)

    def batch_slope(self, chunk: Rows, span: tuple[int, int], theta: Array) -> Array:
        """Unbiased estimate of the slope from the rows of a batch."""
        score = self.model.sums(chunk, theta, "score", [span]).score
        return self._downhill(theta, score, self.rows.n / (span[1] - span[0]))

    def newton(self, theta: Array) -> Newton | None:
        """The Newton step; None where the information is undefined or too large to be formed.

        A GLM takes observed information where it is positive definite. Hidden units and aliased
        columns may leave it singular: then a generalised inverse measures what is identified.
        """
        if not usable(theta) or len(theta) > WIDE:
            return None
        matrix = None if self.decay is None else np.diag(self.decay)
        if self.model.network.affine:
            point = Objective(lambda at, want: self.model.sums(self.rows, at, want), matrix).at(theta)
            self._remember(theta, point.sums)
            if point.factor is not None and point.step is not None:
                scale = self._dispersion(theta, point.step, point.gain)
                return Newton(point.step, point.gain, scale, np.empty((0, 0)), point.factor)
        sums = self.model.sums(self.rows, theta, "expected")
        self._remember(theta, sums)
        if sums.expected is None or sums.score is None or not np.isfinite(sums.expected).all():
            return None
        info = sums.expected if matrix is None else sums.expected + matrix
        used = factor(info)
        score = -self.total * self._downhill(theta, sums.score)
        step = generalised_inverse(info) @ score if used is None else used.solve(score)
        gain = max(float(score @ step), 0.0)
        return Newton(step, gain, self._dispersion(theta, step, gain), info, used)

    def gap(self, theta: Array) -> Gap:
        """Distance to the optimum as one Newton step sees it."""
        found = self.newton(theta)
        if found is None:
            return Gap(np.nan, np.full(len(theta), np.nan))
        with np.errstate(divide="ignore", invalid="ignore"):
            return Gap(found.distance, -found.step / found.errors())

    def penalty(self, theta: Array) -> float:
        return 0.0 if self.decay is None or not usable(theta) else 0.5 * float(self.decay @ theta**2)

    def _dispersion(self, theta: Array, step: Array, gain: float) -> float:
        """Deviance per residual degree of freedom at the optimum, where the step foresees it; else here."""
        if self.residual_df is None:
            return 1.0
        here = -2.0 * self._sums.loglik
        there = here + 2.0 * (self.penalty(theta) - self.penalty(theta + step)) - gain
        left = there if there > 0.1 * here else here
        return max(left / max(self.residual_df, 1.0), np.finfo(float).tiny)

    def _downhill(self, theta: Array, score: Array | None, share: float = 1.0) -> Array:
        if score is None:
            return np.full_like(theta, np.nan)
        uphill = share * score if self.decay is None else share * score - self.decay * theta
        return uphill / -self.total

    def _remember(self, theta: Array, sums: Sums) -> None:
        """Keep what is known at the last theta; a value and a score may come from two passes."""
        if theta is self._at:
            loglik = self._sums.loglik if np.isnan(sums.loglik) else sums.loglik
            sums = Sums(loglik, self._sums.score if sums.score is None else sums.score)
        self._at, self._sums = theta, Sums(sums.loglik, sums.score)


@dataclass(frozen=True, slots=True)
class Reference:
    """The known optimum `theta` (P,) with the Newton metric there: distances are exact, and cost no pass."""

    theta: Array
    matrix: Array
    dispersion: float
    errors: Array

    def distance(self, theta: Array) -> float:
        if not usable(theta):
            return np.nan
        apart = theta - self.theta
        return float(np.sqrt(max(apart @ self.matrix @ apart, 0.0) / self.dispersion))

    def gap(self, theta: Array) -> Gap:
        with np.errstate(divide="ignore", invalid="ignore"):
            return Gap(self.distance(theta), (theta - self.theta) / self.errors)


def reference_at(loss: Loss, theta: Array) -> Reference:
    """Measure distances to `theta`, the optimum of `loss`.

    Raises
    ------
    ArgumentError
        where theta has another length, or the likelihood is undefined there
    """
    expected = loss.model.network.parameters
    if np.shape(theta) != (expected,):
        raise ArgumentError(f"reference has shape {np.shape(theta)}; give the {expected} parameters in one array.")
    found = loss.newton(theta)
    if found is None:
        raise ArgumentError("reference: the likelihood is undefined there. Give the parameters of a fitted model.")
    matrix = found.matrix
    if found.factor is not None:
        half = found.factor.upper * found.factor.scale
        matrix = half.T @ half
    return Reference(theta, matrix, found.dispersion, found.errors())


def usable(theta: Array) -> bool:
    """Whether every weight is a number that can be squared."""
    return bool(np.abs(theta).max(initial=0.0) < LARGE)


def curvature(loss: Loss, theta: Array, random: np.random.Generator) -> Array:
    """Information `(P, P)` of the mean loss, from all rows or a random part of many."""
    rows, size = loss.rows, int(max(LOOK // max(len(theta), 1) ** 2, 256))
    if size < rows.n:
        rows = take(rows, np.sort(random.choice(rows.n, size, replace=False)))
    return _mean_information(loss, rows, theta)


def steepest(loss: Loss, theta: Array, random: np.random.Generator, batch: int | None = None) -> float:
    """Largest curvature L of the mean loss, of the worst of some batches if given; 1 / L is a safe rate."""
    sizes = [_largest(curvature(loss, theta, random))]
    if batch is not None and batch < loss.rows.n:
        for _ in range(SAMPLES):
            rows = take(loss.rows, np.sort(random.choice(loss.rows.n, batch, replace=False)))
            sizes.append(_largest(_mean_information(loss, rows, theta)))
    return max(sizes)


def _mean_information(loss: Loss, rows: Rows, theta: Array) -> Array:
    info = loss.model.sums(rows, theta, "expected").expected
    if info is None:
        return np.zeros((len(theta), len(theta)))
    share = loss.rows.n / rows.n * info
    return (share if loss.decay is None else share + np.diag(loss.decay)) / loss.total


def _largest(matrix: Array) -> float:
    """The largest eigenvalue; of a large matrix an upper bound."""
    if not np.isfinite(matrix).all():
        return np.inf
    if len(matrix) > 200:
        return float(np.abs(matrix).sum(axis=0).max())
    return float(np.linalg.eigvalsh(matrix)[-1]) if len(matrix) else 0.0


def accuracy(model: Model, rows: Rows, theta: Array) -> float:
    """Share of the weight classified right: at a probability of 0.5, or by the most probable of several classes.

    nan for any but binomial and multinomial responses.
    """
    if model.family.name not in ("binomial", "multinomial") or not usable(theta):
        return np.nan

    def part(block: Block) -> float:
        if model.family.joint:
            y = block.response
            own = np.column_stack([1.0 - y.sum(axis=1), y])
            best = probabilities(model.eta(block, theta)).argmax(axis=1)
            return float(block.weights @ own[np.arange(len(own)), best])
        y = block.response[:, 0]
        event = model.family.mean(model.eta(block, theta))[:, 0] > 0.5
        return float(block.weights @ np.where(event, y, 1.0 - y))

    return rows.sum(part) / float(rows.weights.sum())


def runs_off(loss: Loss, theta: Array) -> bool:
    """Whether Newton's steps from theta keep moving the linear predictor: there may be no finite optimum.

    At a finite optimum a few steps leave nothing to move. On separated data every step moves the
    linear predictor by about 1 for ever, while decrement and loss shrink to nothing.
    """
    model, rows = loss.model, loss.rows
    safe = model.family.distribution.support not in ("binomial", "count", "classes") or model.penalty.strength > 0
    if safe or not model.network.affine or not usable(theta):
        return False
    found = loss.newton(theta)
    for _ in range(STEPS):
        if found is None or not found.curved or found.distance <= 1e-6:
            break
        theta = _improved(loss, theta, found.step)
        found = loss.newton(theta)
    if found is None or not found.curved:
        return found is not None
    ahead = theta + found.step

    def part(block: Block) -> int:
        moved = np.abs(model.eta(block, ahead) - model.eta(block, theta))[block.weights > 0]
        return int((moved > MOVED).sum())

    return rows.sum(part) > 0


def _improved(loss: Loss, theta: Array, step: Array) -> Array:
    """Along the step, halved until the loss does not rise."""
    here = loss.value(theta)
    for _ in range(STEPS):
        there = theta + step
        if loss.value(there) <= here:
            return there
        step = 0.5 * step
    return theta
