"""Margins: the mean of a model as a function of its linear predictors, with two derivatives.

    mean (m, C)      slopes J = d mean / d eta (m, C, k)      bend H(d) = d J / dt along eta + t d (m, C, k)

C is the number of classes of a multinomial model (the base first), else 1; k that of linear predictors.
A row whose linear predictor is infinite (separated data) has the limit as its mean, and does not move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glmnet_bridge.model.families import Family
from glmnet_bridge.model.multinomials import probabilities

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Margin:
    """What is averaged: the mean, or with `link` the linear predictor itself."""

    family: Family
    link: bool = False

    @property
    def joint(self) -> bool:
        return self.family.joint

    def outputs(self, k: int) -> int:
        """C, how many numbers a row has."""
        return k + 1 if self.joint and not self.link else k

    def mean(self, eta: Array) -> Array:
        """`(m, C)`."""
        if self.link:
            return eta
        return probabilities(eta) if self.joint else self.family.mean(eta)

    def slopes(self, eta: Array) -> Array:
        """J `(m, C, k)`."""
        k = eta.shape[1]
        if self.link:
            return np.broadcast_to(np.eye(k), (len(eta), k, k))
        if self.joint:
            p = probabilities(eta)
            found = -p[:, :, None] * p[:, None, 1:]
            at = np.arange(k)
            found[:, at + 1, at] = p[:, 1:] * _rest(p)[:, 1:]
            return found
        return np.where(np.isinf(eta), 0.0, self.family.slope(eta))[:, :, None]

    def bend(self, eta: Array, d: Array) -> Array:
        """H `(m, C, k)`, how the slopes change along d `(m, k)`."""
        k = eta.shape[1]
        if self.link:
            return np.zeros((len(eta), k, k))
        if self.joint:
            p = probabilities(eta)
            away = np.column_stack([np.zeros(len(d)), d])
            moved = p * (away - np.sum(p * away, axis=1, keepdims=True))
            found = -moved[:, :, None] * p[:, None, 1:] - p[:, :, None] * moved[:, None, 1:]
            at = np.arange(k)
            found[:, at + 1, at] += moved[:, 1:]
            return found
        return (self.curvature(eta) * d)[:, :, None]

    def curvature(self, eta: Array) -> Array:
        """Second derivative of the inverse link `(m, 1)`; 0 at infinity."""
        with np.errstate(all="ignore"):
            known = _CURVATURES.get(self.family.link.name)
            found = _differences(self.family, eta) if known is None else known(eta, self.family.slope(eta))
        return np.where(np.isinf(eta), 0.0, found)


def _rest(p: Array) -> Array:
    """1 - p; by the other classes where p is near 1, so that it keeps its digits."""
    large = p > 0.5
    others = np.sum(p, axis=1, where=~large, keepdims=True)
    found: Array = np.where(large, others, 1.0 - p)
    return found


_CURVATURES = {
    "logit": lambda eta, slope: -slope * np.tanh(0.5 * eta),
    "probit": lambda eta, slope: -eta * slope,
    "cloglog": lambda eta, slope: -slope * np.expm1(eta),
    "loglog": lambda eta, slope: slope * np.expm1(-eta),
    "cauchit": lambda eta, slope: -2.0 * eta / (1.0 + eta * eta) * slope,
    "log": lambda eta, slope: slope,
    "identity": lambda eta, slope: np.zeros_like(eta),
    "inverse": lambda eta, slope: 2.0 / eta**3,
    "sqrt": lambda eta, slope: np.full_like(eta, 2.0),
    "1/mu^2": lambda eta, slope: 0.75 * eta**-2.5,
}


def _differences(family: Family, eta: Array) -> Array:
    """For other links: sixth-order differences of the slope; the error is 1e-11 of its size or less."""
    step = 2.0 ** np.round(np.log2(np.maximum(np.abs(eta), 1.0) / 256.0))
    total = np.zeros_like(eta)
    for place, weight in ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60)):
        total += weight * (family.slope(eta + place * step) - family.slope(eta - place * step))
    return total / step
