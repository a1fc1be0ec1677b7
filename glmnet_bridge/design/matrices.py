"""Arrays without a formula: the same recipe, with columns by position or by name.

`fit(X, y)` reads X as it lies; the intercept is a column that exists in no array. Columns that
have names of their own (a frame's, or those given) are found by name in the frame of new rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data import frames
from glmnet_bridge.data.rows import ArraySource, Source
from glmnet_bridge.design import arguments
from glmnet_bridge.design.encodings import Encoded, Numbers
from glmnet_bridge.design.responses import Response
from glmnet_bridge.design.samples import Sample
from glmnet_bridge.errors import ArgumentError, DataError, listed, nearest

Array = np.ndarray

CONSTANT = "Intercept"


@dataclass(frozen=True, slots=True)
class MatrixRecipe:
    """How an array is read again.

    Attributes
    ----------
    names : names of the p columns, "Intercept" first where there is one
    response : Response
    intercept : whether column 0 of the design is the constant
    offset : whether the fit had an offset, which prediction then demands
    named : whether the columns have names of their own, by which new rows are read
    """

    names: tuple[str, ...]
    response: Response
    intercept: bool
    offset: bool = False
    named: bool = False

    @property
    def formula(self) -> str:
        return f"{self.response.name} ~ {' + '.join(self.names[self.intercept :]) or '1'}"

    @property
    def terms(self) -> tuple[tuple[str, slice], ...]:
        return tuple((name, slice(j, j + 1)) for j, name in enumerate(self.names))

    def classes(self, mean: Array, threshold: float) -> Array:
        return self.response.classes(mean, threshold)

    def sample(self, data: Any, *, offset: Any = None, exposure: Any = None, unseen: str = "raise") -> Sample:
        """New rows `(n, q)` with the fit's columns."""
        if unseen not in ("raise", "nan"):
            raise ArgumentError(f"unseen={unseen!r} is unknown; it is 'raise' or 'nan'.")
        source, index = self._columns(data)
        _refuse_infinite(source, self.names[self.intercept :], index)
        if self.offset and offset is None and exposure is None:
            raise DataError("The model was fitted with an offset: give offset= for new rows too (offset=0 for none).")
        total = combined_offset(offset, exposure, index)
        return Sample(source, None, None, None, None, total, index, None, {}, len(index))

    def _columns(self, data: Any) -> tuple[Source, pd.Index]:
        """The columns of new rows: by name from a frame, by position from an array."""
        wanted = self.names[self.intercept :]
        frame = _frame(data)
        found = [] if frame is None else [str(name) for name in frame.columns]
        if frame is not None and (self.named or set(wanted) <= set(found)):
            places: dict[str, list[int]] = {}
            for j, name in enumerate(found):
                places.setdefault(name, []).append(j)
            for name in wanted:
                if name not in places:
                    raise DataError(
                        f"There is no column {name!r} in the new data.{nearest(name, found)} The model was fitted "
                        f"on {listed(wanted, 12)}; the columns are {listed(found, 12)}."
                    )
                if len(places[name]) > 1:
                    raise ArgumentError(f"Two columns have the name {name!r}; rename one.")
            return _source(frame, [places[name][0] for name in wanted], self.intercept), frame.index
        source, index, names, _ = as_source(data if frame is None else frame, None, self.intercept)
        if len(names) != len(wanted):
            raise DataError(
                f"The new rows have {len(names)} columns; the model was fitted on {len(wanted)} "
                f"({listed(wanted)}). Give one row per case and these columns, in this order."
            )
        return source, index


def _refuse_infinite(source: Source, names: Sequence[str], index: pd.Index) -> None:
    """New rows may lack a value; infinite ones are an error."""
    for start in range(0, source.n, 8192):
        block, _ = source.read(start, min(start + 8192, source.n))
        if not np.isfinite(block.sum()) and np.isinf(block).any():
            row, column = (int(at) for at in np.argwhere(np.isinf(block))[0])
            where = f"{block[row, column]:g} in row {index[start + row]}"
            raise DataError(f"Column {names[column]!r} is {where}; drop or mend that row.")


def combined_offset(offset: Any, exposure: Any, index: pd.Index) -> Array | None:
    """offset + log(exposure) as `(n, 1)`, or None."""
    parts = []
    if offset is not None:
        parts.append(arguments.number("offset", offset, index))
    if exposure is not None:
        parts.append(np.log(arguments.number("exposure", exposure, index)))
    return sum(parts[1:], parts[0])[:, None] if parts else None


def beside(X: Any, value: Any) -> Any:
    """What was given beside X; a Series goes by position where X has no row labels to match."""
    own = isinstance(X, pd.Series) or frames.labelled(X)
    return value if own else arguments.by_position(value)


def check_order(X: Any, y: Any, counted: bool) -> None:
    """Refuse a response and a table that are given in each other's place.

    `counted` says whether a response of two columns can be successes and failures.

    Raises
    ------
    ArgumentError
        where X is one column and y is a table that is no response
    """
    single, table = _shape(X), _shape(y)
    if single[1:] not in ((), (1,)) or len(table) != 2 or table[1] < 2 or single[0] != table[0]:
        return
    if table[1] == 2 and counted and _are_counts(y):
        return
    raise ArgumentError(
        f"y has {table[1]} columns and X has {'one dimension' if len(single) == 1 else 'one column'}: they seem to "
        "be swapped. Write fit(X, y), the table first and the response second."
    )


def _shape(table: Any) -> tuple[int, ...]:
    try:
        shape = np.shape(table)
    except ValueError:  # a ragged list, which is refused by name later
        return (0, 0, 0)
    return shape if shape and not getattr(getattr(table, "dtype", None), "names", None) else (0, 0, 0)


