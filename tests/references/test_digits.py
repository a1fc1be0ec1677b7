"""Digits against 50-digit arithmetic: coefficients 13 (11 for links that are not canonical), SE 12, likelihood 13.

The promise is for well-conditioned problems, and must survive column scaling from 1e-8 to
1e8, shifts of 1e6 and weights times 1e-12 and 1e15. Data are made with 20-bit numbers, so
that scaling and shifting them by the factors used here is exact or of known rounding.
"""

from __future__ import annotations

import numpy as np
import pytest
from references import exact

import glmnet_bridge as gb
from glmnet_bridge.model.families import KERNELS

# several classes have digits of their own in `test_multinom.py`
CASES = [(name, link, gb.families.named(name, link).canonical) for name, link in KERNELS if name != "multinomial"]
# where the mean is positive only for eta > 0, and slopes must be small to stay there
POSITIVE = {"inverse", "1/mu^2", "sqrt"}


def data(family: str, link: str, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(20)
    X = np.round(random.normal(size=(n, 3)) * 2**10) / 2**10
    inside = link in POSITIVE or (link == "identity" and family != "gaussian")
    slopes = np.array([0.4, -0.3, 0.2]) * (0.1 if inside or (family, link) == ("binomial", "log") else 1.0)
    level = {("binomial", "log"): -1.2, ("binomial", "identity"): 0.5}.get((family, link), 1.0 if inside else 0.3)
    eta = X @ slopes + level
    mean = np.asarray(gb.families.named(family, link).mean(eta))
    if family == "binomial":
        y = (random.random(n) < mean).astype(float)
    elif family == "poisson":
        y = random.poisson(mean).astype(float)
    elif family == "gaussian":
        y = mean + 0.5 * random.normal(size=n)
    else:
        y = mean * random.gamma(5.0, 0.2, n)
    return X, y


def check(X: np.ndarray, y: np.ndarray, family: str, link: str, wanted: tuple[float, float, float], w=None) -> None:
    fit = gb.fit(X, y, family=family, link=link, prior_weights=w)
    design = np.column_stack([np.ones(len(y)), X])
    truth = exact.fit(design, y, family, link, fit.params.to_numpy(), w)
    got = (
        exact.digits(fit.params, truth.coef),
        exact.digits(fit.bse, truth.se),
        exact.digits([fit.llf], [truth.loglik]),
    )
    assert all(a >= b for a, b in zip(got, wanted, strict=True)), got


@pytest.mark.parametrize(("family", "link", "canonical"), CASES)
def test_digits(family: str, link: str, canonical: bool) -> None:
    X, y = data(family, link)
    check(X, y, family, link, (13 if canonical else 11, 12, 13))


@pytest.mark.parametrize("factors", [(1e-8, 1.0, 1e8), (1e8, 1e-8, 1e-3)])
@pytest.mark.parametrize(("family", "link"), [("binomial", "logit"), ("poisson", "log")])
def test_digits_under_scaling(family: str, link: str, factors: tuple[float, ...]) -> None:
    X, y = data(family, link)
    check(X * np.array(factors), y, family, link, (13, 12, 13))


@pytest.mark.parametrize(("family", "link"), [("binomial", "logit"), ("poisson", "log"), ("gaussian", "identity")])
def test_digits_under_shift(family: str, link: str) -> None:
    X, y = data(family, link)
    check(X + np.array([1e6, 0.0, 2000.0]), y, family, link, (13, 12, 13))


@pytest.mark.parametrize("factor", [1e-12, 1e15])
@pytest.mark.parametrize(("family", "link"), [("binomial", "logit"), ("gamma", "inverse")])
def test_weights_of_any_size(family: str, link: str, factor: float) -> None:
    X, y = data(family, link)
    one = gb.fit(X, y, family=family, link=link)
    many = gb.fit(X, y, family=family, link=link, prior_weights=np.full(len(y), factor))
    assert np.allclose(many.params, one.params, rtol=1e-13, atol=0)
    expected = one.bse if family == "gamma" else one.bse / np.sqrt(factor)
    assert np.allclose(many.bse, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6])
def test_digits_when_nearly_collinear(gap: float) -> None:
    X, y = data("binomial", "logit", 120)
    X = X.copy()
    X[:, 2] = X[:, 0] + gap * X[:, 2]
    # eta is a difference of terms about 1 / gap as large, so that the likelihood loses their digits
    check(X, y, "binomial", "logit", (9, 9, 11))
