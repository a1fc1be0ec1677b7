"""Losses that networks are trained with and that are no likelihood of the family, as kernels at eta.

squared error of the mean     l = -(y - mu)^2 / 2
two activations               the likelihood at t(eta) in the place of eta, where the output of the first
                              activation was taken for logits:
    sigmoid                   t = p
    softmax                   t_c = p_c - p_0, of the classes c after the base 0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from glmnet_bridge.model.binomials import Logit
from glmnet_bridge.model.families import Link
from glmnet_bridge.model.multinomials import Softmax, probabilities

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class SquaredError:
    """Half the squared error of the mean, as rows `(m, k)`; the observed information is taken for the expected one."""

    y: Array
    mean: Array
    slope: Array

    @property
    def loglik(self) -> Array:
        return -0.5 * (self.y - self.mean) ** 2

    @property
    def score(self) -> Array:
        return (self.y - self.mean) * self.slope

    @property
    def expected(self) -> Array:
        return self.slope**2

    observed = expected


def squared_error(link: Link) -> Callable[[Array, Array], Any]:
    """The kernel of squared error behind this link."""
    return lambda y, eta: SquaredError(y, link.inverse(eta), link.slope(eta))


@dataclass(frozen=True, slots=True)
class Twice:
    """The likelihood `inner` at t(eta), as rows `(m, k)`; the observed information is taken for the expected one.

    `slope` is dt / d eta, `(m, k)`, or `(m, k, k)` where the outputs are one likelihood.
    """

    inner: Any
    slope: Array

    @property
    def loglik(self) -> Array:
        found: Array = self.inner.loglik
        return found

    @property
    def score(self) -> Array:
        if self.slope.ndim == 3:
            return np.einsum("mcd,mc->md", self.slope, self.inner.score)
        return np.asarray(self.inner.score * self.slope)

    @property
    def expected(self) -> Array:
        if self.slope.ndim == 3:
            return np.asarray(self.slope.transpose(0, 2, 1) @ self.inner.expected @ self.slope)
        return np.asarray(self.inner.expected * self.slope**2)

    observed = expected


def twice(link: Link) -> Callable[[Array, Array], Any]:
    """The kernel of a likelihood that took the probabilities of this link for logits."""
    return lambda y, eta: Twice(Logit(y, link.inverse(eta)), link.slope(eta))


def twice_softmax(link: Link) -> Callable[[Array, Array], Any]:
    """The kernel of a softmax over the probabilities of a softmax; one column of eta stands for two classes."""

    def pair(y: Array, eta: Array) -> Twice:
        return Twice(Logit(y, 2.0 * link.inverse(eta) - 1.0), 2.0 * link.slope(eta))

    def several(y: Array, eta: Array) -> Twice:
        shares = probabilities(eta)
        base, others = shares[:, :1], shares[:, 1:]
        # dp_c / d eta_d = p_c (1[c = d] - p_d), less the same of the base
        slope = (base - others)[:, :, None] * others[:, None, :]
        at = np.arange(others.shape[1])
        slope[:, at, at] += others
        return Twice(Softmax(y, others - base), slope)

    return several if link.activation == "softmax" else pair
