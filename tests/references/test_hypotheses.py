"""Tests of terms against R: anova (Chisq, F, Rao), drop1 (the same), car's type II and type III.

Every quantity of every case: tables at 1e-7, p-values at 1e-4 relative. R's Rao column of `anova` is at dispersion 1,
that of `drop1` is scaled, and so are ours.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from references import cases

import glmnet_bridge as gb


def with_tests(key: str) -> list[str]:
    return [
        name
        for name in cases.names("glm")
        if cases.load(name)["model"]["family"] in cases.FAMILIES and key in cases.load(name)["ref"]["tests"]
    ]


@functools.cache
def fitted(name: str) -> gb.fits.Fit:
    case = cases.load(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gb.errors.DataWarning)  # non-integer responses in R's own cases
        return gb.glm(case["model"]["patsy"], cases.frame(case), **cases.arguments(case))


def agree(table: pd.DataFrame, reference: dict[str, Any], columns: dict[str, str], first: str | None = None) -> None:
    """Every column of R's table; `columns` are our names of R's. Terms come in R's order."""
    assert len(table) == len(reference["term"])
    if first is not None:
        assert table.index[0] == reference["term"][0].replace("(", "").replace(")", "") == first
    assert set(reference) == {"term", *columns}
    for key, ours in columns.items():
        got, wanted = table[ours].to_numpy(dtype=float), cases.array(reference[key])
        if key == "p":
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-300, err_msg=key)
        else:
            np.testing.assert_allclose(got, wanted, rtol=1e-7, atol=1e-7 * size(wanted), err_msg=key)


def size(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return max(float(np.abs(known).max()), 1.0) if len(known) else 1.0


DEVIANCES = {"df": "df", "deviance": "deviance", "resid_df": "resid_df", "resid_dev": "resid_deviance", "p": "p_value"}


@pytest.mark.parametrize("name", with_tests("anova_chisq"))
def test_anova_chisq(name: str) -> None:
    agree(gb.anova(fitted(name), test="Chisq"), cases.load(name)["ref"]["tests"]["anova_chisq"], DEVIANCES, "NULL")


@pytest.mark.parametrize("name", with_tests("anova_rao"))
def test_anova_rao(name: str) -> None:
    columns = {"df": "df", "rao": "rao", "p": "p_value"}
    agree(gb.anova(fitted(name), test="Rao"), cases.load(name)["ref"]["tests"]["anova_rao"], columns, "NULL")


@pytest.mark.parametrize("name", with_tests("anova_f"))
def test_anova_f(name: str) -> None:
    columns = {"df": "df", "f": "statistic", "p": "p_value"}
    reference = cases.load(name)["ref"]["tests"]["anova_f"]
    agree(gb.anova(fitted(name), test="F"), reference, columns, "NULL")
    agree(gb.anova(fitted(name)), reference, columns, "NULL")


@pytest.mark.parametrize("name", with_tests("drop1_lrt"))
def test_drop1_lrt(name: str) -> None:
    columns = {"df": "df", "deviance": "deviance", "aic": "aic", "lrt": "statistic", "p": "p_value"}
    agree(gb.drop1(fitted(name), test="Chisq"), cases.load(name)["ref"]["tests"]["drop1_lrt"], columns)


@pytest.mark.parametrize("name", with_tests("drop1_rao"))
def test_drop1_rao(name: str) -> None:
    columns = {"df": "df", "rao": "statistic", "p": "p_value"}
    agree(gb.drop1(fitted(name), test="Rao"), cases.load(name)["ref"]["tests"]["drop1_rao"], columns)


@pytest.mark.parametrize("name", with_tests("drop1_f"))
def test_drop1_f(name: str) -> None:
    columns = {"df": "df", "f": "statistic", "p": "p_value"}
    agree(gb.drop1(fitted(name), test="F"), cases.load(name)["ref"]["tests"]["drop1_f"], columns)


@pytest.mark.parametrize("name", with_tests("wald_type3"))
def test_wald_type3(name: str) -> None:
    columns = {"df": "df", "chisq": "statistic", "p": "p_value"}
    reference, fit = cases.load(name)["ref"]["tests"]["wald_type3"], fitted(name)
    table = gb.anova(fit, kind=3)
    agree(table, reference, columns, "Intercept")
    one_by_one = pd.concat([fit.wald_test(term) for term in table.index])
    agree(one_by_one, reference, columns)


@pytest.mark.parametrize("name", with_tests("anova_type2_lr"))
def test_anova_type2_lr(name: str) -> None:
    columns = {"df": "df", "lr": "statistic", "p": "p_value"}
    agree(gb.anova(fitted(name), kind=2), cases.load(name)["ref"]["tests"]["anova_type2_lr"], columns)


@pytest.mark.parametrize("name", cases.names("multinom"))
def test_drop1_of_several_classes(name: str) -> None:
    case = cases.load(name)
    model = case["model"]
    weights = {"freq_weights": model["weights"]} if model.get("weights") else {}
    formula = f"{model['response']} ~ {model['patsy_rhs']}"
    fit = gb.glm(formula, cases.frame(case), "multinomial", base=model["base"], **weights)
    table = gb.drop1(fit).iloc[1:]
    agree(table, case["ref"]["tests"]["drop1_lr"], {"df": "df", "lr": "statistic", "p": "p_value"})


def test_no_quantity_is_left_out() -> None:
    """Every table that R's cases hold is compared by a test above."""
    compared = {"anova_chisq", "anova_rao", "anova_f", "drop1_lrt", "drop1_rao", "drop1_f", "wald_type3",
                "anova_type2_lr"}  # fmt: skip
    held: Sequence[str] = [key for name in cases.names("glm") for key in cases.load(name)["ref"]["tests"]]
    assert set(held) == compared
