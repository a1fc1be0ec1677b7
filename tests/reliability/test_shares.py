"""Rows of several classes: probabilities, their errors, what is refused, and rows that are missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError


def made(n: int = 200) -> pd.DataFrame:
    random = np.random.default_rng(9)
    frame = pd.DataFrame({"x": random.normal(size=n), "g": random.choice(list("ab"), n)}, index=np.arange(n) * 2 + 5)
    eta = np.column_stack([np.zeros(n), 0.4 + frame.x, -0.2 - 0.5 * frame.x + (frame.g == "b")])
    return frame.assign(y=np.array(["home", "ward", "icu"])[(eta + random.gumbel(size=eta.shape)).argmax(axis=1)])


FRAME = made()
ORDER = ["home", "icu", "ward"]


@pytest.fixture(scope="module")
def fit() -> gb.fits.Fit:
    return gb.glm("y ~ x + g", FRAME, "multinomial", base="icu")


def test_probabilities_add_up_and_link_and_class_belong_to_them(fit):
    mean, link, best = (fit.predict(kind=kind) for kind in ("mean", "link", "class"))
    assert mean.columns.tolist() == ORDER and link.columns.tolist() == ["home", "ward"]
    assert mean.index.equals(FRAME.index) and best.index.equals(FRAME.index)
    np.testing.assert_allclose(mean.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(np.log(mean["home"] / mean["icu"]), link["home"], rtol=1e-10, atol=1e-12)
    assert (best == mean.idxmax(axis=1)).all()
    pd.testing.assert_frame_equal(fit.predict(FRAME), mean)
    pd.testing.assert_frame_equal(fit.fittedvalues, mean)
    pd.testing.assert_frame_equal(fit.predict(FRAME.iloc[[3]]), mean.iloc[[3]])
    by_hand = (
        fit.params["home: Intercept"] + fit.params["home: x"] * FRAME.x + fit.params["home: g[T.b]"] * (FRAME.g == "b")
    )
    np.testing.assert_allclose(link["home"], by_hand, rtol=1e-12, atol=1e-13)


def test_the_score_equations(fit):
    """With an intercept the probabilities of a class add up to its rows, and so do they weighted by x."""
    rest = fit.residuals("response")
    assert rest.columns.tolist() == ORDER
    np.testing.assert_allclose(rest.sum(), 0.0, atol=1e-10)
    np.testing.assert_allclose(FRAME.x @ rest, 0.0, atol=1e-10)
    assert fit.pearson_chi2 == pytest.approx((rest**2 / fit.fittedvalues).to_numpy().sum(), rel=1e-12)


def test_errors_of_probabilities_are_those_of_the_delta_method(fit):
    """Against numerical derivatives of the probabilities in all coefficients."""
    new = FRAME.head(6)
    design = np.column_stack([np.ones(6), new.g == "b", new.x]).astype(float)

    def shares(beta):
        eta = design @ beta.reshape(2, 3).T
        powers = np.exp(np.column_stack([eta[:, 0], np.zeros(6), eta[:, 1]]))  # home, icu, ward
        return powers / powers.sum(axis=1, keepdims=True)

    beta, h = fit.params.to_numpy(), 1e-5
    slopes = np.array([(shares(beta + h * e) - shares(beta - h * e)) / (2 * h) for e in np.eye(6)])
    error = np.sqrt(np.einsum("aic,ab,bic->ic", slopes, fit.cov_params().to_numpy(), slopes))
    found = fit.get_prediction(new, level=0.9)
    assert found.response_level.tolist() == ORDER * 6 and found.index.tolist() == np.repeat(new.index, 3).tolist()
    np.testing.assert_allclose(found.estimate.to_numpy().reshape(6, 3), shares(beta), rtol=1e-12)
    np.testing.assert_allclose(found.std_error.to_numpy().reshape(6, 3), error, rtol=1e-7)
    assert ((found.conf_low > 0) & (found.conf_low < found.estimate) & (found.estimate < found.conf_high)).all()
    logit = np.log(found.estimate / (1 - found.estimate))
    half = 1.6448536269514722 * found.std_error / (found.estimate * (1 - found.estimate))
    np.testing.assert_allclose(found.conf_high, 1 / (1 + np.exp(-logit - half)), rtol=1e-10)


def test_errors_of_linear_predictors(fit):
    found = fit.get_prediction(FRAME.head(4), kind="link")
    design = np.column_stack([np.ones(4), FRAME.g.head(4) == "b", FRAME.x.head(4)]).astype(float)
    covariance = fit.cov_params().to_numpy()[3:, 3:]  # of ward
    ward = found[found.response_level == "ward"]
    np.testing.assert_allclose(
        ward.std_error, np.sqrt(np.einsum("ij,jk,ik->i", design, covariance, design)), rtol=1e-12
    )
    np.testing.assert_allclose(ward.estimate, fit.predict(FRAME.head(4), kind="link")["ward"], rtol=1e-14)


def test_two_classes_have_the_errors_of_the_binomial():
    two = FRAME[FRAME.y != "icu"]
    ours = gb.glm("y ~ x + g", two, "multinomial").get_prediction(two.head(9))
    theirs = gb.glm("y ~ x + g", two).get_prediction(two.head(9))
    ward = ours[ours.response_level == "ward"].drop(columns="response_level")
    pd.testing.assert_frame_equal(ward, theirs, rtol=1e-10)


def test_rows_with_missing_values_keep_their_place():
    frame = FRAME.copy()
    frame.iloc[2, 0], frame.iloc[5, 2] = np.nan, None
    fit = gb.glm("y ~ x + g", frame, "multinomial")
    assert fit.rows_dropped == {"x": 1, "y": 1, "total": 2} and len(fit.fittedvalues) == 198
    for values in (fit.predict(), fit.predict(kind="link"), fit.augment()[["_fitted_icu", "_class"]]):
        assert np.flatnonzero(values.isna().any(axis=1)).tolist() == [2, 5]
    assert fit.predict(kind="class").isna().sum() == 2
    assert fit.get_prediction()["estimate"].isna().sum() == 6
    new = fit.predict(frame.head(6))
    assert np.flatnonzero(new.isna().any(axis=1)).tolist() == [2]
    assert fit.predict(frame.head(0)).shape == (0, 3)


def test_augment_and_tidy_and_glance(fit):
    table = fit.augment()
    assert table.columns.tolist() == ["x", "g", "y", "_fitted_home", "_fitted_icu", "_fitted_ward", "_class"]
    tidy = fit.tidy(exponentiate=True)
    assert tidy.columns.tolist() == [
        "response_level", "term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high",
    ]  # fmt: skip
    assert tidy.response_level.tolist() == ["home"] * 3 + ["ward"] * 3
    assert tidy.term.tolist() == ["Intercept", "g[T.b]", "x"] * 2
    np.testing.assert_allclose(tidy.estimate, np.exp(fit.params), rtol=1e-14)
    np.testing.assert_allclose(fit.conf_int(), np.log(tidy[["conf_low", "conf_high"]]), rtol=1e-10)
    assert fit.glance().loc[0, "df_model"] == 4 and fit.glance().loc[0, "df_resid"] == 194


@pytest.mark.parametrize("kind", ["deviance", "pearson", "working"])
def test_residuals_with_a_sign_are_refused(fit, kind):
    with pytest.raises(ArgumentError, match='Use kind="response"'):
        fit.residuals(kind)


@pytest.mark.parametrize("kind", ["terms", "meen"])
def test_other_predictions_are_refused(fit, kind):
    with pytest.raises(ArgumentError, match="for several classes it is one of mean, link, class"):
        fit.predict(kind=kind)
    with pytest.raises(ArgumentError, match="intervals are for 'mean' or 'link'"):
        fit.get_prediction(kind="class")


def test_new_levels_are_refused_or_nan(fit):
    new = FRAME.head(2).assign(g=["a", "q"])
    with pytest.raises(gb.errors.DataError, match="'q'"):
        fit.predict(new)
    assert fit.predict(new, unseen="nan").isna().all(axis=1).tolist() == [False, True]


def test_the_most_probable_class_has_no_threshold(fit):
    for kind in ("class", "mean"):
        with pytest.raises(ArgumentError, match=r"threshold=0.4 is for two classes"):
            fit.predict(kind=kind, threshold=0.4)
    assert fit.predict(kind="class", threshold=0.5).equals(fit.predict(kind="class"))
