"""Operations on values of an expression, with the guards that numpy lacks.

Text takes no part in arithmetic, integers do not wrap around in silence, `True + True` is
refused (it is `True` in numpy and 2 in R), and a comparison with text is one of levels.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.design.levels import Boxed, as_categorical, row_labels
from glmnet_bridge.errors import DataError, listed

Value = Any
_SAFE = 2.0**62  # integers below it cannot have wrapped around 2**63


def plain(value: Value, text: str) -> Value:
    """The value, unless it is text or a factor, which has no arithmetic."""
    if isinstance(value, Boxed):
        raise DataError(f"{text}: C(...) marks a factor, which has no arithmetic.")
    if isinstance(value, pd.Categorical):
        held = listed([repr(level) for level in value.categories[:6]], 3)
        raise DataError(f"{text} needs numbers, but was given a column with the levels {held}.")
    return value


def number(value: Value, text: str) -> Value:
    """A number per row, or a constant number."""
    value = plain(value, text)
    if isinstance(value, (str, list)) or value is None:
        raise DataError(f"{text}: {value!r} is no number.")
    if is_bool(value):
        raise DataError(f"{text}: a minus before True or False is not defined; write ~x, or 1 - 1 * x.")
    return value


def numeric(value: Value, text: str) -> np.ndarray:
    """An array of numbers `(n,)` or `(n, k)`, as a transform needs it."""
    value = plain(value, text)
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        raise DataError(f"{text} needs a column of numbers, not the constant {value!r}.")
    return value.astype(np.int64) if value.dtype == bool else value


def finite(value: np.ndarray, text: str, index: pd.Index | None) -> np.ndarray:
    """The value, unless it is infinite or undefined somewhere: nothing could be learnt from it."""
    good = np.isfinite(value)
    if good.all():
        return value
    at = np.flatnonzero(~good.reshape(len(value), -1).all(axis=1))
    where = f"row{'s'[: len(at) - 1]} {listed(row_labels(at, index))}"
    raise DataError(f"{text} cannot be learnt: what it is given is infinite or undefined in {where}.")


def boolean(value: Value, text: str) -> Value:
    """True or False per row."""
    if not is_bool(value):
        raise DataError(
            f"{text}: & | and ~ join conditions such as (x > 1) & (y < 2), not numbers. (Random effects, (1 | g), "
            "are not supported; write C(g).)"
        )
    return value


def tidy(value: Value, code: str) -> Value:
    """The result of an expression as one of the kinds that a design knows."""
    if isinstance(value, Boxed):
        return replace(value, values=tidy(value.values, code))
    if isinstance(value, pd.Categorical):
        return value
    if isinstance(value, pd.Series) and isinstance(value.dtype, pd.CategoricalDtype):
        return value.array
    array = np.asarray(value)
    if array.dtype.kind in "OUS":
        return as_categorical(array.astype(object)) if array.ndim == 1 else _refuse(array, code)
    if array.dtype.kind not in "biuf" or array.ndim > 2:
        return _refuse(array, code)
    if array.dtype.kind == "b" or array.dtype.itemsize > 8:  # extended precision is rounded last, as in patsy
        return array
    return array.astype(np.int64 if array.dtype.kind in "iu" else np.float64, copy=False)


def _refuse(array: np.ndarray, code: str) -> Any:
    raise DataError(f"{code!r} gives an array of type {array.dtype} and shape {array.shape}; a column is needed.")


def read_only(value: Value) -> Value:
    """A view that the user's function cannot write into."""
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
    return value


def _arithmetic(combine: Callable[[Any, Any], Any]) -> Callable[[Value, Value, str], Value]:
    def run(left: Value, right: Value, text: str) -> Value:
        for side in (left, right):
            if isinstance(plain(side, text), (str, list)) or side is None:
                raise DataError(f"{text}: {side!r} is no number.")
        if combine in _LOGICAL_IN_NUMPY and is_bool(left) and is_bool(right):
            raise DataError(f"{text}: for a count of True write 1 * a + 1 * b, for a condition a | b.")
        return _without_wrapping(combine, left, right) if combine in _MAY_WRAP else combine(left, right)

    return run


