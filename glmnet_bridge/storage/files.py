"""Files: what is kept of a fit, and what it is made of again.

    estimate, recipe, facts  ->  plain values and arrays  ->  file

Facts are the answers that need rows and are a number or a few (deviances, dispersion, column means): they
are asked once, when the fit is saved. Rows stay out, and with them the caller's data and the model of
another package that weights were read from. `rejoined` puts rows back.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from glmnet_bridge import answers
from glmnet_bridge.design.absences import Absent
from glmnet_bridge.design.samples import Recipe
from glmnet_bridge.errors import ArgumentError, BridgeError, DataError, listed
from glmnet_bridge.fitting import predictions
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.storage import containers, records

FACTS = (
    "edf", "_degrees", "null_deviance", "llf", "llnull", "pearson_chi2", "dispersion", "mean_losses", "column_means",
    "input_spreads",
)  # fmt: skip
SAME = 1e-7  # relative difference of the deviance up to which rows are those of the fit


def save(fit: Any, path: str | os.PathLike[str]) -> Path:
    """Write a fit without its rows.

    Raises
    ------
    DataError
        where a part is no plain value, such as a function of another package
    ArgumentError
        where no file can be written
    """
    writer = records.Writer()
    state = {
        "functions": sorted(_functions(fit.recipe)),
        "estimate": writer.plain(_without_rows(fit.estimate), "estimate"),
        "recipe": writer.plain(fit.recipe, "recipe"),
        "sample": writer.plain(Absent.of(fit.sample), "sample"),
        "facts": writer.plain(_facts(fit), "facts"),
    }
    return containers.write(path, state, writer.arrays)


def read(path: str | os.PathLike[str], functions: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of a fit (`estimate, recipe, sample`), and its facts.

    Raises
    ------
    DataError
        naming what is wrong with the file, or the functions that must be given
    """
    state, arrays = containers.read(path)
    given = dict(functions or {})
    _check_functions(state, given, path)
    maker = records.Maker(arrays, given)
    part = "estimate"
    try:
        fields = {}
        for part in ("estimate", "recipe", "sample", "facts"):
            fields[part] = maker.value(state[part])
    except BridgeError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise DataError(
            f"{os.fspath(path)!r} is damaged in its part {part!r} ({error!r}). Save the fit again."
        ) from error
    if not isinstance(fields["estimate"], Estimate) or not isinstance(fields["sample"], Absent):
        raise DataError(f"{os.fspath(path)!r} is damaged: it holds no estimate. Save the fit again.")
    return fields, fields.pop("facts")


def know(fit: Any, facts: Mapping[str, Any]) -> Any:
    """The fit, with these answers known; only those that it would keep once asked."""
    for name, value in facts.items():
        if name in FACTS and isinstance(getattr(type(fit), name, None), functools.cached_property):
            vars(fit)[name] = value
    return fit


def rejoined(fit: Any, data: Any, beside: Mapping[str, Any]) -> Any:
    """The fit with its rows, read from `data` as the fit's own were, and checked to be them.

    Raises
    ------
    DataError
        for rows that give another number or another deviance
    """
    if not isinstance(fit.recipe, Recipe):
        raise DataError(
            "Rows can be put back to fits of a formula only. This one is of arrays, or of a network with inputs of its "
            "own: fit again for answers about its rows; predict(new) needs none."
        )
    unknown = {name for name, value in beside.items() if value is not None} - set(fit.recipe.given)
    if unknown:
        raise ArgumentError(f"The fit had no {listed(sorted(unknown))}: leave it out.")
    sample = fit.recipe.sample(data, **beside, with_response=True)
    if sample.n != fit.sample.n:
        raise DataError(
            f"These are {sample.n} rows without missing values; the fit used {fit.sample.n}. Give the rows of the fit."
        )
    estimate = fit.estimate
    rows = answers.rows_of(sample)
    if estimate.separation is not None:
        infinite = np.isinf(predictions.linear_predictor(estimate, rows)) if not fit.family.joint else _none(rows.n)
        estimate = replace(estimate, separation=replace(estimate.separation, goes_off=infinite))
        rows = replace(rows, weights=np.where(infinite, 0.0, rows.weights))
    found = -2.0 * estimate.model.sums(rows, estimate.theta, "value").loglik
    if not abs(found - fit.deviance) <= SAME * max(abs(fit.deviance), 1e-3 * sample.n):
        raise DataError(
            f"These are not the rows of the fit: its deviance is {fit.deviance:.6g}, and here it would be {found:.6g}. "
            "Give the rows of the fit, in any order; for other rows fit again."
        )
    facts = {name: vars(fit)[name] for name in FACTS if name in vars(fit)}
    return know(replace(fit, estimate=estimate, sample=sample, data=data), facts)


def _none(n: int) -> np.ndarray:
    return np.zeros(n, dtype=bool)


def _without_rows(estimate: Estimate) -> Estimate:
    """The estimate without what it says row by row."""
    if estimate.separation is None:
        return estimate
    return replace(estimate, separation=replace(estimate.separation, goes_off=_none(0)))


def _facts(fit: Any) -> dict[str, Any]:
    """The answers that the fit can give; one that it cannot is left out, and asked for again."""
    found = {}
    for name in FACTS:
        try:
            found[name] = getattr(fit, name)
        except BridgeError:
            continue
    return found


def _functions(recipe: Any) -> set[str]:
    """Names of the caller's own functions that the recipe calls."""
    own = getattr(recipe, "own", recipe)
    if not isinstance(own, Recipe):
        return set()
    designs = [own.design, *([recipe.reader.design] if own is not recipe and recipe.reader.design else [])]
    parts = [*own.response.expressions, *(text for text in own.given.values() if text is not None)]
    for design in designs:
        formula = design.formula
        parts += [*(factor.expression for factor in formula.factors), *formula.response, *formula.offsets]
    return {name for part in parts for name in part.functions}


def _check_functions(state: Mapping[str, Any], given: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    missing = [name for name in state.get("functions", ()) if name not in given]
    if missing:
        shown = ", ".join(f"{name!r}: {name}" for name in missing)
        raise DataError(
            f"The formula of this fit uses your own function{'s'[: len(missing) - 1]} {listed(missing)}, which no file "
            f"holds: gb.load({os.fspath(path)!r}, functions={{{shown}}})."
        )
