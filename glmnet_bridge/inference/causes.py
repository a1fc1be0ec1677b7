"""Causes: why a network's coefficients are not the maximum-likelihood estimate, and how much each cause explains.

One cause is undone at a time, in the order in which training put them there:

    as trained -> trained on to its own optimum -> without penalty -> without label smoothing
               -> without class weights -> with the likelihood as loss -> with all terms free (the estimate)

A loss that took probabilities for logits is undone before the penalty. Each difference of coefficients
is a share of the gap; the shares add up to it. In one number, a share is the projection of its
difference on the whole gap, in the metric of the information.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.errors import listed
from glmnet_bridge.inference.optima import Aim, optimum
from glmnet_bridge.model.families import Family, Link
from glmnet_bridge.model.losses import squared_error, twice, twice_softmax
from glmnet_bridge.model.models import Sums

Array = np.ndarray

NO_CAUSES = pd.DataFrame(columns=["cause", "share", "distance", "largest", "explanation"])
DOUBLE = 1e-12  # machine epsilon of single precision is above, that of double precision below
EXPRESSED = 1e-6  # standard errors within which the network's own maximum is the estimate
SINGLE = 64  # roundings in single precision that a trained weight may hold
# losses that are no likelihood, and whose optimum is known: their kernels, and what these are times the loss
TWO = ("cross-entropy through two sigmoids", "cross-entropy through two softmaxes")
LOSSES: dict[str, tuple[Callable[[Link], Callable[[Array, Array], Any]], float]] = {
    "squared error": (squared_error, 0.5),
    TWO[0]: (twice, 1.0),
    TWO[1]: (twice_softmax, 1.0),
}


@dataclass(frozen=True, slots=True)
class Training:
    """What is known of how a network was trained, on the scale of the total log-likelihood at dispersion 1.

    Where `loss` is "squared error", on the scale of the total of squared errors, without a half.

    Attributes
    ----------
    l1, l2 : (P,) penalties
    penalty : in words, such as "C=1.0", or ""
    loss : "" for the likelihood, a key of `LOSSES`, else the name of a loss whose optimum is not known
    smoothing : label smoothing
    class_weights : (k + 1,) of the base class (or the other level) and of those that the k outputs speak of, or None
    precision : machine epsilon of its arithmetic
    besides : what else may have kept it from its optimum, such as "AdamW's decoupled weight decay"
    family : the family whose likelihood the loss is, where that is another one than the model's
    """

    l1: Array
    l2: Array
    penalty: str = ""
    loss: str = ""
    smoothing: float = 0.0
    class_weights: Array | None = None
    precision: float = float(np.finfo(float).eps)
    besides: tuple[str, ...] = ()
    family: Family | None = None

    @property
    def penalised(self) -> bool:
        """Whether some weight has a penalty."""
        return bool(self.l1.any() or self.l2.any())

    @property
    def other(self) -> str:
        """What else than the likelihood, in words, the training aimed at; or ""."""
        parts = [f"label smoothing {self.smoothing:g}"] if self.smoothing else []
        parts += ["class weights"] if self.class_weights is not None else []
        return " with ".join([*([self.loss] if self.loss else []), *parts])


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause: its name, in words, and the difference `(q,)` of the coefficients that it makes."""

    name: str
    words: str
    difference: Array


@dataclass(frozen=True, slots=True)
class Causes:
    """All causes of a gap, in the order in which they were undone.

    Attributes
    ----------
    columns : names of the q coefficients
    found : the causes
    gap : (q,) coefficients less the estimate
    errors : (q,) standard errors of the estimate
    shares : share of each cause in the gap; they add up to 1
    size : the gap in standard errors, all coefficients together
    """

    columns: tuple[str, ...]
    found: tuple[Cause, ...]
    gap: Array
    errors: Array
    shares: Array
    size: float

    def table(self) -> pd.DataFrame:
        """One row per cause: `cause, share, distance, largest, explanation`; `distance` in standard errors."""
        rows = []
        for cause, share in zip(self.found, self.shares, strict=True):
            with np.errstate(invalid="ignore", divide="ignore"):
                in_errors = cause.difference / self.errors
            at = int(np.nanargmax(np.abs(np.where(np.isfinite(in_errors), in_errors, 0.0))))
            largest = f"{self.columns[at]} ({in_errors[at]:+.2g} SE)"
            rows.append((cause.name, share, share * self.size, largest, cause.words))
        return pd.DataFrame(rows, columns=NO_CAUSES.columns)

    def by_term(self) -> pd.DataFrame:
        """One row per coefficient, one column per cause, in standard errors; the last column is their sum, the gap."""
        with np.errstate(invalid="ignore", divide="ignore"):
            out = {cause.name: cause.difference / self.errors for cause in self.found}
            out["gap"] = self.gap / self.errors
        return pd.DataFrame(out, index=list(self.columns))


