"""Kernels: log-likelihood, score and information of one row, at the linear predictor.

    loglik    l(eta) = log f(y; eta) - log f(y; saturated)        (so deviance = -2 sum l)
    score     u = dl / deta
    expected  w = E[-d2l / deta2]          observed  w = -d2l / deta2

all at dispersion 1 and weight 1. A kernel takes eta, never the mean: probabilities near 0
and 1 are carried with their complement, ratios are formed on the log scale, and nothing
is clipped, so that tails are right at |eta| = 800. A linear predictor outside the link's
domain has log-likelihood minus infinity; step control relies on that.

Each kernel is a small class: the constructor does the work that the four properties share.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy import special

Array = np.ndarray
ROOT_TWO, ROOT_TWO_OVER_PI = np.sqrt(2.0), np.sqrt(2.0 / np.pi)


class Local(Protocol):
    """What one kernel says about rows `(m, k)`; every property is an `(m, k)` array."""

    loglik: Array
    score: Array
    expected: Array
    observed: Array


def excess(t: Array) -> Array:
    """`t - log(1 + t)` without cancellation for small t (through 2 atanh(t / (2 + t)))."""
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = t - np.log1p(t)
        small = np.abs(t) < 0.1
        if not small.any():
            return plain
        v = np.where(small, t / (2.0 + t), 0.0)
        square = v * v
        series = 1 / 3 + square * (1 / 5 + square * (1 / 7 + square * (1 / 9 + square * (1 / 11 + square / 13))))
        return np.where(small, t * v - 2.0 * v * square * series, plain)


def divergence(y: Array, mean: Array, log_mean: Array) -> Array:
    """`y log(y / mean) - y + mean`, half a Poisson deviance, for y >= 0; accurate as mean approaches y."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        far = special.xlogy(y, y) - np.where(y > 0, y * log_mean, 0.0) - y + mean
        t = (mean - y) / y
        near = np.abs(t) < 0.1
        return np.where(near, y * excess(np.where(near, t, 0.0)), far) if near.any() else far


def _times(y: Array, ratio: Array) -> Array:
    """`y * ratio`, with 0 where y is 0 although the ratio is infinite."""
    with np.errstate(invalid="ignore"):
        return np.where(y == 0.0, 0.0, y * ratio)


# --- binomial: y is a proportion ------------------------------------------------------------


class Logit:
    """Canonical: u = y - mu, w = mu (1 - mu), both through s = 1 / (1 + exp(|eta|)), the smaller of mu and 1 - mu."""

    __slots__ = ("eta", "large", "small", "tail", "y")

    def __init__(self, y: Array, eta: Array) -> None:
        self.y, self.eta = y, eta
        self.tail = np.exp(-np.abs(eta))
        self.large = 1.0 / (1.0 + self.tail)
        self.small = self.tail * self.large

    @property
    def loglik(self) -> Array:
        y, eta = self.y, self.eta
        log_large = -np.log1p(self.tail)
        # -log(1 + exp(-s eta)) for y in {0, 1}; the entropy of y makes it relative to the saturated model
        plain = y * eta - np.maximum(eta, 0.0) + log_large
        grouped = (y > 0) & (y < 1)
        if not grouped.any():
            return plain
        positive = eta >= 0
        mean, complement = np.where(positive, [self.large, self.small], [self.small, self.large])
        exact = -divergence(y, mean, np.minimum(eta, 0.0) + log_large)
        exact -= divergence(1.0 - y, complement, np.minimum(-eta, 0.0) + log_large)
        return np.where(grouped, exact, plain)

    @staticmethod
    def residual(y: Array, eta: Array) -> Array:
        """The score to 1e-16 absolute, in half the time: for passes over many rows that form nothing else."""
        with np.errstate(over="ignore"):
            return y - 1.0 / (1.0 + np.exp(-eta))

    @property
    def score(self) -> Array:
        # y - mu, with mu = s below 0 and 1 - s above: exact to the last digit in both tails
        return (self.y - (self.eta >= 0)) + np.copysign(self.small, self.eta)

    @property
    def expected(self) -> Array:
        return self.small * self.large

    observed = expected


