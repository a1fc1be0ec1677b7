"""Specifications: tests of what a model takes for granted, its variance and its link.

Pearson's chi2 stands against its degrees of freedom; for counts the regression tests of Cameron and Trivedi (1990)
compare mean and variance row by row. The link is tested by the fit on eta and eta^2 (Pregibon 1980): a square that
helps says that the scale is wrong.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import scipy

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import DataError
from glmnet_bridge.inference import calibrations
from glmnet_bridge.model.families import Family

Array = np.ndarray


def overdispersion(chi2: float, df: float, y: Array, mean: Array, counts: Array | None) -> pd.DataFrame:
    """`test, dispersion, statistic, df, p_value`; one-sided, for a variance larger than the model's.

    Parameters
    ----------
    chi2, df : Pearson's, and the residual degrees of freedom
    y, mean : (n,) response and fitted mean
    counts : (n,) how often each row stands in the data, for the tests on the mean of a count; None leaves them out

    Returns
    -------
    The rows "linear" (variance = dispersion x mean) and "quadratic" (variance = mean + a mean^2, `dispersion` is a)
    are those of R's `AER::dispersiontest` with `trafo = NULL` and `trafo = 2`; their statistic is normal.
    """
    ratio = chi2 / df if df > 0 else np.nan
    p_value = float(scipy.special.chdtrc(df, chi2)) if df > 0 else np.nan
    rows = [("pearson", ratio, chi2, df, p_value)]
    if counts is not None:
        used = (counts > 0) & (mean > 0)
        y, mean, n = y[used], mean[used], counts[used]
        excess = ((y - mean) ** 2 - y) / mean
        total = n.sum()
        average = float(n @ excess / total)
        with np.errstate(divide="ignore", invalid="ignore"):
            linear = np.sqrt(total) * average / np.sqrt(n @ (excess - average) ** 2 / (total - 1.0))
            slope = float(n @ (excess * mean) / (n @ mean**2))
            error = np.sqrt(n @ (excess - slope * mean) ** 2 / (total - 1.0) / (n @ mean**2))
            quadratic = slope / error
        rows.append(("linear", 1.0 + average, float(linear), np.nan, float(scipy.special.ndtr(-linear))))
        rows.append(("quadratic", slope, float(quadratic), np.nan, float(scipy.special.ndtr(-quadratic))))
    return pd.DataFrame(rows, columns=["test", "dispersion", "statistic", "df", "p_value"])


def link_test(family: Family, rows: Rows, eta: Array, nobs: float, intercept: bool) -> pd.DataFrame:
    """The fit on the linear predictor and its square: `term, estimate, std_error, statistic, p_value`.

    As Stata's `linktest`; with a constant where the model has one. The row "eta_squared" is the test.

    Raises
    ------
    DataError
        where linear predictors are infinite, or take fewer than three values: then a square tells nothing new
    """
    used = rows.weights > 0
    if not np.isfinite(eta[used]).all():
        raise DataError(
            "Some fitted values lie at infinity (the data are separated), so that the link cannot be tested. "
            "Fit without the columns that fit.separation names, or with a penalty."
        )
    centre, size = float(eta[used].mean()), float(np.abs(eta[used]).max(initial=0.0))
    levels = np.unique(np.round((eta[used] - centre) / max(size, 1e-300), 9))
    if len(levels) < 3:
        raise DataError(
            f"The linear predictor takes {len(levels)} different value(s), so that its square says nothing about the "
            "link: that takes three, such as a numeric column gives."
        )
    eta = np.where(used, eta, centre)
    start = (0.0, 1.0, 0.0)[0 if intercept else 1 :]
    columns = {"eta": eta, "eta_squared": eta**2}
    found = calibrations.auxiliary(family, replace(rows, offset=None), columns, nobs, intercept, start)
    table = calibrations.table(found, nobs, np.zeros(len(found.model.columns)), 0.95)
    return table[["term", "estimate", "std_error", "statistic", "p_value"]]
