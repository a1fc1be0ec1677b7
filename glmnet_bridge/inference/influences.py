"""Influences: what each row does to the fit, in one pass of blocks.

    h_i = w_i x_i' (X'WX)^-1 x_i                       leverage, with the expected information
    cook_i = (r_i / (1 - h_i))^2 h_i / (dispersion p)  r: Pearson residual
    beta - beta_(-i) = (X'WX)^-1 x_i s_i / (1 - h_i)   one Newton step; s_i: the row's score

(Pregibon 1981, Williams 1987; R's `hatvalues`, `cooks.distance`, `rstandard`, `rstudent`). The change of the
coefficients is written with the score, so that its sign is right for links that fall, where R's `dfbeta` has the
opposite one, and it is the textbook's: R's own stands on deviance residuals. Nothing of the size n x p exists but
the changes that were asked for. Columns are centred and scaled as in the fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from glmnet_bridge.data.rows import Rows, Span, spread
from glmnet_bridge.fitting import coordinates, covariances, linalg, predictions
from glmnet_bridge.fitting.dispersions import Degrees
from glmnet_bridge.fitting.estimates import Estimate

Array = np.ndarray

MEASURES = ("hat", "cooks", "rstandard", "rstandard_pearson", "rstudent")
# a leverage this near 1 is 1: the row alone decides its own mean, and without it a coefficient is open
WHOLE = 1e-10


@dataclass(frozen=True, slots=True)
class Leverage:
    """What leverages are computed with: `h = w |x half|^2`, `(X'WX)^-1 x = back half' x`.

    Attributes
    ----------
    rows : in the coordinates of the fit
    estimate : with theta in the same coordinates
    kept : positions of the k columns that the estimate stands on
    half : (k, r) array, `half half'` is the inverse information of those columns
    back : (p, r) array, takes `half' x` to changes of the p coefficients; nan for those that are not finite
    """

    rows: Rows
    estimate: Estimate
    kept: Array
    half: Array
    back: Array


def leverage(estimate: Estimate, rows: Rows) -> Leverage:
    """The inverse information as a product, from the rows in centred and scaled columns.

    Parameters
    ----------
    estimate : of an affine network with one output, at its maximum
    rows : of the fit, with all weights
    """
    counted = rows
    if estimate.separation is not None:  # rows at infinity tell nothing of the coefficients that stay finite
        counted = replace(rows, weights=np.where(estimate.separation.goes_off, 0.0, rows.weights))
    kept = _picked(estimate)
    if kept is None:
        return _of_network(estimate, rows)
    names = estimate.model.columns
    at = names.index("Intercept") if "Intercept" in names else None
    axes = coordinates.choose(rows, names, at if at in kept else None)
    own = axes if axes.to_raw is None else replace(axes, to_raw=axes.to_raw[np.ix_(kept, kept)])
    moved = replace(estimate, theta=own.own(estimate.theta))
    half = _half(moved, counted.standardised(axes.shift, axes.scale), kept)
    back = np.zeros((len(names), half.shape[1]))
    back[kept] = half if own.to_raw is None else own.to_raw @ half
    return Leverage(rows.standardised(axes.shift, axes.scale), moved, kept, half, _finite(estimate, back))


def _picked(estimate: Estimate) -> Array | None:
    """Positions of the columns whose coefficients theta is; None where a network stands between."""
    network = estimate.model.network
    if network.plain:
        return np.arange(len(estimate.model.columns))
    alone = replace(network, inputs=replace(network.inputs, matrix=None)).plain
    matrix = network.inputs.matrix
    if not alone or matrix is None or not ((matrix != 0).sum(axis=0) == 1).all() or not (matrix.max(axis=0) == 1).all():
        return None
    found: Array = matrix.argmax(axis=0)
    return found


def _half(estimate: Estimate, rows: Rows, kept: Array) -> Array:
    """Half of the inverse information; by QR of the rows where Cholesky would lose digits, as in the fit."""
    info = estimate.model.sums(rows, estimate.theta, "expected").expected
    used = None if info is None else linalg.factor(info)
    if used is None or used.rcond < linalg.DOUBTFUL:
        roots = np.sqrt(predictions.working_weights(estimate, rows))
        weighted = replace(rows, weights=roots)
        r = linalg.rows_triangle(weighted, lambda block: block.weights)[:, kept]
        used = linalg.from_triangle(linalg.triangle(r).r)
    if used is None:
        return np.full((len(kept), len(kept)), np.nan)
    inner: Array = np.linalg.solve(used.upper, np.eye(len(kept))) if len(kept) else np.zeros((0, 0))
    return inner / used.scale[:, None]


def _of_network(estimate: Estimate, rows: Rows) -> Leverage:
    """The same where theta is not the coefficients: their covariance has directions without variance."""
    covariance = covariances.covariance(estimate)
    known = np.isfinite(covariance.diagonal())
    scale = np.sqrt(np.where(known, covariance.diagonal(), 1.0))
    scaled = np.where(np.isfinite(covariance), covariance, 0.0) / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(scaled)
    some = values > 1e-13 * max(values.max(initial=0.0), 0.0)
    half = scale[:, None] * vectors[:, some] * np.sqrt(values[some])
    return Leverage(rows, estimate, np.arange(len(scale)), half, _finite(estimate, half))


def _finite(estimate: Estimate, back: Array) -> Array:
    gone = np.array(covariances.states(estimate)) != "finite"
    return np.where(gone[:, None], np.nan, back)


def influence(
    estimate: Estimate, rows: Rows, single: Array, dispersion: float, degrees: Degrees, columns: Array
) -> Array:
    """Measures of influence and changes of coefficients, one row of the result each: `(5 + q, n)`.

    Parameters
    ----------
    estimate : of an affine network with one output, at its maximum
    rows : of the fit, with all weights
    single : (n,) weights of one observation each: without the frequencies that repeat it
    dispersion : of the fit
    degrees : observations and coefficients of the fit
    columns : (q,) positions of the coefficients whose changes are wanted

    Returns
    -------
    (5 + q, n) array: `MEASURES`, then the changes, full fit minus the fit without the row. A row without weight
    changes nothing and has no standardised residual (nan); one with leverage 1 has nothing but its leverage, as in
    R; nor has a row whose fitted value lies at infinity (separated data)
    """
    reach = leverage(estimate, rows)
    off = np.zeros(rows.n, dtype=bool) if estimate.separation is None else estimate.separation.goes_off
    out = np.empty((len(MEASURES) + len(columns), rows.n))
    deviance = -2.0 * estimate.sums.loglik
    free = estimate.model.family.distribution.free_dispersion

    def fill(span: Span) -> None:
        run = slice(*span)
        lifted, hat, score, deviant, pearson = _row_wise(reach, span, single[run], off[run])
        with np.errstate(divide="ignore", invalid="ignore"):
            rest = np.where(hat == 1.0, np.nan, 1.0 - hat)
            root = np.sqrt(dispersion * rest)
            deleted = deviant**2 + hat * pearson**2 / rest
            sigma2 = (deviance - deviant**2 / rest) / (degrees.residual - 1.0) if free else 1.0
            out[0, run] = hat
            out[1, run] = (pearson / rest) ** 2 * hat / (dispersion * degrees.rank)
            out[2, run], out[3, run] = deviant / root, pearson / root
            out[4, run] = np.sign(deviant) * np.sqrt(deleted / sigma2)
            out[5:, run] = np.dot(reach.back[columns], lifted.T * (score / rest))
        idle = rows.weights[run] == 0
        if idle.any():
            out[:2, run][:, idle] = 0.0
            out[2:5, run][:, idle] = np.nan
            out[5:, run][:, idle] = 0.0

    for _ in spread(fill, rows.spans()):
        pass
    return out


def _row_wise(reach: Leverage, span: Span, single: Array, off: Array) -> tuple[Array, Array, Array, Array, Array]:
    """`half' x` `(m, r)`, leverage, score, deviance and Pearson residual `(m,)` of a run of rows."""
    block, model = reach.rows.block(*span), reach.estimate.model
    y, eta = block.response[:, :1], model.eta(block, reach.estimate.theta)
    columns = block.columns
    chosen = columns.matrix() if len(reach.kept) == columns.shape[1] else columns.picked(reach.kept)
    lifted = np.dot(chosen, reach.half)
    idle = block.weights == 0
    with np.errstate(all="ignore"):
        local, mean = model.family.local(y, eta), model.family.mean(eta)
        exact = y == mean
        hat = single * local.expected[:, 0] * np.einsum("ij,ij->i", lifted, lifted)
        score = single * local.score[:, 0]
        half = np.where(exact, 0.0, local.loglik)[:, 0]
        deviant = np.sign(y - mean)[:, 0] * np.sqrt(np.maximum(-2.0 * single * half, 0.0))
        raw = np.where(exact, 0.0, (y - mean) / np.sqrt(model.family.variance(mean)))[:, 0]
        pearson = np.sqrt(single) * raw
    hat = np.where(hat > 1.0 - WHOLE, 1.0, hat)
    hat[idle] = 0.0
    hat[off & ~idle] = np.nan
    return lifted, hat, score, deviant, pearson
