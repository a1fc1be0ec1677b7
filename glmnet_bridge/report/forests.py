"""Forests: coefficients with their limits, of one view or of several side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.report import canvas, numbers, sentences

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 40
MARKERS = ("o", "D", "s", "^")


def draw_forest(data: pd.DataFrame, *, level: float, below: str = "", ax: Axes | None = None) -> Axes:
    """One line per coefficient: the estimate with its limits, for each view.

    Parameters
    ----------
    data : `view, term, estimate, conf_low, conf_high`; a coefficient that is not finite is a word
        at its place instead of a mark
    level : of the limits
    """
    if not len(data):
        raise ArgumentError("There is no coefficient to draw; with intercept=True the Intercept is one.")
    terms = list(dict.fromkeys(data["term"]))
    views = list(dict.fromkeys(data["view"]))
    rest = len(terms) - MOST
    terms = terms[:MOST]
    ax = canvas.panel(ax, 6.8, 1.35 + 0.3 * len(terms) + (0.1 * len(views) + 0.2) * (len(views) > 1))
    for number, view in enumerate(views):
        part = data[data["view"] == view].set_index("term").reindex(terms)
        place = np.arange(len(terms)) + 0.22 * (number - (len(views) - 1) / 2)
        _draw_view(ax, part, place, number, view)
    ax.axvline(0, color=canvas.DATA, linewidth=1.0, zorder=0)
    ax.set_yticks(range(len(terms)), [canvas.shortened(term) for term in terms])
    ax.set_ylim(len(terms) - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.set_xlabel("coefficient")
    more = f"; {numbers.counted(rest, 'more row')} not shown" if rest > 0 else ""
    canvas.title(ax, f"Coefficients with {sentences.percent(level)} % limits{more}", below)
    if len(views) > 1:
        canvas.legend(ax, 4)
    return ax


def _draw_view(ax: Axes, part: pd.DataFrame, place: np.ndarray, number: int, view: str) -> None:
    colour, estimate = canvas.SERIES[number], part["estimate"].to_numpy(dtype=float)
    ok = np.isfinite(estimate)
    low, high = (part[name].to_numpy(dtype=float) for name in ("conf_low", "conf_high"))
    ax.hlines(place[ok], low[ok], high[ok], color=colour, linewidth=2.0)
    ax.plot(estimate[ok], place[ok], MARKERS[number], color=colour, markersize=6, label=canvas.label(view))
    for at, value in zip(place[~ok], estimate[~ok], strict=True):
        word = "aliased" if np.isnan(value) else "-> +inf" if value > 0 else "-> -inf"
        ax.annotate(word, (0, at), (4, 0), textcoords="offset points", fontsize=8.5, color=colour, va="center")
