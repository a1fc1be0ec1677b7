"""Contrasts: what a `Fit` says of combinations of its coefficients. A `Fit` is read here by its public names.

fit.wald_test("age = 0, 2*lwt = smoke")        fit.contrasts({...})        fit.pairwise("C(race)")
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import answers
from glmnet_bridge.design import margins
from glmnet_bridge.errors import ArgumentError, DataError, FitError, listed, nearest
from glmnet_bridge.fitting import covariances, statistics
from glmnet_bridge.inference import hypotheses, nestings, restrictions

Array = np.ndarray


# --- what is asked --------------------------------------------------------------------------


def of_term(fit: Any, name: str) -> Array | None:
    """Positions among the coefficients of a term's own, in each class; None where there is no such term."""
    found = next((term for term in margins.terms(fit.recipe) if term.name == name), None)
    if found is None:
        return None
    width = len(fit.estimate.model.columns)
    places: Array = (np.arange(_outputs(fit))[:, None] * width + found.columns).ravel()
    return places


def zero(fit: Any, name: str) -> tuple[Array, Array]:
    """L and r of "all coefficients of this term are 0"; of aliased columns what can be said of them, maybe nothing."""
    places = of_term(fit, name)
    assert places is not None
    matrix = hypotheses.estimable_within(places, len(fit.names), fit.estimate.rank, _outputs(fit))
    return matrix, np.zeros(len(matrix))


def _outputs(fit: Any) -> int:
    return max(len(fit.estimate.model.outputs), 1)


