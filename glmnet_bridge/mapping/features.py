"""Features: the inputs of a network that was read from a foreign model, in terms of the model's raw inputs.

    value       the raw input itself
    level       1 where the raw input has this level, else 0 (one-hot coding, embeddings)
    computed    a column of what a function makes of some raw inputs (splines, products)

A raw input is a column of whatever the model is fed: a frame, an array, several arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glmnet_bridge.data.rows import neighbours

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Feature:
    """One input of the network.

    Attributes
    ----------
    name : as the network's inputs are called
    source : position of the raw input; for a computed one those of all that the function is fed
    level : (level,) of an indicator, () otherwise
    function : takes a frame of the raw inputs `(m, len(source))`, gives numbers `(m, w)`; or None
    column : which of the function's columns it is
    """

    name: str
    source: int | tuple[int, ...]
    level: tuple[object, ...] = ()
    function: Callable[[pd.DataFrame], Array] | None = None
    column: int = 0

    @property
    def plain(self) -> bool:
        """Whether it is the raw input itself."""
        return self.function is None and not self.level

    @property
    def sources(self) -> tuple[int, ...]:
        """Positions of the raw inputs that it is computed from."""
        return self.source if isinstance(self.source, tuple) else (self.source,)


def feature_windows(features: Sequence[Feature], table: pd.DataFrame) -> Callable[[int, int], Array]:
    """The network's inputs `(m, d)` of rows start to stop, from the raw ones `(n, r)`; each column lies together."""
    at = np.array([feature.sources[0] for feature in features])
    together = neighbours(at) if all(feature.plain for feature in features) else None
    if together is not None and (table.dtypes == np.float64).all():
        numbers = table.to_numpy()[:, together]
        return lambda start, stop: numbers[start:stop]
    columns = _columns(features, table)

    def window(start: int, stop: int) -> Array:
        out = np.empty((len(columns), stop - start))
        for row, column in zip(out, columns, strict=True):
            row[:] = column[start:stop]
        return out.T

    return window


def _columns(features: Sequence[Feature], table: pd.DataFrame) -> list[Array]:
    """Each input `(n,)`: numbers, or yes and no; no copy where it is a raw one."""
    out = []
    made: dict[tuple[int, tuple[int, ...]], Array] = {}
    for feature in features:
        if feature.function is not None:
            key = (id(feature.function), feature.sources)
            if key not in made:
                made[key] = feature.function(table.iloc[:, list(feature.sources)])
            out.append(made[key][:, feature.column])
        else:
            column = table.iloc[:, feature.sources[0]]
            out.append((column == feature.level[0]).to_numpy() if feature.level else column.to_numpy(dtype=float))
    return out


def feature_matrix(features: Sequence[Feature], table: pd.DataFrame) -> Array:
    """The network's inputs `(m, d)` from the raw ones `(m, r)`."""
    return feature_windows(features, table)(0, len(table))
