"""Frames: whatever holds the caller's columns, read as one of four kinds of values.

    float64 array | int64 array | bool array | pandas Categorical

A frame is never changed and, as far as its memory allows, never copied: a column of numbers
is read as a view of it, and widened to one of these kinds where something is computed with it
(`selections.py`). Types are settled here, before a formula sees them, because
formula libraries turn what they do not know (decimals, dates, numbers stored as text)
into factors with thousands of levels. What has no honest reading is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.selections import Array, ColumnValues, Selection, as_it_lies
from glmnet_bridge.errors import DataError, listed, nearest

_REFUSED = {
    "complex": "complex numbers. Give their parts (.real, .imag) or their size (np.abs).",
    "datetime": "dates; a model needs numbers or categories. Turn them into a number, as in "
    "(d - d.min()).dt.days, or into a category, as in d.dt.month.",
    "timedelta": "time differences; a model needs numbers. Choose the unit, as in d.dt.total_seconds().",
    "period": "periods; a model needs numbers or categories. Turn them into a number, as in d.dt.year.",
    "interval": 'intervals. Use them as levels with .astype("category"), or take their mid points.',
    "bytes": 'bytes. Decode them first, as in d.str.decode("utf-8").',
    "time": "times of day. Turn them into a number, as in hours.",
}
"""What has no honest reading as a number or a level, and the cure."""


EXACT = 2**53  # beyond it not every whole number is a float

_WRITTEN = (
    (
        re.compile(r"[-+]?\d{1,3}(,\d{3})*(\.\d+)?"),
        "numbers with thousands separators",
        'Read the file with thousands="," (or decimal="," if that is what the comma is)',
        3,
    ),
    (
        re.compile(r"[-+]?\d[\d. ]*,\d+(e[-+]?\d+)?|[-+]?\d+", re.IGNORECASE),
        "numbers with a decimal comma",
        'Read the file with decimal=",", or use pd.to_numeric after .str.replace(",", ".")',
        3,
    ),
    (
        re.compile(r"[-+]?[$€£] ?[-+]?\d[\d.,]*|[-+]?\d[\d.,]* ?[%$€£]"),
        "percentages or prices",
        "Take the sign off (.str.strip) and use pd.to_numeric to read it as numbers",
        20,
    ),
    (
        re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?Z?)?"),
        "dates",
        "Use pd.to_datetime and turn the dates into a number, as in (d - d.min()).dt.days",
        20,
    ),
)
"""Numbers and dates as people write them: pattern, kind, cure, and how many different ones are no accident."""


def as_frame(data: Any, names: Iterable[str] | None = None) -> pd.DataFrame:
    """The caller's data as a pandas frame, without copying what can be shared.

    Parameters
    ----------
    data : pandas frame (returned as it is), polars / pyarrow / other eager frame that
        narwhals reads, dict of equally long columns, list of dicts, structured array
    names : the columns that will be read; others need not be converted
    """
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, Mapping):
        return _from_columns(data)
    if isinstance(data, np.ndarray) and data.dtype.names:
        return pd.DataFrame({name: data[name] for name in data.dtype.names}, copy=False)
    if isinstance(data, (list, tuple)) and all(isinstance(row, Mapping) for row in data):
        return pd.DataFrame(list(data))
    return _from_native(data, None if names is None else set(names))


def labelled(data: Any) -> bool:
    """Whether the caller's rows have labels of their own, which a Series beside them can be matched with."""
    if isinstance(data, Mapping):
        return any(isinstance(column, pd.Series) for column in data.values())
    return isinstance(data, pd.DataFrame)


def columns(frame: pd.DataFrame, names: Iterable[str], *, rows: Array | None = None) -> Selection:
    """The named columns, each as float64, int64 or bool array `(n,)` or Categorical.

    `rows` are the positions `(n,)` of those to keep. Where an integer column has missing
    values in them it becomes float64 with nan, a boolean one a Categorical of False and True.
    """
    out = {}
    for name in names:
        values, gaps = read(frame, name)
        some = gaps is not None and (gaps if rows is None else gaps[rows]).any()
        out[name] = _with_gaps(values, gaps) if gaps is not None and some else values
    return Selection(out, rows)


def missing(values: ColumnValues) -> Array | None:
    """A mask `(n,)` of the missing values (nan, code -1), or None where there are none."""
    if isinstance(values, pd.Categorical):
        codes = values.codes
        return codes < 0 if len(codes) and codes.min() < 0 else None
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return None
    gaps = np.isnan(values)
    return gaps if gaps.any() else None


