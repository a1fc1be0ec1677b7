"""Profiles: the signed root of the likelihood ratio over one coefficient, beside the straight line of Wald limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmnet_bridge.report import canvas, numbers, sentences

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_profile(data: pd.DataFrame, *, name: str, level: float, quantile: float, ax: Axes | None = None) -> Axes:
    """The signed root of the profile, the Wald line, and the limits of both.

    Parameters
    ----------
    data : `value, signed_root, deviance, wald, mark`; `mark` says which rows are the estimate and the limits
    name : of the coefficient
    level, quantile : of the limits, and where the curve passes them
    """
    ax = canvas.panel(ax, 6.4, 4.4)
    curve = data.dropna(subset="signed_root")
    ax.plot(curve["value"], curve["signed_root"], color=canvas.GLM, linewidth=2.4, label="profile likelihood")
    if data["wald"].notna().any():
        words = {"color": canvas.DATA, "linewidth": 1.4, "linestyle": (0, (4, 2)), "label": "Wald (straight)"}
        ax.plot(data["value"], data["wald"], **words)
    for side in (-quantile, quantile):
        ax.axhline(side, color=canvas.DATA, linewidth=0.8)
    ax.axhline(0, color=canvas.DATA, linewidth=0.8)
    limits = data[data["mark"].isin(["low", "high"])]
    label = f"{sentences.percent(level)} % profile limits"
    ax.plot(limits["value"], limits["signed_root"], "|", color=canvas.NETWORK, markersize=13, markeredgewidth=2.4,
            label=label)  # fmt: skip
    centre = data[data["mark"] == "estimate"]
    if len(centre):
        ax.plot(centre["value"], centre["signed_root"], label="estimate", **canvas.STAR)
    roots = curve["signed_root"].to_numpy()
    ax.set_ylim(min(roots.min(), -1.2 * quantile), max(roots.max(), 1.2 * quantile))
    ax.set_xlabel(canvas.label(name))
    ax.set_ylabel("signed root of the likelihood ratio")
    canvas.title(ax, f"Profile of {name}", _interval(limits, level))
    canvas.legend(ax, 4)
    return ax


def _interval(limits: pd.DataFrame, level: float) -> str:
    """The limits in words; one that is not there is infinite."""
    found = limits.set_index("mark")["value"]
    low, high = (found.get(key, np.nan) for key in ("low", "high"))
    low_word = "-inf" if np.isnan(low) else numbers.significant(float(low), 3)
    high_word = "inf" if np.isnan(high) else numbers.significant(float(high), 3)
    return f"{sentences.percent(level)} % profile limits: {low_word} to {high_word}"
