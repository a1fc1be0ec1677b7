"""Curves: what a model predicts over one variable, or over two.

    draw_curve       the mean over one variable, with its band, over the data
    draw_effect      averages over the rows with one variable held, one line a class or group
    draw_boundary    the mean over two variables as shading, and the line where the class changes

The frames that are drawn are made by the caller (`plots`), which can ask a model for predictions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmnet_bridge.report import canvas, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 600
BINS, PER_BIN = 12, 20  # at most so many bins, each with at least so many rows


def thinned(frame: pd.DataFrame, most: int = MOST_POINTS) -> pd.DataFrame:
    """At most `most` rows, evenly spread."""
    if len(frame) <= most:
        return frame
    return frame.iloc[np.linspace(0, len(frame) - 1, most).round().astype(int)]


def binned(points: pd.DataFrame) -> pd.DataFrame:
    """Weighted means of y in bins of x with about equally many rows: `x, y, weight`; none for few rows."""
    bins = min(BINS, len(points) // PER_BIN)
    if bins < 2:
        return points.iloc[:0]
    if points["x"].nunique() <= bins:
        group = points["x"]
    else:
        group = pd.qcut(points["x"], bins, labels=False, duplicates="drop")
    weight = points["weight"]
    sums = pd.DataFrame({"x": points["x"] * weight, "y": points["y"] * weight, "weight": weight}).groupby(group).sum()
    sums = sums[sums["weight"] > 0]
    means = sums[["x", "y"]].div(sums["weight"], axis=0)
    return means.assign(weight=sums["weight"]).reset_index(drop=True)


def draw_curve(
    curves: pd.DataFrame,
    points: pd.DataFrame,
    *,
    names: tuple[str, str],
    level: float,
    below: str = "",
    binary: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """The mean over one variable.

    Parameters
    ----------
    curves : `view, x, estimate, conf_low, conf_high`, for one view or several
    points : `x, y, weight`, the rows
    names : of the variable and of what is modelled
    level : of the band
    below : what is held fixed
    binary : the rows are 0 and 1: they are jittered, and their means in bins are shown
    """
    ax = canvas.panel(ax, 6.4, 4.4)
    _rows(ax, points, binary)
    for number, (view, part) in enumerate(curves.groupby("view", sort=False)):
        colour = canvas.SERIES[number]
        if number == 0:
            ax.fill_between(part["x"], part["conf_low"], part["conf_high"], color=colour, alpha=0.22,
                            linewidth=0, label=f"{100 * level:g} % limits ({canvas.label(view)})")  # fmt: skip
        ax.plot(part["x"], part["estimate"], color=colour, linewidth=3.0 if number == 0 else 1.8,
                linestyle="solid" if number == 0 else (0, (4, 2)), label=canvas.label(view))  # fmt: skip
    ax.set_xlabel(canvas.label(names[0]))
    ax.set_ylabel(canvas.shortened(names[1], 36))
    canvas.title(ax, f"{names[1]} over {names[0]}", below)
    canvas.legend(ax, 2)
    return ax


def draw_effect(
    curves: pd.DataFrame,
    values: pd.Series,
    *,
    names: tuple[str, str],
    level: float,
    slope: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Averages over one variable, each series with its band; ticks at the bottom show where the rows are.

    Parameters
    ----------
    curves : `series, x, estimate, conf_low, conf_high`
    values : (n,) of the variable
    names : of the variable and of what is modelled
    level : of the bands
    slope : whether it is the derivative that is drawn
    """
    ax = canvas.panel(ax, 6.4, 4.4)
    styles = ("solid", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
    for number, (series, part) in enumerate(curves.groupby("series", sort=False)):
        colour = canvas.SERIES[number % len(canvas.SERIES)]
        ax.fill_between(part["x"], part["conf_low"], part["conf_high"], color=colour, alpha=0.18, linewidth=0)
        ax.plot(part["x"], part["estimate"], color=colour, linewidth=2.4, linestyle=styles[number % len(styles)],
                label=canvas.label(series))  # fmt: skip
    if slope:
        ax.axhline(0.0, color=canvas.DATA, linewidth=1.0, linestyle=(0, (2, 2)))
    shown = thinned(values.to_frame())["x"]
    ax.plot(shown, np.full(len(shown), 0.015), linestyle="none", marker="|", color=canvas.DATA, alpha=0.5,
            transform=ax.get_xaxis_transform())  # fmt: skip
    what = f"slope of {names[1]}" if slope else names[1]
    ax.set_xlabel(canvas.label(names[0]))
    ax.set_ylabel(canvas.shortened(what, 36))
    below = f"average over the rows, with {100 * level:g} % limits by the delta method"
    canvas.title(ax, f"{what[:1].upper()}{what[1:]} over {names[0]}", below)
    canvas.legend(ax, 3)
    return ax


def _rows(ax: Axes, points: pd.DataFrame, binary: bool) -> None:
    shown = thinned(points)
    some = "" if len(shown) == len(points) else f" ({numbers.count(len(shown))} of {numbers.count(len(points))})"
    if not binary:
        size = 22 * np.sqrt(shown["weight"] / shown["weight"].mean())
        ax.scatter(shown["x"], shown["y"], s=np.clip(size, 4, 160), color=canvas.DATA, alpha=0.45,
                   linewidth=0, label=f"rows{some}")  # fmt: skip
        return
    x = jittered(shown["x"], points["x"], seed=0)
    y = np.where(shown["y"] > 0.5, 1.06, -0.06) + _noise(len(shown), seed=1) * 0.04
    few = len(shown) < 100
    ax.scatter(x, y, s=18 if few else 8, color=canvas.DATA, alpha=0.6 if few else 0.3, linewidth=0,
               label=f"rows, jittered{some}")  # fmt: skip
    means = binned(points)
    if len(means):
        ax.scatter(means["x"], means["y"], s=34, facecolors="none", edgecolors=canvas.DATA, linewidth=1.4,
                   zorder=3, label="share of events among all rows")  # fmt: skip
    ax.set_yticks(np.linspace(0, 1, 6))


def jittered(shown: pd.Series, values: pd.Series, seed: int) -> np.ndarray:
    """Values that many rows share, moved apart a little; where all differ they stay."""
    places = np.unique(values)
    if len(places) > 0.5 * len(values) or len(places) < 2:
        return shown.to_numpy(dtype=float)
    step = min(0.03 * float(np.ptp(places)), 0.45 * float(np.diff(places).min()))
    return shown.to_numpy(dtype=float) + step * _noise(len(shown), seed)


def _noise(count: int, seed: int) -> np.ndarray:
    """From -1 to 1, most of it near 0; the same each time, because a figure has no news of its own."""
    random = np.random.default_rng(seed)
    return random.uniform(-0.5, 0.5, count) + random.uniform(-0.5, 0.5, count)


def draw_boundary(
    grid: pd.DataFrame,
    points: pd.DataFrame,
    *,
    names: tuple[str, str, str],
    threshold: float = 0.5,
    below: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The plane of two variables, shaded by the probability, with the line where the class changes.

    Parameters
    ----------
    grid : `view, x, y, mean`, a full grid for each view; the shading is that of the first one
    points : `x, y, event`, the rows
    names : of both variables and of what is modelled
    threshold : probability at which the class changes
    """
    from matplotlib.colors import LinearSegmentedColormap

    ax = canvas.panel(ax, 6.4, 4.6)
    colours = LinearSegmentedColormap.from_list("classes", [canvas.GLM, "#f2f2f2", canvas.NETWORK])
    for number, (view, part) in enumerate(grid.groupby("view", sort=False)):
        table = part.pivot(index="y", columns="x", values="mean")
        x, y, mean = table.columns.to_numpy(), table.index.to_numpy(), table.to_numpy()
        if number == 0:
            shade = ax.contourf(x, y, mean, levels=np.linspace(0, 1, 21), cmap=colours, alpha=0.55, antialiased=True)
            bar = ax.figure.colorbar(shade, ax=ax, ticks=np.linspace(0, 1, 6), pad=0.02)
            bar.set_label(canvas.shortened(names[2], 36))
            bar.outline.set_visible(False)
        colour, style = (canvas.INK, "solid") if number == 0 else (canvas.NETWORK, "dashed")
        if np.nanmin(mean) < threshold < np.nanmax(mean):
            ax.contour(x, y, mean, levels=[threshold], colors=[colour], linewidths=2.0, linestyles=style)
            ax.plot([], [], color=colour, linestyle=style, linewidth=2.0, label=f"boundary, {canvas.label(view)}")
    _classes(ax, points)
    ax.grid(False)
    ax.set_xlabel(canvas.label(names[0]))
    ax.set_ylabel(canvas.label(names[1]))
    canvas.title(ax, f"Where {names[2]} passes {threshold:g}", below)
    ax.set_xlim(grid["x"].min(), grid["x"].max())
    ax.set_ylim(grid["y"].min(), grid["y"].max())
    canvas.legend(ax, 4)
    return ax


def _classes(ax: Axes, points: pd.DataFrame) -> None:
    shown = thinned(points)
    shown = shown.assign(x=jittered(shown["x"], points["x"], seed=0), y=jittered(shown["y"], points["y"], seed=1))
    for event, marker, colour, words in ((0, "o", canvas.GLM, "no event"), (1, "^", canvas.NETWORK, "event")):
        part = shown[shown["event"] == event]
        ax.scatter(part["x"], part["y"], marker=marker, s=20, color=colour, edgecolors="white", linewidth=0.4,
                   alpha=0.8, label=words)  # fmt: skip
