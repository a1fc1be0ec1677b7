"""Nestings: a model and its parts, each at its maximum, and the statistics that compare them.

    likelihood ratio   deviance(part) - deviance(whole)          both on the same rows, nothing evaluated again
    score (Rao)        u' I^-1 u,  u = X'score and I = X'WX of the whole's columns at the part's linear predictors

A part has some of the columns, read from the same rows, and starts where the whole's covariance says that its
maximum is: `b - V[:, d] V[d, d]^-1 b[d]` with the columns d at zero. The score statistic is what the columns explain
of the working residuals of the part, as in R's `glm`: one QR of `[sqrt(w) X, u / sqrt(w)]`, block by block. All is
at dispersion 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glmnet_bridge.data.rows import Block, Rows
from glmnet_bridge.data.splices import Joined, Picked
from glmnet_bridge.errors import BridgeError
from glmnet_bridge.fitting import covariances, estimates, linalg, predictions, statistics
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.fitting.linalg import Triangle
from glmnet_bridge.mapping import views
from glmnet_bridge.model.layers import Affine
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit

Array = np.ndarray

NEAR = 1e-4  # standard errors from the maximum at which deviances are those of the maximum to 1e-8
INSIDE = 1e-7  # a column is a combination of others where no more of its norm than this is left


@dataclass(frozen=True, slots=True)
class Part:
    """A model at its maximum on the rows of a larger one.

    Attributes
    ----------
    rows : the rows with its columns
    deviance : at the maximum, or its limit where the data are separated
    rank : how many coefficients are free
    outcome : how the fit ended, as in `Estimate`
    estimate : the fit; None of a model without columns
    """

    rows: Rows
    deviance: float
    rank: int
    outcome: str
    estimate: Estimate | None

    @property
    def settled(self) -> bool:
        return self.estimate is None or at_maximum(self.estimate)

    @property
    def eta(self) -> Array:
        """Linear predictors `(n, k)`, offset included; infinite where separation sends them."""
        found, rows = self.estimate, self.rows
        if found is None:
            return np.zeros_like(rows.response) if rows.offset is None else rows.offset
        if found.model.family.joint:
            return predictions.linear_predictors(found, rows)
        return predictions.linear_predictor(found, rows)[:, None]


def is_glm(estimate: Estimate) -> bool:
    """Whether the parameters are the coefficients of the columns (the independent ones), as those of a GLM."""
    network = estimate.model.network
    if network.plain:
        return True
    matrix = network.inputs.matrix
    single = len(network.layers) == 1 and isinstance(network.layers[0], Affine) and not network.layers[0].bias
    return single and matrix is not None and bool(np.isin(matrix, (0, 1)).all() and (matrix.sum(axis=0) == 1).all())


def at_maximum(estimate: Estimate) -> bool:
    """Whether statistics may take the estimate for the maximum of the likelihood, or for its limit."""
    if estimate.outcome in ("boundary", "diverged"):
        return False
    return estimate.converged or estimate.outcome == "separated" or estimate.distance <= NEAR


def whole(estimate: Estimate, rows: Rows) -> Part:
    """The fit itself."""
    deviance = -2.0 * estimate.sums.loglik + 0.0
    return Part(rows, deviance, views.free_parameters(estimate), estimate.outcome, estimate)


def part(estimate: Estimate, rows: Rows, columns: Sequence[int], nobs: float) -> Part:
    """The maximum with some of the columns alone.

    Parameters
    ----------
    estimate : the fit of all columns
    rows : the rows that it was fitted on
    columns : positions of those to keep, in order
    nobs : number of observations
    """
    kept, model = np.array(columns, dtype=int), estimate.model
    if len(kept) == len(model.columns):
        return whole(estimate, rows)
    picked = replace(rows, source=Picked(rows.source, kept))
    names = tuple(model.columns[j] for j in kept)
    smaller = Model(names, single_unit(names, model.outputs), model.family, outputs=model.outputs)
    if not len(kept):
        return Part(picked, statistics.null_deviance(smaller, rows), 0, "converged", None)
    return maximum(smaller, picked, _without(estimate, kept), nobs)


def maximum(model: Model, rows: Rows, start: Array | None, nobs: float) -> Part:
    """The fit of a model, from `start` (coefficients in the order of its labels) where that is inside its domain."""
    if start is not None:
        try:
            return whole(estimates.estimate(model, rows, start=start, nobs=nobs), rows)
        except BridgeError:
            pass  # of a link with a domain the coefficients that are close may lie outside
    return whole(estimates.estimate(model, rows, nobs=nobs), rows)


def _without(estimate: Estimate, kept: Array) -> Array | None:
    """Where the maximum with the columns `kept` will be, if the likelihood is a quadratic; None if unknown."""
    if not estimate.converged:
        return None
    width, outputs = len(estimate.model.columns), max(len(estimate.model.outputs), 1)
    beta = covariances.representer(estimate)
    spread = np.nan_to_num(covariances.covariance(estimate))
    stays = np.isin(np.arange(width * outputs) % width, kept)
    there = ~stays & (spread.diagonal() > 0)
    moved = beta
    if there.any():
        used = linalg.factor(spread[np.ix_(there, there)])
        if used is None:
            return None
        moved = beta - spread[:, there] @ used.solve(beta[there])
    found: Array = moved[stays]
    return found if np.isfinite(found).all() else None


def score_statistic(larger: Part, eta: Array) -> float:
    """Rao's statistic at dispersion 1 of a model, at the linear predictors `(n, k)` of a part of it."""
    assert larger.estimate is not None
    return score_of(larger.estimate.model, larger.rows, eta)


