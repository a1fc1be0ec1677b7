"""Surfaces: the likelihood over two parameters, and the paths that solvers took on it.

    D(theta_i, theta_j) = 2 (l(optimum) - l(theta)) / dispersion

on the slice through the optimum where all other parameters keep their estimates. D is compared
with the chi-square distribution on two degrees of freedom: inside the line `95 %` lie the values
that a likelihood-ratio test of both parameters, given the others, does not reject at 5 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.report import canvas, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray
REGIONS = (0.5, 0.9, 0.95, 0.99)
LEVELS = tuple(float(-2.0 * np.log1p(-share)) for share in REGIONS)  # of the chi-square with two degrees
FINE, THIN = 91, 221  # places per axis of the drawn surface; more for ellipses that are nearly a line
WORK = 3e7  # entries of the design times places of the grid that are worth a picture


@dataclass(frozen=True, slots=True)
class Slice:
    """Two parameters of an estimate, with the scale of the picture.

    Attributes
    ----------
    estimate, rows : the fit
    at : positions of the two parameters in theta
    dispersion : what the drop in log-likelihood is divided by
    """

    estimate: Estimate
    rows: Rows
    at: tuple[int, int]
    dispersion: float

    @property
    def centre(self) -> Array:
        """(2,) the estimates."""
        return self.estimate.theta[list(self.at)]

    @property
    def spread(self) -> Array:
        """(2,) standard errors when all other parameters are known."""
        info = self.estimate.sums.expected
        block = None if info is None else info[np.ix_(self.at, self.at)]
        if block is None or not np.linalg.det(block) > 0:
            raise ArgumentError("The likelihood is flat along these parameters; there are no contours to draw.")
        if not self.dispersion > 0:
            raise ArgumentError("The model fits every row exactly: the likelihood has no contours to draw.")
        return np.sqrt(np.diag(np.linalg.inv(block)) * self.dispersion)

    @property
    def correlation(self) -> float:
        """Size of the correlation of both estimates."""
        info = self.estimate.sums.expected
        if info is None:
            return 0.0
        first, second = self.at
        return float(abs(info[first, second]) / np.sqrt(info[first, first] * info[second, second]))

    def drop(self, x: Array, y: Array) -> Array:
        """D `(len(y), len(x))` on the grid; nan outside the link's domain."""
        model, theta = self.estimate.model, self.estimate.theta.copy()
        best = self.estimate.sums.loglik
        out = np.empty((len(y), len(x)))
        for i, second in enumerate(y):
            for j, first in enumerate(x):
                theta[list(self.at)] = first, second
                out[i, j] = 2.0 * (best - model.sums(self.rows, theta, "value").loglik) / self.dispersion
        return np.where(np.isfinite(out), np.maximum(out, 0.0), np.nan)

    def grid(self, low: Array, high: Array) -> tuple[Array, Array, Array]:
        """Places and D between two corners, fine enough to draw: a smooth surface needs few true values."""
        entries = self.rows.n * max(self.rows.source.layout.width, 1)
        side = int(np.clip(np.sqrt(WORK / entries), 13, 41))
        x, y = (np.linspace(low[axis], high[axis], side) for axis in (0, 1))
        drop = self.drop(x, y)
        if not np.isfinite(drop).all():
            return x, y, drop
        from scipy.interpolate import RectBivariateSpline

        fine = THIN if self.correlation > 0.9 else FINE
        fine_x, fine_y = np.linspace(low[0], high[0], fine), np.linspace(low[1], high[1], fine)
        return fine_x, fine_y, np.maximum(RectBivariateSpline(y, x, drop)(fine_y, fine_x), 0.0)


def surface(part: Slice, paths: pd.DataFrame) -> pd.DataFrame:
    """`region, x, y, drop`: a fine grid around the optimum ("near") and one over all paths ("far")."""
    centre, spread = part.centre, part.spread
    reach = np.max(3.6 * spread, axis=0, initial=0.0)
    near = (centre - 3.6 * spread, centre + 3.6 * spread)
    corners = paths[["x", "y"]].to_numpy(dtype=float)
    corners = corners[np.isfinite(corners).all(axis=1)]
    low, high = (
        np.minimum(near[0], corners.min(axis=0, initial=np.inf)),
        np.maximum(near[1], corners.max(axis=0, initial=-np.inf)),
    )
    frames = [_frame("near", *part.grid(*near))]
    if reach > 0 and ((low < near[0]) | (high > near[1])).any():
        margin = 0.08 * (high - low)
        frames.insert(0, _frame("far", *part.grid(low - margin, high + margin)))
    return pd.concat(frames, ignore_index=True)


def _frame(region: str, x: Array, y: Array, drop: Array) -> pd.DataFrame:
    across, up = np.meshgrid(x, y)
    return pd.DataFrame({"region": region, "x": across.ravel(), "y": up.ravel(), "drop": drop.ravel()})


