"""Figures for teaching: the functions that networks and GLMs share, public as `gb.figures`.

    activations()   sigmoid, tanh, ReLU and leaky ReLU with their derivatives
    losses()        what one row costs, over its margin: logistic, zero-one and squared loss

Each has a twin that returns the plotted numbers (`activations_data`, `losses_data`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.model.layers import ACTIVATIONS
from glmnet_bridge.report import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = {
    "sigmoid": "Sigmoid",
    "tanh": "tanh",
    "relu": "ReLU",
    "leaky_relu": "Leaky ReLU (slope 0.01 below 0)",
}
LOSSES = {
    "logistic": "logistic, ln(1 + exp(-m))",
    "logistic_base_2": "logistic, log2(1 + exp(-m))",
    "zero_one": "zero-one",
    "squared": "squared, (1 - m)\N{SUPERSCRIPT TWO}",
}


def activations_data(low: float = -4.0, high: float = 4.0, points: int = 401) -> pd.DataFrame:
    """The curves of `activations`: one row per function and place.

    Returns
    -------
    frame with the columns `activation, z, value, derivative`
    """
    z = _places(low, high, points)
    parts = []
    for name in SHOWN:
        value, derivative = (function(z) for function in ACTIVATIONS[name])
        parts.append(pd.DataFrame({"activation": name, "z": z, "value": value, "derivative": derivative}))
    return pd.concat(parts, ignore_index=True)


def activations(low: float = -4.0, high: float = 4.0) -> Figure:
    """Sigmoid, tanh, ReLU and leaky ReLU (solid) with their derivatives (dashed), in four panels.

    Examples
    --------
    >>> import glmnet_bridge as gb
    >>> len(gb.figures.activations().axes)
    4
    """
    data = activations_data(low, high)
    figure = canvas.panels(2, 2, 7.2, 5.6)
    for ax, (name, heading) in zip(figure.axes, SHOWN.items(), strict=True):
        part = data[data["activation"] == name]
        ax.plot(part["z"], part["value"], color=canvas.GLM, linewidth=2.2, label="function")
        ax.plot(part["z"], _broken(part), color=canvas.NETWORK, linewidth=1.8, linestyle=(0, (4, 2)),
                label="derivative")  # fmt: skip
        ax.axhline(0, color=canvas.DATA, linewidth=0.8, zorder=0)
        ax.axvline(0, color=canvas.DATA, linewidth=0.8, zorder=0)
        canvas.title(ax, heading)
        ax.set_xlabel("z")
    figure.axes[0].legend(frameon=False, loc="upper left")
    return figure


def losses_data(low: float = -3.0, high: float = 3.0, points: int = 401) -> pd.DataFrame:
    """The curves of `losses`: `margin` and one column per loss.

    The margin of a row is m = s eta, with s = +1 for an event and -1 otherwise: it is positive where
    the class is right. The zero-one loss at 0 is 1.
    """
    m = _places(low, high, points)
    natural = np.logaddexp(0.0, -m)
    return pd.DataFrame(
        {
            "margin": m,
            "logistic": natural,
            "logistic_base_2": natural / np.log(2.0),
            "zero_one": (m <= 0).astype(float),
            "squared": (1.0 - m) ** 2,
        }
    )


def losses(low: float = -3.0, high: float = 3.0, *, ax: Axes | None = None) -> Axes:
    """Logistic (natural and base 2), zero-one and squared loss over the margin.

    Base 2 makes the logistic loss pass through 1 at the margin 0, so that it lies above the zero-one
    loss everywhere; the natural one differs by the factor ln 2 and is minus the log-likelihood.

    Examples
    --------
    >>> import glmnet_bridge as gb
    >>> gb.figures.losses().get_xlabel()
    'margin m'
    """
    data = losses_data(low, high)
    ax = canvas.panel(ax)
    styles = ("solid", (0, (5, 1.5)), "solid", (0, (1, 1)))
    colours = (canvas.GLM, canvas.GLM, canvas.DATA, canvas.NETWORK)
    for (name, words), style, colour in zip(LOSSES.items(), styles, colours, strict=True):
        values = data[name].where(~((name == "zero_one") & (data[name].diff() != 0)) | (data.index == 0))
        ax.plot(data["margin"], values, color=colour, linestyle=style, linewidth=2.2, label=words)
    ax.axvline(0, color=canvas.DATA, linewidth=0.8, zorder=0)
    ax.set_ylim(-0.55, 6.3)
    ax.set_xlabel("margin m")
    ax.set_ylabel("loss of one row")
    for place, words in ((low / 2, "wrong class"), (high / 2, "right class")):
        ax.text(place, -0.4, words, color=canvas.DATA, fontsize=9, ha="center")
    canvas.title(ax, "Three losses over the margin", "m = eta for an event, -eta otherwise; classes change at m = 0")
    ax.legend(frameon=False, loc="upper right")
    return ax


def _places(low: float, high: float, points: int) -> np.ndarray:
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ArgumentError(f"low={low!r}, high={high!r}: give two finite numbers, the lower one first.")
    return np.linspace(low, high, points)


def _broken(part: pd.DataFrame) -> pd.Series:
    """The derivative with a gap where it jumps, so that no vertical line suggests values between."""
    jump = part["derivative"].diff().abs() > 0.5
    return part["derivative"].mask(jump)
