"""Every GLM case of R, each quantity at the tolerance that the cases come with.

Coefficients: 1e-6 standard errors. Standard errors: 1e-6 relative. Deviance, likelihood and
criteria: 1e-8 relative. Vectors: 1e-6 of their root mean square. R's fits are polished until
their score is below 1e-13 standard errors, so that these are differences of ours.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from references import cases

import glmnet_bridge as gb

NAMES = [name for name in cases.names("glm") if cases.load(name)["model"]["family"] in cases.FAMILIES]


def fitted(name: str) -> tuple[gb.fits.Fit, dict]:
    case = cases.load(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gb.errors.DataWarning)  # non-integer responses in R's own cases
        fit = gb.glm(case["model"]["patsy"], cases.frame(case), **cases.arguments(case))
    return fit, case


def near(ours: float, reference: float, tolerance: float) -> bool:
    return abs(ours - reference) <= tolerance * max(abs(reference), 1.0)


def near_vector(ours: np.ndarray, reference: dict, tolerance: float = 1e-6) -> None:
    first = cases.array(reference["first"])
    scale = np.sqrt(reference["sumsq"] / reference["n"])
    assert len(ours) == reference["n"]
    assert np.abs(ours[: len(first)] - first).max() <= tolerance * scale
    assert abs(ours.sum() - reference["sum"]) <= tolerance * scale * reference["n"]


@pytest.mark.parametrize("name", NAMES)
def test_estimates(name: str) -> None:
    fit, case = fitted(name)
    ref, columns = case["ref"], case["model"]["patsy_names"]
    se = cases.array(ref["se"])
    assert set(fit.params.index) == set(columns)
    assert (np.abs(fit.params[columns].to_numpy() - cases.array(ref["coef"])) / se).max() <= 1e-6
    assert np.abs(fit.bse[columns].to_numpy() / se - 1).max() <= 1e-6
    covariance = fit.cov_params().loc[columns, columns].to_numpy()
    assert (np.abs(covariance - np.array(ref["vcov"])) / np.outer(se, se)).max() <= 1e-6
    assert np.allclose(fit.tvalues[columns], cases.array(ref["statistic"]), rtol=1e-5, atol=1e-6)
    assert np.allclose(fit.pvalues[columns], cases.array(ref["p"]), rtol=1e-4, atol=1e-300)


@pytest.mark.parametrize("name", NAMES)
def test_likelihood(name: str) -> None:
    fit, case = fitted(name)
    ref = case["ref"]
    skip = case.get("skip") or []
    pairs = {
        "deviance": fit.deviance,
        "null_deviance": fit.null_deviance,
        "df_residual": fit.df_resid,
        "dispersion": fit.dispersion,
        "pearson_chi2": fit.pearson_chi2,
        "loglik": fit.llf,
        "aic": fit.aic,
        "bic": fit.bic,
        "nobs": fit.nobs,
    }
    wrong = {
        key: (ours, ref[key])
        for key, ours in pairs.items()
        if key not in skip and ref.get(key) is not None and not near(ours, ref[key], 1e-8)
    }
    assert not wrong


@pytest.mark.parametrize("name", NAMES)
def test_rows(name: str) -> None:
    fit, case = fitted(name)
    ref = case["ref"]
    near_vector(fit.fittedvalues.to_numpy(), ref["fitted"])
    near_vector(fit.predict(kind="link").dropna().to_numpy(), ref["linear_predictor"])
    for kind in ("deviance", "pearson", "response", "working"):
        near_vector(fit.residuals(kind).to_numpy(), ref[f"resid_{kind}"])


@pytest.mark.parametrize("name", [n for n in NAMES if cases.load(n)["ref"].get("vcov_observed")])
def test_observed_information(name: str) -> None:
    fit, case = fitted(name)
    reference = case["ref"]["vcov_observed"]
    se = np.sqrt(np.diag(reference))
    columns = case["model"]["patsy_names"]
    ours = fit.cov_params("observed").loc[columns, columns].to_numpy()
    assert (np.abs(ours - np.array(reference)) / np.outer(se, se)).max() <= 1e-6
