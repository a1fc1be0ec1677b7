"""Influence: what it means (the row left out), how it behaves under weights and edges, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import AliasWarning, ArgumentError, ConvergenceWarning, SeparationWarning
from glmnet_bridge.model.families import KERNELS

SINGLE = [key for key in KERNELS if key[0] != "multinomial"]


def frame(n: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(1)
    data = pd.DataFrame({"x": random.normal(size=n), "z": random.normal(size=n), "g": random.choice(list("abc"), n)})
    data["count"] = random.poisson(np.exp(1.0 + 0.3 * data["x"]))
    data["size"] = np.exp(0.3 * data["x"]) * random.gamma(4.0, 0.25, n)
    data["yes"] = (random.uniform(size=n) < 1 / (1 + np.exp(-data["x"]))).astype(float)
    data["times"] = random.integers(0, 4, n)
    return data


def response(family: str) -> str:
    return {"binomial": "yes", "poisson": "count"}.get(family, "size")


@pytest.mark.parametrize(("family", "link"), SINGLE)
def test_changes_are_one_step_towards_the_fit_without_the_row(family: str, link: str) -> None:
    """The sign and size of each change, for every link: nearly those of fits without the row."""
    random = np.random.default_rng(4)
    x = random.uniform(-1, 1, 400)
    eta = {"log": -1.0, "identity": 0.5}.get(link, 1.0) if family == "binomial" else 2.0
    mean = np.asarray(gb.families.named(family, link).mean(eta + 0.2 * x))
    draws = {"binomial": lambda: (random.uniform(size=400) < mean) * 1.0, "poisson": lambda: random.poisson(mean)}
    y = draws.get(family, lambda: mean * random.gamma(30.0, 1 / 30.0, 400))()
    data = pd.DataFrame({"x": x, "y": np.asarray(y, dtype=float)})
    fit = gb.glm("y ~ x", data, family=family, link=link)
    step = fit.influence()[["dfbeta_Intercept", "dfbeta_x"]]
    for row in (0, 17, 211):
        without = gb.glm("y ~ x", data.drop(index=row), family=family, link=link)
        true = fit.params - without.params
        assert (np.abs(step.loc[row].to_numpy() - true.to_numpy()) <= 0.02 * fit.bse.to_numpy()).all()
        assert step.loc[row, "dfbeta_x"] * true["x"] > 0


@pytest.mark.parametrize("family", ["poisson", "gamma", "gaussian"])
def test_a_frequency_weight_is_the_row_so_many_times(family: str) -> None:
    data = frame()
    long = data.loc[data.index.repeat(data["times"])]
    formula = f"{response(family)} ~ x + g"
    once = gb.glm(formula, data, family=family, link="log", freq_weights="times").influence()
    often = gb.glm(formula, long, family=family, link="log").influence()
    assert np.allclose(once.loc[long.index], often, rtol=1e-10, atol=1e-12)


def test_a_row_without_weight_changes_nothing() -> None:
    data = frame()
    weights = np.where(data.index < 5, 0.0, 1.5)
    found = gb.glm("size ~ x", data, family="gamma", link="log", prior_weights=weights).influence()
    rest = gb.glm("size ~ x", data[5:], family="gamma", link="log", prior_weights=weights[5:]).influence()
    assert (found.loc[:4, ["hat", "cooks", "dfbeta_x"]] == 0).all(axis=None)
    assert found.loc[:4, ["rstandard", "rstandard_pearson", "rstudent"]].isna().all(axis=None)
    assert np.allclose(found[5:], rest, rtol=1e-10, atol=1e-13)


def test_leverage_one_leaves_nothing_else() -> None:
    data = frame().assign(own=lambda d: (d.index == 5) * 1.0)
    found = gb.glm("size ~ x + own", data, family="gamma", link="log").influence()
    assert found.loc[5, "hat"] == 1.0
    assert found.loc[5].drop("hat").isna().all()
    assert found.drop(index=5).notna().all(axis=None)


def test_shifted_columns_keep_their_digits() -> None:
    data = frame().assign(far=lambda d: 1e6 + np.round(d["x"] * 1024) / 1024, near=lambda d: d["far"] - 1e6)
    far, near = (gb.glm(f"count ~ {name}", data, family="poisson").influence() for name in ("far", "near"))
    measures = ["hat", "cooks", "rstandard", "rstandard_pearson", "rstudent"]
    assert np.allclose(far[measures], near[measures], rtol=1e-9, atol=1e-12)
    assert np.allclose(far["dfbeta_far"], near["dfbeta_near"], rtol=1e-9, atol=1e-14)


def test_leverages_sum_to_the_rank_over_many_blocks() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(60_000, 3))
    y = (random.uniform(size=60_000) < 0.3).astype(float)
    fit = gb.fit(X, y, names=["a", "b", "c"])
    found = fit.influence(columns="b")
    assert list(found)[5:] == ["dfbeta_b"]
    assert found["hat"].sum() == pytest.approx(4, rel=1e-10)
    assert np.allclose(fit.influence()["dfbeta_b"], found["dfbeta_b"], rtol=1e-12)
    assert list(fit.influence(dfbeta=False)) == list(found)[:5]


def test_aliased_columns() -> None:
    data = frame().assign(twice=lambda d: 2 * d["x"])
    with pytest.warns(AliasWarning):
        found = gb.glm("yes ~ x + twice + z", data).influence()
    plain = gb.glm("yes ~ x + z", data).influence()
    assert found.pop("dfbeta_twice").isna().all()
    assert np.allclose(found, plain[found.columns], rtol=1e-9, atol=1e-12)


def test_separated_rows_have_none() -> None:
    data = frame().assign(rare=lambda d: (d["yes"] == 1) & (d.index % 3 == 0))
    with pytest.warns(SeparationWarning):
        fit = gb.glm("yes ~ x + rare", data)
    found = fit.influence()
    gone = data["rare"].to_numpy()
    rest = gb.glm("yes ~ x", data[~gone]).influence()
    assert found[gone].isna().all(axis=None)
    assert found["dfbeta_rare[T.True]"].isna().all()
    assert np.allclose(found.loc[~gone, ["hat", "rstudent", "dfbeta_x"]], rest[["hat", "rstudent", "dfbeta_x"]])


def test_refusals() -> None:
    data = frame()
    with pytest.raises(ArgumentError, match="without penalty"):
        gb.glm("yes ~ x", data, penalty=gb.penalties.ridge(1.0)).influence()
    with pytest.raises(ArgumentError, match="several classes"):
        gb.glm("g ~ x", data, family="multinomial").influence()
    with pytest.raises(ArgumentError, match="no coefficient 'X'.*'x'"):
        gb.glm("yes ~ x", data).influence(columns=["X"])
    with pytest.raises(ArgumentError, match="Give one of them"):
        gb.glm("yes ~ x", data).influence(columns=["x"], dfbeta=False)
    with pytest.raises(ArgumentError, match="rstandard"):
        gb.glm("yes ~ x", data).residuals("rstandart")
    with pytest.raises(ArgumentError, match="nothing random"):
        gb.glm("yes ~ x", data).residuals("pearson", random_state=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a training that stops short
        network = gb.bridge("yes ~ x", data, activation="relu", random_state=1).network
    with pytest.raises(ArgumentError, match="hidden units"):
        network.influence()


def test_an_unfinished_fit_says_so() -> None:
    with pytest.warns(ConvergenceWarning):
        fit = gb.glm("yes ~ x", frame(), max_steps=0)
    with pytest.warns(ConvergenceWarning, match="not that of the maximum"):
        fit.influence()


def test_at_the_edge_of_the_domain_there_is_none() -> None:
    data = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "y": [0, 0, 1, 1]})
    with pytest.warns(ConvergenceWarning, match="edge"):
        fit = gb.glm("y ~ x", pd.concat([data] * 5), link="identity")
    assert fit.outcome == "boundary"
    for question in (fit.influence, fit.vif, lambda: fit.residuals("rstudent")):
        with pytest.raises(ArgumentError, match="edge of the link's domain"):
            question()


def test_a_redundant_network_says_the_same() -> None:
    """One-hot columns beside a bias: weights have no errors of their own, influence on the means is the same."""
    pytest.importorskip("sklearn")
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    data = frame()
    encode = make_column_transformer((StandardScaler(), ["x"]), (OneHotEncoder(), ["g"]))
    trained = make_pipeline(encode, LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # words of an older version about C
        pair = gb.bridge("yes ~ x + g", data, network=trained.fit(data[["x", "g"]], data["yes"]))
    found, expected = pair.network.influence(), pair.glm.influence()
    assert np.allclose(found[expected.columns], expected, rtol=1e-5, atol=1e-7)


def test_the_network_view_says_the_same() -> None:
    data = frame()
    pair = gb.bridge("yes ~ x + g", data)
    assert np.allclose(pair.glm.influence(), pair.network.influence(), rtol=1e-12, equal_nan=True)
