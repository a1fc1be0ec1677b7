"""Arrays without a formula: the same recipe, with columns by position.

`fit(X, y)` reads X as it lies; the intercept is a column that exists in no array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.rows import ArraySource
from glmnet_bridge.design import arguments
from glmnet_bridge.design.responses import Response
from glmnet_bridge.design.samples import Sample
from glmnet_bridge.errors import ArgumentError, DataError, listed

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class MatrixRecipe:
    """How an array is read again.

    Attributes
    ----------
    names : names of the p columns, "Intercept" first where there is one
    response : Response
    intercept : whether column 0 of the design is the constant
    offset : whether the fit had an offset, which prediction then demands
    """

    names: tuple[str, ...]
    response: Response
    intercept: bool
    offset: bool = False

    @property
    def formula(self) -> str:
        return f"{self.response.name} ~ {' + '.join(self.names[self.intercept :]) or '1'}"

    @property
    def terms(self) -> tuple[tuple[str, slice], ...]:
        return tuple((name, slice(j, j + 1)) for j, name in enumerate(self.names))

    def classes(self, mean: Array, threshold: float) -> Array:
        return self.response.classes(mean, threshold)

    def sample(
        self, data: Any, *, offset: Any = None, exposure: Any = None, unseen: str = "raise"
    ) -> Sample:
        """New rows `(n, q)` with the fit's columns."""
        matrix, index, _ = as_matrix(data, None)
        expected = len(self.names) - self.intercept
        if matrix.shape[1] != expected:
            raise DataError(
                f"The array has {matrix.shape[1]} columns; the model was fitted on {expected} "
                f"({listed(self.names[self.intercept :])})."
            )
        if self.offset and offset is None and exposure is None:
            raise DataError("The model was fitted with an offset: give offset= for new rows too (offset=0 for none).")
        total = combined_offset(offset, exposure, index)
        return Sample(ArraySource(matrix, self.intercept), None, None, None, None, total, index, None, {}, len(index))


def combined_offset(offset: Any, exposure: Any, index: pd.Index) -> Array | None:
    """offset + log(exposure) as `(n, 1)`, or None."""
    parts = []
    if offset is not None:
        parts.append(arguments.number("offset", offset, index))
    if exposure is not None:
        parts.append(np.log(arguments.number("exposure", exposure, index)))
    return sum(parts[1:], parts[0])[:, None] if parts else None


def beside(X: Any, value: Any) -> Any:
    """What was given beside X; a Series goes by position where X has no row labels to match."""
    return value if isinstance(X, pd.DataFrame | pd.Series) else arguments.by_position(value)


def as_matrix(X: Any, names: Any) -> tuple[Array, pd.Index, tuple[str, ...]]:
    """`(n, q)` numbers as they lie, row labels, and column names (x1, x2, ... where there are none)."""
    own = [str(name) for name in X.columns] if isinstance(X, pd.DataFrame) else None
    index = X.index if isinstance(X, pd.DataFrame | pd.Series) else None
    if isinstance(X, pd.Series):
        own = [str(X.name)] if X.name is not None else None
    matrix = np.asarray(X)
    if matrix.dtype.kind == "O":
        raise DataError("X has columns of objects; give numbers only, or use gb.glm with a formula for factors.")
    if matrix.dtype.kind not in "fiub":
        raise DataError(f"X holds {matrix.dtype}; numbers are needed.")
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2:
        raise DataError(f"X has {matrix.ndim} dimensions; give a table of rows and columns.")
    found = tuple(names) if names is not None else tuple(own or [f"x{j + 1}" for j in range(matrix.shape[1])])
    if len(found) != matrix.shape[1]:
        raise ArgumentError(f"names has {len(found)} names for {matrix.shape[1]} columns of X.")
    if len(set(found)) != len(found):
        raise ArgumentError(f"names are not unique: {listed(found)}.")
    return matrix, pd.RangeIndex(len(matrix)) if index is None else index, found
