"""Levels: categorical values, their order, and the contrasts that `C(...)` asks for.

A categorical column is codes and levels, never strings per row. Levels are plain Python
values in the order that patsy gives them: the order of the categories, or sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import patsy
from patsy.util import SortAnythingKey

from glmnet_bridge.errors import DataError, listed

MAX_LEVELS = 100_000


@dataclass(frozen=True, slots=True)
class Boxed:
    """What `C(x, contrast, levels)` means: values, the contrast asked for, the order of levels."""

    values: Any
    contrast: Any = None
    levels: tuple[Any, ...] | None = None

    @classmethod
    def wrap(cls, values: Any, contrast: Any, levels: tuple[Any, ...] | None) -> Boxed:
        """Nested calls of `C` are merged; the outer one wins."""
        if not isinstance(values, cls):
            return cls(values, contrast, levels)
        return cls(
            values.values,
            values.contrast if contrast is None else contrast,
            values.levels if levels is None else levels,
        )

    def categorical(self) -> pd.Categorical:
        """The values as a Categorical whose categories are in the order asked for."""
        found = as_categorical(self.values)
        if self.levels is None:
            return found
        place = places(found.categories.tolist(), self.levels)
        unknown = [level for level, at in zip(found.categories, place, strict=True) if at < 0]
        if unknown:
            raise DataError(f"levels={list(self.levels)} leaves out {listed(unknown)}, which the data contain.")
        return _from_codes(recoded(found.codes, place), self.levels)


def as_categorical(values: Any) -> pd.Categorical:
    """Codes and sorted levels of an array; a Categorical comes back as it is."""
    if isinstance(values, pd.Categorical):
        return values
    if values.ndim != 1:
        raise DataError(f"C() takes one column; it was given {'several' if values.ndim else 'a constant'}.")
    if values.dtype == bool:
        return _from_codes(values.view(np.int8), [False, True])
    if values.dtype.itemsize > 8:
        values = values.astype(float)
    codes, found = pd.factorize(values, sort=values.dtype != object)
    if len(found) > MAX_LEVELS:
        raise DataError(
            f"A factor of {len(found):,} different values, such as {found[0]}, is rather a number: "
            "leave it out of C(...), or group its values first."
        )
    if values.dtype != object:
        return _from_codes(codes, found.tolist())
    levels = sorted(found, key=SortAnythingKey)
    return _from_codes(recoded(codes, places(found, levels)), levels)


def _from_codes(codes: Any, levels: Sequence[Any]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, pd.Index(levels))


def places(found: Sequence[Any], wanted: Sequence[Any]) -> np.ndarray:
    """Where each of the levels `found` stands among those `wanted`; -1 for one that does not."""
    at = {level: i for i, level in enumerate(wanted)}
    return np.array([at.get(level, -1) for level in found], dtype=np.intp)


def recoded(codes: np.ndarray, place: np.ndarray) -> np.ndarray:
    """`place[codes]` in the smallest integer type; missing (-1) stays -1. No copy where nothing moves."""
    if np.array_equal(place, np.arange(len(place))):
        return codes
    table = np.append(place, -1).astype(np.min_scalar_type(-max(len(place), int(place.max(initial=0)) + 1)))
    return table[codes]


def contrast_named(name: str, *positional: Any, **settings: Any) -> Any:
    """patsy's contrast object: `Treatment`, `Sum`, `Helmert`, `Diff` or `Poly`, with its setting."""
    return getattr(patsy, name)(*positional, **settings)


def row_labels(at: np.ndarray, index: pd.Index | None) -> list[Any]:
    """Rows as people know them: by their labels, or by position."""
    return at.tolist() if index is None else index[at].tolist()
