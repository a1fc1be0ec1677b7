"""Diagnostics: what a fit's rows say about the fit, row by row and as a whole.

A `Fit` is read here by its public names; the arithmetic is that of `inference`. What has no meaning for a fit
(several classes, hidden units, a penalty, an estimate at the edge) is refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import answers, shares
from glmnet_bridge.data.frames import as_frame
from glmnet_bridge.errors import (
    ArgumentError,
    ConvergenceWarning,
    DataError,
    DataWarning,
    check_flags,
    is_whole,
    listed,
    nearest,
    warn,
)
from glmnet_bridge.fitting import covariances, predictions, statistics
from glmnet_bridge.fitting.dispersions import Degrees
from glmnet_bridge.inference import (
    calibrations,
    collinearities,
    discriminations,
    influences,
    quantiles,
    specifications,
)
from glmnet_bridge.inference.discriminations import Scored

Array = np.ndarray

STANDARDISED = ("rstandard", "rstandard_pearson", "rstudent")
RESIDUALS = (*predictions.RESIDUALS, *STANDARDISED, "quantile")
NEAR = 0.1  # standard errors from the maximum within which one-step changes are those of the maximum


# --- what a fit must be ------------------------------------------------------------------------


def _single(fit: Any, what: str) -> None:
    """Refuse several classes and hidden units."""
    if fit.family.joint:
        raise ArgumentError(
            f"{what} is for one linear predictor, and several classes have one each. Fit the two classes that you want "
            'to compare with family="binomial".'
        )
    if not fit.estimate.model.network.affine:
        raise ArgumentError(f"{what} needs a model that is linear in its columns; this network has hidden units.")


def _at_maximum(fit: Any, what: str) -> None:
    """Refuse what is no maximum of the likelihood; warn where it is not quite reached."""
    _single(fit, what)
    if fit.estimate.model.penalty.strength > 0:
        raise ArgumentError(
            f"{what} is defined at the maximum of the likelihood; this fit has {fit.estimate.model.penalty!r}. "
            "Fit without penalty to see it."
        )
    if fit.estimate.model.reduction:
        raise ArgumentError(
            f"{what} is defined at the maximum of the likelihood; this fit is bias-reduced. Fit without "
            "bias_reduction= to see it."
        )
    if fit.outcome == "boundary":
        raise ArgumentError(
            f"{what} needs the information at the estimate, which says nothing at the edge of the link's domain, where "
            "this fit ended. Use another link."
        )
    reached = fit.converged or fit.estimate.separation is not None
    if not reached and not fit.distance_to_mle <= NEAR:
        warn(
            f"{what} is computed where this fit ended (outcome '{fit.outcome}'), {fit.distance_to_mle:.3g} standard "
            "errors from the maximum of the likelihood: it is not that of the maximum.",
            ConvergenceWarning,
        )


def _yes_or_no(fit: Any, what: str) -> None:
    _single(fit, what)
    if fit.family.distribution.support != "binomial":
        raise ArgumentError(f"{what} is for a yes or no, or so many of so many; this is {fit.modelled}.")


# --- row by row --------------------------------------------------------------------------------


def residuals(fit: Any, kind: str, random_state: Any) -> Any:
    """Residuals of the rows used."""
    if random_state is not None and kind != "quantile":
        raise ArgumentError(f"random_state= is for kind='quantile'; residuals of kind {kind!r} have nothing random.")
    if fit.family.joint:
        return shares.residuals(fit, kind)
    if kind not in RESIDUALS:
        raise ArgumentError(
            f"Residuals of kind {kind!r} are unknown; there are {', '.join(RESIDUALS)}.{nearest(kind, RESIDUALS)}"
        )
    if kind in STANDARDISED:
        values = _influences(fit, f"The residual {kind!r}", np.zeros(0, dtype=int))[influences.MEASURES.index(kind)]
    elif kind == "quantile":
        values = quantile_residuals(fit, random_state)
    else:
        values = predictions.residuals(fit.estimate, answers.single_rows(fit.sample), kind)
    return pd.Series(values, index=fit.sample.index, name=f"resid_{kind}")


def _influences(fit: Any, what: str, columns: Array) -> Array:
    _at_maximum(fit, what)
    single = answers.single_rows(fit.sample).weights
    rank = float(fit.nobs - fit.df_resid)
    return influences.influence(fit.estimate, fit.rows, single, fit.dispersion, Degrees(fit.nobs, rank), columns)


def influence(fit: Any, columns: Sequence[str] | None, dfbeta: bool) -> pd.DataFrame:
    """One row per row used: measures of influence, and the changes of the chosen coefficients."""
    check_flags(dfbeta=dfbeta)
    names = list(fit.names)
    if columns is not None and not dfbeta:
        raise ArgumentError("columns= chooses coefficient changes, which dfbeta=False leaves out. Give one of them.")
    chosen = names if columns is None else [columns] if isinstance(columns, str) else list(columns)
    for name in chosen:
        if name not in names:
            raise ArgumentError(
                f"There is no coefficient {name!r}; there are {listed(names, 8)}.{nearest(name, names)}"
            )
    chosen = chosen if dfbeta else []
    at = np.array([names.index(name) for name in chosen], dtype=int)
    values = _influences(fit, "influence()", at)
    labels = [*influences.MEASURES, *(f"dfbeta_{name}" for name in chosen)]
    return pd.DataFrame(values.T, index=fit.sample.index, columns=labels, copy=False)


def working_weights(fit: Any) -> pd.Series:
    """Weights of the last least-squares step."""
    _single(fit, "working_weights")
    values = predictions.working_weights(fit.estimate, answers.single_rows(fit.sample))
    return pd.Series(values, index=fit.sample.index, name="working_weights")


def quantile_residuals(fit: Any, random_state: Any) -> Array:
    """Randomised quantile residuals `(n,)`; nan for rows without weight."""
    sample, name = fit.sample, fit.family.name
    prior = np.ones(sample.n) if sample.prior_weights is None else sample.prior_weights
    if name in quantiles.DISCRETE and not np.isin(prior, (0.0, 1.0)).all():
        raise ArgumentError(
            f"Residuals of kind 'quantile' need each row's distribution, and a {name} row with prior weights has none. "
            "Give numbers of trials as trials= and repeated rows as freq_weights=."
        )
    trials = np.ones(sample.n) if sample.trials is None else sample.trials
    mean = fit.family.mean(predictions.linear_predictor(fit.estimate, fit.rows))
    with np.errstate(divide="ignore"):
        rows = quantiles.Fitted(fit.rows.response[:, 0], mean, trials, fit.dispersion / prior)
    return np.where(fit.rows.weights > 0, quantiles.residuals(name, rows, random_state), np.nan)


# --- the fit as a whole ------------------------------------------------------------------------


def vif(fit: Any) -> pd.DataFrame:
    """Generalised variance inflation by term."""
    _at_maximum(fit, "vif()")
    if "Intercept" not in fit.names:
        warn("Without an intercept, variance inflation factors compare with columns of mean 0.", DataWarning)
    return collinearities.inflation(covariances.covariance(fit.estimate), fit.recipe.terms)


def of_single_events(fit: Any) -> bool:
    """Whether each row is a single yes or no."""
    sample = fit.sample
    grouped = sample.trials is not None and bool((sample.trials > 1).any())
    return fit.family.distribution.support == "binomial" and not grouped and sample.prior_weights is None


def overdispersion(fit: Any) -> pd.DataFrame:
    """Tests of the variance, for families that fix it."""
    _single(fit, "overdispersion()")
    sample = fit.sample
    if fit.family.distribution.free_dispersion:
        raise ArgumentError(
            f"The {fit.family.name} family estimates its dispersion ({fit.dispersion:.4g}): it cannot be too large."
        )
    if of_single_events(fit):
        raise DataError(
            "A single yes or no cannot vary more than its mean says, so that overdispersion cannot be seen. Group "
            "equal rows to so many of so many (trials=) to test it."
        )
    counts = None
    if fit.family.name == "poisson" and sample.prior_weights is None:
        counts = np.ones(sample.n) if sample.freq_weights is None else sample.freq_weights
    mean = fit.family.mean(predictions.linear_predictor(fit.estimate, fit.rows))
    return specifications.overdispersion(fit.pearson_chi2, fit.df_resid, fit.rows.response[:, 0], mean, counts)


def link_test(fit: Any) -> pd.DataFrame:
    """Pregibon's test of the link."""
    _single(fit, "link_test()")
    eta = predictions.linear_predictor(fit.estimate, fit.rows)
    return specifications.link_test(fit.family, fit.rows, eta, fit.nobs, "Intercept" in fit.names)