class _Binomial:
    """A link F with p = F(eta), q = 1 - F: subclasses give logs and the ratios f/p, f/q and f'/f.

    u = y f/p - (1 - y) f/q,  expected = f^2 / (p q),
    observed = y f/p (f/p - f'/f) + (1 - y) f/q (f/q + f'/f).
    """

    p: Array
    q: Array
    log_p: Array
    log_q: Array
    over_p: Array
    over_q: Array
    event_curve: Array
    other_curve: Array

    def __init__(self, y: Array, eta: Array) -> None:
        self.y, self.eta = y, eta
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            self._shape(eta)
        self.valid = self._domain(eta)

    def _shape(self, eta: Array) -> None:
        raise AssertionError("each link defines its shape")

    def _domain(self, eta: Array) -> Array | None:
        return None

    @property
    def loglik(self) -> Array:
        y = self.y
        pure = (y == 0) | (y == 1)
        ones = np.where(y == 0, self.log_q, self.log_p)
        if not pure.all():
            mixed = -divergence(y, self.p, self.log_p) - divergence(1.0 - y, self.q, self.log_q)
            ones = np.where(pure, ones, mixed)
        return ones if self.valid is None else np.where(self.valid, ones, -np.inf)

    @property
    def score(self) -> Array:
        return _times(self.y, self.over_p) - _times(1.0 - self.y, self.over_q)

    @property
    def expected(self) -> Array:
        with np.errstate(invalid="ignore", over="ignore"):
            both = self.over_p * self.over_q
        return np.where(np.isnan(both), 0.0, both)

    @property
    def observed(self) -> Array:
        return _times(self.y, self.event_curve) + _times(1.0 - self.y, self.other_curve)


class Probit(_Binomial):
    """F is the normal distribution; f/p is the inverse Mills ratio, through erfcx."""

    def _shape(self, eta: Array) -> None:
        self.p, self.q = special.ndtr(eta), special.ndtr(-eta)
        self.log_p, self.log_q = special.log_ndtr(eta), special.log_ndtr(-eta)
        self.over_p, self.event_curve = self._mills(eta)
        self.over_q, self.other_curve = self._mills(-eta)

    @staticmethod
    def _mills(eta: Array) -> tuple[Array, Array]:
        """`a = phi / Phi` and `a (a + eta)`; the sum cancels in the lower tail, hence the series."""
        ratio = ROOT_TWO_OVER_PI / special.erfcx(-eta / ROOT_TWO)
        tail = eta < -100.0
        inverse = 1.0 / np.where(tail, eta * eta, 1.0)
        rest = -(1.0 - inverse * (2.0 - inverse * (10.0 - 74.0 * inverse))) / np.where(tail, eta, 1.0)
        return ratio, ratio * np.where(tail, rest, ratio + eta)


class CLogLog(_Binomial):
    """F = 1 - exp(-exp(eta)); with r = exp(eta): f/q = r, f/p = r / (exp(r) - 1)."""

    def _shape(self, eta: Array) -> None:
        rate = np.exp(eta)
        self.p, self.q = -np.expm1(-rate), np.exp(-rate)
        # below eta = -37 the logarithm of 1 - exp(-r) is eta to the last digit, also where r underflows
        self.log_p = np.where(eta < -37.0, eta, np.log(self.p))
        self.log_q = -rate
        self.over_p, self.over_q = 1.0 / special.exprel(rate), rate
        small = rate < 0.01
        series = rate * (0.5 + rate * (1 / 12 - rate * rate / 720))
        self.event_curve = self.over_p * np.where(small, series, self.over_p - 1.0 + rate)
        self.event_curve = np.where(self.over_p == 0.0, 0.0, self.event_curve)
        self.other_curve = rate


class LogLog(_Binomial):
    """F = exp(-exp(-eta)): the complementary log-log with event and sign exchanged."""

    def _shape(self, eta: Array) -> None:
        mirror = CLogLog(1.0 - self.y, -eta)
        self.p, self.q = mirror.q, mirror.p
        self.log_p, self.log_q = mirror.log_q, mirror.log_p
        self.over_p, self.over_q = mirror.over_q, mirror.over_p
        self.event_curve, self.other_curve = mirror.other_curve, mirror.event_curve


class Cauchit(_Binomial):
    """F = 1/2 + arctan(eta) / pi; the tails through arctan(1 / |eta|), which does not cancel."""

    def _shape(self, eta: Array) -> None:
        self.p, self.q = np.arctan2(1.0, -eta) / np.pi, np.arctan2(1.0, eta) / np.pi
        self.log_p, self.log_q = np.log(self.p), np.log(self.q)
        density = 1.0 / (np.pi * (1.0 + eta * eta))
        curve = -2.0 * eta / (1.0 + eta * eta)
        self.over_p, self.over_q = density / self.p, density / self.q
        self.event_curve = self.over_p * (self.over_p - curve)
        self.other_curve = self.over_q * (self.over_q + curve)


class BinomialLog(_Binomial):
    """p = exp(eta), eta <= 0: relative risks."""

    def _shape(self, eta: Array) -> None:
        self.p, self.q = np.exp(eta), -np.expm1(eta)
        self.log_p, self.log_q = eta, np.log(self.q)
        self.over_p, self.over_q = np.ones_like(eta), 1.0 / np.expm1(-eta)
        self.event_curve = np.zeros_like(eta)
        self.other_curve = self.over_q * (self.over_q + 1.0)

    def _domain(self, eta: Array) -> Array:
        return eta <= 0.0


