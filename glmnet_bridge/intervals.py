"""Intervals: profile and score limits of a `Fit`, and the profile of one coefficient.

The way is chosen by the state of each coefficient: a finite one walks along maxima of the likelihood
(`inference/profiles.py`), one at infinity, or one whose walk ends, by fits of the others
(`inference/refits.py`). A `Fit` is read here by its public names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import ArgumentError, is_whole, listed, nearest
from glmnet_bridge.fitting import covariances, statistics
from glmnet_bridge.inference import profiles, refits
from glmnet_bridge.inference.profiles import Surface, Tracker
from glmnet_bridge.inference.refits import Refits
from glmnet_bridge.model.layers import Affine

Array = np.ndarray

EDGE, ALMOST = 3.0, 0.1  # signed roots between which a profile is drawn: to both sides, or on the way to infinity


@dataclass(frozen=True, slots=True)
class Ground:
    """What the intervals of a fit are computed from.

    Attributes
    ----------
    fit : the fit
    states : per coefficient: finite, +inf, -inf, either or aliased
    surface : the likelihood of the finite coefficients, or None where there are none
    known : whether there is a dispersion to measure by, and not an exact fit whose residuals are rounding
    """

    fit: Any
    states: tuple[str, ...]
    surface: Surface | None
    known: bool

    def place(self, at: int) -> int:
        """Where coefficient `at` stands among the parameters of the surface."""
        model = self.fit.estimate.model
        width, outputs = len(model.columns), model.network.outputs
        return model.network.inputs.names.index(model.columns[at % width]) * outputs + at // width

    def refits(self, at: int) -> Refits | None:
        """The same coefficient by whole fits; None of several classes, whose fits take no offset."""
        fit = self.fit
        model, rank = fit.estimate.model, fit.estimate.rank
        if fit.family.joint:
            return None
        kept = np.arange(len(model.columns)) if rank is None else rank.kept
        names = tuple(model.columns[j] for j in kept)
        return Refits(
            fit.family, names, np.eye(len(model.columns))[:, kept], fit.rows, names.index(model.columns[at]),
            fit.estimate.sums.loglik, float(fit.params.iloc[at]), fit.dispersion, fit.nobs,
        )  # fmt: skip

    def limit(self, at: int, side: float, quantile: float, method: str) -> float:
        """The limit of one coefficient on one side."""
        if not self.known or self.states[at] == "aliased":
            return np.nan
        if self.states[at] == "either":
            return side * np.inf
        spread = np.nan
        if self.states[at] == "finite" and self.surface is not None:
            found = profiles.limit(self.surface, self.place(at), side, quantile, method)
            if not np.isnan(found):
                return found
            spread = self.surface.spread(self.surface.to_raw[self.place(at)])
        again = self.refits(at)
        if again is None:
            return np.nan
        return refits.limit(again, side, quantile, method, spread if np.isfinite(spread) else again.unit)


def ground(fit: Any, method: str) -> Ground:
    """What the intervals of a fit stand on.

    Raises
    ------
    ArgumentError
        for fits that are no maximum of a likelihood with one parameter for each column
    """
    estimate = fit.estimate
    network = estimate.model.network
    why = ""
    if estimate.model.penalty.strength > 0:
        why = "the likelihood is penalised. Use method='wald', or fit without penalty"
    elif estimate.model.reduction:
        why = "its estimate is bias-reduced, and no maximum of the likelihood. Use method='wald' or 'profile'"
    elif not _is_glm(network):
        why = "its weights are not one for each column. Use the GLM of the bridge (`.glm`)"
    elif estimate.outcome == "boundary":
        why = (
            "the maximum lies on the edge of what the link allows, where the likelihood ratio is not chi-square. Use "
            "another link"
        )
    elif estimate.separation is not None and fit.family.joint:
        why = "the classes are separated. Leave out or merge what separates them"
    elif not estimate.converged and estimate.separation is None:
        why = f"it is not at the maximum of the likelihood (outcome {fit.outcome!r}). Fit again with more steps"
    if why:
        raise ArgumentError(f"There are no {method} limits of this fit: {why}.")
    free = fit.family.distribution.free_dispersion
    known = bool(fit.dispersion > 0) and not (free and statistics.exact(fit.family, fit.rows, fit.deviance))
    found = None
    if known and network.parameters:
        found = profiles.surface(estimate.model, _staying(fit), estimate.theta, fit.dispersion)
    return Ground(fit, covariances.states(estimate), found, known)


def _is_glm(network: Any) -> bool:
    layer = network.layers[0] if len(network.layers) == 1 else None
    matrix = network.inputs.matrix
    picks = matrix is None or (((matrix == 0) | (matrix == 1)).all() and (matrix.sum(axis=0) == 1).all())
    return bool(picks and isinstance(layer, Affine) and not layer.bias)


def _staying(fit: Any) -> Rows:
    """The rows that decide what stays finite."""
    rows: Rows = fit.rows
    off = None if fit.estimate.separation is None else fit.estimate.separation.goes_off
    return rows if off is None else replace(rows, weights=np.where(off, 0.0, rows.weights))


def limits(fit: Any, method: str, level: float, distribution: str | None) -> pd.DataFrame:
    """Profile or score limits `conf_low, conf_high` by column."""
    if distribution not in (None, "t", "normal"):
        raise ArgumentError(f"distribution={distribution!r} is unknown; it is 't' or 'normal'.")
    quantile = statistics.quantile(level, fit.df_resid if distribution == "t" else None)
    stands = ground(fit, method)
    table = [[stands.limit(at, side, quantile, method) for side in (-1.0, 1.0)] for at in range(len(fit.names))]
    return pd.DataFrame(np.array(table).reshape(-1, 2), index=fit.columns, columns=["conf_low", "conf_high"])


def profile(fit: Any, column: str, points: int) -> pd.DataFrame:
    """`value, signed_root, deviance` of one coefficient, the others at their maximum for each value."""
    names = list(fit.names)
    if column not in names:
        raise ArgumentError(
            f"There is no coefficient {column!r}; there are {listed(names, 8)}.{nearest(column, names)}"
        )
    if not (is_whole(points) and points >= 3):
        raise ArgumentError(f"points={points!r}: give a whole number, 3 or more.")
    stands, at = ground(fit, "profile"), names.index(column)
    if stands.states[at] in ("aliased", "either"):
        word = "was left out as aliased" if stands.states[at] == "aliased" else "is infinite with either sign"
        raise ArgumentError(f"The coefficient {column!r} {word}: its likelihood has no profile.")
    if not stands.known:
        raise ArgumentError("The model fits every row exactly: there is no dispersion to measure a likelihood by.")
    rows = [_row(fit, value, loglik) for value, loglik in _along(stands, at, int(points))]
    return pd.DataFrame(rows, columns=["value", "signed_root", "deviance"])


def _row(fit: Any, value: tuple[float, float], loglik: float) -> tuple[float, float, float]:
    """One line of a profile: `value` is the coefficient, and how far it lies from the estimate."""
    drop = max(2.0 * (fit.estimate.sums.loglik - loglik) / fit.dispersion, 0.0)
    return value[0], float(np.sign(value[1]) * np.sqrt(drop)), -2.0 * loglik


def _along(stands: Ground, at: int, points: int) -> list[tuple[tuple[float, float], float]]:
    """Values from one end to the other, the estimate among them, each with the largest log-likelihood there."""
    centre = float(stands.fit.params.iloc[at])
    ends = [_end(stands, at, side) for side in (-1.0, 1.0)]
    half = points // 2 + 1
    if not np.isfinite(centre):
        again = stands.refits(at)
        assert again is not None, "classes that are separated were refused"
        return [((value, value - centre), again.held(value)[0]) for value in np.linspace(ends[0], ends[1], points)]
    found = [((centre, 0.0), float(stands.fit.estimate.sums.loglik))]
    for end in ends:
        assert stands.surface is not None, "a finite coefficient has a surface"
        tracker = Tracker(stands.surface, stands.surface.to_raw[stands.place(at)], "profile")
        for value in np.linspace(centre, end, half)[1:]:
            found.append(((value, value - centre), _held(stands, tracker, at, value)))
    return sorted(found)


def _held(stands: Ground, tracker: Tracker, at: int, value: float) -> float:
    point = tracker.maximum(value)
    if point is not None:
        return float(point.sums.loglik)
    again = stands.refits(at)
    return np.nan if again is None else again.held(value)[0]


def _end(stands: Ground, at: int, side: float) -> float:
    """How far a profile goes: where its root is 3, or on the way to infinity where it is nearly 0."""
    centre = float(stands.fit.params.iloc[at])
    if centre == side * np.inf:
        return stands.limit(at, -side, ALMOST, "profile")
    end = stands.limit(at, side, EDGE, "profile")
    if np.isfinite(end):
        return end
    assert stands.surface is not None, "a finite coefficient has a surface"
    return centre + side * 2.0 * EDGE * stands.surface.spread(stands.surface.to_raw[stands.place(at)])


def marked(fit: Any, column: str, level: float, points: int) -> pd.DataFrame:
    """The profile with `wald`, the straight line of Wald limits, and `mark`: the estimate, "low" and "high" limits."""
    quantile = statistics.quantile(statistics.confidence_level(level), None)
    found = profile(fit, column, points)
    stands, at = ground(fit, "profile"), list(fit.names).index(column)
    centre, error = float(fit.params.iloc[at]), float(fit.bse.iloc[at])
    found["mark"] = np.where(found["value"] == centre, "estimate", "").astype(object)
    for word, side in (("low", -1.0), ("high", 1.0)):
        end = stands.limit(at, side, quantile, "profile")
        if np.isfinite(end):
            deviance = fit.deviance + quantile**2 * fit.dispersion
            found.loc[len(found)] = [end, side * quantile, deviance, word]
    found = found.sort_values("value", kind="stable", ignore_index=True)
    found.insert(3, "wald", (found["value"] - centre) / error if np.isfinite(centre) else np.nan)
    return found
