"""Gaps: why a network is not at the maximum of the likelihood, from what is known of its training.

The arithmetic is that of `inference.causes` and `inference.optima`; here it is given a network's rows,
its penalty and its loss, in our scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters import labels, outputs
from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.answers import rows_of
from glmnet_bridge.data.rows import Rows
from glmnet_bridge.design.responses import Response
from glmnet_bridge.errors import BridgeError, DataWarning, warn
from glmnet_bridge.fits import Fit
from glmnet_bridge.fitting.estimates import estimate
from glmnet_bridge.inference import causes, optima
from glmnet_bridge.inference.causes import Causes, Training
from glmnet_bridge.inference.optima import Aim
from glmnet_bridge.mapping import correspondences, faults, orders, shrinkages, verdicts
from glmnet_bridge.mapping.correspondences import Correspondence
from glmnet_bridge.mapping.orders import Nameless
from glmnet_bridge.mapping.remarks import Remarks
from glmnet_bridge.mapping.unions import CONSTANT, Combined, Union
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import Network, fold, fold_jacobian, single_unit

Array = np.ndarray
Weights = Mapping[Any, float] | tuple[float, ...] | str


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
        diagonal = fit.estimate.model.decay
        return Training(none, none if diagonal is None else diagonal, repr(penalty) if penalty.strength else "")
    school = foreign.schooling
    class_weights = None
    if school.class_weights is not None:
        class_weights = _class_weights(school.class_weights, foreign, fit, response)
    l1, l2, words = none, none, ""
    if school.decay is not None:
        counted = _counted(fit) if school.decay.one_by_one else fit.rows.weights
        if school.decay.weighted and class_weights is not None:
            counted = counted * (causes.by_class(fit.rows.response) @ class_weights)
        rows = float(counted.sum()) if school.decay.per_row else 1.0
        l1, l2, words = rows * school.decay.l1, rows * school.decay.l2, school.decay.words
        if school.decay.per_row and school.decay.one_by_one and fit.sample.prior_weights is not None:
            words = f"{words}, beside a mean over {rows:g} rows"
    loss = "" if school.likelihood else school.instead or school.loss or "the loss"
    return Training(
        l1, l2, words, loss, school.smoothing, class_weights, foreign.precision, school.besides, school.other_family
    )


def _counted(fit: Fit) -> Array:
    """How many rows `(n,)` each row is: its frequency weight, for prior weights are no rows."""
    sample = fit.sample
    given = [part for part in (sample.trials, sample.freq_weights) if part is not None]
    out = np.ones(sample.n)
    for part in given:
        out = out * part
    return out


def _class_weights(given: Weights, foreign: Foreign, fit: Fit, response: Response) -> Array:
    """Class weights `(k + 1,)` by the labels of the classes, their places, or inversely to their numbers of rows."""
    shown = fit.rows.response
    if isinstance(given, str):
        of_class = causes.by_class(shown)
        shares = np.average(of_class, axis=0, weights=fit.rows.weights)
        return np.asarray(1.0 / (of_class.shape[1] * np.maximum(shares, np.finfo(float).tiny)))
    if isinstance(given, tuple):
        if response.kind not in ("binary", "classes"):
            return np.array(given)  # failures and successes
        given = _by_place(given, foreign, response)
    if shown.shape[1] == 1 and response.kind != "classes":
        return np.array(_both(given, response))
    others = fit.estimate.model.outputs
    first = next((str(level) for level in response.levels if str(level) not in others), "")
    by_name = {str(label): float(weight) for label, weight in given.items()}
    return np.array([by_name.get(name, 1.0) for name in (first, *others)])


def _by_place(weights: Sequence[float], foreign: Foreign, response: Response) -> dict[Any, float]:
    """Weights of a network's outputs, in their order, by the levels that these speak of."""
    if response.kind == "classes":
        return dict(zip(outputs.class_order(foreign, response), weights, strict=True))
    own = labels.spoken(foreign, response).level
    return {level: weights[-1] if level == own else weights[0] for level in response.levels}


def _both(weights: Mapping[Any, float], response: Response) -> tuple[float, float]:
    """The weights of the other level and of the event; by place where the labels are not the response's."""
    other = next((level for level in response.levels if level != response.event), None)
    if response.event in weights or other in weights or len(weights) != 2:
        return float(weights.get(other, 1.0)), float(weights.get(response.event, 1.0))
    first, last = (float(weights[label]) for label in sorted(weights, key=lambda label: (str(type(label)), label)))
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
    information = map_.terms.ordered(union.estimate.sums).expected
    mle = union.params.to_numpy()
    if information is None or not np.isfinite(mle[map_.kept]).all():
        return None
    network = fit.estimate.model.network

    def coefficients(theta: Array) -> Array:
        beta = fold(network, theta).T.ravel()
        out = np.full(len(map_.columns), np.nan)
        out[map_.kept] = beta[map_.kept]
        return out

    theta = fit.estimate.theta
    sizes = np.abs(fold_jacobian(network, theta)) @ np.abs(theta)
    free = not (map_.ties or map_.narrow)
    steps = steps_of(training, fit, (coefficients, sizes.reshape(-1, network.outputs).T.ravel()), mle if free else None)
    whole = np.zeros((len(mle), len(mle)))
    whole[np.ix_(map_.kept, map_.kept)] = information / union.dispersion
    terms = "; ".join(tie.text for tie in map_.ties[:4]) or ("narrow layers" if map_.narrow else "")
    return causes.causes(steps, map_.columns, mle, union.bse.to_numpy(), whole, terms)


