"""Multinomial cases of R (nnet::multinom, confirmed by VGAM), softmax networks of R's nnet, and 50-digit fits.

Tolerances are those that the cases come with: see `test_glm`. Coefficients come class by class in R's
covariance; the base class is the case's own.
"""

from __future__ import annotations

import functools
from typing import Any

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from references import cases, exact

import glmnet_bridge as gb
from glmnet_bridge.model.layers import Activation, Affine, Contrast, Normalise
from glmnet_bridge.model.networks import Inputs, Network, dense_entries

EACH = pytest.mark.parametrize("name", cases.names("multinom"))
NETS = pytest.mark.parametrize(
    "name", [n for n in cases.names("nnet") if cases.load(n)["model"]["output"] == "softmax"]
)


@functools.cache
def fitted(name: str) -> tuple[gb.fits.Fit, dict[str, Any], list[str]]:
    """The fit, R's values, and our coefficients in R's order."""
    case = cases.load(name)
    model = case["model"]
    weights = {"freq_weights": model["weights"]} if model.get("weights") else {}
    formula = f"{model['response']} ~ {model['patsy_rhs']}"
    fit = gb.glm(formula, cases.frame(case), "multinomial", base=model["base"], **weights)
    return fit, case, [f"{level}: {column}" for level in model["classes"][1:] for column in model["patsy_names"]]


def by_class(table: Any) -> np.ndarray:
    """A table of design columns by classes, class by class."""
    return np.array(table, dtype=float).T.ravel()


def relative(ours: float, reference: float) -> float:
    return abs(ours / reference - 1)


@EACH
def test_estimates(name: str) -> None:
    fit, case, columns = fitted(name)
    ref, se = case["ref"], by_class(case["ref"]["se"])
    assert set(fit.params.index) == set(columns)
    assert (np.abs(fit.params[columns].to_numpy() - by_class(ref["coef"])) / se).max() <= 1e-6
    assert np.abs(fit.bse[columns].to_numpy() / se - 1).max() <= 1e-6
    assert np.allclose(fit.tvalues[columns], by_class(ref["z"]), rtol=1e-6)
    for kind in ("expected", "observed"):
        covariance = fit.cov_params(kind).loc[columns, columns].to_numpy()
        assert (np.abs(covariance - np.array(ref["vcov"])) / np.outer(se, se)).max() <= 1e-6
    information = fit.cov_params().loc[columns, columns].to_numpy() @ np.array(ref["hessian"])
    assert np.allclose(information, np.eye(len(columns)), atol=1e-6)


@EACH
def test_likelihood(name: str) -> None:
    fit, case, _ = fitted(name)
    ref = case["ref"]
    assert relative(fit.deviance, ref["deviance"]) <= 1e-8
    assert relative(fit.llf, ref["loglik"]) <= 1e-8
    assert relative(fit.aic, ref["aic"]) <= 1e-8
    assert relative(fit.null_deviance, ref["null_deviance"]) <= 1e-8
    assert fit.nobs == ref["sum_weights"] and fit.sample.n == ref["nobs"]
    assert fit.nobs - fit.df_resid == ref["edf"]
    assert fit.df_model == ref["edf"] - len(case["model"]["classes"]) + 1
    assert fit.bic == pytest.approx(fit.deviance + np.log(fit.nobs) * ref["edf"], rel=1e-12)


@EACH
def test_rows(name: str) -> None:
    fit, case, _ = fitted(name)
    ref, classes = case["ref"], case["model"]["classes"]
    first = np.array(ref["fitted"])
    assert np.abs(fit.fittedvalues[classes].to_numpy()[: len(first)] - first).max() <= 1e-9
    if "predict" in ref:
        ours = fit.predict(pd.DataFrame(ref["predict"]["newdata"]))[classes]
        assert np.abs(ours.to_numpy() - np.array(ref["predict"]["prob"])).max() <= 1e-9