def read(frame: pd.DataFrame, name: str) -> tuple[ColumnValues, Array | None]:
    """One column as it lies and, for integers and booleans with missing values, the mask of these.

    Numbers are of any size; a `Selection` widens what is computed with. Under the mask the values
    are 0 or False, so that a column keeps its kind when its missing rows are dropped. Floats and
    categories show missing values themselves.
    """
    try:
        column: Any = frame[name]
    except KeyError:
        raise unknown(frame, name) from None
    if isinstance(column, pd.DataFrame):
        raise DataError(_several(frame, name))
    return convert(column, f"Column {name!r}")


def unknown(frame: pd.DataFrame, name: str, role: str = "") -> DataError:
    """The error for a name that is no column; `role` says where the name stands."""
    if any(name == str(column) for column in frame.columns):
        near = f" A column has this name as a number, not as text: rename it to {name!r}."
    else:
        near = nearest(name, frame.columns)
    known = listed([str(column) for column in frame.columns], most=12)
    has = f"The columns are {known}." if known else "The data have no columns."
    return DataError(f"There is no column {name!r}{role} in the data.{near} {has}")


def rows_where(index: pd.Index | None, mask: Array, most: int = 5) -> str:
    """`row 3` or `rows 3, 17 and 4 more`: the labels of the rows in a mask, for errors."""
    at = np.flatnonzero(mask)
    first = at[:most] if index is None else index[at[:most]]
    shown = ", ".join(repr(label) if isinstance(label, str) else str(label) for label in first)
    more = f" and {len(at) - most} more" if len(at) > most else ""
    return f"{'row' if len(at) == 1 else 'rows'} {shown}{more}"


def bad_rows(what: str, values: Array, bad: Array, why: str, index: pd.Index | None) -> DataError:
    """`<what> is -0.2 in row 3; <why>.`: the error for values that cannot be, by the first of them."""
    return DataError(f"{what} is {format(values[bad.argmax()], 'g')} in {rows_where(index, bad)}; {why}.")


def refuse_lost_digits(values: ColumnValues, what: str) -> None:
    """Whole numbers that become equal as floats: what is computed with them would be wrong in silence."""
    if isinstance(values, pd.Categorical) or values.dtype.kind not in "iu" or values.dtype.itemsize < 8:
        return
    if len(values) and (values.max() > EXACT or values.min() < -EXACT):
        different = np.unique(values)
        if len(np.unique(different.astype(np.float64))) < len(different):
            raise DataError(
                f"{what} holds whole numbers beyond 2**53, which lose digits as decimals: different ones become "
                "equal. Subtract a constant."
            )


def convert(column: pd.Series, what: str) -> tuple[ColumnValues, Array | None]:
    """One pandas Series as `read` gives it; `what` names it in errors ("Column 'x'")."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return _from_numpy(column.to_numpy(), what)
    if isinstance(dtype, pd.CategoricalDtype):
        return column.array, None
    if isinstance(dtype, pd.SparseDtype):
        return _from_numpy(np.asarray(column.array.to_dense()), what)
    if isinstance(dtype, pd.StringDtype):
        return _from_text(column.array, what), None
    if isinstance(dtype, pd.ArrowDtype):
        return _from_arrow(column, dtype.pyarrow_dtype, what)
    if isinstance(dtype, pd.PeriodDtype):
        raise _refusal(what, "period")
    if isinstance(dtype, pd.IntervalDtype):
        raise _refusal(what, "interval")
    kind = getattr(dtype, "kind", "O")
    return _from_masked(column, kind, what) if kind in "iufb" else _from_numpy(column.to_numpy(dtype=object), what)


def _from_numpy(values: Array, what: str) -> tuple[ColumnValues, Array | None]:
    kind = values.dtype.kind
    if kind == "f":
        return as_it_lies(values), None
    if kind in "iu":
        if values.dtype == np.uint64 and len(values) and values.max() > np.iinfo(np.int64).max:
            refuse_lost_digits(values, what)  # these are computed with as floats only
        return as_it_lies(values), None
    if kind == "b":
        return values, None
    if kind == "O":
        return _from_objects(values, what)
    raise _refusal(what, {"c": "complex", "M": "datetime", "m": "timedelta"}.get(kind, "bytes"))


def _from_masked(column: pd.Series, kind: str, what: str) -> tuple[ColumnValues, Array | None]:
    """Nullable (Int64, Float64, boolean) and arrow-backed numbers."""
    if kind == "f":
        return _floats(column), None
    gaps = column.isna().to_numpy() if column.hasnans else None
    if kind == "b":
        values = column.to_numpy(dtype=bool) if gaps is None else column.to_numpy(dtype=bool, na_value=False)
        return values, gaps
    plain: Any = column.dtype
    if gaps is None:
        return _from_numpy(column.to_numpy(dtype=plain.numpy_dtype), what)
    return column.to_numpy(dtype=plain.numpy_dtype, na_value=0), gaps


def _floats(column: pd.Series) -> Array:
    dtype: Any = column.dtype
    return column.to_numpy(dtype=dtype.numpy_dtype, na_value=np.nan)


def _from_arrow(column: pd.Series, kind: Any, what: str) -> tuple[ColumnValues, Array | None]:
    import pyarrow.types as types

    if types.is_boolean(kind):
        return _from_masked(column, "b", what)
    if types.is_integer(kind):
        return _from_masked(column, "u" if types.is_unsigned_integer(kind) else "i", what)
    if types.is_floating(kind):
        return _floats(column), None
    if types.is_decimal(kind) or types.is_null(kind):
        return column.to_numpy(dtype=np.float64, na_value=np.nan), None
    if any(test(kind) for test in (types.is_string, types.is_large_string, types.is_string_view)):
        return _from_text(column.array, what), None
    if types.is_dictionary(kind):
        return _from_dictionary(column, kind, what)
    if types.is_date(kind) or types.is_timestamp(kind):
        raise _refusal(what, "datetime")
    if types.is_duration(kind):
        raise _refusal(what, "timedelta")
    if types.is_time(kind):
        raise _refusal(what, "time")
    raise DataError(f"{what} holds {kind}, and a model needs one number or one level per row.")


def _from_dictionary(column: pd.Series, kind: Any, what: str) -> tuple[ColumnValues, Array | None]:
    """Arrow's categories: text levels keep the order of the dictionary, other values are decoded."""
    import pyarrow.types as types

    chunks = column.array.__arrow_array__()
    if types.is_string(kind.value_type) or types.is_large_string(kind.value_type):
        return pd.Categorical(chunks.unify_dictionaries().to_pandas()), None
    plain = chunks.cast(kind.value_type)
    return convert(pd.Series(pd.arrays.ArrowExtensionArray(plain), index=column.index), what)


