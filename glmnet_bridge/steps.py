"""Steps: two nested models of one fit, the statistics between them, and the tables these stand in.

Shared by `anovas` (terms taken out) and `additions` (terms put in).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import answers
from glmnet_bridge.errors import (
    ArgumentError,
    BridgeError,
    ConvergenceWarning,
    DataError,
    FitError,
    SeparationWarning,
    listed,
    nearest,
    warn,
)
from glmnet_bridge.fits import Fit
from glmnet_bridge.inference import hypotheses, nestings
from glmnet_bridge.inference.nestings import Part

Array = np.ndarray

TESTS = ("Chisq", "F", "Rao")
WORDS = {"Chisq": "likelihood ratio", "F": "F", "Rao": "Rao's score", "Wald": "Wald"}
_OTHER = {"lrt": "Chisq", "lr": "Chisq", "chi2": "Chisq", "score": "Rao"}


@dataclass(frozen=True, slots=True)
class Step:
    """Two nested models."""

    smaller: Part
    larger: Part

    @property
    def df(self) -> int:
        return self.larger.rank - self.smaller.rank

    @property
    def change(self) -> float:
        return max(self.smaller.deviance - self.larger.deviance, 0.0)

    @property
    def score(self) -> float:
        """Rao's statistic at dispersion 1."""
        return nestings.score_statistic(self.larger, self.smaller.eta)

    @property
    def outcomes(self) -> set[str]:
        return {self.smaller.outcome, self.larger.outcome}

    @property
    def settled(self) -> bool:
        """Whether both are at their maximum, or at its limit under separation."""
        return self.smaller.settled and self.larger.settled


class Refits:
    """The parts of a fit, each fitted once."""

    def __init__(self, fit: Fit) -> None:
        self.fit = fit
        self.whole = nestings.whole(fit.estimate, fit.rows)
        self.found: dict[tuple[int, ...], Part] = {}

    def of(self, columns: Iterable[int]) -> Part:
        """The maximum with these columns alone."""
        key = tuple(sorted(int(j) for j in columns))
        if key not in self.found:
            self.found[key] = nestings.part(self.fit.estimate, self.fit.rows, key, self.fit.nobs)
        return self.found[key]

    def without(self, columns: Array) -> Part:
        """The maximum without these columns."""
        return self.of(set(range(len(self.fit.estimate.model.columns))) - set(columns.tolist()))


def comparable(given: Any, verb: str) -> Fit:
    """The fit, or the GLM of a bridge; refused where likelihoods of its parts mean nothing.

    Raises
    ------
    ArgumentError
        for something else, a penalised or bias-reduced fit, or a network that is no GLM
    FitError
        for one that is not at its maximum, or at the edge of what its link allows
    """
    if not isinstance(given, Fit) and isinstance(getattr(given, "glm", None), Fit):
        given = given.glm
    if not isinstance(given, Fit):
        raise ArgumentError(f"{verb}() takes fits, as gb.glm gives them; this is a {type(given).__name__}.")
    estimate = given.estimate
    penalised, reduced = estimate.model.penalty.strength > 0, bool(getattr(estimate.model, "reduction", False))
    if penalised or reduced:
        kind = "penalised" if penalised else "bias-reduced"
        raise ArgumentError(
            f"{verb}(): a {kind} fit is not the maximum of the likelihood, so that differences in deviance are not "
            f"chi-squared. Refit without {'penalty=' if penalised else 'bias_reduction='}."
        )
    if not nestings.is_glm(estimate):
        raise ArgumentError(
            f"{verb}(): the weights of this network are not the coefficients of the formula's columns. Give the GLM of "
            "the same formula: gb.glm(...), or the `.glm` of a bridge."
        )
    if estimate.outcome == "boundary":
        raise FitError(
            f"{verb}(): the fit lies at the edge of what its link allows, where deviances are not chi-squared and the "
            "score is not zero. Use a link without an edge, such as logit or log."
        )
    if not nestings.at_maximum(estimate):
        raise FitError(
            f"{verb}(): the fit is not at the maximum of its likelihood (outcome {estimate.outcome!r}), so that its "
            "deviance cannot be compared. Give the GLM of the same formula: gb.glm(...)."
        )
    return given


def chosen_test(test: Any, fit: Fit) -> str:
    """The test that is asked for, or the default of the family."""
    known = answers.residual_df(fit) is None
    if test is None:
        return "Chisq" if known else "F"
    word = str(test).lower()
    chosen = next((name for name in TESTS if name.lower() == word), _OTHER.get(word))
    if not isinstance(test, str) or chosen is None:
        raise ArgumentError(f"test={test!r} is unknown; it is one of {', '.join(TESTS)}.{nearest(test, TESTS)}")
    if chosen == "F" and known:
        raise ArgumentError(
            f"test='F' is for an estimated dispersion; that of {fit.family.distribution.title} is 1. Use test='Chisq', "
            "or a family with a free dispersion."
        )
    return chosen


# --- tables ---------------------------------------------------------------------------------


def with_tests(table: pd.DataFrame, steps: Sequence[Step], statistic: Array, test: str, residual_df: Any) -> None:
    """Add `statistic` and `p_value` to the last rows of a table; says where they do not hold."""
    df = np.array([abs(step.df) for step in steps], dtype=float)
    statistic = np.where(df > 0, statistic, np.nan)
    residual = residual_df if test == "F" else None
    if residual is not None and not np.all(np.asarray(residual) > 0):
        raise DataError("There are no residual degrees of freedom, so that the dispersion of an F test is unknown.")
    p = hypotheses.tail(statistic, df, residual)
    unfinished = np.array([not step.settled for step in steps], dtype=bool)
    p = np.where(unfinished, np.nan, p)
    above = [np.nan] * (len(table) - len(steps))
    table["statistic"], table["p_value"] = [*above, *statistic], [*above, *p]
    if unfinished.any():
        outcomes = sorted({word for step in steps for word in step.outcomes} - {"converged", "rank deficient"})
        warn(
            f"{int(unfinished.sum())} of the models compared have no maximum inside what the link allows, or did not "
            f"reach it (outcome {listed(outcomes)}): statistics there are not chi-squared, and p_value is nan.",
            ConvergenceWarning,
        )
    if any("separated" in step.outcomes for step in steps):
        warn(
            "Some of the models compared are separated: their deviance is the limit at infinite coefficients, and "
            "chi-squared is a poor approximation there.",
            SeparationWarning,
        )


def finished(table: pd.DataFrame, names: Sequence[str], heading: str, index: str = "term") -> pd.DataFrame:
    """The table with its labels and heading."""
    table.index = pd.Index(list(names), name=index)
    table.attrs["heading"] = heading
    return table


def sizes(fit: Fit, deviances: Array) -> Array:
    """-2 log-likelihood but for a constant, as R's `drop1` has it: of the gaussian family `n log(deviance / n)`."""
    if fit.family.distribution.name == "gaussian" and answers.residual_df(fit) is not None:
        with np.errstate(divide="ignore"):
            return np.asarray(fit.nobs * np.log(deviances / fit.nobs))
    return np.asarray(deviances / fit.dispersion)


def with_aic(table: pd.DataFrame, fit: Fit, size: Array, more: Array) -> None:
    """Add `aic` to rows that differ from the fit by `size` and have so many coefficients more; not without likelihood.

    The dispersion is that of the fit throughout, as in R.
    """
    try:
        own = fit.aic
    except BridgeError:
        return
    if np.isnan(own):
        return
    with np.errstate(invalid="ignore"):
        table["aic"] = own + (size - size[0]) + 2.0 * more
