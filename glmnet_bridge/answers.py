"""Answers: the coefficient table of a `Fit`, and what it says of rows, old and new.

A `Fit` is read here by its public names, so this module stands before `fits.py`: the methods
there are one call each of a function here. Rows that were left out for missing values keep
their place and are nan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import intervals as intervals_of
from glmnet_bridge import shares, vcovs
from glmnet_bridge.data.frames import as_frame
from glmnet_bridge.data.rows import Rows
from glmnet_bridge.design.samples import Sample
from glmnet_bridge.errors import ArgumentError, DataError, DataWarning, listed, nearest, warn
from glmnet_bridge.fitting import covariances, dispersions, predictions, statistics

Array = np.ndarray

METHODS = ("wald", "profile", "score")
KINDS = ("mean", "link", "terms", "class")
GLANCE = (
    "nobs", "df_model", "df_resid", "llf", "llnull", "deviance", "null_deviance", "pearson_chi2",
    "dispersion", "aic", "bic", "converged", "outcome", "distance_to_mle",
)  # fmt: skip


def rows_of(sample: Sample) -> Rows:
    """The rows that a fit of this sample sums over."""
    assert sample.response is not None, "a sample that is fitted has a response"
    return Rows(sample.source, sample.response, sample.weights, sample.offset)


# --- coefficients -----------------------------------------------------------------------------


def limits(
    fit: Any, level: float | None, alpha: float | None, method: str, distribution: str | None, vcov: Any
) -> pd.DataFrame:
    """Limits `conf_low, conf_high` by column."""
    chosen = statistics.confidence_level(level, alpha)
    if method == "profile" and fit.estimate.model.reduction:
        return _penalised_limits(fit, chosen)
    if method == "wald":
        return _wald(fit, errors(fit, vcov), chosen, distribution)
    if method not in METHODS:
        raise ArgumentError(
            f"method={method!r} is unknown; it is one of {', '.join(METHODS)}.{nearest(method, METHODS)}"
        )
    if vcov is not None:
        raise ArgumentError(f"vcov= is for Wald limits; method={method!r} reads the likelihood. Leave it out.")
    return intervals_of.limits(fit, method, chosen, distribution)


def _wald(fit: Any, error: pd.Series, level: float, distribution: str | None) -> pd.DataFrame:
    """Estimate plus and minus so many standard errors."""
    if distribution not in (None, "t", "normal"):
        raise ArgumentError(f"distribution={distribution!r} is unknown; it is 't' or 'normal'.")
    chosen = {None: residual_df(fit), "t": fit.df_resid, "normal": None}[distribution]
    half = statistics.quantile(level, chosen) * error
    return pd.DataFrame({"conf_low": fit.params - half, "conf_high": fit.params + half})


def _penalised_limits(fit: Any, level: float) -> pd.DataFrame:
    """Limits by the profile of the penalised likelihood."""
    from glmnet_bridge.inference import reduced_profiles

    found = reduced_profiles.limits(fit.estimate, fit.rows, level)
    return pd.DataFrame(found, index=fit.columns, columns=["conf_low", "conf_high"])


def penalised_tests(fit: Any, level: float) -> pd.DataFrame:
    """`term, estimate, statistic, p_value, conf_low, conf_high` by the profile of the penalised likelihood."""
    from glmnet_bridge.inference import reduced_profiles

    if not fit.estimate.model.reduction:
        raise ArgumentError(
            'Penalised likelihood tests are for bias-reduced fits; this one is not. Fit with bias_reduction="firth".'
        )
    chi2, p_values = reduced_profiles.tests(fit.estimate, fit.rows)
    bounds = _penalised_limits(fit, statistics.confidence_level(level))
    found = pd.DataFrame({"term": list(fit.names), "estimate": fit.params.to_numpy(), "statistic": chi2})
    return found.assign(p_value=p_values, **{name: bounds[name].to_numpy() for name in bounds})


def separated_rows(fit: Any) -> pd.Index:
    """Labels of the rows that go off to infinity."""
    found = fit.estimate.separation
    return fit.sample.index[:0] if found is None else fit.sample.index[found.goes_off]


def limit_fit(fit: Any) -> pd.DataFrame:
    """`rows_left, rank, deviance` of what stays finite.

    Raises
    ------
    ArgumentError
        for a bias-reduced fit, and for several classes, whose rows may rule out some classes and not others
    """
    if fit.estimate.model.reduction:
        raise ArgumentError("A bias-reduced fit is finite as it is; fit without bias_reduction= for the limit.")
    if fit.family.joint:
        raise ArgumentError("The finite limit is for one linear predictor; `separation` says which ones stay finite.")
    counted = fit.rows.weights > 0
    found = fit.estimate.separation
    left = int((counted if found is None else counted & ~found.goes_off).sum())
    return pd.DataFrame({"rows_left": [left], "rank": [len(fit.estimate.theta)], "deviance": [fit.deviance]})


def errors(fit: Any, vcov: Any) -> pd.Series:
    """Standard errors by column; nan where a variance is negative, as that of two clusterings may be."""
    variance = vcovs.covariance(fit, vcov).diagonal()
    with np.errstate(invalid="ignore"):
        return pd.Series(np.sqrt(variance), index=fit.columns, name="std_error")


def residual_df(fit: Any) -> float | None:
    """Degrees of freedom of t statistics; None where the dispersion is known and they are normal."""
    return fit.df_resid if fit.family.distribution.free_dispersion else None


def tidy(fit: Any, level: float, exponentiate: bool, vcov: Any) -> pd.DataFrame:
    """One row per coefficient, in broom's words; of several classes with the class in front."""
    error = errors(fit, vcov)
    bounds = _wald(fit, error, statistics.confidence_level(level), None)
    statistic = (fit.params / error).to_numpy()
    table = pd.DataFrame(
        {
            "term": list(fit.names),
            "estimate": fit.params.to_numpy(),
            "std_error": error.to_numpy(),
            "statistic": statistic,
            "p_value": statistics.tail(statistic, residual_df(fit)),
            "conf_low": bounds["conf_low"].to_numpy(),
            "conf_high": bounds["conf_high"].to_numpy(),
        }
    )
    outputs = fit.estimate.model.outputs
    if outputs:
        levels = np.repeat(np.array(shares.labels(fit.recipe.response), dtype=object), len(fit.estimate.model.columns))
        table.insert(0, "response_level", levels)
        table["term"] = list(fit.estimate.model.columns) * len(outputs)
    if exponentiate:
        columns = ["estimate", "conf_low", "conf_high"]
        table[columns] = np.exp(table[columns])
    return table


