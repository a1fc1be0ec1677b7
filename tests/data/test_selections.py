"""Selections: the rows used, as they lie and as they are computed with."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from glmnet_bridge.data.selections import Selection, pick_into, widened, window

NAN = float("nan")
SMALL = {
    kind: np.arange(1, 7, dtype=kind) for kind in ("float16", "float32", "int8", "uint16", "int64", "uint64", ">f8")
}


def test_a_column_is_read_without_the_rows_left_out():
    x, g = np.array([1.0, NAN, 3.0, 4.0]), pd.Categorical(["a", "b", None, "a"])
    chosen = Selection({"x": x, "g": g}, np.array([0, 3]))
    assert chosen["x"].tolist() == [1.0, 4.0]
    assert chosen["g"].tolist() == ["a", "a"] and chosen["g"].categories.tolist() == ["a", "b"]
    assert chosen.columns["x"] is x and chosen.columns["g"] is g
    assert set(chosen) == {"x", "g"} and len(chosen) == 2
    assert Selection.of(chosen) is chosen
    assert Selection.of({"x": x})["x"] is x


def test_the_head_has_the_first_rows_used():
    chosen = Selection({"x": np.arange(9.0), "z": np.arange(9.0)}, np.array([1, 4, 5, 8]))
    assert chosen.head(["x", "other"], 2)["x"].tolist() == [1.0, 4.0]
    assert set(chosen.head(["x", "other"], 2)) == {"x"}
    assert Selection(chosen.columns).head(["z"], 3)["z"].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("kind", SMALL)
def test_numbers_of_any_size_are_computed_with_as_wide_ones(kind):
    values = Selection({"x": SMALL[kind]}, np.array([2, 5]))["x"]
    assert values.dtype == (np.float64 if "f" in kind else np.int64)
    assert values.tolist() == [3, 6]


def test_unsigned_numbers_beyond_int64_become_floats():
    assert widened(np.array([2**63 + 1, 1], dtype=np.uint64)).tolist() == [float(2**63 + 1), 1.0]
    assert widened(np.array([], dtype=np.uint64)).dtype == np.int64


def test_rows_that_lie_together_are_a_slice():
    rows = np.array([0, 2, 3, 4, 9])
    assert window(None, 2, 4) == slice(2, 4)
    assert window(rows, 1, 4) == slice(2, 5)
    assert window(rows, 4, 5) == slice(9, 10)
    assert window(rows, 0, 3).tolist() == [0, 2, 3]
    assert window(rows, 2, 2).tolist() == []


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("at", [slice(1, 4), np.array([0, 2, 3]), np.array([5, 5, 1])], ids=str)
def test_picking_is_indexing(kind, apart, at):
    values = np.repeat(SMALL[kind], 2)[::2] if apart else SMALL[kind]
    out = np.full(3, NAN)
    pick_into(out, values, at)
    assert out.tolist() == values[at].tolist()
