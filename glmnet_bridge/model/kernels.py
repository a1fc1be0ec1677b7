"""Kernels: log-likelihood, score and information of one row, at the linear predictor.

    loglik    l(eta) = log f(y; eta) - log f(y; saturated)        (so deviance = -2 sum l)
    score     u = dl / deta
    expected  w = E[-d2l / deta2]          observed  w = -d2l / deta2

all at dispersion 1 and weight 1. A kernel takes eta, never the mean: probabilities near 0
and 1 are carried with their complement, ratios are formed on the log scale, and nothing
is clipped, so that tails are right at |eta| = 800. A linear predictor outside the link's
domain has log-likelihood minus infinity; step control relies on that.

Each kernel is a small class: the constructor does the work that the four properties share.
Those of the binomial distribution stand in `binomials`, that of several classes in `multinomials`;
here are those of a real number, a count and a positive number.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

Array = np.ndarray


class Local(Protocol):
    """What one kernel says about rows `(m, k)`; every property is an `(m, k)` array.

    Of several classes the likelihood is `(m, 1)` and information `(m, k, k)`.
    """

    loglik: Array
    score: Array
    expected: Array
    observed: Array


def quiet(method: Callable[[Any], Array]) -> Callable[[Any], Array]:
    """Where the true value is beyond the largest number, infinity is the answer and not a reason to warn."""

    @functools.wraps(method)
    def computed(self: Any) -> Array:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return method(self)

    return computed


def excess(t: Array, log_ratio: Array) -> Array:
    """`t - log(1 + t)` without cancellation for small t (through 2 atanh(t / (2 + t))).

    `log_ratio` is log(1 + t): near t = -1 it cannot be had from t.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = t - np.where(np.abs(t) < 0.5, np.log1p(t), log_ratio)
        small = np.abs(t) < 0.1
        if not small.any():
            return plain
        v = np.where(small, t / (2.0 + t), 0.0)
        square = v * v
        series = 1 / 3 + square * (1 / 5 + square * (1 / 7 + square * (1 / 9 + square * (1 / 11 + square / 13))))
        return np.where(small, t * v - 2.0 * v * square * series, plain)