@EACH
def test_likelihood_ratios_of_terms(name: str) -> None:
    """Leaving out a term, as R's drop1."""
    fit, case, _ = fitted(name)
    model, found = case["model"], case["ref"]["tests"]["drop1_lr"]
    weights = {"freq_weights": model["weights"]} if model.get("weights") else {}
    for term, df, lr in zip(found["term"], found["df"], found["lr"], strict=True):
        rest = " + ".join(each for each in model["patsy_rhs"].split(" + ") if each != term) or "1"
        less = gb.glm(f"{model['response']} ~ {rest}", cases.frame(case), "multinomial", base=model["base"], **weights)
        assert less.deviance - fit.deviance == pytest.approx(lr, rel=1e-7)
        assert less.df_resid - fit.df_resid == df


# --- 50 digits ---------------------------------------------------------------------------------------


def exact_fit(X: np.ndarray, own: np.ndarray, k: int, start: np.ndarray) -> exact.Exact:
    """Newton in 50 digits, on coefficients class by class."""
    n, p = X.shape
    rows = [[mp.mpf(float(v)) for v in row] for row in X]
    beta = mp.matrix([mp.mpf(float(b)) for b in start])
    for _ in range(100):
        score, info, loglik = mp.matrix(k * p, 1), mp.matrix(k * p, k * p), mp.mpf(0)
        for row, c in zip(rows, own, strict=True):
            powers = [mp.exp(mp.fsum(x * beta[u * p + j] for j, x in enumerate(row))) for u in range(k)]
            total = 1 + mp.fsum(powers)
            shares = [power / total for power in powers]
            loglik += mp.log(shares[c - 1] if c else 1 / total)
            for u in range(k):
                for j in range(p):
                    score[u * p + j] += row[j] * ((c == u + 1) - shares[u])
                    for v in range(k):
                        w = shares[u] * ((u == v) - shares[v])
                        for i in range(p):
                            info[u * p + j, v * p + i] += row[j] * row[i] * w
        step = mp.lu_solve(info, score)
        if (step.T * info * step)[0] < mp.mpf(10) ** -88:
            inverse = info**-1
            return exact.Exact(list(beta), [mp.sqrt(inverse[j, j]) for j in range(k * p)], loglik)
        beta += step
    raise AssertionError("the exact fit did not converge")


@pytest.mark.parametrize(
    ("shift", "factor", "wanted"),
    [
        ((0.0, 0.0), (1.0, 1.0), (13, 12, 13)),
        ((0.0, 0.0), (1e-8, 1e8), (13, 12, 13)),
        ((1e6, 0.0), (1.0, 1.0), (13, 12, 13)),
    ],
)
def test_digits(shift: tuple, factor: tuple, wanted: tuple) -> None:
    random = np.random.default_rng(31)
    X = np.round(random.normal(size=(60, 2)) * 2**10) / 2**10
    eta = np.column_stack([np.zeros(60), 0.3 + X @ [0.8, -0.5], -0.2 + X @ [-0.4, 0.6]])
    own = (eta + random.gumbel(size=eta.shape)).argmax(axis=1)
    X = X * np.array(factor) + np.array(shift)
    fit = gb.fit(X, own, "multinomial")
    truth = exact_fit(np.column_stack([np.ones(60), X]), own, 2, fit.params.to_numpy())
    got = (
        exact.digits(fit.params, truth.coef),
        exact.digits(fit.bse, truth.se),
        exact.digits([fit.llf], [truth.loglik]),
    )
    assert all(a >= b for a, b in zip(got, wanted, strict=True)), got


