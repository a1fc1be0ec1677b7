"""Moves: which columns of a design a variable changes, what they become, and how fast they change.

    columns = touch.columns(values)        of the rows with other values of a variable
    D = slope.columns(values)              d columns / d variable

A variable may stand in several terms (`x`, `np.log(x)`, `x:g`, `bs(x, df=5)`), and in the offset. A
term of the variable alone has the derivative 1, a product with other columns has these, and what stands
inside a function is differentiated numerically (`derivatives`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from glmnet_bridge.data.rows import Columns
from glmnet_bridge.data.selections import Selection, widened, window
from glmnet_bridge.design.codings import Coded
from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.expressions import Expression
from glmnet_bridge.inference.derivatives import derivative

Array = np.ndarray
Values = Mapping[str, Any]
_NOWHERE: Array = np.empty(0, dtype=int)


@dataclass(frozen=True, slots=True)
class Touch:
    """Columns at the positions `at` `(t,)`, and the part of the offset, that depend on some variables.

    Attributes
    ----------
    at : positions among the p columns
    design : what forms them, or None where there are none
    offsets : the parts of the offset, each with whether its logarithm counts
    reads : the data columns that they read
    """

    at: Array
    design: Design | None
    offsets: tuple[tuple[Expression, bool], ...] = ()
    reads: frozenset[str] = frozenset()

    def columns(self, values: Values, unseen: str = "raise", index: pd.Index | None = None) -> Array:
        """`(m, t)` for rows with these values; with `unseen="nan"` nan where a row cannot be coded."""
        if self.design is None:
            return np.empty((_length(values), 0))
        rows = self.design.encode(values, unseen=unseen, index=index)
        return Columns(*rows.read(0, rows.n), rows.layout).matrix()

    def offset(self, values: Values) -> Array | None:
        """`(m,)`, or None where the offset depends on none of the variables."""
        total = None
        for text, logged in self.offsets:
            part = np.broadcast_to(np.asarray(text.evaluate(values), dtype=float), _length(values))
            with np.errstate(all="ignore"):
                part = np.log(part) if logged else part
            total = part if total is None else total + part
        return total


@dataclass(frozen=True, slots=True)
class Given:
    """Columns of an array, each a variable of its own: `at` `(t,)` by the names."""

    at: Array
    names: tuple[str, ...]
    offsets: tuple[()] = ()

    @property
    def reads(self) -> frozenset[str]:
        return frozenset(self.names)

    def columns(self, values: Values, unseen: str = "raise", index: pd.Index | None = None) -> Array:
        return np.column_stack([np.asarray(values[name], dtype=float) for name in self.names])

    def offset(self, values: Values) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Slope:
    """How the columns move with one variable.

    Attributes
    ----------
    name : the variable
    alone : (a,) positions of columns that are the variable itself
    linear : columns that are the variable times others, or None
    curved : columns and offsets that are functions of it, or None
    scale : a typical distance of the variable, for differences
    """

    name: str
    alone: Array
    linear: Touch | None = None
    curved: Touch | None = None
    scale: float = 1.0

    @property
    def at(self) -> Array:
        """(t,) positions of the columns that move."""
        parts = [self.alone, *(part.at for part in (self.linear, self.curved) if part is not None)]
        return np.concatenate(parts).astype(int)

    @property
    def constant(self) -> bool:
        """Whether the only column that moves is the variable itself."""
        return self.linear is None and self.curved is None

    @property
    def reads(self) -> frozenset[str]:
        """The data columns that are read."""
        parts = (part.reads for part in (self.linear, self.curved) if part is not None)
        return frozenset().union(*parts)

    def columns(self, values: Values, m: int) -> tuple[Array, Array | None]:
        """D `(m, t)` in the order of `at`, and the slope of the offset `(m,)` or None."""
        parts, offset = [np.ones((m, len(self.alone)))], None
        if self.linear is not None:
            parts.append(self.linear.columns({**values, self.name: np.ones(m)}))
        if self.curved is not None:
            found = self._curved(self.curved, values)
            if self.curved.offsets:
                found, offset = found[:, :-1], found[:, -1]
            parts.append(found)
        return np.concatenate(parts, axis=1), offset

    def _curved(self, touch: Touch, values: Values) -> Array:
        x = np.asarray(values[self.name], dtype=float)

        def at(moved: Array, rows: Array) -> Array:
            chosen = {name: values[name][rows] for name in touch.reads if name != self.name}
            there = {**chosen, self.name: moved}
            columns, offset = touch.columns(there, "nan"), touch.offset(there)
            return columns if offset is None else np.column_stack([columns, offset])

        return derivative(at, x, self.scale, self.name)


class Space(Protocol):
    """The variables of a model, and the columns that each changes."""

    @property
    def width(self) -> int:
        """p, the number of columns."""
        ...

    @property
    def variables(self) -> tuple[str, ...]:
        """All names, in the order of the formula; those of the offset last."""
        ...

    def touch(self, names: frozenset[str]) -> Touch | Given:
        """The columns that any of these variables changes."""
        ...

    def slope(self, name: str) -> Slope:
        """How the columns move with a numeric variable."""
        ...

    def grouping(self, name: str) -> tuple[Any, ...] | None:
        """Factors (`Learnt`) that read the variable as levels; None where none does."""
        ...


@dataclass(frozen=True, slots=True)
class ByFormula:
    """The variables of a formula, with the offsets that are computed from columns, and where each term stands."""

    design: Design
    offsets: tuple[tuple[Expression, bool], ...] = ()
    terms: tuple[slice, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", tuple(where for _, where in self.design.terms))

    @property
    def width(self) -> int:
        return len(self.design.names)

    @property
    def variables(self) -> tuple[str, ...]:
        factors = [name for factor in self.design.learnt.values() for name in sorted(factor.expression.names)]
        beside = [name for text, _ in self.offsets for name in sorted(text.names)]
        return tuple(dict.fromkeys([*factors, *beside]))

    def touch(self, names: frozenset[str]) -> Touch:
        return self._touch(lambda codes: bool(self._reading(codes, names)), self._offsets(names))

    def slope(self, name: str) -> Slope:
        names = frozenset([name])
        offsets = self._offsets(names)

        def straight(codes: tuple[str, ...]) -> bool:
            """Whether exactly one factor of the term reads the variable, and that is the variable itself."""
            reading = self._reading(codes, names)
            return len(reading) == 1 and self.design.learnt[reading[0]].expression.column == name

        alone = self._places(lambda codes: len(codes) == 1 and straight(codes))
        linear = self._touch(lambda codes: len(codes) > 1 and straight(codes), ())
        curved = self._touch(lambda codes: bool(self._reading(codes, names)) and not straight(codes), offsets)
        return Slope(
            name,
            np.concatenate([_NOWHERE, *(at for at, _ in alone)]),
            linear if len(linear.at) else None,
            curved if len(curved.at) or offsets else None,
        )

    def grouping(self, name: str) -> tuple[Any, ...] | None:
        found = tuple(f for f in self.design.learnt.values() if f.categorical and name in f.expression.names)
        return found or None

    def _reading(self, codes: tuple[str, ...], names: frozenset[str]) -> list[str]:
        return [code for code in codes if names & self.design.learnt[code].expression.names]

    def _offsets(self, names: frozenset[str]) -> tuple[tuple[Expression, bool], ...]:
        return tuple(part for part in self.offsets if names & part[0].names)

    def _touch(self, wanted: Callable[[tuple[str, ...]], bool], offsets: tuple[tuple[Expression, bool], ...]) -> Touch:
        """The terms whose factors are wanted, as a design of their own."""
        design, chosen = self.design, self._places(wanted)
        coded = tuple(term for _, term in chosen)
        codes = {code for term in coded for code in _factors(term)}
        learnt = {code: factor for code, factor in design.learnt.items() if code in codes}
        names = [factor.expression.names for factor in learnt.values()] + [text.names for text, _ in offsets]
        part = None
        if coded:
            part = Design.assemble(design.formula, learnt, design.transforms, coded, design.rows)
        return Touch(np.concatenate([_NOWHERE, *(at for at, _ in chosen)]), part, offsets, frozenset().union(*names))

    def _places(self, wanted: Callable[[tuple[str, ...]], bool]) -> list[tuple[Array, Coded]]:
        """The terms whose factors are wanted, each with the positions of its columns."""
        pairs = zip(self.terms, self.design.coded, strict=True)
        return [(np.arange(where.start, where.stop), term) for where, term in pairs if wanted(_factors(term))]


def _factors(term: Coded) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code for part in term.subterms for code in part.factors))


@dataclass(frozen=True, slots=True)
class ByColumn:
    """The columns of an array, each a numeric variable: `names` of all p columns, the constant's among them."""

    names: tuple[str, ...]
    intercept: bool

    @property
    def width(self) -> int:
        return len(self.names)

    @property
    def variables(self) -> tuple[str, ...]:
        return self.names[int(self.intercept) :]

    def touch(self, names: frozenset[str]) -> Given:
        chosen = tuple(name for name in self.variables if name in names)
        return Given(np.array([self.names.index(name) for name in chosen], dtype=int), chosen)

    def slope(self, name: str) -> Slope:
        return Slope(name, np.array([self.names.index(name)]))

    def grouping(self, name: str) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Readings:
    """The raw values behind rows, block by block: a selection of data columns, or the design's own columns.

    Attributes
    ----------
    selection : the data columns by name, or None where the variables are columns of the design
    index : (n,) labels of the rows, for errors
    names : of the design's columns
    """

    selection: Selection | None
    index: pd.Index
    names: tuple[str, ...] = ()

    def block(self, start: int, stop: int, matrix: Array) -> dict[str, Any]:
        """Values by name of the rows start to stop, whose columns are `matrix` `(m, p)`."""
        if self.selection is None:
            return {name: matrix[:, j] for j, name in enumerate(self.names)}
        at: Any = window(self.selection.rows, start, stop)
        return {name: widened(column[at]) for name, column in self.selection.columns.items()}


def filled(like: Any, value: Any, m: int) -> Any:
    """m times one value, of the kind of the column `like`."""
    if isinstance(like, pd.Categorical):
        return pd.Categorical.from_codes(np.zeros(m, dtype=np.int8), pd.Index([value], dtype=object))
    if like.dtype.kind == "b":
        return np.full(m, bool(value))
    return np.full(m, float(value))


def rows_of(values: Values, chosen: Array) -> dict[str, Any]:
    """The values of some rows."""
    return {name: column[chosen] for name, column in values.items()}


def _length(values: Values) -> int:
    return len(next(iter(values.values())))
