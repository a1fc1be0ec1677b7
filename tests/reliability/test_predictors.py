"""Predictors: types, sizes, names, missing values, aliases."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reliability.hostile import agrees, frame, put, refused, same, warned

import glmnet_bridge as gb

DATA = frame()
X1 = DATA["x1"]
DAYS = pd.date_range("2020-01-01", periods=60)


def first_missing(values: Any) -> Any:
    values = values.copy()
    values[3] = None
    return values


def twice() -> pd.DataFrame:
    data = DATA[["y", "x1", "x2"]]
    return data.set_axis(["y", "x1", "x1"], axis=1)


PREDICTORS = {
    "datetime_predictor": (DAYS, ["'a' holds dates", ".dt"]),
    "datetime_with_zone": (DAYS.tz_localize("Europe/Berlin"), ["'a' holds dates"]),
    "dates_as_objects": (list(DAYS.date), ["'a' holds dates"]),
    "dates_as_text": (list(DAYS.strftime("%Y-%m-%d")), ["'a' holds dates", "pd.to_datetime"]),
    "timedelta_predictor": (pd.to_timedelta(np.arange(60), "D"), ["'a' holds time differences", "total_seconds"]),
    "period": (pd.period_range("2020-01", periods=60, freq="M"), ["'a' holds periods"]),
    "interval": (pd.IntervalIndex.from_breaks(range(61)), ["'a' holds intervals", "category"]),
    "complex_column": (X1 + 1j, ["'a' holds complex", ".real"]),
    "numeric_as_text": (X1.map(str), ["'a' holds numbers stored as text", "pd.to_numeric"]),
    "integers_as_text": ((DATA["k"] % 3).map(str), ["'a' holds numbers stored as text", 'astype("category")']),
    "mostly_numbers_as_text": (X1.map(str).where(X1.index != 7, "n/a"), ["'a' is text", "59 of its 60", "'n/a'"]),
    "decimal_comma": ([f"{v:.2f}".replace(".", ",") for v in X1], ["'a'", 'decimal=","']),
    "thousands": ([f"{v * 1e6:,.0f}" for v in X1], ["'a'", 'thousands=","']),
    "percent": ([f"{v:.1f}%" for v in X1], ["'a'", "percentages"]),
    "prices": ([f"${abs(v):.2f}" for v in X1], ["'a'", "prices"]),
    "numbers_and_text": (X1.astype(object).where(X1.index != 3, "n/a"), ["'a' mixes", "'n/a'"]),
    "integers_and_text": ([1, "b"] * 30, ["'a' mixes values of type int, str"]),
    "bytes": ([b"u", b"v"] * 30, ["'a' holds bytes", "decode"]),
    "lists": ([[1, 2]] * 60, ["'a' holds values of type list"]),
    "dicts": ([{"u": 1}] * 60, ["'a' holds values of type dict"]),
    "infinite": (X1.where(X1.index != 7, np.inf), ["'a' is inf in row 7", "nan"]),
    "x_tiny_1e_300": (X1 * 1e-300, ["'a' (about", "unit"]),
    "integers_that_floats_make_equal": (2**60 + np.arange(60), ["'a' holds whole numbers beyond 2**53", "Subtract"]),
    "unsigned_integers": (np.uint64(2**63) + np.arange(60, dtype=np.uint64), ["'a' holds whole numbers beyond 2**53"]),
    "nullable_integers": (pd.array(2**60 + np.arange(60), dtype="Int64"), ["'a' holds whole numbers beyond 2**53"]),
    "x_huge_1e300": (X1 * 1e300, ["'a' (about", "unit"]),
}


@pytest.mark.parametrize("name", PREDICTORS)
def test_predictors_that_are_refused(name: str) -> None:
    values, parts = PREDICTORS[name]
    refused(lambda: gb.glm("y ~ a", put(a=values)), *parts)


REFUSED = {
    "x_log_zero": (lambda: gb.glm("y ~ np.log(k)", DATA), ["'np.log(k)' gives -inf", "k = 0", "log1p"]),
    "x_log_negative": (lambda: gb.glm("y ~ np.log(x1)", DATA), ["'np.log(x1)' gives nan", "x1"]),
    "x_divided_by_zero": (lambda: gb.glm("y ~ I(1 / k)", DATA), ["I(1 / k)", "inf", "k = 0"]),
    "x_integer_divided_by_zero": (lambda: gb.glm("y ~ I(k // m)", put(m=DATA["k"] * 0)), ["I(k // m)", "m = 0"]),
    "x_integer_modulo_zero": (lambda: gb.glm("y ~ I(k % m)", put(m=DATA["k"] * 0)), ["I(k % m)", "m = 0"]),
    "x_overflow": (lambda: gb.glm("y ~ np.exp(b)", put(b=1000 * X1)), ["np.exp(b)", "inf"]),
    "name_twice": (lambda: gb.glm("y ~ x1", twice()), ["2 columns have the name 'x1'", "rename"]),
    "caller_variable_captured": (lambda: gb.glm("y ~ captured", DATA), ["no column 'captured'", "x1, x2, g"]),
    "name_as_a_number": (lambda: gb.glm("y ~ Q('1')", DATA.rename(columns={"x1": 1})), ["'1'", "as a number"]),
    "all_missing": (lambda: gb.glm("y ~ a", put(a=np.nan)), ["60 rows", "a: 60"]),
    "missing_between_them": (
        lambda: gb.glm("y ~ a + b", put(a=X1.where(X1 > 0), b=X1.where(X1 <= 0))),
        ["60 rows", "a: ", "b: "],
    ),
    "missing_raise": (lambda: gb.glm("y ~ a", put(a=X1.where(X1 > 0)), missing="raise"), ["(a: ", "missing='drop'"]),
    "column_named_as_the_constant": (lambda: gb.glm("y ~ Intercept", put(Intercept=X1)), ["'Intercept'", "rename"]),
    "column_named_as_the_constant_alone": (
        lambda: gb.glm("y ~ 0 + Intercept + x1", put(Intercept=DATA["x2"], x1=X1 + 1000)),
        ["'Intercept'", "Q('Intercept')"],
    ),
    "r_oom_interaction": (
        lambda: gb.glm("y ~ C(u):C(v)", crossed(3000)),
        ["C(u):C(v)", "8,994,001", "3,000 levels", "GB"],
    ),
    "r_10000_levels": (lambda: gb.glm("y ~ C(u)", crossed(10_000)), ["C(u)", "10,000 levels", "Join rare levels"]),
}
captured = np.arange(60)


def crossed(levels: int) -> pd.DataFrame:
    random, n = np.random.default_rng(0), 2 * levels
    return pd.DataFrame(
        {"y": random.integers(0, 2, n), "u": np.arange(n) % levels, "v": random.permutation(n) % levels}
    )


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    call, parts = REFUSED[name]
    refused(call, *parts)


NUMBERS = {
    "float32": X1.astype("float32"),
    "float16": X1.astype("float16"),
    "longdouble": X1.astype("longdouble"),
    "decimal_objects": pd.Series([Decimal(repr(v)) for v in X1]),
    "objects": X1.astype(object),
    "nullable": X1.astype("Float64"),
    "pyarrow_double": X1.astype("double[pyarrow]"),
    "sparse_column": X1.astype("Sparse[float]"),
    "Int64_predictor": (100 * X1).round().astype("Int64"),
    "int8": (40 * X1).round().astype("int8"),
    "uint8": (40 * X1.abs()).round().astype("uint8"),
    "uint64": (40 * X1.abs()).round().astype("uint64"),
    "arrow_int": (100 * X1).round().astype("int32[pyarrow]"),
    "huge_integers": pd.Series([10**30 + int(v * 10**29) for v in X1]),
    "big_endian": X1.to_numpy().astype(">f8"),
    "read_only": None,
    "strided": np.repeat(X1.to_numpy(), 3)[::3],
    "backwards": X1.to_numpy()[::-1].copy()[::-1],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_kinds_of_numbers(name: str) -> None:
    values = NUMBERS[name]
    if values is None:
        values = X1.to_numpy().copy()
        values.flags.writeable = False
    plain = np.array([float(v) for v in values])
    same(gb.glm("y ~ a + C(g)", put(a=values)), gb.glm("y ~ a + C(g)", put(a=plain)))


def test_booleans_are_levels() -> None:
    up = X1 > 0
    for values in (up, up.astype("boolean"), up.astype("bool[pyarrow]"), up.astype(object)):
        fit = gb.glm("y ~ b", put(b=values))
        assert list(fit.params.index) == ["Intercept", "b[T.True]"]
        same(fit, gb.glm("y ~ b", put(b=up.astype(int))))


@pytest.mark.parametrize("formula", ["y ~ a:b", "y ~ I(a * b)"])
def test_small_integers_do_not_overflow(formula: str) -> None:
    a, b = np.arange(60, dtype="int8") + 60, np.arange(60, dtype="int8")
    fit = gb.glm(formula, put(a=a.astype("int8"), b=b))
    same(fit, gb.glm(formula, put(a=a.astype(float), b=b.astype(float))))


@pytest.mark.parametrize(
    "formula",
    ["y ~ I(a - b)", "y ~ I(a * b)", "y ~ I(a**8)", "y ~ I(a // 7 - 3)", "y ~ I(-b)", "y ~ np.reciprocal(a + 1)"],
)
def test_unsigned_and_large_integers_do_not_wrap(formula: str) -> None:
    a, b = np.arange(60, dtype="uint8"), np.arange(60, dtype="uint8")[::-1].copy()
    same(gb.glm(formula, put(a=a, b=b)), gb.glm(formula, put(a=a.astype(float), b=b.astype(float))))
    a, b = 2**40 + np.arange(60), np.arange(60) * 2**30
    if "**" not in formula:
        same(gb.glm(formula, put(a=a, b=b)), gb.glm(formula, put(a=a.astype(float), b=b.astype(float))))


def test_arithmetic_with_booleans_is_said_or_right() -> None:
    data = put(a=X1 > 0, b=DATA["x2"] > 0)
    for formula in ("y ~ I(a + b)", "y ~ I(a - b)", "y ~ I(-a)"):
        refused(lambda formula=formula: gb.glm(formula, data), "1 * ")
    same(gb.glm("y ~ I(1 * a + 1 * b)", data), gb.glm("y ~ c", put(c=1.0 * data["a"] + data["b"])))


TEXT = pd.Series(np.resize(["u", "v", "w"], 60))
FACTORS = {
    "object": TEXT.astype(object),
    "string_dtype_NA": TEXT.astype("string"),
    "arrow_text": TEXT.astype("string[pyarrow]"),
    "category": TEXT.astype("category"),
    "numpy_text": TEXT.to_numpy(dtype="U1"),
}


@pytest.mark.parametrize("name", FACTORS)
def test_kinds_of_text(name: str) -> None:
    same(gb.glm("y ~ t", put(t=FACTORS[name])), gb.glm("y ~ C(t)", put(t=TEXT)))


MISSING = {
    "boolean_NA": (pd.Series(X1 > 0).astype("boolean"), X1 > 0),
    "string_dtype_NA": (TEXT.astype("string"), TEXT),
    "object_None": (TEXT.astype(object), TEXT),
    "category_nan": (TEXT.astype("category"), TEXT),
    "Int64_NA": (DATA["k"].astype("Int64"), DATA["k"]),
    "float_nan": (X1.copy(), X1),
    "arrow_null": (X1.astype("double[pyarrow]"), X1),
    "decimal_None": (pd.Series([Decimal(repr(v)) for v in X1]), X1),
}


@pytest.mark.parametrize("name", MISSING)
def test_missing_values_drop_their_rows(name: str) -> None:
    values, plain = MISSING[name]
    fit = gb.glm("y ~ a + x2", put(a=first_missing(values)))
    same(fit, gb.glm("y ~ a + x2", put(a=plain).drop(3)))
    assert fit.rows_dropped == {"a": 1, "total": 1} and 3 not in fit.fittedvalues.index


def test_unused_level() -> None:
    fit = gb.glm("y ~ x1 + C(g)", put(g=pd.Categorical(DATA["g"], list("abcd"))))
    same(fit, gb.glm("y ~ x1 + C(g)", DATA))
    assert "d" not in " ".join(fit.params.index)


@pytest.mark.parametrize("unit", [1e-140, 1e-9, 1e9, 1e140])
def test_badly_scaled(unit: float) -> None:
    plain = gb.glm("k ~ x1 + x2", DATA, "poisson")
    fit = gb.glm("k ~ a + b", put(a=X1 * unit, b=DATA["x2"] / unit), "poisson")
    np.testing.assert_allclose(fit.params * [1, unit, 1 / unit], plain.params, rtol=1e-12)
    np.testing.assert_allclose(fit.bse * [1, unit, 1 / unit], plain.bse, rtol=1e-12)
    assert fit.llf == pytest.approx(plain.llf, rel=1e-13)


def test_far_from_zero() -> None:
    year = np.random.default_rng(0).integers(1900, 2020, 300)
    y = (np.random.default_rng(1).random(300) < 1 / (1 + np.exp(-(year - 1960) / 30))).astype(int)
    raw = gb.glm("y ~ t + I(t**2)", pd.DataFrame({"y": y, "t": year}))
    centred = gb.glm("y ~ t + I(t**2)", pd.DataFrame({"y": y, "t": year - 1960}))
    assert raw.params.iloc[2] == pytest.approx(centred.params.iloc[2], rel=1e-9)
    assert raw.bse.iloc[2] == pytest.approx(centred.bse.iloc[2], rel=1e-9)
    assert raw.deviance == pytest.approx(centred.deviance, rel=1e-12)


@pytest.mark.parametrize(("gap", "digits"), [(1e-2, 1e-12), (1e-4, 1e-11), (1e-6, 1e-8), (1e-8, 1e-6), (1e-10, 1e-4)])
def test_nearly_collinear(gap: float, digits: float) -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 200))
    y = (random.random(200) < 1 / (1 + np.exp(-a))).astype(int)
    near = gb.glm("y ~ a + c", pd.DataFrame({"y": y, "a": a, "c": a + gap * b}))
    apart = gb.glm("y ~ a + b", pd.DataFrame({"y": y, "a": a, "b": b}))
    assert near.outcome == "converged"
    assert near.params.iloc[2] * gap == pytest.approx(apart.params.iloc[2], rel=digits)
    assert near.bse.iloc[2] * gap == pytest.approx(apart.bse.iloc[2], rel=digits)


ALIASED = {
    "exact_collinear": ("y ~ x1 + x2 + c", X1 + DATA["x2"], "c = x1 + x2", "y ~ x1 + x2"),
    "constant_column": ("y ~ x1 + c", 5.0, "c = 5*Intercept", "y ~ x1"),
    "collinear_to_1e_12": ("y ~ x1 + c", X1 * (1 + 1e-13 * DATA["x2"]), "c = x1", "y ~ x1"),
    "zero_column": ("y ~ x1 + c", 0, "c = 0", "y ~ x1"),
    "scaled_copy": ("y ~ x1 + c", -3 * X1 + 2, "c = 2*Intercept - 3*x1", "y ~ x1"),
    "level_again": ("y ~ C(g) + c", (DATA["g"] == "b").astype(int), "c = C(g)[T.b]", "y ~ C(g)"),
}


@pytest.mark.parametrize("name", ALIASED)
def test_aliased(name: str) -> None:
    formula, values, equation, rest = ALIASED[name]
    fit = warned(lambda: gb.glm(formula, put(c=values)), equation, "nan", "Take them out")
    plain = gb.glm(rest, DATA)
    assert np.isnan(fit.params["c"]) and np.isnan(fit.bse["c"]) and "c" in fit.aliased
    np.testing.assert_allclose(fit.params[plain.params.index], plain.params, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fit.bse[plain.bse.index], plain.bse, rtol=1e-9)
    assert fit.df_resid == plain.df_resid and fit.converged


def test_dummy_trap() -> None:
    data = put(**{level: (DATA["g"] == level).astype(int) for level in "abc"})
    fit = warned(lambda: gb.glm("y ~ a + b + c", data), "c = Intercept - a - b")
    assert fit.deviance == pytest.approx(gb.glm("y ~ C(g)", DATA).deviance, rel=1e-12)


def test_empty_cell_of_an_interaction() -> None:
    data = DATA[~((DATA["g"] == "c") & (DATA["x1"] > 0))].assign(h=lambda d: np.where(d["x1"] > 0, "u", "v"))
    fit = warned(lambda: gb.glm("k ~ C(h) * C(g)", data, "poisson"), "C(h)[T.v]:C(g)[T.c]")
    means = data.groupby(["h", "g"])["k"].mean()
    for (h, g), mean in means.items():
        rows = (data["h"] == h) & (data["g"] == g)
        np.testing.assert_allclose(fit.fittedvalues[rows], mean, rtol=1e-9)


def test_more_columns_than_rows() -> None:
    few = DATA.iloc[1:5]
    fit = warned(lambda: gb.glm("k ~ x1 + x2 + z + y + p", few, "poisson"), "y = ", "p = ")
    np.testing.assert_allclose(fit.fittedvalues, few["k"], rtol=1e-9)
    assert fit.df_resid == 0


NAMES = [
    "a b", "a[1]", "a'b", 'a"b', "größe", "1st", "a.b", "x+y", "class", "None", "True", "np", "I", "Q", "C", "a\nb",
    "日本", "a\\b", "a{b}", "", "~", "1", "a:b", "É", "log", "offset", "T.b", "(", "#", "lambda", " lead",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_quoted(name: str) -> None:
    fit = gb.glm(f"y ~ Q({name!r}) + C(g)", DATA.rename(columns={"x1": name}))
    same(fit, gb.glm("y ~ x1 + C(g)", DATA))
    assert fit.predict(DATA.rename(columns={"x1": name})).equals(fit.predict())


@pytest.mark.parametrize("name", ["größe", "class", "None", "np", "I", "Q", "C", "日本", "lambda", "log", "_x"])
def test_names_that_are_words(name: str) -> None:
    data = DATA.rename(columns={"x1": name})
    same(gb.glm(f"y ~ {name} + C(g)", data), gb.glm("y ~ x1 + C(g)", DATA))


@pytest.mark.parametrize(
    "index",
    [
        pd.MultiIndex.from_arrays([DATA["g"], np.arange(60)]),
        pd.Index(np.arange(60)[::-1]),
        pd.Index([f"row {i}" for i in range(60)]),
        pd.date_range("2020", periods=60),
        pd.Index(np.zeros(60)),
    ],
    ids=["multiindex", "backwards", "text", "dates", "all equal"],
)
def test_any_index(index: pd.Index) -> None:
    fit = gb.glm("y ~ x1", DATA.set_index(index))
    same(fit, gb.glm("y ~ x1", DATA))
    assert fit.fittedvalues.index.equals(index) and fit.predict().index.equals(index)


def test_duplicate_names_elsewhere_do_not_matter() -> None:
    data = pd.concat([DATA[["y", "x1"]], DATA[["x2", "x2"]]], axis=1)
    same(gb.glm("y ~ x1", data), gb.glm("y ~ x1", DATA))


def test_other_frames() -> None:
    import polars
    import pyarrow

    plain = gb.glm("y ~ x1 + C(g)", DATA)
    others = (
        polars.from_pandas(DATA), pyarrow.Table.from_pandas(DATA), DATA.to_dict("records"), DATA.to_dict("list"),
        {name: DATA[name].to_numpy() for name in DATA}, {name: DATA[name] for name in DATA},
        DATA.drop(columns="g").assign(g=DATA["g"].astype("S1").str.decode("ascii")),
    )  # fmt: skip
    for data in others:
        same(gb.glm("y ~ x1 + C(g)", data), plain)


NOT_FRAMES = {
    "none": (None, "second argument"),
    "text": ("data.csv", "pd.read_csv"),
    "array": (np.ones((3, 2)), "gb.fit(X, y)"),
    "series": (X1, ".to_frame()"),
    "number": (3, "builtins.int"),
    "scalars": ({"y": 1, "x1": 2.0}, "single value"),
    "ragged": ({"y": [0, 1], "x1": [1.0]}, "differ in length"),
    "empty_frame": (pd.DataFrame(), "no columns"),
    "no_rows": (DATA.iloc[:0], "no rows"),
    "lists": ([[1, 2], [3, 4]], "builtins.list"),
}


@pytest.mark.parametrize("name", NOT_FRAMES)
def test_data_that_are_none(name: str) -> None:
    data, part = NOT_FRAMES[name]
    refused(lambda: gb.glm("y ~ x1", data), part)


def test_masked_arrays_hide_their_values() -> None:
    hidden = {"y": DATA["y"].to_numpy(), "x1": np.ma.masked_greater(X1.to_numpy(), 1.0)}
    same(gb.glm("y ~ x1", hidden), gb.glm("y ~ x1", DATA[X1 <= 1.0]))


def test_the_frame_is_not_touched() -> None:
    data = put(t=TEXT, b=X1 > 0, n=first_missing(X1), c=DATA["g"].astype("category"))
    before = data.copy(deep=True)
    fit = gb.glm("y ~ x1 + t + b + n + c + bs(x2, df=4)", data, penalty=gb.penalties.ridge(0.1))
    fit.predict(data)
    fit.augment()
    pd.testing.assert_frame_equal(data, before)


def test_threads_do_not_change_the_answer() -> None:
    code = (
        "import numpy as np, glmnet_bridge as gb; r = np.random.default_rng(0); X = r.normal(size=(40000, 6));"
        "f = gb.fit(X, (r.random(40000) < 0.3) * 1); print(*f.params.map(float.hex), *f.bse.map(float.hex))"
    )
    answers = []
    for threads in ("1", "2"):
        environment = {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
        )
        answers.append([float.fromhex(word) for word in done.stdout.split()])
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-12)


def test_repeated_fits_have_the_same_bits() -> None:
    one, two = gb.glm("y ~ x1 + C(g)", DATA), gb.glm("y ~ x1 + C(g)", DATA.copy())
    assert one.params.equals(two.params) and one.bse.equals(two.bse) and one.llf == two.llf


def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = DATA.sample(frac=1.0, random_state=1)
    for formula, family in (("y ~ x1 + C(g)", "binomial"), ("k ~ x1 + C(g)", "poisson"), ("p ~ x1", "gamma")):
        same(gb.glm(formula, shuffled, family), gb.glm(formula, DATA, family), rtol=1e-11)
    agrees(gb.glm("y ~ x1 + C(g)", shuffled), "y ~ x1 + C(g)", DATA)


def test_large_integers_that_lose_no_difference() -> None:
    start = 2**60
    same(
        gb.glm(f"y ~ I(a - {start})", put(a=start + DATA["k"].astype("int64"))),
        gb.glm("y ~ k", DATA),
    )
    assert gb.glm("y ~ C(a)", put(a=start + np.arange(60) % 3)).converged
    assert gb.glm("y ~ a", put(a=start + 2**50 * np.arange(60))).converged
    far = start + np.arange(120).reshape(60, 2)
    refused(lambda: gb.fit(far, DATA["y"]), "whole numbers beyond 2**53")
    refused(lambda: gb.fit(pd.DataFrame(far, columns=["a", "b"]), DATA["y"]), "'a' of X holds whole numbers")
    for values in (start + np.arange(60), np.uint64(2**63) + np.arange(60, dtype=np.uint64)):
        refused(lambda v=values: gb.glm("y ~ x1", put(y=v), "gaussian"), "'y' holds whole numbers beyond 2**53")
