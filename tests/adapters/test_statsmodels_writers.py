"""A fit as statsmodels' own result: every number beside what it finds by itself, and row by row beside ours."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from adapters.formulas import ALL, ROWS, fitted

import glmnet_bridge as gb
from glmnet_bridge.errors import AliasWarning, ArgumentError

sm = pytest.importorskip("statsmodels.api")

ROWS = ROWS.assign(trials=3 + ROWS.grade, hits=np.minimum(ROWS.visits, 3 + ROWS.grade))
FITS = {
    "binomial": ("low ~ age + site", {}),
    "probit": ("low ~ age + C(site, Sum)", {"link": "probit"}),
    "poisson with offset": ("visits ~ age * arm + offset(np.log(time))", {"family": "poisson"}),
    "poisson with exposure": ("visits ~ age", {"family": "poisson", "exposure": "time"}),
    "gamma": ("cost ~ age + site", {"family": "gamma"}),
    "gamma, log": ("cost ~ bs(age, df=4)", {"family": "gamma", "link": "log"}),
    "inverse gaussian": ("cost ~ age", {"family": "inverse_gaussian"}),
    "gaussian": ("weight ~ age + site", {"family": "gaussian"}),
    "prior weights": ("weight ~ age + site", {"family": "gaussian", "prior_weights": "time"}),
    "frequencies": ("visits ~ age + site", {"family": "poisson", "freq_weights": "grade"}),
    "both weights": ("cost ~ age", {"family": "gamma", "freq_weights": "grade", "prior_weights": "time"}),
    "trials": ("successes(hits, trials) ~ age + site", {}),
    "no intercept": ("low ~ 0 + site", {}),
    "intercept only": ("low ~ 1", {}),
}  # fmt: skip

every = pytest.mark.parametrize("name", FITS)


def made(name):
    formula, arguments = FITS[name]
    fit = gb.glm(formula, ROWS, **arguments)
    return fit, fit.to_statsmodels()


@every
def test_it_is_what_statsmodels_finds_by_itself(name):
    """Every number of the summary, and those behind it."""
    fit, result = made(name)
    native = result.model.fit(tol=1e-15, maxiter=100)
    assert type(result) is type(native)
    np.testing.assert_array_equal(result.params, fit.params)
    np.testing.assert_allclose(result.params, native.params, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(result.cov_params(), native.cov_params(), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(result.pvalues, native.pvalues, rtol=1e-6, atol=1e-12)
    for word in ("llf", "deviance", "null_deviance", "pearson_chi2", "scale", "aic", "df_resid", "df_model", "llnull"):
        assert getattr(result, word) == pytest.approx(getattr(native, word), rel=1e-8), word
    ours, theirs = (each.summary().as_text().splitlines() for each in (result, native))
    apart = ("Date:", "Time:", "No. Iterations:")
    kept = [(a, b) for a, b in zip(ours, theirs, strict=True) if not a.startswith(apart)]
    assert all(a.replace("-0.0000", " 0.0000") == b.replace("-0.0000", " 0.0000") for a, b in kept)
    assert len(kept) >= 12


@every
def test_it_is_the_fit_row_by_row(name):
    fit, result = made(name)
    np.testing.assert_array_equal(result.bse, fit.bse)
    assert result.scale == fit.dispersion and result.converged
    np.testing.assert_allclose(result.fittedvalues, fit.fittedvalues, rtol=1e-13)
    for kind in ("response", "pearson", "deviance", "working"):
        found = getattr(result, f"resid_{kind}")
        if kind in ("response", "working") and name == "trials":  # statsmodels counts in successes
            found = found / fit.sample.trials ** (1 + (kind == "working"))
        np.testing.assert_allclose(found, fit.residuals(kind), rtol=1e-9, atol=1e-9, err_msg=kind)
    native = result.model.fit(tol=1e-15, maxiter=100).get_influence()
    influence = result.get_influence()
    np.testing.assert_allclose(influence.hat_matrix_diag, native.hat_matrix_diag, rtol=1e-6)
    np.testing.assert_allclose(influence.cooks_distance[0], native.cooks_distance[0], rtol=1e-6, atol=1e-12)
    offset = {} if fit.sample.offset is None else {"offset": fit.sample.offset[:, 0]}
    fitted_values = result.get_prediction(**offset).predicted_mean
    np.testing.assert_allclose(fitted_values, fit.fittedvalues, rtol=1e-13)


@every
def test_predictions_take_frames(name):
    fit, result = made(name)
    some = ROWS.sample(20, random_state=0)
    offset = None if fit.sample.offset is None else fit.sample.offset[some.index, 0]
    np.testing.assert_allclose(result.predict(some, offset=offset), fit.fittedvalues[some.index], rtol=1e-12)


def test_the_steps_are_the_fits():
    fit, result = made("binomial")
    assert result.fit_history["iteration"] == len(fit.trace) - 1
    assert result.fit_history["deviance"][-1] == pytest.approx(fit.deviance, rel=1e-12)
    np.testing.assert_array_equal(result.fit_history["params"][-1], fit.params)
    assert result.model.weights.sum() == pytest.approx((fit.fittedvalues * (1 - fit.fittedvalues)).sum(), rel=1e-12)


def test_tests_of_statsmodels_work():
    fit, result = made("binomial")
    found = result.t_test("age = 0")
    assert float(np.squeeze(found.tvalue)) == pytest.approx(fit.tvalues["age"], rel=1e-12)
    robust = result.model.fit(cov_type="HC0")
    assert robust.params.index.tolist() == list(fit.names)


@pytest.mark.parametrize("name", ["gamma, log", "trials", "both weights", "prior weights"])
def test_it_is_pickled(name):
    fit, result = made(name)
    again = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(again.params, fit.params)
    np.testing.assert_allclose(again.predict(ROWS), fit.fittedvalues, rtol=1e-12)


def test_the_event_may_be_any_level():
    frame = ROWS.assign(answer=np.where(ROWS.low == 1, "bad", "good"))
    fit = gb.glm("answer ~ age + site", frame, event="bad")
    result = fit.to_statsmodels()
    assert result.model.endog_names == "answer" and result.model.endog.mean() == ROWS.low.mean()
    np.testing.assert_allclose(result.predict(frame), fit.fittedvalues, rtol=1e-12)


def test_own_functions_and_our_own_grammar():
    """patsy reads the former with us; of the latter the matrix is given, with our names."""
    fit = gb.glm("low ~ twice(age) + site", ROWS, functions={"twice": lambda x: 2 * x})
    result = fit.to_statsmodels()
    np.testing.assert_allclose(result.predict(ROWS), fit.fittedvalues, rtol=1e-12)
    pytest.importorskip("statsmodels", minversion="0.15", reason="older ones read the next formula as patsy does")
    fit, result = fitted("choices"), fitted("choices").to_statsmodels()
    assert result.model.exog_names == list(fit.names)
    assert "predict takes its columns, by position" in repr(result.written)
    np.testing.assert_allclose(result.predict(result.model.exog[:5]), fit.fittedvalues[:5], rtol=1e-12)
    assert not hasattr(result.model, "formula") and ALL["choices"][0]


def test_columns_that_others_determine_are_left_out():
    with pytest.warns(AliasWarning):
        fit = gb.glm("low ~ age + I(2 * age) + site", ROWS)
    result = fit.to_statsmodels()
    assert result.params.index.tolist() == [name for name in fit.names if name != "I(2 * age)"]
    np.testing.assert_allclose(result.fittedvalues, fit.fittedvalues, rtol=1e-12)
    assert result.df_resid == fit.df_resid
    assert "I(2 * age) is left out, being a combination of other columns." in repr(result.written)


def test_a_penalty_is_refused():
    fit = gb.glm("low ~ age + site", ROWS, penalty=gb.penalties.ridge(1.0))
    with pytest.raises(ArgumentError, match=r"A GLMResults knows no penalty.*Fit without penalty="):
        fit.to_statsmodels()


def test_rows_with_missing_values_are_left_out():
    frame = ROWS.assign(age=ROWS.age.where(ROWS.index % 5 > 0))
    fit = gb.glm("low ~ age + site", frame)
    result = fit.to_statsmodels()
    assert result.nobs == fit.nobs == int((frame.index % 5 > 0).sum())
    pd.testing.assert_index_equal(result.fittedvalues.index, frame.index[frame.index % 5 > 0])
