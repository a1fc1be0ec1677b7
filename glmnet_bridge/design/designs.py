"""Designs: what a right-hand side has learnt from data, and how it turns rows into columns.

    Design.learn(formula, values)     kinds, levels, contrasts, knots, means: once
    design.encode(values)             any rows as a source of blocks, as often as needed

Columns, their order, names and values are those of patsy to the last bit, with one
exception: levels that no row has are dropped (and kept in `unused`), because their columns
would be zero throughout.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.frames import refuse_lost_digits
from glmnet_bridge.data.rows import Columns, Layout
from glmnet_bridge.data.selections import Selection
from glmnet_bridge.design import states
from glmnet_bridge.design.codings import Coded, Learnt, code_terms
from glmnet_bridge.design.encodings import Encoded, Numbers, Plan, encoded, plan
from glmnet_bridge.design.expressions import Expression, Scope, Value
from glmnet_bridge.design.formulas import Formula
from glmnet_bridge.design.levels import Boxed, as_categorical, places, recoded, row_labels
from glmnet_bridge.design.nodes import look_up
from glmnet_bridge.design.texts import short
from glmnet_bridge.design.transforms import Transform
from glmnet_bridge.errors import ArgumentError, DataError, DataWarning, FormulaError, listed, nearest, warn

Array = np.ndarray
Values = Mapping[str, Any]
_HEAD = 100  # rows that suffice to see whether an expression gives numbers or levels, and how many columns


@dataclass(frozen=True, slots=True)
class Grouping:
    """A categorical factor, for people and for the map to a network.

    Attributes
    ----------
    name : the factor as it is written, such as `C(race)`
    variable : the data column that it reads, or None if it reads several
    levels : its levels in order
    matrix : (levels, columns), the contrasts of its main effect (or of its first use)
    columns : the names of the columns of its main effect; () without one
    """

    name: str
    variable: str | None
    levels: tuple[Any, ...]
    matrix: Array
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Design:
    """A right-hand side with all that it learnt.

    Attributes
    ----------
    formula : the formula it came from
    learnt : each factor by its code: kind, width or levels
    transforms : the state of each stateful call by its text
    coded : the terms in patsy's order, with their contrasts
    names : (p,) column names
    plan : how columns are formed
    rows : how many rows it learnt from
    """

    formula: Formula
    learnt: Mapping[str, Learnt]
    transforms: Mapping[str, Transform]
    coded: tuple[Coded, ...]
    names: tuple[str, ...]
    plan: Plan
    rows: int

    @classmethod
    def learn(cls, formula: Formula, values: Values, *, index: pd.Index | None = None) -> Design:
        """Learn levels, knots and means from rows without missing values (`index` labels them)."""
        values = Selection.of(values)
        n = _length(values, index)
        if n == 0:
            raise DataError("There are no rows to learn from.")
        transforms: dict[str, Transform] = {}
        factors = formula.factors
        for factor in factors:
            transforms.update(factor.expression.learn(values, index))
        learnt = {factor.name(): _examine(factor.expression, values, transforms, n) for factor in factors}
        if not formula.functions and not any(factor.categorical for factor in learnt.values()):
            same = _of_numbers(formula, tuple(factor.width for factor in learnt.values()))
            return cls(formula, same.learnt, transforms, same.coded, same.names, same.plan, n)
        _warn_of_single_levels(learnt)
        return cls.assemble(formula, learnt, transforms, code_terms(formula, learnt), n)

    @classmethod
    def assemble(
        cls,
        formula: Formula,
        learnt: Mapping[str, Learnt],
        transforms: Mapping[str, Transform],
        coded: tuple[Coded, ...],
        rows: int,
    ) -> Design:
        """The design of parts that are already known."""
        names = tuple(
            subterm.name(piece, learnt)
            for term in coded
            for subterm in term.subterms
            for piece in subterm.pieces(learnt)
        )
        _check_names(names)
        return cls(formula, learnt, transforms, coded, names, plan(coded, learnt, max(rows, 16)), rows)

    @property
    def layout(self) -> Layout:
        return self.plan.layout

    @property
    def has_intercept(self) -> bool:
        return self.formula.has_intercept

    @property
    def variables(self) -> frozenset[str]:
        """All data columns that the right side reads, offsets included."""
        parts = [factor.expression for factor in self.formula.factors]
        return frozenset().union(*(part.names for part in (*parts, *self.formula.offsets)))

    @property
    def terms(self) -> tuple[tuple[str, slice], ...]:
        """Each term's name and where its columns stand."""
        found, start = [], 0
        for term in self.coded:
            width = sum(1 for subterm in term.subterms for _ in subterm.pieces(self.learnt))
            found.append((term.name, slice(start, start + width)))
            start += width
        return tuple(found)

    @property
    def factors(self) -> tuple[Grouping, ...]:
        """The categorical factors, in the order of the formula."""
        return tuple(self._grouping(code, factor) for code, factor in self.learnt.items() if factor.categorical)

    @property
    def unused(self) -> dict[str, tuple[Any, ...]]:
        """Levels that were declared but had no row, by factor."""
        return {code: factor.unused for code, factor in self.learnt.items() if factor.unused}

    def encode(self, values: Values, *, unseen: str = "raise", index: pd.Index | None = None) -> Encoded:
        """Read rows as a source of blocks.

        Parameters
        ----------
        values : the columns by name, arrays `(n,)` of numbers or bool, or Categoricals; a `Selection`
            of their rows is read block by block, without a copy of these
        unseen : what a row does that cannot be coded (a level that was not learnt, a value
            outside a spline's knots, the logarithm of 0): "raise" names it, "nan" gives a row of nan
        index : labels of the rows, for messages

        Raises
        ------
        DataError
            If a column is missing, of another kind, or not finite after its transform.
        """
        if unseen not in ("raise", "nan"):
            raise ArgumentError(f"unseen={unseen!r} is unknown; it is 'raise' or 'nan'.")
        chosen = Selection.of(values)
        n = _length(chosen, index)
        scope = Scope(chosen, self.transforms, unseen, index)
        numbers: dict[str, Numbers] = {}
        codes: dict[str, Array] = {}
        for code, factor in self.learnt.items():
            if factor.categorical:
                codes[code] = _codes(factor, scope)
            else:
                numbers[code] = _numbers(factor, scope, chosen, n)
        return encoded(self.plan, n, numbers, codes, scope.blank, chosen.rows)

    def matrix(self, values: Values, *, unseen: str = "raise", index: pd.Index | None = None) -> Array:
        """The rows as one `(n, p)` array: for few rows, and for people."""
        rows = self.encode(values, unseen=unseen, index=index)
        return Columns(*rows.read(0, rows.n), rows.layout).matrix()

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values; `from_json` restores the columns to the last bit."""
        return states.write(self.formula, self.learnt, self.transforms, self.coded, self.rows)

    @classmethod
    def from_json(cls, state: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]] | None = None) -> Design:
        """The design that `to_json` wrote; the user's own functions must be given again."""
        return cls.assemble(*states.read(state, functions))

    def __repr__(self) -> str:
        return f"Design({self.formula.text!r}: {len(self.names)} columns, learnt from {self.rows} rows)"

    def __reduce__(self) -> tuple[Any, ...]:
        return Design.from_json, (self.to_json(), dict(self.formula.functions))

    def _grouping(self, code: str, factor: Learnt) -> Grouping:
        uses = [
            (subterm, self.names[where])
            for (_, where), term in zip(self.terms, self.coded, strict=True)
            for subterm in term.subterms
            if code in subterm.contrasts
        ]
        alone = [use for use in uses if use[0].factors == (code,)]
        subterm, columns = (alone or uses)[0]
        read = factor.expression.names
        return Grouping(
            name=code,
            variable=next(iter(read)) if len(read) == 1 else None,
            levels=factor.levels,
            matrix=subterm.contrasts[code].matrix,
            columns=columns if alone else (),
        )


