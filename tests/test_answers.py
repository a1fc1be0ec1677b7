"""Answers of a fit: frequency weights repeat rows, new rows have residuals, equations of aliases must hold."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb


def counts(n: int = 120) -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=n), "times": random.integers(1, 4, n)})
    frame["y"] = random.poisson(np.exp(0.3 * frame["x"] + 0.2))
    return frame


@pytest.mark.parametrize("kind", ["deviance", "pearson", "response", "working"])
def test_residuals_of_counted_rows_are_those_of_the_rows_written_out(kind: str) -> None:
    frame = counts()
    counted = gb.glm("y ~ x", frame, "poisson", freq_weights="times")
    long = gb.glm("y ~ x", frame.loc[frame.index.repeat(frame["times"])], "poisson")
    first = long.residuals(kind).groupby(level=0).first()
    assert np.allclose(counted.residuals(kind), first, rtol=1e-9, atol=1e-12)
    terms, same = counted.predict(kind="terms"), long.predict(frame, kind="terms")
    assert np.allclose(terms, same, atol=1e-12)
    assert terms.attrs["constant"] == pytest.approx(same.attrs["constant"], rel=1e-12)


def test_augment_has_residuals_where_new_data_have_the_response() -> None:
    frame = counts()
    fit = gb.glm("y ~ x", frame, "poisson")
    pd.testing.assert_frame_equal(fit.augment(frame), fit.augment())
    assert "_resid_pearson" not in fit.augment(frame.drop(columns="y"))
    holes = frame.assign(x=frame["x"].where(frame.index != 3))
    assert fit.augment(holes)["_resid_deviance"].isna().tolist() == (frame.index == 3).tolist()


def test_augment_takes_the_offset_that_the_fit_had_as_an_array() -> None:
    frame = counts()
    fit = gb.glm("y ~ x", frame, "poisson", offset=np.full(len(frame), 0.1))
    assert np.allclose(fit.augment(frame, offset=0.1)["_fitted"], fit.fittedvalues)


def test_pearson_chi2_is_the_sum_of_squares_where_a_mean_rounds_to_one() -> None:
    x = np.r_[np.linspace(-1, 1, 40), 12.0]
    y = (np.random.default_rng(0).random(41) < 0.5 + 0.4 * np.tanh(2 * x)).astype(int)
    y[-1] = 1
    fit = gb.fit(x, y, link="probit")
    assert fit.pearson_chi2 == pytest.approx((fit.residuals("pearson") ** 2).sum(), rel=1e-12)


def test_new_rows_that_break_the_equation_of_an_alias_are_not_predicted() -> None:
    frame = counts().assign(z=lambda d: 2 * d["x"])
    with pytest.warns(gb.errors.AliasWarning):
        fit = gb.glm("y ~ x + z", frame, "poisson")
    new = pd.DataFrame({"x": [0.5, 0.5], "z": [1.0, 3.0]})
    with pytest.warns(gb.errors.DataWarning, match=r"z = 2\*x"):
        predicted = fit.predict(new)
    assert predicted.notna().tolist() == [True, False]


def test_an_aliased_fit_that_newton_must_restart() -> None:
    """Columns are left out, and the fit goes on from where it was: the start is then one of the kept columns."""
    random = np.random.default_rng(23)
    n = 204
    frame = pd.DataFrame(
        {"x1": random.normal(size=n), "x2": random.uniform(0.5, 2, n), "h": random.choice(["u", "v"], n)}
    )
    frame["y"] = random.gamma(5, 1 / (1 + 0.5 * np.tanh(frame["x1"] * 0.5 - 0.2)) / 5)
    frame["w"] = random.uniform(0.3, 3, n)
    with pytest.warns(gb.errors.BridgeWarning):
        fit = gb.glm("y ~ cr(x2, df=4) + h:x1", frame, "gamma", "inverse", prior_weights="w")
    assert len(fit.aliased) == 1


def test_a_fit_can_be_compared_hashed_copied_and_pickled() -> None:
    fit = gb.glm("y ~ x", counts(), "poisson")
    assert fit == fit and len({fit, fit}) == 1
    for again in (copy.deepcopy(fit), pickle.loads(pickle.dumps(fit))):
        assert again.params.equals(fit.params) and again.llf == fit.llf
