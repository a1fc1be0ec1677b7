"""Separated data of R: the verdict (linear programmes), the finite limit, and bias-reduced fits.

brglm2 (mean, median, Jeffreys), brglm, and profiles of the penalised likelihood as logistf has them; brglm2's
multinomial fits beside. Tolerances are those that the cases come with: see `test_glm`. `r_glm_default` is what
R's glm stops at, and no estimate.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from references import cases
from references.test_multinom import by_class

import glmnet_bridge as gb

NAMES = cases.names("separation")
EACH = pytest.mark.parametrize("name", NAMES)
REDUCED = pytest.mark.parametrize("kind", ["AS_mean", "AS_median", "MPL_Jeffreys"])
OURS = {"AS_mean": "mean", "AS_median": "median", "MPL_Jeffreys": "jeffreys", "": None}


def frame(case: dict[str, Any]) -> pd.DataFrame:
    data = cases.frame(case)
    return data.query(case["subset"]["py"]) if case.get("subset") else data


@functools.cache
def fitted(name: str, kind: str = "") -> tuple[gb.fits.Fit, dict[str, Any], list[str]]:
    """The fit, R's values, and our columns in R's order."""
    case = cases.load(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gb.errors.BridgeWarning)
        fit = gb.glm(case["model"]["patsy"], frame(case), bias_reduction=OURS[kind], **cases.arguments(case))
    return fit, case["ref"], case["model"]["patsy_names"]


def having(part: str) -> Any:
    return pytest.mark.parametrize("name", [name for name in NAMES if part in cases.load(name)["ref"]])


@EACH
def test_verdict(name: str) -> None:
    """Of the fit, and without one."""
    fit, ref, columns = fitted(name)
    case, found = cases.load(name), ref["separation"]
    verdict = gb.separation(case["model"]["patsy"], frame(case), **cases.arguments(case))
    for status, rows in ((fit.separation, fit.separated_rows), (verdict.status, verdict.rows)):
        assert status[columns].tolist() == [word.lower() for word in found["coef"]]
        assert len(rows) == found["n_separated_rows"]
    assert list(fit.separated_rows) == list(verdict.rows)
    assert (verdict.any, verdict.complete) == (found["any"], found["complete"])
    assert fit.sample.n == ref["nobs"] or int((fit.rows.weights > 0).sum()) == ref["nobs"]


@having("limit")
def test_limit(name: str) -> None:
    fit, ref, columns = fitted(name)
    found, limit = ref["limit"], fit.limit().iloc[0]
    assert (limit["rows_left"], limit["rank"]) == (found["rows_left"], found["rank"])
    assert limit["deviance"] == fit.deviance == pytest.approx(found["deviance"], rel=1e-8)
    coef, se = cases.array(found["coef"]), cases.array(found["se"])
    ours = fit.params[columns].replace([np.inf, -np.inf], np.nan).to_numpy()
    assert (np.isnan(ours) == np.isnan(coef)).all()
    assert np.nan_to_num(np.abs(ours - coef) / se).max() <= 1e-6
    assert np.allclose(fit.bse[columns], se, rtol=1e-6, atol=0, equal_nan=True)


@EACH
@REDUCED
def test_estimates(name: str, kind: str) -> None:
    fit, whole, columns = fitted(name, kind)
    ref = whole["bias_reduced"][kind]
    coef, se = cases.array(ref["coef"]), cases.array(ref["se"])
    ours = fit.params[columns].to_numpy()
    assert fit.converged and fit.distance_to_mle <= 1e-9
    assert (np.isnan(ours) == np.isnan(coef)).all()
    assert np.nanmax(np.abs(ours - coef) / se) <= 1e-6
    assert np.allclose(fit.bse[columns], se, rtol=1e-6, atol=0, equal_nan=True)
    covariance = np.array([cases.array(row) for row in ref["vcov"]])
    assert np.nanmax(np.abs(fit.cov_params().loc[columns, columns] - covariance) / np.outer(se, se)) <= 1e-6


@EACH
@REDUCED
def test_likelihood(name: str, kind: str) -> None:
    fit, whole, _ = fitted(name, kind)
    ref = whole["bias_reduced"][kind]
    assert fit.deviance == pytest.approx(ref["deviance"], rel=1e-8)
    assert fit.llf == pytest.approx(ref["loglik"], rel=1e-8)
    if "penalized_deviance" in ref:
        assert fit.penalised_deviance == pytest.approx(ref["penalized_deviance"], rel=1e-8, abs=1e-9)
    else:
        assert np.isnan(fit.penalised_deviance)


@EACH
@REDUCED
def test_fitted(name: str, kind: str) -> None:
    fit, whole, _ = fitted(name, kind)
    ref, ours = whole["bias_reduced"][kind]["fitted"], fit.fittedvalues.to_numpy()
    root = np.sqrt(ref["sumsq"] / ref["n"])
    assert len(ours) == ref["n"]
    assert np.abs(ours[: len(ref["first"])] - ref["first"]).max() <= 1e-6 * root
    assert ours.sum() == pytest.approx(ref["sum"], rel=1e-6)
    assert ours @ ours == pytest.approx(ref["sumsq"], rel=1e-6)


@EACH
def test_brglm(name: str) -> None:
    """The older package, which stops at 1e-8 or so."""
    fit, ref, columns = fitted(name, "AS_mean")
    coef, se = cases.array(ref["brglm"]["coef"]), fit.bse[columns].to_numpy()
    assert np.nanmax(np.abs(fit.params[columns] - coef) / se) <= 1e-6
    assert fit.penalised_deviance == pytest.approx(ref["brglm"]["penalized_deviance"], rel=1e-8, abs=1e-9)


@having("firth_profile")
@pytest.mark.parametrize("kind", ["AS_mean", "MPL_Jeffreys"])
def test_profiles(name: str, kind: str) -> None:
    fit, whole, columns = fitted(name, kind)
    ref, se = whole["firth_profile"], fit.bse[columns].to_numpy()
    table = fit.penalised_tests().set_index("term").loc[columns]
    for limits in (fit.conf_int(method="profile").loc[columns], table[["conf_low", "conf_high"]]):
        assert (np.abs(limits.to_numpy() - np.array(ref["confint"])) / se[:, None]).max() <= 1e-5
    assert np.allclose(table["statistic"], ref["plr_chisq"], rtol=1e-7)
    assert np.allclose(table["p_value"], ref["plr_p"], rtol=1e-4)


MULTINOMIAL = [name for name in cases.names("multinom") if "bias_reduced" in cases.load(name)["ref"]]


@pytest.mark.parametrize("kind", ["mean", "jeffreys"])
@pytest.mark.parametrize("name", MULTINOMIAL)
def test_several_classes(name: str, kind: str) -> None:
    """brglm2's brmultinom: for the softmax mean and Jeffreys are one."""
    case = cases.load(name)
    model, ref = case["model"], case["ref"]["bias_reduced"]
    weights = {"freq_weights": model["weights"]} if model.get("weights") else {}
    formula = f"{model['response']} ~ {model['patsy_rhs']}"
    fit = gb.glm(formula, cases.frame(case), "multinomial", base=model["base"], bias_reduction=kind, **weights)
    columns = [f"{level}: {column}" for level in model["classes"][1:] for column in model["patsy_names"]]
    se = np.array(ref["se"])
    assert (np.abs(fit.params[columns].to_numpy() - by_class(ref["coef"])) / se).max() <= 1e-6
    assert np.abs(fit.bse[columns].to_numpy() / se - 1).max() <= 1e-6
    assert fit.deviance == pytest.approx(ref["deviance"], rel=1e-8)