@functools.lru_cache(maxsize=64)
def _of_numbers(formula: Formula, widths: tuple[int, ...]) -> Design:
    """The design of a formula of numbers alone, which no row can change: formed once, however often it is fitted."""
    pairs = zip(formula.factors, widths, strict=True)
    learnt = {factor.name(): Learnt(factor.expression, width) for factor, width in pairs}
    return Design.assemble(formula, learnt, {}, code_terms(formula, learnt), 0)


def _check_names(names: tuple[str, ...]) -> None:
    """Columns are known by their names everywhere, so no two may share one."""
    if not names:
        raise FormulaError("The formula has no columns: add a predictor, or keep the intercept.")
    if len(set(names)) < len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise FormulaError(f"Two columns of the design are named {twice!r}: rename the column or level behind it.")


def _length(values: Values, index: pd.Index | None) -> int:
    if index is not None:
        return len(index)
    if not values:
        raise DataError("A design without columns needs index= to know the number of rows.")
    return len(next(iter(values.values())))


# --- learning -----------------------------------------------------------------------------


def _examine(expression: Expression, values: Selection, transforms: Mapping[str, Transform], n: int) -> Learnt:
    """The kind of a factor from its first rows; its levels, if it has any, from all rows."""
    first = expression.run(Scope(values.head(expression.names, _HEAD), transforms))
    if _is_numeric(first):
        return Learnt(expression, _width(first, expression))
    value = expression.run(Scope(values, transforms))
    contrast = value.contrast if isinstance(value, Boxed) else None
    found = value.categorical() if isinstance(value, Boxed) else as_categorical(value)
    if len(found) != n:
        raise DataError(f"{short(expression.code)} gives {len(found)} rows for {n}.")
    levels = found.categories.tolist()
    rows = _count(found.codes, len(levels))
    used = tuple(level for level, count in zip(levels, rows, strict=True) if count)
    unused = tuple(level for level, count in zip(levels, rows, strict=True) if not count)
    return Learnt(expression, 0, used, unused, contrast)


