"""Prose: a fit in words: inline numbers and a results paragraph.

A `Fit` is read here by its public names, so this module stands before `fits.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import dressings, faces
from glmnet_bridge.dressings import Labels
from glmnet_bridge.errors import ArgumentError, BridgeError, listed, nearest
from glmnet_bridge.fitting import covariances
from glmnet_bridge.report import numbers, paragraphs, sentences
from glmnet_bridge.report.paragraphs import Effect, Measure, Story

# --- inline numbers ---------------------------------------------------------------------------


def measure_of(fit: Any, exponentiate: bool | None) -> Measure:
    """What the coefficients are called: ratios where the link makes them such, unless that is not wanted."""
    family = fit.family
    found = paragraphs.measure(family.distribution.support, family.link.name)
    if exponentiate and found is paragraphs.PLAIN:
        return Measure("exp(b)", "exponentiated coefficient", 1.0)
    return paragraphs.PLAIN if exponentiate is False else found


def effects_of(fit: Any, what: Measure, level: float, vcov: Any, labels: Labels | None) -> list[tuple[str, Effect]]:
    """Each coefficient by its column, class in front where there are several."""
    table = fit.tidy(level=level, exponentiate=what.null == 1.0, vcov=vcov, labels=labels)
    states = covariances.states(fit.estimate)
    names = table["term"].tolist()
    if "response_level" in table:
        names = [f"{one}: {name}" for one, name in zip(table["response_level"], names, strict=True)]
    values = zip(table["estimate"], table["conf_low"], table["conf_high"], table["p_value"], strict=True)
    return [
        (own, Effect(name, state, *(float(value) for value in row)))
        for own, name, state, row in zip(fit.names, names, states, values, strict=True)
    ]


def inline(
    fit: Any, term: str, exponentiate: bool | None, level: float, vcov: Any, labels: Labels | None
) -> str:  # fmt: skip
    """One term for running text; of several columns or classes each with its name."""
    _affine(fit)
    what = measure_of(fit, exponentiate)
    wanted = _columns_of(fit, term)
    effects = [effect for own, effect in effects_of(fit, what, level, vcov, labels) if own in wanted]
    tested = _tested(fit)
    said = [paragraphs.phrase(effect, what, level, tested) for effect in effects]
    if len(said) > 1:
        said = [f"{effect.name}: {text}" for effect, text in zip(effects, said, strict=True)]
    return "; ".join(said) + _caveat(fit)


def _columns_of(fit: Any, term: str) -> set[str]:
    """The coefficients that a column, a term or a variable stands for."""
    columns, outputs = fit.estimate.model.columns, fit.estimate.model.outputs
    runs = {name: set(columns[run]) for name, run in fit.recipe.terms}
    by_variable: dict[str, set[str]] = {}
    for factor, variable in dressings.variables(fit).items():
        by_variable.setdefault(variable, set()).update(runs.get(factor, set()))
    if term in fit.names:
        return {term}
    found = {term} if term in columns else runs.get(term) or by_variable.get(term) or set()
    if not found:
        known = [*fit.names, *runs, *by_variable]
        raise ArgumentError(
            f"There is no term {term!r}; there are {listed(list(dict.fromkeys(runs)), 12)}.{nearest(str(term), known)}"
        )
    return {f"{output}: {name}" for output in outputs for name in found} if outputs else found


def _affine(fit: Any) -> None:
    if not fit.estimate.model.network.affine:
        raise BridgeError(
            "A network with hidden activations has no coefficients: what comes out does not depend on its weights one "
            "by one. Ask for effects, or take the GLM beside it (gb.bridge)."
        )


def _tested(fit: Any) -> bool:
    """Whether Wald tests and limits hold for the finite coefficients: at a maximum, without a penalty."""
    at_optimum = fit.outcome in ("converged", "rank deficient", "separated", "as given") and (
        fit.outcome in ("converged", "rank deficient") or fit.estimate.distance <= sentences.SETTLED
    )
    undispersed = fit.family.distribution.free_dispersion and not fit.dispersion > 0
    return at_optimum and not fit.estimate.model.penalty.strength > 0 and not undispersed


def _caveat(fit: Any) -> str:
    """What a reader of one number must know."""
    if fit.estimate.model.penalty.strength > 0:
        return " (shrunken by a penalty, no test)"
    if fit.outcome == "boundary":
        return " (on the edge of what the link allows, no test)"
    if fit.outcome == "as given" and not _tested(fit):
        return " (weights as given, not fitted, no test)"
    if not _tested(fit) and not fit.converged:
        return " (not converged, no test)"
    return "" if _tested(fit) else " (every row is fitted exactly, no test)"


# --- the paragraph ----------------------------------------------------------------------------


def report_text(fit: Any, exponentiate: bool | None, level: float, vcov: Any, labels: Labels | None) -> str:
    """The results paragraph of a fit."""
    facts = faces.facts(fit, level, vcov)
    affine = fit.estimate.model.network.affine
    what = measure_of(fit, exponentiate)
    effects = effects_of(fit, what, level, vcov, labels) if affine else []
    shown = tuple(effect for own, effect in effects if own.split(": ")[-1] != "Intercept")
    sample = fit.sample
    given = [part is not None for part in (sample.prior_weights, sample.freq_weights, sample.trials, sample.offset)]
    story = Story(
        model=_model(fit, labels),
        rows=(_rows(fit), sentences.weights(*given)),
        warnings=(*facts.warnings, sentences.as_given() if fit.outcome == "as given" else ""),
        effects=shown,
        statistics=_statistics(fit),
        conditions=_conditions(fit, what, level, vcov, bool(shown)),
        measure=what,
        level=level,
        tested=_tested(fit),
    )
    return paragraphs.paragraph(story)


def bridge_text(bridge: Any, exponentiate: bool | None, level: float, labels: Labels | None) -> str:
    """The verdict of a bridge, then the paragraph of its GLM."""
    verdict = bridge.verdict.strip()
    return (
        f"{verdict}{'' if verdict.endswith('.') else '.'} {report_text(bridge.glm, exponentiate, level, None, labels)}"
    )


def _model(fit: Any, labels: Labels | None) -> str:
    """What was fitted, on what, and how."""
    family, model = fit.family, fit.estimate.model
    known, variables = dressings.checked(fit, labels or {}), dressings.variables(fit)
    terms = [dressings.called(name, known, variables) for name, _ in fit.recipe.terms if name != "Intercept"]
    name = paragraphs.model_name(family.name, family.link.name, family.title)
    if not model.network.affine:
        name = f"neural network with {numbers.counted(model.network.parameters, 'weight')}"
    on = f" on {listed(terms, len(terms))}" if terms else " on a constant alone"
    return f"{'An' if name[0] in 'aeiouAEIOU' else 'A'} {name}{on} ({fit.modelled}){_way(fit)}"


def _way(fit: Any) -> str:
    """How it was estimated, where it was."""
    if fit.outcome == "as given":
        return " was evaluated at given weights"
    if not fit.converged and fit.outcome not in ("separated", "boundary"):
        return " was fitted, without reaching the maximum of the likelihood"
    if fit.estimate.model.penalty.strength > 0:
        return f" was fitted by penalised maximum likelihood ({fit.estimate.model.penalty!r})"
    return " was fitted" if ";" in fit.modelled.split("modelling")[-1] else " was fitted by maximum likelihood"


def _rows(fit: Any) -> str:
    sample = fit.sample
    dropped = sentences.rows(fit.rows_dropped, sample.n)
    return " ".join(part for part in (f"It used {numbers.counted(sample.n, 'row')}.", dropped) if part)


def _statistics(fit: Any) -> tuple[str, ...]:
    """Fit statistics that this fit has."""
    if fit.outcome == "diverged" or not np.isfinite(fit.deviance):
        return ()
    found = [f"deviance {numbers.likelihood(fit.deviance)} on {numbers.count(fit.df_resid)} degrees of freedom"]
    null = _number(fit, "null_deviance")
    if np.isfinite(null):
        found[0] += f" (null deviance {numbers.likelihood(null)})"
    ended = fit.converged or fit.outcome in ("separated", "boundary", "as given")
    found += [
        f"{word} {numbers.likelihood(value)}"
        for word, value in (("log-likelihood", _number(fit, "llf")), ("AIC", _number(fit, "aic")))
        if ended and np.isfinite(value)
    ]
    if fit.dispersion != 1.0 and np.isfinite(fit.dispersion):
        found.append(f"dispersion {numbers.significant(fit.dispersion)}")
    return tuple(found)


def _number(fit: Any, name: str) -> float:
    """A statistic, or nan where this fit has none."""
    try:
        return float(getattr(fit, name))
    except BridgeError:
        return float("nan")


def _conditions(fit: Any, what: Measure, level: float, vcov: Any, effects: bool) -> tuple[str, ...]:
    """On what the numbers rest."""
    if not fit.estimate.model.network.affine:
        return (sentences.no_errors(),)
    penalised = fit.estimate.model.penalty.strength > 0
    free = fit.family.distribution.free_dispersion
    told = (
        f"{what.short} is the {what.long}." if effects and what.null == 1.0 else "",
        f"{sentences.percent(level)} % CI are Wald intervals{'' if vcov is None else f' ({_covariance(vcov)})'}, "
        f"{'t' if free else 'z'} tests are two-sided." if effects and _tested(fit) else "",
        "Estimates are shrunken by the penalty; tests and intervals would not cover that bias and are not given."
        if penalised else "",
        "Tests and intervals are those of the rows that are not separated, and of the coefficients that stay finite."
        if fit.outcome == "separated" and any(np.isfinite(fit.bse)) else "",
        sentences.aliased(fit.aliased),
    )  # fmt: skip
    return tuple(text for text in told if text)


def _covariance(vcov: Any) -> str:
    """A covariance in words."""
    if isinstance(vcov, str):
        return f"{vcov} information" if vcov in ("expected", "observed") else f"{vcov} covariance"
    return (
        "clustered by " + str(vcov["cluster"])
        if isinstance(vcov, Mapping) and "cluster" in vcov
        else "given covariance"
    )


# --- other packages' tables -------------------------------------------------------------------


def coefficients_for_maketables(fit: Any) -> pd.DataFrame:
    """`b, se, t, p, ci95l, ci95u` by coefficient, as the package maketables asks for them."""
    table = fit.tidy()
    columns = {
        "b": "estimate", "se": "std_error", "t": "statistic", "p": "p_value", "ci95l": "conf_low", "ci95u": "conf_high",
    }  # fmt: skip
    index = pd.Index(list(fit.names), name="Coefficient")
    return pd.DataFrame({name: table[own].to_numpy() for name, own in columns.items()}, index=index)


def statistic_for_maketables(fit: Any, key: str) -> float | str | None:
    """A statistic of the fit by maketables' word for it; None for one that it does not have."""
    if key == "se_type":
        return "expected information"
    own = {
        "N": "nobs", "ll": "llf", "aic": "aic", "bic": "bic", "deviance": "deviance", "null_deviance": "null_deviance",
        "dispersion": "dispersion", "df_resid": "df_resid",
    }.get(key)  # fmt: skip
    found = float("nan") if own is None else _number(fit, own)
    return None if np.isnan(found) else int(found) if key == "N" and found.is_integer() else found
