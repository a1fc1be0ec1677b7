"""Transforms that learn from the data: centring, scaling and the parameters of splines.

    transform = learn(columns, settings)      from all rows of the training data
    transform.apply(columns)                  on any rows, with what was learnt

Values are those of patsy to the last bit. Its B-splines call a compiled evaluator once per
basis column; ours runs the recurrence of Cox and de Boor on cache-sized blocks, in the same
order of operations (`bases.py`). Means are kept in extended precision, as patsy keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd
from patsy.mgcv_cubic_splines import CC, CR, TE
from patsy.util import wide_dtype_for

from glmnet_bridge.design.bases import bspline_basis
from glmnet_bridge.design.levels import row_labels
from glmnet_bridge.errors import DataError, FormulaError, listed

Array = np.ndarray
Settings = Mapping[str, Any]
MAX_DF = 200  # basis columns are stored at full length


class Transform(Protocol):
    """State that was learnt from the training data."""

    settings: ClassVar[tuple[str, ...]]
    many: ClassVar[bool]

    @property
    def width(self) -> int: ...

    def apply(self, columns: Sequence[Array]) -> Array: ...


class Outside(Exception):
    """Some values lie outside the range that a spline has learnt."""

    def __init__(self, values: Array, inside: Array, lower: float, upper: float) -> None:
        super().__init__()
        self.values, self.inside, self.lower, self.upper = values, inside, lower, upper

    def message(self, text: str, index: pd.Index | None) -> str:
        """The column, the values and the rows, and what to do."""
        at = np.flatnonzero(~self.inside)
        rows = listed(row_labels(at, index))
        values = listed([f"{value:g}" for value in self.values[at[:20]].tolist()])
        return (
            f"Column {text!r} lies outside the range of its spline, {self.lower:g} to {self.upper:g}: "
            f"{values} (row{'s' if len(at) > 1 else ''} {rows}). Drop those rows, ask for unseen='nan', "
            "or fit with lower_bound= and upper_bound= that include them."
        )


@dataclass(frozen=True, slots=True)
class Centred:
    """`x - mean`, column by column; mean is (k,)."""

    settings: ClassVar[tuple[str, ...]] = ()
    many: ClassVar[bool] = False
    mean: Array

    @classmethod
    def learn(cls, columns: Sequence[Array], settings: Settings, key: str) -> Centred:
        x = _two_dimensional(columns[0])
        total = np.sum(x, 0, dtype=wide_dtype_for(x))
        return cls(np.asarray(total / len(x), dtype=float))

    @property
    def width(self) -> int:
        return len(self.mean)

    def apply(self, columns: Sequence[Array]) -> Array:
        return (_two_dimensional(columns[0]) - self.mean).reshape(columns[0].shape)


@dataclass(frozen=True, slots=True)
class Standardised:
    """`(x - mean) / scale`, column by column; mean and scale are (k,), in extended precision, or None."""

    settings: ClassVar[tuple[str, ...]] = ("center", "rescale", "ddof")
    many: ClassVar[bool] = False
    mean: Array | None
    scale: Array | None

    @classmethod
    def learn(cls, columns: Sequence[Array], settings: Settings, key: str) -> Standardised:
        x = _two_dimensional(columns[0])
        mean, squares = _running_moments(x)
        freedom = len(x) - settings.get("ddof", 0)
        rescale = settings.get("rescale", True)
        if rescale and not (freedom > 0 and np.all(squares > 0)):
            raise DataError(f"{key} cannot be scaled: the column is constant over {len(x)} rows.")
        return cls(
            mean if settings.get("center", True) else None,
            np.sqrt(squares / freedom) if rescale else None,
        )

    @property
    def width(self) -> int:
        return max(0 if part is None else len(part) for part in (self.mean, self.scale))

    def apply(self, columns: Sequence[Array]) -> Array:
        x = _two_dimensional(columns[0])
        if self.mean is not None:
            x = x - self.mean
        if self.scale is not None:
            x = x / self.scale
        return x.reshape(columns[0].shape)


def _running_moments(x: Array) -> tuple[Array, Array]:
    """Mean and sum of squares about it by Welford's recurrence, step by step as patsy does.

    A two-pass sum is as exact and faster, but differs in the last bit.
    """
    wide = wide_dtype_for(x)
    means, squares = np.zeros(x.shape[1], dtype=wide), np.zeros(x.shape[1], dtype=wide)
    for k in range(x.shape[1]):
        mean = square = wide(0.0)
        for n, value in enumerate(x[:, k].astype(wide), start=1):
            delta = value - mean
            mean = mean + delta / n
            square = square + delta * (value - mean)
        means[k], squares[k] = mean, square
    return means, squares


@dataclass(frozen=True, slots=True)
class BSpline:
    """B-spline basis with all knots (boundary knots repeated), in increasing order."""

    settings: ClassVar[tuple[str, ...]] = (
        "df",
        "knots",
        "degree",
        "include_intercept",
        "lower_bound",
        "upper_bound",
    )
    many: ClassVar[bool] = False
    knots: Array
    degree: int
    first: int

    @classmethod
    def learn(cls, columns: Sequence[Array], settings: Settings, key: str) -> BSpline:
        x = _one_column(columns[0], key)
        degree = int(settings.get("degree", 3))
        lower, upper = (
            float(fallback(x) if settings.get(name) is None else settings[name])
            for name, fallback in (("lower_bound", np.min), ("upper_bound", np.max))
        )
        if not lower < upper:
            raise DataError(f"{key} needs a range, but its bounds are {lower:g} and {upper:g}.")
        inner = _inner_knots(x, settings, degree)
        if np.any(inner < lower) or np.any(inner > upper):
            raise DataError(f"{key}: the knots {inner.tolist()} do not lie between the bounds {lower:g} and {upper:g}.")
        if np.any(inner == upper):
            raise DataError(
                f"{key}: a knot falls on the upper bound {upper:g}, because too few rows lie below it. "
                "Use a smaller df=, give knots=, or make a factor of the column by C()."
            )
        knots = np.sort(np.concatenate(([lower, upper] * (degree + 1), inner)))
        return cls(knots, degree, 0 if settings.get("include_intercept", False) else 1)

    @property
    def width(self) -> int:
        return len(self.knots) - self.degree - 1 - self.first

    def apply(self, columns: Sequence[Array]) -> Array:
        x = _one_column(columns[0], "bs()")
        lower, upper = self.knots[0], self.knots[-1]
        if len(x) and not (np.min(x) >= lower and np.max(x) <= upper):
            raise Outside(x, (x >= lower) & (x <= upper), lower, upper)
        return bspline_basis(x, self.knots, self.degree)[:, self.first :]


def _inner_knots(x: Array, settings: Settings, degree: int) -> Array:
    """The given knots, or quantiles of the data."""
    if settings.get("knots") is not None:
        return np.asarray(settings["knots"], dtype=float)
    count = settings["df"] - degree - (1 if settings.get("include_intercept", False) else 0)
    shares = np.linspace(0, 1, count + 2)[1:-1]
    return np.percentile(x, 100 * shares) if count else np.empty(0)


@dataclass(frozen=True, slots=True)
class CubicSpline:
    """Natural (`cr`) or cyclic (`cc`) cubic regression spline; evaluated by patsy itself.

    knots is (k,), constraints is (c, k) or None.
    """

    settings: ClassVar[tuple[str, ...]] = ("df", "knots", "lower_bound", "upper_bound", "constraints")
    many: ClassVar[bool] = False
    cyclic: ClassVar[bool] = False
    knots: Array
    constraints: Array | None

    @classmethod
    def learn(cls, columns: Sequence[Array], settings: Settings, key: str) -> CubicSpline:
        spline = (CC if cls.cyclic else CR)()
        spline.memorize_chunk(_one_column(columns[0], key), **settings)
        try:
            spline.memorize_finish()
        except ValueError as error:
            raise DataError(f"{key}: {error}") from error
        constraints = spline._constraints
        return cls(spline._all_knots.astype(float), None if constraints is None else constraints.astype(float))

    @property
    def width(self) -> int:
        lost = int(self.cyclic) + (0 if self.constraints is None else len(self.constraints))
        return len(self.knots) - lost

    def apply(self, columns: Sequence[Array]) -> Array:
        x = _one_column(columns[0], "a cubic spline")
        if not len(x):
            return np.empty((0, self.width))
        spline = (CC if self.cyclic else CR)()
        spline._all_knots, spline._constraints = self.knots, self.constraints
        return spline.transform(x)


@dataclass(frozen=True, slots=True)
class CyclicSpline(CubicSpline):
    """`cc`: the ends of the range meet."""

    cyclic: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class TensorProduct:
    """All products of the columns of several bases; constraints (c, k) or None are absorbed."""

    settings: ClassVar[tuple[str, ...]] = ("constraints",)
    many: ClassVar[bool] = True
    constraints: Array | None
    width: int

    @classmethod
    def learn(cls, columns: Sequence[Array], settings: Settings, key: str) -> TensorProduct:
        product = TE()
        product.memorize_chunk(*columns, **settings)
        product.memorize_finish()
        constraints = product._constraints
        full = int(np.prod([_two_dimensional(column).shape[1] for column in columns]))
        if constraints is None:
            return cls(None, full)
        if constraints.shape[1] != full:
            raise FormulaError(f"{key}: constraints= has {constraints.shape[1]} columns, the product {full}.")
        return cls(constraints.astype(float), full - len(constraints))

    def apply(self, columns: Sequence[Array]) -> Array:
        if not len(columns[0]):
            return np.empty((0, self.width))
        product = TE()
        product._constraints = self.constraints
        return product.transform(*columns)


def _two_dimensional(x: Array) -> Array:
    return x[:, None] if x.ndim == 1 else x


def _one_column(x: Array, key: str) -> Array:
    """The column of a spline; extended precision is rounded, or its own ends would lie outside the knots."""
    if x.ndim == 2 and x.shape[1] == 1:
        x = x[:, 0]
    if x.ndim != 1:
        raise DataError(f"{key} takes one column; it was given {x.shape[1]}.")
    return x.astype(float) if x.dtype.itemsize > 8 else x


STATEFUL: dict[str, Any] = {
    "center": Centred,
    "scale": Standardised,
    "standardize": Standardised,
    "bs": BSpline,
    "cr": CubicSpline,
    "cc": CyclicSpline,
    "te": TensorProduct,
}


def check_settings(name: str, settings: Settings) -> None:
    """Refuse settings that no data could satisfy."""
    if name in ("bs", "cr", "cc"):
        _check_spline(name, settings)
    if name in ("scale", "standardize"):
        _check_types(name, settings, {"center": bool, "rescale": bool, "ddof": int})
    constraints = settings.get("constraints")
    if not (constraints is None or constraints == "center" or _is_matrix(constraints)):
        raise FormulaError(f"{name}(constraints=...) takes 'center' or a list of rows of numbers.")


def _check_spline(name: str, settings: Settings) -> None:
    _check_types(
        name,
        settings,
        {"df": int, "degree": int, "include_intercept": bool, "lower_bound": float, "upper_bound": float},
    )
    df, knots, degree = settings.get("df"), settings.get("knots"), settings.get("degree", 3)
    if df is None and knots is None:
        raise FormulaError(f"{name}() needs df= or knots=, as in {name}(x, df=5).")
    if knots is not None and not (_is_matrix([knots]) and isinstance(knots, list)):
        raise FormulaError(f"{name}(knots=...) takes a list of numbers, as in knots=[10, 20].")
    if df is not None and not 0 < df <= MAX_DF:
        raise FormulaError(f"{name}(df={df}): df must lie between 1 and {MAX_DF}.")
    if name == "bs":
        if not 0 <= degree <= 20:
            raise FormulaError(f"bs(degree={degree}): the degree must lie between 0 and 20.")
        least = degree + bool(settings.get("include_intercept", False))
        if df is not None and df < least:
            raise FormulaError(f"bs(df={df}) is too small for degree {degree}: it must be at least {least}.")
        if df is not None and knots is not None and len(knots) != df - least:
            raise FormulaError(f"bs(df={df}) of degree {degree} has {df - least} inner knots, not {len(knots)}.")


def _check_types(name: str, settings: Settings, types: Mapping[str, type]) -> None:
    for key, kind in types.items():
        value = settings.get(key)
        good = (int, float) if kind is float else (kind,)
        if value is None and key in ("df", "lower_bound", "upper_bound"):
            continue
        if key in settings and (not isinstance(value, good) or (kind is not bool and isinstance(value, bool))):
            wanted = {bool: "True or False", int: "a whole number", float: "a number"}[kind]
            raise FormulaError(f"{name}({key}={value!r}): {key} must be {wanted}.")


def _is_matrix(value: Any) -> bool:
    try:
        return np.asarray(value, dtype=float).ndim <= 2
    except (TypeError, ValueError):
        return False
