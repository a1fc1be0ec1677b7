"""Raws: the raw inputs of a foreign model on the rows that are used, and the network's inputs made of them.

    inputs= or the model's own names  ->  raw inputs  ->  features  ->  Fed

A model that knows its columns by name is fed the frame itself. Any other one takes numbers in an
order: `inputs=` says which; without it they are the formula's columns.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data import frames
from glmnet_bridge.data.rows import Array, ArraySource, Columns, Rows
from glmnet_bridge.data.selections import Selection
from glmnet_bridge.design import arguments
from glmnet_bridge.design.designs import Design
from glmnet_bridge.errors import ArgumentError, DataError, listed
from glmnet_bridge.mapping import feeds
from glmnet_bridge.mapping.features import Feature, feature_matrix
from glmnet_bridge.mapping.inputs import Asked, Fed, Reader, ask, dense, known, split
from glmnet_bridge.mapping.pieces import Computed, OfLevels, Piece, Whole, is_numeric


@dataclass(frozen=True, slots=True)
class Intake:
    """What a foreign model says of its raw inputs.

    Attributes
    ----------
    names : of the r raw inputs, in its order
    features : the network's inputs in terms of them
    named : whether the names are columns of the frame that it was trained on; else they are places
    numeric : whether it takes numbers only, so that a factor is fed as the codes of its categories
    groups : names and widths of its inputs, where it takes several
    offset : whether it takes an offset beside them, which is fed 0 here
    """

    names: tuple[str, ...]
    features: tuple[Feature, ...]
    named: bool = False
    numeric: bool = True
    groups: tuple[tuple[str, int], ...] = ()
    offset: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Raws:
    """The raw inputs of the rows that are used.

    Attributes
    ----------
    names : of the raw inputs
    frame, kept : the user's frame and the positions of the rows used, where the model takes columns by name
    rows, fed : over the formula's columns, and how the raw inputs are read beside them, where it takes numbers
    """

    names: tuple[str, ...]
    frame: pd.DataFrame | None = None
    kept: Array | None = None
    rows: Rows | None = None
    fed: Fed | None = None

    def table(self, start: int, stop: int) -> pd.DataFrame:
        """The raw inputs of rows start to stop: the user's own columns, or numbers."""
        if self.frame is None:
            return pd.DataFrame(self._numbers(start, stop), columns=list(self.names), copy=False)
        if self.kept is None:
            return self.frame.iloc[start:stop][list(self.names)]
        at = self.kept[start:stop]
        first, last = (at[0], at[-1] + 1) if len(at) else (0, 0)
        # rows before columns: columns that are no neighbours are copied
        return self.frame.iloc[first:last][list(self.names)].iloc[at - first]

    def some(self, runs: Sequence[tuple[int, int]]) -> pd.DataFrame:
        """The raw inputs of a few short runs of rows, one after the other."""
        if self.frame is None:
            numbers = np.concatenate([self._numbers(start, stop) for start, stop in runs])
            return pd.DataFrame(numbers, columns=list(self.names))
        places = np.concatenate([np.arange(start, stop) for start, stop in runs])
        at = places if self.kept is None else self.kept[places]
        return self.frame.iloc[at][list(self.names)].reset_index(drop=True)

    def _numbers(self, start: int, stop: int) -> Array:
        assert self.rows is not None and self.fed is not None
        return fed_rows(self.rows, self.fed, start, stop)


def own_names(intake: Intake, columns: Collection[str]) -> frozenset[str]:
    """The frame's columns that the model itself names: those that it was trained on, or inputs called like columns."""
    known = intake.named or (bool(intake.groups) and all(name in columns for name in intake.names))
    return frozenset(intake.names) if known else frozenset()


def fed_rows(rows: Rows, fed: Fed, start: int, stop: int) -> Array:
    """What is fed `(m, d)` in rows start to stop, with `rows` over the formula's columns."""
    columns = rows.block(start, stop).columns if any(at >= 0 for at in fed.own) else None
    return fed_matrix(columns, fed, start, stop)


def fed_matrix(columns: Columns | None, fed: Fed, start: int, stop: int) -> Array:
    """What is fed `(m, d)`: columns of the formula, and those read for it; column after column in memory."""
    own = np.array(fed.own)
    if columns is not None and (own >= 0).all():
        return columns.picked(own)
    others = None if fed.others is None else dense(fed.others, start, stop)
    out = np.empty((len(own), stop - start))
    if columns is not None:
        out[own >= 0] = columns.picked(own[own >= 0]).T
    if others is not None:
        out[own < 0] = others.T[[place for place in fed.places if place >= 0]]
    return out.T