def divergence(y: Array, log_mean: Array, gap: Array) -> Array:
    """`y log(y / mean) - y + mean`, half a Poisson deviance, for y >= 0 and gap = mean - y."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(y > 0, y * excess(gap / y, log_mean - np.log(y)), y + gap)


class _Positive:
    """A link whose mean is positive only for eta > 0."""

    __slots__ = ("eta", "mean", "valid", "y")

    def __init__(self, y: Array, eta: Array) -> None:
        self.y, self.valid = y, eta > 0.0
        self.eta = np.where(self.valid, eta, 1.0)
        with np.errstate(over="ignore", divide="ignore"):
            self.mean = self._mean()

    def _mean(self) -> Array:
        return self.eta

    def _inside(self, loglik: Array) -> Array:
        return np.where(self.valid, loglik, -np.inf)


class PoissonLog:
    """Canonical: u = y - mu, w = mu = exp(eta)."""

    __slots__ = ("eta", "mean", "y")

    def __init__(self, y: Array, eta: Array) -> None:
        self.y, self.eta = y, eta
        with np.errstate(over="ignore"):
            self.mean = np.exp(eta)

    @property
    def loglik(self) -> Array:
        return -divergence(self.y, self.eta, self.mean - self.y)

    @property
    def score(self) -> Array:
        return self.y - self.mean

    @property
    def expected(self) -> Array:
        return self.mean

    observed = expected


class PoissonIdentity(_Positive):
    """mu = eta > 0."""

    __slots__ = ()

    @property
    def loglik(self) -> Array:
        return self._inside(-divergence(self.y, np.log(self.eta), self.eta - self.y))

    @property
    @quiet
    def score(self) -> Array:
        return (self.y - self.eta) / self.eta

    @property
    @quiet
    def expected(self) -> Array:
        return 1.0 / self.eta

    @property
    @quiet
    def observed(self) -> Array:
        return self.y / self.eta / self.eta


class PoissonSqrt(_Positive):
    """mu = eta^2, eta > 0: the link that stabilises the variance."""

    __slots__ = ()

    def _mean(self) -> Array:
        return self.eta**2

    @property
    def loglik(self) -> Array:
        return self._inside(-divergence(self.y, 2.0 * np.log(self.eta), self.mean - self.y))

    @property
    @quiet
    def score(self) -> Array:
        return 2.0 * (self.y / self.eta - self.eta)

    @property
    def expected(self) -> Array:
        return np.full_like(self.eta, 4.0)

    @property
    @quiet
    def observed(self) -> Array:
        return 2.0 * (1.0 + self.y / self.eta / self.eta)


class GammaLog:
    """With d = log y - eta: l = d + 1 - exp(d), u = exp(d) - 1."""

    __slots__ = ("distance", "rise")

    def __init__(self, y: Array, eta: Array) -> None:
        with np.errstate(over="ignore", divide="ignore"):
            self.distance = np.log(y) - eta
            self.rise = np.expm1(self.distance)

    @property
    def loglik(self) -> Array:
        return -excess(self.rise, self.distance)

    @property
    def score(self) -> Array:
        return self.rise

    @property
    def expected(self) -> Array:
        return np.ones_like(self.rise)

    @property
    @quiet
    def observed(self) -> Array:
        return np.exp(self.distance)


class GammaInverse(_Positive):
    """Canonical, mu = 1 / eta > 0."""

    __slots__ = ()

    def _mean(self) -> Array:
        return 1.0 / self.eta

    @property
    @quiet
    def loglik(self) -> Array:
        return self._inside(-excess(self.y * self.eta - 1.0, np.log(self.y) + np.log(self.eta)))

    @property
    def score(self) -> Array:
        return self.mean - self.y

    @property
    @quiet
    def expected(self) -> Array:
        return self.mean**2

    observed = expected


class GammaIdentity(_Positive):
    """mu = eta > 0."""

    __slots__ = ()

    @property
    @quiet
    def loglik(self) -> Array:
        return self._inside(-excess(self.y / self.eta - 1.0, np.log(self.y) - np.log(self.eta)))

    @property
    @quiet
    def score(self) -> Array:
        return (self.y / self.eta - 1.0) / self.eta

    @property
    @quiet
    def expected(self) -> Array:
        return 1.0 / self.eta**2

    @property
    @quiet
    def observed(self) -> Array:
        return (2.0 * self.y / self.eta - 1.0) / self.eta / self.eta


class InverseGaussianSquare(_Positive):
    """Canonical, 1 / mu^2 = eta > 0: l = -(y - mu)^2 / (2 y mu^2)."""

    __slots__ = ()

    def _mean(self) -> Array:
        return 1.0 / np.sqrt(self.eta)

    @property
    def loglik(self) -> Array:
        rise = self.y * np.sqrt(self.eta) - 1.0
        return self._inside(-0.5 * rise * (rise / self.y))

    @property
    def score(self) -> Array:
        return 0.5 * (self.mean - self.y)

    @property
    @quiet
    def expected(self) -> Array:
        return 0.25 * self.mean / self.eta

    observed = expected


class InverseGaussianLog:
    """mu = exp(eta); ratios to the mean stay on the log scale."""

    __slots__ = ("inverse", "rise", "y")

    def __init__(self, y: Array, eta: Array) -> None:
        self.y = y
        with np.errstate(over="ignore", divide="ignore"):
            self.inverse = np.exp(-eta)
            self.rise = np.expm1(np.log(y) - eta)

    @property
    @quiet
    def loglik(self) -> Array:
        return -0.5 * self.rise * (self.rise / self.y)

    @property
    @quiet
    def score(self) -> Array:
        return self.rise * self.inverse

    @property
    def expected(self) -> Array:
        return self.inverse

    @property
    @quiet
    def observed(self) -> Array:
        return self.inverse * (1.0 + 2.0 * self.rise)


class GaussianIdentity:
    """Least squares: l = -(y - eta)^2 / 2."""

    __slots__ = ("residual",)

    def __init__(self, y: Array, eta: Array) -> None:
        self.residual = y - eta

    @property
    def loglik(self) -> Array:
        return -0.5 * self.residual**2

    @property
    def score(self) -> Array:
        return self.residual

    @property
    def expected(self) -> Array:
        return np.ones_like(self.residual)

    observed = expected


class GaussianLog:
    """mu = exp(eta), constant variance."""

    __slots__ = ("mean", "residual")

    def __init__(self, y: Array, eta: Array) -> None:
        with np.errstate(over="ignore"):
            self.mean = np.exp(eta)
        self.residual = y - self.mean

    @property
    @quiet
    def loglik(self) -> Array:
        return -0.5 * self.residual**2

    @property
    @quiet
    def score(self) -> Array:
        return self.residual * self.mean

    @property
    @quiet
    def expected(self) -> Array:
        return self.mean**2

    @property
    @quiet
    def observed(self) -> Array:
        return self.mean * (self.mean - self.residual)


class GaussianInverse:
    """mu = 1 / eta, constant variance; eta = 0 has no mean."""

    __slots__ = ("mean", "residual", "valid")

    def __init__(self, y: Array, eta: Array) -> None:
        self.valid = eta != 0.0
        self.mean = 1.0 / np.where(self.valid, eta, 1.0)
        self.residual = y - self.mean

    @property
    @quiet
    def loglik(self) -> Array:
        return np.where(self.valid, -0.5 * self.residual**2, -np.inf)

    @property
    @quiet
    def score(self) -> Array:
        return -self.residual * self.mean**2

    @property
    @quiet
    def expected(self) -> Array:
        return self.mean**4

    @property
    @quiet
    def observed(self) -> Array:
        return self.mean**3 * (self.mean - 2.0 * self.residual)
