"""Arguments that hold one number per row: trials, weights, offset and exposure.

Each is text (a column, or an expression such as "np.log(Holders)"), one number for all
rows, a pandas Series (matched with the frame by row label), or an array as long as the
frame. Whatever it was, it leaves here as a float array `(n,)`, checked for what it means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.frames import Array, ColumnValues, bad_rows, convert, rows_where
from glmnet_bridge.data.selections import widened
from glmnet_bridge.design.formulas import Expression, expression
from glmnet_bridge.errors import ArgumentError, DataError, is_number

NAMES = ("trials", "prior_weights", "freq_weights", "offset", "exposure")
WEIGHTS = ("trials", "prior_weights", "freq_weights")

_ALLOWED = "a column name, an expression such as 'np.log(x)', a Series or an array with one number per row"


def _allowed(name: str) -> str:
    return "a Series or an array with one value per row of X" if name == "y" else _ALLOWED


def split(
    given: Mapping[str, Any], functions: Mapping[str, Any] | None
) -> tuple[dict[str, Expression], dict[str, Any]]:
    """Arguments that can be found again in other data (text, one number), and bare arrays."""
    texts, bare = {}, {}
    for name, value in given.items():
        if isinstance(value, str):
            texts[name] = expression(value, functions)
        elif is_number(value):
            texts[name] = expression(repr(float(value)), functions)
        elif value is not None:
            bare[name] = value
    return texts, bare


def aligned(name: str, value: Any, index: pd.Index) -> Array:
    """A Series or array as float `(n,)` in the order of the frame's rows, nan where missing."""
    numbers, gaps = column(name, value, index)
    if isinstance(numbers, pd.Categorical):
        raise ArgumentError(f"{name}= holds text or categories; give {_allowed(name)}.")
    return numbers.astype(np.float64, copy=False) if gaps is None else np.where(gaps, np.nan, numbers)


def column(name: str, value: Any, index: pd.Index) -> tuple[ColumnValues, Array | None]:
    """A Series or array of any kind in the order of the frame's rows, one of the four kinds; and the mask of gaps."""
    if isinstance(value, pd.Series):
        series = _by_label(name, value, index)
    else:
        series = pd.Series(_flat(name, value, len(index)), copy=False)
    values, gaps = convert(series, f"The argument {name}=")
    return widened(values), gaps


def number(name: str, value: Any, index: pd.Index) -> Array:
    """One number for all rows, a Series or an array, without gaps: checked float `(n,)`."""
    if isinstance(value, str):
        raise ArgumentError(f"{name}={value!r}: arrays have no columns to name; give one number per row.")
    if is_number(value):
        return checked(name, np.full(len(index), float(value)), index)
    return checked(name, aligned(name, certain(name, value, index), index), index)


def by_position(value: Any) -> Any:
    """A Series without its row labels, for data that have none to match them with."""
    return value.array if isinstance(value, pd.Series) else value


def certain(name: str, value: Any, index: pd.Index) -> Any:
    """The value, unless it is a Series in another order than rows that may have no labels at all.

    Rows of an array are numbered 0, 1, ... here. A shuffled Series with these numbers as labels
    lies beside its rows if X came from the same frame by `.to_numpy()`, and must not be sorted.
    """
    plain = isinstance(index, pd.RangeIndex) and index.equals(pd.RangeIndex(len(index)))
    if isinstance(value, pd.Series) and plain and len(value) == len(index) and not value.index.equals(index):
        raise ArgumentError(
            f"The row labels of {name}= are not in the order 0, 1, 2, ... of X. Give {name}.to_numpy() if it "
            "is in the order of the rows, or sort both by their labels."
        )
    return value


def evaluated(name: str, text: Expression, values: Mapping[str, ColumnValues], n: int) -> Array:
    """An argument given as text (or as one number), computed from the columns: float `(n,)`."""
    with np.errstate(all="ignore"):
        numbers = text.evaluate(values)
    if isinstance(numbers, pd.Categorical):
        raise DataError(f"{name}={text.code!r} is a category; numbers are needed.")
    numbers = np.asarray(numbers)
    if numbers.ndim == 0:
        return np.full(n, float(numbers))
    if numbers.shape != (n,):
        raise DataError(f"{name}={text.code!r} has shape {numbers.shape}; one number per row is needed.")
    return numbers.astype(np.float64, copy=False)


