"""Likelihoods: how much worse each value of one coefficient explains the data than its estimate.

    r(b) = (max l(b, others) - l(estimate)) / dispersion

The others are maximised anew for each b (the profile likelihood), where the data are small enough;
else they keep their estimates. The values with 2 |r| below 3.84, the 95 % point of the chi-square
with one degree of freedom, are those that a likelihood-ratio test does not reject at 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import ArgumentError, BridgeError
from glmnet_bridge.fitting import estimates
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.mapping.unions import CONSTANT, Combined
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit
from glmnet_bridge.report import canvas, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray
CUT = 3.841458820694124  # of the chi-square with one degree of freedom, at 95 %
PLACES, REACH, FARTHEST = 61, 3.2, 12.0  # values drawn, and how many standard errors they reach
WORK = 3e7  # entries of the design times values for which the others are worth maximising anew
ALONE, PROFILE, SLICE = "alone", "profile", "slice"


@dataclass(frozen=True, slots=True)
class Line:
    """One coefficient of an estimate.

    Attributes
    ----------
    estimate, rows : the fit
    at : position of the coefficient in theta
    dispersion : what differences in log-likelihood are divided by
    nobs : number of observations
    name : of the coefficient
    mean_of : what is modelled, where the coefficient is the whole linear predictor; else ""
    """

    estimate: Estimate
    rows: Rows
    at: int
    dispersion: float
    nobs: float
    name: str
    mean_of: str

    @property
    def kind(self) -> str:
        """What the others do: there are none, they are maximised anew, or they keep their estimates."""
        if len(self.estimate.theta) == 1:
            return ALONE
        return PROFILE if self.rows.n * max(self.rows.source.layout.width, 1) * PLACES <= WORK else SLICE

    @property
    def centre(self) -> float:
        return float(self.estimate.theta[self.at])

    @property
    def spread(self) -> float:
        """The standard error; with the others held, that of the coefficient when they are known."""
        info, covariance = self.estimate.sums.expected, self.estimate.covariance
        at = self.at, self.at
        variance = np.nan if info is None or covariance is None else covariance[at]
        if self.kind == SLICE and info is not None and info[at] > 0:
            variance = 1.0 / info[at]
        if not (np.isfinite(variance) and variance > 0 and self.dispersion > 0):
            raise ArgumentError("The likelihood is flat or infinite along this coefficient; there is nothing to draw.")
        return float(np.sqrt(variance * self.dispersion))

    def relative(self, values: Array) -> Array:
        """r at values of the coefficient; nan where the link's domain ends."""
        best = self.estimate.sums.loglik
        loglik = self._profile(values) if self.kind == PROFILE else self._slice(values)
        found = (loglik - best) / self.dispersion
        return np.where(np.isfinite(found), np.minimum(found, 0.0), np.nan)

    def _slice(self, values: Array) -> Array:
        theta, out = self.estimate.theta.copy(), np.empty(len(values))
        for i, value in enumerate(values):
            theta[self.at] = value
            out[i] = self.estimate.model.sums(self.rows, theta, "value").loglik
        return out

    def _profile(self, values: Array) -> Array:
        """The coefficient's part of eta is an offset for the others."""
        model, rows = self.estimate.model, self.rows
        inputs = model.network.inputs
        others = [j for j in range(len(inputs.names)) if j != self.at]
        names = tuple(inputs.names[j] for j in others)
        matrix = np.eye(len(inputs.names)) if inputs.matrix is None else inputs.matrix
        own = np.concatenate([block.columns.dot(matrix[:, [self.at]]) for block in rows.blocks()])
        constant = names.index(CONSTANT) if CONSTANT in names else -1
        source = Combined(rows.source, matrix[:, others], constant)
        rest, offset = Model(names, single_unit(names), model.family), 0.0 if rows.offset is None else rows.offset
        out = np.full(len(values), np.nan)
        for i, value in enumerate(values):
            moved = replace(rows, source=source, offset=offset + value * own)
            try:
                out[i] = estimates.estimate(rest, moved, nobs=self.nobs).sums.loglik
            except BridgeError:  # no value of the others keeps all rows in the link's domain
                continue
        return out


