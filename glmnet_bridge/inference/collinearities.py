"""Collinearities: how much wider the intervals of a term are than they would be without the other terms.

    GVIF = det R_term det R_rest / det R        R: correlation matrix of the estimates without the intercept

(Fox and Monette 1992, as R's `car::vif`.) For one column it is the variance inflation factor; the root
`GVIF^(1/(2 df))` compares terms of different width and is the factor by which an interval is wider.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

Array = np.ndarray


def inflation(covariance: Array, terms: tuple[tuple[str, slice], ...]) -> pd.DataFrame:
    """`term, gvif, df, gvif_root` for each term but the intercept.

    Parameters
    ----------
    covariance : (p, p) array; nan for columns without a finite estimate, which are left out
    terms : each with its columns

    Returns
    -------
    `df` counts the columns that have an estimate; a term that has none is nan
    """
    known = np.isfinite(covariance.diagonal())
    owners = [(name, np.arange(len(known))[run][known[run]]) for name, run in terms if name != "Intercept"]
    every = np.concatenate([np.zeros(0, dtype=int), *(at for _, at in owners)])
    scale = np.sqrt(covariance.diagonal()[every])
    correlation = covariance[np.ix_(every, every)] / np.outer(scale, scale)
    whole = _log_determinant(correlation)
    rows = []
    for name, at in owners:
        mine = np.isin(every, at)
        parts = _log_determinant(correlation[np.ix_(mine, mine)]) + _log_determinant(correlation[np.ix_(~mine, ~mine)])
        gvif = float(np.exp(parts - whole)) if len(at) else np.nan
        rows.append((name, gvif, len(at), gvif ** (0.5 / len(at)) if len(at) else np.nan))
    return pd.DataFrame(rows, columns=["term", "gvif", "df", "gvif_root"])


def _log_determinant(matrix: Array) -> float:
    return float(np.linalg.slogdet(matrix)[1]) if len(matrix) else 0.0
