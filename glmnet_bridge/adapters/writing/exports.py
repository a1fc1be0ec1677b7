"""Exports: a fit as what another package needs to hand it on: operations on raw columns, coefficients, rows to check.

    Design -> operations, each on the results of earlier ones -> blocks of columns, in the design's order

`compare` runs what was written on the rows of the fit and on random ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.writing.listings import Export, Listing, Raw
from glmnet_bridge.adapters.writing.syntax import factor_step
from glmnet_bridge.data import frames
from glmnet_bridge.data.rows import Rows
from glmnet_bridge.design.codings import Subterm
from glmnet_bridge.design.designs import Design
from glmnet_bridge.errors import ArgumentError, DataError, FitError, listed
from glmnet_bridge.fitting import covariances, predictions
from glmnet_bridge.mapping.inputs import dense
from glmnet_bridge.model.families import Family

Array = np.ndarray

TOLERANCE = 1e-10  # of the mean, relative
BLOCK = 65_536
RANDOM = 200  # random rows


@dataclass(frozen=True, slots=True, eq=False)
class Handed:
    """A fit, ready to be written.

    Attributes
    ----------
    export : the design's columns as operations on raw columns
    beta : (p,) finite coefficients that give every row's linear predictor
    family : distribution and link
    offset : whether there is one
    formula, modelled : in words
    terms : name, coefficient and standard error of each column
    table : the raw columns of the rows of the fit
    fit : it itself, for its means
    """

    export: Export
    beta: Array
    family: Family
    offset: bool
    formula: str
    modelled: str
    terms: tuple[dict[str, Any], ...]
    table: pd.DataFrame
    fit: Any


def hand(fit: Any, *, elementary: bool = True) -> Handed:
    """What is written of a fit.

    Parameters
    ----------
    fit : a GLM
    elementary : whether the columns must be elementary operations; without, an export may have none

    Raises
    ------
    ArgumentError
        for a network with hidden units, infinite coefficients, or columns that are not of raw ones
    """
    check(fit)
    table, export = _columns(fit, elementary)
    if not export.raws:
        raise ArgumentError("The formula reads no column of the data: its mean is one number, not a network.")
    beta = covariances.representer(fit.estimate)
    shift = fit.sample.offset is not None
    return Handed(export, beta, fit.family, shift, fit.formula, fit.modelled, terms_of(fit), table, fit)


def check(fit: Any) -> None:
    """Refuse what nothing but our own fit can hold.

    Raises
    ------
    ArgumentError
        for hidden units, several outputs, and infinite coefficients
    """
    found = fit.estimate
    if not found.model.network.affine:
        raise ArgumentError("This network is no GLM (it has hidden units); a GLM is written. Write the network itself.")
    if found.model.network.outputs > 1:
        raise ArgumentError(
            f"This model has {found.model.network.outputs} linear predictors (one for each class but the base); models "
            "with one are written."
        )
    if found.model.family.joint:
        raise ArgumentError(
            "A multinomial model is not written. With two classes it is the binomial one: fit it with "
            'family="binomial", and the class that is not base= as event=.'
        )
    if found.separation is not None:
        endless = [name for name, state in fit.separation.items() if state not in ("finite", "aliased")]
        raise ArgumentError(
            f"The coefficients of {listed(endless)} are infinite (the data are separated), and no network holds them. "
            "Drop or join what separates, or fit with a penalty."
        )


def terms_of(fit: Any) -> tuple[dict[str, Any], ...]:
    """Name, coefficient and standard error of each column; None where there is none."""
    return tuple(
        {"term": name, "coefficient": _plain(value), "std_error": _plain(error)}
        for name, value, error in zip(fit.names, fit.params, fit.bse, strict=True)
    )


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _columns(fit: Any, elementary: bool) -> tuple[pd.DataFrame, Export]:
    """The raw columns of the rows, and the design in terms of them."""
    recipe, sample = fit.recipe, fit.sample
    design = getattr(recipe, "design", None)
    if design is None:  # arrays
        names = recipe.names[recipe.intercept :]
        matrix = dense(sample.source, 0, sample.n)[:, int(recipe.intercept) :]
        return pd.DataFrame(matrix, columns=list(names)), array_export(names, recipe.intercept)
    if len(design.names) != len(fit.names):
        raise ArgumentError(
            "This network has inputs beside the formula's columns. Write the GLM (bridge.glm), or fit with a formula "
            "that has these inputs."
        )
    if fit.data is None:
        raise DataError("This fit no longer has its data, on which what is written must be checked. Fit it again.")
    read = sorted(frozenset().union(*(each.expression.names for each in design.learnt.values())))
    frame = frames.as_frame(fit.data, read)
    holds = raws_of(frames.columns(frame, read, rows=sample.kept))
    try:
        export_ = export(design, holds)
    except ArgumentError:
        if elementary:
            raise
        export_ = Export(tuple(Raw(name, holds[name]) for name in read), (), ())
    table = frame[[raw.name for raw in export_.raws]]
    return (table if sample.kept is None else table.iloc[sample.kept]), export_


# --- proof ----------------------------------------------------------------------------------------


def compare(
    handed: Handed, mean: Callable[[pd.DataFrame, Array | None], Array], *, tolerance: float = TOLERANCE
) -> tuple[float, float]:
    """Largest relative differences of what was written from the fit: on its rows, on random rows.

    Parameters
    ----------
    handed : the fit
    mean : what was written, as a function of raw columns `(m, r)` and offset `(m,)` or None
    tolerance : what rounding may make of it

    Raises
    ------
    FitError
        where they are more than rounding
    """
    fit, n = handed.fit, len(handed.table)
    offset = None if fit.sample.offset is None else fit.sample.offset[:, 0]
    own = fit.fittedvalues.to_numpy()
    worst = 0.0
    for start in range(0, n, BLOCK):
        at = slice(start, start + BLOCK)
        found = mean(handed.table.iloc[at], None if offset is None else offset[at])
        worst = max(worst, apart(found, own[at]))
    table, shift, expected = _random(handed, offset)
    return judged(worst, apart(mean(table, shift), expected), tolerance)


def judged(on_rows: float, random: float, tolerance: float = TOLERANCE) -> tuple[float, float]:
    """Both differences, if they are no more than rounding.

    Raises
    ------
    FitError
        where they are more
    """
    if not max(on_rows, random) <= tolerance:
        raise FitError(
            f"What was written differs from the fit by {max(on_rows, random):.2g} (relative). This is a fault of the "
            "writing, not of the model: nothing is handed over."
        )
    return on_rows, random


def apart(found: Array, own: Array) -> float:
    """Largest relative difference; a mean that is small among the others counts by their size."""
    size = np.maximum(np.abs(own), 1e-3 * np.nanmax(np.abs(own), initial=0.0))
    gap = np.abs(found - own) / np.where(size > 0, size, 1.0)
    return float(np.max(np.where(np.isnan(found) & np.isnan(own), 0.0, gap), initial=0.0))


def _random(handed: Handed, offset: Array | None) -> tuple[pd.DataFrame, Array | None, Array]:
    """Rows that no data gave, within the range of each column; their offset and the fit's means."""
    draw, fit = np.random.default_rng(0), handed.fit
    frame = handed.table
    at = [draw.integers(0, len(frame), RANDOM) for _ in range(2)]
    out = {}
    for raw, name in zip(handed.export.raws, frame.columns, strict=True):
        first, second = (frame[name].iloc[draw.permutation(each)].reset_index(drop=True) for each in at)
        mixed = raw.holds == "real" and not isinstance(first.dtype, pd.CategoricalDtype) and _free(handed, raw)
        share = draw.random(RANDOM)
        out[name] = first * share + second * (1 - share) if mixed else first
    table = pd.DataFrame(out)
    shift = None if offset is None else offset[at[0]]
    rows = Rows(_encoded(fit, table), np.zeros((RANDOM, 1)), np.ones(RANDOM), None if shift is None else shift[:, None])
    mean = fit.family.mean(predictions.linear_predictor(fit.estimate, rows))
    good = np.isfinite(mean)  # columns that go together in the data may not, once they are mixed: log(a - b)
    return table[good], None if shift is None else shift[good], mean[good]


