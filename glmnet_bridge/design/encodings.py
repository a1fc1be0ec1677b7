"""Encodings: rows read as columns, block by block, without a matrix of all rows.

    column of the design = product of pieces,  a piece = numbers of the rows, or contrast[code]

Numeric columns stay views of the caller's memory, where rows are left out with the positions of
the others; factors stay codes. Columns of factors alone live in a small table with one row per
combination of levels (a cell); all others are formed in `read`, for a block of rows at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glmnet_bridge.data.rows import Layout
from glmnet_bridge.data.selections import pick_into, window
from glmnet_bridge.design.codings import Coded, Learnt

Array = np.ndarray
Piece = tuple[str, int | Array]  # a factor and its column number, or the contrast column of its levels
MAX_CELLS = 4096


@dataclass(frozen=True, slots=True)
class Plan:
    """How the columns of a design are formed; known before any row is.

    Attributes
    ----------
    layout : which columns are dense and which live in the cell table
    dense : the pieces of each dense column, in the order in which patsy multiplies them
    cells : the factors whose levels make up a cell, and the number of levels of each
    """

    layout: Layout
    dense: tuple[tuple[Piece, ...], ...]
    cells: tuple[tuple[str, int], ...]


def plan(terms: Sequence[Coded], learnt: Mapping[str, Learnt], most: int) -> Plan:
    """Divide the columns between the cell table (at most `most` cells) and dense columns."""
    columns = [pieces for term in terms for pieces in _columns(term, learnt)]
    cells = _cell_factors(terms, learnt, min(most, MAX_CELLS))
    names = {code for code, _ in cells}
    at_table: list[int] = []
    at_dense: list[int] = []
    for at, pieces in enumerate(columns):
        (at_table if all(code in names for code, _ in pieces) else at_dense).append(at)
    table = _table([columns[at] for at in at_table], cells)
    layout = Layout(np.array(at_dense, dtype=int), np.array(at_table, dtype=int), table)
    return Plan(layout, tuple(columns[at] for at in at_dense), cells)


def _columns(term: Coded, learnt: Mapping[str, Learnt]) -> list[tuple[Piece, ...]]:
    """The pieces of each column of a term; a factor's piece is its contrast column."""
    found: list[tuple[Piece, ...]] = []
    for subterm in term.subterms:
        for pieces in subterm.pieces(learnt):
            contrasts = subterm.contrasts
            found.append(
                tuple((code, contrasts[code].matrix[:, at] if code in contrasts else at) for code, at in pieces)
            )
    return found


def _cell_factors(terms: Sequence[Coded], learnt: Mapping[str, Learnt], most: int) -> tuple[tuple[str, int], ...]:
    """Factors that occur without numbers, the widest first, as far as their cells stay within `most`."""
    pure = [
        code
        for term in terms
        for subterm in term.subterms
        if all(learnt[code].categorical for code in subterm.factors)
        for code in subterm.factors
    ]
    chosen: list[tuple[str, int]] = []
    cells = 1
    for code in sorted(dict.fromkeys(pure), key=lambda code: -len(learnt[code].levels)):
        levels = len(learnt[code].levels)
        if cells * levels <= most:
            cells *= levels
            chosen.append((code, levels))
    return tuple(chosen)


def _table(columns: Sequence[Sequence[Piece]], cells: Sequence[tuple[str, int]]) -> Array:
    """The value of each column in each cell: (cells, columns)."""
    sizes = [levels for _, levels in cells]
    count = math.prod(sizes)
    if not cells:
        return np.ones((count, len(columns)))
    level = dict(zip([code for code, _ in cells], np.indices(sizes).reshape(len(sizes), count), strict=True))
    table = np.ones((count, len(columns)))
    for at, pieces in enumerate(columns):
        for code, contrast in pieces:
            table[:, at] *= np.asarray(contrast)[level[code]]
    return table


