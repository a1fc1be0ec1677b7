"""Descents: the loss at each step, and how far from the optimum it still is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmnet_bridge.report import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FLOOR = 1e-17


def draw_loss(data: pd.DataFrame, *, loss: str, best: float, below: str = "") -> Figure:
    """Two panels over the epochs: mean loss above its minimum, and the distance in standard errors.

    Parameters
    ----------
    data : `view, epoch, loss, validation_loss, distance`
    loss : the network's word for minus the log-likelihood of a row
    best : the loss at the optimum
    below : conditions
    """
    figure = canvas.panels(2, 1, 6.6, 5.4, sharex=True)
    upper, lower = figure.axes
    for number, (view, part) in enumerate(data.groupby("view", sort=False)):
        colour = (canvas.GLM, canvas.NETWORK, canvas.GOOD)[number % 3]
        marker = {"marker": "o", "markersize": 4.5} if len(part) <= 40 else {}
        upper.plot(part["epoch"], part["loss"], color=colour, linewidth=1.7, label=canvas.label(view), **marker)
        if part["validation_loss"].notna().any():
            upper.plot(part["epoch"], part["validation_loss"], color=colour, linewidth=1.3,
                       linestyle=(0, (4, 2)), label=f"{canvas.label(view)}, held-out rows")  # fmt: skip
        seen = part[part["distance"].notna()]
        lower.plot(seen["epoch"], np.maximum(seen["distance"], FLOOR), color=colour, linewidth=1.7, **marker)
    upper.axhline(best, color=canvas.DATA, linewidth=1.0, linestyle="dotted", label="minimum (the GLM's)")
    upper.set_ylabel(f"mean loss\n({canvas.label(loss)})")
    upper.tick_params(labelbottom=False)
    canvas.title(upper, "Loss per step", below)
    _finish(lower, data)
    columns = canvas.fitting(upper.get_legend_handles_labels()[1], 3, figure.get_figwidth())
    figure.legend(frameon=False, fontsize=9, ncols=columns, loc="outside lower center")
    return figure


def _finish(lower: Axes, data: pd.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    lower.set_yscale("log")
    lower.axhline(1.0, color=canvas.DATA, linewidth=1.0, linestyle="dotted")
    lower.annotate("1 SE", (1, 1.0), (5, 0), xycoords=("axes fraction", "data"), va="center",
                   textcoords="offset points", fontsize=8.5, color=canvas.DATA)  # fmt: skip
    lower.set_ylabel("distance to the\noptimum in SE")
    lower.set_xlabel("epoch (for IRLS: step)")
    lengths = data.groupby("view")["epoch"].max()
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(lengths) > 1 and lengths.max() > 30 * max(lengths.min(), 1):
        lower.set_xscale("symlog", linthresh=max(lengths.min(), 1))
        lower.set_xlim(-0.4, 1.25 * lengths.max())
        lower.xaxis.set_major_formatter(ScalarFormatter())
