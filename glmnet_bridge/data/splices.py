"""Splices: some columns of a source, or those of two sources side by side, without a copy of the rows.

part = Picked(source, columns)        both = Joined(one, other)        read block by block, as any source
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from glmnet_bridge.data.rows import Columns, Layout, Source, neighbours

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Picked:
    """Some columns of a source, in the order of `at` `(m,)`, positions in its design."""

    source: Source
    at: Array
    n: int = field(init=False)
    layout: Layout = field(init=False)
    dense: Array | slice = field(init=False)

    def __post_init__(self) -> None:
        whole = self.source.layout
        place = np.full(whole.width, -1)
        place[self.at] = np.arange(len(self.at))
        dense, table = place[whole.at_dense], place[whole.at_table]
        layout = Layout(dense[dense >= 0], table[table >= 0], whole.table[:, table >= 0])
        chosen = np.flatnonzero(dense >= 0)
        together = neighbours(chosen)
        object.__setattr__(self, "n", self.source.n)
        object.__setattr__(self, "layout", layout)
        object.__setattr__(self, "dense", chosen if together is None else together)

    def read(self, start: int, stop: int) -> tuple[Array, Array | None]:
        dense, cell = self.source.read(start, stop)
        return dense[:, self.dense], cell


@dataclass(frozen=True, slots=True)
class Joined:
    """The columns of two sources of the same rows, those of `one` first; those of `other` as dense ones."""

    one: Source
    other: Source
    n: int = field(init=False)
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        at = self.one.layout
        added = at.width + np.arange(self.other.layout.width)
        object.__setattr__(self, "n", self.one.n)
        object.__setattr__(self, "layout", Layout(np.concatenate([at.at_dense, added]), at.at_table, at.table))

    def read(self, start: int, stop: int) -> tuple[Array, Array | None]:
        dense, cell = self.one.read(start, stop)
        added = Columns(*self.other.read(start, stop), self.other.layout).matrix()
        return np.concatenate([dense, added], axis=1), cell