def _encoded(fit: Any, table: pd.DataFrame) -> Any:
    design = getattr(fit.recipe, "design", None)
    if design is None:
        return type(fit.sample.source)(table.to_numpy(), fit.recipe.intercept)
    return design.encode(frames.columns(table, list(table.columns)), unseen="nan", index=table.index)


def _free(handed: Handed, raw: Raw) -> bool:
    """Whether a column of numbers is nowhere read by its levels."""
    steps = handed.export.operations
    return not any(
        step.kind in ("levels", "is") and steps[step.of[0]].kind == "raw" and steps[step.of[0]].setting == raw.name
        for step in steps
    )


# --- the design ---------------------------------------------------------------------------------


def raws_of(values: Mapping[str, Any]) -> dict[str, str]:
    """What each column holds, by name: "real", "integer", "truth" or "text"."""
    return {name: _holds(column) for name, column in values.items()}


def _holds(column: Any) -> str:
    if isinstance(column, pd.Categorical):
        levels = column.categories.tolist()
        for kind, name in ((bool, "truth"), (int, "integer"), (float, "real")):
            if levels and all(isinstance(level, kind) for level in levels):
                return name
        return "text"
    return {"f": "real", "b": "truth"}.get(column.dtype.kind, "integer")


def export(design: Design, holds: Mapping[str, str]) -> Export:
    """The columns of a design as operations on raw columns.

    Parameters
    ----------
    design : what the formula learnt
    holds : what each column of the data holds, see `raws_of`

    Raises
    ------
    ArgumentError
        for a function that has no elementary counterpart, naming it
    """
    listing = Listing(holds)
    made = {code: factor_step(listing, design, learnt) for code, learnt in design.learnt.items()}
    blocks: list[tuple[int, slice]] = []
    start = 0
    for term in design.coded:
        for subterm in term.subterms:
            width = sum(1 for _ in subterm.pieces(design.learnt))
            if subterm.factors:
                blocks.append((_block(listing, subterm, made), slice(start, start + width)))
            start += width
    names = [each.setting for each in listing.steps if each.kind == "raw"]
    return Export(tuple(Raw(name, holds[name]) for name in names), tuple(listing.steps), tuple(blocks))


def array_export(names: Sequence[str], intercept: bool) -> Export:
    """The columns of an array: each as it is."""
    listing = Listing(dict.fromkeys(names, "real"))
    blocks = tuple((listing.raw(name), slice(j, j + 1)) for j, name in enumerate(names, start=int(intercept)))
    return Export(tuple(Raw(name, "real") for name in names), tuple(listing.steps), blocks)


def _block(listing: Listing, subterm: Subterm, made: Mapping[str, int]) -> int:
    """The columns of a product of factors; the leftmost varies fastest."""
    block: int | None = None
    for code in subterm.factors:
        at = made[code]
        if code in subterm.contrasts:
            matrix = subterm.contrasts[code].matrix
            at = listing.step("matrix", (at,), matrix, matrix.shape[1])
        if block is None:
            block = at
        else:
            width = listing.steps[block].width * listing.steps[at].width
            block = listing.step("products", (block, at), None, width)
    assert block is not None, "a product has factors"
    return block
