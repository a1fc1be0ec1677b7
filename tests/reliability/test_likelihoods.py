"""Likelihoods without a maximum, with one at the edge, and with one that is hard to reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reliability.hostile import agrees, frame, put, refused, warned
from scipy import optimize, stats

import glmnet_bridge as gb
from glmnet_bridge.errors import FitError

DATA = frame()
X1, X2, G, Y = DATA["x1"], DATA["x2"], DATA["g"], DATA["y"]
RARE = np.isin(np.arange(60), np.flatnonzero(Y == 1)[:4]).astype(int)

SEPARATED = {
    "complete_separation": ("y ~ x1 + x2", {"y": (X1 > 0) * 1}, "binomial", None, {"x1": np.inf}, ()),
    "separation_with_a_gap": (
        "y ~ x1", {"y": (X1 > 0) * 1, "x1": X1 + np.sign(X1)}, "binomial", None, {"x1": np.inf}, (),
    ),
    "separation_backwards": ("y ~ x1", {"y": (X1 < 0) * 1}, "binomial", None, {"x1": -np.inf}, ()),
    "separation_probit": ("y ~ x1", {"y": (X1 > 0) * 1}, "binomial", "probit", {"x1": np.inf}, ()),
    "separation_cloglog": ("y ~ x1", {"y": (X1 > 0) * 1}, "binomial", "cloglog", {"x1": np.inf}, ()),
    "separation_cauchit": ("y ~ x1", {"y": (X1 > 0) * 1}, "binomial", "cauchit", {"x1": np.inf}, ()),
    "separation_hidden_combo": (
        "y ~ x1 + x2", {"y": (X1 + X2 > 0) * 1}, "binomial", None, {"x1": np.inf, "x2": np.inf}, (),
    ),
    "separation_by_level": (
        "y ~ x1 + C(g)", {"y": np.where(G == "b", 0, Y)}, "binomial", None,
        {"C(g)[T.b]": -np.inf}, ("Intercept", "x1", "C(g)[T.c]"),
    ),
    "separation_by_the_first_level": (
        "y ~ C(g)", {"y": np.where(G == "a", 0, Y)}, "binomial", None, {"Intercept": -np.inf}, (),
    ),
    "poisson_separation": (
        "k ~ x1 + C(g)", {"k": np.where(G == "b", 0, DATA["k"])}, "poisson", None,
        {"C(g)[T.b]": -np.inf}, ("Intercept", "x1", "C(g)[T.c]"),
    ),
    "endometrial_like": (
        "y ~ x1 + x2 + d", {"d": RARE}, "binomial", None, {"d": np.inf}, ("Intercept", "x1", "x2"),
    ),
    "one_row_of_its_own": (
        "y ~ C(g)", {"g": np.where(DATA.index == 0, "solo", G)}, "binomial", None,
        {"C(g)[T.solo]": -np.inf}, ("Intercept", "C(g)[T.b]", "C(g)[T.c]"),
    ),
    "log_link_zeros": (
        "y ~ C(g)", {"y": np.where(G == "b", 0, Y)}, "binomial", "log",
        {"C(g)[T.b]": -np.inf}, ("Intercept", "C(g)[T.c]"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEPARATED)
def test_separated(name: str) -> None:
    formula, columns, family, link, infinite, finite = SEPARATED[name]
    data = put(**columns)
    said = [f"{term} -> {value:+f}".replace("+-", "-") for term, value in infinite.items()]
    fit = warned(lambda: gb.glm(formula, data, family, link), *said, "ridge", *(["stay"] if finite else []))
    assert fit.outcome == "separated" and not fit.converged
    for term, value in infinite.items():
        assert fit.params[term] == value and np.isnan(fit.bse[term])
    assert np.isfinite(fit.params[list(finite)]).all()
    assert all(fit.separation[list(finite)] == "finite")
    if finite:
        rows = data[np.isfinite(fit.predict(kind="link"))]
        rest = gb.glm(formula.replace(" + d", ""), rows, family, link)
        np.testing.assert_allclose(fit.params[list(finite)], rest.params[list(finite)], rtol=1e-7)
        np.testing.assert_allclose(fit.bse[list(finite)], rest.bse[list(finite)], rtol=1e-7)
    refused(lambda: gb.glm(formula, data, family, link, strict=True), *said)
    with pytest.raises(FitError):
        gb.glm(formula, data, family, link, strict=True)
    assert gb.glm(formula, data, family, link, penalty=gb.penalties.ridge(1.0)).converged or link == "log"


def test_separation_in_many_rows() -> None:
    random, n = np.random.default_rng(0), 60_000
    x, y = random.normal(size=n), (random.random(n) < 0.3).astype(int)
    level = np.where(np.arange(n) % 97 == 5, "rare", "common")
    data = pd.DataFrame({"x": x, "y": np.where(level == "rare", 0, y), "h": level})
    fit = warned(lambda: gb.glm("y ~ x + C(h)", data), "C(h)[T.rare] -> -inf", "Intercept, x stay finite")
    rest = gb.glm("y ~ x", data[data["h"] == "common"])
    np.testing.assert_allclose(fit.params[rest.params.index], rest.params, rtol=1e-8)
    warned(lambda: gb.glm("y ~ x", data.assign(y=(x > 0.1) * 1)), "x -> +inf")


def test_a_far_start_does_not_hide_separation() -> None:
    for slope in (20.0, 1e3, 1e6):
        fit = warned(lambda slope=slope: gb.glm("y ~ x1", put(y=(X1 > 0) * 1), start=[0.0, slope]), "x1 -> +inf")
        assert fit.outcome == "separated"


def maximum(loss: Callable[[np.ndarray], float], start: np.ndarray) -> tuple[np.ndarray, float]:
    """The optimum by simplex search: slow, but it needs neither slopes nor a domain."""
    best = optimize.OptimizeResult(x=np.asarray(start), fun=np.inf)
    settings = {"xatol": 1e-11, "fatol": 1e-13, "maxiter": 5000, "maxfev": 5000}
    for seed in range(3):
        guess = best.x + 0.05 * np.random.default_rng(seed).normal(size=len(start)) * (seed > 0)
        with np.errstate(all="ignore"):
            found = optimize.minimize(loss, guess, method="Nelder-Mead", options=settings)
        best = found if found.fun < best.fun else best
    return best.x, best.fun


def design(*columns: object) -> np.ndarray:
    return np.column_stack([np.ones(len(columns[0])), *columns])


def bernoulli(y: object, matrix: np.ndarray, mean: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], float]:
    y = np.asarray(y, dtype=float)

    def loss(beta: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            mu = mean(matrix @ beta)
            if not ((mu >= 0) & (mu <= 1)).all():
                return 1e10
            return float(-np.log(np.where(y == 1, mu, 1 - mu)).sum())

    return loss


def poisson(k: object, matrix: np.ndarray, mean: Any = np.positive) -> Callable[[np.ndarray], float]:
    k = np.asarray(k, dtype=float)

    def loss(beta: np.ndarray) -> float:
        eta = matrix @ beta
        mu = mean(eta)
        if (eta < 0).any() or (k[mu == 0] > 0).any():
            return 1e10
        return float(mu.sum() - (k[k > 0] * np.log(mu[k > 0])).sum())

    return loss


def steps(*events: int) -> pd.DataFrame:
    """50 rows at each of x = 0, 1, 2, ..., with so many events."""
    x = np.repeat(np.arange(len(events)), 50)
    return pd.DataFrame({"x": x, "y": np.concatenate([np.repeat([1, 0], [k, 50 - k]) for k in events])})


INTERIOR = {
    "logbinomial_interior": (steps(5, 11, 24, 48), "log", np.exp),
    "identity_interior": (steps(5, 15, 29, 44), "identity", np.positive),
    "probit_tails": (put(x=X1.where(DATA.index > 0, 60.0), y=Y.where(DATA.index > 0, 0)), "probit", stats.norm.cdf),
    "cauchit_outlier": (
        put(x=X1.where(DATA.index > 0, 50.0), y=Y.where(DATA.index > 0, 0)),
        "cauchit", lambda e: 0.5 + np.arctan(e) / np.pi,
    ),
    "cloglog_extreme": (
        put(x=X1, y=(8 * X1 + np.random.default_rng(0).normal(size=60) > 0) * 1),
        "cloglog", lambda e: -np.expm1(-np.exp(e)),
    ),
    "loglog": (put(x=X1), "loglog", lambda e: np.exp(-np.exp(-e))),
    "near_separated": (
        pd.DataFrame({"x": np.r_[np.arange(30), 29.5, np.arange(30, 59)], "y": np.r_[np.zeros(29), 1, 0, np.ones(29)]}),
        "logit", lambda e: 1 / (1 + np.exp(-e)),
    ),
    "nearer_separated": (
        pd.DataFrame({"x": np.r_[(grid := np.linspace(-1, 1, 100)), 0.001, -0.001], "y": np.r_[grid > 0, 0, 1] * 1}),
        "logit", lambda e: 1 / (1 + np.exp(-e)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INTERIOR)
def test_interior_maximum(name: str) -> None:
    data, link, mean = INTERIOR[name]
    fit = gb.glm("y ~ x", data, link=link)
    assert fit.outcome == "converged"
    loss = bernoulli(data["y"], design(data["x"]), mean)
    best, least = maximum(loss, fit.params.to_numpy())
    assert loss(fit.params.to_numpy()) <= least + 1e-9
    np.testing.assert_allclose(fit.params, best, atol=1e-4 * fit.bse.max(), rtol=0)


def test_probit_far_in_the_tail() -> None:
    x = np.random.default_rng(8).normal(size=3000)
    y = x + 0.15 * np.random.default_rng(9).normal(size=3000) > 0
    x, y = np.r_[3.0, x], np.r_[0, y] * 1
    fit = gb.glm("y ~ x", pd.DataFrame({"x": x, "y": y}), link="probit")
    eta = fit.predict(kind="link").to_numpy()
    assert eta[0] > 8.0 and fit.converged
    sign = 2.0 * y - 1.0
    ratio = sign * np.exp(stats.norm.logpdf(eta) - stats.norm.logcdf(sign * eta))
    np.testing.assert_allclose(design(x).T @ ratio, 0.0, atol=1e-8)


def test_separation_is_not_claimed_at_a_hair() -> None:
    x = np.r_[np.linspace(-1, 1, 100), 1e-8, -1e-8]
    y = np.r_[np.linspace(-1, 1, 100) > 0, 0, 1] * 1
    fit = gb.glm("y ~ x", pd.DataFrame({"x": x, "y": y}))
    assert fit.outcome == "converged" and (fit.separation == "finite").all()


EDGES = {
    "logbinomial_boundary": ("y ~ x", steps(5, 11, 24, 50), "binomial", "log", "a fitted mean of 1"),
    "logbinomial_one_row": ("y ~ x", put(x=3 * X1), "binomial", "log", "row 30 with a fitted mean of 1"),
    "identity_boundary": ("y ~ x", steps(0, 15, 29, 50), "binomial", "identity", "a fitted mean of 0, 1"),
    "poisson_identity": (
        "y ~ x",
        steps(0, 0, 0, 0).assign(y=lambda d: np.where(d["x"] == 0, 0, np.random.default_rng(0).poisson(2.0 * d["x"]))),
        "poisson", "identity", "a fitted mean of 0",
    ),
    "poisson_identity_all_zero": ("y ~ x", put(y=0, x=X1), "poisson", "identity", "a fitted mean of 0"),
    "poisson_sqrt_all_zero": ("y ~ x", put(y=0, x=X1), "poisson", "sqrt", "a fitted mean of 0"),
    "poisson_sqrt_one_group": (
        "y ~ x", steps(0, 0, 0, 0).assign(y=lambda d: np.where(d["x"] == 0, 0, 4)).assign(x=lambda d: (d["x"] > 0) * 1),
        "poisson", "sqrt", "a fitted mean of 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_maximum_on_the_edge(name: str) -> None:
    formula, data, family, link, said = EDGES[name]
    fit = warned(lambda: gb.glm(formula, data, family, link), f"the {link} link", said, "standard errors do not apply")
    mean = {"log": np.exp, "sqrt": np.square}.get(link, np.positive)
    matrix = design(data["x"])
    loss = poisson(data["y"], matrix, mean) if family == "poisson" else bernoulli(data["y"], matrix, mean)
    own = loss(fit.params.to_numpy())
    _, least = maximum(loss, fit.params.to_numpy())
    assert own <= least + 1e-6
    assert fit.outcome == "boundary" and fit.bse.isna().all() and fit.get_prediction()["std_error"].isna().all()


@pytest.mark.parametrize(("family", "link"), [("poisson", "identity"), ("poisson", "sqrt")])
def test_steps_that_leave_the_domain(family: str, link: str) -> None:
    data = put(x=4 * X1 - 2 * DATA["k"]) if link == "sqrt" else put(x=X1)
    fit = gb.glm("k ~ x", data, family, link)
    agrees(fit, "k ~ x", data, "Poisson", {"identity": "Identity", "sqrt": "Sqrt"}[link])


@pytest.mark.parametrize("link", ["log", "inverse", "identity"])
def test_gamma_extreme_dispersion(link: str) -> None:
    random = np.random.default_rng(4)
    x = random.uniform(0, 1, 300)
    mean = {"log": np.exp(1 + x), "inverse": 1 / (0.4 + 0.2 * x), "identity": 1 + 3 * x}[link]
    p = np.maximum(random.gamma(0.05, mean / 0.05), 1e-300)
    assert p.max() / p.min() > 1e40
    fit = gb.glm("p ~ x", pd.DataFrame({"x": x, "p": p}), "gamma", link)
    eta = fit.predict(kind="link").to_numpy()
    mu = {"log": np.exp(eta), "inverse": 1 / eta, "identity": eta}[link]
    slope = {"log": mu, "inverse": -(mu**2), "identity": np.ones(300)}[link]
    score = design(x).T @ ((p - mu) / mu**2 * slope)
    np.testing.assert_allclose(score / np.sqrt(300), 0.0, atol=1e-7)
    assert fit.converged and (fit.bse > 0).all()


def test_rare_events() -> None:
    random, n = np.random.default_rng(3), 100_000
    x = random.normal(size=n)
    one = np.zeros(n)
    one[np.argsort(-x)[1000]] = 1
    few = (random.random(n) < np.exp(-9.5 + 0.7 * x)) * 1
    for y in (one, few):
        data = pd.DataFrame({"x": x, "y": y})
        fit = gb.glm("y ~ x", data)
        score = design(x).T @ (y - fit.fittedvalues)
        np.testing.assert_allclose(score, 0.0, atol=1e-9)
        weight = (fit.fittedvalues * (1 - fit.fittedvalues)).to_numpy()
        covariance = np.linalg.inv((design(x).T * weight) @ design(x))
        np.testing.assert_allclose(fit.bse, np.sqrt(np.diag(covariance)), rtol=1e-9)


def test_six_patterns_that_run_away_elsewhere() -> None:
    # counts of statsmodels issue 1604, where plain scoring ends at 1e15
    data = pd.DataFrame({"x": [0, 0, 1, 1], "y": [1, 0, 1, 0], "n": [1, 99, 1, 99]})
    fit = gb.glm("y ~ x", data, freq_weights="n")
    np.testing.assert_allclose(fit.params, [np.log(1 / 99), 0.0], atol=1e-12)


@pytest.mark.parametrize("start", [[50, 50], [-50, 50], [1e6, 1e6], [0, -300], [1e-9, 0]])
def test_far_starts(start: list[float]) -> None:
    fit, plain = gb.glm("y ~ x1", DATA, start=start), gb.glm("y ~ x1", DATA)
    np.testing.assert_allclose(fit.params, plain.params, rtol=1e-12)
    np.testing.assert_allclose(fit.bse, plain.bse, rtol=1e-12)


@pytest.mark.parametrize(("formula", "family", "column"), [("y ~ x1", "binomial", "y"), ("k ~ x1", "poisson", "k")])
def test_a_ridge_does_not_hold_the_free_intercept(formula: str, family: str, column: str) -> None:
    data = put(**{column: 0})
    fit = warned(
        lambda: gb.glm(formula, data, family, penalty=gb.penalties.ridge(1.0)), "Intercept -> -inf", "x1 stays"
    )
    assert fit.params["Intercept"] == -np.inf and fit.params["x1"] == 0
    assert gb.glm(formula, data, family, penalty=gb.penalties.ridge(1.0, intercept=True)).converged


@pytest.mark.parametrize(
    ("formula", "family", "link"), [("y ~ x", "binomial", "log"), ("k ~ x", "poisson", "identity")]
)
def test_rows_without_weight_bound_nothing(formula: str, family: str, link: str) -> None:
    far = -500.0 if link == "identity" else 500.0
    data = put(x=np.where(DATA.index == 0, far, 0.1 * X1), y=steps(15, 25)["y"].to_numpy()[20:80])
    fit = gb.glm(formula, data, family, link, prior_weights=(DATA.index > 0) * 1)
    rest = gb.glm(formula, data[1:], family, link)
    np.testing.assert_allclose(fit.params, rest.params, rtol=1e-9)
    np.testing.assert_allclose(fit.bse, rest.bse, rtol=1e-9)


def test_leverage_of_one_row_is_separation() -> None:
    data = pd.DataFrame({"x": np.r_[np.zeros(10_000), 1e3], "y": np.r_[1, np.zeros(9999), 1]})
    fit = warned(lambda: gb.glm("y ~ x", data), "x -> +inf", "1 row", "Intercept stays finite")
    assert fit.params["Intercept"] == pytest.approx(np.log(1 / 9999), rel=1e-9)