def pseudo_r2(fit: Any) -> pd.Series:
    """McFadden, Cox-Snell, Nagelkerke, Tjur."""
    n, full, null = fit.nobs, fit.llf, fit.llnull
    found = {"mcfadden": 1.0 - full / null if null else np.nan}
    found["cox_snell"] = float(-np.expm1(2.0 / n * (null - full)))
    largest = float(-np.expm1(2.0 / n * null))
    found["nagelkerke"] = found["cox_snell"] / largest if largest else np.nan
    if fit.family.distribution.free_dispersion:  # a density changes with the unit of the response, and these with it
        found["mcfadden"] = found["nagelkerke"] = np.nan
    single = fit.family.distribution.support == "binomial"
    found["tjur"] = discriminations.tjur(scored(fit, "pseudo_r2")) if single else np.nan
    return pd.Series(found, name="pseudo_r2")


# --- what is said against what came ------------------------------------------------------------


def _answered(fit: Any, data: Any, offset: Any, exposure: Any, what: str) -> answers.Reading:
    """Rows with their response: those of the fit, or new ones."""
    if data is None and (offset is not None or exposure is not None):
        raise ArgumentError("offset= and exposure= belong to new rows: give data= too.")
    found = answers.answered(fit, None if data is None else as_frame(data), offset, exposure)
    if found is None:
        raise DataError(
            f"{what} of new rows needs their response and weights as columns: fit from a formula, with weights "
            "given as column names, and keep these columns in data."
        )
    return found


