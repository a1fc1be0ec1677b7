"""Frames: every kind of column becomes one of four kinds of values, or is refused by name."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from glmnet_bridge.data import frames
from glmnet_bridge.errors import DataError

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")

NAN = float("nan")


def arrow(values, kind):
    return pd.Series(values, dtype=pd.ArrowDtype(kind))


def objects(values):
    return pd.Series(values, dtype=object)


FLOATS = {
    "float64": pd.Series([1.0, NAN, 3.0]),
    "float32": pd.Series([1, NAN, 3], dtype="float32"),
    "Float64": pd.array([1, None, 3], "Float64"),
    "sparse": pd.arrays.SparseArray([1.0, NAN, 3.0]),
    "decimal": objects([Decimal(1), None, Decimal(3)]),
    "objects": objects([1.0, None, 3]),
    "object integers beyond int64": objects([1, None, 3 + 2**70 - 2**70]),
    "arrow double": arrow([1, None, 3], pa.float64()),
    "arrow float": arrow([1, None, 3], pa.float32()),
    "arrow decimal": arrow([Decimal(1), None, Decimal(3)], pa.decimal128(5, 2)),
}

INTEGERS = {
    "int64": pd.Series([1, 2, 3]),
    "int8": pd.Series([1, 2, 3], dtype="int8"),
    "uint64": pd.Series([1, 2, 3], dtype="uint64"),
    "Int64": pd.array([1, 2, 3], "Int64"),
    "UInt8": pd.array([1, 2, 3], "UInt8"),
    "sparse": pd.arrays.SparseArray([1, 2, 3]),
    "objects": objects([1, 2, 3]),
    "arrow int8": arrow([1, 2, 3], pa.int8()),
    "arrow uint32": arrow([1, 2, 3], pa.uint32()),
}

BOOLEANS = {
    "bool": pd.Series([True, False, True]),
    "boolean": pd.array([True, False, True], "boolean"),
    "objects": objects([True, False, np.True_]),
    "sparse": pd.arrays.SparseArray([True, False, True]),
    "arrow": arrow([True, False, True], pa.bool_()),
}

TEXTS = {
    "str": pd.Series(["b", None, "a"]),
    "string": pd.array(["b", None, "a"], "string"),
    "string python": pd.array(["b", None, "a"], "string[python]"),
    "objects": objects(["b", None, "a"]),
    "objects with nan": objects(["b", NAN, "a"]),
    "objects with NA": objects(["b", pd.NA, "a"]),
    "arrow string": arrow(["b", None, "a"], pa.string()),
    "arrow large_string": arrow(["b", None, "a"], pa.large_string()),
}


def one(column):
    return frames.columns(pd.DataFrame({"x": column}), ["x"])["x"]


@pytest.mark.parametrize("kind", FLOATS)
def test_floats(kind):
    values = one(FLOATS[kind])
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, [1.0, NAN, 3.0])
    np.testing.assert_array_equal(frames.missing(values), [False, True, False])


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers(kind):
    values = one(INTEGERS[kind])
    assert values.dtype == np.int64
    assert values.tolist() == [1, 2, 3]
    assert frames.missing(values) is None


@pytest.mark.parametrize("kind", BOOLEANS)
def test_booleans(kind):
    values = one(BOOLEANS[kind])
    assert values.dtype == np.bool_
    assert values.tolist() == [True, False, True]
    assert frames.missing(values) is None


@pytest.mark.parametrize("kind", TEXTS)
def test_text_is_a_factor_with_sorted_levels(kind):
    values = one(TEXTS[kind])
    assert isinstance(values, pd.Categorical)
    assert values.categories.tolist() == ["a", "b"]
    assert values.codes.tolist() == [1, -1, 0]
    np.testing.assert_array_equal(frames.missing(values), [False, True, False])


@pytest.mark.parametrize(
    "column", [pd.array([7, None, 9], "Int64"), objects([7, None, 9]), arrow([7, None, 9], pa.int8())]
)
def test_integers_with_gaps_keep_their_kind_once_the_gaps_are_dropped(column):
    frame = pd.DataFrame({"x": column})
    values, gaps = frames.read(frame, "x")
    assert values.dtype.kind == "i"
    assert gaps.tolist() == [False, True, False]
    np.testing.assert_array_equal(one(column), [7, NAN, 9])
    kept = frames.columns(frame, ["x"], rows=np.flatnonzero(~gaps))["x"]
    assert kept.dtype == np.int64 and kept.tolist() == [7, 9]


@pytest.mark.parametrize(
    "column",
    [
        pd.array([True, None, False], "boolean"),
        objects([True, None, False]),
        arrow([True, None, False], pa.bool_()),
    ],
)
def test_booleans_with_gaps_keep_their_kind_once_the_gaps_are_dropped(column):
    frame = pd.DataFrame({"x": column})
    with_gaps = one(column)
    assert with_gaps.categories.tolist() == [False, True]
    assert with_gaps.codes.tolist() == [1, -1, 0]
    kept = frames.columns(frame, ["x"], rows=np.flatnonzero(~frames.missing(with_gaps)))["x"]
    assert kept.dtype == np.bool_ and kept.tolist() == [True, False]


def test_categories_keep_their_order_and_unused_levels():
    column = pd.Categorical(["x", "y"], categories=["y", "x", "z"])
    assert one(column).categories.tolist() == ["y", "x", "z"]
    from_arrow = one(arrow(["u", None, "k"], pa.dictionary(pa.int8(), pa.string())))
    assert from_arrow.categories.tolist() == ["u", "k"]
    assert from_arrow.codes.tolist() == [0, -1, 1]
    numbers = one(arrow([5, 7], pa.dictionary(pa.int8(), pa.int64())))
    assert numbers.tolist() == [5, 7]


def test_all_missing_objects_are_missing_numbers():
    values = one(objects([None, pd.NA, pd.NaT]))
    assert frames.missing(values).all()
    assert frames.missing(one(arrow([None, None], pa.null()))).all()


def test_unsigned_beyond_int64_becomes_float():
    assert one(pd.Series([2**63 + 1, 1], dtype="uint64")).tolist() == [float(2**63 + 1), 1.0]


@pytest.mark.parametrize(
    ("column", "words"),
    {
        "dates": (pd.Series(pd.to_datetime(["2020-01-01"])), ["dates", "days"]),
        "dates with zone": (pd.Series(pd.to_datetime(["2020-01-01"], utc=True)), ["dates", "days"]),
        "date objects": (objects([dt.date(2020, 1, 1)]), ["dates"]),
        "arrow timestamp": (arrow([1], pa.timestamp("us")), ["dates"]),
        "arrow date": (arrow([1], pa.date32()), ["dates"]),
        "time differences": (pd.Series(pd.to_timedelta([1])), ["time differences", "total_seconds"]),
        "timedelta objects": (objects([dt.timedelta(1)]), ["time differences"]),
        "arrow duration": (arrow([1], pa.duration("s")), ["time differences"]),
        "periods": (pd.Series(pd.period_range("2020", periods=1, freq="D")), ["periods"]),
        "times": (objects([dt.time(1)]), ["times of day"]),
        "intervals": (pd.Series(pd.interval_range(0, 1)), ["intervals", "category"]),
        "complex": (pd.Series([1j]), ["complex", ".real"]),
        "complex objects": (objects([1j]), ["complex"]),
        "bytes": (objects([b"a"]), ["bytes", "decode"]),
        "lists": (objects([[1], [2]]), ["list"]),
        "dicts": (objects([{"a": 1}]), ["dict"]),
        "arrow lists": (arrow([[1]], pa.list_(pa.int64())), ["list<"]),
        "numbers as text": (pd.Series(["1", "2.5"]), ["'1', '2.5'", "pd.to_numeric", "category"]),
        "numbers as objects of text": (objects(["1", None]), ["'1'", "pd.to_numeric"]),
        "all but one": (pd.Series([*map(str, range(40)), "n/a"]), ["40 of its 41", "'n/a'", "to_numeric"]),
        "mixed": (objects([1, "a"]), ["int, str", "'a'"]),
        "mixed with booleans": (objects([True, 1]), ["bool, int"]),
    }.values(),
)  # fmt: skip
def test_what_has_no_honest_reading_is_refused_by_name(column, words):
    with pytest.raises(DataError) as error:
        frames.columns(pd.DataFrame({"x y": column}), ["x y"])
    for word in ["'x y'", *words]:
        assert word in str(error.value)


def test_a_few_levels_that_look_like_numbers_are_levels():
    assert one(pd.Series(["1", "2", "3+"])).categories.tolist() == ["1", "2", "3+"]
    assert one(pd.Series(["1", "2"]).astype("category")).categories.tolist() == ["1", "2"]


def test_unknown_and_ambiguous_names():
    frame = pd.DataFrame([[1, 2, 3]], columns=["age", "age", 5])
    with pytest.raises(DataError, match=r"no column 'agee'.*Did you mean 'age'"):
        frames.columns(frame, ["agee"])
    with pytest.raises(DataError, match="2 columns have the name 'age'"):
        frames.columns(frame, ["age"])
    with pytest.raises(DataError, match="rename it to '5'"):
        frames.columns(frame, ["5"])
    two = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")]))
    with pytest.raises(DataError, match="flatten"):
        frames.columns(two, ["a"])


def test_nothing_is_copied_or_changed():
    frame = pd.DataFrame({"f": [1.0, NAN], "g": ["b", "a"], "i": [1, 2]}, index=["r", "s"])
    before = frame.copy(deep=True)
    assert frames.as_frame(frame) is frame
    values = frames.columns(frame, ["f", "g", "i"])
    assert np.shares_memory(values["f"], frame["f"].to_numpy())
    assert np.shares_memory(values["i"], frame["i"].to_numpy())
    pd.testing.assert_frame_equal(frame, before)


def test_columns_of_other_frames_share_memory():
    x = np.arange(4.0)
    table = frames.as_frame(pa.table({"x": x}))
    assert np.shares_memory(frames.columns(table, ["x"])["x"], x)
    other = pl.DataFrame({"x": x})
    assert np.shares_memory(frames.columns(frames.as_frame(other), ["x"])["x"], other["x"].to_numpy())
    as_dict = frames.as_frame({"x": x, "y": [1, 2, 3, 4]})
    assert np.shares_memory(frames.columns(as_dict, ["x"])["x"], x)


def test_polars():
    data = pl.DataFrame(
        {
            "x": [1.5, None],
            "i": [1, None],
            "b": [True, None],
            "s": ["b", "a"],
            "c": pl.Series(["b", "a"], dtype=pl.Categorical),
            "e": pl.Series(["b", "a"], dtype=pl.Enum(["b", "a"])),
            "unread": [dt.date(2020, 1, 1)] * 2,
        }
    )
    frame = frames.as_frame(data, ["x", "i", "b", "s", "c", "e"])
    values = frames.columns(frame, ["x", "i", "b", "s", "c", "e"])
    np.testing.assert_array_equal(values["x"], [1.5, NAN])
    np.testing.assert_array_equal(values["i"], [1, NAN])
    assert values["b"].codes.tolist() == [1, -1]
    assert values["s"].categories.tolist() == ["a", "b"]
    assert values["c"].categories.tolist() == ["a", "b"], "the order of a polars Categorical is an accident"
    assert values["e"].categories.tolist() == ["b", "a"]
    with pytest.raises(DataError, match="Did you mean 'unread'"):
        frames.columns(frames.as_frame(data, ["unraed"]), ["unraed"])


def test_polars_without_pyarrow(monkeypatch):
    def absent(self):
        raise ModuleNotFoundError("pyarrow")

    monkeypatch.setattr("narwhals.Series.to_arrow", absent)
    data = pl.DataFrame({"x": [1.5, 2.5], "s": ["b", None], "d": [dt.date(2020, 1, 1)] * 2})
    frame = frames.as_frame(data)
    assert frames.columns(frame, ["x"])["x"].tolist() == [1.5, 2.5]
    assert frames.columns(frame, ["s"])["s"].codes.tolist() == [0, -1]
    with pytest.raises(DataError, match="'d' holds dates"):
        frames.columns(frame, ["d"])


@pytest.mark.parametrize(
    "data",
    {
        "dict": {"a": [1, 2], "b": np.array([3.0, 4.0])},
        "dict of series": {"a": pd.Series([1, 2]), "b": pl.Series([3.0, 4.0])},
        "dict of tuples and ranges": {"a": range(1, 3), "b": (3.0, 4.0)},
        "list of dicts": [{"a": 1, "b": 3.0}, {"a": 2, "b": 4.0}],
        "tuple of dicts": ({"a": 1, "b": 3.0}, {"a": 2, "b": 4.0}),
        "structured array": np.array([(1, 3.0), (2, 4.0)], dtype=[("a", int), ("b", float)]),
        "arrow table": pa.table({"a": [1, 2], "b": [3.0, 4.0]}),
        "polars": pl.DataFrame({"a": [1, 2], "b": [3.0, 4.0]}),
    }.values(),
)
def test_other_data(data):
    values = frames.columns(frames.as_frame(data), ["a", "b"])
    assert values["a"].tolist() == [1, 2]
    assert values["b"].tolist() == [3.0, 4.0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "second argument"),
        (np.eye(2), "gb.fit"),
        ("births.csv", "pd.read_csv"),
        (pl.LazyFrame({"a": [1]}), ".collect()"),
        (pd.Series([1]), ".to_frame()"),
        ([1, 2], "list"),
        ({"a": [1, 2], "b": [1]}, "a: 2, b: 1"),
        ({"a": 1}, "'a' of the dict is a single value"),
        ({"a": "text"}, "'a' of the dict is a single value"),
        ({"a": np.eye(2)}, "'a' of the dict has 2 dimensions"),
        ({"a": pd.Series([1]), "b": pd.Series([1], index=[4])}, "different indexes"),
    ],
)
def test_data_that_are_no_frame_are_refused(data, words):
    with pytest.raises(DataError) as error:
        frames.as_frame(data)
    assert words in str(error.value)


def test_an_empty_list_is_a_frame_without_columns():
    with pytest.raises(DataError, match="'x' in the data. The data have no columns"):
        frames.columns(frames.as_frame([]), ["x"])


def test_rows_by_label():
    index = pd.Index(["ann", "bob", "cy"])
    assert frames.rows_where(index, np.array([True, False, True])) == "rows 'ann', 'cy'"
    assert frames.rows_where(None, np.array([False, True])) == "row 1"
    assert frames.rows_where(pd.RangeIndex(9), np.ones(9, dtype=bool), most=2) == "rows 0, 1 and 7 more"


def test_float_columns_cost_no_pass_over_the_rows():
    frame = pd.DataFrame(np.zeros((200_000, 20)), columns=[f"x{i}" for i in range(20)])
    names = list(frame.columns)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        values = frames.columns(frame, names)
        seconds.append(time.perf_counter() - start)
    assert all(np.shares_memory(values[name], frame[name].to_numpy()) for name in names)
    assert min(seconds) < 20 * 100e-6