@pytest.mark.parametrize("gap", [1e-4, 1e-6])
def test_digits_when_nearly_collinear(gap: float) -> None:
    """The information has lost the digits; the root of each row's information has not."""
    random = np.random.default_rng(32)
    X = np.round(random.normal(size=(80, 2)) * 2**10) / 2**10
    own = random.integers(0, 3, 80)
    X[:, 1] = X[:, 0] + gap * X[:, 1]
    fit = gb.fit(X, own, "multinomial")
    truth = exact_fit(np.column_stack([np.ones(80), X]), own, 2, fit.params.to_numpy())
    assert exact.digits(fit.params, truth.coef) >= 8
    assert exact.digits(fit.bse, truth.se) >= 9
    assert exact.digits([fit.llf], [truth.loglik]) >= 11


@pytest.mark.parametrize("factor", [1e-12, 1e15])
def test_weights_of_any_size(factor: float) -> None:
    random = np.random.default_rng(33)
    X, own = random.normal(size=(70, 2)), random.integers(0, 3, 70)
    one, many = (gb.fit(X, own, "multinomial", prior_weights=np.full(70, w)) for w in (1.0, factor))
    assert np.allclose(many.params, one.params, rtol=1e-12, atol=0)
    assert np.allclose(many.bse, one.bse / np.sqrt(factor), rtol=1e-11, atol=0)


# --- networks of nnet --------------------------------------------------------------------------------


def softmax_network(model: dict[str, Any]) -> tuple[Network, np.ndarray]:
    """The network of the case, and where nnet keeps each of our weights."""
    features, hidden, C = model["features"], model["size"], len(model["classes"])
    d = len(features)
    scaler = Normalise(np.array(model["center"]), np.array(model["scale"]))
    ends = (Affine(hidden or d, C, name="output"), Contrast(C))
    layers = (
        (scaler, Affine(d, hidden, name="hidden"), Activation(hidden, "sigmoid"), *ends) if hidden else (scaler, *ends)
    )
    units = (["h", hidden, d], ["o", C, hidden]) if hidden else (["o", C, d],)
    wanted = []
    for letter, count, width in units:
        source = "h" if letter == "o" and hidden else "i"
        wanted += [f"{source}{j + 1}->{letter}{u + 1}" for j in range(width) for u in range(count)]
        wanted += [f"b->{letter}{u + 1}" for u in range(count)]
    at = np.array([model["weight_names"].index(name) for name in wanted])
    return Network(Inputs(tuple(features)), layers, dense_entries(layers, tuple(features))), at


@NETS
@pytest.mark.parametrize("where", ["start", "end"])
def test_loss_and_gradient_of_softmax_networks(name: str, where: str) -> None:
    case = cases.load(name)
    model, ref = case["model"], case["ref"][where]
    network, at = softmax_network(model)
    theta = np.array(ref["weights"])[at]
    formula = f"{model['response']} ~ {' + '.join(model['features'])}"
    net = gb.network(formula, cases.frame(case), "multinomial", network=network, start=theta, train=None)
    # nnet takes a logistic beyond an input of 15 for 0 or 1, which is worth up to 1e-8
    assert -net.llf + model["decay"] * theta @ theta == pytest.approx(ref["value"], rel=1e-8)
    slope = -net.gradient().to_numpy() + 2 * model["decay"] * theta
    difference = slope - np.array(ref["gradient_by_differences"])[at]
    assert np.abs(difference).max() <= 1e-6 * max(1.0, np.abs(slope).max())


def test_a_decayed_softmax_trains_to_the_weights_of_nnet() -> None:
    """Decay on all weights of all classes has one optimum, although the softmax is redundant."""
    case = cases.load("net_iris_softmax0")
    model, end = case["model"], case["ref"]["end"]
    network, at = softmax_network(model)
    formula = f"{model['response']} ~ {' + '.join(model['features'])}"
    net = gb.network(
        formula, cases.frame(case), "multinomial", network=network, train="lbfgs",
        penalty=gb.penalties.ridge(2 * model["decay"], intercept=True),
    )  # fmt: skip
    assert net.outcome == "converged"
    np.testing.assert_allclose(net.weights()["value"], np.array(end["weights"])[at], rtol=1e-6, atol=1e-7)
