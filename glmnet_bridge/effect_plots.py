"""Effect plots: averages over the rows as a curve over one variable, with bands by the delta method.

fit.plot.effect("age")           draws, and returns the Axes
fit.plot.effect_data("age")      the numbers that are drawn, as a frame
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.marginals import effects
from glmnet_bridge.report import curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVE = ("estimate", "conf_low", "conf_high")


class EffectPlots:
    """The figures of effects; a part of `Plots`, of which it reads the views and the variables."""

    __slots__ = ()
    views: tuple[tuple[str, Any], ...]
    _variables: Any

    def effect_data(
        self,
        variable: str | None = None,
        *,
        kind: str = "prediction",
        by: str | None = None,
        points: int = 50,
        level: float = 0.95,
        vcov: Any = None,
    ) -> pd.DataFrame:
        """`series, x, estimate, conf_low, conf_high` over one numeric variable, averaged over the rows.

        Each row keeps its other variables (in `curve` they are held at typical values). There is one series for
        each class of a multinomial model and each group of `by`. It is the GLM that is drawn.

        Parameters
        ----------
        variable : the first numeric one of the formula by default
        kind : "prediction" (the mean) or "slope" (its derivative by the variable)
        by : a column that divides the rows
        points : values of the variable, evenly spread over its range
        level, vcov : of the limits, by the delta method (see `gb.effects`)
        """
        if kind not in ("prediction", "slope"):
            raise ArgumentError(f"kind={kind!r}: an effect is drawn as 'prediction' or 'slope'.")
        fit, reader = self.views[0][1], self._variables
        name = reader.numeric(variable)
        asked = name if kind == "slope" else None
        low, high = reader.range(name)
        x = np.linspace(low, high, points)
        found = effects(fit, asked, at={name: x}, by=by, kind=kind, level=level, vcov=vcov)
        parts = [found[each].astype(str) for each in ("response_level", by) if each is not None and each in found]
        series = parts[0].str.cat(parts[1:], sep=", ") if parts else pd.Series("GLM", index=found.index)
        columns = {"series": series, "x": found[name], **{key: found[key] for key in CURVE}}
        return pd.DataFrame(columns)

    def effect(
        self,
        variable: str | None = None,
        *,
        kind: str = "prediction",
        by: str | None = None,
        level: float = 0.95,
        vcov: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        """The mean (or its slope) over one numeric variable, averaged over the rows, with its band."""
        reader, response = self._variables, self.views[0][1].recipe.response
        what = f"P({response.name})" if self.views[0][1].family.joint else response.describes
        name = reader.numeric(variable)
        return curves.draw_effect(
            self.effect_data(name, kind=kind, by=by, level=level, vcov=vcov),
            reader.points(name)["x"],
            names=(name, what),
            level=level,
            slope=kind == "slope",
            ax=ax,
        )
