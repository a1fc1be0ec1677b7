"""Simulations: data from known coefficients, for examples and tests.

variables -> columns of the formula -> eta = X beta -> mean -> a draw from the family

Of several classes there is an eta for each but the first, and a draw is one of the classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.expressions import Expression
from glmnet_bridge.design.formulas import Formula, parse
from glmnet_bridge.design.samples import no_offset
from glmnet_bridge.errors import ArgumentError, DataError, FormulaError, is_number, is_whole, listed, nearest
from glmnet_bridge.model import families
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.multinomials import probabilities
from glmnet_bridge.model.networks import single_unit

Array = np.ndarray


def simulate(
    formula: str,
    coefficients: Mapping[str, float],
    n: int,
    family: Any = "binomial",
    link: Any = None,
    *,
    levels: Mapping[str, Sequence[Any]] | None = None,
    dispersion: float = 1.0,
    seed: Any = 0,
) -> pd.DataFrame:
    """A frame of `n` rows drawn from a GLM.

    Numeric variables are standard normal, factors take their levels equally often, in random order;
    all are independent of each other.

    Parameters
    ----------
    formula : `"y ~ x + C(g)"`; the response is the name of a column
    coefficients : by column of the formula, such as `{"Intercept": -1, "x": 0.5, "C(g)[T.b]": 1}`; of the
        multinomial family by class and column, `{"ward: Intercept": -1, "ward: x": 0.5}`
    n : number of rows
    family, link : as in `gb.glm`
    levels : the levels of each factor, `{"g": ["a", "b"]}`; of the multinomial family the classes too, the base
        first: `{"y": ["home", "ward", "icu"]}`
    dispersion : of the gaussian, gamma and inverse gaussian families
    seed : an int, or a numpy Generator

    Returns
    -------
    pandas.DataFrame
        the variables of the formula in its order, after the response

    Raises
    ------
    BridgeError
        for coefficients that do not fit the columns, or a mean outside the family's range

    Examples
    --------
    >>> import glmnet_bridge as gb
    >>> data = gb.simulate("y ~ x", {"Intercept": 0, "x": 1}, 5, seed=1)
    >>> data.columns.tolist(), len(data)
    (['y', 'x'], 5)
    """
    chosen = families.named(family, link)
    parsed = parse(formula)
    response = _response(parsed)
    if not (is_whole(n) and n > 0):
        raise ArgumentError(f"n={n!r}: give a whole number of rows, 1 or more.")
    if not (is_number(dispersion) and dispersion > 0):
        raise ArgumentError(f"dispersion={dispersion!r}: give a positive number.")
    random = np.random.default_rng(seed)
    given = dict(levels or {})
    classes = _classes(chosen, response, given)
    values = _variables(parsed, given, int(n), random)
    index = pd.RangeIndex(int(n))
    matrix = np.ones((int(n), 1))
    names: tuple[str, ...] = ("Intercept",)
    if values:
        design = Design.learn(parsed, values)
        matrix, names = design.matrix(values, index=index), design.names
    if classes:
        if parsed.offsets:
            raise ArgumentError(no_offset())
        model = Model(names, single_unit(names, classes[1:]), chosen, outputs=classes[1:])
        beta = _coefficients(coefficients, model.labels).reshape(len(classes) - 1, len(names)).T
        drawn: Any = _draw_class(probabilities(matrix @ beta), given[response], random)
        return pd.DataFrame({response: drawn, **values}, index=index)
    eta = matrix @ _coefficients(coefficients, names)
    for offset in parsed.offsets:
        eta = eta + np.asarray(offset.evaluate(values), dtype=float)
    drawn = _draw(chosen, chosen.mean(eta), float(dispersion), random)
    return pd.DataFrame({response: drawn, **values}, index=index)


def _classes(family: Family, response: str, levels: dict[str, Sequence[Any]]) -> tuple[str, ...]:
    """The classes of a multinomial response in words, the base first; () of another family."""
    if not family.joint:
        return ()
    found = tuple(str(level) for level in levels.get(response, ()))
    if len(found) < 2:
        raise ArgumentError(
            f"The multinomial family draws one of several classes: give them, the base first, as in "
            f"levels={{{response!r}: ['home', 'ward', 'icu']}}."
        )
    return found


def _draw_class(shares: Array, levels: Sequence[Any], random: Any) -> pd.Categorical:
    """One class per row, as a category in the order given."""
    ends = shares.cumsum(axis=1)
    codes = (random.random(len(shares))[:, None] > ends[:, :-1]).sum(axis=1)
    return pd.Categorical.from_codes(codes, list(levels))


def _response(parsed: Formula) -> str:
    first: Expression = parsed.response[0]
    if len(parsed.response) > 1 or first.column is None:
        raise FormulaError(
            f"The response {first.code!r} cannot be drawn: in simulated data it is the plain name of a column."
        )
    return first.column


def _variables(parsed: Formula, levels: dict[str, Sequence[Any]], n: int, random: Any) -> dict[str, Any]:
    """One column per variable, in the order in which the formula names them."""
    parts = [factor.expression for factor in parsed.factors] + list(parsed.offsets)
    order = list(dict.fromkeys(name for part in parts for name in sorted(part.names)))
    response = parsed.response[0].column
    unknown = [name for name in levels if name not in order and name != response]
    if unknown:
        raise ArgumentError(
            f"levels= names {unknown[0]!r}, which the formula does not read.{nearest(unknown[0], order)}"
        )
    coded = {part.arguments[0].column for part in parts if part.call == "C" and part.arguments}
    open_factors = [name for name in order if name in coded and name not in levels]
    if open_factors:
        name = open_factors[0]
        raise ArgumentError(f"{name!r} is a factor: give its levels, as in levels={{{name!r}: ['a', 'b', 'c']}}.")
    values: dict[str, Any] = {}
    for name in order:
        if name in levels:
            # every level comes up, so that every column of the formula exists
            codes = np.arange(n) % len(levels[name])
            random.shuffle(codes)
            values[name] = pd.Categorical.from_codes(codes, list(levels[name]))
        else:
            values[name] = random.standard_normal(n)
    return values


def _coefficients(given: Mapping[str, float], names: tuple[str, ...]) -> Array:
    for name in given:
        if name not in names:
            raise ArgumentError(
                f"coefficients= names {name!r}, which is no column of the formula.{nearest(name, names)} "
                f"The columns are {listed(names, 12)}."
            )
    lost = [name for name in names if name not in given]
    if lost:
        raise ArgumentError(f"coefficients= has no value for {listed(lost, 8)}.")
    beta = np.array([float(given[name]) for name in names])
    if not np.isfinite(beta).all():
        raise ArgumentError(f"coefficients= are not finite: {dict(zip(names, beta.tolist(), strict=True))}.")
    return beta


def _draw(family: Family, mean: Array, dispersion: float, random: Any) -> Array:
    """One draw per row."""
    low, high = {"binomial": (0.0, 1.0), "real": (-np.inf, np.inf)}.get(family.distribution.support, (0.0, np.inf))
    outside = ~((mean >= low) & (mean <= high)) | ~np.isfinite(mean)
    if family.distribution.support == "positive":
        outside |= mean <= 0
    if outside.any():
        raise DataError(
            f"These coefficients give a mean of {mean[outside][0]:.4g} in {int(outside.sum())} of {len(mean)} "
            f"rows, which the {family.name} family cannot have. Use smaller coefficients, or another link."
        )
    if family.name == "binomial":
        return (random.random(len(mean)) < mean).astype(np.int64)
    if family.name == "poisson":
        return random.poisson(mean)
    if family.name == "gaussian":
        return mean + np.sqrt(dispersion) * random.standard_normal(len(mean))
    if family.name == "gamma":
        return random.gamma(1.0 / dispersion, mean * dispersion)
    return random.wald(mean, 1.0 / dispersion)
