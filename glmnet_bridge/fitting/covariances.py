"""Coefficients of the columns and their covariance, for any affine network.

    beta = vec fold(theta)        cov(beta) = A cov(theta) A',   A = d beta / d theta

Of k outputs the coefficients come one output after the other, as the model's labels: p * k of them.

With a penalty P there are two: `(I+P)^-1 I (I+P)^-1`, that of the penalised estimator around its own mean
("expected", "observed", by which information), and `(I+P)^-1`, the posterior where the penalty is a normal
prior ("bayesian"), which is wider and on average covers the truth (Wahba 1983, Nychka 1988).

For a GLM A is the identity, or picks the independent columns. A column that was left out as
aliased has no coefficient (nan), one that separates the data has an infinite one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glmnet_bridge.errors import ArgumentError, nearest
from glmnet_bridge.fitting import linalg
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.fitting.linalg import Rank
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import by_output, fold, fold_jacobian

if TYPE_CHECKING:
    from glmnet_bridge.fitting.separation import Separation

Array = np.ndarray

KINDS = ("expected", "observed", "bayesian")


def representer(estimate: Estimate) -> Array:
    """Finite coefficients `(p * k,)` that give every row's linear predictors: 0 for columns left out.

    A network that is not affine has none: nan.
    """
    if not estimate.model.network.affine:
        return np.full(len(estimate.model.labels), np.nan)
    return fold(estimate.model.network, estimate.theta).T.ravel()


def jacobian(estimate: Estimate) -> Array:
    """A `(p * k, P)`, the derivative of the coefficients."""
    network = estimate.model.network
    return fold_jacobian(network, estimate.theta)[by_output(len(estimate.model.columns), network.outputs)]


def coefficients(estimate: Estimate) -> Array:
    """Coefficients `(p * k,)`: nan where aliased (or of undecided sign at infinity), infinite where separated."""
    beta = representer(estimate).copy()
    if estimate.separation is None and estimate.rank is None:
        return beta
    status = np.array(states(estimate))
    beta[(status == "aliased") | (status == "either")] = np.nan
    beta[status == "+inf"] = np.inf
    beta[status == "-inf"] = -np.inf
    return beta


def states(estimate: Estimate) -> tuple[str, ...]:
    """Per coefficient: finite, +inf, -inf, either (infinite, sign open) or aliased."""
    return worded(estimate.model, estimate.separation, estimate.rank)


def worded(model: Model, separation: Separation | None, rank: Rank | None) -> tuple[str, ...]:
    """The state of each coefficient, from what is known of separation and rank."""
    width = len(model.columns)
    status = ["finite"] * len(model.labels) if separation is None else list(separation.status)
    if rank is not None:
        for j in rank.dropped:
            status[j::width] = ["aliased"] * len(status[j::width])
    return tuple(status)


def covariance(estimate: Estimate, kind: str = "expected", dispersion: float = 1.0) -> Array:
    """Covariance `(p * k, p * k)` of the coefficients; nan for those that are not finite.

    Parameters
    ----------
    estimate : a fit
    kind : "expected" or "observed" information, or "bayesian": the penalty as a prior
    dispersion : what multiplies the inverse information

    Raises
    ------
    ArgumentError
        for another kind
    """
    if kind not in KINDS:
        raise ArgumentError(f"vcov={kind!r} is unknown; there are {', '.join(KINDS)}.{nearest(kind, KINDS)}")
    p = len(estimate.model.labels)
    theta = of_parameters(estimate, kind) if estimate.model.network.affine else None
    if theta is None:
        return np.full((p, p), np.nan)
    network = estimate.model.network
    if network.plain:
        out = theta * dispersion
        if network.outputs > 1:
            order = by_output(len(estimate.model.columns), network.outputs)
            out = out[np.ix_(order, order)]
    else:
        slopes = jacobian(estimate)
        out = slopes @ theta @ slopes.T * dispersion
    gone = np.array(states(estimate)) != "finite"
    if gone.any():
        out = out.copy()
        out[gone] = np.nan
        out[:, gone] = np.nan
    return out


def of_parameters(estimate: Estimate, kind: str) -> Array | None:
    """Covariance of theta at dispersion 1; any generalised inverse where theta is redundant."""
    penalised = estimate.model.penalty.strength > 0
    known = estimate.posterior if kind == "bayesian" and penalised else estimate.covariance
    if kind != "observed" and known is not None:
        return known
    info = estimate.sums.observed if kind == "observed" else estimate.sums.expected
    if info is None:
        return None
    diagonal = estimate.model.decay
    used = linalg.factor(info if diagonal is None else info + np.diag(diagonal))
    if used is not None:
        inverse = used.inverse()
        return inverse if diagonal is None or kind == "bayesian" else inverse @ info @ inverse
    if kind == "observed":
        return None  # not positive definite: theta is no maximum, or not identified
    return linalg.generalised_inverse(info)


def equation(weights: Array, names: list[str], digits: int = 6) -> str:
    """A linear combination in words: `z + 2*z2 - Intercept`; coefficients within rounding of 0 are left out."""
    size = np.abs(weights).max(initial=0.0)
    parts = []
    for weight, name in zip(weights, names, strict=True):
        if abs(weight) <= 1e-9 * max(size, 1e-300):
            continue
        near = round(weight)
        value = float(near) if near and abs(weight - near) < 1e-9 * abs(near) else float(weight)
        amount = "" if abs(value) == 1.0 else f"{abs(value):.{digits}g}*"
        parts.append(f"{'-' if value < 0 else '+'} {amount}{name}")
    text = " ".join(parts)
    return "0" if not text else text[2:] if text.startswith("+") else f"-{text[2:]}"