def scored(fit: Any, what: str, data: Any = None, offset: Any = None, exposure: Any = None) -> Scored:
    """Rows of a yes or no with what the fit says of them."""
    _yes_or_no(fit, what)
    found = _answered(fit, data, offset, exposure, what)
    eta = predictions.linear_predictor(fit.estimate, found.rows)
    used = found.rows.weights > 0
    return Scored(found.rows.response[used, 0], eta[used], fit.family.mean(eta[used]), found.rows.weights[used])


def auc(fit: Any, data: Any, level: float, offset: Any, exposure: Any) -> pd.Series:
    """Area under the ROC curve with DeLong's limits."""
    value, error = discriminations.area(scored(fit, "auc()", data, offset, exposure))
    half = statistics.quantile(statistics.confidence_level(level), None) * error
    limits = np.clip([value - half, value + half], 0.0, 1.0)
    return pd.Series({"auc": value, "std_error": error, "conf_low": limits[0], "conf_high": limits[1]}, name="auc")


def brier(fit: Any, data: Any, offset: Any, exposure: Any) -> float:
    """Brier's score."""
    return discriminations.brier(scored(fit, "brier()", data, offset, exposure))


def calibration(fit: Any, data: Any, level: float, offset: Any, exposure: Any) -> pd.DataFrame:
    """Calibration in the large and calibration slope."""
    _single(fit, "calibration()")
    level = statistics.confidence_level(level)
    found = _answered(fit, data, offset, exposure, "calibration()")
    counts = found.sample.freq_weights
    nobs = float((found.rows.weights > 0).sum() if counts is None else counts[found.rows.weights > 0].sum())
    eta = predictions.linear_predictor(fit.estimate, found.rows)
    return calibrations.calibration(fit.family, found.rows, eta, nobs, level)


