"""Variables: the data of a fit by variable, and rows made of typical values, for figures.

A curve over one variable needs rows in which all others are held at something: numbers at their
mean, levels at the most common one. A `Fit` is read here by its public names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.frames import as_frame
from glmnet_bridge.errors import ArgumentError, DataError, listed, nearest

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Variables:
    """The data of a fit by variable, for figures: the rows used, as a frame.

    Attributes
    ----------
    fit : the fit
    frame : (n, ...) the variables of the right side
    numbers, levels : names of the variables that are read as numbers, and as levels
    """

    fit: Any
    frame: pd.DataFrame
    numbers: tuple[str, ...]
    levels: tuple[str, ...]

    @classmethod
    def of(cls, fit: Any) -> Variables:
        design = getattr(fit.recipe, "design", None)
        if design is None:
            names = list(fit.names[fit.recipe.intercept :])
            columns = np.concatenate([block.columns.matrix() for block in fit.rows.blocks()])[:, fit.recipe.intercept :]
            return cls(fit, pd.DataFrame(columns, columns=names), tuple(names), ())
        if fit.data is None:
            raise DataError("This figure needs the data, which this fit no longer has; fit again with keep_data=True.")
        factors = {
            name for code, factor in design.learnt.items() if factor.categorical for name in factor.expression.names
        }
        order = [name for factor in design.learnt.values() for name in sorted(factor.expression.names)]
        order += sorted(design.variables)
        names = list(dict.fromkeys(order))
        frame = as_frame(fit.data, names)[names]
        if fit.sample.kept is not None:
            frame = frame.iloc[fit.sample.kept]
        numbers = tuple(name for name in names if name not in factors and pd.api.types.is_numeric_dtype(frame[name]))
        return cls(fit, frame.reset_index(drop=True), numbers, tuple(name for name in names if name not in numbers))

    @property
    def binary(self) -> bool:
        return self.fit.recipe.response.kind == "binary"

    @property
    def response(self) -> str:
        return self.fit.recipe.response.describes

    def numeric(self, name: str | None) -> str:
        """The variable to draw over."""
        if not self.numbers:
            raise ArgumentError("This model reads no numeric variable, so there is no curve to draw.")
        if name is not None and name not in self.numbers:
            raise ArgumentError(
                f"{name!r} is no numeric variable of this model; there are {listed(self.numbers, 8)}."
                f"{nearest(name, self.numbers)}"
            )
        return self.numbers[0] if name is None else name

    def two(self, first: str | None, second: str | None) -> tuple[str, str]:
        """Two different variables to draw over."""
        asked = [self.numeric(name) for name in (first, second) if name is not None]
        chosen = [*asked, *(name for name in self.numbers if name not in asked)][:2]
        if len(set(chosen)) < 2:
            raise ArgumentError(f"A plane needs two numeric variables; this model reads {listed(self.numbers)}.")
        return chosen[0], chosen[1]

    def range(self, name: str, margin: float = 0.0) -> tuple[float, float]:
        values = self.frame[name].to_numpy(dtype=float)
        low, high = float(values.min()), float(values.max())
        return low - margin * (high - low), high + margin * (high - low)

    def typical(self, rows: int) -> pd.DataFrame:
        """A frame of equal rows: numbers at their mean, levels at the most common one."""
        row = {name: self.frame[name].to_numpy(dtype=float).mean() for name in self.numbers}
        row |= {name: self.frame[name].mode().iloc[0] for name in self.levels}
        return pd.DataFrame({name: [row[name]] * rows for name in self.frame.columns})

    def fixed(self, drawn: tuple[str, ...]) -> str:
        """What is held fixed, in words."""
        parts = [
            f"{name} = {self.frame[name].to_numpy(dtype=float).mean():.3g}"
            for name in self.numbers
            if name not in drawn
        ]
        parts += [f"{name} = {self.frame[name].mode().iloc[0]}" for name in self.levels]
        return f"others held at {listed(parts, 4)}" if parts else ""

    def points(self, name: str) -> pd.DataFrame:
        """`x, y, weight` of the rows."""
        sample = self.fit.sample
        return pd.DataFrame(
            {
                "x": self.frame[name].to_numpy(dtype=float),
                "y": sample.response[:, 0],
                "weight": sample.weights,
            }
        )

    def predict(self, fit: Any, rows: pd.DataFrame, level: float) -> pd.DataFrame:
        return fit.get_prediction(self._given(fit, rows), level=level, offset=self._offset(fit, rows))

    def mean(self, fit: Any, rows: pd.DataFrame) -> pd.Series:
        return fit.predict(self._given(fit, rows), offset=self._offset(fit, rows))

    def _given(self, fit: Any, rows: pd.DataFrame) -> Any:
        return rows if hasattr(fit.recipe, "design") else rows.to_numpy()

    def _offset(self, fit: Any, rows: pd.DataFrame) -> Array | None:
        """The mean offset, where the fit had one that no expression gives again."""
        if fit.sample.offset is None:
            return None
        given = getattr(fit.recipe, "given", {"offset": None})
        bare = [name for name in ("offset", "exposure") if name in given and given[name] is None]
        return np.full(len(rows), float(fit.sample.offset.mean())) if bare else None
