"""Weights, trials, offsets and exposures: by label, in step with the rows, and possible."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reliability.hostile import agrees, frame, put, refused, same, warned

import glmnet_bridge as gb

DATA = frame()
ONE = np.ones(60)
W = np.arange(1.0, 61.0)


def first(value: float, rest: float = 1.0) -> np.ndarray:
    return np.r_[value, np.full(59, rest)]


REFUSED = {
    "weights_all_zero": ({"prior_weights": np.zeros(60)}, ["prior_weights= is zero in every row"]),
    "weights_negative": ({"prior_weights": first(-1)}, ["prior_weights= is -1 in row 0", "give 0"]),
    "weights_inf": ({"prior_weights": first(np.inf)}, ["prior_weights= is inf in row 0"]),
    "weights_wrong_length": ({"prior_weights": np.ones(59)}, ["prior_weights= has 59 values", "60 rows"]),
    "weights_2d": ({"prior_weights": np.ones((60, 2))}, ["prior_weights= has shape (60, 2)"]),
    "weights_frame": ({"prior_weights": pd.DataFrame({"w": ONE})}, ["prior_weights= is a DataFrame"]),
    "weights_dict": ({"prior_weights": {"a": 1}}, ["prior_weights= is a dict"]),
    "weights_function": ({"prior_weights": np.sum}, ["prior_weights= is a ", "one number per row"]),
    "weights_generator": ({"prior_weights": (1 for _ in range(60))}, ["prior_weights= is a generator"]),
    "weights_true": ({"prior_weights": True}, ["prior_weights= is True"]),
    "weights_text": ({"prior_weights": ["a"] * 60}, ["prior_weights= holds text"]),
    "weights_number_texts": ({"prior_weights": ["1"] * 60}, ["prior_weights= holds numbers stored as text"]),
    "weights_dates": ({"prior_weights": pd.date_range("2020", periods=60)}, ["prior_weights= holds dates"]),
    "weights_ragged": ({"prior_weights": [[1], [1, 2]] * 30}, ["prior_weights= is a ragged list"]),
    "weights_unknown_column": ({"prior_weights": "w"}, ["no column 'w'", "prior_weights='w'", "x1, x2"]),
    "weights_factor_column": ({"prior_weights": "g"}, ["prior_weights='g' is a category"]),
    "weights_expression_negative": ({"prior_weights": "x1"}, ["prior_weights='x1' is -", "row"]),
    "weights_code": ({"prior_weights": "__import__('os').getpid()"}, ["__import__", "not known"]),
    "weights_sum_too_large": ({"prior_weights": np.full(60, 1e308)}, ["prior_weights=", "Divide it"]),
    "weights_zero_with_trials": (
        {"prior_weights": DATA["x1"] > 0, "freq_weights": DATA["x1"] <= 0},
        ["No row has weight"],
    ),
    "weights_labels_differ": (
        {"prior_weights": pd.Series(ONE, index=np.arange(60) + 30)},
        ["prior_weights=", "rows 0", "index"],
    ),
    "freq_not_whole": ({"freq_weights": np.full(60, 1.5)}, ["freq_weights= is 1.5", "prior_weights="]),
    "freq_negative": ({"freq_weights": first(-2)}, ["freq_weights= is -2 in row 0"]),
    "trials_negative": ({"trials": -3}, ["trials=", "-3", "negative"]),
    "offset_wrong_length": ({"offset": np.ones(59)}, ["offset= has 59 values", "60 rows"]),
    "offset_minus_inf": ({"offset": first(-np.inf)}, ["offset= is -inf in row 0", "log of a zero"]),
    "offset_inf": ({"offset": first(np.inf)}, ["offset= is inf in row 0"]),
    "offset_2d": ({"offset": np.ones((60, 3))}, ["offset= has shape (60, 3)"]),
    "offset_unknown_column": ({"offset": "offs"}, ["no column 'offs'", "offset='offs'"]),
    "offset_log_of_zero": ({"offset": "np.log(k)"}, ["offset='np.log(k)' is -inf", "log of a zero"]),
    "offset_log_of_negative": ({"offset": "np.log(x1)"}, ["offset='np.log(x1)' is nan", "row"]),
    "offset_complex": ({"offset": ONE + 1j}, ["offset= holds complex"]),
    "exposure_of_logit": ({"exposure": ONE}, ["exposure= is for the log link", "offset="]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    given, parts = REFUSED[name]
    refused(lambda: gb.glm("y ~ x1", DATA, **given), *parts)


COUNTS = {
    "offset_in_the_formula": ("k ~ x1 + offset(np.log(e))", {}, ["offset(np.log(e)) is -inf in row 0"]),
    "exposure_zero": ("k ~ x1", {"exposure": "e"}, ["exposure='e' is 0 in row 0", "above 0"]),
    "exposure_negative": ("k ~ x1", {"exposure": first(-1)}, ["exposure= is -1 in row 0"]),
    "exposure_scalar": ("k ~ x1", {"exposure": 0}, ["exposure", "above 0"]),
}


@pytest.mark.parametrize("name", COUNTS)
def test_refused_for_counts(name: str) -> None:
    formula, given, parts = COUNTS[name]
    refused(lambda: gb.glm(formula, put(e=first(0)), "poisson", **given), *parts)


@pytest.mark.parametrize("name", ["prior_weights", "freq_weights", "offset"])
def test_labels_decide(name: str) -> None:
    series = pd.Series(W if name != "offset" else W / 60)
    plain = gb.glm("y ~ x1", DATA, **{name: series.to_numpy()})
    same(gb.glm("y ~ x1", DATA, **{name: series[::-1]}), plain)
    same(gb.glm("y ~ x1", DATA, **{name: series.sample(frac=1.0, random_state=1)}), plain)
    same(gb.glm("y ~ x1", DATA[::-1], **{name: series}), plain)
    same(gb.glm("y ~ x1", put(w=series), **{name: "w"}), plain)
    same(gb.glm("y ~ x1", DATA, **{name: series.tolist()}), plain)
    texts = DATA.set_axis([f"r{i}" for i in range(60)])
    same(gb.glm("y ~ x1", texts, **{name: series.set_axis(texts.index)[::-1]}), plain)


def test_labels_that_occur_twice() -> None:
    data = DATA.set_axis(np.repeat(np.arange(30), 2))
    same(gb.glm("y ~ x1", data, prior_weights=pd.Series(W, index=data.index)), gb.glm("y ~ x1", DATA, prior_weights=W))
    refused(lambda: gb.glm("y ~ x1", data, prior_weights=pd.Series(W)), "prior_weights=", "more than once")


def test_labels_beside_arrays() -> None:
    X, y = DATA[["x1"]], DATA["y"]
    shuffled = y.sample(frac=1.0, random_state=1)
    refused(lambda: gb.fit(X, shuffled), "y=", "0, 1, 2")
    labelled = X.set_axis([f"r{i}" for i in range(60)])
    same(gb.fit(labelled, y.set_axis(labelled.index)[::-1]), gb.fit(X, y))
    same(gb.fit(X.loc[shuffled.index].to_numpy(), shuffled), gb.fit(X, y))


@pytest.mark.parametrize("name", ["prior_weights", "freq_weights", "offset"])
def test_dropped_rows_take_theirs_along(name: str) -> None:
    data = put(x1=DATA["x1"].where(DATA.index != 7))
    value = W / 60 if name == "offset" else W
    rest = gb.glm("y ~ x1", DATA.drop(7), **{name: np.delete(value, 7)})
    for given in (value, pd.Series(value), pd.Series(value)[::-1]):
        same(gb.glm("y ~ x1", data, **{name: given}), rest)
    same(gb.glm("y ~ x1", data.assign(w=value), **{name: "w"}), rest)


@pytest.mark.parametrize("name", ["prior_weights", "freq_weights", "offset"])
def test_missing_ones_drop_their_rows(name: str) -> None:
    value = np.where(np.arange(60) == 4, np.nan, W / 60 if name == "offset" else W)
    rest = gb.glm("y ~ x1", DATA.drop(4), **{name: np.delete(value, 4)})
    fit = gb.glm("y ~ x1", DATA, **{name: value})
    same(fit, rest)
    assert fit.rows_dropped == {f"{name}=": 1, "total": 1}
    same(gb.glm("y ~ x1", put(w=value), **{name: "w"}), rest)
    masked = np.ma.masked_array(np.where(np.isnan(value), 99.0, value), mask=np.isnan(value))
    same(gb.glm("y ~ x1", DATA, **{name: masked}), rest)
    refused(lambda: gb.glm("y ~ x1", DATA, missing="raise", **{name: value}), f"{name}=: 1")


@pytest.mark.parametrize("size", [1e-300, 1e-12, 2.0, 1e15, 1e300])
def test_the_unit_of_the_weights(size: float) -> None:
    for formula, family in (("y ~ x1", "binomial"), ("k ~ x1", "poisson"), ("p ~ x1", "gamma")):
        plain, fit = gb.glm(formula, DATA, family), gb.glm(formula, DATA, family, prior_weights=np.full(60, size))
        np.testing.assert_allclose(fit.params, plain.params, rtol=1e-12)
        root = 1.0 if family == "gamma" else np.sqrt(size)
        np.testing.assert_allclose(fit.bse * root, plain.bse, rtol=1e-11)


def test_spread_weights() -> None:
    weights = 10.0 ** np.linspace(-15, 15, 60)
    fit = gb.glm("y ~ x1", DATA, prior_weights=weights)
    heavy = slice(40, None)  # the others weigh less than 1e-9 of these
    near = gb.glm("y ~ x1", DATA[heavy], prior_weights=weights[heavy])
    np.testing.assert_allclose(fit.params, near.params, rtol=1e-4)
    slope = (DATA["y"] - fit.fittedvalues) * weights
    assert abs(slope.sum()) < 1e-9 * weights.sum() and abs((slope * DATA["x1"]).sum()) < 1e-9 * weights.sum()


def test_a_frequency_is_so_many_rows() -> None:
    times = DATA["k"].to_numpy()
    fit = gb.glm("y ~ x1 + C(g)", DATA, freq_weights=times)
    same(fit, gb.glm("y ~ x1 + C(g)", DATA.loc[np.repeat(DATA.index, times)]))
    assert fit.nobs == times.sum()
    flags = gb.glm("y ~ x1", DATA, freq_weights=DATA["x2"] > 0)
    same(flags, gb.glm("y ~ x1", DATA[DATA["x2"] > 0]))


def test_weights_of_zero_take_a_level_away() -> None:
    fit = warned(lambda: gb.glm("y ~ x1 + C(g)", DATA, prior_weights=DATA["g"] != "b"), "C(g)[T.b]")
    rest = gb.glm("y ~ x1 + C(g)", DATA[DATA["g"] != "b"])
    np.testing.assert_allclose(fit.params[rest.params.index], rest.params, rtol=1e-9)
    assert fit.nobs == 40 and np.isnan(fit.params["C(g)[T.b]"])


def test_binomial_trials_weights() -> None:
    m = DATA["k"] + 3
    s = np.minimum(DATA["y"] * 2 + DATA["k"] % 2, m)
    data = put(share=s / m, m=m, s=s, f=m - s)
    fits = [
        gb.glm("share ~ x1", data, trials="m"),
        gb.glm("share ~ x1", data, trials=m.to_numpy()),
        gb.glm("share ~ x1", data, trials=m[::-1]),
        gb.glm("successes(s, m) ~ x1", data),
        gb.glm("s + f ~ x1", data),
        gb.fit(data[["x1"]], data[["s", "f"]]),
        gb.fit(data[["x1"]], data["share"], trials=m),
    ]
    for fit in fits:
        same(fit, fits[0])
        assert fit.llf == pytest.approx(fits[0].llf, rel=1e-13)
    agrees(fits[0], "s + f ~ x1", data)


@pytest.mark.parametrize("size", [-800.0, -50.0, 50.0, 800.0])
def test_offset_huge(size: float) -> None:
    for formula, family, link in (
        ("k ~ x1", "poisson", None),
        ("y ~ x1", "binomial", None),
        ("y ~ x1", "binomial", "probit"),
    ):
        plain = gb.glm(formula, DATA, family, link)
        for given in (np.full(60, size), size, str(size)):
            fit = gb.glm(formula, DATA, family, link, offset=given)
            np.testing.assert_allclose(fit.params + [size, 0.0], plain.params, rtol=0, atol=1e-11)
            np.testing.assert_allclose(fit.bse, plain.bse, rtol=1e-9)
            assert fit.llf == pytest.approx(plain.llf, rel=1e-11)


def test_offsets_add_up() -> None:
    fit = gb.glm("k ~ x1 + offset(x2)", DATA, "poisson", offset="0.1 * x1", exposure=2.0)
    agrees(fit, "k ~ x1", DATA, "Poisson", offset=DATA["x2"] + 0.1 * DATA["x1"] + np.log(2.0))
    same(gb.glm("k ~ x1", DATA, "poisson", exposure=3), gb.glm("k ~ x1", DATA, "poisson", offset=np.log(3.0)))
