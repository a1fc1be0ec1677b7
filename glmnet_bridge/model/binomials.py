"""Binomial kernels: y is a proportion, and eta may lie far in either tail (see `kernels`).

    l(eta) = y log p + (1 - y) log q, less the same at p = y         p = F(eta), q = 1 - F(eta)

Both p and q, their logarithms and the ratios f/p and f/q are formed without one from the
other: where p is 1 to the last digit, q still has all of its own.
"""

from __future__ import annotations

import numpy as np
import scipy

from glmnet_bridge.model.kernels import divergence, quiet

Array = np.ndarray
ROOT_TWO, ROOT_TWO_OVER_PI = np.sqrt(2.0), np.sqrt(2.0 / np.pi)
# phi(x) / (1 - Phi(x)) = x + 1/x - 2/x^3 + 10/x^5 - ... for large x, highest power first
MILLS = (29752066.0, -1708394.0, 110410.0, -8162.0, 706.0, -74.0, 10.0, -2.0, 1.0)


def _grouped(y: Array, p: Array, q: Array, log_p: Array, log_q: Array) -> Array:
    """Log-likelihood of proportions; the gap is taken on the side where p has all its digits."""
    gap = np.where(p < 0.5, p - y, (1.0 - y) - q)
    return -divergence(y, log_p, gap) - divergence(1.0 - y, log_q, -gap)


def _log(p: Array, complement: Array) -> Array:
    """Log p, near p = 1 through the complement."""
    return np.where(p < 0.5, np.log(p), np.log1p(-complement))


def _times(y: Array, ratio: Array) -> Array:
    """`y * ratio`, with 0 where y is 0 although the ratio is infinite."""
    return np.where(y == 0.0, 0.0, y * ratio)


class Logit:
    """Canonical: u = y - mu, w = mu (1 - mu); both through s = 1 / (1 + exp(|eta|)).

    s is the smaller of mu and 1 - mu, and has all its digits in both tails.
    """

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
        logs = np.minimum(eta, 0.0) + log_large, np.minimum(-eta, 0.0) + log_large
        return np.where(grouped, _grouped(y, mean, complement, *logs), plain)

    @staticmethod
    def quick_score(y: Array, eta: Array) -> Array:
        """The score to 1e-16 absolute, in half the time: for passes over many rows that form nothing else."""
        with np.errstate(over="ignore"):
            odds = np.exp(-eta)
        odds += 1.0
        np.reciprocal(odds, out=odds)
        return np.subtract(y, odds, out=odds)

    @property
    def score(self) -> Array:
        # y - mu, with mu = s below 0 and 1 - s above; the two terms must agree about the sign of -0.0
        return (self.y - ~np.signbit(self.eta)) + np.copysign(self.small, self.eta)

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
    @quiet
    def loglik(self) -> Array:
        y = self.y
        pure = (y == 0) | (y == 1)
        ones = np.where(y == 0, self.log_q, self.log_p)
        if not pure.all():
            ones = np.where(pure, ones, _grouped(y, self.p, self.q, self.log_p, self.log_q))
        return ones if self.valid is None else np.where(self.valid, ones, -np.inf)

    @property
    @quiet
    def score(self) -> Array:
        return _times(self.y, self.over_p) - _times(1.0 - self.y, self.over_q)

    @property
    @quiet
    def expected(self) -> Array:
        both = self.over_p * self.over_q
        return np.where(np.isnan(both), 0.0, both)

    @property
    @quiet
    def observed(self) -> Array:
        return _times(self.y, self.event_curve) + _times(1.0 - self.y, self.other_curve)


class Probit(_Binomial):
    """F is the normal distribution; f/p is the inverse Mills ratio, through erfcx."""

    def _shape(self, eta: Array) -> None:
        self.p, self.q = scipy.special.ndtr(eta), scipy.special.ndtr(-eta)
        self.log_p, self.log_q = scipy.special.log_ndtr(eta), scipy.special.log_ndtr(-eta)
        self.over_p, self.event_curve = self._mills(eta)
        self.over_q, self.other_curve = self._mills(-eta)

    @staticmethod
    def _mills(eta: Array) -> tuple[Array, Array]:
        """`a = phi / Phi` and `a (a + eta)`; the sum cancels in the lower tail, hence the series."""
        ratio = ROOT_TWO_OVER_PI / scipy.special.erfcx(-eta / ROOT_TWO)
        tail = eta < -20.0
        if not tail.any():
            return ratio, ratio * (ratio + eta)
        inverse = 1.0 / np.where(tail, eta, -20.0)
        rest = -inverse * np.polyval(MILLS, inverse * inverse)
        return ratio, ratio * np.where(tail, rest, ratio + eta)


class CLogLog(_Binomial):
    """F = 1 - exp(-exp(eta)); with r = exp(eta): f/q = r, f/p = r / (exp(r) - 1)."""

    def _shape(self, eta: Array) -> None:
        rate = np.exp(eta)
        self.p, self.q = -np.expm1(-rate), np.exp(-rate)
        # below eta = -37 the logarithm of 1 - exp(-r) is eta to the last digit, also where r underflows
        self.log_p = np.where(eta < -37.0, eta, _log(self.p, self.q))
        self.log_q = -rate
        self.over_p, self.over_q = self.q / scipy.special.exprel(-np.minimum(rate, 1e300)), rate
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
        self.log_p, self.log_q = _log(self.p, self.q), _log(self.q, self.p)
        density = 1.0 / (np.pi * (1.0 + eta * eta))
        curve = -2.0 * eta / (1.0 + eta * eta)
        self.over_p, self.over_q = density / self.p, density / self.q
        self.event_curve = self.over_p * (self.over_p - curve)
        self.other_curve = self.over_q * (self.over_q + curve)


class BinomialLog(_Binomial):
    """p = exp(eta), eta <= 0: relative risks."""

    def _shape(self, eta: Array) -> None:
        self.p, self.q = np.exp(eta), np.abs(np.expm1(eta))
        self.log_p, self.log_q = eta, _log(self.q, self.p)
        self.over_p, self.over_q = np.ones_like(eta), self.p / self.q
        self.event_curve = np.zeros_like(eta)
        self.other_curve = self.over_q * (self.over_q + 1.0)

    def _domain(self, eta: Array) -> Array:
        return eta <= 0.0


class BinomialIdentity(_Binomial):
    """p = eta in [0, 1]: risk differences."""

    def _shape(self, eta: Array) -> None:
        self.p, self.q = eta, 1.0 - eta
        self.log_p, self.log_q = np.log(eta), np.log1p(-eta)
        self.over_p, self.over_q = 1.0 / self.p, 1.0 / self.q
        self.event_curve, self.other_curve = self.over_p**2, self.over_q**2

    def _domain(self, eta: Array) -> Array:
        return (eta >= 0.0) & (eta <= 1.0)
