"""Records: what is known of a fit that was written for another package, and the proof that it is the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.foreigns import Decay, Schooling
from glmnet_bridge.adapters.writing import computations
from glmnet_bridge.adapters.writing.exports import Handed
from glmnet_bridge.adapters.writing.listings import Export
from glmnet_bridge.data import frames
from glmnet_bridge.design.levels import as_categorical, places, recoded
from glmnet_bridge.errors import DataError, listed
from glmnet_bridge.fitting import predictions
from glmnet_bridge.model.networks import Network
from glmnet_bridge.model.penalties import Penalty

Array = np.ndarray

OFFSET = "offset"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Feed:
    """How columns of the data become the numbers that a network is fed.

    Attributes
    ----------
    names : of the columns, in order
    levels : of those that are fed as codes; code k stands for the level at place k
    export : the columns of the formula in terms of these
    offset : what the network calls its input for the offset, or "" where it has none
    keys : what the network calls its inputs, where it cannot call them by their names
    """

    names: tuple[str, ...]
    levels: Mapping[str, tuple[Any, ...]]
    export: Export
    offset: str = ""
    keys: tuple[str, ...] = ()

    def columns(self, data: Any) -> Array:
        """The columns of the formula `(m, q)` on a frame, without the intercept, in double precision."""
        arrays = dict(zip(self.names, (each[:, None] for each in self.arrays(data).values()), strict=True))
        with np.errstate(all="ignore"):
            made: Array = computations.columns(computations.NumpyTools(self.levels), self.export, arrays)
        return made

    def arrays(self, data: Any) -> dict[str, Array]:
        """Numbers `(m,)` of each column by the network's name for it: float64, or int64 codes.

        Raises
        ------
        DataError
            for a level that has no code, a column that is lacking or holds text instead of numbers
        """
        frame = frames.as_frame(data, self.names)
        for name in self.names:
            if name not in frame.columns:
                raise frames.unknown(frame, name)
        found = frames.columns(frame, self.names)
        numbers = (self._numbers(name, found[name]) for name in self.names)
        return dict(zip(self.keys or self.names, numbers, strict=True))

    def _numbers(self, name: str, column: Any) -> Array:
        if name not in self.levels:
            if isinstance(column, pd.Categorical) and len(column.categories) and isinstance(column.categories[0], str):
                raise DataError(f"Column {name!r} holds text; the network was written for numbers there.")
            return np.asarray(column, dtype=float)
        values = as_categorical(column)
        known = values.categories.tolist()
        codes = recoded(values.codes, places(known, self.levels[name]))
        if len(codes) and codes.min() < 0:
            unseen = sorted({str(value) for value in np.asarray(values)[codes < 0]})
            raise DataError(
                f"Column {name!r} has {listed(unseen)} (or a missing value), for which the network has no code; it "
                f"knows {listed(list(self.levels[name]))}."
            )
        return codes.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the coefficients of a fit are of, and what they are the optimum of.

    Attributes
    ----------
    response : of two levels, as the formula writes it; "" for any other
    classes : its levels, the one that is modelled last; () for any other
    penalty : on the sum of the log-likelihood
    """

    response: str = ""
    classes: tuple[Any, ...] = ()
    penalty: Penalty = Penalty()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Written:
    """A fit that was written for another package.

    Attributes
    ----------
    formula, modelled : in words, as the fit says them
    family, link : their names
    loss : what training minimises, per row
    terms : name, coefficient and standard error of each column of the design
    meaning : which level of the response is modelled, and under which penalty
    on_rows, on_random : largest relative difference of the means from the fit's own
    feed : how data become inputs; None where frames go in
    notes : what else is to be known, one sentence each
    """

    formula: str
    modelled: str
    family: str
    link: str
    loss: str
    terms: pd.DataFrame
    meaning: Meaning
    on_rows: float
    on_random: float
    feed: Feed | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        lines = [
            f"{self.formula}: {self.modelled}",
            f"{len(self.terms)} terms: {listed(self.terms.index.tolist(), 8)}",
            f"largest relative difference from the fit: {self.on_rows:.2g} on its rows, "
            f"{self.on_random:.2g} on random ones",
        ]
        return "\n".join((*lines, *self.notes))