def remarks_of(fit: Fit, network: Network, nameless: Nameless | None, wide: Fit) -> Remarks:
    """What is wrong with a network's output, and whether its inputs make more sense in another order: that warns.

    Parameters
    ----------
    fit : the network, over the columns of formula and network
    network : as it was given, over its own inputs
    nameless : which of these only their order tells apart
    wide : the maximum of the likelihood on the same columns
    """
    model, theta, order = fit.estimate.model, fit.estimate.theta, None
    precision = fit.foreign.precision if fit.foreign is not None else float(np.finfo(float).eps)
    end = faults.output(model, fit.rows, theta, precision) if len(wide.names) > 1 else None
    if nameless is not None:
        known = orders.Known(fit.deviance, wide.deviance, wide.dispersion, lambda: fit.null_deviance)
        order = orders.better(nameless, network, model, theta, fit.rows, known)
    if order is not None:
        warn(order.sentence, DataWarning)
    return Remarks(
        output=faults.output_faults(model, theta, end),
        constant=end is not None and end.constant,
        order="" if order is None else order.sentence,
    )


def faults_of(network: Fit, glm: Fit, found: Remarks) -> tuple[str, ...]:
    """What a verdict says is wrong with a network's output, one sentence each."""
    said = found.output
    own = network.estimate is not glm.estimate and CONSTANT in network.estimate.model.columns
    if own and network.deviance >= network.null_deviance:
        aims = training_of(network, glm.recipe.response).other
        known = found.constant or found.misplaced
        guess = "" if known else verdicts.guess(network.estimate.trace.method != "none", aims)
        said = (verdicts.no_better(network.deviance, network.null_deviance, guess), *said)
    return (*said, *found.places)


def constrained(map_: Correspondence, union: Union, fit: Fit) -> Fit | None:
    """The GLM under the constraints that the network puts on it; None without any, or without finite estimate."""
    network = correspondences.reduced(map_, union.inputs)
    if network is None or network.inputs.matrix is None:
        return None
    matrix, ones = network.inputs.matrix[:, : len(network.entries)], union.inputs.ones
    same = [] if ones is None else np.flatnonzero((matrix == ones[:, None]).all(axis=0)).tolist()
    at = same[0] if same else -1
    names = tuple(CONSTANT if j == at else name for j, name in enumerate(network.entries))
    model = Model(names, single_unit(names), fit.family)
    rows = _with_offset(rows_of(fit.sample), map_.constant)
    found = estimate(model, replace(rows, source=Combined(rows.source, matrix, at)), nobs=fit.nobs)
    if found.rank is not None or found.separation is not None:
        return None
    over = Model(union.names, replace(network, entries=names), fit.family)
    return replace(fit, estimate=replace(found, model=over, rank=union.rank), foreign=None)


def _with_offset(rows: Rows, constant: Array) -> Rows:
    """The rows, with what no weight changes, U c, as offset."""
    if not constant.any():
        return rows
    known = np.concatenate([block.columns.dot(constant[:, None]) for block in rows.blocks()])
    return replace(rows, offset=known if rows.offset is None else rows.offset + known)


def ridge_of(training: Training | None, map_: Correspondence | None, fit: Fit) -> pd.DataFrame:
    """Standard errors of each term under the network's own ridge; see `shrinkages`.

    Parameters
    ----------
    training : what is known of it; None where the network shares the GLM's estimate
    map_ : the correspondence, None for a network that is no GLM
    fit : the network

    Raises
    ------
    BridgeError
        where they would mean nothing, with the reason
    """
    if map_ is None:
        raise BridgeError("The network has a hidden activation: its terms have no standard errors.")
    known = training or training_of(fit, fit.recipe.response)
    if known.l1.any():
        raise BridgeError(
            f"The training has an L1 penalty ({known.penalty}), which selects terms by the data: standard errors as if "
            "they had been chosen beforehand would be too small. Fit the chosen terms to other rows with gb.glm, or "
            "to these and say that they were selected."
        )
    other = (
        known.loss
        or ("label smoothing" if known.smoothing else "")
        or ("class weights" if known.class_weights is not None else "")
    )
    if other:
        raise BridgeError(
            f"The network was trained with {other}: its loss is not minus the log-likelihood of the rows, so that the "
            "information is not the precision of its weights. gb.glm(...) has the standard errors of the likelihood."
        )
    found = fit.estimate
    return shrinkages.shrunken(map_, found.model, fit.rows, found.theta, known.l2, fit.nobs)


def steps_of(
    training: Training, fit: Fit, seen: tuple[Callable[[Array], Array], Array], known: Array | None = None
) -> list[tuple[str, str, Array, Array]]:
    """The causes in a network's own training, in turn: `name, words, before, after`.

    `seen` is what is shown of theta, and the sizes of what that is added up from; `known` is what is seen at
    the maximum of the likelihood.
    """
    found = fit.estimate
    return causes.undone(
        training, _aim(training, fit), found.theta, seen[0], fit.dispersion, seen[1], found.sums, known
    )


def _aim(training: Training, fit: Fit) -> Aim:
    """The likelihood itself, without penalty, on the rows as they are."""
    found = fit.estimate.model
    none = np.zeros_like(training.l1)
    return Aim(Model(found.columns, found.network, found.family), fit.rows, none, none)
