"""Aliased columns: R's rank, R's choice of columns, R's numbers for the rest."""

from __future__ import annotations

import numpy as np
import pytest
from references import cases

import glmnet_bridge as gb


@pytest.mark.parametrize("name", cases.names("alias"))
def test_alias(name: str) -> None:
    case = cases.load(name)
    ref, columns = case["ref"], case["model"]["patsy_names"]
    with pytest.warns(gb.errors.AliasWarning, match=r" = "):
        fit = gb.glm(case["model"]["patsy"], cases.frame(case), **cases.arguments(case))
    gone = {columns[ref["coef_names"].index(each)] for each in ref["aliased"]}
    assert set(fit.aliased) == gone == set(fit.params.index[fit.params.isna()])
    assert fit.outcome == "rank deficient" and fit.converged
    se, kept = cases.array(ref["se"]), ~np.isnan(cases.array(ref["coef"]))
    ours = fit.params[columns].to_numpy()
    assert (np.abs(ours - cases.array(ref["coef"])) / se)[kept].max() <= 1e-6
    assert np.abs(fit.bse[columns].to_numpy() / se - 1)[kept].max() <= 1e-6
    assert fit.deviance == pytest.approx(ref["deviance"], rel=1e-8)
    assert fit.df_resid == ref["df_residual"]
    assert fit.llf == pytest.approx(ref["loglik"], rel=1e-8)
    assert fit.aic == pytest.approx(ref["aic"], rel=1e-8)
    assert fit.null_deviance == pytest.approx(ref["null_deviance"], rel=1e-8)
    first = cases.array(ref["fitted"]["first"])
    assert np.allclose(fit.fittedvalues.to_numpy()[: len(first)], first, rtol=1e-7)


@pytest.mark.parametrize("name", cases.names("alias"))
def test_equation_holds_on_the_data(name: str) -> None:
    case = cases.load(name)
    with pytest.warns(gb.errors.AliasWarning):
        fit = gb.glm(case["model"]["patsy"], cases.frame(case), **cases.arguments(case))
    matrix = fit.rows.block(0, fit.rows.n).columns.matrix()
    rank = fit.estimate.rank
    for j, equation in zip(rank.dropped, rank.equations, strict=True):
        assert np.abs(matrix[:, rank.kept] @ equation - matrix[:, j]).max() <= 1e-9 * np.abs(matrix[:, j]).max()