def _asked(fit: Any, what: Any) -> tuple[Array, Array]:
    """L `(q, p)` and r `(q,)`."""
    if isinstance(what, str):
        if what in fit.names or of_term(fit, what) is None:
            return restrictions.read(what, fit.names)
        matrix, values = zero(fit, what)
        if not len(matrix):
            raise DataError(
                f"The term {what} cannot be tested: other columns determine its own, or are determined by them "
                "(`fit.aliased`), so that the fit is as good without it. Leave out one of these columns."
            )
        return matrix, values
    if isinstance(what, (list, tuple)) and what and all(isinstance(each, str) for each in what):
        parts = [_asked(fit, each) for each in what]
        return np.vstack([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    if isinstance(what, tuple) and len(what) == 2 and np.ndim(what[0]) in (1, 2):
        matrix = _matrix(fit, what[0])
        return matrix, _values(what[1], len(matrix))
    matrix = _matrix(fit, what)
    return matrix, np.zeros(len(matrix))


def _matrix(fit: Any, what: Any) -> Array:
    """Numbers as a matrix with one column per coefficient; a frame or Series by name."""
    names = list(fit.names)
    if isinstance(what, pd.Series):
        what = what.to_frame().T
    if isinstance(what, pd.DataFrame):
        odd = [str(name) for name in what.columns if name not in names]
        if odd:
            raise ArgumentError(f"{odd[0]!r} is no coefficient of this fit.{nearest(odd[0], names)}")
        what = what.reindex(columns=names, fill_value=0.0)
    try:
        matrix = np.atleast_2d(np.asarray(what, dtype=float))
    except (TypeError, ValueError):
        matrix = np.empty((0, 0))
    if matrix.ndim != 2 or matrix.shape[1] != len(names) or not len(matrix) or not np.isfinite(matrix).all():
        raise ArgumentError(
            f"Give a text such as '{names[-1]} = 0', the name of a term, or a matrix of finite numbers with one "
            f"column for each of the {len(names)} coefficients ({listed(names, 8)})."
        )
    return matrix


def _estimable(fit: Any, matrix: Array) -> Array:
    return hypotheses.estimable(matrix, fit.estimate.rank, _outputs(fit))


def _read(fit: Any) -> None:
    """Refuse fits whose standard errors are no basis of a test."""
    estimate = fit.estimate
    if estimate.model.penalty.strength > 0:
        raise ArgumentError(
            "The coefficients of a penalised fit are pulled towards zero, so that their standard errors are no basis "
            "of tests. Refit without penalty=."
        )
    if not estimate.model.network.affine:
        raise ArgumentError("A network with hidden units has no coefficients to test; its GLM has: fit it with gb.glm.")
    if not nestings.at_maximum(estimate):
        raise FitError(
            f"The estimates are not at the maximum of the likelihood (outcome {estimate.outcome!r}, "
            f"{estimate.distance:.2g} standard errors away), which is what a Wald statistic stands on. "
            "Mend the fit first, or test the GLM of the same formula: gb.glm(...)."
        )


# --- Wald tests -----------------------------------------------------------------------------


def wald_test(fit: Any, what: Any, vcov: Any) -> pd.DataFrame:
    """One row: `df, statistic, p_value`, with `resid_df` where the statistic is F."""
    _read(fit)
    matrix, values = _asked(fit, what)
    _refuse(fit, matrix, values)
    covariance = fit.cov_params(vcov).to_numpy()
    table = wald_rows(fit, [(matrix, values)], covariance)
    table.index = pd.Index([listed(said(fit, matrix, values), 12)], name="hypothesis")
    return table


def _values(given: Any, count: int) -> Array:
    try:
        values = np.broadcast_to(np.asarray(given, dtype=float), count)
    except (TypeError, ValueError):
        values = np.full(count, np.nan)
    if not np.isfinite(values).all():
        raise ArgumentError(f"The right side of the equations is {given!r}: give a number, or {count} of them.")
    return values


def _refuse(fit: Any, matrix: Array, values: Array) -> None:
    """What cannot be tested together: combinations that are not estimable, infinite, or depend on each other."""
    texts = said(fit, matrix, values)
    lost = np.flatnonzero(~_estimable(fit, matrix))
    if len(lost):
        equations = "; ".join(f"{name} = {text}" for name, text in fit.aliased.items())
        raise DataError(
            f"{texts[lost[0]]} is not estimable: some columns determine others ({equations}), and what the data say "
            "of it depends on which is left out. Test a combination that respects these equations."
        )
    used = np.flatnonzero((matrix != 0).any(axis=0))
    states = covariances.states(fit.estimate)
    infinite = [fit.names[j] for j in used if states[j] not in ("finite", "aliased")]
    if infinite:
        raise FitError(
            f"The estimate of {listed(infinite)} is infinite (the data are separated), where a Wald statistic means "
            "nothing. Compare deviances instead: gb.drop1, gb.anova."
        )
    again = hypotheses.dependent(matrix)
    if len(again):
        raise ArgumentError(f"{texts[again[0]]} follows from the other equations, or contradicts them: leave it out.")


def said(fit: Any, matrix: Array, values: Array) -> list[str]:
    """Each equation in words."""
    names = list(fit.names)
    return [
        f"{covariances.equation(row, names)} = {value + 0.0:.6g}" for row, value in zip(matrix, values, strict=True)
    ]


def wald_rows(fit: Any, asked: list[tuple[Array, Array]], covariance: Array) -> pd.DataFrame:
    """A row for each hypothesis; nan where a coefficient is not finite."""
    beta, residual = covariances.coefficients(fit.estimate), answers.residual_df(fit)
    rows = []
    for matrix, values in asked:
        used = matrix.any(axis=0)
        used &= np.array(covariances.states(fit.estimate)) != "aliased"
        spread = matrix[:, used] @ covariance[np.ix_(used, used)] @ matrix[:, used].T
        with np.errstate(invalid="ignore"):
            form = hypotheses.wald(matrix[:, used] @ beta[used] - values, spread) if len(matrix) else np.nan
        rows.append((len(matrix), form if residual is None else form / max(len(matrix), 1)))
    df, statistic = (np.array(column) for column in zip(*rows, strict=True))
    columns: dict[str, Any] = {"df": df, "statistic": statistic}
    if residual is not None:
        columns = {"df": df, "resid_df": residual, "statistic": statistic}
    table = pd.DataFrame({**columns, "p_value": hypotheses.tail(statistic, df, residual)})
    table.attrs["heading"] = f"Wald tests ({'chi-squared' if residual is None else 'F'}). {fit.modelled}"
    return table


# --- contrasts ------------------------------------------------------------------------------


def contrasts(fit: Any, what: Any, level: float, adjust: str, exponentiate: bool, vcov: Any) -> pd.DataFrame:
    """One row per combination."""
    _read(fit)
    family = hypotheses.Family(adjust, None, answers.residual_df(fit))
    labels, matrix, values = _combinations(fit, what)
    return _table(fit, labels, matrix, values, family, level, exponentiate, vcov)


def _combinations(fit: Any, what: Any) -> tuple[list[str], Array, Array]:
    """Labels, L `(q, p)` and the values that are tested."""
    named = dict(what) if isinstance(what, Mapping) else None
    if named is None and isinstance(what, pd.DataFrame):
        matrix = _matrix(fit, what)
        return [str(label) for label in what.index], matrix, np.zeros(len(matrix))
    if named is None:
        matrix, values = _asked(fit, what)
        names = list(fit.names)
        labels = [
            covariances.equation(row, names) + ("" if value == 0 else f" = {value:.6g}")
            for row, value in zip(matrix, values, strict=True)
        ]
        return labels, matrix, values
    if not named:
        raise ArgumentError("No contrasts: give texts such as {'a to b': 'C(g)[T.b] - C(g)[T.a]'}, or a matrix.")
    parts = {label: _asked(fit, each) for label, each in named.items()}
    several = next((label for label, (matrix, _) in parts.items() if len(matrix) != 1), None)
    if several is not None:
        raise ArgumentError(f"The contrast {several!r} is several equations; give each one a name of its own.")
    matrix = np.vstack([part[0] for part in parts.values()])
    return [str(label) for label in parts], matrix, np.concatenate([part[1] for part in parts.values()])


def _table(
    fit: Any,
    labels: list[str],
    matrix: Array,
    values: Array,
    family: hypotheses.Family,
    level: float,
    exponentiate: bool,
    vcov: Any,
) -> pd.DataFrame:
    estimate, error = _combined(fit, matrix, fit.cov_params(vcov).to_numpy())
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = (estimate - values) / error
    p = statistics.tail(statistic, family.residual_df)
    half = family.quantile(statistics.confidence_level(level), int(np.sum(~np.isnan(statistic)))) * error
    table = pd.DataFrame(
        {
            "estimate": estimate,
            "std_error": error,
            "statistic": statistic,
            "p_value": family.p_values(statistic, p),
            "conf_low": estimate - half,
            "conf_high": estimate + half,
        },
        index=pd.Index(labels, name="contrast"),
    )
    if exponentiate:
        ends = ["estimate", "conf_low", "conf_high"]
        table[ends] = np.exp(table[ends])
    adjusted = "not adjusted" if family.adjust == "none" else f"adjusted by {family.adjust}"
    limits = " (limits by bonferroni)" if family.adjust == "holm" else ""
    table.attrs["heading"] = f"Contrasts, {adjusted} for {len(table)}{limits}. {fit.modelled}"
    return table


def _combined(fit: Any, matrix: Array, covariance: Array) -> tuple[Array, Array]:
    """Estimates and standard errors of combinations; nan where not estimable, no error where infinite."""
    beta = covariances.coefficients(fit.estimate)
    there = np.array(covariances.states(fit.estimate)) != "aliased"
    estimate, error = np.full((2, len(matrix)), np.nan)
    for at in np.flatnonzero(_estimable(fit, matrix)):
        used = there & (matrix[at] != 0)
        with np.errstate(invalid="ignore"):
            estimate[at] = matrix[at, used] @ beta[used]
        error[at] = np.sqrt(matrix[at, used] @ covariance[np.ix_(used, used)] @ matrix[at, used])
    return estimate, error


def pairwise(fit: Any, factor: str, level: float, adjust: str, exponentiate: bool, vcov: Any) -> pd.DataFrame:
    """All pairs of a factor's levels, the later one less the earlier one."""
    _read(fit)
    levels, coding, places = _coded(fit, factor)
    outputs = fit.estimate.model.outputs
    if outputs and adjust == "tukey":
        raise ArgumentError("adjust='tukey' is for one comparison of each pair; of several classes use 'holm'.")
    family = hypotheses.Family(adjust, len(levels), answers.residual_df(fit))
    width = len(fit.estimate.model.columns)
    labels, rows = [], []
    for block, output in enumerate(outputs or ("",)):
        for i, j in itertools.combinations(range(len(levels)), 2):
            row = np.zeros(len(fit.names))
            row[block * width + places] = coding[j] - coding[i]
            rows.append(row)
            labels.append(f"{output}: {levels[j]} - {levels[i]}" if output else f"{levels[j]} - {levels[i]}")
    return _table(fit, labels, np.array(rows), np.zeros(len(rows)), family, level, exponentiate, vcov)


def _coded(fit: Any, factor: str) -> tuple[tuple[Any, ...], Array, Array]:
    """Levels, their rows in the columns of the factor's main effect, and where these columns stand."""
    design = getattr(fit.recipe, "design", None)
    known = () if design is None else design.factors
    found = next((each for each in known if factor in (each.name, each.variable)), None)
    if found is None:
        names = [each.name for each in known]
        none = "This fit has no factor" if not names else f"The factors are {listed(names, 8)}"
        raise ArgumentError(f"{factor!r} is no factor of the formula.{nearest(factor, names)} {none}.")
    inside = [term.name for term in margins.terms(fit.recipe) if found.name in term.factors and len(term.factors) > 1]
    if inside or not found.columns:
        raise ArgumentError(
            f"The levels of {found.name} differ by other amounts at each value of what it interacts with "
            f"({listed(inside)}). Say which by contrasts: fit.contrasts({{'name': 'a column + its interaction'}})."
        )
    if len(found.levels) < 2:
        raise ArgumentError(f"{found.name} has one level only: there is no pair to compare.")
    names = list(fit.estimate.model.columns)
    return found.levels, found.matrix, np.array([names.index(column) for column in found.columns])