def pearson_chi2(fit: Any) -> float:
    """Sum of squared Pearson residuals; rows at infinity (separated data) count 0."""
    found, rows = fit.estimate, fit.rows
    if found.chi2 is not None:
        return found.chi2
    if found.separation is not None:
        rows = replace(rows, weights=np.where(found.separation.goes_off, 0.0, rows.weights))
    return dispersions.pearson_chi2(found.model, rows, found.theta)


def single_rows(sample: Sample) -> Rows:
    """The rows, each as one observation: frequency weights repeat a row, they do not change its residual."""
    rows = rows_of(sample)
    return rows if sample.freq_weights is None else replace(rows, weights=replace(sample, freq_weights=None).weights)


# --- rows -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """Rows to answer for.

    Attributes
    ----------
    sample : the rows without missing values, n of them
    rows : the same in blocks
    labels : row labels of all rows that were given
    open : (n,) whether aliased columns leave the row's linear predictor undetermined, or None
    """

    sample: Sample
    rows: Rows
    labels: pd.Index
    open: Array | None

    def placed(self, values: Array) -> Array:
        """Values of the n rows at their places among all rows, nan elsewhere."""
        if self.open is not None:
            values = np.where(self.open if values.ndim == 1 else self.open[:, None], np.nan, values)
        if self.sample.kept is None:
            return values
        out = np.full((self.sample.n_read, *values.shape[1:]), np.nan)
        out[self.sample.kept] = values
        return out


def read(fit: Any, data: Any, offset: Any, exposure: Any, unseen: str, aliased: str = "nan") -> Reading:
    """The rows of `data`, or those of the fit where it is None.

    `aliased` says what becomes of rows that break the equation of an aliased column: "nan", or "zero" for what the
    other columns say.
    """
    if data is None:
        sample, rows, free = fit.sample, fit.rows, None
    else:
        sample = fit.recipe.sample(data, offset=offset, exposure=exposure, unseen=unseen)
        outputs = fit.estimate.model.network.outputs
        rows = Rows(sample.source, np.zeros((sample.n, outputs)), np.ones(sample.n), sample.offset)
        free = _undetermined(fit, rows, sample.index, aliased)
    labels = sample.index if sample.kept is None else as_frame(own_data(fit) if data is None else data).index
    return Reading(sample, rows, labels, free)


def own_data(fit: Any) -> Any:
    """The data of the fit, for labels and columns."""
    if fit.data is None:
        raise DataError("This fit no longer has its data; give data= with the rows that you want to see.")
    return fit.data


def _undetermined(fit: Any, rows: Rows, index: pd.Index, aliased: str) -> Array | None:
    """New rows that break the equation of an aliased column: the fit says nothing about them."""
    rank = fit.estimate.rank
    if rank is None or not rows.n:
        return None
    out = np.zeros(rows.n, dtype=bool)
    for start, stop in rows.spans():
        matrix = rows.block(start, stop).columns.matrix()
        said = matrix[:, rank.kept] @ rank.equations.T
        size = np.abs(matrix[:, rank.kept]) @ np.abs(rank.equations.T) + np.abs(matrix[:, rank.dropped])
        out[start:stop] = (np.abs(said - matrix[:, rank.dropped]) > 1e-7 * size).any(axis=1)
    if not out.any():
        return None
    equations = "; ".join(f"{name} = {text}" for name, text in fit.aliased.items())
    warn(
        f"{int(out.sum())} of the new rows ({listed([str(label) for label in index[out]])}) do not satisfy "
        f"{equations}, which held in all rows of the fit: their predictions are not determined, and are "
        + ("nan." if aliased == "nan" else "made without the column on the left."),
        DataWarning,
    )
    return out if aliased == "nan" else None


def predict(fit: Any, reading: Reading, kind: str, threshold: float) -> Any:
    """A Series of predictions, or a frame for kind "terms" and for several classes."""
    if fit.family.joint:
        return shares.predict(fit, reading, kind, threshold)
    if kind not in KINDS:
        raise ArgumentError(f"kind={kind!r} is unknown; it is one of {', '.join(KINDS)}.{nearest(kind, KINDS)}")
    if kind == "terms":
        return _terms(fit, reading)
    eta = reading.placed(predictions.linear_predictor(fit.estimate, reading.rows))
    values = eta if kind == "link" else fit.family.mean(eta)
    if kind == "class":
        values = fit.recipe.classes(values, threshold)
    return pd.Series(values, index=reading.labels, name=kind)


def _terms(fit: Any, reading: Reading) -> pd.DataFrame:
    """What each term adds, centred as in R where there is an intercept."""
    centre = fit.column_means if "Intercept" in fit.names else None
    terms = predictions.term_contributions(fit.estimate, reading.rows, fit.recipe.terms, centre)
    table = pd.DataFrame({name: reading.placed(values) for name, values in terms.items()}, index=reading.labels)
    table.attrs["constant"] = 0.0 if centre is None else float(centre @ covariances.representer(fit.estimate))
    return table


def intervals(fit: Any, reading: Reading, kind: str, level: float, vcov: Any = None) -> pd.DataFrame:
    """`estimate, std_error, conf_low, conf_high`; limits of the mean are those of the link, mapped."""
    if fit.family.joint:
        return shares.intervals(fit, reading, kind, level, vcov)
    if kind not in ("mean", "link"):
        raise ArgumentError(f"kind={kind!r}: intervals are for 'mean' or 'link'.")
    eta = predictions.linear_predictor(fit.estimate, reading.rows)
    error = _row_errors(fit, reading.rows, eta, vcov)
    half = statistics.quantile(statistics.confidence_level(level, None), residual_df(fit)) * error
    columns = {"estimate": eta, "std_error": error, "conf_low": eta - half, "conf_high": eta + half}
    if kind == "mean":
        ends = np.sort(fit.family.mean(np.column_stack([eta - half, eta + half])), axis=1)
        columns = {
            "estimate": fit.family.mean(eta),
            "std_error": np.abs(fit.family.slope(eta)) * error,
            "conf_low": ends[:, 0],
            "conf_high": ends[:, 1],
        }
    return pd.DataFrame({name: reading.placed(values) for name, values in columns.items()}, index=reading.labels)


def _row_errors(fit: Any, rows: Rows, eta: Array, vcov: Any) -> Array:
    """Standard error of each linear predictor; nan at infinity and for networks that are no GLM."""
    covariance = vcovs.covariance(fit, vcov)
    left_out = np.array(covariances.states(fit.estimate)) != "finite"
    covariance = np.where(left_out | left_out[:, None], 0.0, covariance)
    error = predictions.standard_errors(rows, covariance)
    unknown = np.isinf(eta) | (not fit.estimate.model.network.affine) | np.isnan(fit.dispersion)
    return np.where(unknown, np.nan, error)


def augment(fit: Any, data: Any, offset: Any, exposure: Any) -> pd.DataFrame:
    """The data with what the model says about each row."""
    frame = as_frame(own_data(fit) if data is None else data)
    if fit.family.joint:
        return shares.augment(fit, frame, data)
    link = fit.get_prediction(data, kind="link", offset=offset, exposure=exposure)
    added = {
        "_fitted": fit.predict(data, offset=offset, exposure=exposure),
        "_linpred": link["estimate"],
        "_se_linpred": link["std_error"],
    }
    found = answered(fit, frame if data is not None else None, offset, exposure)
    if found is not None:
        rows = single_rows(found.sample)
        for kind in ("deviance", "pearson"):
            added[f"_resid_{kind}"] = found.placed(predictions.residuals(fit.estimate, rows, kind))
    return frame.assign(**{name: np.asarray(values) for name, values in added.items()})


def answered(fit: Any, frame: pd.DataFrame | None, offset: Any, exposure: Any) -> Reading | None:
    """The rows with their response; None where new data have none, or lack the weights of the fit."""
    if frame is None:
        return Reading(fit.sample, fit.rows, fit.sample.index, None)
    given = getattr(fit.recipe, "given", None)
    if given is None or not fit.recipe.response.names <= set(frame.columns):
        return None
    if any(given.get(name, True) is None for name in ("trials", "prior_weights", "freq_weights")):
        return None
    sample = fit.recipe.sample(frame, offset=offset, exposure=exposure, with_response=True)
    return Reading(sample, rows_of(sample), sample.index, None)