def feed_model(
    intake: Intake, asked: Asked, design: Design, data: Any, rows: Rows, index: pd.Index, kept: Array | None
) -> tuple[Fed, Raws]:
    """The network's inputs, and the raw ones that the model itself is fed.

    Parameters
    ----------
    intake : what the model says
    asked : what the caller says
    design, rows : the formula's columns
    data : the frame
    index, kept : labels and positions of the rows used
    """
    if intake.named and (asked.nothing or asked.names == intake.names):
        columns = frames.as_frame(data).columns
        if set(intake.names) <= set(columns) or not known(intake.names, design.names, columns):
            return _by_name(intake, design, data, index, kept)
        asked = Asked(names=intake.names)  # columns of the formula, or single levels: numbers
    asked = _one(intake, asked, data)
    if asked.nothing and own_names(intake, frames.as_frame(data).columns):
        asked = Asked(names=intake.names)
    if asked.names is not None:
        raw, pieces, values = _named_numbers(intake, asked.names, design, data, index, kept)
    else:
        raw, pieces, values = _other_numbers(intake, asked, design, data, index, kept), None, None
    raws = Raws(intake.names, rows=rows, fed=raw)
    if all(feature.plain for feature in intake.features):
        order = [feature.sources[0] for feature in intake.features]
        picked = raw.picked(order)
        said = pieces is not None and not intake.named  # the caller's names say more than "input 2"
        return picked if said else replace(picked, names=tuple(feature.name for feature in intake.features)), raws
    if pieces is None or values is None:
        return _from_table(intake, raws, rows.n), raws
    found = [_piece(feature, pieces, intake.names) for feature in intake.features]
    return _joined(intake.features, found, design, values, index), raws


# --- models that know their columns -------------------------------------------------------------


def _by_name(intake: Intake, design: Design, data: Any, index: pd.Index, kept: Array | None) -> tuple[Fed, Raws]:
    frame = frames.as_frame(data)
    for name in intake.names:
        if name not in frame.columns:
            raise frames.unknown(frame, name, " (the network was trained on it)")
    values = frames.columns(frame, sorted(set(intake.names)), rows=kept)
    pieces: list[Piece] = [_own_piece(name, values) for name in intake.names]
    whole = [Whole(name) for name in intake.names]  # a function is given the columns as the model itself is
    found = [_piece(each, pieces if each.function is None else whole, intake.names) for each in intake.features]
    return _joined(intake.features, found, design, values, index), Raws(intake.names, frame=frame, kept=kept)


def _own_piece(name: str, values: Selection) -> Piece:
    """A column as numbers; yes and no as 1 and 0."""
    column = values.columns[name]
    if isinstance(column, np.ndarray) and column.dtype == bool:
        return OfLevels(name, (True,), np.ones(1))
    return Whole(name)


# --- models that take numbers in an order ---------------------------------------------------------


def _one(intake: Intake, asked: Asked, data: Any) -> Asked:
    """A dict of inputs as one list of names or one table of numbers, in the model's order."""
    if asked.groups is None:
        return asked
    wanted = dict(intake.groups)
    if not wanted:
        raise ArgumentError("inputs= is a dict, but the network has one input. Give one list, formula or table.")
    extra = [name for name in asked.groups if name not in wanted]
    lost = [name for name in wanted if name not in asked.groups]
    if extra or lost:
        raise ArgumentError(
            f"inputs= names {listed(list(asked.groups))}; the inputs of the network are {listed(list(wanted))}."
        )
    parts = [ask(asked.groups[name]) for name in wanted]
    for (name, width), part in zip(intake.groups, parts, strict=True):
        given = len(part.names) if part.names is not None else np.atleast_2d(np.asarray(part.numbers).T).shape[0]
        if part.formula is not None or given != width:
            raise ArgumentError(
                f"inputs= for {name!r}: give {width} names or a table of {width} columns"
                f"{'' if part.formula is not None else f', not {given}'}."
            )
    if all(part.names is not None for part in parts):
        return Asked(names=tuple(name for part in parts for name in part.names or ()))
    frame = frames.as_frame(data)
    columns = [
        arguments.aligned("inputs", column, frame.index)
        for part in parts
        for column in (
            [frame[name] for name in part.names]
            if part.names is not None
            else [each for _, each in feeds.columns_of(part.numbers)]
        )
    ]
    return Asked(numbers=np.column_stack(columns))


def _named_numbers(
    intake: Intake, names: tuple[str, ...], design: Design, data: Any, index: pd.Index, kept: Array | None
) -> tuple[Fed, list[Piece | None], Selection]:
    """The raw inputs by name: numbers, single levels, or the codes of a factor's categories."""
    if len(names) != len(intake.names):
        raise feeds.wrong_number(intake.names, names)
    frame = frames.as_frame(data)
    feeds.check_order(intake.names, names, own_names(intake, frame.columns) & set(frame.columns))
    pairs = {name: _split(name, design, frame.columns) for name in names}
    read = {variable for variable, _ in pairs.values() if variable is not None}
    values = frames.columns(frame, sorted(read), rows=kept)
    own: list[int] = []
    pieces: list[Piece | None] = []
    for name, (variable, text) in pairs.items():
        if variable is None and name not in design.names:
            raise feeds.no_input(name, [*frame.columns, *design.names])
        column = None if variable is None else values.columns[variable]
        plain = variable is None or (text is None and is_numeric(column))
        own.append(design.names.index(name) if plain and name in design.names else -1)
        if variable is None:
            pieces.append(None)
        elif text is None and isinstance(column, pd.Categorical):
            pieces.append(_codes(frame, variable, column))
        else:
            level = feeds.level_of(values[variable], variable, text)
            pieces.append(Whole(variable) if level is None else OfLevels(variable, (level,), np.ones(1)))
    meanings = [piece if isinstance(piece, OfLevels) else None for piece in pieces]
    others = [piece for piece, at in zip(pieces, own, strict=True) if at < 0 and piece is not None]
    return feeds.of_pieces(names, own, meanings, others, values, index), pieces, values