@dataclass(frozen=True, slots=True)
class Numbers:
    """A piece that is a number per row; if `whole`, of the rows that are left out too."""

    values: Array
    whole: bool = False

    def rows(self, own: slice, lying: slice | Array) -> Array:
        return self.values[lying if self.whole else own]

    def into(self, column: Array, own: slice, lying: slice | Array) -> None:
        pick_into(column, self.values, lying if self.whole else own)


@dataclass(frozen=True, slots=True)
class Codes:
    """A piece that depends on the level: contrast (levels,) at the codes (n,)."""

    contrast: Array
    codes: Array

    def rows(self, own: slice, lying: slice | Array) -> Array:
        return self.contrast[self.codes[own]]

    def into(self, column: Array, own: slice, lying: slice | Array) -> None:
        column[:] = self.rows(own, lying)


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Rows of a design, to be read in blocks; a `Source` for `Rows`. Reading changes nothing.

    Attributes
    ----------
    n : rows
    layout : where the columns live
    dense : the pieces of each dense column
    cell : (n,) the cell of each row, or None if there is one cell only
    blank : (n,) True for rows that the design cannot code (all their columns are nan), or None
    used : (n,) the positions of the rows in pieces that are whole; None where no row is left out
    """

    n: int
    layout: Layout
    dense: tuple[tuple[Numbers | Codes, ...], ...]
    cell: Array | None
    blank: Array | None = None
    used: Array | None = None

    def read(self, start: int, stop: int) -> tuple[Array, Array | None]:
        """Dense columns `(m, q)`, column-major, and cell numbers `(m,)` of rows start to stop."""
        stop = min(stop, self.n)
        own, lying = slice(start, stop), window(self.used, start, stop)
        block = np.empty((stop - start, len(self.dense)), order="F")
        for column, (first, *others) in zip(block.T, self.dense, strict=True):
            first.into(column, own, lying)
            for piece in others:
                column *= piece.rows(own, lying)
        if self.blank is not None:
            block[self.blank[own]] = np.nan
        cell = None if self.cell is None else self.cell[own].astype(np.intp)
        return block, cell


def encoded(
    how: Plan,
    n: int,
    numbers: Mapping[str, Numbers],
    codes: Mapping[str, Array],
    blank: Array | None,
    used: Array | None = None,
) -> Encoded:
    """Bind a plan to rows: by factor, numbers `(n, k)` (`(N, k)` if they are whole) or codes `(n,)`."""
    dense = tuple(
        tuple(
            Codes(at, codes[code]) if isinstance(at, np.ndarray) else _number(numbers[code], at, pieces)
            for code, at in pieces
        )
        for pieces in how.dense
    )
    cell = _cell(how.cells, codes)
    if blank is None or not blank.any():
        return Encoded(n, how.layout, dense, cell, None, used)
    layout, cell = _with_blank_cell(how.layout, cell, blank)
    return Encoded(n, layout, dense, cell, blank, used)


def _number(numbers: Numbers, at: int, pieces: Sequence[Piece]) -> Numbers:
    """Extended precision (of `scale`) matters in products only: patsy rounds them once, at the end."""
    column = numbers.values[:, at]
    rounded = column.dtype.itemsize > 8 and len(pieces) == 1
    return Numbers(column.astype(float) if rounded else column, numbers.whole)


def _cell(cells: Sequence[tuple[str, int]], codes: Mapping[str, Array]) -> Array | None:
    """The cell number of each row, in two bytes: its levels as digits of mixed radix."""
    if not cells:
        return None
    (first, _), *others = cells
    cell = codes[first]
    for code, levels in others:
        cell = cell.astype(np.int16) if cell.dtype != np.int16 else cell
        cell = cell * np.int16(levels)
        cell += codes[code]
    return cell


def _with_blank_cell(layout: Layout, cell: Array | None, blank: Array) -> tuple[Layout, Array]:
    """One more cell, whose columns are nan, for the rows that cannot be coded."""
    table = np.vstack([layout.table, np.full(layout.table.shape[1], np.nan)])
    known = np.zeros(len(blank), dtype=np.int16) if cell is None else cell
    return Layout(layout.at_dense, layout.at_table, table), np.where(blank, np.int16(len(table) - 1), known)
