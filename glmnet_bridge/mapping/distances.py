"""Distances: how far a network's weights are from the maximum-likelihood estimate, in standard errors.

    by refit    (as_glm - beta_hat) / SE        beta_hat: the MLE of formula and network together
    by step     -(I^-1 score) / SE               one Newton step from the weights, without a refit
    joint       sqrt(score' I^-1 score / dispersion)             the Newton decrement
    training    the same for what the network was trained for: how far training is from its own end

A network that ties coefficients cannot reach the MLE; its training distance can still be 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glmnet_bridge.data.rows import Array, Rows
from glmnet_bridge.fitting import linalg
from glmnet_bridge.mapping.correspondences import Correspondence
from glmnet_bridge.model.models import Model, Sums

AT_OPTIMUM = 0.01  # standard errors within which a network counts as trained to the end


@dataclass(frozen=True, slots=True)
class Distances:
    """How far the network's coefficients are from the maximum of the likelihood; q columns.

    Attributes
    ----------
    folded : (q,) the network's coefficients
    mle : (q,) maximum-likelihood estimates of formula and network together
    errors : (q,) their standard errors
    by_refit, by_step : (q,) distances in standard errors, exactly and as one Newton step sees them
    joint : all together, `sqrt(gap' I gap)`; by the Newton decrement at the network's coefficients without a refit
    training : how far the weights are from the optimum of their own training (its penalty and loss)
    excess : the network's deviance less that of the maximum-likelihood fit
    """

    folded: Array
    mle: Array
    errors: Array
    by_refit: Array
    by_step: Array
    joint: float
    training: float
    excess: float

    @property
    def trained(self) -> bool:
        """Whether the weights are at the network's own optimum."""
        return bool(self.training <= AT_OPTIMUM and np.isfinite(self.joint))

    @property
    def largest(self) -> int | None:
        """The column that is farthest off, or None where no distance is known."""
        known = np.isfinite(self.by_refit)
        return int(np.nanargmax(np.where(known, np.abs(self.by_refit), -1.0))) if known.any() else None


def distances(
    map_: Correspondence,
    model: Model,
    rows: Rows,
    *,
    mle: Array,
    errors: Array,
    deviance: float,
    dispersion: float,
    training: float,
    information: Array | None = None,
    known: Sums | None = None,
) -> Distances:
    """Measure a network against the maximum-likelihood estimate.

    Parameters
    ----------
    map_ : the correspondence
    model : the network's model, for its family and penalty
    rows : over the map's columns
    mle, errors : (q,) estimates and standard errors of the union model; nan or infinite where it has none
    deviance, dispersion : of that fit
    training : how far the weights are from the optimum of their own training
    information : of the independent coefficients at the union model's estimate, over the dispersion; None without one
    known : the sums at the network's coefficients, where they are those of a fit already made
    """
    folded = map_.coefficients
    kept = map_.kept
    beta = folded[kept]
    sums = map_.terms.kept_sums(model.family, rows, beta) if known is None else map_.terms.ordered(known)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_refit = (folded - mle) / errors
    by_refit = np.where(np.isfinite(by_refit), by_refit, np.nan)
    by_step, joint = _step(sums, dispersion, len(folded), kept)
    if information is not None:
        joint = _size((folded - mle)[kept], information, joint)
    return Distances(
        folded=folded,
        mle=mle,
        errors=errors,
        by_refit=by_refit,
        by_step=by_step,
        joint=joint,
        training=training,
        excess=-2.0 * sums.loglik - deviance,
    )


def _step(sums: Sums, dispersion: float, width: int, kept: Array) -> tuple[Array, float]:
    """Minus one Newton step in standard errors `(q,)`, and the decrement."""
    out = np.full(width, np.nan)
    if sums.score is None or sums.expected is None:
        return out, np.nan
    used = linalg.factor(sums.expected)
    if used is None:
        return out, np.nan
    step = used.solve(sums.score)
    out[kept] = -step / np.sqrt(used.inverse().diagonal() * dispersion)
    return out, decrement(sums.score, step, dispersion)


def _size(gap: Array, information: Array, otherwise: float) -> float:
    """`sqrt(gap' I gap)`; far from the estimate a Newton step says nothing, and the refit is at hand."""
    found = float(gap @ information @ gap)
    return float(np.sqrt(max(found, 0.0))) if np.isfinite(found) else otherwise


def decrement(score: Array, step: Array, dispersion: float) -> float:
    """`sqrt(score' I^-1 score / dispersion)`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.sqrt(max(float(score @ step), 0.0) / dispersion))
