"""Effects: contrasts of averages, with standard errors by the delta method.

    difference a - b        ratio a / b        lift a / b - 1        variance g' V g

The averages a, b and their gradients are those of `averages`. A ratio is tested, and has its limits, by its
logarithm, whose standard error is that of the ratio divided by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glmnet_bridge.inference.averages import Averages

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Effect:
    """An estimate with its gradient.

    Attributes
    ----------
    estimate : number
    gradient : (k * p,) with respect to the coefficients, output by output
    null : what it is without an effect
    positive : whether limits and tests are made on the logarithm of `estimate - null + 1`
    error : whether it has a standard error
    """

    estimate: float
    gradient: Array
    null: float = 0.0
    positive: bool = False
    error: bool = True


def effect(found: Averages, group: int, output: int, high: int, low: int | None, kind: str) -> Effect:
    """One average, or the contrast of two: "difference", "ratio" or "lift" (ratio less 1)."""
    places = [high] if low is None else [high, low]
    known = not found.unknown[group, places].any()
    error = not found.endless[group, places].any()
    values = [float(found.value[group, at, output]) if known else np.nan for at in places]
    slopes = [found.gradient[group, at, output].ravel() for at in places]
    if low is None:
        return Effect(values[0], slopes[0], error=error)
    if kind == "difference":
        return Effect(values[0] - values[1], slopes[0] - slopes[1], error=error)
    with np.errstate(all="ignore"):
        ratio = float(np.float64(values[0]) / values[1])
        gradient = slopes[0] / values[1] - slopes[1] * (ratio / values[1])
    positive = values[0] > 0 and values[1] > 0
    null = 1.0 if kind == "ratio" else 0.0
    return Effect(ratio - 1.0 + null, gradient, null, True, error and positive)


def with_error(
    effect: Effect, covariance: Array, half: float, tail: Callable[[float], float]
) -> tuple[float, float, float, float, float]:
    """Standard error, statistic, p-value and limits; those of a ratio by its logarithm.

    Parameters
    ----------
    effect : an effect
    covariance : (k * p, k * p) of the coefficients, 0 for those that have none
    half : half width of the interval in standard errors
    tail : two-sided p-value of a statistic
    """
    variance = float(effect.gradient @ covariance @ effect.gradient)
    error = np.sqrt(max(variance, 0.0)) if effect.error and np.isfinite(effect.estimate) else np.nan
    with np.errstate(all="ignore"):
        if effect.positive:
            ratio = np.float64(effect.estimate) - effect.null + 1.0
            spread, centre = error / ratio, np.log(ratio) if ratio > 0 else np.nan
            ends = np.exp(centre + half * spread * np.array([-1.0, 1.0])) - 1.0 + effect.null
            statistic = float(centre / spread)
        else:
            ends = effect.estimate + half * error * np.array([-1.0, 1.0])
            statistic = float(np.float64(effect.estimate) / error)
    return float(error), statistic, tail(statistic), float(ends[0]), float(ends[1])