def draw_contours(
    data: pd.DataFrame,
    paths: pd.DataFrame,
    *,
    names: tuple[str, str],
    centre: Array,
    units: Mapping[str, str],
    below: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Contours of minus the log-likelihood over two parameters, with the paths of the solvers.

    Parameters
    ----------
    data : what `surface` returns
    paths : `view, step, x, y`
    names : of both parameters
    centre : (2,) the estimates
    units : by view, what its steps are called
    """
    ax = canvas.panel(ax, 6.6, 4.8)
    near, far = (data[data["region"] == region] for region in ("near", "far"))
    zoom = not far.empty and _share(near, far) < 0.45
    _regions(ax, near, labelled=not zoom and near["x"].nunique() <= FINE)
    _outer(ax, near if far.empty else far)
    for number, (view, part) in enumerate(paths.groupby("view", sort=False)):
        _draw_path(ax, part, number, f"{view}, {numbers.counted(len(part) - 1, units[view])}")
    ax.plot(*centre, label="maximum", **canvas.STAR)
    _frame_to(ax, near if far.empty else far)
    if zoom:
        _zoom(ax, near, paths, centre)
    ax.set_xlabel(canvas.label(names[0]))
    ax.set_ylabel(canvas.label(names[1]))
    ax.grid(False)
    canvas.title(ax, "Minus log-likelihood and the way to its minimum", below)
    canvas.legend(ax, 4)
    return ax


def _table(part: pd.DataFrame) -> tuple[Array, Array, Array]:
    table = part.pivot(index="y", columns="x", values="drop")
    return table.columns.to_numpy(), table.index.to_numpy(), table.to_numpy()


def _share(near: pd.DataFrame, far: pd.DataFrame) -> float:
    """How much of the picture the surroundings of the estimate fill, along the better axis."""
    return max(float(np.ptp(near[axis]) / np.ptp(far[axis])) for axis in ("x", "y"))


def _regions(ax: Axes, near: pd.DataFrame, labelled: bool) -> None:
    x, y, drop = _table(near)
    ax.contourf(x, y, drop, levels=[0.0, *LEVELS], colors=[canvas.GLM] * 4, alpha=0.13)
    lines = ax.contour(x, y, drop, levels=LEVELS, colors=[canvas.GLM] * 4, linewidths=1.1)
    if labelled:
        ax.clabel(
            lines,
            fmt={level: f"{share:.0%}" for level, share in zip(LEVELS, REGIONS, strict=True)},
            fontsize=8,
        )


def _outer(ax: Axes, part: pd.DataFrame) -> None:
    """Lines beyond the likelihood regions, each at twice the drop of the one before."""
    x, y, drop = _table(part)
    most, first = float(drop[np.isfinite(drop)].max(initial=0.0)), 2.0 * LEVELS[-1]
    count = min(int(np.floor(np.log2(most / first))) + 1 if most > first else 0, 12)
    if count:
        ax.contour(
            x,
            y,
            drop,
            levels=first * 2.0 ** np.arange(count),
            colors=[canvas.DATA],
            linewidths=0.8,
            alpha=0.7,
        )


def _frame_to(ax: Axes, part: pd.DataFrame) -> None:
    ax.set_xlim(part["x"].min(), part["x"].max())
    ax.set_ylim(part["y"].min(), part["y"].max())


def _zoom(ax: Axes, near: pd.DataFrame, paths: pd.DataFrame, centre: Array) -> None:
    """The surroundings of the estimate once more, in the corner that the paths leave free."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    places = np.column_stack([(paths["x"] - left) / (right - left), (paths["y"] - bottom) / (top - bottom)])
    corners = [(0.03, 0.05), (0.61, 0.05), (0.03, 0.59), (0.61, 0.59)]
    room = [np.min(np.hypot(*(_between(places) - (x + 0.18, y + 0.18)).T)) for x, y in corners]
    inset = ax.inset_axes([*corners[int(np.argmax(room))], 0.36, 0.36])
    inset.set_facecolor("white")
    _regions(inset, near, labelled=False)
    for number, (view, part) in enumerate(paths.groupby("view", sort=False)):
        _draw_path(inset, part, number, view, numbered=False)
    inset.plot(*centre, **canvas.STAR)
    _frame_to(inset, near)
    inset.set_xticks([])
    inset.set_yticks([])
    ax.indicate_inset_zoom(inset, edgecolor=canvas.DATA, alpha=0.8)


def _between(places: Array) -> Array:
    """Places along the lines between places."""
    if len(places) < 2:
        return places
    share = np.linspace(0, 1, 9)[:, None, None]
    return ((1 - share) * places[:-1] + share * places[1:]).reshape(-1, 2)


def _draw_path(ax: Axes, part: pd.DataFrame, number: int, words: str, numbered: bool = True) -> None:
    colour = (canvas.GLM, canvas.NETWORK, canvas.GOOD)[number % 3]
    few = len(part) <= 30
    ax.plot(part["x"], part["y"], color=colour, linewidth=1.5, marker="o" if few else None, markersize=4.5,
            label=canvas.label(words), zorder=4)  # fmt: skip
    if few and numbered:
        for row in part.head(3).itertuples(index=False):
            ax.annotate(str(row.step), (row.x, row.y), (5, 4), textcoords="offset points", fontsize=8, color=colour)