def _from_text(values: Any, what: str) -> pd.Categorical:
    """A factor; its levels are sorted by code point, as patsy and R's C locale sort them."""
    codes, found = values.factorize()
    return _factor(codes, [str(level) for level in found], what)


def _factor(codes: Array, levels: list[str], what: str) -> pd.Categorical:
    _refuse_numbers(levels, what)
    order = sorted(range(len(levels)), key=levels.__getitem__)
    place = np.empty(len(levels) + 1, dtype=np.intp)
    place[order] = np.arange(len(levels))
    place[-1] = -1
    ordered: Any = [levels[i] for i in order]
    return pd.Categorical.from_codes(place[codes], categories=ordered)


def _refuse_numbers(levels: list[str], what: str) -> None:
    """Numbers and dates stored as text would become a factor with one level per number."""
    others = [level for level in levels if not _is_number(level)]
    shown = listed([repr(level) for level in levels], most=3)
    labels = 'or .astype("category") if these are labels.'
    if levels and not others:
        raise DataError(
            f"{what} holds numbers stored as text ({shown}). Use pd.to_numeric to read it as numbers, {labels}"
        )
    if len(levels) >= 20 and len(others) <= 0.1 * len(levels):
        odd = listed([repr(level) for level in others], most=3)
        raise DataError(
            f"{what} is text, but {len(levels) - len(others)} of its {len(levels)} different values are "
            f'numbers (not {odd}). Use pd.to_numeric(..., errors="coerce") to read it as numbers, {labels}'
        )
    for pattern, kind, cure, least in _WRITTEN:
        if len(levels) >= least and all(pattern.fullmatch(level.strip()) for level in levels):
            raise DataError(f"{what} holds {kind} stored as text ({shown}). {cure}, {labels}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _from_objects(values: Array, what: str) -> tuple[ColumnValues, Array | None]:
    """A column of Python objects, read by what the objects are."""
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind == "string":
        codes, found = pd.factorize(values)
        return _factor(codes, [str(level) for level in found], what), None
    gaps = pd.isna(values)
    some = bool(gaps.any())
    if gaps.all():
        return np.full(len(values), np.nan), None
    if kind in ("floating", "decimal", "mixed-integer-float"):
        return _filled(values, gaps, np.nan, np.float64), None
    if kind == "integer":
        try:
            return _filled(values, gaps, 0, np.int64), gaps if some else None
        except OverflowError:
            return _filled(values, gaps, np.nan, np.float64), None
    if kind == "boolean":
        return _filled(values, gaps, False, np.bool_), gaps if some else None
    raise _odd_objects(values[~gaps], kind, what)


def _filled(values: Array, gaps: Array, filler: object, dtype: Any) -> Array:
    out = np.full(len(values), filler, dtype=dtype)
    out[~gaps] = values[~gaps].astype(dtype)
    return out


def _odd_objects(values: Array, kind: str, what: str) -> DataError:
    for name in ("complex", "datetime", "timedelta", "period", "interval", "bytes", "time"):
        if kind.startswith(name) or (kind == "date" and name == "datetime"):
            return _refusal(what, name)
    found = sorted({type(value).__name__ for value in values})
    text = [value for value in values if isinstance(value, str)]
    if len(found) > 1:
        example = f" (among numbers stands {text[0]!r})" if 0 < len(text) < len(values) else ""
        return DataError(
            f"{what} mixes values of type {listed(found)}{example}. Use pd.to_numeric or .astype(str), "
            "so that it holds one kind of value."
        )
    return DataError(f"{what} holds values of type {found[0]}; a model needs one number or one level per row.")


def _refusal(what: str, kind: str) -> DataError:
    return DataError(f"{what} holds {_REFUSED[kind]}")


def _with_gaps(values: ColumnValues, gaps: Array) -> ColumnValues:
    if values.dtype == np.bool_:
        levels: Any = [False, True]
        return pd.Categorical.from_codes(np.where(gaps, -1, values), categories=levels)
    return np.where(gaps, np.nan, values)


def _several(frame: pd.DataFrame, name: str) -> str:
    if frame.columns.nlevels > 1:
        return f"Column {name!r} is a group of columns; flatten the frame's column index first."
    return f"{(frame.columns == name).sum()} columns have the name {name!r}; rename all but one."


def _from_columns(data: Mapping[Any, Any]) -> pd.DataFrame:
    """A dict of columns: all of one length, and not aligned behind the caller's back."""
    values = {name: _plain(value) for name, value in data.items()}
    for name, value in values.items():
        if np.ndim(value) == 0:
            raise DataError(f"Column {name!r} of the dict is a single value; give one value per row.")
        if np.ndim(value) > 1:
            raise DataError(f"Column {name!r} of the dict has {np.ndim(value)} dimensions; give one per column.")
    lengths = {str(name): len(value) for name, value in values.items()}
    if len(set(lengths.values())) > 1:
        shown = listed([f"{name}: {length}" for name, length in lengths.items()])
        raise DataError(f"The columns of the dict differ in length ({shown}).")
    indexes = [value.index for value in values.values() if isinstance(value, pd.Series)]
    if any(not index.equals(indexes[0]) for index in indexes):
        raise DataError("The Series in the dict have different indexes; put them into one frame first.")
    return pd.DataFrame(values, copy=False)


def _plain(value: Any) -> Any:
    """Tensors and columns of other frames as arrays; what pandas knows, and lists, as they are."""
    if isinstance(value, (np.ndarray, pd.Series, pd.Index, pd.api.extensions.ExtensionArray)):
        return value
    if isinstance(value, (str, bytes)):
        return np.array(value)
    if hasattr(value, "__array__"):
        return np.asarray(value)
    return list(value) if isinstance(value, (Sequence, range)) else value


def _from_native(data: Any, names: set[str] | None) -> pd.DataFrame:
    """polars, pyarrow and whatever else narwhals reads: column by column through arrow's memory."""
    import narwhals as nw

    try:
        frame = nw.from_native(data, eager_only=True)
    except TypeError:
        raise DataError(_not_a_frame(data)) from None
    kept = [name for name in frame.columns if names is None or name in names]
    absent = [name for name in frame.columns if name not in kept]
    read_now = {name: _native_column(frame[name]) for name in kept}
    if names is not None and not names <= set(kept):
        # for the sake of the error: the names that the caller can choose from
        read_now |= dict.fromkeys(absent, np.full(len(frame), np.nan))
    return pd.DataFrame(read_now, index=pd.RangeIndex(len(frame)), copy=False)


def _native_column(series: Any) -> Any:
    import narwhals as nw

    if series.dtype == nw.Categorical and series.implementation.is_polars():
        # the order of these levels is that of their first use in the session: an accident
        series = series.cast(nw.String)
    try:
        # an arrow column as it is: narwhals would join its chunks into a copy
        arrow = series.to_native() if series.implementation.is_pyarrow() else series.to_arrow()
    except ModuleNotFoundError:
        return series.to_numpy()
    return pd.arrays.ArrowExtensionArray(arrow)


def _not_a_frame(data: Any) -> str:
    given = f"{type(data).__module__.split('.')[0]}.{type(data).__name__}"
    hints: list[tuple[Callable[[], bool], str]] = [
        (lambda: data is None, "Give the data as the second argument."),
        (lambda: isinstance(data, pd.Series), "Use .to_frame()."),
        (
            lambda: isinstance(data, np.ndarray),
            "Arrays have no column names: use gb.fit(X, y), or name them.",
        ),
        (lambda: isinstance(data, str), "Read the file first, as in pd.read_csv."),
        (lambda: hasattr(data, "collect"), "Use .collect() first."),
        (lambda: hasattr(data, "compute"), "Use .compute() first."),
    ]
    hint = next((f" {text}" for test, text in hints if test()), "")
    return f"The data must be a pandas, polars or arrow frame, or a dict of columns, not {given}.{hint}"