def checked(name: str, values: Array, index: pd.Index, shown: str | None = None) -> Array:
    """The values, if they can be what the argument means; `shown` is how it was written."""
    written = shown or f"{name}="
    finite = np.isfinite(values)
    if not finite.all():
        why = "that is the log of a zero" if name == "offset" and values[~finite][0] == -np.inf else "it must be finite"
        raise bad_rows(written, values, ~finite, f"{why}; mend or drop those rows", index)
    if name == "offset" or not len(values):
        return values
    low = values.min()
    if name == "exposure":
        if low <= 0:
            raise bad_rows(written, values, values <= 0, "an exposure is above 0; mend or drop those rows", index)
        return values
    if low < 0:
        raise bad_rows(
            written, values, values < 0, "it cannot be negative; give 0 to leave a row out of the fit", index
        )
    with np.errstate(over="ignore"):
        total = values.sum()
    if not np.isfinite(total):
        raise DataError(f"The sum of {written} is beyond the largest number. Divide it by its mean.")
    if low == 0 and not values.any():
        raise DataError(f"{written} is zero in every row, so that no row counts. Give some rows a positive one.")
    if name == "freq_weights" and not np.array_equal(values, np.rint(values)):
        why = "a frequency is a whole number, how often the row was seen. Use prior_weights= for other weights"
        raise bad_rows(written, values, values != np.rint(values), why, index)
    return values


def _by_label(name: str, value: pd.Series, index: pd.Index) -> pd.Series:
    """The Series in the order of the frame's row labels; positions count only where labels agree."""
    if len(value) != len(index):
        raise _length(name, len(value), len(index))
    if value.index is index or value.index.equals(index):
        return value
    if value.index.is_unique and index.is_unique:
        at = value.index.get_indexer(index)
        if (at >= 0).all():
            return value.iloc[at]
        lost = rows_where(index, at < 0, most=3)
        raise ArgumentError(
            f"The row labels of {name}= are not those of the data (it has none for {lost}). Give the Series "
            f"the data's index, or its values alone, as in {name}=w.to_numpy(), if the order is right."
        )
    raise ArgumentError(
        f"Row labels occur more than once, and those of {name}= are not in the order of the data, so that "
        "the rows cannot be matched. Use reset_index(drop=True) on both."
    )


def _flat(name: str, value: Any, n: int) -> Any:
    """An array with one dimension and n values; an offset may be a column `(n, 1)`."""
    if isinstance(value, pd.DataFrame) and value.shape[1] == 1 and name == "y":
        value = value.iloc[:, 0].array
    if isinstance(value, (pd.DataFrame, dict, set, frozenset)):
        raise ArgumentError(f"{name}= is a {type(value).__name__}; give {_allowed(name)}.")
    array = _array(name, value)
    if array.ndim == 2 and array.shape[1] == 1 and name in ("offset", "exposure", "y"):
        array = array[:, 0]
    if array.ndim != 1:
        plain = value is None or isinstance(value, (bool, int, float, str))
        shape = f"has shape {array.shape}" if array.ndim else f"is {value if plain else 'a ' + type(value).__name__}"
        raise ArgumentError(f"{name}= {shape}; give {_allowed(name)}.")
    if len(array) != n:
        raise _length(name, len(array), n)
    return array


def _array(name: str, value: Any) -> Any:
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return value
    try:
        # what is masked is missing: the value under the mask is none
        return np.ma.filled(value.astype(float), np.nan) if np.ma.is_masked(value) else np.asarray(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name}= is a ragged list, or masked text; give {_allowed(name)}.") from None


def _length(name: str, given: int, n: int) -> ArgumentError:
    return ArgumentError(f"{name}= has {given} values, and the data have {n} rows; give one value per row.")