class BinomialIdentity(_Binomial):
    """p = eta in [0, 1]: risk differences."""

    def _shape(self, eta: Array) -> None:
        self.p, self.q = eta, 1.0 - eta
        self.log_p, self.log_q = np.log(self.p), np.log(self.q)
        self.over_p, self.over_q = 1.0 / self.p, 1.0 / self.q
        self.event_curve, self.other_curve = self.over_p**2, self.over_q**2

    def _domain(self, eta: Array) -> Array:
        return (eta >= 0.0) & (eta <= 1.0)


# --- the others: y is a real number, a count or a positive number -----------------------------


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
        return -divergence(self.y, self.mean, self.eta)

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
        return self._inside(-divergence(self.y, self.eta, np.log(self.eta)))

    @property
    def score(self) -> Array:
        return (self.y - self.eta) / self.eta

    @property
    def expected(self) -> Array:
        return 1.0 / self.eta

    @property
    def observed(self) -> Array:
        return self.y / self.eta**2


class PoissonSqrt(_Positive):
    """mu = eta^2, eta > 0: the link that stabilises the variance."""

    __slots__ = ()

    def _mean(self) -> Array:
        return self.eta**2

    @property
    def loglik(self) -> Array:
        return self._inside(-divergence(self.y, self.mean, 2.0 * np.log(self.eta)))

    @property
    def score(self) -> Array:
        return 2.0 * (self.y - self.mean) / self.eta

    @property
    def expected(self) -> Array:
        return np.full_like(self.eta, 4.0)

    @property
    def observed(self) -> Array:
        return 2.0 * (1.0 + self.y / self.mean)


class GammaLog:
    """With d = log y - eta: l = d + 1 - exp(d), u = exp(d) - 1."""

    __slots__ = ("rise",)

    def __init__(self, y: Array, eta: Array) -> None:
        with np.errstate(over="ignore", divide="ignore"):
            self.rise = np.expm1(np.log(y) - eta)

    @property
    def loglik(self) -> Array:
        return -excess(self.rise)

    @property
    def score(self) -> Array:
        return self.rise

    @property
    def expected(self) -> Array:
        return np.ones_like(self.rise)

    @property
    def observed(self) -> Array:
        return 1.0 + self.rise


class GammaInverse(_Positive):
    """Canonical, mu = 1 / eta > 0."""

    __slots__ = ()

    def _mean(self) -> Array:
        return 1.0 / self.eta

    @property
    def loglik(self) -> Array:
        return self._inside(-excess(self.y * self.eta - 1.0))

    @property
    def score(self) -> Array:
        return self.mean - self.y

    @property
    def expected(self) -> Array:
        return self.mean**2

    observed = expected


class GammaIdentity(_Positive):
    """mu = eta > 0."""

    __slots__ = ()

    @property
    def loglik(self) -> Array:
        return self._inside(-excess(self.y / self.eta - 1.0))

    @property
    def score(self) -> Array:
        return (self.y / self.eta - 1.0) / self.eta

    @property
    def expected(self) -> Array:
        return 1.0 / self.eta**2

    @property
    def observed(self) -> Array:
        return (2.0 * self.y / self.eta - 1.0) / self.eta**2


class InverseGaussianSquare(_Positive):
    """Canonical, 1 / mu^2 = eta > 0: l = -(y - mu)^2 / (2 y mu^2)."""

    __slots__ = ()

    def _mean(self) -> Array:
        return 1.0 / np.sqrt(self.eta)

    @property
    def loglik(self) -> Array:
        return self._inside(-0.5 * (self.y - self.mean) ** 2 * self.eta / self.y)

    @property
    def score(self) -> Array:
        return 0.5 * (self.mean - self.y)

    @property
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
    def loglik(self) -> Array:
        return -0.5 * self.rise**2 / self.y

    @property
    def score(self) -> Array:
        return self.rise * self.inverse

    @property
    def expected(self) -> Array:
        return self.inverse

    @property
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
    def loglik(self) -> Array:
        return -0.5 * self.residual**2

    @property
    def score(self) -> Array:
        return self.residual * self.mean

    @property
    def expected(self) -> Array:
        return self.mean**2

    @property
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
    def loglik(self) -> Array:
        return np.where(self.valid, -0.5 * self.residual**2, -np.inf)

    @property
    def score(self) -> Array:
        return -self.residual * self.mean**2

    @property
    def expected(self) -> Array:
        return self.mean**4

    @property
    def observed(self) -> Array:
        return self.mean**3 * (self.mean - 2.0 * self.residual)
