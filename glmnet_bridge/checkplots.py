"""Check plots: the figures of `fit.plot` that show whether a model holds, each with its frame.

The numbers are those of `diagnostics`, the drawing that of `report.examinations`; of two views the GLM is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from glmnet_bridge import diagnostics
from glmnet_bridge.report import examinations

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class CheckPlots:
    """Figures for checking a fit."""

    __slots__ = ()

    @property
    def _checked(self) -> Any:
        return self.views[0][1]  # type: ignore[attr-defined]

    def binned_residuals_data(self, *, bins: int | None = None) -> pd.DataFrame:
        """`fitted, residual, low, high, n`: mean response residuals in groups of equal size along the fitted value.

        There are as many groups as the root of the number of rows; limits are two of the model's standard errors.
        """
        return diagnostics.binned(self._checked, bins)

    def binned_residuals(self, *, bins: int | None = None, ax: Axes | None = None) -> Axes:
        """Mean residuals over the fitted value (Gelman and Hill 2007): nearly all lie between the lines."""
        data = self.binned_residuals_data(bins=bins)
        return examinations.draw_binned(data, below=self._checked.modelled, ax=ax)

    def quantile_residuals_data(self, *, random_state: Any = None) -> pd.DataFrame:
        """`normal, residual`: quantile residuals in rising order with the normal quantiles of their ranks."""
        return diagnostics.quantile_pairs(self._checked, random_state)

    def quantile_residuals(self, *, random_state: Any = None, ax: Axes | None = None) -> Axes:
        """Quantile residuals against normal quantiles: on the line where the model holds, for every family."""
        data = self.quantile_residuals_data(random_state=random_state)
        return examinations.draw_quantiles(data, below=self._checked.modelled, ax=ax)

    def calibration_data(self, data: Any = None, *, groups: int = 10, level: float = 0.95) -> pd.DataFrame:
        """`group, n, mean, observed, conf_low, conf_high` over groups of risk; limits are Wilson's."""
        return diagnostics.risk_groups(self._checked, data, groups, level)

    def calibration(self, data: Any = None, *, groups: int = 10, level: float = 0.95, ax: Axes | None = None) -> Axes:
        """Observed shares of events over predicted probabilities, on the fit's rows or on new `data`."""
        found = self.calibration_data(data, groups=groups, level=level)
        return examinations.draw_calibration(found, level=level, below=self._checked.modelled, ax=ax)

    def roc_data(self, data: Any = None) -> pd.DataFrame:
        """`threshold, false_positive_rate, true_positive_rate`, from none called an event to all."""
        return diagnostics.roc(self._checked, data)

    def roc(self, data: Any = None, *, ax: Axes | None = None) -> Axes:
        """The ROC curve with its area and DeLong's limits, on the fit's rows or on new `data`."""
        area = self._checked.auc(data)
        words = f"{area['auc']:.3f} ({area['conf_low']:.3f} to {area['conf_high']:.3f})"
        return examinations.draw_roc(self.roc_data(data), area=words, below=self._checked.modelled, ax=ax)

    def influence_data(self) -> pd.DataFrame:
        """`row, hat, rstudent, cooks` of each row used."""
        return diagnostics.influence_points(self._checked)

    def influence(self, *, ax: Axes | None = None) -> Axes:
        """Deletion residuals over leverage; the rows of largest Cook's distance are named."""
        return examinations.draw_influence(self.influence_data(), below=self._checked.modelled, ax=ax)

    def check_data(self, *, random_state: Any = None) -> pd.DataFrame:
        """`panel, x, y`: what the panels of `check` show as points, those that this model has."""
        return examinations.stacked(
            {
                "binned_residuals": self.binned_residuals_data,
                "quantile_residuals": lambda: self.quantile_residuals_data(random_state=random_state),
                "influence": self.influence_data,
                "calibration": self.calibration_data,
            }
        )

    def check(self, *, random_state: Any = None) -> Figure:
        """Binned residuals, quantile residuals, influence and calibration in four panels."""
        draws = {
            "Binned residuals": lambda ax: examinations.draw_binned(self.binned_residuals_data(), ax=ax),
            "Quantile residuals": lambda ax: examinations.draw_quantiles(
                self.quantile_residuals_data(random_state=random_state), ax=ax
            ),
            "Influence": lambda ax: examinations.draw_influence(self.influence_data(), ax=ax),
            "Calibration": lambda ax: examinations.draw_calibration(self.calibration_data(), level=0.95, ax=ax),
        }
        return examinations.draw_panel(draws, self._checked.modelled)
