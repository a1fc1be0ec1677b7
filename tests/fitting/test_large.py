"""The route for many rows: plain Newton's answer, whatever the subsample looks like."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import numpy as np
import pytest

import glmnet_bridge as gb
from glmnet_bridge.fitting import large

N = 40_000


def frame(seed: int, rare: int, order: str) -> dict[str, np.ndarray]:
    """A numeric column and a factor with a level of `rare` rows, in random or sorted order."""
    random = np.random.default_rng(seed)
    x = np.tanh(random.normal(size=N))
    g = random.choice(list("abcdef"), N)
    g[random.choice(N, rare, replace=False)] = "z"
    keys = {"random": random.random(N), "by x": x, "by g": g}
    at = np.argsort(keys[order], kind="stable")
    return {"x": x[at], "g": g[at], "random": random}


def response(family: str, data: dict[str, np.ndarray]) -> np.ndarray:
    random, x = data["random"], data["x"]
    if family == "binomial":
        return random.binomial(1, 1 / (1 + np.exp(1 - x)))
    if family == "poisson":
        return random.poisson(np.exp(0.3 + 0.4 * x))
    return random.gamma(2, 1 / (1 + 0.2 * x) / 2)


def both(fit: Callable[[], gb.fits.Fit]) -> tuple[gb.fits.Fit, gb.fits.Fit]:
    """The fit by this route and by plain Newton."""
    with mock.patch.object(large, "solve", wraps=large.solve) as used:
        fast = fit()
    assert used.called
    with mock.patch.object(large, "ROWS", 10**12):
        return fast, fit()


@pytest.mark.parametrize("order", ["random", "by x", "by g"])
@pytest.mark.parametrize("rare", [8, 30, 400])
@pytest.mark.parametrize(("family", "link"), [("binomial", "logit"), ("poisson", "log"), ("gamma", "inverse")])
def test_same_answer_as_plain_newton(family: str, link: str, rare: int, order: str) -> None:
    data = frame(rare, rare, order)
    data["y"] = response(family, data)
    del data["random"]
    fast, plain = both(lambda: gb.glm("y ~ x + g", data, family, link))
    assert fast.outcome == plain.outcome == "converged"
    assert (np.abs(fast.params - plain.params) / plain.bse).max() < 1e-9
    assert np.abs(fast.bse / plain.bse - 1).max() < 1e-8
    assert fast.llf == pytest.approx(plain.llf, rel=1e-13)
    assert fast.distance_to_mle <= 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_weights_offset_and_other_links(seed: int) -> None:
    random = np.random.default_rng(seed)
    X, w = random.normal(size=(N, 4)), random.uniform(0.2, 3.0, N)
    offset = 0.3 * random.normal(size=N)
    y = (random.random(N) < 1 / (1 + np.exp(-X @ [0.5, -0.3, 0.2, 0.0] - offset))).astype(float)
    link = ("logit", "probit", "cloglog", "cauchit")[seed]
    fast, plain = both(lambda: gb.fit(X, y, link=link, prior_weights=w, offset=offset))
    assert (np.abs(fast.params - plain.params) / plain.bse).max() < 1e-9
    assert np.abs(fast.bse / plain.bse - 1).max() < 1e-8


@pytest.mark.parametrize("order", ["random", "by x", "by g"])
def test_several_classes(order: str) -> None:
    data = frame(5, 60, order)
    eta = np.column_stack([np.zeros(N), 0.4 + data["x"], -0.3 - 0.5 * data["x"]])
    data["y"] = np.array(["a", "b", "c"])[(eta - np.log(-np.log(np.random.default_rng(6).random((N, 3))))).argmax(1)]
    del data["random"]
    fast, plain = both(lambda: gb.glm("y ~ x + g", data, "multinomial"))
    assert fast.outcome == plain.outcome == "converged"
    assert (np.abs(fast.params - plain.params) / plain.bse).max() < 1e-9
    assert np.abs(fast.bse / plain.bse - 1).max() < 1e-8
    assert fast.llf == pytest.approx(plain.llf, rel=1e-13)


def test_a_level_that_the_subsample_hardly_knows_does_not_mislead() -> None:
    """The subsample's estimate of this level lies near infinity; all rows must not start from there."""
    random = np.random.default_rng(2)
    n = 200_000
    x = np.tanh(random.normal(size=n))
    g = np.where(random.random(n) < 30 / n, "rare", random.choice(list("abcdefghij"), n))
    y = random.binomial(1, 1 / (1 + np.exp(1 - x)))
    fit = gb.glm("y ~ x + g", {"x": x, "g": g, "y": y})
    assert fit.converged and fit.distance_to_mle < 1e-9 and np.abs(fit.params).max() < 5


