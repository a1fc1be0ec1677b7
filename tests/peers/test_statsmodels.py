"""Live comparison with statsmodels on its own data, and the faults of it that we do not share."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.tools.sm_exceptions import DomainWarning

import glmnet_bridge as gb

LINKS = sm.families.links
FAMILIES = [
    sm.families.Binomial(),
    sm.families.Binomial(LINKS.Probit()),
    sm.families.Binomial(LINKS.CLogLog()),
    sm.families.Binomial(LINKS.LogLog()),
    sm.families.Binomial(LINKS.Cauchy()),
    sm.families.Gaussian(),
    sm.families.Gaussian(LINKS.Log()),
    sm.families.Poisson(),
    sm.families.Poisson(LINKS.Sqrt()),
    sm.families.Gamma(LINKS.Log()),
    sm.families.Gamma(),
    sm.families.InverseGaussian(LINKS.Log()),
]


def data(family: object, n: int = 300) -> pd.DataFrame:
    """Rows that the family can have, with a mean that every link can have."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"x": random.uniform(0.2, 1.0, n), "g": random.choice(list("abc"), n)})
    mean = 0.3 + 0.4 * frame["x"] + 0.1 * (frame["g"] == "b")
    kind = type(family).__name__
    if kind == "Binomial":
        frame["y"] = (random.random(n) < mean).astype(int)
    elif kind == "Poisson":
        frame["y"] = random.poisson(4 * mean)
    else:
        frame["y"] = mean * random.gamma(8.0, 1 / 8, n)
    return frame


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f"{type(f).__name__}-{type(f.link).__name__}")
def test_same_fit(family: sm.families.Family) -> None:
    frame = data(family)
    formula = "y ~ x * g"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DomainWarning)  # statsmodels calls its own default links unsafe
        theirs = smf.glm(formula, frame, family=family).fit(tol=1e-12, maxiter=200)
    ours = gb.glm(formula, frame, family=family)
    assert list(ours.params.index) == list(theirs.params.index)
    assert (np.abs(ours.params - theirs.params) / ours.bse).max() < 1e-5
    assert np.allclose(ours.bse, theirs.bse, rtol=2e-5)
    assert ours.deviance == pytest.approx(theirs.deviance, rel=1e-9)
    assert ours.null_deviance == pytest.approx(theirs.null_deviance, rel=1e-7)
    assert ours.pearson_chi2 == pytest.approx(theirs.pearson_chi2, rel=1e-6)
    new = frame.head(7).drop(columns="y")
    assert np.allclose(ours.predict(new), theirs.predict(new), rtol=1e-6)


def test_several_classes_are_mnlogit() -> None:
    frame = data(sm.families.Binomial(), 500)
    random = np.random.default_rng(8)
    eta = np.column_stack([np.zeros(500), 0.5 + frame["x"], 1 - 2 * frame["x"] + (frame["g"] == "b")])
    frame["c"] = (eta + random.gumbel(size=eta.shape)).argmax(axis=1)
    theirs = smf.mnlogit("c ~ x + g", frame).fit(disp=0, method="newton", tol=1e-12)
    ours = gb.glm("c ~ x + g", frame, "multinomial")
    assert ours.names[:4] == ("1: Intercept", "1: g[T.b]", "1: g[T.c]", "1: x")
    flat = np.asarray(theirs.params).T.ravel()
    assert (np.abs(ours.params - flat) / ours.bse).max() < 1e-8
    np.testing.assert_allclose(ours.bse, np.asarray(theirs.bse).T.ravel(), rtol=1e-8)
    np.testing.assert_allclose(ours.cov_params(), theirs.cov_params(), rtol=1e-7)
    np.testing.assert_allclose(ours.tvalues, np.asarray(theirs.tvalues).T.ravel(), rtol=1e-7)
    np.testing.assert_allclose(ours.pvalues, np.asarray(theirs.pvalues).T.ravel(), rtol=1e-6)
    np.testing.assert_allclose(ours.conf_int(), np.asarray(theirs.conf_int()), rtol=1e-7)
    assert ours.llf == pytest.approx(theirs.llf, rel=1e-12) and ours.llnull == pytest.approx(theirs.llnull, rel=1e-9)
    assert ours.aic == pytest.approx(theirs.aic, rel=1e-12) and ours.bic == pytest.approx(theirs.bic, rel=1e-12)
    new = frame.head(9).drop(columns="c")
    np.testing.assert_allclose(ours.predict(new), theirs.predict(new), rtol=1e-8)


def test_weights_and_offset_mean_the_same() -> None:
    frame = data(sm.families.Poisson()).assign(w=lambda d: 1 + (d["x"] > 0.5), t=lambda d: 1 + d["x"])
    ours = gb.glm("y ~ x", frame, "poisson", prior_weights="w", exposure="t")
    theirs = smf.glm("y ~ x", frame, family=sm.families.Poisson(), var_weights=frame["w"], exposure=frame["t"]).fit(
        tol=1e-12
    )
    assert np.allclose(ours.params, theirs.params, rtol=1e-8)
    assert np.allclose(ours.bse, theirs.bse, rtol=1e-8)
    counted = gb.glm("y ~ x", frame, "poisson", freq_weights="w", exposure="t")
    long = frame.loc[frame.index.repeat(frame["w"])]
    repeated = gb.glm("y ~ x", long, "poisson", exposure="t")
    assert counted.llf == pytest.approx(repeated.llf, rel=1e-13)
    assert counted.nobs == repeated.nobs and counted.bic == pytest.approx(repeated.bic, rel=1e-13)


def test_boolean_and_text_responses_model_the_last_level() -> None:
    frame = data(sm.families.Binomial())
    number = gb.glm("y ~ x", frame)
    for response in (frame["y"] == 1, frame["y"].map({0: "no", 1: "yes"})):
        assert np.array_equal(gb.glm("y ~ x", frame.assign(y=response)).params, number.params)
    theirs = smf.glm("y ~ x", frame.assign(y=frame["y"] == 1), family=sm.families.Binomial()).fit()
    assert np.allclose(theirs.params, -number.params)  # statsmodels models False


def test_one_family_object_for_two_fits_changes_nothing() -> None:
    family = sm.families.Binomial()
    frame = data(family)
    first = gb.glm("y ~ x", frame, family=family)
    before = first.deviance
    grouped = pd.DataFrame({"k": [3, 4, 9], "m": [5, 6, 1], "z": [0.0, 1.0, 2.0]})
    gb.glm("k + m ~ z", grouped, family=family)
    assert first.deviance == before
    assert not hasattr(family, "n") or np.ndim(family.n) == 0


def test_aliased_columns_are_named_instead_of_split() -> None:
    random = np.random.default_rng(8)
    frame = pd.DataFrame({"z": random.normal(size=200), "z2": random.normal(size=200)})
    frame["z3"] = frame["z"] + frame["z2"]
    frame["y"] = (random.random(200) < 1 / (1 + np.exp(-frame["z"]))).astype(int)
    with pytest.warns(gb.errors.AliasWarning, match=r"z3 = z \+ z2"):
        fit = gb.glm("y ~ z + z2 + z3", frame)
    assert fit.deviance == pytest.approx(gb.glm("y ~ z + z2", frame).deviance, rel=1e-13)
    assert np.abs(fit.params.dropna()).max() < 10
