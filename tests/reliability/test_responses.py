"""Responses that are hard, or cannot be one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from reliability.hostile import agrees, frame, put, refused, same, warned

import glmnet_bridge as gb

DATA = frame()
YES = np.where(DATA["y"] == 1, "yes", "no")
HALF = DATA["k"].astype(float).where(DATA.index != 4, 2.5)


def changed(name: str, row: int, value: object, kind: type = float) -> pd.DataFrame:
    data = frame()
    data[name] = data[name].astype(kind)
    data.loc[row, name] = value
    return data


REFUSED = {
    "y_inf": (lambda: gb.glm("z ~ x1", changed("z", 3, np.inf), "gaussian"), ["'z' is inf in row 3", "mend"]),
    "y_minus_inf": (lambda: gb.glm("z ~ x1", changed("z", 3, -np.inf), "gaussian"), ["'z' is -inf in row 3"]),
    "y_below_zero": (lambda: gb.glm("y ~ x1", changed("y", 5, -0.2)), ["'y' is -0.2 in row 5", "Recode"]),
    "y_coded_1_2": (lambda: gb.glm("y ~ x1", put(y=DATA["y"] + 1)), ["values 1 and 2", "event=2"]),
    "y_coded_minus1_1": (lambda: gb.glm("y ~ x1", put(y=2 * DATA["y"] - 1)), ["values -1 and 1", "event=1"]),
    "y_three_levels": (lambda: gb.glm("g ~ x1", DATA), ["'g' has 3 levels", "I(g == 'c')"]),
    "y_one_level": (lambda: gb.glm("s ~ x1", put(s="only")), ["'s' has one level only", "'only'"]),
    "y_datetime": (lambda: gb.glm("y ~ x1", put(y=pd.date_range("2020", periods=60))), ["'y' holds dates", ".dt"]),
    "y_date_objects": (lambda: gb.glm("y ~ x1", put(y=[date(2020, 1, 1)] * 60)), ["'y' holds dates"]),
    "y_complex": (lambda: gb.glm("y ~ x1", put(y=DATA["y"] + 1j)), ["'y' holds complex"]),
    "y_on_both_sides": (lambda: gb.glm("y ~ y + x1", DATA), ["'y' is also a predictor", "Take it out"]),
    "y_hidden_on_both_sides": (
        lambda: gb.glm("k ~ x1 + np.log(k + 1)", DATA, "poisson"),
        ["'k' is also a predictor (np.log(k + 1))"],
    ),
    "k_as_its_own_predictor": (lambda: gb.glm("successes(k, n) ~ k", put(n=20)), ["'successes(k, n)'", "(k)"]),
    "y_mixes_text_and_numbers": (lambda: gb.glm("y ~ x1", changed("y", 3, "yes", object)), ["'y' mixes", "'yes'"]),
    "y_text_numbers": (lambda: gb.glm("y ~ x1", put(y=DATA["y"].map(str))), ["'y' holds numbers", "pd.to_numeric"]),
    "y_decimal_comma": (
        lambda: gb.glm("z ~ x1", put(z=[f"{v:.2f}".replace(".", ",") for v in DATA["z"]]), "gaussian"),
        ["'z'", "decimal comma", 'decimal=","'],
    ),
    "y_category_for_counts": (lambda: gb.glm("g ~ x1", DATA, "poisson"), ["'g' is a category", "counts"]),
    "y_negative_count": (lambda: gb.glm("k ~ x1", changed("k", 2, -1), "poisson"), ["'k' is -1 in row 2"]),
    "y_zero_gamma": (lambda: gb.glm("p ~ x1", changed("p", 2, 0.0), "gamma"), ["'p' is 0 in row 2", "above 0"]),
    "y_negative_inverse_gaussian": (
        lambda: gb.glm("p ~ x1", changed("p", 2, -1.0), "inverse_gaussian"),
        ["'p' is -1 in row 2"],
    ),
    "y_proportion_without_trials": (lambda: gb.glm("q ~ x1", put(q=0.3)), ["'q' is 0.3", "trials="]),
    "y_percent": (lambda: gb.glm("q ~ x1", put(q=30.0), trials=10), ["'q' is 30", "between 0 and 1"]),
    "y_ratio": (lambda: gb.glm("k/m ~ x1", put(m=50)), ["successes(k, m)", "trials="]),
    "y_three_columns": (lambda: gb.glm("k + m + y ~ x1", put(m=50)), ["3 responses (k, m, y)"]),
    "y_sum_gaussian": (lambda: gb.glm("k + m ~ x1", put(m=5), "gaussian"), ["'k + m'", "I(a + b)"]),
    "y_constant_in_the_formula": (lambda: gb.glm("1 ~ x1", DATA), ["'1 ~ x1'", "column"]),
    "successes_above_trials": (lambda: gb.glm("successes(k, m) ~ x1", put(m=1)), ["'k' is 2 in rows 2", "'m'"]),
    "successes_not_whole": (lambda: gb.glm("successes(k, m) ~ x1", put(m=DATA["k"] + 2.5)), ["'m' is 3.5", "whole"]),
    "successes_negative": (lambda: gb.glm("successes(k, m) ~ x1", put(k=-1, m=3)), ["'k' is -1", "counts"]),
    "y_too_large": (lambda: gb.glm("z ~ x1", put(z=DATA["z"] * 1e200), "gaussian"), ["'z'", "unit"]),
    "y_too_small": (lambda: gb.glm("z ~ x1", put(z=DATA["z"] * 1e-200), "gaussian"), ["'z'", "unit"]),
    "gamma_too_large": (lambda: gb.glm("p ~ x1", put(p=DATA["p"] * 1e200), "gamma"), ["'p'", "unit"]),
    "inverse_gaussian_too_small": (
        lambda: gb.glm("p ~ x1", put(p=DATA["p"] * 1e-100), "inverse_gaussian"),
        ["'p'", "unit"],
    ),
    "event_unknown": (lambda: gb.glm("y ~ x1", DATA, event=2), ["event=2", "0 and 1"]),
    "event_list": (lambda: gb.glm("y ~ x1", DATA, event=[1]), ["event=[1]", "0 and 1"]),
    "event_nan": (lambda: gb.glm("y ~ x1", DATA, event=np.nan), ["event=nan"]),
    "event_of_counts": (lambda: gb.glm("k ~ x1", DATA, "poisson", event=1), ["event=", "binomial"]),
    "trials_of_counts": (lambda: gb.glm("k ~ x1", DATA, "poisson", trials=3), ["trials=", "binomial"]),
    "trials_beside_successes": (lambda: gb.glm("successes(k, m) ~ x1", put(m=9), trials=3), ["trials", "already"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    call, parts = REFUSED[name]
    refused(call, *parts)


ENDLESS = {
    "y_all_one_binomial": (lambda: gb.glm("y ~ x1", put(y=1)), "Intercept -> +inf", np.inf),
    "y_all_zero_binomial": (lambda: gb.glm("y ~ x1", put(y=0)), "Intercept -> -inf", -np.inf),
    "y_all_zero_poisson": (lambda: gb.glm("k ~ x1", put(k=0), "poisson"), "Intercept -> -inf", -np.inf),
    "y_all_false": (lambda: gb.glm("b ~ x1", put(b=False)), "Intercept -> -inf", -np.inf),
    "y_negative_log_link": (
        lambda: gb.glm("z ~ x1", put(z=-np.abs(DATA["z"])), "gaussian", "log"),
        "Intercept -> -inf",
        -np.inf,
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_constant_events_have_no_finite_intercept(name: str) -> None:
    call, said, value = ENDLESS[name]
    fit = warned(call, said, "ridge")
    assert fit.params["Intercept"] == value and fit.outcome == "separated" and not fit.converged


def test_levels_that_mean_events() -> None:
    plain = gb.glm("y ~ x1", DATA)
    agrees(plain, "y ~ x1", DATA)
    codings = {
        "y_string_yes_no": (YES, "P(y = 'yes')"),
        "y_categorical": (pd.Categorical(YES, ["no", "yes"]), "P(y = 'yes')"),
        "y_bool": (DATA["y"] == 1, "P(y = True)"),
        "true_false_as_text": (np.where(DATA["y"] == 1, "True", "False"), "P(y = 'True')"),
        "float": (DATA["y"].astype(float), "P(y = 1)"),
        "decimal": ([Decimal(int(v)) for v in DATA["y"]], "P(y = 1)"),
        "text_category_of_numbers": (DATA["y"].map(str).astype("category"), "P(y = '1')"),
        "int_category": (DATA["y"].astype("category"), "P(y = 1)"),
        "nullable": (DATA["y"].astype("boolean"), "P(y = True)"),
    }
    for name, (values, said) in codings.items():
        fit = gb.glm("y ~ x1", put(y=values))
        same(fit, plain)
        assert said in fit.modelled, name
    backwards = gb.glm("y ~ x1", put(y=pd.Categorical(YES, ["yes", "no"])))
    np.testing.assert_allclose(backwards.params, -plain.params, rtol=1e-12)
    assert "P(y = 'no')" in backwards.modelled


@pytest.mark.parametrize("event", [0, 0.0, False, np.int64(0), "0"])
def test_the_event_turns_the_signs(event: object) -> None:
    fit = gb.glm("y ~ x1", DATA, event=event)
    np.testing.assert_allclose(fit.params, -gb.glm("y ~ x1", DATA).params, rtol=1e-12)
    assert "P(y = 0)" in fit.modelled


def test_survey_codings_with_an_event() -> None:
    same(gb.glm("y ~ x1", put(y=DATA["y"] + 1), event=2), gb.glm("y ~ x1", DATA))
    same(gb.glm("y ~ x1", put(y=2 * DATA["y"] - 1), event=1), gb.glm("y ~ x1", DATA))


def test_missing_responses_drop_their_rows() -> None:
    rest = gb.glm("y ~ x1", DATA.drop(3))
    for values in (DATA["y"].astype("Int64"), pd.Series(YES, dtype=object), DATA["y"].astype("Int64[pyarrow]")):
        values = values.copy()
        values[3] = None
        fit = gb.glm("y ~ x1", put(y=values))
        same(fit, rest)
        assert fit.rows_dropped == {"y": 1, "total": 1} and fit.nobs == 59


def test_numbers_that_are_not_counts() -> None:
    fit = warned(lambda: gb.glm("k ~ x1", put(k=HALF), "poisson"), "'k'", "2.5", "row 4", "quasi-likelihood")
    agrees(fit, "k ~ x1", put(k=HALF), "Poisson")
    share = put(q=0.3, m=7)
    fit = warned(lambda: gb.glm("q ~ x1", share, trials="m"), "'q' times trials", "2.1 of 7")
    assert fit.params["Intercept"] == pytest.approx(np.log(0.3 / 0.7), rel=1e-12)


EXACT = {
    "y_constant_gaussian": lambda: gb.glm("v ~ x1", put(v=3.7), "gaussian"),
    "y_constant_gaussian_log": lambda: gb.glm("v ~ x1", put(v=3.7), "gaussian", "log"),
    "y_constant_gamma": lambda: gb.glm("v ~ x1", put(v=3.7), "gamma", "log"),
    "y_constant_inverse_gaussian": lambda: gb.glm("v ~ x1", put(v=3.7), "inverse_gaussian", "log"),
    "y_from_the_predictor": lambda: gb.glm("v ~ x1", put(v=1.0 + 2.0 * DATA["x1"]), "gaussian"),
    "gamma_from_the_predictor": lambda: gb.glm("v ~ x1", put(v=np.exp(1.0 + 2.0 * DATA["x1"])), "gamma", "log"),
    "as_many_columns_as_rows": lambda: gb.glm("v ~ x1 + x2 + y", put(v=DATA["z"]).iloc[[0, 1, 2, 40]], "gaussian"),
    "gamma_as_many_columns_as_rows": lambda: gb.glm("v ~ x1 + x2 + z", put(v=DATA["p"]).iloc[1:5], "gamma", "log"),
}


@pytest.mark.parametrize("name", EXACT)
def test_a_response_without_residuals(name: str) -> None:
    fit = warned(EXACT[name], "fits every row exactly", "'v'", "standard errors are 0")
    np.testing.assert_allclose(fit.fittedvalues, fit.sample.response[:, 0], rtol=1e-9)
    assert fit.converged and not (fit.bse > 1e-9).any()


def test_a_constant_count_is_nothing_special() -> None:
    fit = gb.glm("k ~ x1", put(k=4), "poisson")
    np.testing.assert_allclose(fit.params, [np.log(4.0), 0.0], atol=1e-12)
    assert fit.bse["Intercept"] == pytest.approx(oracle_error(), rel=1e-9)


def oracle_error() -> float:
    design = np.column_stack([np.ones(60), DATA["x1"]])
    return float(np.sqrt(np.linalg.inv(4.0 * design.T @ design)[0, 0]))


def test_a_zero_response_of_least_squares() -> None:
    fit = warned(lambda: gb.glm("v ~ x1", put(v=0.0), "gaussian"), "fits every row exactly")
    assert (fit.params == 0).all() and isinstance(fit.bse, pd.Series)


def test_huge_counts() -> None:
    random = np.random.default_rng(0)
    data = put(k=random.poisson(np.exp(np.log(1e12) + 0.1 * DATA["x1"])))
    fit = gb.glm("k ~ x1", data, "poisson")
    agrees(fit, "k ~ x1", data, "Poisson")
    assert gb.glm("k ~ x1", put(k=np.rint(1e60 * DATA["p"])), "poisson").converged


def test_tiny_means() -> None:
    data = put(k=np.isin(np.arange(60), [3, 9]).astype(int), e=1e-12)
    fit = gb.glm("k ~ x1", data, "poisson", exposure="e")
    agrees(fit, "k ~ x1", data, "Poisson", exposure=np.full(60, 1e-12))


@pytest.mark.parametrize("unit", [1e-70, 1e-8, 1e8, 1e70])
def test_the_unit_of_a_real_response(unit: float) -> None:
    plain, fit = gb.glm("z ~ x1", DATA, "gaussian"), gb.glm("z ~ x1", put(z=DATA["z"] * unit), "gaussian")
    np.testing.assert_allclose(fit.params / unit, plain.params, rtol=1e-12)
    np.testing.assert_allclose(fit.bse / unit, plain.bse, rtol=1e-12)


def test_category_of_decimals_is_no_factor_of_the_response() -> None:
    data = put(z=[Decimal(f"{v:.3f}") for v in DATA["z"]])
    same(gb.glm("z ~ x1", data, "gaussian"), gb.glm("z ~ x1", put(z=DATA["z"].round(3)), "gaussian"))


def test_trials_zero_carry_no_information() -> None:
    m = np.where(DATA["x2"] > 0, DATA["k"] + 3, 0)
    data = put(m=m, k=np.minimum(DATA["k"], m))
    same(gb.glm("successes(k, m) ~ x1", data), gb.glm("successes(k, m) ~ x1", data[m > 0]))