def independent(rows: Rows) -> int:
    """How many columns are independent in the rows with weight."""
    return len(linalg.rank(linalg.rows_triangle(rows, lambda block: (block.weights > 0).astype(float))).kept)


def score_of(model: Model, rows: Rows, eta: Array) -> float:
    """Rao's statistic at dispersion 1 of the columns of `rows`, at the linear predictors `(n, k)` of a part of them.

    Rows at infinity, where separation sends them, have no score left and are no part of it.
    """
    there = np.isfinite(eta).all(axis=1)
    used = replace(rows, offset=np.where(there[:, None], eta, 0.0), weights=np.where(there, rows.weights, 0.0))
    if model.family.joint:
        plain = replace(model, network=single_unit(model.columns, model.outputs))
        sums = plain.sums(used, np.zeros(plain.network.parameters), "expected")
        assert sums.score is not None and sums.expected is not None
        return float(sums.score @ linalg.generalised_inverse(sums.expected) @ sums.score)
    r = used.sum(_working(model)).r
    columns = linalg.rank(r[:, :-1]).kept
    explained = linalg.triangle(r[:, [*columns, r.shape[1] - 1]]).r[: len(columns), -1]
    return float(explained @ explained)


def _working(model: Model) -> Callable[[Block], Triangle]:
    """A block's part of the R of weighted columns and working residuals."""

    def part(block: Block) -> Triangle:
        assert block.offset is not None
        counts = block.weights > 0
        with np.errstate(all="ignore"):
            local = model.family.local(block.response, block.offset)
            root = np.sqrt(np.where(counts, block.weights * local.expected[:, 0], 0.0))
            working = np.where(root > 0, block.weights * local.score[:, 0] / root, 0.0)
        return linalg.triangle(np.column_stack([block.columns.matrix() * root[:, None], working]))

    return part


def contains(larger: Rows, smaller: Rows) -> bool:
    """Whether every column of `smaller` is a combination of those of `larger`, in the rows with weight."""
    width = larger.source.layout.width
    both = replace(larger, source=Joined(larger.source, smaller.source))
    r = linalg.rows_triangle(both, lambda block: (block.weights > 0).astype(float))
    columns = linalg.rank(r[:, :width]).kept
    left = linalg.triangle(r[:, [*columns, *range(width, r.shape[1])]]).r[len(columns) :, len(columns) :]
    sizes = np.sqrt((r[:, width:] ** 2).sum(axis=0))
    return bool((np.sqrt((left**2).sum(axis=0)) <= INSIDE * sizes).all())
