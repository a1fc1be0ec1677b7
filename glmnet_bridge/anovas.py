"""Anovas: what terms are worth, by refits of a fit's own columns on its own rows.

    anova(fit)          terms one after the other (type I), each given all that do not contain it (II), given all (III)
    anova(a, b, ...)    models compared with each other
    drop1(fit)          each term left out

No formula is evaluated again: a smaller model has some of the columns. The arithmetic stands in
`inference.nestings` and `inference.hypotheses`; adding terms in `additions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import contrasts
from glmnet_bridge.design import margins
from glmnet_bridge.design.margins import Term
from glmnet_bridge.errors import ArgumentError, DataError
from glmnet_bridge.fits import Fit
from glmnet_bridge.inference import nestings
from glmnet_bridge.inference.nestings import Part
from glmnet_bridge.keywords import checked_keywords
from glmnet_bridge.steps import WORDS, Refits, Step, chosen_test, comparable, finished, sizes, with_aic, with_tests

Array = np.ndarray


@checked_keywords
def anova(*fits: Any, test: str | None = None, kind: int = 1) -> pd.DataFrame:
    """Analysis of deviance: of one fit term by term, of several fits by comparison, as R's `anova.glm`.

    Parameters
    ----------
    fits : one `Fit` or several, of the same response in the same rows, each nested in the next or the other way
        round; a `Bridge` stands for its GLM
    test : "Chisq" (likelihood ratio: change in deviance over the dispersion), "F" or "Rao" (score); by default
        "Chisq" where the dispersion is known and "F" where it is estimated. It is that of the largest model, by
        Pearson's chi2. Of kind 3 also "Wald", which is its default
    kind : of one fit: 1, terms one after the other in R's order (main effects before interactions);
        2, each term given all others that do not contain it (car's `Anova`); 3, each given all others as the
        columns are coded, which for a factor within an interaction means something only with contrasts that sum to
        zero: `C(g, Sum)`

    Returns
    -------
    Frame with a row per term (or model) and `df, deviance, resid_df, resid_deviance, statistic, p_value`, deviance
    being the change in it. The statistic is what the p-value is of; of "Rao" `rao` is R's column, at dispersion 1.
    `attrs["heading"]` says what is compared.

    Raises
    ------
    BridgeError
        where likelihoods cannot be compared: other rows, response, weights, offset or family, fits that are not
        nested, penalised or not at their maximum

    Examples
    --------
    >>> import glmnet_bridge as gb
    >>> data = {"y": [0, 1, 0, 1, 1, 0, 1, 1], "x": [0.0, 1, 2, 3, 4, 5, 6, 7]}
    >>> gb.anova(gb.glm("y ~ x", data)).round(4)
           df  deviance  resid_df  resid_deviance  statistic  p_value
    term
    NULL  NaN       NaN       7.0         10.5850        NaN      NaN
    x     1.0    1.3143       6.0          9.2707     1.3143   0.2516
    """
    if not fits:
        raise ArgumentError("anova() takes one fit or several: gb.anova(fit), gb.anova(smaller, larger).")
    if kind not in (1, 2, 3) or isinstance(kind, bool):
        raise ArgumentError(f"kind={kind!r} is unknown; it is 1 (sequential), 2 or 3.")
    found = [comparable(fit, "anova") for fit in fits]
    if len(found) > 1:
        if kind != 1:
            raise ArgumentError(f"kind={kind} is for the terms of one fit; several fits are compared as they are.")
        return _compared(found, chosen_test(test, found[0]))
    fit = found[0]
    if kind == 3:
        return _given_all(fit, "Wald" if test in (None, "Wald", "wald") else chosen_test(test, fit))
    return (_sequential if kind == 1 else _given_others)(fit, chosen_test(test, fit))


@checked_keywords
def drop1(fit: Any, *, test: str | None = None) -> pd.DataFrame:
    """Leave out each term in turn, as R's `drop1.glm`: `df, deviance, aic, statistic, p_value`.

    Terms that are marginal to others stay (`a` beside `a:b`). The first row is the fit itself.

    Parameters
    ----------
    fit : a `Fit`, or a `Bridge` for its GLM
    test : "Chisq", "F" or "Rao", as in `anova`, with R's conventions for `drop1`: the likelihood ratio of the
        gaussian family is `n log(deviance / deviance of the fit)`, F divides by the deviance per residual degree of
        freedom (not Pearson's), and the others by the dispersion of the fit

    Examples
    --------
    >>> import glmnet_bridge as gb
    >>> data = {"y": [0, 1, 0, 1, 1, 0, 1, 1], "x": [0.0, 1, 2, 3, 4, 5, 6, 7]}
    >>> gb.drop1(gb.glm("y ~ x", data)).round(4)
             df  deviance      aic  statistic  p_value
    term
    <none>  NaN    9.2707  13.2707        NaN      NaN
    x       1.0   10.5850  12.5850     1.3143   0.2516
    """
    fit = comparable(fit, "drop1")
    chosen, all_terms = chosen_test(test, fit), margins.terms(fit.recipe)
    terms = margins.droppable(all_terms)
    refits = Refits(fit)
    steps = [Step(refits.without(term.columns), refits.whole) for term in terms]
    deviances = np.array([refits.whole.deviance, *(step.smaller.deviance for step in steps)])
    ranks = np.array([refits.whole.rank, *(step.smaller.rank for step in steps)])
    size = sizes(fit, deviances)
    with np.errstate(divide="ignore", invalid="ignore"):
        if chosen == "F":
            change = np.maximum(deviances[1:] - deviances[0], 0.0)
            statistic = change / (ranks[0] - ranks[1:]) / (deviances[0] / fit.df_resid)
        elif chosen == "Rao":
            statistic = np.array([step.score for step in steps]) / fit.dispersion
        else:
            statistic = np.maximum(size[1:] - size[0], 0.0)
    table = pd.DataFrame({"df": np.r_[np.nan, ranks[0] - ranks[1:]], "deviance": deviances})
    with_aic(table, fit, size, ranks - ranks[0])
    with_tests(table, steps, statistic, chosen, fit.df_resid)
    return finished(table, ["<none>", *(term.name for term in terms)], f"Single terms left out, {WORDS[chosen]} test. "
                    f"Model: {fit.formula}. {fit.modelled}")  # fmt: skip


# --- tables ---------------------------------------------------------------------------------


def _sequential(fit: Fit, test: str) -> pd.DataFrame:
    terms, refits = margins.terms(fit.recipe), Refits(fit)
    columns = [j for term in terms if not term.factors for j in term.columns]
    parts = [refits.of(columns)]
    rest = [term for term in terms if term.factors]
    for term in rest:
        columns.extend(term.columns)
        parts.append(refits.of(columns))
    steps = [Step(smaller, larger) for smaller, larger in zip(parts[:-1], parts[1:], strict=True)]
    table = _differences(fit, steps, test, first=parts[0])
    heading = f"Terms added one after the other, {WORDS[test]} test. Model: {fit.formula}. {fit.modelled}"
    return finished(table, ["NULL", *(term.name for term in rest)], heading)


def _given_others(fit: Fit, test: str) -> pd.DataFrame:
    terms, refits = margins.terms(fit.recipe), Refits(fit)
    steps, names = [], []
    for term in terms:
        if not term.factors:
            continue
        larger = [other for other in terms if not term.within(other)]
        steps.append(
            Step(refits.of(_columns(other for other in larger if other is not term)), refits.of(_columns(larger)))
        )
        names.append(term.name)
    table = _differences(fit, steps, test).drop(columns=["resid_df", "resid_deviance"])
    heading = f"Type II: each term given those that do not contain it, {WORDS[test]} test. "
    return finished(table, names, f"{heading}Model: {fit.formula}. {fit.modelled}")


def _given_all(fit: Fit, test: str) -> pd.DataFrame:
    terms = margins.terms(fit.recipe)
    heading = f"Type III: each term given all others, {WORDS[test]} test. Model: {fit.formula}. {fit.modelled}"
    names = [term.name for term in terms]
    if test == "Wald":
        asked = [contrasts.zero(fit, term.name) for term in terms]
        return finished(contrasts.wald_rows(fit, asked, fit.cov_params().to_numpy()), names, heading)
    refits = Refits(fit)
    steps = [Step(refits.without(term.columns), refits.whole) for term in terms]
    table = _differences(fit, steps, test).drop(columns=["resid_df", "resid_deviance"])
    return finished(table, names, heading)


def _columns(terms: Iterable[Term]) -> list[int]:
    return [int(j) for term in terms for j in term.columns]


def _differences(fit: Fit, steps: Sequence[Step], test: str, first: Part | None = None) -> pd.DataFrame:
    """Rows of `df, deviance, resid_df, resid_deviance, (rao,) statistic, p_value`; with one for `first` above."""
    parts = [step.larger for step in steps] if first is None else [first, *(step.larger for step in steps)]
    above = [] if first is None else [np.nan]
    df = np.array([step.df for step in steps], dtype=float)
    change = np.array([step.change for step in steps])
    table = pd.DataFrame(
        {
            "df": [*above, *df],
            "deviance": [*above, *change],
            "resid_df": [fit.nobs - part.rank for part in parts],
            "resid_deviance": [part.deviance for part in parts],
        }
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        if test == "Rao":
            score = np.array([step.score for step in steps])
            table["rao"] = [*above, *score]
            statistic = score / fit.dispersion
        else:
            statistic = change / fit.dispersion / (np.abs(df) if test == "F" else 1.0)
    with_tests(table, steps, statistic, test, fit.df_resid)
    return table


# --- several fits ---------------------------------------------------------------------------


def _compared(fits: Sequence[Fit], test: str) -> pd.DataFrame:
    for fit in fits[1:]:
        _check_same(fits[0], fit)
    parts = [nestings.whole(fit.estimate, fit.rows) for fit in fits]
    steps, signs = [], []
    for number, (one, other) in enumerate(zip(parts[:-1], parts[1:], strict=True), 1):
        small, large = (one, other) if one.rank < other.rank else (other, one)
        if one.rank == other.rank or not nestings.contains(large.rows, small.rows):
            raise ArgumentError(
                f"Fits {number} and {number + 1} are not nested: neither has all columns of the "
                f"other ({fits[number - 1].formula}; {fits[number].formula}), so that twice the difference in "
                "log-likelihood is not chi-squared. Compare their `aic` or `bic`."
            )
        steps.append(Step(small, large))
        signs.append(1.0 if small is one else -1.0)
    largest = min(fits, key=lambda fit: fit.df_resid)
    table = _differences(largest, steps, test, first=parts[0])
    table["resid_df"] = [largest.nobs - part.rank for part in parts]
    table["resid_deviance"] = [part.deviance for part in parts]
    for name in ("df", "deviance", "rao"):
        if name in table:
            table[name] *= [1.0, *signs]
    models = "; ".join(f"{number}: {fit.formula}" for number, fit in enumerate(fits, 1))
    heading = f"Models compared, {WORDS[test]} test. {models}. {largest.modelled}"
    return finished(table, [str(number) for number in range(1, len(fits) + 1)], heading, "model")


def _check_same(one: Fit, other: Fit) -> None:
    """Refuse fits whose likelihoods are not of the same data.

    Raises
    ------
    DataError
        naming what differs
    """
    a, b = one.sample, other.sample
    mend = "Refit both on the same rows, such as data.dropna(subset=[...]) of all their columns."
    unlabelled = any(each.kept is None and isinstance(each.index, pd.RangeIndex) for each in (a, b))
    if a.n != b.n or not (a.index.equals(b.index) or (unlabelled and a.kept is None and b.kept is None)):
        how = "other labels" if a.n == b.n else f"{a.n} and {b.n}"
        raise DataError(
            f"The fits are of different rows ({how}): {one.formula}; {other.formula}. Missing values may have taken "
            f"out some. Likelihoods of different rows cannot be compared. {mend}"
        )
    if one.family.title != other.family.title:
        raise ArgumentError(
            f"The fits are of different families ({one.family.title}; {other.family.title}), whose deviances cannot be "
            "compared. Compare their `aic` or `bic`."
        )
    for what, x, y in (
        ("responses", one.rows.response, other.rows.response),
        ("weights", one.rows.weights, other.rows.weights),
        ("offsets", one.rows.offset, other.rows.offset),
    ):
        first, second = (np.zeros(1) if each is None else each for each in (x, y))
        if (first.shape != second.shape and what != "offsets") or not bool(np.all(first == second)):
            raise DataError(
                f"The fits have different {what} ({one.formula}; {other.formula}), so that their likelihoods cannot be "
                "compared. Refit one of them."
            )