def hosmer_lemeshow(fit: Any, data: Any, groups: int, offset: Any, exposure: Any) -> pd.DataFrame:
    """One row: chi2 over groups of risk."""
    if not is_whole(groups) or groups < 3:
        raise ArgumentError(f"groups={groups!r}: give a whole number, 3 or more.")
    rows = scored(fit, "hosmer_lemeshow()", data, offset, exposure)
    found, chi2, df, p_value = calibrations.hosmer_lemeshow(rows, groups, data is not None)
    return pd.DataFrame({"groups": [len(found)], "chi2": [chi2], "df": [df], "p_value": [p_value]})


# --- numbers of the figures --------------------------------------------------------------------


def binned(fit: Any, bins: int | None) -> pd.DataFrame:
    """`fitted, residual, low, high, n`: mean residuals over the fitted value, in groups of equal size."""
    _single(fit, "binned_residuals")
    if bins is not None and (not is_whole(bins) or bins < 1):
        raise ArgumentError(f"bins={bins!r}: give a whole number, 1 or more.")
    fitted, rest = fit.fittedvalues.to_numpy(), fit.residuals("response").to_numpy()
    weights = np.asarray(fit.rows.weights, dtype=float)
    used = np.flatnonzero((weights > 0) & np.isfinite(rest))
    used = used[np.argsort(fitted[used], kind="stable")]
    spread = weights * fit.dispersion * fit.family.variance(fitted)  # of w times the residual
    parts = np.array_split(used, min(bins or max(int(np.sqrt(len(used))), 1), max(len(used), 1)))
    rows = [_bin(fitted[at], rest[at], weights[at], spread[at]) for at in parts]
    return pd.DataFrame(rows, columns=["fitted", "residual", "low", "high", "n"])


def _bin(fitted: Array, rest: Array, weights: Array, spread: Array) -> tuple[float, float, float, float, int]:
    total = weights.sum()
    limit = 2.0 * float(np.sqrt(spread.sum()) / total)
    return float(weights @ fitted / total), float(weights @ rest / total), -limit, limit, len(rest)


def quantile_pairs(fit: Any, random_state: Any) -> pd.DataFrame:
    """`normal, residual` in rising order: quantile residuals against the normal quantiles of their ranks."""
    values = np.sort(residuals(fit, "quantile", random_state).dropna().to_numpy())
    n = len(values)
    from scipy.special import ndtri

    shift = 3 / 8 if n <= 10 else 0.5  # R's ppoints
    return pd.DataFrame({"normal": ndtri((np.arange(1, n + 1) - shift) / (n + 1 - 2 * shift)), "residual": values})


def risk_groups(fit: Any, data: Any, groups: int, level: float) -> pd.DataFrame:
    """`group, n, mean, observed, conf_low, conf_high`: observed share of events, with Wilson's limits."""
    if not is_whole(groups) or groups < 1:
        raise ArgumentError(f"groups={groups!r}: give a whole number, 1 or more.")
    found = calibrations.groups(scored(fit, "calibration", data), groups)
    z = statistics.quantile(statistics.confidence_level(level), None)
    n, share = found["n"], found["observed"]
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    found = found.assign(conf_low=np.maximum(middle - half, 0.0), conf_high=np.minimum(middle + half, 1.0))
    return found[["group", "n", "mean", "observed", "conf_low", "conf_high"]]


def roc(fit: Any, data: Any = None) -> pd.DataFrame:
    """`threshold, false_positive_rate, true_positive_rate`, from none called an event to all."""
    threshold, false, true = discriminations.curve(scored(fit, "roc", data))
    return pd.DataFrame({"threshold": threshold, "false_positive_rate": false, "true_positive_rate": true})


def influence_points(fit: Any) -> pd.DataFrame:
    """`row, hat, rstudent, cooks` of each row used."""
    found = influence(fit, None, False)[["hat", "rstudent", "cooks"]]
    return found.assign(row=found.index).reset_index(drop=True)[["row", "hat", "rstudent", "cooks"]]
