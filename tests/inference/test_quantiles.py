"""Quantile residuals: standard normal under the model, exact where the response is continuous."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.inference import quantiles
from glmnet_bridge.model.families import DISTRIBUTIONS


def drawn(family: str, n: int = 4000) -> pd.DataFrame:
    random = np.random.default_rng(2)
    x = random.normal(size=n)
    mean = np.exp(0.5 + 0.3 * x)
    draws = {
        "binomial": lambda: (random.uniform(size=n) < 1 / (1 + np.exp(-x))) * 1.0,
        "poisson": lambda: random.poisson(mean),
        "gaussian": lambda: random.normal(mean, 0.7),
        "gamma": lambda: random.gamma(2.0, mean / 2.0),
        "inverse_gaussian": lambda: random.wald(mean, 3.0),
    }
    return pd.DataFrame({"x": x, "y": draws[family]()})


@pytest.mark.parametrize("family", [name for name in DISTRIBUTIONS if name in quantiles.ENDS])
def test_standard_normal_under_the_model(family: str) -> None:
    link = "logit" if family == "binomial" else "log"
    found = gb.glm("y ~ x", drawn(family), family=family, link=link).residuals("quantile", random_state=1)
    assert scipy.stats.kstest(found, "norm").pvalue > 0.05


@pytest.mark.parametrize("name", sorted(quantiles.ENDS))
def test_ends_are_those_of_scipy(name: str) -> None:
    y, mean = np.array([0.4, 1.0, 3.0, 7.0]), np.array([0.3, 1.7, 2.2, 6.0])
    trials, spread = np.ones(4), np.array([0.2, 0.5, 1.0, 3.0])
    if name == "binomial":
        y, mean, trials = (
            np.array([0.0, 0.25, 0.5, 1.0]),
            np.array([0.1, 0.4, 0.6, 0.7]),
            np.array([4.0, 8.0, 2.0, 5.0]),
        )
    if name == "poisson":
        y = np.array([0.0, 1.0, 3.0, 7.0])
    peer = {
        "binomial": lambda: (scipy.stats.binom(trials, mean), y * trials),
        "poisson": lambda: (scipy.stats.poisson(mean), y),
        "gaussian": lambda: (scipy.stats.norm(mean, np.sqrt(spread)), y),
        "gamma": lambda: (scipy.stats.gamma(1 / spread, scale=mean * spread), y),
        "inverse_gaussian": lambda: (scipy.stats.invgauss(mean * spread, scale=1 / spread), y),
    }[name]
    law, at = peer()
    below = law.cdf(at - 1.0) if name in quantiles.DISCRETE else law.cdf(at)
    low, high, reaches, above = quantiles.ENDS[name](quantiles.Fitted(y, mean, trials, spread))
    assert np.allclose([low, high], [below, law.cdf(at)], rtol=1e-12)
    assert np.allclose([reaches, above], [1 - below, law.sf(at)], rtol=1e-10)


def test_far_tails_keep_their_size() -> None:
    rows = quantiles.Fitted(np.array([-30.0, 30.0]), np.zeros(2), np.ones(2), np.ones(2))
    assert np.allclose(quantiles.residuals("gaussian", rows), [-30.0, 30.0], rtol=1e-12)


def test_gaussian_ones_are_the_errors() -> None:
    fit = gb.glm("y ~ x", drawn("gaussian", 50), family="gaussian")
    expected = fit.residuals("response") / np.sqrt(fit.dispersion)
    assert np.allclose(fit.residuals("quantile"), expected, rtol=1e-10)


def test_seeds() -> None:
    fit = gb.glm("y ~ x", drawn("poisson", 50), family="poisson")
    one, two, other = (fit.residuals("quantile", random_state=seed) for seed in (1, 1, 2))
    assert one.equals(two) and not one.equals(other)


def test_trials_and_weights() -> None:
    data = pd.DataFrame({"hits": [3, 0, 5, 2], "n": [5, 0, 8, 9], "x": [0.0, 1.0, 2.0, 3.0], "w": [1.0, 2.0, 1.0, 1.0]})
    found = gb.glm("I(hits / n) ~ x", data[data["n"] > 0], trials="n")
    assert found.residuals("quantile", random_state=0).notna().all()
    with pytest.raises(ArgumentError, match="trials="):
        gb.glm("hits ~ x", data, family="poisson", prior_weights="w").residuals("quantile")
