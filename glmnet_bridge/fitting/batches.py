"""Batches: rows picked by position, without a second copy of the design.

    hold(rows)                  rows whose columns can be picked at random
    subset(rows, positions)     some of the rows, read through their source
    batches(rows, size, rng)    one shuffled epoch, cut into batches

An array is picked from as it is. Columns that a design encodes are held as one array while
it is small; beyond that an epoch shuffles runs of consecutive rows and then the rows of
some 60 runs at a time, so that reading stays sequential and memory flat.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from glmnet_bridge.data.rows import ArraySource, Layout, Rows, Source

Array = np.ndarray

HELD = 256 * 2**20  # bytes of encoded columns that may be held as one array
RUN = 256  # consecutive rows that stay together until the pool is shuffled
POOL = 16384  # rows that are picked at a time: their columns stay in cache
GAP = 64  # rows between two wanted ones that are read over rather than skipped


@dataclass(frozen=True, slots=True)
class Held:
    """Columns in memory: dense `(n, q)` and cell numbers `(n,)` or None."""

    dense: Array
    cell: Array | None
    layout: Layout

    @property
    def n(self) -> int:
        return len(self.dense)

    def read(self, start: int, stop: int) -> tuple[Array, Array | None]:
        dense = np.asarray(self.dense[start:stop], dtype=float)
        return dense, None if self.cell is None else self.cell[start:stop]


@dataclass(frozen=True, slots=True)
class Subset:
    """The rows of a source at sorted `positions` `(n,)`."""

    source: Source
    positions: Array

    @property
    def n(self) -> int:
        return len(self.positions)

    @property
    def layout(self) -> Layout:
        return self.source.layout

    def read(self, start: int, stop: int) -> tuple[Array, Array | None]:
        return gather(self.source, self.positions[start:stop])


def hold(rows: Rows) -> Rows:
    """The same rows over columns in memory, where they are there already or small enough."""
    source = rows.source
    if isinstance(source, ArraySource):
        return replace(rows, source=Held(source.array, None, source.layout))
    if source.n * len(source.layout.at_dense) * 8 > HELD:
        return rows
    dense, cell = source.read(0, source.n)
    return replace(rows, source=Held(dense, cell, source.layout))


def gather(source: Source, positions: Array) -> tuple[Array, Array | None]:
    """Dense columns `(m, q)` and cell numbers `(m,)` at `positions` `(m,)`, in their order."""
    if isinstance(source, Subset):
        return gather(source.source, source.positions[positions])
    if isinstance(source, Held):
        dense = np.asarray(source.dense[positions], dtype=float)
        return dense, None if source.cell is None else source.cell[positions]
    order = np.argsort(positions, kind="stable")
    at = positions[order]
    far = np.diff(at) > GAP
    parts = [_piece(source, piece) for run in np.split(at, np.flatnonzero(far) + 1) for piece in _short(run)]
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    dense = np.concatenate([part for part, _ in parts])[back]
    cells = [cell for _, cell in parts if cell is not None]
    return dense, np.concatenate(cells)[back] if cells else None


def _short(at: Array) -> list[Array]:
    """Cut sorted positions so that no piece spans more than a pool."""
    if at[-1] - at[0] < POOL:
        return [at]
    return np.split(at, np.searchsorted(at, np.arange(at[0] + POOL, at[-1] + 1, POOL)))


def _piece(source: Source, at: Array) -> tuple[Array, Array | None]:
    """Sorted, near positions: one read, then a pick."""
    if not len(at):
        return source.read(0, 0)
    dense, cell = source.read(int(at[0]), int(at[-1]) + 1)
    return dense[at - at[0]], None if cell is None else cell[at - at[0]]


def subset(rows: Rows, positions: Array) -> Rows:
    """The rows at sorted `positions`; their columns are read when they are needed."""
    return replace(
        rows,
        source=Subset(rows.source, positions),
        response=rows.response[positions],
        weights=rows.weights[positions],
        offset=None if rows.offset is None else rows.offset[positions],
    )


def take(rows: Rows, positions: Array) -> Rows:
    """The rows at `positions`, in their order, with their columns in memory."""
    dense, cell = gather(rows.source, positions)
    if rows.shift is not None:
        dense = dense - rows.shift
    if rows.scale is not None:
        dense = dense * rows.scale
    return Rows(
        source=Held(dense, cell, rows.source.layout),
        response=rows.response[positions],
        weights=rows.weights[positions],
        offset=None if rows.offset is None else rows.offset[positions],
    )


def batches(rows: Rows, size: int, random: np.random.Generator) -> Iterator[tuple[Rows, list[tuple[int, int]]]]:
    """One epoch: picked rows, and the spans of the batches among them; every row comes once."""
    pool = max(size, POOL // size * size)
    direct = _direct(rows.source)
    order = random.permutation(rows.n) if direct else _runs(rows.n, random)
    for start in range(0, rows.n, pool):
        at = order[start : start + pool]
        chunk = take(rows, at if direct else random.permutation(at))
        yield chunk, [(first, min(first + size, len(at))) for first in range(0, len(at), size)]


def _direct(source: Source) -> bool:
    return isinstance(source, Held) or (isinstance(source, Subset) and isinstance(source.source, Held))


def _runs(n: int, random: np.random.Generator) -> Array:
    """All positions, runs of consecutive ones in random order."""
    starts = random.permutation(-(-n // RUN)) * RUN
    order = (starts[:, None] + np.arange(RUN)).ravel()
    return order[order < n]
