"""Additions: what a fit lacks: terms or columns that are not in it, on its own rows.

add1(fit, "z + C(g)")           each added in turn: refits, likelihood-ratio, F and score tests
score_test(fit, "z + C(g)")     all together, without a refit
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import steps as tables
from glmnet_bridge.data import frames
from glmnet_bridge.data.rows import ArraySource, Rows
from glmnet_bridge.data.splices import Joined
from glmnet_bridge.design import margins
from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.formulas import Formula, one_sided
from glmnet_bridge.errors import ArgumentError, DataError, listed
from glmnet_bridge.fits import Fit
from glmnet_bridge.fitting import covariances
from glmnet_bridge.inference import hypotheses, nestings
from glmnet_bridge.keywords import checked_keywords
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit

Array = np.ndarray


@checked_keywords
def add1(fit: Any, scope: Any, *, test: str | None = None) -> pd.DataFrame:
    """Add each term of `scope` in turn, as R's `add1.glm`: `df, deviance, aic, statistic, p_value`.

    Parameters
    ----------
    fit : a `Fit`, or a `Bridge` for its GLM; the first row
    scope : terms in a formula's words ("z + C(g)", "~ . + a:b"), or a list of them; or a frame, Series or array with
        one row per row of the fit, each column of which is a term. Terms whose margins are missing are left out
        (`a:b` without `a`)
    test : "Chisq", "F" or "Rao", as in `drop1`; the dispersion is that of `fit`, but F divides by the deviance per
        residual degree of freedom of the larger model

    Raises
    ------
    DataError
        where a new column lacks values that the fit's rows need
    """
    fit = tables.comparable(fit, "add1")
    chosen = tables.chosen_test(test, fit)
    larger = _larger(fit, scope, together=False)
    base = nestings.whole(fit.estimate, fit.rows)
    steps = [tables.Step(base, nestings.maximum(each.model, each.rows, each.start, fit.nobs)) for each in larger]
    deviances = np.array([base.deviance, *(step.larger.deviance for step in steps)])
    df = np.array([step.df for step in steps], dtype=float)
    size = tables.sizes(fit, deviances)
    residual: Any = fit.df_resid - df
    with np.errstate(divide="ignore", invalid="ignore"):
        if chosen == "F":
            statistic = np.maximum(deviances[0] - deviances[1:], 0.0) / df / (deviances[1:] / residual)
        elif chosen == "Rao":
            statistic = np.array([step.score for step in steps]) / fit.dispersion
        else:
            statistic = np.maximum(size[0] - size[1:], 0.0)
    table = pd.DataFrame({"df": np.r_[np.nan, df], "deviance": deviances})
    tables.with_aic(table, fit, size, np.r_[0.0, df])
    tables.with_tests(table, steps, statistic, chosen, residual)
    heading = f"Single terms added, {tables.WORDS[chosen]} test. Model: {fit.formula}. {fit.modelled}"
    return tables.finished(table, ["<none>", *(each.name for each in larger)], heading)


@checked_keywords
def score_test(fit: Any, add: Any) -> pd.DataFrame:
    """Rao's score test of columns that are left out, all together and without a refit: `df, statistic, p_value`.

    The statistic is the score of the larger model at this fit in its expected information, over the dispersion of
    this fit: chi-squared, as R's `add1(test="Rao")`. It needs no maximum of the larger model, which may have none.

    Parameters
    ----------
    fit : a `Fit`, or a `Bridge` for its GLM
    add : what is left out, as `scope` in `add1`

    Examples
    --------
    >>> import glmnet_bridge as gb
    >>> data = {"y": [0, 1, 0, 1, 1, 0, 1, 1], "x": [0.0, 1, 2, 3, 4, 5, 6, 7]}
    >>> gb.score_test(gb.glm("y ~ 1", data), "x").round(4)
          df  statistic  p_value
    term
    x      1     1.2444   0.2646
    """
    fit = tables.comparable(fit, "score_test")
    (larger,) = _larger(fit, add, together=True)
    base = nestings.whole(fit.estimate, fit.rows)
    df = nestings.independent(larger.rows) * max(len(fit.estimate.model.outputs), 1) - base.rank
    statistic = nestings.score_of(larger.model, larger.rows, base.eta) / fit.dispersion if df > 0 else np.nan
    table = pd.DataFrame({"df": [df], "statistic": [statistic], "p_value": hypotheses.tail(statistic, df, None)})
    return tables.finished(
        table, [larger.name], f"Score test of what is left out. Model: {fit.formula}. {fit.modelled}"
    )


# --- larger models --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Larger:
    """A model with more columns on the rows of a fit; `start` are coefficients of its labels, or None."""

    name: str
    model: Model
    rows: Rows
    start: Array | None


def _larger(fit: Fit, scope: Any, together: bool) -> list[Larger]:
    if isinstance(scope, str) or (isinstance(scope, (list, tuple)) and all(isinstance(each, str) for each in scope)):
        return _by_formula(fit, [scope] if isinstance(scope, str) else list(scope), together)
    return _by_columns(fit, scope, together)


def _model(fit: Fit, name: str, names: tuple[str, ...], rows: Rows) -> Larger:
    """The model on columns of these names; coefficients that the fit knows are the start, others 0."""
    own = fit.estimate.model
    twice = [each for each in names if names.count(each) > 1]
    if twice:
        raise ArgumentError(f"Two columns would have the name {twice[0]!r}: rename the new one.")
    model = Model(names, single_unit(names, own.outputs), own.family, outputs=own.outputs)
    known = dict(zip(own.labels, covariances.representer(fit.estimate), strict=True))
    start = np.array([known.get(label, 0.0) for label in model.labels]) if set(known) <= set(model.labels) else None
    return Larger(name, model, rows, start if fit.estimate.converged else None)


def _by_formula(fit: Fit, texts: Sequence[str], together: bool) -> list[Larger]:
    design = getattr(fit.recipe, "design", None)
    if design is None:
        raise ArgumentError(
            "This fit is of arrays, which know no formula: give the new columns themselves, as an array or a frame "
            "with one row per row of the fit."
        )
    old = {term.name(): term for term in design.formula.terms}
    new = {term.name(): term for text in texts for term in _parsed(text, design.formula).terms if term.factors}
    new = {name: term for name, term in new.items() if name not in old}
    if not new:
        raise ArgumentError(f"All terms of {listed(list(texts))} are in the model already: {fit.formula}.")
    if together:
        return [_extended(fit, design, " + ".join(new), list(new.values()))]
    factors = [frozenset(factor.name() for factor in term.factors) for term in new.values()]
    known = [frozenset(factor.name() for factor in term.factors) for term in old.values()]
    each = list(new.items())
    return [_extended(fit, design, each[at][0], [each[at][1]]) for at in margins.addable(factors, known)]


def _parsed(text: str, formula: Formula) -> Formula:
    bare = re.sub(r"^\s*~?\s*\.\s*(\+|$)", "", text)
    found = one_sided(bare or "1", formula.functions or None)
    if found.offsets:
        raise ArgumentError(f"{text!r} holds an offset, which has no coefficient to test. Refit with it: gb.glm.")
    return found


def _extended(fit: Fit, design: Design, name: str, terms: Sequence[Any]) -> Larger:
    """The fit's rows, with the columns of its formula and of new terms."""
    reads = [factor.expression for term in terms for factor in term.factors]
    names = frozenset().union(*(part.names for part in reads))
    formula = replace(
        design.formula,
        text=f"{design.formula.text} + {name}",
        terms=(*design.formula.terms, *terms),
        names=design.formula.names | names,
    )
    if fit.data is None:
        raise DataError("The fit has not kept its data (keep_data=False): give the new columns as an array or a frame.")
    frame = frames.as_frame(fit.data, names | design.variables)
    for each in sorted(names):
        if each not in frame.columns:
            raise frames.unknown(frame, each, "")
    values = frames.columns(frame, sorted(names | design.variables), rows=fit.sample.kept)
    for each in sorted(names):
        _refuse_missing(each, frames.missing(values[each]))
    learnt = Design.learn(formula, values, index=fit.sample.index)
    rows = replace(fit.rows, source=learnt.encode(values, index=fit.sample.index))
    return _model(fit, name, learnt.names, rows)


