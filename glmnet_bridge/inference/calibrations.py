"""Calibrations: whether what is predicted comes true as often as it is said.

    slope        of g(mean) = a + b eta, 1 where predictions are as far from their mean as they should be
    intercept    of g(mean) = a + eta, 0 where they are right on average (calibration in the large)

(Cox 1958.) On the rows of the fit itself both hold by construction where the link is canonical: they say something
of new rows. Groups of equal size (deciles of risk) are those of Hosmer and Lemeshow (1980).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import scipy

from glmnet_bridge.data.rows import ArraySource, Rows
from glmnet_bridge.errors import DataError
from glmnet_bridge.fitting import covariances, dispersions, statistics
from glmnet_bridge.fitting.dispersions import Degrees
from glmnet_bridge.fitting.estimates import Estimate, estimate
from glmnet_bridge.inference.discriminations import Scored
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit

Array = np.ndarray


def auxiliary(
    family: Family, rows: Rows, columns: dict[str, Array], nobs: float, intercept: bool, start: tuple[float, ...]
) -> Estimate:
    """The fit of the rows' response on a few columns `(n,)` of their own, and on a constant if there is to be one."""
    names = (*(("Intercept",) if intercept else ()), *columns)
    matrix = np.column_stack(list(columns.values())) if columns else np.empty((rows.n, 0))
    model = Model(names, single_unit(names), family)
    return estimate(model, replace(rows, source=ArraySource(matrix, intercept)), start=np.array(start), nobs=nobs)


def table(found: Estimate, nobs: float, nulls: Array, level: float) -> pd.DataFrame:
    """`term, estimate, std_error, null, statistic, p_value, conf_low, conf_high` of an auxiliary fit."""
    family = found.model.family
    degrees = Degrees(nobs, float(len(found.theta)))
    free = family.distribution.free_dispersion
    scale = dispersions.dispersion(family, found.chi2, degrees) if free and found.chi2 is not None else 1.0
    value = covariances.coefficients(found)
    error = np.sqrt(covariances.covariance(found, "expected", scale).diagonal())
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (value - nulls) / error
    df = degrees.residual if free else None
    half = statistics.quantile(level, df) * error
    return pd.DataFrame(
        {
            "term": list(found.model.columns), "estimate": value, "std_error": error, "null": nulls,
            "statistic": statistic, "p_value": statistics.tail(statistic, df),
            "conf_low": value - half, "conf_high": value + half,
        }
    )  # fmt: skip


def calibration(family: Family, rows: Rows, eta: Array, nobs: float, level: float) -> pd.DataFrame:
    """Calibration in the large and calibration slope, with tests of 0 and 1.

    Parameters
    ----------
    family : of the model
    rows : response and weights; their columns and offset are not read
    eta : (n,) what the model says of the rows, offset included
    nobs : observations
    level : of the limits

    Raises
    ------
    DataError
        where a linear predictor is infinite (separated data)
    """
    counted = rows.weights > 0
    if not np.isfinite(eta[counted]).all():
        raise DataError(
            "Some fitted values lie at infinity (the data are separated), so that calibration has no slope. "
            "Fit with a penalty, or without the columns that fit.separation names."
        )
    eta = np.where(counted, eta, 0.0)
    large = auxiliary(family, replace(rows, offset=eta[:, None]), {}, nobs, True, (0.0,))
    sloped = auxiliary(family, replace(rows, offset=None), {"slope": eta}, nobs, True, (0.0, 1.0))
    first = table(large, nobs, np.zeros(1), level).assign(term="in the large")
    second = table(sloped, nobs, np.array([0.0, 1.0]), level)
    return pd.concat([first, second[second["term"] == "slope"]], ignore_index=True)


def groups(rows: Scored, wanted: int) -> pd.DataFrame:
    """Rows in groups of rising probability: `group, n, mean, observed, events, expected`.

    Groups are cut at quantiles as R's `quantile(type = 7)` of the single trials; equal probabilities stay together,
    so that there may be fewer groups than wanted.
    """
    used = rows.counts > 0
    mean, y, n = rows.mean[used], rows.y[used], rows.counts[used]
    order = np.argsort(mean, kind="stable")
    ends = np.cumsum(n[order])
    place = (ends[-1] - 1.0) * np.linspace(0.0, 1.0, wanted + 1)

    def at(position: Array) -> Array:
        found = np.searchsorted(ends, position, side="right")
        value: Array = mean[order][np.minimum(found, len(ends) - 1)]
        return value

    low, high = at(np.floor(place)), at(np.ceil(place))
    cuts = np.unique(low + (place - np.floor(place)) * (high - low))
    member = np.clip(np.searchsorted(cuts, mean * (1.0 - 1e-14), side="left"), 1, max(len(cuts) - 1, 1)) - 1
    size = max(len(cuts) - 1, 1)
    total, events, expected = (np.bincount(member, part, minlength=size) for part in (n, n * y, n * mean))
    some = total > 0
    total, events, expected = total[some], events[some], expected[some]
    return pd.DataFrame(
        {"group": np.arange(1, len(total) + 1), "n": total, "mean": expected / total, "observed": events / total,
         "events": events, "expected": expected}
    )  # fmt: skip


def hosmer_lemeshow(rows: Scored, wanted: int, new: bool) -> tuple[pd.DataFrame, float, int, float]:
    """Groups, chi2, its degrees of freedom and p-value; `new` rows cost no degrees of freedom."""
    found = groups(rows, wanted)
    events, expected, n = (found[name].to_numpy() for name in ("events", "expected", "n"))
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(events == expected, 0.0, (events - expected) ** 2 * n / (expected * (n - expected)))
    chi2, df = float(parts.sum()), len(found) - (0 if new else 2)
    return found, chi2, df, float(scipy.special.chdtrc(df, chi2)) if df > 0 else np.nan
