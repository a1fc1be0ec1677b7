"""Samples: a formula and a frame become the rows that are modelled.

    frame -> columns -> rows without gaps -> response, trials, weights, offset, design

Everything that belongs to a row goes the same way: a missing value in the response, a
predictor, a weight or an offset takes the whole row out, so that nothing can shift.
`Recipe` remembers how the frame was read, so that new data are read in the same way; it
holds no row of data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data import frames
from glmnet_bridge.data.frames import Array, ColumnValues
from glmnet_bridge.data.rows import ArraySource, Source
from glmnet_bridge.data.selections import Selection
from glmnet_bridge.design import arguments, responses
from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.formulas import Expression, Formula, expression, parse
from glmnet_bridge.design.responses import Response
from glmnet_bridge.errors import ArgumentError, DataError, FormulaError, listed


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows of one data set as a fit or a prediction needs them; n rows are left of n_read.

    Attributes
    ----------
    source : Source, the columns of the design `(n, p)`
    response : (n, k) float array; None where only predictions are asked for
    trials, prior_weights, freq_weights : (n,) float array each, or None for 1
    offset : (n, 1) float array, the sum of all offsets and log exposures, or None
    index : labels of the rows used
    kept : (n,) positions of the rows used among those read, or None for all
    dropped : missing values by column (or argument); a row may count under several
    n_read : rows of the data
    """

    source: Source
    response: Array | None
    trials: Array | None
    prior_weights: Array | None
    freq_weights: Array | None
    offset: Array | None
    index: pd.Index
    kept: Array | None
    dropped: dict[str, int]
    n_read: int

    @property
    def n(self) -> int:
        """Rows used."""
        return self.source.n

    @property
    def weights(self) -> Array:
        """Trials, prior and frequency weights multiplied, `(n,)`: what a likelihood counts with."""
        given = [part for part in (self.trials, self.prior_weights, self.freq_weights) if part is not None]
        if len(given) == 1:
            return given[0]
        return np.prod(given, axis=0) if given else np.broadcast_to(1.0, self.n)

    @property
    def weightless(self) -> int:
        """Rows that carry no information: no trials, or weight zero."""
        return self.n - int(np.count_nonzero(self.weights))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a frame was read, so that another one can be read in the same way.

    Attributes
    ----------
    design : Design, the right side of the formula with all that it learnt
    response : Response, the left side
    given : the arguments (trials, weights, offset, exposure) that were given: an Expression
        for those that other data have too, None for a bare array or Series
    """

    design: Design
    response: Response
    given: dict[str, Expression | None]

    @property
    def formula(self) -> str:
        """The formula as it was written."""
        return self.design.formula.text

    @property
    def terms(self) -> tuple[tuple[str, slice], ...]:
        """Each term of the formula with its columns of the design."""
        return self.design.terms

    def classes(self, mean: Array, threshold: float = 0.5) -> Array:
        """The level that each fitted probability `(n,)` speaks for."""
        return self.response.classes(mean, threshold)

    def sample(
        self,
        data: Any,
        *,
        offset: Any = None,
        exposure: Any = None,
        trials: Any = None,
        prior_weights: Any = None,
        freq_weights: Any = None,
        unseen: str = "raise",
        with_response: bool = False,
    ) -> Sample:
        """New data, read as the learning data were; rows with missing values stay out.

        Parameters
        ----------
        data : what `as_frame` takes
        offset, exposure : instead of those of the recipe; needed if these were bare arrays
        trials, prior_weights, freq_weights : the same, read only `with_response`
        unseen : "raise" or "nan", for levels that the design did not learn
        with_response : read the response, trials and weights too
        """
        if unseen not in ("raise", "nan"):
            raise ArgumentError(f"unseen={unseen!r} is unknown; it is 'raise' or 'nan'.")
        passed = {"offset": offset, "exposure": exposure}
        if with_response:
            passed |= {"trials": trials, "prior_weights": prior_weights, "freq_weights": freq_weights}
        texts, bare = arguments.split(passed, self.design.formula.functions)
        for name in passed:
            if name in self.given and name not in texts and name not in bare:
                texts[name] = self._again(name)
        parts = self.response.expressions if with_response else ()
        names = self.design.variables | _names(parts) | _names(texts.values())
        table = _gather(data, self.design.formula, names, texts, bare, "drop")
        if not len(table.index):
            outputs = len(self.response.outputs)
            return _empty(table, len(self.design.names), self.given, with_response, outputs)
        numbers = _numbers(texts, table)
        y, counts = None, None
        if with_response:
            y, counts = self.response.values(table.values, trials=numbers.get("trials"), index=table.index)
        source = self.design.encode(table.values, unseen=unseen, index=table.index)
        return _sample(source, table, y, counts, numbers, self.design.formula)

    def to_json(self) -> dict[str, Any]:
        """Plain values from which `from_json` restores the recipe."""
        return {
            "design": self.design.to_json(),
            "response": self.response.to_json(),
            "given": {name: None if text is None else text.code for name, text in self.given.items()},
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any], functions: Mapping[str, Any] | None = None) -> Recipe:
        """The recipe that `to_json` wrote; `functions` as they were given at learning."""
        return cls(
            design=Design.from_json(state["design"], functions),
            response=Response.from_json(state["response"], functions),
            given={
                name: None if text is None else expression(text, functions) for name, text in state["given"].items()
            },
        )

    def _again(self, name: str) -> Expression:
        text = self.given[name]
        if text is None:
            none = {"offset": " (offset=0 for none)", "exposure": " (exposure=1 for rates)"}.get(name, "")
            raise DataError(
                f"The model was fitted with {name}= given as an array, which new data do not have: "
                f"give {name}= for them too{none}."
            )
        return text


def learn(
    formula: str | Formula,
    data: Any,
    *,
    support: str,
    event: Any = None,
    base: Any = None,
    trials: Any = None,
    prior_weights: Any = None,
    freq_weights: Any = None,
    offset: Any = None,
    exposure: Any = None,
    missing: str = "drop",
    functions: Mapping[str, Any] | None = None,
) -> tuple[Recipe, Sample]:
    """Read a frame by a formula: the recipe, and the rows that it makes of this frame.

    Parameters
    ----------
    formula : "y ~ x + C(g)"
    data : what `as_frame` takes; it is not changed
    support : "binomial", "classes", "count", "positive" or "real": what the family can have as response
    event : the level to model, for a response with two levels
    base : the class to compare with, for one with several
    trials, prior_weights, freq_weights, offset, exposure : see `design/arguments.py`
    missing : "drop" rows with missing values, or "raise"
    functions : the caller's functions by their names in the formula
    """
    if missing not in ("drop", "raise"):
        raise ArgumentError(f"missing={missing!r} is unknown; it is 'drop' or 'raise'.")
    parsed = formula if isinstance(formula, Formula) else parse(formula, functions)
    given = (trials, prior_weights, freq_weights, offset, exposure)
    texts, bare = arguments.split(dict(zip(arguments.NAMES, given, strict=True)), functions)
    table = _gather(data, parsed, parsed.names | _names(texts.values()), texts, bare, missing)
    if not len(table.index):
        raise DataError(_no_rows(table))
    numbers = _numbers(texts, table)
    response, y, counts = responses.learn(
        parsed.response,
        table.values,
        support=support,
        event=event,
        base=base,
        trials=numbers.get("trials"),
        index=table.index,
    )
    if support == "classes" and (parsed.offsets or "offset" in numbers):
        raise ArgumentError(no_offset())
    design = Design.learn(parsed, table.values, index=table.index)
    if "Intercept" in design.names and not design.has_intercept:
        raise FormulaError(
            "The column 'Intercept' has the name of the constant. Rename it, or write Q('Intercept'); "
            "for the constant leave '0 +' out of the formula."
        )
    source = design.encode(table.values, index=table.index)
    recipe = Recipe(design, response, {**texts, **dict.fromkeys(bare)})
    return recipe, _sample(source, table, y, counts, numbers, parsed)


def no_offset() -> str:
    """Why a multinomial model takes none."""
    return (
        "An offset is one number per row, which the multinomial family cannot take: each class has a linear predictor "
        "of its own. Leave it out."
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """The columns and arguments of the rows without missing values.

    Columns stay as they lie, with the positions of the rows used: a copy of these rows would be
    a second copy of the data. Arguments are a vector or two.
    """

    values: Selection
    arrays: dict[str, Array]
    index: pd.Index
    kept: Array | None
    dropped: dict[str, int]
    n_read: int


def _gather(
    data: Any,
    formula: Formula,
    names: Iterable[str],
    texts: Mapping[str, Expression],
    bare: Mapping[str, Any],
    rule: str,
) -> _Table:
    """Read the named columns and the bare arguments, and leave out rows in which any is missing."""
    frame = frames.as_frame(data, names)
    index = frame.index
    values: dict[str, ColumnValues] = {}
    gaps = _Gaps(len(index))
    for name in sorted(names):
        if name not in frame.columns:
            raise frames.unknown(frame, name, _role(name, formula, texts))
        values[name], mask = frames.read(frame, name)
        gaps.note(name, _gaps(values[name], f"Column {name!r}", index) if mask is None else mask)
    own = frames.labelled(data)
    arrays = {
        name: arguments.aligned(name, value if own else arguments.by_position(value), index)
        for name, value in bare.items()
    }
    for name, array in arrays.items():
        gaps.note(f"{name}=", frames.missing(array))
    return _without(gaps, _Table(Selection(values), arrays, index, None, {}, len(index)), rule)


class _Gaps:
    """Which rows lack something, and how many values each column lacks: one mask, however many columns."""

    def __init__(self, n: int) -> None:
        self.rows = np.zeros(n, dtype=bool)
        self.counts: dict[str, int] = {}

    def note(self, name: str, mask: Array | None) -> None:
        """The missing values `(n,)` of one column, or None."""
        if mask is not None:
            self.rows |= mask
            self.counts[name] = int(mask.sum())


def _without(gaps: _Gaps, table: _Table, rule: str) -> _Table:
    """The table without the rows in which something is missing."""
    if not gaps.counts:
        return table
    if rule == "raise":
        shown = listed([f"{name}: {count}" for name, count in gaps.counts.items()], most=10)
        raise DataError(
            f"There are missing values ({shown}), and missing='raise' was asked for. Fill or drop them, "
            "or use missing='drop'."
        )
    kept = np.flatnonzero(~gaps.rows)
    return _Table(
        values=Selection(table.values.columns, kept),
        arrays={name: array[kept] for name, array in table.arrays.items()},
        index=table.index[kept],
        kept=kept,
        dropped=gaps.counts,
        n_read=table.n_read,
    )


def _gaps(values: ColumnValues, what: str, index: pd.Index) -> Array | None:
    """A mask of the missing values or None; infinite ones are an error, not a gap."""
    if isinstance(values, pd.Categorical) or values.dtype.kind != "f":
        return frames.missing(values)
    finite = np.isfinite(values)
    if finite.all():
        return None
    infinite = np.isinf(values)
    if infinite.any():
        why = "mend those values, or make them missing (nan) so that the rows are dropped"
        raise frames.bad_rows(what, values, infinite, why, index)
    return ~finite


def _numbers(texts: Mapping[str, Expression], table: _Table) -> dict[str, Array]:
    """All arguments as checked float arrays `(n,)`."""
    n = len(table.index)
    out = {name: arguments.checked(name, array, table.index) for name, array in table.arrays.items()}
    for name, text in texts.items():
        array = arguments.evaluated(name, text, table.values, n)
        out[name] = arguments.checked(name, array, table.index, f"{name}={text.code!r}")
    return out


def _sample(
    source: Source,
    table: _Table,
    y: Array | None,
    trials: Array | None,
    numbers: Mapping[str, Array],
    formula: Formula,
) -> Sample:
    parts = [
        arguments.checked("offset", arguments.evaluated("offset", part, table.values, source.n), table.index,
                          f"offset({part.code})")
        for part in formula.offsets
    ]  # fmt: skip
    if "offset" in numbers:
        parts.append(numbers["offset"])
    if "exposure" in numbers:
        parts.append(np.log(numbers["exposure"]))
    sample = Sample(
        source=source,
        response=y,
        trials=trials,
        prior_weights=numbers.get("prior_weights"),
        freq_weights=numbers.get("freq_weights"),
        offset=sum(parts[1:], parts[0])[:, None] if parts else None,
        index=table.index,
        kept=table.kept,
        dropped=table.dropped,
        n_read=table.n_read,
    )
    counted = any(part is not None for part in (trials, sample.prior_weights, sample.freq_weights))
    if y is not None and counted and sample.n and not sample.weights.any():
        raise DataError("No row has weight: trials and weights multiply to zero in every row.")
    return sample


def _empty(table: _Table, width: int, given: Iterable[str], with_response: bool, outputs: int) -> Sample:
    """No rows: without them a column has no kind, so that nothing is computed from it."""
    none = np.empty(0)
    has = {name: none if name in given else None for name in arguments.NAMES}
    return Sample(
        source=ArraySource(np.empty((0, width))),
        response=np.empty((0, max(outputs, 1))) if with_response else None,
        trials=has["trials"],
        prior_weights=has["prior_weights"],
        freq_weights=has["freq_weights"],
        offset=none[:, None],
        index=table.index,
        kept=table.kept,
        dropped=table.dropped,
        n_read=table.n_read,
    )


def _names(parts: Iterable[Expression]) -> frozenset[str]:
    return frozenset().union(*(part.names for part in parts))


def _role(name: str, formula: Formula, texts: Mapping[str, Expression]) -> str:
    """Where a name stands, for the error that it is no column."""
    if name in _names(formula.response):
        return " (the response)"
    if name in formula.names:
        return ""
    return next((f" (read by {key}={text.code!r})" for key, text in texts.items() if name in text.names), "")


def _no_rows(table: _Table) -> str:
    if not table.n_read:
        return "The data have no rows."
    shown = listed([f"{name}: {count}" for name, count in table.dropped.items()], most=10)
    return f"Each of the {table.n_read} rows has a missing value ({shown}), so that none is left."
