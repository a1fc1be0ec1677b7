"""Selections: columns by name, of which some rows are used, and no second copy of them.

    selection[name]            the rows used of one column, in one of four kinds of values
    selection.columns[name]    the column as it lies, with all its rows

Who computes reads the first, one column at a time, and lets go of it. Who only hands numbers on
reads the second, and picks the rows block by block (`window`, `pick_into`).

    float64 array | int64 array | bool array | pandas Categorical      the four kinds
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

Array = np.ndarray
ColumnValues: TypeAlias = "np.ndarray | pd.Categorical"


@dataclass(frozen=True, slots=True, eq=False)
class Selection(Mapping[str, ColumnValues]):
    """Columns of equal length, of which some rows are used.

    Attributes
    ----------
    columns : the columns `(N,)` as they lie: numbers of any size, bool, or Categorical
    rows : (n,) positions of the rows used, in increasing order, or None for all N
    """

    columns: Mapping[str, ColumnValues]
    rows: Array | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Selection:
        """All rows of these columns, where they are no selection yet."""
        return values if isinstance(values, cls) else cls(values)

    def __getitem__(self, name: str) -> ColumnValues:
        column = self.columns[name]
        return widened(column if self.rows is None else column[self.rows])

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def head(self, names: Iterable[str], most: int) -> Selection:
        """The first rows used, `most` of them, of the columns among `names`."""
        rows: Any = slice(most) if self.rows is None else self.rows[:most]
        return Selection({name: self.columns[name][rows] for name in names if name in self.columns})


def window(rows: Array | None, start: int, stop: int) -> slice | Array:
    """Where the rows used lie, from the one at `start` to the one before `stop`; a slice where they lie together."""
    if rows is None:
        return slice(start, stop)
    at = rows[start:stop]
    if len(at) and at[-1] - at[0] == len(at) - 1:
        return slice(int(at[0]), int(at[-1]) + 1)
    return at


def pick_into(out: Array, values: Array, at: slice | Array) -> None:
    """Write `values[at]` into `out`, a float64 array that lies together."""
    # `take` is the fastest pick: without `mode` it would write into a buffer first, and of values
    # that are of another kind, or lie apart, it would first copy all
    if isinstance(at, slice) or values.dtype != out.dtype or not values.flags.c_contiguous:
        out[:] = values[at]
    else:
        values.take(at, out=out, mode="clip")


def widened(values: ColumnValues) -> ColumnValues:
    """Numbers of any size as float64 or int64, so that products of small integers cannot overflow."""
    if isinstance(values, pd.Categorical) or values.dtype in (np.float64, np.int64, np.bool_):
        return values
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    if values.dtype == np.uint64 and len(values) and values.max() > np.iinfo(np.int64).max:
        return values.astype(np.float64)
    return values.astype(np.int64)


def as_it_lies(values: Array) -> Array:
    """Numbers that a block can be read from at speed; those in extended precision or foreign byte order are not."""
    return values if values.dtype.isnative and values.dtype.itemsize <= 8 else np.asarray(widened(values))
