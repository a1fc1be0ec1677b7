"""Where a fit starts: the constant that the response's mean asks for.

    eta = link(weighted mean of y) - mean offset, in every row

With an intercept that is one number; without, its projection on the columns. A start
outside the link's domain (an identity link beside an offset, say) falls back to R's: a
least-squares fit of the linked responses, pulled inside their range.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.rows import Block, Rows
from glmnet_bridge.errors import ArgumentError, DataError, FitError, listed, nearest
from glmnet_bridge.fitting.linalg import factor
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.models import Model, Sums
from glmnet_bridge.model.networks import by_output

Array = np.ndarray


def start(model: Model, rows: Rows, constant: int | None) -> Array:
    """Parameters `(P,)` of a network of one affine layer, inside the likelihood's domain.

    Raises
    ------
    FitError
        if no start inside the domain is found; the message says to give `start=`
    """
    if model.family.joint:
        return _joint_start(model, rows, constant)
    level = float(model.family.link.function(np.array(inside(model.family, rows))))
    offset = _mean_offset(model, rows, level)
    if constant is not None:
        theta = np.zeros(model.network.parameters)
        theta[constant] = level - offset
        candidates = [theta]
    else:
        candidates = [project(model, rows, lambda block: np.full_like(block.response, level) - _offset(block))]
    if constant is not None and rows.offset is None:
        return candidates[0]  # the link of a possible mean, in every row
    for theta in candidates:
        if np.isfinite(model.sums(rows, theta, "value").loglik):
            return theta
    theta = project(model, rows, lambda block: _linked(model.family, block) - _offset(block))
    if np.isfinite(model.sums(rows, theta, "value").loglik):
        return theta
    raise FitError(
        f"No starting value lies inside the domain of the {model.family.link.name} link "
        f"({model.family.title}). Give start=, one number per column, with a valid linear predictor in every row."
    )


def _joint_start(model: Model, rows: Rows, constant: int | None) -> Array:
    """The shares of the classes where there is an intercept, else equal ones; each inside the domain."""
    theta = np.zeros((model.network.parameters // model.network.outputs, model.network.outputs))
    if constant is not None:
        totals = np.concatenate([[0.0], rows.weights @ rows.response])
        totals[0] = rows.weights.sum() - totals.sum()
        shares = (totals + 0.5) / (totals.sum() + 0.5 * len(totals))
        theta[constant] = model.family.link.function(shares[1:])
    return theta.ravel()


def given(start: Any, model: Model) -> Array:
    """What the caller gave as `start=`, as theta `(P,)`: numbers in the order of the labels, or by label.

    Raises
    ------
    ArgumentError
        unless it is one finite number per coefficient, in their order or by their names
    """
    names = model.labels
    what = f"start= takes {len(names)} finite numbers, in the order {listed(names, 12)}, or a Series or dict by name"
    if isinstance(start, pd.Series) and not isinstance(start.index, pd.RangeIndex) or isinstance(start, Mapping):
        labels = dict(start.items())
        odd = [name for name in labels if name not in names]
        lacking = [name for name in names if name not in labels]
        if odd or lacking:
            found = f"has {odd[0]!r}, which is no column.{nearest(odd[0], names)}" if odd else f"lacks {lacking[0]!r}."
            raise ArgumentError(f"start= {found} {what}.")
        start = [labels[name] for name in names]
    beta = _as_numbers(start)
    if beta is None:
        raise ArgumentError(f"{what}; this holds something else than numbers.")
    if len(beta) != len(names) or not (np.abs(beta) < 1e100).all():
        found = f"has {len(beta)} numbers" if len(beta) != len(names) else "has a nan, or a number beyond 1e100"
        raise ArgumentError(f"{what}; this {found}.")
    theta = np.empty_like(beta)
    theta[by_output(len(model.columns), model.network.outputs)] = beta
    return theta


def _as_numbers(values: Any) -> Array | None:
    try:
        array = np.asarray(values)
        return array.astype(float).ravel() if array.dtype.kind in "fiubO" else None
    except (TypeError, ValueError):
        return None


def impossible(model: Model, rows: Rows) -> DataError:
    """Why the likelihood is not a number at a start inside its domain: the column and row to blame, if there is one."""
    first = 0
    for block in rows.blocks():
        matrix = block.columns.matrix()
        bad = ~np.isfinite(matrix)
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            return DataError(
                f"Column {model.columns[column]!r} is {matrix[row, column]:g} in row {first + row} (counted from 0). "
                "Drop or mend the rows that are not finite."
            )
        first += len(matrix)
    return DataError(
        f"The likelihood ({model.family.title}) is not finite at the start. "
        "Give start= with a valid linear predictor in every row, or another link."
    )


def inside(family: Family, rows: Rows) -> float:
    """Weighted mean of the response, kept off the edge of its range."""
    w, y = rows.weights, rows.response[:, 0]
    total = float(w.sum())
    mean = float(w @ y) / total
    support = family.distribution.support
    if support == "binomial":
        edge = 0.5 / (total + 1.0)
        return min(max(mean, edge), 1.0 - edge)
    if support == "count":
        return mean if mean > 0 else 0.5 / (total + 1.0)
    if support == "real" and family.link.name in ("log", "inverse") and mean <= 0:
        return max(float(np.abs(y).mean()), 1e-3)
    return mean


def project(model: Model, rows: Rows, target: object) -> Array:
    """Least-squares parameters for `target(block)` as linear predictor."""
    body = model.network.at(np.zeros(model.network.parameters))

    def part(block: Block) -> Sums:
        _, tape = body.forward(block.columns)
        w = (block.weights > 0).astype(float)[:, None]
        goal = target(block)  # type: ignore[operator]
        return Sums(0.0, body.score(tape, w * goal), body.info(tape, w * np.ones_like(block.response)))

    sums = rows.sum(part)
    used = factor(sums.observed) if sums.observed is not None else None
    if used is None or sums.score is None:
        return np.zeros(model.network.parameters)
    return used.solve(sums.score)


def _mean_offset(model: Model, rows: Rows, level: float) -> float:
    """The constant that the offset replaces; exact for the log link, where it multiplies the mean."""
    if rows.offset is None:
        return 0.0
    w, offset = rows.weights, rows.offset[:, 0]
    middle = float(w @ offset / w.sum())
    if model.family.link.name != "log" or model.family.name == "binomial":
        return middle
    return middle + float(np.log(w @ np.exp(np.minimum(offset - middle, 700.0)) / w.sum()))


def _offset(block: Block) -> Array | float:
    return 0.0 if block.offset is None else block.offset


def _linked(family: Family, block: Block) -> Array:
    """The link of each response, pulled inside: what R calls mustart."""
    y, w = block.response, block.weights[:, None]
    support = family.distribution.support
    if support == "binomial":
        y = (w * y + 0.5) / (w + 1.0)
    elif support == "count":
        y = y + 0.1
    elif support == "real" and family.link.name in ("log", "inverse"):
        y = np.where(y > 0, y, 1e-3)
    return family.link.function(y)
