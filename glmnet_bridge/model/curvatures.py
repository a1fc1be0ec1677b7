"""Curvatures: how the slope of the mean and the variance change along the linear predictor.

    bend   d'/d        d = dmu/deta, d' = d2mu/deta2
    tilt   d V'/V      V the variance function, V' its derivative in mu

They are what the third cumulants of a row are made of, at dispersion 1 and with w its expected information:

    E[u^3] = w tilt            E[u l''] = w (bend - tilt)            d log w / deta = 2 bend - tilt

Bias reduction needs nothing else of a family. As the kernels they take eta, so that tails are right.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from glmnet_bridge.model.families import Family

Array = np.ndarray

BENDS: dict[str, Callable[[Array], Array]] = {
    "logit": lambda eta: -np.tanh(0.5 * eta),
    "probit": np.negative,
    "cloglog": lambda eta: -np.expm1(eta),
    "loglog": lambda eta: np.expm1(-eta),
    "cauchit": lambda eta: -2.0 * eta / (1.0 + eta * eta),
    "log": np.ones_like,
    "identity": np.zeros_like,
    "inverse": lambda eta: -2.0 / eta,
    "sqrt": np.reciprocal,
    "1/mu^2": lambda eta: -1.5 / eta,
}

# d log(mu) / deta, of the links of a mean that has a power as variance
GROWTHS: dict[str, Callable[[Array], Array]] = {
    "log": np.ones_like,
    "identity": np.reciprocal,
    "inverse": lambda eta: -1.0 / eta,
    "sqrt": lambda eta: 2.0 / eta,
    "1/mu^2": lambda eta: -0.5 / eta,
}

# V = mu^power
POWERS = {"gaussian": 0.0, "poisson": 1.0, "gamma": 2.0, "inverse_gaussian": 3.0}


def known(family: Family) -> bool:
    """Whether the curvatures of this family and link are known here."""
    if family.joint or family.name == "binomial":
        return family.link.name in BENDS
    return family.name in POWERS and family.link.name in BENDS and family.link.name in GROWTHS


def bend(family: Family, eta: Array) -> Array:
    """`d'/d` at eta, of eta's shape."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return BENDS[family.link.name](eta)


def tilt(family: Family, eta: Array) -> Array:
    """`d V'/V` at eta, of eta's shape."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        if family.name != "binomial":
            power = POWERS[family.name]
            return power * GROWTHS[family.link.name](eta) if power else np.zeros_like(eta)
        if family.link.name == "logit":
            return -np.tanh(0.5 * eta)
        # d (1 - 2p) / (p q) = d/p - d/q
        local = family.local(np.zeros_like(eta), eta)
        found: Array = local.over_p - local.over_q
        return found