def _split(name: str, design: Design, columns: Collection[str]) -> tuple[str | None, str | None]:
    """The variable and level that a name says; none for an indicator beside a reference, `site[T.north]`."""
    variable, text = split(name, columns)
    coded = name in design.names and text is not None and text.startswith("T.")
    return (None, None) if coded else (variable, text)


def _codes(frame: pd.DataFrame, variable: str, column: pd.Categorical) -> OfLevels:
    """A factor as the codes of its categories; text has no codes of its own."""
    if not isinstance(frame[variable].dtype, pd.CategoricalDtype):
        raise ArgumentError(
            f"inputs= names {variable!r}, which holds text; the network takes numbers. Say which number stands for "
            f'which level: make it a category (.astype("category"), whose codes are fed), or name single levels, '
            f"as in {variable}[{column.categories[0]}]."
        )
    return OfLevels(variable, tuple(column.categories), np.arange(len(column.categories), dtype=float))


def _other_numbers(intake: Intake, asked: Asked, design: Design, data: Any, index: pd.Index, kept: Array | None) -> Fed:
    """The raw inputs by a formula, as a table of numbers, or as the formula's own columns."""
    wanted = intake.names if intake.named else None
    if isinstance(asked.numbers, pd.DataFrame):
        given = tuple(str(name) for name in asked.numbers.columns)
        columns = frames.as_frame(data).columns
        if len(given) == len(intake.names):
            feeds.check_order(intake.names, given, own_names(intake, columns) & set(columns))
    fed = feeds.feed(asked, design, data, index, kept, wanted)
    if asked.nothing and "Intercept" in fed.names:
        fed = fed.picked([j for j, name in enumerate(fed.names) if name != "Intercept"])
    if len(fed.names) != len(intake.names):
        raise feeds.wrong_number(intake.names, fed.names)
    return fed


def _from_table(intake: Intake, raws: Raws, n: int) -> Fed:
    """Levels and computed columns of raw inputs that are mere numbers: these have no meaning in other data."""
    matrix = feature_matrix(intake.features, raws.table(0, n))
    count = len(intake.features)
    source = ArraySource(matrix)
    names = tuple(feature.name for feature in intake.features)
    return Fed.of(names, (-1,) * count, (None,) * count, source, Reader(fixed=True))


# --- features -------------------------------------------------------------------------------------


def _piece(feature: Feature, raw: Sequence[Piece | None], names: tuple[str, ...]) -> Piece:
    """A feature in terms of the frame's columns."""
    parts = [raw[at] for at in feature.sources]
    lost = [names[at] for at, part in zip(feature.sources, parts, strict=True) if part is None]
    if lost:
        raise DataError(f"Input {lost[0]!r} is a column of the formula, not of the data: name the data's column.")
    first = parts[0]
    if feature.function is not None:
        labels = tuple(names[at] for at in feature.sources)
        known = tuple(part for part in parts if isinstance(part, Whole | OfLevels))
        return Computed(feature.function, known, labels, feature.column)
    assert first is not None
    if feature.plain:
        return first
    level = feature.level[0]
    if isinstance(first, OfLevels) and len(first.levels) > 1:  # codes: the level is the category with this code
        at = np.flatnonzero(first.weights == level)
        return OfLevels(first.variable, (first.levels[at[0]] if len(at) else _NONE,), np.ones(1))
    return OfLevels(first.variables[0], (level,), np.ones(1))


_NONE = object()  # a level that no row has


def _joined(
    features: Sequence[Feature], pieces: Sequence[Piece], design: Design, values: Mapping[str, Any], index: pd.Index
) -> Fed:
    """The features as inputs; one that is a column of the formula is not read again."""
    own = [
        design.names.index(piece.variable) if isinstance(piece, Whole) and piece.variable in design.names else -1
        for piece in pieces
    ]
    meanings = [piece if isinstance(piece, OfLevels) else None for piece in pieces]
    others = [piece for piece, at in zip(pieces, own, strict=True) if at < 0]
    names = tuple(feature.name for feature in features)
    return feeds.of_pieces(names, own, meanings, others, Selection.of(values), index)
