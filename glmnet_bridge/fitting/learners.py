"""Learners: from a start and a loss to a path of thetas, one place per epoch.

A learner is a generator; whoever draws from it decides when to stop. The updates are
those of Keras (momentum: Polyak 1964; Nesterov 1983 as in Sutskever et al. 2013; Adam:
Kingma and Ba 2015 with epsilon 1e-7 outside the bias correction), L-BFGS is Nocedal's
two-loop recursion with the approximate Wolfe conditions of Hager and Zhang (2005), which
still tell better from worse where differences of the loss drown in rounding.

Without a given learning rate, a learner takes a step (or an epoch) back and halves its
rate whenever the loss says that it was too long.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glmnet_bridge.fitting.batches import batches
from glmnet_bridge.fitting.losses import WIDE, Loss, curvature, steepest, usable
from glmnet_bridge.fitting.trainings import Training

Array = np.ndarray

ADAM_RATE = 0.01
PLAIN_RATE = 0.01  # where the data show no curvature
HALVINGS = 60
PAIRS = 30  # steps that L-BFGS remembers
TRIALS = 40  # of one line search


@dataclass(frozen=True, slots=True)
class Place:
    """Where a learner is: theta `(P,)`, passes over the rows so far, and its guess of the gain to come."""

    theta: Array
    epoch: float
    gain: float = np.nan


@dataclass(slots=True)
class Momentum:
    """Velocity `(P,)`; with share 0 this is plain descent."""

    share: float
    nesterov: bool = False
    velocity: Array | float = 0.0

    def step(self, theta: Array, slope: Array, rate: float) -> Array:
        if self.share == 0.0:
            return theta - rate * slope
        self.velocity = self.share * self.velocity - rate * slope
        if self.nesterov:
            return theta + self.share * self.velocity - rate * slope
        return theta + self.velocity


@dataclass(slots=True)
class Adam:
    """Running mean and mean square of the slopes, `(P,)` each."""

    mean: Array | float = 0.0
    square: Array | float = 0.0
    steps: int = 0

    def step(self, theta: Array, slope: Array, rate: float) -> Array:
        self.steps += 1
        self.mean = self.mean + (slope - self.mean) * 0.1
        self.square = self.square + (slope * slope - self.square) * 0.001
        length = rate * np.sqrt(1.0 - 0.999**self.steps) / (1.0 - 0.9**self.steps)
        return theta - length * self.mean / (np.sqrt(self.square) + 1e-7)


def learner(loss: Loss, theta: Array, training: Training, random: np.random.Generator) -> Iterator[Place]:
    """The path that `training` asks for, without an end."""
    if training.method == "lbfgs":
        return lbfgs(loss, theta, random)
    given = training.learning_rate
    rate = default_rate(loss, theta, training, random) if given is None else given
    if training.method == "gradient descent":
        return gradient_descent(loss, theta, rate, careful=given is None)
    return minibatches(loss, theta, training, rate, random)


def default_rate(loss: Loss, theta: Array, training: Training, random: np.random.Generator) -> float:
    """(1 - momentum) / L with L the largest curvature of the loss, of all rows or of a batch.

    Adam's steps have no slope in them: 0.01, or more where few steps have to lead far.
    """
    size = batch_size(training, loss.rows.n)
    if training.method == "adam":
        steps = training.epochs * -(-loss.rows.n // (size or 1))
        return min(max(ADAM_RATE, 10.0 / max(steps, 1)), 0.5)
    bound = steepest(loss, _steep(loss, theta), random, size)
    return (1.0 - training.momentum) / bound if 0.0 < bound < np.inf else PLAIN_RATE


def _steep(loss: Loss, theta: Array) -> Array:
    """Where the curvature is largest: for a binomial GLM at zero, else the start stands for all."""
    zeros = np.zeros_like(theta)
    plain = loss.model.network.plain and loss.model.family.name == "binomial"
    return zeros if plain and np.isfinite(loss.value(zeros)) else theta


def batch_size(training: Training, n: int) -> int | None:
    """Rows per step; None for a learner that reads all of them."""
    return (training.batch_size or min(32, n)) if training.batches else None


def gradient_descent(loss: Loss, theta: Array, rate: float, *, careful: bool = False) -> Iterator[Place]:
    """`theta - rate * slope`, one place per step; `careful` halves the rate until the loss does not rise."""
    for epoch in itertools.count(1):
        here, slope = loss.value(theta), loss.slope(theta)
        there = theta - rate * slope
        if careful:
            for _ in range(HALVINGS):
                if loss.value(there) <= here + 1e-13 * (1.0 + abs(here)):
                    break
                rate *= 0.5
                there = theta - rate * slope
            else:
                return
        theta = there
        yield Place(theta, epoch)


def minibatches(
    loss: Loss, theta: Array, training: Training, rate: float, random: np.random.Generator
) -> Iterator[Place]:
    """Shuffled epochs of batches, one place per epoch."""
    careful = training.learning_rate is None
    size = batch_size(training, loss.rows.n) or loss.rows.n
    per_epoch = -(-loss.rows.n // size)
    start = before = loss.value(theta)
    for epoch in itertools.count():
        if epoch == 0:
            rule = _rule(training)
        there, step = theta, epoch * per_epoch
        for chunk, spans in batches(loss.rows, size, random):
            for span in spans:
                left = 1.0 - step / (training.epochs * per_epoch) if careful else 1.0
                there = rule.step(there, loss.batch_slope(chunk, span, there), rate * max(left, 0.0))
                step += 1
            if not usable(there):
                break
        after = loss.value(there) if careful else 0.0
        if careful and not after <= 2.0 * max(start, before):
            rate, rule = 0.5 * rate, _rule(training)
        else:
            theta, before = there, after
        yield Place(theta, epoch + 1)


def _rule(training: Training) -> Momentum | Adam:
    return Adam() if training.method == "adam" else Momentum(training.momentum, training.method == "nesterov")


def lbfgs(loss: Loss, theta: Array, random: np.random.Generator) -> Iterator[Place]:
    """Quasi-Newton steps on all rows; ends where no step improves the loss.

    The first metric is the diagonal of the information at the start, so that units of columns
    do not matter.
    """
    metric = _first_metric(loss, theta, random)
    pairs: deque[tuple[Array, Array, float]] = deque(maxlen=PAIRS)
    passes = 0
    while True:
        slope = loss.slope(theta)
        direction = -_two_loops(slope, pairs, metric)
        gain = -float(slope @ direction)
        if not gain > 0.0 and pairs:
            pairs.clear()
            direction = -_two_loops(slope, pairs, metric)
            gain = -float(slope @ direction)
        found, trials = line_search(loss, theta, direction)
        if found is None:
            if not pairs:
                return
            pairs.clear()
            continue
        passes += trials
        moved, turned = found - theta, loss.slope(found) - slope
        if moved @ turned > 1e-14 * np.sqrt((moved @ moved) * (turned @ turned)):
            pairs.append((moved, turned, 1.0 / float(moved @ turned)))
        theta = found
        ahead = loss.slope(theta)
        yield Place(theta, passes, gain=loss.total * float(ahead @ _two_loops(ahead, pairs, metric)))


def _first_metric(loss: Loss, theta: Array, random: np.random.Generator) -> Array:
    """Inverse curvature `(P,)` of each parameter at the start, 1 where it shows none."""
    if len(theta) > WIDE:
        return np.ones_like(theta)
    diagonal = curvature(loss, theta, random).diagonal()
    shown = (diagonal > 0) & np.isfinite(diagonal)
    return 1.0 / np.where(shown, diagonal, 1.0)


def _two_loops(slope: Array, pairs: deque[tuple[Array, Array, float]], metric: Array) -> Array:
    """The inverse Hessian that the pairs of steps and turns suggest, times the slope."""
    rest, shares = slope.copy(), []
    for moved, turned, weight in reversed(pairs):
        shares.append(weight * float(moved @ rest))
        rest -= shares[-1] * turned
    rest *= metric
    if pairs:
        moved, turned, weight = pairs[-1]
        rest /= weight * float(turned @ (metric * turned))
    for (moved, turned, weight), share in zip(pairs, reversed(shares), strict=True):
        rest += (share - weight * float(turned @ rest)) * moved
    return rest


def line_search(loss: Loss, theta: Array, direction: Array) -> tuple[Array | None, int]:
    """A theta along the direction that meets Wolfe's conditions, or None; and the number of trials.

    The loss must fall by Armijo's rule, or, where its differences are rounding, the slope along
    the direction must say that it did; and that slope must have flattened to 0.9 of the first.
    """
    start, fall = loss.value(theta), float(loss.slope(theta) @ direction)
    noise = 1e-13 * (1.0 + abs(start))
    low, high, low_fall = 0.0, np.inf, fall
    length = 1.0
    for trial in range(1, TRIALS + 1):
        there = theta + length * direction
        value = loss.value(there)
        rise = float(loss.slope(there) @ direction) if np.isfinite(value) else np.nan
        armijo = value <= start + 1e-4 * length * fall
        nearly = value <= start + noise and rise <= (2e-4 - 1.0) * fall
        if (armijo and abs(rise) <= -0.9 * fall) or (nearly and rise >= 0.9 * fall):
            return there, trial
        if not value <= start + noise or rise > 0.0:
            high, turned = length, rise
        else:
            low, low_fall, turned = length, rise, np.nan
        length = _next_length(low, high, low_fall, turned)
    return None, TRIALS


def _next_length(low: float, high: float, low_fall: float, high_rise: float) -> float:
    """Longer while nothing stops the fall; else where the slope's secant crosses zero, inside the bracket."""
    if np.isinf(high):
        return 4.0 * low if low > 0 else 1.0
    middle = 0.5 * (low + high)
    if high_rise > 0.0 and low_fall < 0.0:
        middle = low - low_fall * (high - low) / (high_rise - low_fall)
    width = high - low
    return min(max(middle, low + 0.1 * width), high - 0.1 * width)