def _warn_of_single_levels(learnt: Mapping[str, Learnt]) -> None:
    single = [f"{code} ({factor.levels[0]!r})" for code, factor in learnt.items() if len(factor.levels) == 1]
    if single:
        warn(f"One level only, so nothing to explain: {listed(single)}.", DataWarning)


def _is_numeric(value: Value) -> bool:
    return isinstance(value, np.ndarray) and value.dtype != bool


def _width(value: Array, expression: Expression) -> int:
    if value.ndim == 0:
        raise DataError(f"{expression.code!r} is a constant; the intercept is written 1.")
    return 1 if value.ndim == 1 else value.shape[1]


def _count(codes: Array, levels: int) -> Array:
    """Rows per level; missing ones (-1) are not counted."""
    return np.bincount(codes[codes >= 0] if len(codes) and codes.min() < 0 else codes, minlength=levels)


# --- encoding -----------------------------------------------------------------------------


def _numbers(factor: Learnt, scope: Scope, chosen: Selection, n: int) -> Numbers:
    """The columns of a numeric factor `(n, k)`; a plain one stays as it lies, `(N, 1)` with the rows left out."""
    expression = factor.expression
    plain = expression.column is not None
    value = look_up(chosen.columns, str(expression.column)) if plain else expression.run(scope)
    if not isinstance(value, np.ndarray):
        raise DataError(
            f"Column {expression.code!r} holds text or categories in the new data; the model learnt numbers. "
            "Convert it, for instance with pd.to_numeric."
        )
    if value.dtype == bool:
        value = value.view(np.int8)
    columns = value[:, None] if value.ndim == 1 else value
    whole = plain and chosen.rows is not None
    if columns.shape != (len(columns) if whole else n, factor.width):
        raise _wrong_shape(expression, columns, n, factor.width)
    refuse_lost_digits(columns[chosen.rows] if whole else columns, f"Column {expression.code!r}")
    if not plain:
        _check_finite(columns, expression, scope)
    return Numbers(columns, whole)


