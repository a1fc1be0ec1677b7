"""Variables: the data of a fit by variable, and rows made of typical values, for figures.

A curve over one variable needs rows in which all others are held at something: numbers at their
mean, levels and numbers of two values (0 and 1, say) at the most common one. A `Fit` is read here by its public names.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from glmnet_bridge.data.frames import as_frame
from glmnet_bridge.errors import ArgumentError, DataError, DataWarning, listed, nearest

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Variables:
    """The data of a fit by variable: the rows used, as a frame.

    Attributes
    ----------
    fit : the (first) fit
    frame : (n, ...) the variables that any view reads, in the order of the formula
    numbers, levels : names of those that are read as numbers, and as levels
    """

    fit: Any
    frame: pd.DataFrame
    numbers: tuple[str, ...]
    levels: tuple[str, ...]

    @classmethod
    def of(cls, fits: Sequence[Any]) -> Variables:
        """The variables of fits of one data set.

        Raises
        ------
        DataError
            where the data are gone
        """
        fit = fits[0]
        design = getattr(fit.recipe, "design", None)
        if design is None:
            return cls._of_array(fit)
        if fit.data is None:
            raise DataError("This figure needs the data, which this fit no longer has; fit with keep_data=True.")
        learnt = design.learnt
        order = [name for factor in learnt.values() for name in sorted(factor.expression.names)]
        beside = [sorted(fit.recipe.reader.variables) for fit in fits if hasattr(fit.recipe, "reader")]
        beside.append(sorted(_beside_the_formula(fit.recipe)))
        names = list(dict.fromkeys([*order, *sorted(design.variables), *(name for part in beside for name in part)]))
        factors = {name for factor in learnt.values() if factor.categorical for name in factor.expression.names}
        frame = as_frame(fit.data, names)[names]
        kept = fits[-1].sample.kept if fits[-1].sample.kept is not None else fit.sample.kept
        frame = frame if kept is None else frame.iloc[kept]
        numbers = tuple(name for name in names if name not in factors and is_numeric_dtype(frame[name]))
        levels = tuple(name for name in names if name not in numbers)
        return cls(fits[-1], frame.reset_index(drop=True), numbers, levels)

    @classmethod
    def _of_array(cls, fit: Any) -> Variables:
        first = int(fit.recipe.intercept)
        columns = np.concatenate([block.columns.matrix() for block in fit.rows.blocks()])[:, first:]
        names = fit.names[first:]
        return cls(fit, pd.DataFrame(columns, columns=list(names)), names, ())

    @property
    def binary(self) -> bool:
        """Whether the response is one of two levels."""
        return self.fit.recipe.response.kind == "binary"

    @property
    def response(self) -> str:
        """What is modelled."""
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
            read = listed(self.numbers) or "none"
            raise ArgumentError(f"A plane needs two numeric variables; this model reads {read}.")
        return chosen[0], chosen[1]

    def range(self, name: str, margin: float = 0.0) -> tuple[float, float]:
        """Smallest and largest value, with a margin in parts of their distance."""
        values = self.frame[name].to_numpy(dtype=float)
        low, high = float(values.min()), float(values.max())
        return low - margin * (high - low), high + margin * (high - low)

    def typical(self, rows: int) -> pd.DataFrame:
        """A frame of equal rows: numbers at their mean, those of two values and levels at the most common one."""
        return pd.DataFrame({name: [self._held(name)] * rows for name in self.frame.columns})

    def _held(self, name: str) -> Any:
        """The typical value: no row has the mean of a yes and a no."""
        values = self.frame[name]
        if name in self.levels or values.nunique() == 2:
            return values.mode().iloc[0]
        return values.to_numpy(dtype=float).mean()

    def fixed(self, drawn: tuple[str, ...]) -> str:
        """What is held fixed, in words."""
        parts = [f"{name} = {self._held(name):.3g}" for name in self.numbers if name not in drawn]
        parts += [f"{name} = {self._held(name)}" for name in self.levels]
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
        """`estimate, std_error, conf_low, conf_high` of the mean for new rows.

        Raises
        ------
        ArgumentError
            where the model says nothing about them: they break the equation of an aliased column
        """
        given = rows if hasattr(fit.recipe, "design") else rows.to_numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            found = fit.get_prediction(given, level=level, **self._offset(fit, len(rows)))
        if fit.aliased and found["estimate"].isna().all():
            equations = listed([f"{name} = {equation}" for name, equation in fit.aliased.items()], 3)
            raise ArgumentError(
                f"In the data {equations} held in every row, so that the model says nothing about rows in which "
                "one of these variables moves alone. Draw over another variable, or fit without the aliased ones."
            )
        return found

    def _offset(self, fit: Any, rows: int) -> dict[str, Array]:
        """The typical offset or exposure, where new rows do not bring it by an expression."""
        if fit.sample.offset is None:
            return {}
        recipe = getattr(fit.recipe, "own", fit.recipe)
        given = getattr(recipe, "given", {"offset": None})
        design = getattr(recipe, "design", None)
        bare = [name for name in ("offset", "exposure") if name in given and given[name] is None]
        if not bare:
            return {}
        others = len(bare) - 1 + sum(name in given and name not in bare for name in ("offset", "exposure"))
        if others or (design is not None and design.formula.offsets):
            raise ArgumentError(
                "This model has several offsets, one of them given as an array, so that there is no typical one. "
                "Give all of them as names of columns."
            )
        mean = float(fit.sample.offset.mean())
        return {bare[0]: np.full(rows, mean if bare[0] == "offset" else np.exp(mean))}


def _beside_the_formula(recipe: Any) -> set[str]:
    """The columns that offset= and exposure= read."""
    given = getattr(getattr(recipe, "own", recipe), "given", {})
    parts = [given.get(name) for name in ("offset", "exposure")]
    return {name for part in parts if part is not None for name in part.names}
