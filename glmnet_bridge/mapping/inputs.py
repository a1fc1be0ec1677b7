"""Inputs: what a network is fed, read from the same rows as the formula's columns.

    None                        the formula's own columns
    ["age", "site[north]"]      columns of the frame; one level of a factor as 0 or 1
    "x1 + C(g)"                 a one-sided formula, without its intercept
    array or frame              numbers, aligned with the rows

`ask` looks at what was given before any row is read; `feeds.feed` then reads it. An input that
is a column of the formula is not read again: `Fed.own` says which one it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.frames import rows_where
from glmnet_bridge.data.rows import Array, Columns, Layout, Source
from glmnet_bridge.data.selections import Selection
from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.encodings import Encoded
from glmnet_bridge.design.formulas import Formula, one_sided
from glmnet_bridge.errors import ArgumentError, DataError, listed, nearest
from glmnet_bridge.mapping.pieces import Made, OfLevels, Piece

LEVEL = re.compile(r"(.+)\[(.+)\]")
Functions = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """`inputs=` before any row is read: names, a formula, numbers, or a dict of them by the network's inputs.

    All None for the formula's columns.
    """

    names: tuple[str, ...] | None = None
    formula: Formula | None = None
    numbers: Any = None
    groups: Mapping[str, Any] | None = None

    @property
    def nothing(self) -> bool:
        """Whether nothing was given."""
        return self.names is None and self.formula is None and self.numbers is None and self.groups is None

    def variables(self, columns: Collection[str]) -> frozenset[str]:
        """The frame's columns that will be read; rows that lack one of them cannot be used."""
        if self.formula is not None:
            return self.formula.names
        names = self.names or ()
        if self.groups is not None:
            names = tuple(name for each in self.groups.values() for name in ask(each).names or ())
        found = (split(name, columns)[0] for name in names)
        return frozenset(name for name in found if name is not None)


@dataclass(frozen=True, slots=True)
class Reader:
    """How the inputs that are no columns of the formula are read, for other data too.

    Attributes
    ----------
    pieces : what each is, where they were named one by one
    design : what the one-sided formula learnt, or None
    picks : the columns of that design that are read
    fixed : whether they were given as numbers, which other data do not have
    levels : what each column had, of which single levels are read
    """

    pieces: tuple[Piece, ...] = ()
    design: Design | None = None
    picks: tuple[int, ...] = ()
    fixed: bool = False
    levels: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def variables(self) -> frozenset[str]:
        """The frame's columns that are read."""
        if self.design is not None:
            return self.design.variables
        return frozenset(name for piece in self.pieces for name in piece.variables)

    def read(self, values: Mapping[str, Any], index: pd.Index, unseen: str = "raise") -> Source:
        """The columns of rows without missing values."""
        if self.design is not None:
            return Chosen(self.design.encode(values, unseen=unseen, index=index), self.picks)
        chosen = Selection.of(values)
        unknown = {name: self._unknown(name, chosen[name], index, unseen) for name in self.levels}
        made: Made = {}
        dense = tuple((piece.rows(chosen, unknown, made),) for piece in self.pieces)
        return Encoded(len(index), dense_layout(len(dense)), dense, None, used=chosen.rows)

    def _unknown(self, name: str, values: Any, index: pd.Index, unseen: str) -> Array | None:
        """Which rows have a level that was not learnt: all its inputs would be 0, as for no level at all."""
        learnt = list(self.levels[name])
        if isinstance(values, pd.Categorical):
            strange = np.array([level not in learnt for level in values.categories], dtype=bool)
            unknown = strange[values.codes] if strange.any() else np.zeros(len(values), dtype=bool)
        else:
            unknown = ~np.isin(values, learnt)
        if not unknown.any():
            return None
        if unseen == "nan":
            return unknown
        level = values[np.flatnonzero(unknown)[:1]].tolist()[0]
        raise DataError(
            f"Column {name!r} has level {level!r} in the new data ({rows_where(index, unknown)}); the network "
            f"was fed {listed(learnt, 8)}.{nearest(level, learnt)} Drop those rows, or use unseen='nan'."
        )


