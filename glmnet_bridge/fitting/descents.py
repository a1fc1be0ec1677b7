"""Descents: train a network by gradients, and say how far from the optimum it ended.

    start -> learner -> one recorded place per epoch -> outcome, sentence, trace

The learners of the tutorials are solvers of the same model as Newton: same likelihood,
same score, same trace. Every end is a value, and all but "converged" come with one
`ConvergenceWarning` that says how many standard errors the weights are short, and what
to do about it.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from glmnet_bridge.data.rows import Rows, one_blas_thread
from glmnet_bridge.errors import ArgumentError, ConvergenceWarning, warn
from glmnet_bridge.fitting import verdicts
from glmnet_bridge.fitting.batches import hold
from glmnet_bridge.fitting.beginnings import checked_start, first_weights, held_out
from glmnet_bridge.fitting.learners import Place, default_rate, learner
from glmnet_bridge.fitting.losses import WIDE, Loss, Reference, accuracy, reference_at, runs_off
from glmnet_bridge.fitting.traces import Step, Trace
from glmnet_bridge.fitting.trainings import Training, seed_of
from glmnet_bridge.fitting.verdicts import Ending
from glmnet_bridge.model.models import Model

Array = np.ndarray
Report = Callable[[Step, float], None]

CHEAP = 2e7  # rows * P^2 below which every epoch measures its distance
LOOKS = 20  # measured distances of a longer training
FAR = 10.0  # a loss so many times that of the start has diverged


@dataclass(frozen=True, slots=True)
class Descent:
    """What a training found.

    Attributes
    ----------
    theta : (P,) parameters
    trace : one row per epoch, the start included; its `loglik` and `accuracy` are those of the
        rows trained on
    outcome : "converged", "step limit", "early stop", "diverged" or "interrupted"
    sentence : the outcome in words, with the distance and the next step
    distance : of theta from the optimum, in standard errors; nan where it could not be measured
    distances : (P,) array `(theta - optimum) / SE`, nan for parameters that are not identified alone
    suspicious : whether weights may be on their way to infinity, so that separation is to be proved
    """

    theta: Array
    trace: Trace
    outcome: str
    sentence: str
    distance: float
    distances: Array
    suspicious: bool = False


def descend(
    model: Model,
    rows: Rows,
    training: Training,
    *,
    theta: Array | None = None,
    reference: Array | None = None,
    nobs: float | None = None,
    separated: bool = False,
) -> Descent:
    """Train the network of `model` on `rows`.

    Parameters
    ----------
    model : any network, family and penalty
    rows : all rows; with `training.validation` some of them are held out
    training : the options, see `trainings.training`
    theta : (P,) start; by default `training.start`, else that of `beginnings.first_weights`
    reference : (P,) the optimum on all rows, if it is known: distances are then measured to it
        exactly; without it by one Newton step, on the rows trained on
    nobs : number of observations, for the dispersion; rows by default
    separated : whether it is known that the data are, and that no weights are the optimum

    Returns
    -------
    Descent

    Raises
    ------
    ArgumentError
        for a start or a batch size that does not fit

    Warns
    -----
    ConvergenceWarning
        once, for any outcome but "converged"
    """
    seed = seed_of(training.random_state)
    starting, splitting, learning = (np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(3))
    own = hold(rows) if training.batches else rows
    # a step that diverges passes through infinity: the outcome says so, not a floating-point warning
    with one_blas_thread(), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # threads do not see errstate
        part, watched = held_out(own, training.validation, splitting)
        _check_batch(training, part.n)
        start = training.start if theta is None else theta
        first = first_weights(model, part, starting) if start is None else checked_start(model, part, start)
        diary = _Diary(
            _loss(model, part, nobs, rows.n),
            training,
            None if watched is None else Loss(model, watched),
            None if reference is None else reference_at(_loss(model, own, nobs, rows.n), reference),
        )
        outcome = _follow(diary, first, learning)
        end = replace(_ending(diary, outcome, learning), separated=separated)
    said = verdicts.sentence(end)
    if end.outcome != "converged":
        warn(said, ConvergenceWarning)
    steps = list(end.steps)
    steps[end.kept] = replace(steps[end.kept], distance=end.gap.distance)
    return Descent(
        theta=steps[end.kept].theta,
        trace=Trace(tuple(steps), model.network.entries, training.method, seed),
        outcome=end.outcome,
        sentence=said,
        distance=end.gap.distance,
        distances=end.gap.each,
        suspicious=end.suspicious,
    )


def _check_batch(training: Training, n: int) -> None:
    if training.batch_size is not None and training.batch_size > n:
        held = "" if training.validation is None else ", the others are held out"
        raise ArgumentError(
            f"batch_size={training.batch_size} is more than the {n} rows that are trained on{held}. "
            f"Give a whole number from 1 to {n}."
        )


def _loss(model: Model, rows: Rows, nobs: float | None, n: int) -> Loss:
    """The loss on `rows`, which may be a part of all n."""
    if not model.family.distribution.free_dispersion:
        return Loss(model, rows)
    return Loss(model, rows, (nobs or n) * rows.n / n - model.network.parameters)


@dataclass(slots=True)
class _Diary:
    """What happened so far; a step is written when everything about it is known, so no half step stays.

    `losses` and `watched_losses` go with `steps`; `decrement` is that of the last step, or nan.
    """

    loss: Loss
    training: Training
    watched: Loss | None
    reference: Reference | None
    steps: list[Step] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    decrement: float = np.nan
    began: float = field(default_factory=time.perf_counter)

    def add(self, place: Place) -> Step:
        theta, loss = place.theta, self.loss
        decrement = self._decrement(place)
        step = Step(
            step=len(self.steps),
            epoch=place.epoch,
            loglik=loss.loglik(theta),
            distance=decrement if self.reference is None else self.reference.distance(theta),
            seconds=time.perf_counter() - self.began,
            theta=theta,
            validation_loss=np.nan if self.watched is None else -self.watched.loglik(theta) / self.watched.total,
            accuracy=accuracy(loss.model, loss.rows, theta),
        )
        value = loss.value(theta)
        self.decrement = decrement
        self.losses.append(value)
        self.steps.append(step)
        return step

    def _decrement(self, place: Place) -> float:
        """Measured every epoch where that is cheap, else now and then, and where the learner expects it."""
        loss, theta = self.loss, place.theta
        guess = np.nan
        if np.isfinite(place.gain):
            spread = 1.0 if loss.residual_df is None else -2.0 * loss.loglik(theta) / max(loss.residual_df, 1.0)
            guess = float(np.sqrt(max(place.gain, 0.0) / max(spread, np.finfo(float).tiny)))
        if len(theta) > WIDE:
            return guess
        cheap = loss.rows.n * len(theta) ** 2 < CHEAP
        every = 1 if cheap else max(1, math.ceil(self.training.epochs / LOOKS))
        if len(self.steps) % every and not guess <= 3.0 * self.training.tol:
            return np.nan
        newton = loss.newton(theta)
        return np.nan if newton is None else newton.distance

    def best(self) -> int:
        """The step with the lowest loss; with early stopping the first with the lowest validation loss."""
        if self.training.patience:
            held = np.array([step.validation_loss for step in self.steps])
            return int(np.where(np.isfinite(held), held, np.inf).argmin())
        losses = np.where(np.isfinite(self.losses), self.losses, np.inf)
        # near the optimum losses differ by rounding alone: the last of them is the nearest
        return int(np.flatnonzero(losses <= losses.min() * (1.0 + 1e-12))[-1])

    def verdict(self, ceiling: float) -> str | None:
        """The outcome, if training ends here."""
        if not self.losses[-1] <= ceiling:
            return "diverged"
        if self.decrement <= self.training.tol:
            return "converged"
        patience = self.training.patience
        if patience is not None and len(self.steps) - 1 - self.best() >= patience:
            return "early stop"
        return None


def _follow(diary: _Diary, theta: Array, random: np.random.Generator) -> str:
    """Draw places from the learner until one of them ends the training."""
    training = diary.training
    try:
        with _progress(training) as report:
            diary.add(Place(theta, 0.0))
            ceiling = FAR * max(diary.losses[0], _zero_loss(diary.loss, theta))
            outcome = diary.verdict(ceiling)
            if outcome is None and training.epochs:
                for place in learner(diary.loss, theta, training, random):
                    report(diary.add(place), diary.losses[-1])
                    outcome = diary.verdict(ceiling)
                    if outcome is not None or len(diary.steps) > training.epochs:
                        break
    except KeyboardInterrupt:
        if not diary.steps:
            raise
        return "interrupted"
    return outcome or "step limit"


def _zero_loss(loss: Loss, theta: Array) -> float:
    """The loss at zero, where that is defined: a start at the optimum is no measure of a large loss."""
    value = loss.value(np.zeros_like(theta))
    return value if np.isfinite(value) else 0.0


def _ending(diary: _Diary, outcome: str, random: np.random.Generator) -> Ending:
    """Measure the theta that is returned."""
    training, loss = diary.training, diary.loss
    choose = training.patience is not None or outcome in ("diverged", "interrupted")
    kept = diary.best() if choose and outcome != "converged" else len(diary.steps) - 1
    theta = diary.steps[kept].theta
    rate = np.nan
    if outcome == "diverged":
        rate = default_rate(loss, diary.steps[0].theta, training, random)
        if training.learning_rate is not None:
            rate = min(rate, 0.1 * training.learning_rate)
    ran = training.epochs > 0 and outcome in ("converged", "step limit", "early stop")
    escapes = ran and runs_off(loss, theta)
    return Ending(
        # a likelihood without maximum is flat far out: no decrement can say that it was reached
        outcome="step limit" if escapes and outcome == "converged" else outcome,
        model=loss.model,
        training=training,
        steps=tuple(diary.steps),
        losses=np.array(diary.losses),
        kept=kept,
        gap=loss.gap(theta) if diary.reference is None else diary.reference.gap(theta),
        rate=rate,
        partial=diary.watched is not None and diary.reference is None,
        suspicious=escapes,
    )


@contextmanager
def _progress(training: Training) -> Iterator[Report]:
    """A bar with loss and distance, or nothing."""
    if not training.progress:
        yield lambda step, loss: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=training.epochs, desc=training.method) as bar:

        def report(step: Step, loss: float) -> None:
            bar.set_postfix({"loss": f"{loss:.5g}", "SE from optimum": f"{step.distance:.3g}"}, refresh=False)
            bar.update()

        yield report