def line(part: Line) -> pd.DataFrame:
    """`value, mean, relative, mark`: the curve, with the estimate and the ends of the interval marked."""
    ends = [_end(part, side) for side in (-1.0, 1.0)]
    places = np.linspace(ends[0], ends[1], PLACES)
    marks = {"estimate": part.centre}
    for side, end, name in zip((-1.0, 1.0), ends, ("95 % low", "95 % high"), strict=True):
        found = _crossing(part, end)
        if np.isfinite(found):
            marks[name] = found
        elif side * (end - part.centre) <= 0:
            raise ArgumentError("The likelihood ends at the estimate; there is nothing to draw.")
    values = np.concatenate([places, list(marks.values())])
    data = pd.DataFrame(
        {
            "value": values,
            "mean": part.estimate.model.family.mean(values) if part.mean_of else np.nan,
            "relative": part.relative(values),
            "mark": [""] * PLACES + list(marks),
        }
    )
    data.loc[data["mark"] == "estimate", "relative"] = 0.0  # by definition; what was computed is rounding
    return data.sort_values("value", kind="stable", ignore_index=True)


def _end(part: Line, side: float) -> float:
    """How far to draw: beyond the interval, where it ends."""
    reach = REACH
    while reach < FARTHEST:
        end = part.centre + side * reach * part.spread
        if not part.relative(np.array([end]))[0] > -0.55 * CUT:
            return end
        reach *= 1.25
    return part.centre + side * FARTHEST * part.spread


def _crossing(part: Line, end: float) -> float:
    """Where 2 |r| passes 3.84 on the way to `end`; nan where it does not."""
    from scipy import optimize

    def above(value: float) -> float:
        found = part.relative(np.array([value]))[0]
        return -1.0 if np.isnan(found) else float(2.0 * found + CUT)

    if above(end) > 0:
        return np.nan
    return float(optimize.brentq(above, part.centre, end, xtol=1e-7 * part.spread, rtol=1e-12))


TITLES = {
    ALONE: "Log-likelihood over {}",
    PROFILE: "Profile log-likelihood over {}: the others maximised anew",
    SLICE: "Log-likelihood over {}: the others keep their estimates",
}


def draw_likelihood(part: Line, ax: Axes | None = None) -> Axes:
    """The log-likelihood relative to its maximum, with the 95 % likelihood interval.

    The values of an intercept that is the whole linear predictor have their means written under them.
    """
    ax, data = canvas.panel(ax, 6.4, 4.4), line(part)
    marks = data[data["mark"] != ""].set_index("mark")
    ax.plot(data["value"], data["relative"], color=canvas.GLM, linewidth=2.4, label="log-likelihood")
    ax.axhline(-CUT / 2, color=canvas.DATA, linewidth=1.2, linestyle=(0, (4, 2)), label="1.92 below (deviance 3.84)")
    limits = marks.drop(index="estimate")
    low, high = (limits["value"].get(key, end) for key, end in zip(
        ("95 % low", "95 % high"), (data["value"].min(), data["value"].max()), strict=True
    ))  # fmt: skip
    ax.plot([low, high], [-CUT / 2] * 2, color=canvas.NETWORK, linewidth=3.0, label="95 % likelihood interval")
    ax.plot(limits["value"], limits["relative"], "|", color=canvas.NETWORK, markersize=13, markeredgewidth=2.4)
    ax.plot(marks.loc["estimate", "value"], 0.0, label="estimate", **canvas.STAR)
    ax.set_xlabel(canvas.label(part.name))
    if part.mean_of:
        _means(ax, data)
        ax.set_xlabel(f"{canvas.label(part.name)}, and under it {canvas.label(part.mean_of)}")
    ax.set_ylabel("log-likelihood, less its maximum")
    canvas.title(ax, TITLES[part.kind].format(part.name), _interval(limits))
    canvas.legend(ax, 4)
    return ax


def _means(ax: Axes, data: pd.DataFrame) -> None:
    """Each value with the mean that it stands for, in a second line."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

    low, high = data["value"].min(), data["value"].max()
    ticks = [tick for tick in MaxNLocator(8).tick_values(low, high) if low <= tick <= high]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    known = data.drop_duplicates("value")

    def words(value: float, _: int | None = None) -> str:
        mean = np.interp(value, known["value"], known["mean"])
        return f"{value:g}\n{numbers.significant(float(mean), 2)}"

    ax.xaxis.set_major_formatter(FuncFormatter(words))


def _interval(limits: pd.DataFrame) -> str:
    """The interval in words, where it ends at both sides."""
    if len(limits) < 2:
        return "the 95 % likelihood interval does not end on both sides here"
    low, high = limits["value"]
    words = f"95 % likelihood interval: {numbers.significant(low, 3)} to {numbers.significant(high, 3)}"
    if limits["mean"].isna().any():
        return words
    means = sorted(limits["mean"])
    return f"{words} (mean {numbers.significant(means[0], 3)} to {numbers.significant(means[1], 3)})"