def _are_counts(table: Any) -> bool:
    numbers = np.asarray(table)
    return numbers.dtype.kind in "bui" or (numbers.dtype.kind == "f" and np.array_equal(numbers, np.rint(numbers)))


def as_source(X: Any, names: Any, intercept: bool) -> tuple[Source, pd.Index, tuple[str, ...], bool]:
    """Numbers `(n, q)` as they lie, row labels, column names, and whether these are more than x1, x2, ..."""
    frame = _frame(X)
    table = _array(X) if frame is None else frame
    own = None if frame is None else [str(name) for name in frame.columns]
    count = table.shape[1]
    if isinstance(X, pd.Series) and X.name is None:
        own = None
    chosen = own if names is None else _given(names)
    found = tuple(f"x{j + 1}" for j in range(count)) if chosen is None else tuple(chosen)
    if len(found) != count:
        raise ArgumentError(f"names= has {len(found)} names, and X has {count} columns; give one for each.")
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise ArgumentError(f"Two columns have the name {twice[0]!r}; rename one, or give names=.")
    if CONSTANT in found:
        raise ArgumentError(
            f"A column has the name {CONSTANT!r}, which is that of the constant that fit adds: leave this column out "
            "(and intercept=True), or rename it."
        )
    if isinstance(table, pd.DataFrame):
        return _source(table, range(count), intercept), table.index, found, chosen is not None
    return ArraySource(table, intercept), pd.RangeIndex(len(table)), found, chosen is not None


def _given(names: Any) -> list[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ArgumentError(f"names={names!r}: give a list with one name per column of X.")
    out = list(names)
    for name in out:
        if not isinstance(name, (str, int, np.integer)):
            raise ArgumentError(f"names= has {name!r} among the names; a name is text.")
    return [str(name) for name in out]


def _frame(X: Any) -> pd.DataFrame | None:
    """X as a frame if it has column names, else None."""
    if isinstance(X, pd.Series):
        return X.to_frame()
    if isinstance(X, (np.ndarray, list, tuple)) and not getattr(getattr(X, "dtype", None), "names", None):
        return None
    if isinstance(X, (pd.DataFrame, Mapping, np.ndarray)):
        return frames.as_frame(X)
    if isinstance(X, str):
        raise ArgumentError("X is text. gb.glm takes a formula and a frame; gb.fit takes arrays X and y.")
    if hasattr(X, "tocsr"):
        raise DataError("X is a sparse matrix; give X.toarray(), or a frame with pandas' sparse columns.")
    if hasattr(X, "__dataframe__") or hasattr(X, "__arrow_c_stream__"):
        return frames.as_frame(X)
    return None


def _array(X: Any) -> Array | pd.DataFrame:
    """The array as it lies; one of objects as a frame, whose columns are converted one by one."""
    try:
        matrix = np.ma.filled(X.astype(float), np.nan) if np.ma.is_masked(X) else np.asarray(X)
    except ValueError:
        raise DataError("X is a ragged list: its rows differ in length.") from None
    if matrix.ndim == 1 and matrix.dtype.kind != "O":
        matrix = matrix[:, None]
    if matrix.ndim != 2:
        given = f"has {matrix.ndim} dimensions" if matrix.ndim else f"is of type {type(X).__name__}"
        raise DataError(f"X {given}; give a table of rows and columns.")
    if matrix.dtype.kind == "O":
        return pd.DataFrame(matrix, columns=[f"x{j + 1}" for j in range(matrix.shape[1])])
    if matrix.dtype.kind not in "fiub":
        kind = {"c": "complex numbers", "M": "dates", "m": "time differences"}.get(matrix.dtype.kind, "text")
        raise DataError(f"X holds {kind}; give numbers, or use gb.glm with a formula for factors.")
    for j in range(matrix.shape[1] if matrix.dtype.kind in "iu" else 0):
        frames.refuse_lost_digits(matrix[:, j], f"Column {j + 1} of X")
    return matrix


def _source(frame: pd.DataFrame, at: Sequence[int], intercept: bool) -> Source:
    """The columns of a frame at these positions: one array where they are one, else each column as it lies."""
    if list(at) == list(range(frame.shape[1])) and _is_one_array(frame):
        for j in at:
            frames.refuse_lost_digits(frame.iloc[:, j].to_numpy(), f"Column {str(frame.columns[j])!r} of X")
        return ArraySource(frame.to_numpy(), intercept)
    columns = tuple((Numbers(_column(frame, j)),) for j in at)
    layout = ArraySource(np.empty((0, len(columns))), intercept).layout
    return Encoded(len(frame), layout, columns, None)


def _is_one_array(frame: pd.DataFrame) -> bool:
    """Whether the frame's columns are those of one array of numbers, so that it can be had without a copy."""
    kinds = set(frame.dtypes)
    if len(kinds) != 1 or not all(isinstance(kind, np.dtype) and kind.kind in "fiu" for kind in kinds):
        return False
    # a few rows tell: those of one array are views of it
    return np.shares_memory(frame.iloc[:2].to_numpy(), frame.iloc[:, 0].to_numpy())


def _column(frame: pd.DataFrame, j: int) -> Array:
    what = f"Column {str(frame.columns[j])!r} of X"
    values, gaps = frames.convert(frame.iloc[:, j], what)
    if isinstance(values, pd.Categorical):
        raise DataError(f"{what} holds text or categories; gb.glm with a formula makes columns of them.")
    if gaps is not None:
        return np.where(gaps, np.nan, values)
    frames.refuse_lost_digits(values, what)
    return values.view(np.int8) if values.dtype == np.bool_ else values
