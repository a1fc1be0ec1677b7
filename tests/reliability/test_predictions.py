"""New data: what is missing, other, or of another kind than what the model learnt."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reliability.hostile import frame, put, refused, warned

import glmnet_bridge as gb

DATA = frame()
K = DATA["k"] % 3


@functools.cache
def fitted(kind: str = "plain") -> Any:
    return {
        "plain": lambda: gb.glm("y ~ x1 + C(g) + center(x2)", DATA),
        "spline": lambda: gb.glm("y ~ bs(x2, df=4)", DATA),
        "offset": lambda: gb.glm("k ~ x1", put(o=DATA["x2"]), "poisson", offset="o"),
        "array offset": lambda: gb.glm("k ~ x1", DATA, "poisson", offset=DATA["x2"]),
        "exposure": lambda: gb.glm("k ~ x1", put(e=2.0), "poisson", exposure="e"),
        "formula offset": lambda: gb.glm("k ~ x1 + offset(x2)", DATA, "poisson"),
        "numbered levels": lambda: gb.glm("y ~ C(k)", put(k=K)),
        "numbers": lambda: gb.glm("y ~ x1 + k", DATA),
        "booleans": lambda: gb.glm("y ~ b", put(b=DATA["x1"] > 0)),
        "texts": lambda: gb.glm("y ~ x1", put(y=np.where(DATA["y"] == 1, "yes", "no"))),
        "counts": lambda: gb.glm("k ~ x1", DATA, "poisson"),
        "bare": lambda: gb.fit(DATA[["x1", "x2"]].to_numpy(), DATA["y"].to_numpy()),
        "named": lambda: gb.fit(DATA[["x1", "x2"]], DATA["y"]),
        "bare offset": lambda: gb.fit(DATA[["x1"]].to_numpy(), DATA["k"], "poisson", offset=np.ones(60)),
    }[kind]()


def with_value(name: str, value: object) -> pd.DataFrame:
    """The frame with `value` in row 1 of a column."""
    return put(**{name: DATA[name].astype(object).where(DATA.index != 1, value)})


REFUSED = {
    "predict_missing_column": ("plain", lambda f: f.predict(DATA[["x1", "g"]]), ["no column 'x2'"]),
    "predict_text_for_number": ("plain", lambda f: f.predict(put(x1="hello")), ["'x1'", "text", "pd.to_numeric"]),
    "numbers_as_text": ("plain", lambda f: f.predict(put(x1="1.5")), ["'x1' holds numbers stored as text"]),
    "number_for_text": ("plain", lambda f: f.predict(put(g=1.0)), ["'C(g)'", "number", "a, b, c"]),
    "unseen_level": ("plain", lambda f: f.predict(with_value("g", "d")), ["'g' has level 'd'", "row 1", "a, b, c"]),
    "unseen_number": ("numbered levels", lambda f: f.predict(put(k=7)), ["'k'", "7", "0, 1, 2"]),
    "level_as_text": ("numbered levels", lambda f: f.predict(put(k=K.map(str))), ["'k'", "text"]),
    "category_for_number": ("numbers", lambda f: f.predict(put(k=pd.Categorical(K))), ["'k'", "learnt numbers"]),
    "infinite": ("plain", lambda f: f.predict(with_value("x1", np.inf)), ["'x1' is inf in row 1"]),
    "dates": ("plain", lambda f: f.predict(put(x1=pd.Timestamp("2020"))), ["'x1' holds dates"]),
    "outside_the_knots": ("spline", lambda f: f.predict(put(x2=99.0)), ["'x2'", "99", "-2.25", "rows 0"]),
    "unseen_unknown": ("plain", lambda f: f.predict(DATA, unseen="zero"), ["unseen='zero'", "'nan'"]),
    "array_for_frame": ("plain", lambda f: f.predict(DATA[["x1", "x2"]].to_numpy()), ["numpy.ndarray", "names"]),
    "one_row_as_series": ("plain", lambda f: f.predict(DATA.iloc[0]), ["pandas.Series", ".to_frame()"]),
    "scalars": ("plain", lambda f: f.predict({"x1": 0.0, "g": "a", "x2": 0.0}), ["'x1'", "single value"]),
    "kind_unknown": ("plain", lambda f: f.predict(DATA, kind="prob"), ["kind='prob'", "mean, link, terms, class"]),
    "class_of_counts": ("counts", lambda f: f.predict(DATA, kind="class"), ["two levels", "mean of k"]),
    "threshold_beyond_1": ("texts", lambda f: f.predict(DATA, kind="class", threshold=5), ["threshold=5", "0 and 1"]),
    "threshold_text": ("texts", lambda f: f.predict(DATA, kind="class", threshold="a"), ["threshold='a'"]),
    "offset_column_missing": ("offset", lambda f: f.predict(DATA), ["no column 'o'", "offset='o'"]),
    "offset_array_missing": ("array offset", lambda f: f.predict(DATA), ["offset=", "offset=0 for none"]),
    "offset_array_too_short": ("array offset", lambda f: f.predict(DATA, offset=[1.0]), ["offset= has 1 values", "60"]),
    "exposure_missing": ("exposure", lambda f: f.predict(DATA), ["no column 'e'", "exposure='e'"]),
    "exposure_zero": ("exposure", lambda f: f.predict(put(e=0)), ["exposure='e' is 0", "above 0"]),
    "formula_offset_missing": ("formula offset", lambda f: f.predict(DATA[["x1"]]), ["no column 'x2'"]),
    "intervals_kind": ("plain", lambda f: f.get_prediction(DATA, kind="class"), ["kind='class'", "'link'"]),
    "intervals_level": ("plain", lambda f: f.get_prediction(DATA, level=95), ["level=95", "0.95"]),
    "limits_level": ("plain", lambda f: f.conf_int(level="a"), ["level='a'"]),
    "limits_method": ("plain", lambda f: f.conf_int(method="profil"), ["method='profil'"]),
    "vcov_unknown": ("plain", lambda f: f.cov_params("HC4"), ["vcov='HC4'", "expected, observed"]),
    "residuals_unknown": ("plain", lambda f: f.residuals("deviant"), ["'deviant'", "deviance"]),
    "array_with_too_few_columns": ("bare", lambda f: f.predict(np.ones((3, 1))), ["1 columns", "x1, x2"]),
    "array_row_as_vector": ("bare", lambda f: f.predict(np.ones(2)), ["2 (x1, x2)"]),
    "array_infinite": ("bare", lambda f: f.predict([[1.0, np.inf]]), ["'x2' is inf in row 0"]),
    "array_text": ("bare", lambda f: f.predict([["a", "b"]]), ["text"]),
    "array_without_offset": ("bare offset", lambda f: f.predict(np.ones((3, 1))), ["offset="]),
    "frame_without_column": ("named", lambda f: f.predict(DATA[["x1", "z"]]), ["no column 'x2'", "x1, x2"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    kind, call, parts = REFUSED[name]
    fit = fitted(kind)
    refused(lambda: call(fit), *parts)


AS_LEARNT = {
    "predict_level_order": lambda: put(g=pd.Categorical(DATA["g"], ["c", "b", "a"])),
    "more_levels_declared": lambda: put(g=pd.Categorical(DATA["g"], list("zcbad"))),
    "arrow_text": lambda: put(g=DATA["g"].astype("string[pyarrow]")),
    "shuffled_columns": lambda: DATA[DATA.columns[::-1]],
    "more_columns": lambda: put(more="text", when=pd.Timestamp("2020")),
    "without_response": lambda: DATA.drop(columns="y"),
    "nullable": lambda: DATA.convert_dtypes(),
    "objects": lambda: DATA.astype(object),
    "dict": lambda: DATA.to_dict("list"),
    "records": lambda: DATA.to_dict("records"),
}


@pytest.mark.parametrize("name", AS_LEARNT)
def test_the_same_values_in_another_form(name: str) -> None:
    fit = fitted()
    np.testing.assert_array_equal(fit.predict(AS_LEARNT[name]()), fit.predict())


@pytest.mark.parametrize("rows", [[4], list(range(1, 60, 3)), [7, 3, 7]], ids=["one", "one level", "repeated"])
def test_coding_and_centring_come_from_training(rows: list[int]) -> None:
    fit, some = fitted(), DATA.iloc[rows]
    np.testing.assert_array_equal(fit.predict(some), fit.predict().iloc[rows])
    assert fit.predict(some).index.equals(some.index)
    np.testing.assert_array_equal(fit.predict(some.assign(y=0)), fit.predict(some))


@pytest.mark.parametrize(
    "data", [put(o=0.0).iloc[:0], put(o=0.0).iloc[:0].astype(object), {name: [] for name in ["x1", "x2", "g", "o"]}]
)
def test_predict_empty(data: Any) -> None:
    for fit, given in ((fitted(), {}), (fitted("offset"), {}), (fitted("array offset"), {"offset": []})):
        assert len(fit.predict(data, **given)) == 0 and len(fit.get_prediction(data, **given)) == 0
    assert len(fitted("bare").predict(np.empty((0, 2)))) == 0


def test_missing_values_are_nan_in_their_place() -> None:
    fit = fitted()
    for name, value in (("x1", np.nan), ("g", None), ("x2", pd.NA)):
        found = fit.predict(with_value(name, value))
        assert np.isnan(found[1]) and found.drop(1).equals(fit.predict().drop(1)), name
        assert np.isnan(fit.get_prediction(with_value(name, value)).loc[1]).all()
    found = fitted("offset").predict(put(o=DATA["x2"].where(DATA.index != 1)))
    assert np.isnan(found[1]) and found.drop(1).equals(fitted("offset").predict().drop(1))
    found = fitted("bare").predict([[0.0, 1.0], [np.nan, 1.0]])
    assert np.isnan(found).tolist() == [False, True]


def test_unseen_levels_are_nan_on_request() -> None:
    fit = fitted()
    found = fit.predict(with_value("g", "d"), unseen="nan")
    assert np.isnan(found[1]) and found.drop(1).equals(fit.predict().drop(1))
    found = fitted("spline").predict(put(x2=DATA["x2"].where(DATA.index != 1, 99.0)), unseen="nan")
    assert np.isnan(found[1]) and not np.isnan(found.drop(1)).any()


def test_levels_that_are_numbers() -> None:
    fit = fitted("numbered levels")
    for values in (K, K.astype(float), K.astype("Int64"), pd.Categorical(K), K.astype("int8"), K.astype(object)):
        np.testing.assert_array_equal(fit.predict(put(k=values)), fit.predict())
    floats = gb.glm("y ~ C(k)", put(k=K.astype(float)))
    np.testing.assert_array_equal(floats.predict(put(k=K)), fit.predict())


def test_booleans_and_numbers() -> None:
    up, fit = DATA["x1"] > 0, fitted("booleans")
    for values in (up.astype(int), up.astype(float), up.astype("boolean"), up.astype(object)):
        np.testing.assert_array_equal(fit.predict(put(b=values)), fit.predict())
    counted = gb.glm("y ~ b", put(b=up.astype(int)))
    np.testing.assert_allclose(counted.predict(put(b=up)), fit.predict(), rtol=1e-12)


def test_offsets_count() -> None:
    for kind, given in (("offset", {}), ("formula offset", {}), ("array offset", {"offset": DATA["x2"]})):
        fit = fitted(kind)
        np.testing.assert_array_equal(fit.predict(put(o=DATA["x2"]), **given), fit.predict())
        ratio = fit.predict(put(o=DATA["x2"] + 1, x2=DATA["x2"] + 1), **{k: v + 1 for k, v in given.items()})
        np.testing.assert_allclose(ratio / fit.predict(), np.e, rtol=1e-12)
    fit = fitted("exposure")
    np.testing.assert_allclose(fit.predict(put(e=4.0)), 2.0 * fit.predict(), rtol=1e-12)


def test_frames_of_arrays_are_read_by_name() -> None:
    fit = fitted("named")
    for data in (DATA[["x2", "x1"]], DATA, DATA.to_dict("list")):
        np.testing.assert_array_equal(fit.predict(data), fit.predict())
    np.testing.assert_array_equal(fit.predict(DATA[["x1", "x2"]].to_numpy()), fit.predict())


def test_a_column_replaced_in_the_frame_changes_nothing() -> None:
    data = frame()
    fit = gb.glm("y ~ x1 + g", data)
    before = fit.predict()
    data["x1"], data["y"], data["g"] = 0.0, 0, "a"
    assert fit.predict().equals(before)
    assert fit.null_deviance == pytest.approx(gb.glm("y ~ x1 + g", DATA).null_deviance, rel=1e-13)


def test_classes_are_the_labels() -> None:
    fit = fitted("texts")
    assert set(fit.predict(DATA, kind="class")) == {"yes", "no"}
    assert (fit.predict(DATA, kind="class", threshold=0.0) == "yes").all()


def test_aliased_columns_that_part_in_new_data() -> None:
    fit = warned(lambda: gb.glm("y ~ x1 + x2 + c", put(c=DATA["x1"] + DATA["x2"])), "c = x1 + x2")
    assert fit.predict(put(c=DATA["x1"] + DATA["x2"])).equals(fit.predict())
    found = warned(lambda: fit.predict(put(c=0.0).iloc[:2]), "c", "x1 + x2")
    assert np.isnan(found).all()


def test_separated_rows_are_predicted_without_noise() -> None:
    fit = warned(lambda: gb.glm("y ~ x1 + C(g)", put(y=np.where(DATA["g"] == "b", 0, DATA["y"]))), "C(g)[T.b] -> -inf")
    answer = fit.get_prediction()
    rows = DATA["g"] == "b"
    assert (answer["estimate"][rows] == 0).all() and (fit.predict(kind="link")[rows] == -np.inf).all()
    assert np.isfinite(answer[~rows]).all(axis=None)
    for kind in ("deviance", "pearson", "response"):
        assert (fit.residuals(kind)[rows] == 0).all()
    assert np.isfinite(fit.residuals("deviance")).all()
