"""Marginals: what a variable does to the mean, averaged over rows, with standard errors by the delta method.

    gb.effects(fit)                                        average slopes, and contrasts of factor levels
    gb.effects(fit, "smoke", kind="ratio")                 the risk ratio
    gb.effects(fit, "age", at={"age": [20, 30]}, by="race")

A `Fit` is read here by its public names. The sums are those of `inference/averages.py`; here stand the
arguments, and the table.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import answers, averaging, shares
from glmnet_bridge.averaging import Stage
from glmnet_bridge.errors import ArgumentError, DataWarning, SeparationWarning, is_number, listed, nearest, warn
from glmnet_bridge.fitting import covariances, statistics
from glmnet_bridge.inference.averages import Averages, Level, Question, Target, averages
from glmnet_bridge.inference.effects import effect, with_error
from glmnet_bridge.inference.margins import Margin
from glmnet_bridge.keywords import checked_keywords

Array = np.ndarray

KINDS = ("slope", "difference", "ratio", "lift", "prediction")
CHOICES = ("reference", "pairwise", "sequential")
NUMBERS = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
OWN = ("term", "contrast", "response_level", *NUMBERS)


@checked_keywords
def effects(
    fit: Any,
    variables: Any = None,
    *,
    at: Any = None,
    by: Any = None,
    kind: str = "slope",
    scale: str = "mean",
    vcov: Any = None,
    level: float = 0.95,
    weights: Any = None,
    data: Any = None,
    offset: Any = None,
    exposure: Any = None,
) -> pd.DataFrame:
    """Average effects of variables on the mean, with standard errors by the delta method.

    Each is an average over the rows of the fit of what happens in a row when one variable moves and all
    others stay, through all terms in which it stands (interactions, transforms, offset). Averages count a row as
    often as its frequency weight says; prior weights and trials do not count (as in R's marginaleffects), unless
    `weights` says so.

    Parameters
    ----------
    fit : a fit with coefficients
    variables : a name, a list of names, or a dict of names to what is compared. Of levels: "reference" (each
        with the first one, or that of `Treatment`; the default), "pairwise", "sequential", or two of them, `(from,
        to)`. Of numbers: a step, or `(from, to)`; the default is 1 more, and `(0, 1)` where there are no
        other values. By default all variables
    at : where other variables are held: "mean" or "median" (numbers; levels at the most common one; one row), or
        a dict of variables to values, lists of values (all combinations), "mean" or "median". Variables that
        are not named keep their values in each row, as in Stata's `margins, at()`
    by : a column, or a list of them: averages by group of rows
    kind : "slope" (derivative by numbers, also of two values; for levels the difference), "difference", "ratio"
        (of averages), "lift" (ratio less 1), or "prediction" (the averages themselves; no variables)
    scale : "mean" (of several classes: the probability of each), or "link"
    vcov : as in `fit.cov_params`
    level : of the limits
    weights : a column, an array, or the fit's "prior_weights" or "trials": what the averages count instead
    data : rows to average over, instead of those of the fit; each counts once
    offset, exposure : for `data`, as in `fit.predict`

    Returns
    -------
    frame with `term, contrast`, of several classes `response_level`, the columns of `at` and `by`, and `estimate,
        std_error, statistic, p_value, conf_low, conf_high`. A ratio is tested and has its limits on the log scale. As
        everywhere, Student's t stands where the dispersion is estimated; R's marginaleffects and
        statsmodels take the normal there. statsmodels' `at="mean"` averages dummy columns, which is no row that
        exists. An effect is nan where aliased columns leave it open, or where it is infinite; under separation
        estimates are limits, and have no standard error where a row at infinity takes part

    Raises
    ------
    BridgeError
        naming the culprit and the next step

    Examples
    --------
    >>> import glmnet_bridge as gb
    >>> data = {"y": [0, 1, 0, 1, 1, 0, 1, 1], "x": [0.0, 1, 2, 3, 4, 5, 6, 7]}
    >>> gb.effects(gb.glm("y ~ x", data))[["term", "contrast", "estimate", "std_error"]].round(4)
      term contrast  estimate  std_error
    0    x    dY/dX    0.0786     0.0533
    """
    _check(fit, variables, kind, scale)
    half = statistics.quantile(statistics.confidence_level(level, None), answers.residual_df(fit))
    covariance = _covariance(fit, vcov)
    stage = averaging.stage(fit, data, weights, offset, exposure)
    asked = [Asked("prediction", None)] if kind == "prediction" else _asked(stage, variables, kind)
    places = _places(stage, at)
    groups = averaging.grouped(stage, by)
    alone = averaging.one_row(stage, places, groups)
    targets = tuple(each.target for each in asked)
    question = Question(
        targets, tuple(places), averaging.held(stage, places), Margin(fit.family, scale == "link"), len(groups.labels)
    )
    rows = averaging.rows(stage, groups, alone)
    readings = averaging.readings(stage, targets, places)
    found = averages(fit.estimate, rows, stage.space, readings, question, alone)
    if at is None:
        _refuse_steps(asked, found)
    _warn(fit, found)
    table = _table(fit, asked, places, groups.labels, found, kind, scale)
    return _with_tests(table, covariance, half, answers.residual_df(fit))


@dataclass(frozen=True, slots=True)
class Asked:
    """One variable of the answer.

    Attributes
    ----------
    term : its name in the table
    target : what is averaged
    pairs : `(contrast, high, low)`: which of the target's averages are compared; low None for one alone
    """

    term: str
    name: str | None
    target: Target = Target(None)
    pairs: tuple[tuple[str, int, int | None], ...] = (("", 0, None),)


def _check(fit: Any, variables: Any, kind: str, scale: str) -> None:
    """Refuse what no fit could answer."""
    if kind not in KINDS:
        raise ArgumentError(f"kind={kind!r} is unknown; it is one of {', '.join(KINDS)}.{nearest(kind, KINDS)}")
    if scale not in ("mean", "link"):
        raise ArgumentError(f"scale={scale!r} is unknown; it is 'mean' or 'link'.")
    if scale == "link" and kind in ("ratio", "lift"):
        raise ArgumentError(
            f"kind={kind!r} compares means; a ratio of linear predictors says nothing. Use scale='mean'."
        )
    if kind == "prediction" and variables is not None:
        raise ArgumentError("kind='prediction' compares nothing: leave variables out, and use at= or by=.")
    if not hasattr(fit, "estimate") or not hasattr(fit, "cov_params"):
        hint = " Give one of its views, .glm or .network." if hasattr(fit, "glm") else ""
        raise ArgumentError(f"effects() takes a fit, not a {type(fit).__name__}.{hint}")
    if not fit.estimate.model.network.affine:
        raise ArgumentError(
            "A network with hidden activations has no coefficients whose covariance could give standard errors. "
            "Compare what predict() says of rows that differ in one variable, or ask the GLM beside it."
        )


def _covariance(fit: Any, vcov: Any) -> Array:
    """The covariance with 0 for coefficients that are not finite: what they do has no error, or is said to be open."""
    matrix = np.asarray(fit.cov_params(vcov), dtype=float)
    left_out = np.array(covariances.states(fit.estimate)) != "finite"
    return np.where(left_out | left_out[:, None], 0.0, matrix)


# --- variables --------------------------------------------------------------------------------


def _asked(stage: Stage, variables: Any, kind: str) -> list[Asked]:
    """The variables with what is compared."""
    if variables is None:
        wishes: dict[str, Any] = dict.fromkeys(stage.predictors)
    elif isinstance(variables, Mapping):
        wishes = dict(variables)
    else:
        wishes = dict.fromkeys([variables] if isinstance(variables, str) else list(variables))
    if not wishes:
        raise ArgumentError("This model reads no variable, so that nothing has an effect.")
    for name in wishes:
        stage.check(name, "variables")
    return [_one(stage, name, wish, kind) for name, wish in wishes.items()]


def _one(stage: Stage, name: str, wish: Any, kind: str) -> Asked:
    levels = stage.levels(name, needed=kind != "slope" or wish is not None)
    if levels is None and kind == "slope":
        if wish is not None:
            raise ArgumentError(
                f"variables={{{name!r}: {wish!r}}}: a slope has no step; ask for kind='difference', or give the name "
                "alone."
            )
        target = Target(name, slope=stage.slope(name))
        return Asked(name, name, target, (("dY/dX", 0, None),))
    if levels is None:
        values, pairs = _steps(stage, name, wish, kind)
    else:
        values, pairs = _compared(name, levels, wish, kind)
    return Asked(name, name, Target(name, values, stage.space.touch(frozenset([name]))), pairs)


Pairs = tuple[tuple[str, int, int | None], ...]


def _steps(stage: Stage, name: str, wish: Any, kind: str) -> tuple[tuple[Level, ...], Pairs]:
    """Two values of a number."""
    if wish is None:
        wish = (0, 1) if stage.two_valued(name) else 1
    if is_number(wish) and np.isfinite(wish) and wish != 0:
        return (Level(0.0, True), Level(float(wish), True)), ((f"{wish:+g}", 1, 0),)
    if isinstance(wish, (tuple, list)) and len(wish) == 2 and all(is_number(each) for each in wish):
        low, high = wish
        return (Level(low), Level(high)), ((_words(f"{high:g}", f"{low:g}", kind), 1, 0),)
    raise ArgumentError(
        f"variables={{{name!r}: {wish!r}}}: for a numeric variable give a step, such as 10, or two values, "
        "such as (20, 30)."
    )


def _compared(name: str, levels: tuple[Any, ...], wish: Any, kind: str) -> tuple[tuple[Level, ...], Pairs]:
    """The levels of a factor, the reference first, and which are compared."""
    if wish is None or isinstance(wish, str):
        choice = "reference" if wish is None else wish
        if choice not in CHOICES:
            raise ArgumentError(
                f"variables={{{name!r}: {wish!r}}}: give {', '.join(map(repr, CHOICES))}, or two levels, as in "
                f"{tuple(levels[:2])}.{nearest(wish, CHOICES)}"
            )
    else:
        if not (isinstance(wish, (tuple, list)) and len(wish) == 2):
            raise ArgumentError(f"variables={{{name!r}: {wish!r}}}: give two levels, (from, to), or one of {CHOICES}.")
        unknown = [each for each in wish if each not in levels]
        if unknown:
            raise ArgumentError(
                f"{name!r} has no level {unknown[0]!r}; there are {listed(levels, 8)}.{nearest(unknown[0], levels)}"
            )
        levels, choice = tuple(wish), "reference"
    count = len(levels)
    places = {
        "reference": [(j, 0) for j in range(1, count)],
        "pairwise": [(j, i) for i, j in itertools.combinations(range(count), 2)],
        "sequential": [(j, j - 1) for j in range(1, count)],
    }[choice]
    if not places:
        raise ArgumentError(f"{name!r} has one level only, {levels[0]!r}: there is nothing to compare it with.")
    pairs = tuple((_words(str(levels[j]), str(levels[i]), kind), j, i) for j, i in places)
    return tuple(Level(value) for value in levels), pairs


def _words(high: str, low: str, kind: str) -> str:
    """The contrast in the table: `b - a`, `b / a` or `b / a - 1`."""
    return {"ratio": f"{high} / {low}", "lift": f"{high} / {low} - 1"}.get(kind, f"{high} - {low}")


# --- where ------------------------------------------------------------------------------------


def _places(stage: Stage, at: Any) -> list[dict[str, Any]]:
    """All combinations of the values at which variables are held; one empty dict for none."""
    if at is None:
        return [{}]
    if isinstance(at, str):
        if at not in averaging.TYPICAL:
            raise ArgumentError(f"at={at!r} is unknown; give 'mean', 'median', or a dict of variables to values.")
        return [{name: stage.typical(name, at) for name in stage.space.variables}]
    if not isinstance(at, Mapping):
        raise ArgumentError(f"at={at!r}: give 'mean', 'median', or a dict of variables to values.")
    lists = {}
    for name, given in at.items():
        stage.check(name, "at")
        many = list(given) if isinstance(given, (list, tuple, range, np.ndarray, pd.Series, pd.Index)) else [given]
        if not many:
            raise ArgumentError(f"at={{{name!r}: []}} has no value.")
        lists[name] = [stage.value(name, each) for each in many]
    return [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]


# --- the table --------------------------------------------------------------------------------


def _table(
    fit: Any, asked: list[Asked], places: list[dict[str, Any]], groups: list[dict[str, Any]], found: Averages,
    kind: str, scale: str,
) -> list[dict[str, Any]]:  # fmt: skip
    """One dict per row of the table, with the `Effect` under the key None."""
    steps = np.cumsum([0, *(each.target.size for each in asked)])
    classes = _classes(fit, scale)
    mode = "difference" if kind in ("slope", "prediction") else kind
    rows: list[dict[Any, Any]] = []
    for first, each in zip(steps, asked, strict=False):
        for contrast, high, low in each.pairs:
            for label, output in classes:
                for number, place in enumerate(places):
                    start = number * steps[-1] + first
                    for g, group in enumerate(groups):
                        other = None if low is None else start + low
                        made = effect(found, g, output, start + high, other, mode)
                        named = {"term": each.term, "contrast": contrast}
                        named |= {} if label is None else {"response_level": label}
                        named |= _unlike(place, "at_", OWN)
                        rows.append({**named, **_unlike(group, "by_", (*OWN, *place)), None: made})
    return rows


def _unlike(values: dict[str, Any], prefix: str, taken: Collection[str]) -> dict[str, Any]:
    """Columns with a prefix where the table has one of their name."""
    return {(f"{prefix}{name}" if name in taken else name): value for name, value in values.items()}


def _classes(fit: Any, scale: str) -> list[tuple[Any, int]]:
    """Each class in the order of the response with its place among the averages; `[(None, 0)]` for one mean."""
    if not fit.family.joint:
        return [(None, 0)]
    response = fit.recipe.response
    after = shares.labels(response)
    if scale == "link":
        return [(label, j) for j, label in enumerate(after)]
    at = {label: j + 1 for j, label in enumerate(after)} | {response.base: 0}
    return [(label, at[label]) for label in response.levels]


def _with_tests(rows: list[dict[Any, Any]], covariance: Array, half: float, df: float | None) -> pd.DataFrame:
    for row in rows:
        made = row.pop(None)
        error, statistic, p_value, low, high = with_error(
            made, covariance, half, lambda value: float(statistics.tail(np.array(value), df))
        )
        row |= dict(zip(NUMBERS, (made.estimate, error, statistic, p_value, low, high), strict=True))
    return pd.DataFrame(rows)


def _refuse_steps(asked: list[Asked], found: Averages) -> None:
    """A function that is constant between jumps has the slope 0 everywhere, which says nothing about its effect."""
    start = 0
    for each in asked:
        if each.target.slope is not None and not found.gradient[:, start].any() and not found.unknown[:, start].any():
            raise ArgumentError(
                f"The formula makes steps of {each.name!r}: its slope is 0 between them. Ask for kind='difference', "
                f"as in variables={{{each.name!r}: (from, to)}}."
            )
        start += each.target.size


def _warn(fit: Any, found: Averages) -> None:
    """What is not known is said once."""
    if found.unknown.any():
        equations = listed([f"{name} = {equation}" for name, equation in fit.aliased.items()], 3)
        why = f"in the data {equations}, and they leave this" if equations else "a coefficient is infinite"
        warn(f"Some effects are not determined (nan): {why}.", DataWarning)
    if found.endless.any():
        warn(
            "The data are separated: effects are limits, and those that average over rows fitted perfectly have no "
            "standard error. A bias-reduced fit has.",
            SeparationWarning,
        )