def undone(
    training: Training,
    aim: Aim,
    theta: Array,
    coefficients: Callable[[Array], Array],
    dispersion: float,
    sizes: Array,
    here: Sums | None = None,
    known: Array | None = None,
) -> list[tuple[str, str, Array, Array]]:
    """Undo one cause after the other: `name, words, coefficients before, coefficients after`.

    Parameters
    ----------
    training : what is known of it
    aim : the unpenalised likelihood on the rows as they are
    theta : (P,) weights as trained
    coefficients : theta to `(q,)`
    dispersion : of the estimate
    sizes : (q,) what each coefficient is added up from, in size: what rounding of the weights is relative to
    here : the sums of `aim` at theta, where they are known
    known : (q,) the coefficients at the maximum of the likelihood, where the network can express them
    """
    steps: list[tuple[str, str, Array, Array]] = []
    at = theta

    def move(name: str, words: str, to: Aim) -> None:
        nonlocal at
        likelihood = to.model is aim.model and to.rows is aim.rows
        if likelihood and not to.penalised and known is not None:
            steps.append((name, words, coefficients(at), known))
            return  # the last one
        there = optimum(to, at, dispersion, here if likelihood and at is theta else None)
        if not there.reached:
            words += " (its optimum was not found exactly)"
        steps.append((name, words, coefficients(at), coefficients(there.theta)))
        at = there.theta

    first = own(training, aim)
    if first is None:
        move(
            "loss and training",
            f"{training.loss} is not minus a log-likelihood, and where its training would end is not known",
            aim,
        )
        return steps
    which = "penalised loss" if first.penalised else "loss"
    rounded = ("single precision", "the weights are rounded to single precision")
    kept = f", or was kept from it by {listed(list(training.besides), 4)}" if training.besides else ""
    words = f"training stopped short of the optimum of its {which}{kept}"
    move("training", words, first)
    if rounding_only(steps[0][2] - steps[0][3], sizes, training.precision):
        steps[0] = (*rounded, *steps[0][2:])
    if training.loss in TWO:
        # without the penalty its optimum may lie at infinity, so that it is undone first, beside the same penalty
        words = f"{training.loss} is minimised elsewhere than through one of them"
        training = replace(training, loss="")
        first = own(training, aim) or aim
        move("loss", words, first)
    if first.penalised:
        free = replace(first, l1=np.zeros_like(first.l1), l2=np.zeros_like(first.l2))
        move("penalty", f"the penalty of the training ({training.penalty}) pulls the weights to 0", free)
    if training.smoothing:
        bare = replace(training, smoothing=0.0, l1=0 * training.l1, l2=0 * training.l2)
        classes = aim.rows.response.shape[1] + 1
        words = f"label smoothing {training.smoothing:g} trains on responses moved towards 1/{classes}"
        move("label smoothing", words, own(bare, aim) or aim)
    if training.class_weights is not None:
        bare = replace(training, smoothing=0.0, class_weights=None, l1=0 * training.l1, l2=0 * training.l2)
        move("class weights", "class weights count the rows of some classes more than once", own(bare, aim) or aim)
    if training.loss:
        move("loss", f"{training.loss} is minimised elsewhere than minus the log-likelihood", aim)
    return steps


def causes(
    steps: Sequence[tuple[str, str, Array, Array]],
    columns: tuple[str, ...],
    mle: Array,
    errors: Array,
    information: Array,
    terms: str,
) -> Causes:
    """The causes of a gap, with their shares.

    Parameters
    ----------
    steps : what `undone` found, at least one
    columns : names of the q coefficients
    mle, errors : (q,) the estimate; nan where it has none
    information : (q, q) at the estimate, over the dispersion; 0 where there is no estimate
    terms : what the network's structure leaves out or ties, in words, or ""
    """
    found = [Cause(name, words, before - after) for name, words, before, after in steps]
    rest = steps[-1][3] - mle
    if _size(rest, information) <= EXPRESSED or not terms:
        # rounding of the optima, or an optimum that was not found: a network that ties nothing can express the estimate
        found[-1] = replace(found[-1], difference=found[-1].difference + rest)
    else:
        found.append(Cause("structure", terms, rest))
    gap = steps[0][2] - mle
    size = _size(gap, information)
    known = np.nan_to_num(gap)
    shares = np.array([np.nan_to_num(cause.difference) @ information @ known for cause in found])
    shares = shares / size**2 if size > 0 else np.zeros(len(found))
    return Causes(columns, tuple(found), gap, errors, shares, size)


def _size(difference: Array, information: Array) -> float:
    known = np.nan_to_num(difference)
    return float(np.sqrt(max(known @ information @ known, 0.0)))


def own(training: Training, aim: Aim) -> Aim | None:
    """What a network was trained for; None for a loss whose optimum is not known here."""
    model, rows, factor = aim.model, aim.rows, 1.0
    if training.family is not None:
        model = replace(model, family=training.family)
    elif training.loss:
        if training.loss not in LOSSES:
            return None
        kernel, factor = LOSSES[training.loss]
        model = replace(model, family=replace(model.family, kernel=kernel(model.family.link)))
    if training.smoothing:
        classes = max(rows.response.shape[1] + 1, 2)
        smooth = rows.response * (1.0 - training.smoothing) + training.smoothing / classes
        rows = replace(rows, response=smooth)
    if training.class_weights is not None:
        # each class's part of a response counts by its own weight, which smoothed ones hold several of
        parts = by_class(rows.response) * training.class_weights
        total = parts.sum(axis=1)
        shares = parts[:, 1:] / np.where(total > 0, total, 1.0)[:, None]
        rows = replace(rows, response=shares, weights=rows.weights * total)
    # half the squared error is what is maximised: its penalty is halved too
    return Aim(model, rows, factor * training.l1, factor * training.l2)


def by_class(response: Array) -> Array:
    """Each class's part of the response, `(n, k)` to `(n, k + 1)`: what is left to 1 is the base's, or the other's."""
    return np.column_stack([1.0 - response.sum(axis=1), response])


def rounding_only(difference: Array, sizes: Array, precision: float) -> bool:
    """Whether a difference of coefficients is what weights of single precision leave; no column's unit matters."""
    return precision > DOUBLE and bool(np.all(np.abs(np.nan_to_num(difference)) <= SINGLE * precision * sizes))