def _logical(combine: Callable[[Any, Any], Any]) -> Callable[[Value, Value, str], Value]:
    return lambda left, right, text: combine(boolean(left, text), boolean(right, text))


def is_bool(value: Value) -> bool:
    """Whether a value is True or False, per row or altogether."""
    return isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b"


def _is_integer(value: Value) -> bool:
    return isinstance(value, int) or getattr(getattr(value, "dtype", None), "kind", "") in "iu"


def _without_wrapping(combine: Callable[..., Any], *values: Value) -> Value:
    """Integer arithmetic, or that of doubles where integers would overflow, be inverted or divided by zero."""
    if not all(map(_is_integer, values)):
        return combine(*values)
    as_double = combine(*(np.asarray(value, dtype=float) for value in values))
    inverse = combine in (operator.pow, np.power) and np.min(values[1], initial=0) < 0
    inverse |= combine is np.reciprocal or (combine in _DIVIDES and bool(np.any(np.equal(values[1], 0))))
    if inverse or not np.max(np.abs(as_double), initial=0.0) < _SAFE:
        return as_double
    return combine(*values)


def elementwise(function: np.ufunc, values: Sequence[Value]) -> Value:
    """A ufunc of the values; where it knows no logic, True counts as 1 (numpy answers in half precision)."""
    if function in _MAY_WRAP:
        return _without_wrapping(function, *values)
    if not any("?" in signature.split("->")[0] for signature in function.types):
        values = [np.asarray(value, dtype=np.int64) if is_bool(value) else value for value in values]
    return function(*values)


_LOGICAL_IN_NUMPY = (operator.add, operator.sub)
# integers divided by zero are 0 in numpy, and the reciprocal of 2 is 0
_DIVIDES = frozenset([operator.floordiv, operator.mod, np.floor_divide, np.remainder, np.fmod])
_MAY_WRAP = _DIVIDES | frozenset(
    [operator.add, operator.sub, operator.mul, operator.pow]
    + [np.add, np.subtract, np.multiply, np.power, np.square, np.reciprocal]
)

ARITHMETIC: dict[type, Callable[[Value, Value, str], Value]] = {
    ast.Add: _arithmetic(operator.add),
    ast.Sub: _arithmetic(operator.sub),
    ast.Mult: _arithmetic(operator.mul),
    ast.Div: _arithmetic(operator.truediv),
    ast.FloorDiv: _arithmetic(operator.floordiv),
    ast.Mod: _arithmetic(operator.mod),
    ast.Pow: _arithmetic(operator.pow),
    ast.BitAnd: _logical(operator.and_),
    ast.BitOr: _logical(operator.or_),
}

COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def compared(test: Callable[[Any, Any], Any], left: Value, right: Value, text: str) -> Value:
    """`left <test> right` per row; factors are compared by their levels, and only for equality."""
    if not (_is_factor(left) or _is_factor(right)):
        if isinstance(left, str) or isinstance(right, str):
            raise DataError(f"{text} compares numbers with text.")
        return test(left, right)
    if test not in (operator.eq, operator.ne):
        raise DataError(f"{text}: levels can be compared by == and != only.")
    if not _is_factor(left):
        left, right = right, left
    if _is_factor(right):
        return test(_decoded(left), _decoded(right))
    if isinstance(right, np.ndarray) and right.ndim:
        raise DataError(f"{text} compares levels with numbers.")
    hit = np.array([bool(test(level, right)) for level in left.categories] + [test is operator.ne])
    return hit[left.codes]


def _is_factor(value: Value) -> bool:
    return isinstance(value, pd.Categorical)


def _decoded(value: pd.Categorical) -> np.ndarray:
    return np.asarray(value, dtype=object)