@dataclass(frozen=True, slots=True)
class Fed:
    """What a network is fed.

    Attributes
    ----------
    names : of the d inputs
    own : (d,) the position of each among the formula's columns, or -1
    meanings : what each is in terms of a factor's levels, where that is known
    others : the columns of the inputs that are not the formula's
    reader : how these are read
    places : (d,) the position of each input among the others, or -1
    """

    names: tuple[str, ...]
    own: tuple[int, ...]
    meanings: tuple[OfLevels | None, ...]
    others: Source | None
    reader: Reader
    places: tuple[int, ...]

    @classmethod
    def of(
        cls,
        names: tuple[str, ...],
        own: Sequence[int],
        meanings: Sequence[OfLevels | None],
        others: Source | None,
        reader: Reader,
    ) -> Fed:
        """Inputs whose other columns come in the order of the inputs."""
        waiting = iter(range(len(own)))
        places = tuple(-1 if at >= 0 else next(waiting) for at in own)
        return cls(names, tuple(own), tuple(meanings), others, reader, places)

    def picked(self, order: Sequence[int]) -> Fed:
        """Some of the inputs, in another order."""
        names, own, meanings, places = (
            tuple(each[j] for j in order) for each in (self.names, self.own, self.meanings, self.places)
        )
        return Fed(names, own, meanings, self.others, self.reader, places)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Some columns of a source, all dense."""

    source: Source
    picks: tuple[int, ...]

    @property
    def n(self) -> int:
        return self.source.n

    @property
    def layout(self) -> Layout:
        return dense_layout(len(self.picks))

    def read(self, start: int, stop: int) -> tuple[Array, Array | None]:
        return dense(self.source, start, stop)[:, list(self.picks)], None


def dense(source: Source, start: int, stop: int) -> Array:
    """All columns of some rows as one `(m, p)` array."""
    return Columns(*source.read(start, stop), source.layout).matrix()


def dense_layout(width: int) -> Layout:
    """All columns dense."""
    return Layout(np.arange(width), np.arange(0), np.ones((1, 0)))


def ask(inputs: Any, functions: Functions | None = None) -> Asked:
    """Look at `inputs=` before any row is read.

    Raises
    ------
    ArgumentError
        for something that is neither names, a formula nor numbers
    """
    if inputs is None:
        return Asked()
    if isinstance(inputs, str):
        return Asked(formula=one_sided(inputs, functions))
    if isinstance(inputs, Mapping):
        return Asked(groups=inputs)
    if isinstance(inputs, Sequence | pd.Index) and len(inputs) and all(isinstance(name, str) for name in inputs):
        if len(set(inputs)) < len(inputs):
            raise ArgumentError(f"inputs= names a column twice: {listed(list(inputs), 10)}.")
        return Asked(names=tuple(inputs))
    return Asked(numbers=inputs)


def widths(asked: Asked) -> int | dict[str, int] | None:
    """How many inputs the caller names, in all or by the network's input; None where that is not said by a count."""
    if asked.groups is not None:
        found = {str(name): widths(ask(each)) for name, each in asked.groups.items()}
        counts = {name: each for name, each in found.items() if isinstance(each, int)}
        return counts if len(counts) == len(found) else None
    if asked.names is not None:
        return len(asked.names)
    if asked.numbers is None:
        return None
    shape = np.shape(asked.numbers)
    return None if len(shape) not in (1, 2) else 1 if len(shape) == 1 else int(shape[1])


def split(name: str, columns: Collection[str]) -> tuple[str | None, str | None]:
    """`("site", "north")` for `site[north]`, `("age", None)` for a column, `(None, None)` for neither."""
    if name in columns:
        return name, None
    found = LEVEL.fullmatch(name)
    if found and found[1] in columns:
        return found[1], found[2]
    return None, None


def known(names: tuple[str, ...], design_names: Collection[str], columns: Collection[str]) -> bool:
    """Whether each name says by itself which column it is."""
    return all(name in design_names or split(name, columns)[0] is not None for name in names)


def plain_variable(design: Design, factor: str) -> str | None:
    """The column that a factor of the formula codes as it is (`g`, `C(g, Sum)`), or None."""
    read = design.learnt[factor].expression
    if read.call == "C" and read.arguments:
        return read.arguments[0].column
    return read.column
