"""The distributions and links of the textbook, in 100-digit arithmetic: what the kernels are held against.

Nothing here is taken from the package. A log-density is written as a book prints it, its derivatives are
those of mpmath. A new family needs a line in `DENSITIES` or `LINKS`; every law then applies to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import mpmath as mp
import numpy as np

Number = mp.mpf

DIGITS = 100
mp.mp.dps = DIGITS


@dataclass(frozen=True)
class Mean:
    """The mean and, where it is a probability, its complement; each to full relative precision."""

    value: Number
    complement: Number | None = None


# --- links: mean as a function of eta, complement where the mean is a probability -----------------


@dataclass(frozen=True)
class Link:
    """Mean and complement as functions of eta; `digits` are lost for each unit of |eta|.

    Where a tail is exp(-|eta|), beside a number near 1 it costs 0.44 of them.
    """

    inverse: Callable[[Number], Number]
    complement: Callable[[Number], Number] | None = None
    domain: str = "line"
    digits: float = 0.0


LINKS = {
    "logit": Link(lambda e: 1 / (1 + mp.exp(-e)), lambda e: 1 / (1 + mp.exp(e)), digits=0.45),
    "probit": Link(mp.ncdf, lambda e: mp.ncdf(-e)),
    "cloglog": Link(lambda e: -mp.expm1(-mp.exp(e)), lambda e: mp.exp(-mp.exp(e)), digits=0.45),
    "loglog": Link(lambda e: mp.exp(-mp.exp(-e)), lambda e: -mp.expm1(-mp.exp(-e)), digits=0.45),
    "cauchit": Link(lambda e: mp.mpf(1) / 2 + mp.atan(e) / mp.pi, lambda e: mp.mpf(1) / 2 - mp.atan(e) / mp.pi),
    "log": Link(mp.exp, lambda e: -mp.expm1(e), digits=0.45),
    "identity": Link(lambda e: e, lambda e: 1 - e),
    "inverse": Link(lambda e: 1 / e),
    "sqrt": Link(lambda e: e**2, domain="positive"),
    "1/mu^2": Link(lambda e: 1 / mp.sqrt(e), domain="positive"),
}


# --- distributions: log-density at dispersion 1, variance function ----------------------------------


def _times_log(a: Number, b: Number, complement: Number | None = None) -> Number:
    """`a log b`, 0 for a = 0; near b = 1 through the complement."""
    if a == 0:
        return mp.mpf(0)
    if b == 0:
        return mp.ninf
    return a * (mp.log1p(-complement) if complement is not None and b > 0.5 else mp.log(b))


def _binomial(y: Number, mean: Mean) -> Number:
    return _times_log(y, mean.value, mean.complement) + _times_log(1 - y, mean.complement, mean.value)


def _poisson(y: Number, mean: Mean) -> Number:
    return _times_log(y, mean.value) - mean.value - mp.loggamma(y + 1)


def _gaussian(y: Number, mean: Mean) -> Number:
    return -mp.log(2 * mp.pi) / 2 - (y - mean.value) ** 2 / 2


def _gamma(y: Number, mean: Mean) -> Number:
    return -mp.log(mean.value) - y / mean.value  # shape 1, rate 1 / mean


def _inverse_gaussian(y: Number, mean: Mean) -> Number:
    return -mp.log(2 * mp.pi * y**3) / 2 - (y - mean.value) ** 2 / (2 * mean.value**2 * y)


@dataclass(frozen=True)
class Density:
    log: Callable[[Number, Mean], Number]
    variance: Callable[[Mean], Number]
    support: str


DENSITIES = {
    "binomial": Density(_binomial, lambda m: m.value * m.complement, "binomial"),
    "poisson": Density(_poisson, lambda m: m.value, "count"),
    "gaussian": Density(_gaussian, lambda m: mp.mpf(1), "real"),
    "gamma": Density(_gamma, lambda m: m.value**2, "positive"),
    "inverse_gaussian": Density(_inverse_gaussian, lambda m: m.value**3, "positive"),
    # of two classes; `test_multinomials.py` has more of them
    "multinomial": Density(_binomial, lambda m: m.value * m.complement, "classes"),
}


CANONICAL = {
    "binomial": "logit",
    "poisson": "log",
    "gaussian": "identity",
    "gamma": "inverse",
    "inverse_gaussian": "1/mu^2",
    "multinomial": "logit",
}


# --- what hidden units do ---------------------------------------------------------------------------

ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
    "tanh": mp.tanh,
    "relu": lambda z: max(z, mp.mpf(0)),
    "leaky_relu": lambda z: z if z > 0 else z / 100,
}


# --- what a kernel should say ----------------------------------------------------------------------


@functools.lru_cache(maxsize=200_000)
def _mean(link: str, eta: Number, binomial: bool, precision: int) -> Mean:
    """Cached, because the derivatives for every y ask for the same few eta."""
    law = LINKS[link]
    return Mean(law.inverse(eta), law.complement(eta) if binomial else None)


@functools.lru_cache(maxsize=200_000)
def _saturated(name: str, y: Number, precision: int) -> Number:
    return DENSITIES[name].log(y, Mean(y, 1 - y))


@dataclass(frozen=True)
class Truth:
    """The four quantities of a kernel for one y and eta, from the log-density."""

    name: str
    link: str

    def mean(self, eta: Number) -> Mean:
        return _mean(self.link, eta, self.name in ("binomial", "multinomial"), mp.mp.prec)

    def loglik(self, y: Number, eta: Number) -> Number:
        """Relative to the saturated model."""
        with mp.workdps(self._digits(eta)):
            return DENSITIES[self.name].log(y, self.mean(eta)) - _saturated(self.name, y, mp.mp.prec)

    def score(self, y: Number, eta: Number) -> Number:
        return self._diff(self._density(y), eta)

    def observed(self, y: Number, eta: Number) -> Number:
        return -self._diff(self._density(y), eta, 2)

    def slope(self, eta: Number) -> Number:
        """Through the smaller of mean and complement, which does not lose its digits."""
        here = self.mean(eta)
        if here.complement is not None and here.complement < here.value:
            return -self._diff(lambda e: self.mean(e).complement, eta)
        return self._diff(lambda e: self.mean(e).value, eta)

    def expected(self, y: Number, eta: Number) -> Number:
        """slope^2 / variance; that it is the mean of `observed` is a law of its own."""
        return self.slope(eta) ** 2 / DENSITIES[self.name].variance(self.mean(eta))

    def _digits(self, eta: Number) -> int:
        lost = LINKS[self.link].digits * abs(eta) * (2 if self.name == "gaussian" else 1)  # it squares the mean
        near_zero = 0 if domain(self.name, self.link) == "line" else 0.65 * abs(mp.mag(eta))  # eta^2 under "sqrt"
        return DIGITS + int(lost + near_zero)

    def _density(self, y: Number) -> Callable[[Number], Number]:
        log = DENSITIES[self.name].log
        return lambda eta: log(y, self.mean(eta))

    def _diff(self, f: Callable[[Number], Number], eta: Number, order: int = 1) -> Number:
        """With steps that stay inside the domain."""
        with mp.workdps(self._digits(eta)):
            size = mp.mpf(1) if domain(self.name, self.link) == "line" else abs(eta)
            slope = mp.diff(f, eta, order, h=size * mp.ldexp(1, -mp.mp.prec))
            noise = abs(f(eta)) * mp.mpf(10) ** (10 - mp.mp.dps) / size**order
            return slope if abs(slope) > noise else mp.mpf(0)


# --- where the laws are tried -----------------------------------------------------------------------

TAIL = (1e-8, 1e-3, 0.1, 0.5, 1.0, 2.5, 6.0, 11.0, 19.9, 37.0, 139.0, 300.0, 707.0, 745.0, 800.0)
NEAR_ZERO = (1e-300, 1e-20)
DOMAINS = {
    "line": (*(-t for t in TAIL), -1e-20, -0.0, 0.0, 1e-20, *TAIL),
    "positive": (*NEAR_ZERO, 1e-154, *TAIL, 1e6),
    "negative": (*(-t for t in TAIL), *(-t for t in NEAR_ZERO)),
    "unit": (1e-100, 1e-20, 1e-8, 0.1, 0.3, 0.5, 0.75, 1 - 1e-8, 1 - 2.0**-53),
    "nonzero": (*(-t for t in TAIL), *(-t for t in NEAR_ZERO), *NEAR_ZERO, *TAIL),
}
RESPONSES = {
    "binomial": (0.0, 1e-12, 0.1, 1 / 3, 0.9, 1 - 1e-12, 1.0),
    "classes": (0.0, 1e-12, 0.1, 1 / 3, 0.9, 1 - 1e-12, 1.0),
    "count": (0.0, 1.0, 3.0, 1000.0, 1e6, 1e12),
    "positive": (1e-8, 0.02, 1.0, 3.5, 1e8),
    "real": (-1e8, -2.0, 0.0, 1e-8, 1.0, 1e8),
}


def domain(name: str, link: str) -> str:
    """The etas at which this distribution has a mean under this link."""
    if name == "binomial":
        return {"log": "negative", "identity": "unit"}.get(link, "line")
    if link == "inverse" and name == "gaussian":
        return "nonzero"
    if link in ("identity", "inverse") and name != "gaussian":
        return "positive"
    return LINKS[link].domain


def _near(support: str, mean: float) -> Iterator[float]:
    """Responses at the mean and around it, where likelihoods cancel."""
    for factor in (1.0, 1 + 1e-6, 0.94, 1.3, 0.55):
        y = mean * factor
        if support == "count":
            y = float(np.round(y))
        share = 0 < y < 1
        within = {"count": y <= 1e12, "positive": 1e-8 <= y <= 1e8, "real": abs(y) < 1e8}
        if within.get(support, share):
            yield y


def points(name: str, link: str) -> list[tuple[float, float]]:
    """Pairs `(y, eta)` over domain and support."""
    truth, support = Truth(name, link), DENSITIES[name].support
    return [
        (y, eta)
        for eta in DOMAINS[domain(name, link)]
        for y in sorted({*RESPONSES[support], *_near(support, float(truth.mean(mp.mpf(eta)).value))})
    ]
