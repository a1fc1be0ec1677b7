"""Verdicts: how a training ended, in one sentence or two that name the next step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glmnet_bridge.fitting.losses import WIDE, Gap
from glmnet_bridge.fitting.traces import Step
from glmnet_bridge.fitting.trainings import METHODS, Training
from glmnet_bridge.model.models import Model

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Ending:
    """Everything that is known when a training ends.

    Attributes
    ----------
    outcome : see `descents.Descent`
    losses : (steps,) mean loss at each step, penalty included
    kept : the step whose theta is returned
    rate : a learning rate that would do, or nan
    partial : whether the optimum is that of the rows trained on alone
    suspicious : whether the weights may be on their way to infinity
    separated : whether the data are known to be separated, so that they are
    """

    outcome: str
    model: Model
    training: Training
    steps: tuple[Step, ...]
    losses: Array
    kept: int
    gap: Gap
    rate: float = np.nan
    partial: bool = False
    suspicious: bool = False
    separated: bool = False

    @property
    def last(self) -> int:
        return len(self.steps) - 1


def sentence(end: Ending) -> str:
    """What happened, how far from the optimum, and what to do."""
    parts = (_what(end) + _where(end), _escaping(end), _advice(end), _unsettled(end))
    return " ".join(part for part in parts if part)


def _what(end: Ending) -> str:
    unit = "step" if end.training.method == "lbfgs" else "epoch"
    after = f"{end.last} {unit}{'' if end.last == 1 else 's'}"
    best = f"the best weights so far ({unit} {end.kept}) are kept"
    held = f"the weights with the lowest validation loss ({unit} {end.kept}) are kept"
    if end.outcome == "diverged":
        rate = end.training.learning_rate
        rates = "its default learning rate" if rate is None else f"learning_rate={rate:g}"
        went = f"the mean loss went from {end.losses[0]:.4g} to {end.losses[-1]:.4g} in {after}"
        return f"Diverged: with {rates} {went}; {best}"
    if end.outcome == "interrupted":
        return f"Interrupted after {after}; {best}"
    if end.outcome == "early stop":
        return f"Stopped early after {after}; {held}"
    if end.outcome == "converged":
        return f"Converged after {after}"
    if end.training.epochs == 0:
        return "No training at all (epochs=0): the weights are those of the start"
    if _stalled(end):
        return f"Stopped after {after}, where no step improves the loss any more"
    return f"Stopped after {after}" if end.kept == end.last else f"Stopped after {after}; {held}"


def _stalled(end: Ending) -> bool:
    return end.outcome == "step limit" and end.last < end.training.epochs and not end.suspicious


def _where(end: Ending) -> str:
    if end.suspicious or end.separated:
        return "."
    if np.isnan(end.gap.distance):
        if len(end.gap.each) > WIDE:
            return f", at an unmeasured distance from the optimum (it has more than {WIDE} parameters)."
        return ", where no weight changes the likelihood of any row: every unit is dead or saturated."
    optimum = "the optimum of the rows trained on" if end.partial else "the optimum"
    text = f", {end.gap.distance:.2g} SE from {optimum}"
    sizes = np.where(np.isfinite(end.gap.each), np.abs(end.gap.each), 0.0)
    if end.outcome == "converged" or len(sizes) < 2 or not sizes.any():
        return f"{text}."
    worst = int(sizes.argmax())
    return f"{text} ({end.model.network.entries[worst]} alone is {end.gap.each[worst]:+.2g} SE away)."


def _advice(end: Ending) -> str:
    affine, training = end.model.network.affine, end.training
    exact = "" if not affine and training.method == "lbfgs" else f", or use {'IRLS' if affine else 'lbfgs'}"
    if end.outcome == "diverged":
        return f"Try learning_rate={end.rate:.1g}." if np.isfinite(end.rate) else ""
    if end.suspicious or end.separated or end.outcome == "converged":
        return ""
    if end.outcome == "early stop":
        return f"Stopping early shrinks weights like a penalty; for the maximum leave patience out{exact}."
    if end.outcome == "interrupted":
        return f"Train on from these weights with start={exact}."
    if np.isnan(end.gap.distance) and len(end.gap.each) <= WIDE:
        return "Start elsewhere, with another random_state= or start=, or lower the learning rate."
    if _stalled(end):
        return "The likelihood has a kink or no maximum there; try another start."
    more = 10 * training.epochs if training.epochs else METHODS[training.method].epochs
    return f"Train on with epochs={more}{exact}."


def _unsettled(end: Ending) -> str:
    """A constant rate that keeps the weights circling around the optimum."""
    rate = end.training.learning_rate
    if end.outcome != "step limit" or rate is None or end.last < 5 or end.losses[-1] <= end.losses[:-1].min():
        return ""
    lower = f"The loss was lower after epoch {int(end.losses[:-1].argmin())}"
    return f"{lower}: learning_rate={rate:g} is too large to settle; leave it out, and it falls to zero."


def _escaping(end: Ending) -> str:
    if end.separated and end.outcome != "diverged":
        return (
            "The data are separated, so that there is no finite optimum: the longer the training, the larger the "
            "weights. Merge or drop what separates the data, or add a penalty, such as "
            "penalty=gb.penalties.ridge(1, intercept=True)."
        )
    if not end.suspicious:
        return ""
    return (
        "There may be no finite optimum: the weights grow for ever where the data are separated, and here "
        "Newton's steps from them do not come to rest. Ask for the separation, or add a penalty."
    )