def written(
    fit: Any,
    terms: tuple[dict[str, Any], ...],
    differences: tuple[float, float],
    feed: Feed | None = None,
    notes: tuple[str, ...] = (),
) -> Written:
    """The record of a fit that was written."""
    table = pd.DataFrame(list(terms)).set_index("term").astype(float)
    family = fit.family
    return Written(
        formula=fit.formula,
        modelled=fit.modelled,
        family=family.name,
        link=family.link.name,
        loss=family.distribution.loss,
        terms=table,
        meaning=meaning_of(fit),
        on_rows=differences[0],
        on_random=differences[1],
        feed=feed,
        notes=notes,
    )


def meaning_of(fit: Any) -> Meaning:
    """What is read off a fit for `Meaning`."""
    response, penalty = fit.recipe.response, fit.estimate.model.penalty
    if response.kind != "binary":
        return Meaning(penalty=penalty)
    other = next(level for level in response.levels if level != response.event)
    return Meaning(response.name, (other, response.event), penalty)


def weights_of(terms: pd.DataFrame) -> Array:
    """The coefficients `(P,)` in the order of a layer: the intercept last, 0 for columns that were left out."""
    values = np.nan_to_num(terms["coefficient"].to_numpy(dtype=float))
    constant = terms.index == "Intercept"
    return np.concatenate([values[~constant], values[constant]])


def schooling(
    meaning: Meaning, weights: Array, theta: Array, network: Network, precision: float, loss: str = ""
) -> Schooling:
    """How a model that was written here was trained: to the optimum of the fit, as long as it has the fit's weights.

    Parameters
    ----------
    meaning, loss : of the fit
    weights : (P,) as they were written, see `weights_of`
    theta, network : (P,) as they are now, and what they are weights of
    precision : machine epsilon of the model's arithmetic
    """
    if len(weights) != len(theta) or not np.allclose(theta, weights, rtol=4 * precision, atol=0.0):
        return Schooling(loss=loss, notes=("Its weights have changed since it was written; how is not known.",))
    diagonal = meaning.penalty.diagonal(network.biases)
    decay = None if diagonal is None else Decay(np.zeros(len(theta)), diagonal, words=repr(meaning.penalty))
    return Schooling(loss=loss, decay=decay)


def kernel_and_bias(handed: Handed) -> tuple[Array, float | None]:
    """Coefficients `(q,)` of the export's columns, in its order, and the intercept's."""
    order = [j for _, run in handed.export.blocks for j in range(run.start, run.stop)]
    bias = [j for j in range(len(handed.beta)) if j not in order]
    return handed.beta[order], float(handed.beta[bias[0]]) if bias else None


def rounding(handed: Handed, epsilon: float) -> float:
    """How far arithmetic of that machine epsilon may move a mean, relative; by the sizes of what is added up.

    A linear predictor is off by some epsilons of the largest of its summands, and the mean by that
    times the slope of the inverse link.
    """
    fit = handed.fit
    eta = predictions.linear_predictor(fit.estimate, fit.rows)
    parts = np.abs(eta) + np.abs(handed.beta).max()
    for start, stop in fit.rows.spans():
        matrix = fit.rows.block(start, stop).columns.matrix()
        parts[start:stop] = np.maximum(parts[start:stop], np.abs(matrix * handed.beta).max(axis=1))
    mean = np.abs(fit.family.mean(eta))
    moved = np.abs(fit.family.slope(eta)) * parts / np.maximum(mean, 1e-3 * mean.max())
    return float(64 * epsilon * (1.0 + moved.max()))


def feed_of(handed: Handed) -> Feed:
    """Columns that are read by their levels alone are fed as codes; text always is."""
    steps, coded = handed.export.operations, {}
    columns = {at for at, _ in handed.export.blocks}
    for at, step in enumerate(steps):
        if step.kind != "raw":
            continue
        uses = [each for each in steps if at in each.of]
        number = at in columns or not all(each.kind == "levels" for each in uses)
        if number and step.holds != "text":
            continue
        settings = [each.setting for each in uses if each.kind == "levels"]
        coded[step.setting] = tuple(settings[0]) if settings else _found(handed.table, step.setting)
    return Feed(tuple(raw.name for raw in handed.export.raws), coded, handed.export, OFFSET if handed.offset else "")


def _found(table: pd.DataFrame, name: str) -> tuple[Any, ...]:
    """The levels of a column that rows have."""
    values = as_categorical(frames.columns(table, [name])[name])
    held = np.bincount(values.codes, minlength=len(values.categories)) > 0
    return tuple(level for level, some in zip(values.categories.tolist(), held, strict=True) if some)
