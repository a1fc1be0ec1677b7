"""Examinations: the figures by which a fit is checked, each drawn from a frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmnet_bridge.errors import BridgeError
from glmnet_bridge.report import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 5  # rows that are named in a figure


def draw_binned(data: pd.DataFrame, *, below: str = "", ax: Axes | None = None) -> Axes:
    """Mean residuals over the fitted value; `fitted, residual, low, high` (Gelman and Hill's binned plot)."""
    ax = canvas.panel(ax)
    ax.axhline(0, color=canvas.DATA, linewidth=1.0)
    for name in ("low", "high"):
        ax.plot(data["fitted"], data[name], color=canvas.DATA, linewidth=1.2, linestyle=(0, (4, 2)))
    ax.plot(data["fitted"], data["residual"], "o", color=canvas.GLM, markersize=4.5)
    ax.set_xlabel("mean fitted value")
    ax.set_ylabel("mean residual")
    canvas.title(ax, "Binned residuals with two standard errors", below)
    return ax


def draw_quantiles(data: pd.DataFrame, *, below: str = "", ax: Axes | None = None) -> Axes:
    """Quantile residuals against normal quantiles: on the line where the model holds; `normal, residual`."""
    ax = canvas.panel(ax)
    ends = [float(data.min(axis=None)), float(data.max(axis=None))] if len(data) else [-1.0, 1.0]
    ax.plot(ends, ends, color=canvas.DATA, linewidth=1.0)
    ax.plot(data["normal"], data["residual"], "o", color=canvas.GLM, markersize=3.5)
    ax.set_xlabel("normal quantile")
    ax.set_ylabel("quantile residual")
    canvas.title(ax, "Quantile residuals", below)
    return ax


def draw_calibration(data: pd.DataFrame, *, level: float, below: str = "", ax: Axes | None = None) -> Axes:
    """Observed shares over predicted ones, with limits; `mean, observed, conf_low, conf_high`."""
    ax = canvas.panel(ax)
    ax.plot([0, 1], [0, 1], color=canvas.DATA, linewidth=1.0)
    ax.vlines(data["mean"], data["conf_low"], data["conf_high"], color=canvas.GLM, linewidth=1.4)
    ax.plot(data["mean"], data["observed"], "o", color=canvas.GLM, markersize=5)
    ax.set_xlabel("predicted probability")
    ax.set_ylabel("observed share")
    canvas.title(ax, f"Calibration with {100 * level:g} % limits", below)
    return ax


def draw_roc(data: pd.DataFrame, *, area: str, below: str = "", ax: Axes | None = None) -> Axes:
    """True over false positive rate; `false_positive_rate, true_positive_rate`."""
    ax = canvas.panel(ax)
    ax.plot([0, 1], [0, 1], color=canvas.DATA, linewidth=1.0)
    ax.plot(data["false_positive_rate"], data["true_positive_rate"], color=canvas.GLM, linewidth=1.8)
    ax.set_xlabel("false positive rate")
    ax.set_ylabel("true positive rate")
    canvas.title(ax, f"ROC curve, area {area}", below)
    return ax


def draw_influence(data: pd.DataFrame, *, below: str = "", ax: Axes | None = None) -> Axes:
    """Deletion residuals over leverage, marks as large as Cook's distance; `row, hat, rstudent, cooks`."""
    ax = canvas.panel(ax)
    seen = data.dropna()
    cooks = seen["cooks"].to_numpy()
    ax.axhline(0, color=canvas.DATA, linewidth=1.0)
    ax.scatter(seen["hat"], seen["rstudent"], s=8 + 300 * cooks / max(cooks.max(initial=0.0), 1e-300),
               color=canvas.GLM, alpha=0.55, edgecolor="none")  # fmt: skip
    for each in seen.nlargest(NAMED, "cooks").itertuples():
        ax.annotate(canvas.shortened(each.row, 16), (each.hat, each.rstudent), (4, 4),
                    textcoords="offset points", fontsize=8.5)  # fmt: skip
    ax.set_xlabel("leverage")
    ax.set_ylabel("deletion residual")
    canvas.title(ax, "Influence (area: Cook's distance)", below)
    return ax


def draw_panel(draws: dict[str, Callable[[Axes], object]], below: str) -> Figure:
    """Several of these figures in one; those that this model does not have say so."""
    deep = -(-len(draws) // 2)
    figure = canvas.panels(deep, 2, 10.5, 3.9 * deep)
    for ax, (name, draw) in zip(figure.axes, draws.items(), strict=False):
        try:
            draw(ax)
        except BridgeError:
            ax.text(0.5, 0.5, f"{name}: not for this model", ha="center", va="center", color=canvas.DATA)
            ax.set_axis_off()
    figure.suptitle(canvas.label(below), x=0.01, ha="left", fontsize=11)
    return figure


def stacked(parts: dict[str, Callable[[], pd.DataFrame]]) -> pd.DataFrame:
    """The numbers of several figures as one frame: `panel, x, y`."""
    found = []
    for name, make in parts.items():
        try:
            data = make()
        except BridgeError:
            continue
        x, y = AXES[name]
        found.append(pd.DataFrame({"panel": name, "x": data[x].to_numpy(), "y": data[y].to_numpy()}))
    empty = pd.DataFrame({"panel": np.array([], dtype=object), "x": np.zeros(0), "y": np.zeros(0)})
    return pd.concat(found, ignore_index=True) if found else empty


AXES = {
    "binned_residuals": ("fitted", "residual"),
    "quantile_residuals": ("normal", "residual"),
    "influence": ("hat", "rstudent"),
    "calibration": ("mean", "observed"),
}
