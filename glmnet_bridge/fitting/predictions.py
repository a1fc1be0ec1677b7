"""Answers row by row: linear predictor, mean, standard errors, residuals; in blocks.

Under separation the fit is a limit: a row on which the separating direction is not zero has
a linear predictor of plus or minus infinity, and its mean is the limit of the inverse link.
"""

from __future__ import annotations

import numpy as np

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import ArgumentError, nearest
from glmnet_bridge.fitting.covariances import representer
from glmnet_bridge.fitting.estimates import Estimate

Array = np.ndarray

RESIDUALS = ("deviance", "pearson", "response", "working")


def linear_predictor(estimate: Estimate, rows: Rows) -> Array:
    """eta `(n,)`, offset included; infinite where separation sends it."""
    out = np.empty(rows.n)
    direction = None if estimate.separation is None else estimate.separation.direction
    for start, stop in rows.spans():
        block = rows.block(start, stop)
        eta = estimate.model.eta(block, estimate.theta)[:, 0]
        if direction is not None:
            way = block.columns.dot(direction[:, None])[:, 0]
            size = block.columns.dot(np.abs(direction)[:, None])[:, 0]
            eta = np.where(
                np.abs(way) > 1e-9 * np.maximum(np.abs(size), 1e-300), np.where(way > 0, np.inf, -np.inf), eta
            )
        out[start:stop] = eta
    return out


def linear_predictors(estimate: Estimate, rows: Rows) -> Array:
    """All k linear predictors `(n, k)`; under separation those far out on the way to infinity."""
    out = np.empty((rows.n, estimate.model.network.outputs))
    for start, stop in rows.spans():
        out[start:stop] = estimate.model.eta(rows.block(start, stop), estimate.theta)
    return out


def joint_covariances(rows: Rows, covariance: Array, outputs: int) -> Array:
    """Covariance `(n, k, k)` of each row's linear predictors; V `(k * p, k * p)`, output by output, without nan."""
    out = np.empty((rows.n, outputs, outputs))
    width = rows.source.layout.width
    parts = covariance.reshape(outputs, width, outputs, width)
    for start, stop in rows.spans():
        matrix = rows.block(start, stop).columns.matrix()
        for i in range(outputs):
            for j in range(outputs):
                out[start:stop, i, j] = np.einsum("ma,ma->m", matrix @ parts[i, :, j], matrix)
    return out


def standard_errors(rows: Rows, covariance: Array) -> Array:
    """Standard error `(n,)` of each row's linear predictor, `sqrt(x' V x)`; V `(p, p)` without nan."""
    out = np.empty(rows.n)
    for start, stop in rows.spans():
        matrix = rows.block(start, stop).columns.matrix()
        out[start:stop] = np.sqrt(np.maximum(np.einsum("ij,ij->i", matrix @ covariance, matrix), 0.0))
    return out


def column_means(rows: Rows, counts: Array | None) -> Array:
    """Mean `(p,)` of each column over the rows, unweighted as in R; `counts` `(n,)` repeat rows."""
    n = rows.n
    counted = Rows(rows.source, rows.response, np.broadcast_to(1.0, n) if counts is None else counts)
    total = counted.sum(lambda block: block.columns.tdot(np.ascontiguousarray(block.weights)[:, None]))[:, 0]
    return total / counted.weights.sum()


def term_contributions(
    estimate: Estimate, rows: Rows, terms: tuple[tuple[str, slice], ...], centre: Array | None
) -> dict[str, Array]:
    """`(X_term - centre) beta_term` `(n,)` for each term but the intercept; centre `(p,)` or None for 0."""
    beta = representer(estimate)
    out = {name: np.empty(rows.n) for name, _ in terms if name != "Intercept"}
    for start, stop in rows.spans():
        matrix = rows.block(start, stop).columns.matrix()
        for name, run in terms:
            if name in out:
                columns = matrix[:, run] if centre is None else matrix[:, run] - centre[run]
                out[name][start:stop] = columns @ beta[run]
    return out


def working_weights(estimate: Estimate, rows: Rows) -> Array:
    """Weights `(n,)` of the last least-squares step, `w slope^2 / V(mean)`: those of the expected information.

    A row without weight, or whose fitted value lies at infinity (separated data), has weight 0.
    """
    out = np.zeros(rows.n)
    family, infinite = estimate.model.family, estimate.separation
    for start, stop in rows.spans():
        block = rows.block(start, stop)
        counts = block.weights > 0
        if infinite is not None:
            counts = counts & ~infinite.goes_off[start:stop]
        with np.errstate(all="ignore"):
            local = family.local(block.response, estimate.model.eta(block, estimate.theta))
            out[start:stop] = np.where(counts, block.weights * local.expected[:, 0], 0.0)
    return out


def residuals(estimate: Estimate, rows: Rows, kind: str) -> Array:
    """Residuals `(n,)`: "deviance", "pearson", "response" (y - mean) or "working" ((y - mean) / slope).

    Deviance and Pearson residuals carry the root of the rows' weights: prior weights and trials, as in R.

    Raises
    ------
    ArgumentError
        for another kind
    """
    if kind not in RESIDUALS:
        raise ArgumentError(f"Residuals of kind {kind!r} are unknown; there are {', '.join(RESIDUALS)}."
                            f"{nearest(kind, RESIDUALS)}")  # fmt: skip
    family, y, w = estimate.model.family, rows.response[:, 0], rows.weights
    eta = linear_predictor(estimate, rows)
    mean = family.mean(eta)
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "response":
            return y - mean
        if kind == "working":
            return (y - mean) / family.slope(eta)
        if kind == "pearson":
            raw = np.sqrt(w) * (y - mean) / np.sqrt(family.variance(mean))
            return np.where(y == mean, 0.0, raw)
        half = family.local(y[:, None], eta[:, None]).loglik[:, 0]
    # fitted exactly, if need be at infinity, where the likelihood is no number
    half = np.where(y == mean, 0.0, half)
    return np.sign(y - mean) * np.sqrt(np.maximum(-2.0 * w * half, 0.0))
