"""Shares: what a fit of several classes says of rows, class by class.

    eta (n, k) -> probabilities (n, C), the base among them -> frames with a column for each class

Standard errors of probabilities come by the delta method from the covariance of all coefficients:
d p_c / d eta_j = p_c (1[c = j] - p_j). Limits are symmetric on the scale of logit p_c, so that they stay
between 0 and 1. Rows, fits and readings are those of `answers`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy

from glmnet_bridge import vcovs
from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import ArgumentError, is_number, nearest
from glmnet_bridge.fitting import covariances, predictions, statistics
from glmnet_bridge.model.multinomials import probabilities

Array = np.ndarray

KINDS = ("mean", "link", "class")


def labels(response: Any) -> list[Any]:
    """The classes after the base."""
    return [level for level in response.levels if level != response.base]


def of_rows(fit: Any, rows: Rows) -> Array:
    """Probabilities `(n, C)` in the order of the classes."""
    return _ordered(fit.recipe.response, probabilities(predictions.linear_predictors(fit.estimate, rows)))


def _ordered(response: Any, found: Array) -> Array:
    """Columns with the base first, in the order of the classes."""
    at = response.levels.index(response.base)
    order = [*range(1, at + 1), 0, *range(at + 1, len(response.levels))]
    return found[:, order]


def fitted(fit: Any) -> pd.DataFrame:
    """Probabilities of the rows that were used."""
    return pd.DataFrame(of_rows(fit, fit.rows), index=fit.sample.index, columns=_columns(fit.recipe.response.levels))


def _columns(levels: Any) -> pd.Index:
    return pd.Index(list(levels))


def residuals(fit: Any, kind: str) -> pd.DataFrame:
    """Indicator of each class less its probability.

    Raises
    ------
    ArgumentError
        for another kind than "response": a row has one residual per class, which have no common sign
    """
    if kind != "response":
        raise ArgumentError(
            f"Residuals of kind {kind!r} are not defined for several classes, where a row has one residual per class. "
            'Use kind="response": the indicator of each class less its probability.'
        )
    y = fit.rows.response
    happened = _ordered(fit.recipe.response, np.column_stack([1.0 - y.sum(axis=1), y]))
    return happened - fitted(fit)


def predict(fit: Any, reading: Any, kind: str, threshold: float) -> Any:
    """Frames: of probabilities ("mean") or linear predictors ("link"); a Series of classes ("class").

    Raises
    ------
    ArgumentError
        for another kind, or another threshold than the default: the most probable class has none
    """
    if kind not in KINDS:
        hint = "" if kind == "terms" else nearest(kind, KINDS)
        raise ArgumentError(f"kind={kind!r}: for several classes it is one of {', '.join(KINDS)}.{hint}")
    if not (is_number(threshold) and threshold == 0.5):
        raise ArgumentError(
            f"threshold={threshold!r} is for two classes; of several, kind='class' is the most probable one. Leave it "
            "out, or take the classes that you want from the probabilities of kind='mean'."
        )
    _no_offset(reading)
    response = fit.recipe.response
    if kind == "link":
        eta = reading.placed(predictions.linear_predictors(fit.estimate, reading.rows))
        return pd.DataFrame(eta, index=reading.labels, columns=_columns(labels(response)))
    found = reading.placed(of_rows(fit, reading.rows))
    if kind == "class":
        return pd.Series(fit.recipe.classes(found, 0.5), index=reading.labels, name=kind)
    return pd.DataFrame(found, index=reading.labels, columns=_columns(response.levels))


def intervals(fit: Any, reading: Any, kind: str, level: float, vcov: Any = None) -> pd.DataFrame:
    """`response_level, estimate, std_error, conf_low, conf_high`: one row for each class of each row."""
    if kind not in ("mean", "link"):
        raise ArgumentError(f"kind={kind!r}: intervals are for 'mean' or 'link'.")
    _no_offset(reading)
    response = fit.recipe.response
    eta = predictions.linear_predictors(fit.estimate, reading.rows)
    shared = _covariances(fit, reading.rows, vcov)
    times = statistics.quantile(statistics.confidence_level(level, None), None)
    if kind == "link":
        error = np.sqrt(np.maximum(np.einsum("ijj->ij", shared), 0.0))
        ends = eta - times * error, eta + times * error
        return _long(reading, labels(response), (eta, error, *ends))
    share = probabilities(eta)
    slopes = -share[:, :, None] * share[:, None, 1:]
    at = np.arange(share.shape[1] - 1)
    slopes[:, at + 1, at] += share[:, 1:]
    error = np.sqrt(np.maximum(np.einsum("ick,ikl,icl->ic", slopes, shared, slopes), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        half = times * error / (share * (1.0 - share))
        ends = tuple(scipy.special.expit(scipy.special.logit(share) + side * half) for side in (-1.0, 1.0))
    return _long(reading, response.levels, tuple(_ordered(response, each) for each in (share, error, *ends)))


def _long(reading: Any, levels: Any, values: tuple[Array, ...]) -> pd.DataFrame:
    """Each row once for each class."""
    count = len(levels)
    names = ("estimate", "std_error", "conf_low", "conf_high")
    table = {"response_level": list(levels) * len(reading.labels)}
    columns = {name: reading.placed(value).ravel() for name, value in zip(names, values, strict=True)}
    return pd.DataFrame({**table, **columns}, index=reading.labels.repeat(count))


def _covariances(fit: Any, rows: Rows, vcov: Any) -> Array:
    """Covariance `(n, k, k)` of each row's linear predictors; nan for networks that are no GLM."""
    covariance = vcovs.covariance(fit, vcov)
    if not fit.estimate.model.network.affine:
        return np.full((rows.n, *(2 * (len(fit.estimate.model.outputs),))), np.nan)
    states = np.array(covariances.states(fit.estimate))
    # an infinite coefficient leaves the errors of its class open, an aliased one moves nothing
    open_ones = ~np.isin(states, ("finite", "aliased"))
    gone = (states == "aliased") | open_ones
    covariance = np.where(gone | gone[:, None], 0.0, covariance)
    found = predictions.joint_covariances(rows, covariance, len(fit.estimate.model.outputs))
    if open_ones.any():
        found[...] = np.nan
    return found


def augment(fit: Any, frame: pd.DataFrame, data: Any) -> pd.DataFrame:
    """The data with the probability of each class and the most probable one."""
    mean = fit.predict(data)
    added = {f"_fitted_{level}": mean[level].to_numpy() for level in mean.columns}
    return frame.assign(**added, _class=fit.predict(data, kind="class").to_numpy())


def _no_offset(reading: Any) -> None:
    if reading.sample.offset is not None and reading.sample.n:
        raise ArgumentError("A model of several classes takes no offset or exposure. Leave it out.")
