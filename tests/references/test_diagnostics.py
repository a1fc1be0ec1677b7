"""R's diagnostics of every GLM case: influence, discrimination, pseudo R2, variance inflation.

Vectors: 1e-6 of their root mean square, and their whole sum; where R gives nan so do we.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from references import cases

import glmnet_bridge as gb

NAMES = [name for name in cases.names("glm") if cases.load(name)["model"]["family"] in cases.FAMILIES]
VECTORS = {
    "hat": "hat",
    "cooks": "cooks",
    "rstandard_deviance": "rstandard",
    "rstandard_pearson": "rstandard_pearson",
    "rstudent": "rstudent",
}


def numbers(values: list) -> np.ndarray:
    return np.array([np.nan if value is None else float(value) for value in values])


def compare(ours: np.ndarray, reference: dict) -> None:
    first, total = numbers(reference["first"]), float(reference["sum"])
    known = np.isfinite(ours)
    assert len(ours) == reference["n"]
    assert np.array_equal(known[: len(first)], np.isfinite(first))
    scale = np.sqrt(float(reference["sumsq"]) / reference["n"])
    if np.isnan(scale):
        scale = np.sqrt(np.nanmean(first**2))
    assert np.nanmax(np.abs(ours[: len(first)] - first)) <= 1e-6 * scale
    if np.isfinite(total):
        assert abs(ours.sum() - total) <= 1e-6 * scale * reference["n"]
    else:
        assert not known.all()


@pytest.mark.parametrize("name", NAMES)
def test_diagnostics(name: str) -> None:
    case = cases.load(name)
    ref, columns = case["ref"], case["model"]["patsy_names"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gb.errors.DataWarning)  # non-integer responses in R's own cases
        fit = gb.glm(case["model"]["patsy"], cases.frame(case), **cases.arguments(case))
    found = fit.influence()
    for key, ours in VECTORS.items():
        if key in ref:
            compare(found[ours].to_numpy(), ref[key])
        if ours in ("rstandard", "rstandard_pearson", "rstudent"):
            assert np.array_equal(fit.residuals(ours), found[ours], equal_nan=True)
    compare(fit.working_weights.to_numpy(), ref["working_weights"])
    changes = found[[f"dfbeta_{column}" for column in columns]].to_numpy()[:3]
    assert (np.abs(changes - np.array(ref["dfbeta_onestep_first3"])) / cases.array(ref["se"])).max() <= 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_the_fit_as_a_whole(name: str) -> None:
    case = cases.load(name)
    ref, columns = case["ref"], case["model"]["patsy_names"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gb.errors.DataWarning)
        fit = gb.glm(case["model"]["patsy"], cases.frame(case), **cases.arguments(case))
        extra = ref["extra"]
        if "auc" in extra:
            assert fit.auc()["auc"] == pytest.approx(extra["auc"], rel=1e-10)
            assert fit.brier() == pytest.approx(extra["brier"], rel=1e-8)
        for key in ("mcfadden", "cox_snell", "nagelkerke"):
            if "pseudo_r2" in extra:
                assert fit.pseudo_r2[key] == pytest.approx(extra["pseudo_r2"][key], rel=1e-8, abs=1e-12)
        if "vif" in extra:
            inflation = fit.vif().set_index("term")
            owner = {column: term for term, run in fit.recipe.terms for column in fit.names[run]}
            for term, gvif, df in zip(*(extra["vif"][key] for key in ("term", "gvif", "df")), strict=True):
                first = ref["term_of_coef"].index(ref["term_labels"].index(term) + 1)
                ours = inflation.loc[owner[columns[first]]]
                assert ours["gvif"] == pytest.approx(gvif, rel=1e-8)
                assert ours["df"] == df
                assert ours["gvif_root"] == pytest.approx(gvif ** (0.5 / df), rel=1e-8)
