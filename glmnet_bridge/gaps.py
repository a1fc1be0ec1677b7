"""Gaps: why a network is not at the maximum of the likelihood, from what is known of its training.

The arithmetic is that of `inference.causes` and `inference.optima`; here it is given a network's rows,
its penalty and its loss, in our scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from glmnet_bridge.design.responses import Response
from glmnet_bridge.fits import Fit
from glmnet_bridge.inference import causes, optima
from glmnet_bridge.inference.causes import Causes, Training
from glmnet_bridge.inference.optima import Aim
from glmnet_bridge.mapping.correspondences import Correspondence
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import fold

Array = np.ndarray


def training_of(fit: Fit, response: Response) -> Training:
    """What is known of a network's training, on the scale of the total log-likelihood at dispersion 1.

    Parameters
    ----------
    fit : the network on the rows
    response : of the formula, to tell the classes apart
    """
    none = np.zeros(fit.estimate.model.network.parameters)
    foreign = fit.foreign
    if foreign is None:
        penalty = fit.estimate.model.penalty
        diagonal = penalty.diagonal(fit.estimate.model.network.entries)
        return Training(none, none if diagonal is None else diagonal, repr(penalty) if penalty.strength else "")
    school = foreign.schooling
    l1, l2, words = none, none, ""
    if school.decay is not None:
        rows = float(fit.rows.n) if school.decay.per_row else 1.0
        l1, l2, words = rows * school.decay.l1, rows * school.decay.l2, school.decay.words
    loss = "" if school.likelihood else school.loss or "the loss"
    weights = None
    if school.class_weights is not None:
        y, said = fit.rows.response[:, 0], school.class_weights
        weights = causes.class_weights(fit.rows, y, _balanced(y) if isinstance(said, str) else _both(said, response))
    return Training(l1, l2, words, loss, school.smoothing, weights, foreign.precision)


def _balanced(y: Array) -> tuple[float, float]:
    """Weights that give both classes the same total, as scikit-learn's "balanced"."""
    events = float(y.sum())
    return len(y) / (2.0 * (len(y) - events)), len(y) / (2.0 * events)


def _both(weights: Mapping[Any, float], response: Response) -> tuple[float, float]:
    """The weights of the other level and of the event; by place where the labels are not the response's."""
    if response.event in weights:
        other = next((level for level in response.levels if level != response.event), None)
        return float(weights.get(other, 1.0)), float(weights[response.event])
    first, last = (float(each) for each in list(weights.values())[:2])
    return first, last


def short_of(training: Training, fit: Fit, dispersion: float) -> float:
    """How far the weights are from the optimum of their own training, in standard errors; nan where that is unknown."""
    aim = _aim(training, fit)
    own = causes.own(training, aim)
    if own is None:
        return np.nan
    known = fit.estimate.sums if own.rows is aim.rows and own.model is aim.model else None
    return optima.short(own, fit.estimate.theta, dispersion, known)


def causes_of(training: Training, map_: Correspondence, fit: Fit, union: Fit) -> Causes | None:
    """The causes of the gap between a network and the estimate; None where there is no finite estimate.

    Parameters
    ----------
    training : what is known of it
    map_ : the correspondence
    fit : the network
    union : the maximum-likelihood fit of formula and network together
    """
    information = union.estimate.sums.expected
    mle = union.params.to_numpy()
    if information is None or not np.isfinite(mle[map_.kept]).all():
        return None
    network = fit.estimate.model.network

    def coefficients(theta: Array) -> Array:
        beta = fold(network, theta).T.ravel()
        out = np.full(len(map_.columns), np.nan)
        out[map_.kept] = beta[map_.kept]
        return out

    steps = steps_of(training, fit, coefficients)
    whole = np.zeros((len(mle), len(mle)))
    whole[np.ix_(map_.kept, map_.kept)] = information / union.dispersion
    terms = "; ".join(tie.text for tie in map_.ties[:4])
    return causes.causes(steps, map_.columns, mle, union.bse.to_numpy(), whole, terms)


def steps_of(training: Training, fit: Fit, seen: Callable[[Array], Array]) -> list[tuple[str, str, Array, Array]]:
    """The causes in a network's own training, in turn: `name, words, before, after`, as `seen` shows theta."""
    return causes.undone(training, _aim(training, fit), fit.estimate.theta, seen, fit.dispersion)


def _aim(training: Training, fit: Fit) -> Aim:
    """The likelihood itself, without penalty, on the rows as they are."""
    found = fit.estimate.model
    none = np.zeros_like(training.l1)
    return Aim(Model(found.columns, found.network, found.family), fit.rows, none, none)
