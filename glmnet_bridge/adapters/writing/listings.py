"""Listings: elementary operations on raw columns, each on the results of earlier ones; no framework is known here.

What each kind of operation computes stands at `KINDS`; everything else is one of numpy's elementwise
functions by its name (`"log"`, `"multiply"`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glmnet_bridge.design.transforms import BSpline, CubicSpline, CyclicSpline, Transform

Array = np.ndarray

KINDS = {
    "raw": "column `setting` of the data",
    "constant": "the number `setting` in every row",
    "levels": "for each level of `setting` 1 where the value is it, else 0: (levels,)",
    "is": "whether the value is the level `setting`",
    "number": "yes and no as 1 and 0, whole numbers as numbers",
    "standardised": "(x - mean) / scale, column by column; setting is (mean, scale)",
    "pieces": "piecewise polynomials, several at a time; setting is a `Pieces`",
    "matrix": "the row times the matrix `setting`",
    "column": "column `setting` of several",
    "products": "all products of a column of the first and one of the second; the first varies fastest",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One step: its kind (of `KINDS`, or numpy's name of a function), the steps that it is fed, and its setting.

    `width` is its number of columns; `holds` is "number", "truth", and for columns of the data "integer" or "text" too.
    """

    kind: str
    of: tuple[int, ...] = ()
    setting: Any = None
    width: int = 1
    holds: str = "number"


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """w polynomials of degree d on each of B + 1 intervals, in `u = (x - origin) / scale`.

    The interval of x is the number of breaks that are at most x; the last break belongs to the interval
    before it.

    Attributes
    ----------
    breaks : (B,) increasing
    origin, scale : (B + 1,)
    coefficients : (B + 1, d + 1, w), the highest power first
    """

    breaks: Array
    origin: Array
    scale: Array
    coefficients: Array


@dataclass(frozen=True, slots=True)
class Raw:
    """A column of the data: "real", "integer", "truth" or "text"."""

    name: str
    holds: str


@dataclass(frozen=True, slots=True)
class Export:
    """A design as operations.

    Attributes
    ----------
    raws : the columns of the data that are read
    operations : in the order of computation
    blocks : the steps that make the design's columns, and which of these; the intercept is made by none
    """

    raws: tuple[Raw, ...]
    operations: tuple[Operation, ...]
    blocks: tuple[tuple[int, slice], ...]


class Listing:
    """Operations as they are found; the same one twice is one."""

    def __init__(self, holds: Mapping[str, str]) -> None:
        self.holds = holds
        self.steps: list[Operation] = []
        self._known: dict[Any, int] = {}

    def step(
        self, kind: str, of: Sequence[int] = (), setting: Any = None, width: int = 1, holds: str = "number"
    ) -> int:
        """The place of an operation in the list."""
        if kind in ("levels", "is", "matrix", "standardised") or isinstance(setting, str | int | float):
            key: Any = (kind, tuple(of), _key(setting))
        else:
            key = (kind, tuple(of)) if setting is None else object()
        if key not in self._known:
            self._known[key] = len(self.steps)
            self.steps.append(Operation(kind, tuple(of), setting, width, holds))
        return self._known[key]

    def raw(self, name: str) -> int:
        """A column of the data."""
        return self.step("raw", (), name, 1, "number" if self.holds[name] == "real" else self.holds[name])

    def number(self, at: int) -> int:
        """A step as numbers."""
        return self.step("number", (at,)) if self.steps[at].holds in ("truth", "integer") else at

    def elementwise(self, name: str, of: Sequence[int], holds: str = "number") -> int:
        """numpy's function `name`, column by column; a single column goes with each of several."""
        return self.step(name, of, None, max(self.steps[at].width for at in of), holds)


def _key(setting: Any) -> Any:
    if isinstance(setting, np.ndarray):
        return setting.shape, setting.tobytes()
    if isinstance(setting, tuple):
        return tuple(map(_key, setting))
    return type(setting).__name__, setting


# --- piecewise polynomials ----------------------------------------------------------------------


def pieces(transform: Transform) -> Pieces | None:
    """A spline as polynomials, interval by interval: found from its values, exact up to rounding."""
    if isinstance(transform, BSpline):
        return polynomials(_at(transform), np.unique(transform.knots), transform.degree)
    if isinstance(transform, CyclicSpline):
        return polynomials(_at(transform), transform.knots, 3)
    if isinstance(transform, CubicSpline):
        return polynomials(_at(transform), transform.knots, 3, ends=True)
    return None


def _at(transform: Transform) -> Callable[[Array], Array]:
    return lambda x: transform.apply([x])


def polynomials(function: Callable[[Array], Array], breaks: Array, degree: int, ends: bool = False) -> Pieces:
    """A function of x `(m,)` with values `(m, w)` as polynomials between the breaks, through Chebyshev's points.

    With `ends` those beyond the range are its own continuation; without, they are nan.
    """
    steps = np.diff(breaks)
    nodes = 0.5 - 0.5 * np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    powers = np.vander(nodes, degree + 1)
    origin, scale = np.concatenate([breaks[:1], breaks]), np.concatenate([steps[:1], steps, steps[-1:]])
    width = function(breaks[:1] + steps[:1] * nodes[:1]).shape[1]
    coefficients = np.full((len(breaks) + 1, degree + 1, width), np.nan)
    for j, (start, step) in enumerate(zip(origin, scale, strict=True)):
        if ends or 0 < j < len(breaks):
            side = -1.0 if j == 0 else 1.0
            signs = side ** np.arange(degree, -1, -1)
            coefficients[j] = np.linalg.solve(powers, function(start + side * step * nodes)) * signs[:, None]
    return Pieces(np.asarray(breaks, dtype=float), origin, scale, coefficients)
