"""Pieces: one input of a network each, in terms of the frame's columns.

Whole        a column of numbers as it is
OfLevels     a number for each level of a factor (an indicator, or the codes of its categories)
Computed     a column of what a function makes of some columns (splines, products)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.selections import Selection, window
from glmnet_bridge.design.encodings import Codes, Numbers
from glmnet_bridge.errors import DataError

Array = np.ndarray
Made = dict[int, Array]  # what each function has made already, by its identity


@dataclass(frozen=True, slots=True)
class Whole:
    """The numbers of a column."""

    variable: str

    @property
    def variables(self) -> tuple[str, ...]:
        return (self.variable,)

    def rows(self, chosen: Selection, unknown: Mapping[str, Array | None], made: Made) -> Numbers:
        whole: Any = chosen.columns[self.variable]
        if not is_numeric(whole):
            raise DataError(f"Column {self.variable!r} holds levels in the new data; the network was fed its numbers.")
        return Numbers(whole, whole=True)


@dataclass(frozen=True, slots=True)
class OfLevels:
    """A number for each level of a factor: `weights` (levels,) of their indicators, 0 for every other level."""

    variable: str
    levels: tuple[Any, ...]
    weights: Array

    @property
    def variables(self) -> tuple[str, ...]:
        return (self.variable,)

    def rows(self, chosen: Selection, unknown: Mapping[str, Array | None], made: Made) -> Numbers | Codes:
        values: Any = chosen[self.variable]
        lost = unknown.get(self.variable)
        if isinstance(values, pd.Categorical) and lost is None:
            return Codes(np.array([self._weight(level) for level in values.categories], dtype=float), values.codes)
        out = np.zeros(len(values))
        for level, weight in zip(self.levels, self.weights, strict=True):
            out[np.asarray(values == level, dtype=bool)] = weight
        if lost is not None:
            out[lost] = np.nan
        return Numbers(out)

    def _weight(self, level: Any) -> float:
        return float(self.weights[self.levels.index(level)]) if level in self.levels else 0.0


@dataclass(frozen=True, slots=True)
class Computed:
    """Column `column` of `function(frame)`, `(n, w)`; `parts` are the frame's columns, `labels` what it calls them.

    A part that is `Whole` is the column as it is, numbers or levels.
    """

    function: Callable[[pd.DataFrame], Array]
    parts: tuple[Whole | OfLevels, ...]
    labels: tuple[str, ...]
    column: int

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(part.variable for part in self.parts)

    def rows(self, chosen: Selection, unknown: Mapping[str, Array | None], made: Made) -> Numbers:
        key = hash((id(self.function), self.variables))
        if key not in made:
            n = len(chosen[self.parts[0].variable])
            own, lying = slice(0, n), window(chosen.rows, 0, n)
            table: Any = {
                label: chosen[part.variable]
                if isinstance(part, Whole)
                else part.rows(chosen, unknown, made).rows(own, lying)
                for label, part in zip(self.labels, self.parts, strict=True)
            }
            made[key] = np.asarray(self.function(pd.DataFrame(table, copy=False)), dtype=float)
        return Numbers(made[key][:, self.column])


Piece = Whole | OfLevels | Computed


def is_numeric(values: Any) -> bool:
    """Whether a column holds numbers, not levels or yes and no."""
    return isinstance(values, np.ndarray) and values.dtype != bool