def _refuse_missing(name: str, gaps: Array | None) -> None:
    if gaps is not None and gaps.any():
        raise DataError(
            f"Column {name!r} has {int(gaps.sum())} missing values in the rows of the fit, and likelihoods of "
            f"different rows cannot be compared. Refit on the rows where it is known: data.dropna(subset=[{name!r}])."
        )


def _by_columns(fit: Fit, given: Any, together: bool) -> list[Larger]:
    names, table = _table(fit, given)
    runs = [slice(0, len(names))] if together else [slice(j, j + 1) for j in range(len(names))]
    return [
        _model(
            fit,
            " + ".join(names[run]),
            (*fit.estimate.model.columns, *names[run]),
            replace(fit.rows, source=Joined(fit.rows.source, ArraySource(table[:, run]))),
        )
        for run in runs
    ]


def _table(fit: Fit, given: Any) -> tuple[list[str], Array]:
    """Names and numbers `(n, q)` of the rows of the fit."""
    if isinstance(given, pd.Series):
        given = given.to_frame("added" if given.name is None else given.name)
    names = None
    if isinstance(given, (pd.DataFrame, Mapping)) or hasattr(given, "__dataframe__"):
        frame = frames.as_frame(given)
        names, given = [str(name) for name in frame.columns], frame
    try:
        table = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise DataError("The columns to add are not all numbers; give a formula's words for factors: 'C(g)'.") from None
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim == 2 and len(table) == fit.sample.n_read and fit.sample.kept is not None:
        table = table[fit.sample.kept]
    if table.ndim != 2 or len(table) != fit.sample.n or not table.shape[1]:
        raise DataError(
            f"The columns to add are of shape {np.shape(given)}; the fit has {fit.sample.n} rows: give one for each."
        )
    names = names or [f"added{j + 1}" for j in range(table.shape[1])]
    for j, name in enumerate(names):
        _refuse_missing(name, np.isnan(table[:, j]))
        if np.isinf(table[:, j]).any():
            raise DataError(f"Column {name!r} holds infinite values; mend those rows.")
    return names, table
