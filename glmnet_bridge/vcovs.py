"""Vcovs: what `vcov=` may be, read the same way wherever a table takes it, without a refit.

    None, "expected", "observed", "bayesian"     from the information (`fitting/covariances.py`)
    "HC0", "HC1", "HC2", "HC3"                   robust to the model's variance (`inference/sandwiches.py`)
    {"cluster": "clinic"}, {"cluster": ["clinic", "year"]}, {"cluster": codes}
                                                 robust to rows that depend on each other within clusters
    an array or frame (p, p)                     computed elsewhere
    a function of the fit                        that returns one

A `Fit` is read here by its public names.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data import frames
from glmnet_bridge.design import arguments
from glmnet_bridge.errors import ArgumentError, DataError, DataWarning, check_flags, is_whole, listed, nearest, warn
from glmnet_bridge.fitting import covariances
from glmnet_bridge.inference import bootstraps, sandwiches

Array = np.ndarray

NAMES = (*covariances.KINDS, *sandwiches.KINDS)
WAYS = (
    f'{", ".join(NAMES)}, {{"cluster": a column, an array, or two of them}}, a matrix (p, p), or a function of the fit'
)
CLUSTER_KEYS = ("cluster", "type", "adjust")


def covariance(fit: Any, vcov: Any = None) -> Array:
    """Covariance `(p * k, p * k)` of the coefficients that `vcov` asks for; nan for those that are not finite.

    Raises
    ------
    ArgumentError
        for what is no covariance, and for those that do not hold for this fit
    """
    if vcov is None or (isinstance(vcov, str) and vcov in covariances.KINDS):
        return covariances.covariance(fit.estimate, vcov or "expected", fit.dispersion)
    if isinstance(vcov, str):
        if vcov not in sandwiches.KINDS:
            raise ArgumentError(f"vcov={vcov!r} is unknown; there are {WAYS}.{nearest(vcov, NAMES)}")
        return sandwiches.heteroskedastic(_scores(fit), vcov, fit.nobs)
    if isinstance(vcov, Mapping):
        return _clustered(fit, vcov)
    if callable(vcov):
        return given(fit, vcov(fit), f"The matrix that {words(vcov)} returned")
    return given(fit, vcov, "vcov=")


def words(vcov: Any) -> str:
    """Which covariance it is, in short: `expected`, `HC3`, `clustered by clinic and year`, `given matrix`."""
    if vcov is None or isinstance(vcov, str):
        return vcov or "expected"
    if isinstance(vcov, Mapping):
        names = [part if isinstance(part, str) else _own_name(part) for part in _parts(vcov.get("cluster"))]
        return f"clustered by {' and '.join(names)}"
    return getattr(vcov, "__name__", type(vcov).__name__) if callable(vcov) else "given matrix"


def _own_name(values: Any) -> str:
    name = getattr(values, "name", None)
    return name if isinstance(name, str) else "an array"


def _scores(fit: Any) -> sandwiches.Scores:
    return sandwiches.scores(fit.estimate, fit.rows, fit.sample.freq_weights)


def given(fit: Any, matrix: Any, what: str) -> Array:
    """A matrix from elsewhere, checked: symmetric, and of the fit's columns; a frame is brought into their order.

    Raises
    ------
    ArgumentError
        for any other shape, other labels, or a matrix that is no covariance
    """
    size = len(fit.names)
    if isinstance(matrix, pd.DataFrame):
        strange = [label for axis in matrix.axes for label in axis if label not in fit.names]
        if strange or matrix.shape != (size, size) or not all(axis.is_unique for axis in matrix.axes):
            raise ArgumentError(
                f"{what} is a frame with the columns {listed(list(matrix.columns), 8)}; it needs those of the fit, "
                f"in rows and columns: {listed(list(fit.names), 8)}."
            )
        matrix = matrix.loc[list(fit.names), list(fit.names)]
    try:
        found = np.array(matrix, dtype=float)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.shape != (size, size):
        shape = f"has shape {found.shape}" if found.size else f"is a {type(matrix).__name__}"
        raise ArgumentError(f"{what} {shape}; the fit has {size} coefficients. vcov= may be {WAYS}.")
    spread = np.sqrt(np.abs(found.diagonal()))
    if np.isinf(found).any() or not _close(found, found.T, np.outer(spread, spread)) or (found.diagonal() < 0).any():
        raise ArgumentError(f"{what} is no covariance: it must be symmetric, finite, with no negative variance.")
    gone = np.array(covariances.states(fit.estimate)) != "finite"
    found[gone], found[:, gone] = np.nan, np.nan
    return found


def _close(one: Array, other: Array, unit: Array) -> bool:
    return not (np.abs(one - other) > 1e-8 * unit).any()


def bootstrap(fit: Any, kind: str, times: int, cluster: Any, random_state: Any, progress: bool) -> pd.DataFrame:
    """Draws of the coefficients, one row each.

    Raises
    ------
    ArgumentError
        for another kind, or a fit whose rows have no scores that sum to 0
    """
    if kind not in ("multiplier", "case"):
        hint = nearest(kind, ("multiplier", "case"))
        raise ArgumentError(f"kind={kind!r} is unknown; it is 'multiplier' or 'case'.{hint}")
    if not (is_whole(times) and times >= 2):
        raise ArgumentError(f"times={times!r}: give a whole number of draws, 2 or more.")
    check_flags(progress=progress)
    sandwiches.refuse(fit.estimate)
    codes = None if cluster is None else _codes(fit, cluster)
    try:
        random = np.random.default_rng(random_state)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"random_state={random_state!r}: give a whole number, zero or more, or a generator."
        ) from None
    if kind == "multiplier":
        draws = bootstraps.multiplier(_scores(fit), int(times), codes, int(random.integers(2**62)))
    else:
        turns = functools.partial(_turns, int(times), progress)
        draws = bootstraps.cases(fit.estimate, fit.rows, fit.sample.freq_weights, codes, random, turns)
    finite = np.array(covariances.states(fit.estimate)) == "finite"
    lost = int((~np.isfinite(draws[:, finite])).any(axis=1).sum())
    if lost:
        draws = np.where(np.isfinite(draws), draws, np.nan)
        warn(
            f"{lost} of {times} bootstrap samples have no maximum for all coefficients (separated, or without some "
            "level): they are nan, and what is computed from the others speaks of these only.",
            DataWarning,
        )
    return pd.DataFrame(draws, columns=fit.columns)


def _turns(times: int, progress: bool) -> Iterable[int]:
    if not progress:
        return range(times)
    from tqdm import tqdm

    bar: Iterable[int] = tqdm(range(times), desc="bootstrap")
    return bar


# --- clusters ---------------------------------------------------------------------------------


def _clustered(fit: Any, asked: Mapping[str, Any]) -> Array:
    """As `vcovCL`: of type "HC1", Stata's and statsmodels' (`{"cluster": ..., "type": "HC0"}` for the other one)."""
    strange = [key for key in asked if key not in CLUSTER_KEYS]
    if strange or "cluster" not in asked:
        wrong = f"has {strange[0]!r}, which is unknown" if strange else "does not say by what"
        hint = nearest(strange[0], CLUSTER_KEYS) if strange else ""
        raise ArgumentError(
            f'vcov={{...}} {wrong}; it is {{"cluster": column}}, beside which "type" ("HC1" or "HC0") and "adjust" '
            f"(True or False) may stand.{hint}"
        )
    kind, adjust = asked.get("type", "HC1"), asked.get("adjust", True)
    if kind not in ("HC0", "HC1"):
        raise ArgumentError(f'"type": {kind!r} is unknown for clusters; it is "HC1" or "HC0".')
    check_flags(adjust=adjust)
    parts = _parts(asked["cluster"])
    if not 1 <= len(parts) <= 2:
        raise ArgumentError(f'"cluster" lists {len(parts)} columns; one or two are possible.')
    codes = [_codes(fit, part) for part in parts]
    return sandwiches.clustered(_scores(fit), codes, fit.nobs, kind=kind, adjust=bool(adjust))


def _parts(given: Any) -> list[Any]:
    """One clustering or two: a list of names or of arrays is several, a list of labels is one."""
    if isinstance(given, (list, tuple)):
        inner = [isinstance(part, str) or np.ndim(part) > 0 for part in given]
        if all(inner) and len(given) <= 2:
            return list(given)
    return [given]


def _codes(fit: Any, given: Any) -> Array:
    """The cluster `(n,)` of each row that was used, from 0 in order of appearance; any kind of values will do."""
    sample = fit.sample
    if given is None:
        raise ArgumentError('vcov={"cluster": None}: name a column, or give an array with one value per row.')
    codes = _of_column(fit, given) if isinstance(given, str) else _of_array(fit, given)
    if sample.kept is not None and len(codes) == sample.n_read:
        codes = codes[sample.kept]
    unknown = (codes < 0) & (sample.weights > 0)
    if unknown.any():
        what = f"Column {given!r}" if isinstance(given, str) else 'The array of "cluster"'
        raise DataError(
            f"{what} is missing in {frames.rows_where(sample.index, unknown)}, so that the cluster of these rows is "
            "not known. Fill it, or fit without these rows."
        )
    return codes if len(codes) == sample.n_read and not (codes < 0).any() else np.asarray(pd.factorize(codes)[0])


def _of_column(fit: Any, name: str) -> Array:
    """Codes of a column of the data, -1 where it is missing."""
    if fit.data is None:
        raise DataError(
            f"This fit does not hold its data, so that the column {name!r} is not at hand: give the values themselves, "
            '{"cluster": values}, one for each row.'
        )
    frame = frames.as_frame(fit.data)
    if list(frame.columns).count(name) != 1:
        raise frames.unknown(frame, name, " to cluster by")
    if len(frame) != fit.sample.n_read:
        raise DataError(
            f"The data have {len(frame)} rows now; the fit read {fit.sample.n_read}. Fit again, or give the values "
            'themselves, {"cluster": values}.'
        )
    return np.asarray(pd.factorize(frame[name])[0])


def _of_array(fit: Any, given: Any) -> Array:
    """Codes of an array or Series, one for each row that was read or that was used."""
    sample = fit.sample
    index = sample.index
    if sample.kept is not None and np.shape(given)[:1] != (sample.n,):
        index = pd.RangeIndex(sample.n_read) if fit.data is None else frames.as_frame(fit.data).index
    if isinstance(given, pd.Series):
        codes = pd.Series(pd.factorize(given)[0], given.index)
        return np.asarray(arguments.column("cluster", codes.array if fit.data is None else codes, index)[0])
    if np.ndim(given) != 1:
        raise ArgumentError(f'"cluster" has {np.ndim(given)} dimensions; give a column, or one value for each row.')
    return np.asarray(arguments.column("cluster", pd.factorize(np.asarray(given))[0], index)[0])