TAILS: dict[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {
    "t(3)": lambda random, size: random.standard_t(3, size),
    "lognormal": lambda random, size: random.lognormal(0.0, 1.2, size),
    "exponential": lambda random, size: random.exponential(size=size),
    "few large": lambda random, size: random.normal(size=size) * np.where(np.arange(size[0]) % 7919, 1, 100)[:, None],
}


def same_errors(family: str, link: str, tails: str, n: int, seed: int) -> None:
    """Few rows have much leverage, and the subsample does not show them: standard errors are still those of the end."""
    random = np.random.default_rng(seed)
    X = TAILS[tails](random, (n, 4))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    eta = np.clip(X @ (random.normal(size=4) * 0.25), -5, 2)
    y = {
        "binomial": lambda: random.binomial(1, 1 / (1 + np.exp(-eta))),
        "poisson": lambda: random.poisson(np.exp(eta)),
        "gamma": lambda: random.gamma(2.0, np.exp(eta) / 2.0),
    }[family]()
    fast, plain = both(lambda: gb.fit(X, y, family, link))
    assert fast.outcome == plain.outcome == "converged"
    assert (np.abs(fast.params - plain.params) / plain.bse).max() < 1e-9
    assert np.abs(fast.bse / plain.bse - 1).max() < 1e-8


def test_a_few_rows_with_much_leverage() -> None:
    """Data on which an information corrected by what the subsample shows is off by 1e-7."""
    random = np.random.default_rng(47)
    X = random.standard_t(3, size=(60_000, 4))
    eta = X @ (random.normal(size=4) * 0.25) - 2.0
    y = (random.random(60_000) < 1 / (1 + np.exp(-eta))).astype(float)
    fast, plain = both(lambda: gb.fit(X, y))
    assert np.abs(fast.bse / plain.bse - 1).max() < 1e-8


@pytest.mark.slow
@pytest.mark.parametrize("n", [60_000, 200_000, 1_000_000])
@pytest.mark.parametrize("tails", list(TAILS))
@pytest.mark.parametrize(
    ("family", "link"), [("binomial", "logit"), ("binomial", "cloglog"), ("poisson", "log"), ("gamma", "log")]
)
def test_errors_of_columns_with_heavy_tails(family: str, link: str, tails: str, n: int) -> None:
    for seed in range(1 if n > 500_000 else 4):
        same_errors(family, link, tails, n, seed)


LONG = 300_000
ORDERS = ("random", "by response", "by column", "by level")


def long_data(family: str, order: str, tails: str) -> dict[str, np.ndarray]:
    """Two numeric columns, one of them with heavy tails, a factor with a level of 25 rows, and a response."""
    random = np.random.default_rng([ORDERS.index(order), len(tails), len(family)])
    z = random.standard_t(1.5, LONG) if tails == "heavy" else random.normal(size=LONG)
    x = random.normal(size=LONG)
    g = random.choice(list("abcde"), LONG)
    g[random.choice(LONG, 25, replace=False)] = "z"
    eta = 0.4 * x + 0.3 * np.clip(z, -3, 3) + 0.2 * (g == "b") - 0.5
    y = {
        "binomial": lambda: random.binomial(1, 1 / (1 + np.exp(-eta))),
        "poisson": lambda: random.poisson(np.exp(eta)),
        "gamma": lambda: random.gamma(2.0, np.exp(eta) / 2.0),
    }[family]()
    keys = {"random": random.random(LONG), "by response": y, "by column": z, "by level": g}
    at = np.argsort(keys[order], kind="stable")
    return {"x": x[at], "z": z[at], "g": g[at], "y": y[at]}


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("tails", ["normal", "heavy"])
@pytest.mark.parametrize(
    ("family", "link"), [("binomial", "logit"), ("binomial", "cloglog"), ("poisson", "log"), ("gamma", "log")]
)
def test_same_answer_for_long_data(family: str, link: str, order: str, tails: str) -> None:
    """Within what `benchmarks/accuracy.py` measures: 1e-9 standard errors, and 1e-8 of the errors themselves."""
    data = long_data(family, order, tails)
    fast, plain = both(lambda: gb.glm("y ~ x + z + g", data, family, link))
    assert fast.outcome == plain.outcome == "converged" and fast.distance_to_mle <= 1e-9
    assert (np.abs(fast.params - plain.params) / plain.bse).max() < 1e-9
    assert np.abs(fast.bse / plain.bse - 1).max() < 1e-8
    assert fast.llf == pytest.approx(plain.llf, rel=1e-13)