def _wrong_shape(expression: Expression, columns: Array, n: int, width: int) -> DataError:
    """The error for a transform that loses rows, or columns that were learnt."""
    if len(columns) != n:
        return DataError(f"{expression.code!r} gives {len(columns)} values for {n} rows; one for each row is needed.")
    given = " x ".join(map(str, columns.shape[1:]))
    return DataError(f"{expression.code!r} gives {given} columns; the model learnt {width}.")


def _check_finite(columns: Array, expression: Expression, scope: Scope) -> None:
    """Refuse what a transform made infinite or undefined; plain columns were checked when they were read."""
    with np.errstate(all="ignore"):
        if np.isfinite(columns.sum()):
            return
    bad = ~np.isfinite(columns).all(axis=1)
    if scope.blank is not None:
        bad &= ~scope.blank
    at = np.flatnonzero(bad)
    if not len(at):
        return
    if scope.unseen == "nan":
        scope.leave_out(bad)
        return
    made = columns[at[0]][~np.isfinite(columns[at[0]])][0]
    causes = [f"{name} = {scope.values[name][at[0]]}" for name in sorted(expression.names)]
    where = f"{len(at)} row{'s'[: len(at) - 1]} ({listed(row_labels(at, scope.index))})"
    hint = ", such as np.log1p(x) where zeros are meant" if made == -np.inf else ""
    raise DataError(
        f"{expression.code!r} gives {made} in {where}, as {listed(causes)} there. Drop those rows, or "
        f"transform the column differently{hint}."
    )


def _codes(factor: Learnt, scope: Scope) -> Array:
    """The code of each row among the learnt levels; rows of other levels are refused or left blank."""
    value = factor.expression.run(scope)
    _check_kind(value, factor)
    inner = value.values if isinstance(value, Boxed) else value
    found = as_categorical(inner)
    place = places(found.categories.tolist(), factor.levels)
    codes = recoded(found.codes, place)
    if len(codes) != _length(scope.values, scope.index):
        raise DataError(
            f"{factor.expression.code!r} gives {len(codes)} rows, not {_length(scope.values, scope.index)}."
        )
    if not len(codes) or codes.min() >= 0:
        return codes
    unknown = codes < 0
    if scope.unseen != "nan":
        raise DataError(_unseen(factor, found, unknown, scope.index))
    scope.leave_out(unknown)
    return np.where(unknown, 0, codes)


def _check_kind(value: Value, factor: Learnt) -> None:
    """Numbers where the levels are text would each be an unseen level: say what is wrong instead."""
    inner = value.values if isinstance(value, Boxed) else value
    if _is_numeric(inner) and all(isinstance(level, str) for level in factor.levels):
        raise DataError(
            f"{factor.expression.code!r} is a number in the new data; the model learnt the levels "
            f"{listed(factor.levels)}. Give these levels as text."
        )


def _unseen(factor: Learnt, found: pd.Categorical, unknown: Array, index: pd.Index | None) -> str:
    """Which level is unknown, where, and what was learnt."""
    at = np.flatnonzero(unknown)
    levels = list(dict.fromkeys(found[at[:1000]]))
    read = sorted(factor.expression.names)
    name = read[0] if len(read) == 1 else factor.expression.code
    which = f"level {levels[0]!r}" if len(levels) == 1 else f"levels {listed([repr(level) for level in levels])}"
    where = f"row{'s'[: len(at) - 1]} {listed(row_labels(at, index))}"
    return (
        f"Column {name!r} has {which} in the new data ({where}); "
        f"the model learnt {listed(factor.levels, 8)}.{nearest(levels[0], factor.levels)} "
        "Drop those rows or refit with them."
    )
