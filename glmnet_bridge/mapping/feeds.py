"""Feeds: the inputs of a network, read from the rows that are used, in its own number and order."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data import frames
from glmnet_bridge.data.rows import Array
from glmnet_bridge.data.selections import Selection
from glmnet_bridge.design import arguments
from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.encodings import Encoded, Numbers
from glmnet_bridge.design.formulas import Formula, one_sided
from glmnet_bridge.errors import ArgumentError, BridgeError, DataError, DataWarning, listed, nearest, warn
from glmnet_bridge.mapping.inputs import LEVEL, Asked, Fed, Reader, dense_layout, plain_variable, split
from glmnet_bridge.mapping.pieces import OfLevels, Piece, Whole, is_numeric

COUNTING = re.compile(r"(x|input[ _]?)(\d+)")
OF_LEVEL = re.compile(r"\[[^\[\]]*\](?=$|:)")  # of a factor's column: C(g)[T.b], g[T.b]:x


def feed(
    asked: Asked,
    design: Design,
    data: Any,
    index: pd.Index,
    kept: Array | None,
    wanted: tuple[str, ...] | None,
) -> Fed:
    """Read the inputs of the rows that are used.

    Parameters
    ----------
    asked : what was given
    design : the formula's columns
    data : the frame
    index : labels of the rows used
    kept : their positions in the frame, or None for all
    wanted : the network's own names of its inputs, or None where it takes what comes
    """
    if asked.groups is not None:
        raise ArgumentError("inputs= is a dict. Give one list of names, a formula, or one array or frame.")
    if asked.numbers is not None:
        return _of_numbers(asked.numbers, data, kept, wanted)
    if asked.formula is not None:
        fed = _of_formula(asked.formula, design, data, index, kept)
        if wanted is not None and set(wanted) == set(fed.names):
            fed = fed.picked(
                [fed.names.index(name) for name in wanted]
            )  # a formula's columns come in an order that nobody chose
    elif asked.names is not None:
        fed = _of_names(asked.names, design, data, index, kept)
    else:
        fed = _by_own_names(wanted or (), design, data, index, kept) or _of_design(design)
    return _checked(fed, design, wanted)


# --- the network's own names ----------------------------------------------------------------


def _by_own_names(names: tuple[str, ...], design: Design, data: Any, index: pd.Index, kept: Array | None) -> Fed | None:
    """The inputs that a network's own names say; None where the formula's columns are taken in their order."""
    if set(names) <= set(design.names):
        return None
    frame = frames.as_frame(data)
    columns = set(frame.columns)
    strange = [name for name in names if name not in design.names and split(name, columns)[0] is None]
    if not strange:
        return None
    if _by_place(names) and all(name in design.names for name in names if name not in strange):
        taken = _checked(_of_design(design), design, names, named=False).names
        warn(
            f"The network's inputs have no names of columns ({listed(names, 8)}): they are taken to be "
            f"{listed(taken, 12)}, in this order. Say by inputs= what they are.",
            DataWarning,
        )
        return None
    fed = _of_terms(names, design, data, index, kept)
    if fed is None:
        first, near = strange[0], nearest(strange[0], [*frame.columns, *design.names])
        raise ArgumentError(
            f"Input {names.index(first) + 1} of the network is {first!r}, which is no column of the data or of the "
            f"formula.{near} Say by inputs= what the network is fed: "
            f"one name of a column for each of its inputs ({listed(names, 8)}), or a one-sided formula."
        )
    return fed


def _by_place(names: tuple[str, ...]) -> bool:
    """Whether the names only count: x1, x2, ...; input 1, ...; input_0, ..."""
    found = [COUNTING.fullmatch(name) for name in names]
    numbers = [int(each[2]) for each in found if each]
    same = len({each[1] for each in found if each}) == 1
    return same and numbers in (list(range(len(names))), list(range(1, len(names) + 1)))


def _of_terms(names: tuple[str, ...], design: Design, data: Any, index: pd.Index, kept: Array | None) -> Fed | None:
    """The columns of the terms that the names are (`np.log(x)`, `C(g)[T.b]`); None where they are no terms, or others.

    The rows used are those with the formula's variables: a further one that is missing in some is not read here.
    """
    terms = " + ".join(dict.fromkeys(OF_LEVEL.sub("", name) for name in names))
    for text in (terms, f"0 + {terms}"):  # without an intercept a factor has a column for each level
        try:
            formula = one_sided(text)
            values = frames.columns(frames.as_frame(data), sorted(formula.names), rows=kept)
            if any(frames.missing(values[name]) is not None for name in values):
                return None
            fed = _of_formula(formula, design, data, index, kept)
        except BridgeError:
            continue
        own, wanted = ["".join(name.split()) for name in fed.names], ["".join(name.split()) for name in names]
        if sorted(own) == sorted(wanted):
            return fed.picked([own.index(name) for name in wanted])
    return None


# --- the kinds ------------------------------------------------------------------------------


def _of_design(design: Design) -> Fed:
    count = len(design.names)
    return Fed.of(design.names, range(count), (None,) * count, None, Reader())


def _of_names(names: tuple[str, ...], design: Design, data: Any, index: pd.Index, kept: Array | None) -> Fed:
    frame = frames.as_frame(data)
    columns = set(frame.columns)
    pairs = {name: split(name, columns) for name in names}
    read = {variable for variable, _ in pairs.values() if variable is not None}
    values = frames.columns(frame, sorted(read), rows=kept)
    own: list[int] = []
    meanings: list[OfLevels | None] = []
    pieces: list[Piece] = []
    for name, (variable, text) in pairs.items():
        if variable is None and name not in design.names:
            raise no_input(name, [*frame.columns, *design.names])
        same = variable is None or (text is None and name in design.names and is_numeric(values[variable]))
        own.append(design.names.index(name) if same else -1)
        level = None if same or variable is None else level_of(values[variable], variable, text)
        meanings.append(None if level is None else OfLevels(str(variable), (level,), np.ones(1)))
        if not same:
            pieces.append(meanings[-1] or Whole(str(variable)))
    return of_pieces(names, own, meanings, pieces, values, index)


def of_pieces(
    names: tuple[str, ...],
    own: Sequence[int],
    meanings: Sequence[OfLevels | None],
    pieces: Sequence[Piece],
    values: Selection,
    index: pd.Index,
) -> Fed:
    """Inputs of which each is a column of the formula (`own`) or a piece, in their order."""
    factors = {piece.variable for piece in pieces if isinstance(piece, OfLevels)}
    reader = Reader(tuple(pieces), levels={name: tuple(levels_of(values[name])) for name in sorted(factors)})
    return Fed.of(names, own, meanings, reader.read(values, index) if pieces else None, reader)


def _of_formula(formula: Formula, design: Design, data: Any, index: pd.Index, kept: Array | None) -> Fed:
    if formula.offsets:
        raise ArgumentError("inputs= has an offset(...); an offset is no input. Put it into the formula, or offset=.")
    values = frames.columns(frames.as_frame(data), sorted(formula.names), rows=kept)
    fed = Design.learn(formula, values) if values else None
    if fed is None or not [name for name in fed.names if name != "Intercept"]:
        raise ArgumentError(f"inputs={formula.text!r} names no column.")
    names = tuple(name for name in fed.names if name != "Intercept")
    own = tuple(design.names.index(name) if name in design.names else -1 for name in names)
    picks = tuple(fed.names.index(name) for name, at in zip(names, own, strict=True) if at < 0)
    levels = _meanings(fed)
    reader = Reader(design=fed, picks=picks)
    others = reader.read(values, index) if picks else None
    return Fed.of(names, own, [levels.get(name) for name in names], others, reader)


def _of_numbers(numbers: Any, data: Any, kept: Array | None, wanted: tuple[str, ...] | None) -> Fed:
    rows = frames.as_frame(data).index
    table = numbers if isinstance(numbers, pd.DataFrame | pd.Series) else np.asarray(numbers)
    if isinstance(table, np.ndarray) and table.dtype.kind == "O":
        raise ArgumentError(
            "inputs= is not understood: give a list of column names, a one-sided formula such as "
            '"x1 + C(g)", or a table of numbers with one row per row of the data.'
        )
    if table.ndim > 2 or table.ndim == 0:
        raise ArgumentError(f"inputs= has {table.ndim} dimensions; give a table of rows and columns.")
    parts = columns_of(table)
    if wanted is not None and len(parts) != len(wanted):
        raise wrong_number(wanted, tuple(str(name) for name, _ in parts))
    own_names = [str(name) for name, _ in parts] if isinstance(table, pd.DataFrame | pd.Series) else None
    names = tuple(own_names or wanted or [f"input {j + 1}" for j in range(len(parts))])
    if own_names and wanted:
        check_order(wanted, names)
    arrays = []
    for name, (_, column) in zip(names, parts, strict=True):
        array = arguments.aligned("inputs", column, rows)
        finite = np.isfinite(array if kept is None else array[kept])
        if not finite.all():
            raise DataError(
                f"inputs= column {name!r} has {int((~finite).sum())} values that are missing or "
                "not finite in rows that are used. Drop those rows from the data and from inputs=."
            )
        arrays.append(array)
    count = len(names)
    n = len(rows) if kept is None else len(kept)
    dense = tuple((Numbers(array, whole=True),) for array in arrays)
    source = Encoded(n, dense_layout(count), dense, None, used=kept)
    return Fed.of(tuple(wanted or names), (-1,) * count, (None,) * count, source, Reader(fixed=True))


def columns_of(table: Any) -> list[tuple[Any, Any]]:
    """The columns of a table of numbers, with their names."""
    table = table if isinstance(table, pd.DataFrame | pd.Series) else np.asarray(table)
    if isinstance(table, pd.DataFrame):
        return [(name, table.iloc[:, j]) for j, name in enumerate(table.columns)]
    if isinstance(table, pd.Series):
        return [(table.name, table)]
    matrix = table[:, None] if table.ndim == 1 else table
    return [(f"input {j + 1}", matrix[:, j]) for j in range(matrix.shape[1])]


def _meanings(design: Design) -> dict[str, OfLevels]:
    """Columns of a design that depend on one factor, in terms of its levels."""
    out: dict[str, OfLevels] = {}
    for factor in design.factors:
        variable = plain_variable(design, factor.name)
        if variable is not None:
            for j, name in enumerate(factor.columns):
                out[name] = OfLevels(variable, factor.levels, factor.matrix[:, j])
    return out


def level_of(values: Any, variable: str, text: str | None) -> Any:
    """The level that `variable[text]` names; None for a numeric column as it is."""
    if text is None:
        if is_numeric(values):
            return None
        if isinstance(values, np.ndarray):
            return True
        shown = [f"{variable}[{level}]" for level in values.categories]
        raise ArgumentError(
            f"inputs= names the column {variable!r}, which holds levels, not numbers. Name the inputs one by "
            f"one: {listed(shown, 4)}."
        )
    levels = levels_of(values)
    for level in levels:
        if str(level) == text or _as_number(level) == _as_number(text) is not None:
            return level
    raise DataError(f"Column {variable!r} has no level {text!r}; it has {listed(levels, 8)}.{nearest(text, levels)}")


def levels_of(values: Any) -> list[Any]:
    """The levels that a column has, in their order."""
    if isinstance(values, pd.Categorical):
        return values.categories.tolist()
    return [False, True] if values.dtype == bool else np.unique(values).tolist()


def _as_number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


# --- checks ---------------------------------------------------------------------------------


def _checked(fed: Fed, design: Design, wanted: tuple[str, ...] | None, named: bool = True) -> Fed:
    """The inputs in the number and order of the network's; an intercept is fed only where it is counted.

    They are given the network's names, unless `named` is False.
    """
    constant = [j for j, at in enumerate(fed.own) if at >= 0 and design.names[at] == "Intercept"]
    count = None if wanted is None else len(wanted)
    if constant and count != len(fed.names):
        fed = fed.picked([j for j in range(len(fed.names)) if j not in constant])
    if wanted is None:
        return fed
    if count != len(fed.names):
        raise wrong_number(wanted, fed.names)
    check_order(wanted, fed.names)
    return replace(fed, names=wanted) if named else fed


def wrong_number(wanted: tuple[str, ...], given: tuple[str, ...]) -> ArgumentError:
    """The error for too many inputs, or too few."""
    return ArgumentError(
        f"The network takes {len(wanted)} inputs ({listed(wanted, 8)}), but it would be fed {len(given)} "
        f"({listed(given, 8)}). Give inputs= with one entry for each of the network's inputs, in their order."
    )


def check_order(wanted: tuple[str, ...], given: tuple[str, ...], columns: Collection[str] = ()) -> None:
    """A network that knows an input by name must find it at its place.

    Parameters
    ----------
    wanted : the network's names of its inputs
    given : what stands in their places
    columns : those of the names that are columns of the data
    """
    for place, name in enumerate(wanted):
        if name in columns and given[place] != name and name not in given and LEVEL.fullmatch(given[place]) is None:
            raise ArgumentError(
                f"Input {place + 1} of the network is {name!r}, a column of the data, but inputs= has {given[place]!r} "
                f"there. Name {name!r} (or leave inputs= out); if other numbers went under that name in training, give "
                "them as an array."
            )
        if name in given and given[place] != name:
            raise ArgumentError(
                f"Input {place + 1} of the network is {name!r}, but inputs= has {given[place]!r} there and "
                f"{name!r} at place {given.index(name) + 1}. Put them in the network's order: {listed(wanted, 12)}."
            )


def no_input(name: str, allowed: Sequence[str]) -> DataError:
    """The error for an input that is no column."""
    return DataError(
        f"inputs= names {name!r}, which is no column of the data or of the formula.{nearest(name, allowed)} "
        "One level of a factor is written as in site[north]."
    )
