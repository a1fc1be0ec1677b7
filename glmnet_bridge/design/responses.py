"""Responses: which number is modelled, of which event, out of how many trials.

    y in [0, 1] and trials m        events of all kinds: 0/1, two levels, shares, successes of m
    y in {0, 1}^(C-1)               one of C classes, against a base class
    y                               counts, positive numbers, reals

All codings of the same binomial data end in the same pair (share, trials), so that one
likelihood holds for all of them. Which level is the event is never a guess that nobody
sees: it is the last level (True, 1) unless `event` says otherwise, codings that leave it
open are refused, and `describes` is printed with every result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.frames import Array, ColumnValues, bad_rows, missing, refuse_lost_digits, rows_where
from glmnet_bridge.design import arguments, classes, events, typos
from glmnet_bridge.design.events import Level
from glmnet_bridge.design.expressions import Expression, build
from glmnet_bridge.errors import ArgumentError, DataError, DataWarning, FormulaError, is_number, listed, warn

_NEEDS = {
    "count": "counts (0, 1, 2, ...)",
    "positive": "positive numbers",
    "real": "numbers",
    "proportion": "shares between 0 and 1",
    "successes": "counts of successes and trials",
}


@dataclass(frozen=True, slots=True)
class Response:
    """How the response is read from columns; learnt once, applied to any data.

    Attributes
    ----------
    kind : "binary", "proportion", "successes" (of the binomial), "classes", "count", "positive" or "real"
    expressions : the left side; two for `k + m ~ x` (successes and failures)
    levels : what a binary response or one of several classes can be (False, True for a boolean one of another kind)
    event : the level of which the probability is modelled, or None
    unused : levels that a category declares and no row has
    base : the class that all others are compared with, or None
    """

    kind: str
    expressions: tuple[Expression, ...]
    levels: tuple[Level, ...] = ()
    event: Level | None = None
    unused: tuple[Level, ...] = ()
    base: Level | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the linear predictors where there are several: the classes after the base."""
        return tuple(str(level) for level in self.levels if level != self.base) if self.kind == "classes" else ()

    @property
    def name(self) -> str:
        """The left side as it was written."""
        return " + ".join(part.code for part in self.expressions)

    @property
    def names(self) -> frozenset[str]:
        """The columns that it reads."""
        return frozenset().union(*(part.names for part in self.expressions))

    @property
    def describes(self) -> str:
        """What the model is about, for people: `P(low = 1)`, `mean of art`."""
        written = _unwrapped(self.expressions[0])
        if self.kind == "classes":
            modelled = listed([f"P({written} = {level})" for level in self.outputs])
            rest = f", no rows with {listed([repr(level) for level in self.unused])}" if self.unused else ""
            return f"{modelled} against {self.base}{rest}"
        if self.kind == "binary":
            rest = f", no rows with {listed([repr(level) for level in self.unused])}" if self.unused else ""
            if self.event is True and not _is_name(self.expressions[0]):
                return f"P({written}){rest}"
            return f"P({written} = {self.event!r}){rest}"
        if self.kind == "proportion":
            return f"P(success) from the proportion {written}"
        if self.kind == "successes":
            if len(self.expressions) == 2:
                good, bad = self.expressions
                counted = f"{good.code} successes and {bad.code} failures"
                return f"P(success) from {'successes and failures' if good.code == 'successes' else counted}"
            good, total = self.expressions[0].arguments
            return f"P(success) from {good.code} successes of {total.code} trials"
        return f"mean of {written}" + (" (True = 1)" if self.levels else "")

    def values(
        self,
        values: Mapping[str, ColumnValues],
        *,
        trials: Array | None = None,
        index: pd.Index | None = None,
    ) -> tuple[Array, Array | None]:
        """The response `(n, 1)`, of C classes `(n, C - 1)`, and the number of trials `(n,)`, or None for one each.

        `trials` are those of a proportion; `index` holds the row labels for errors.
        """
        return _encoded(self, _evaluated(self.expressions, values, index), trials, index)

    def classes(self, mean: Array, threshold: float = 0.5) -> Array:
        """The level that each probability `(n,)` speaks for: the event from `threshold` on; nan stays nan.

        Of several classes the most probable one, by the probabilities `(n, C)` of all.
        """
        if self.kind == "classes":
            return classes.most_probable(mean, self.levels)
        if self.kind != "binary":
            raise ArgumentError(f"Classes need a response with two levels; this models the {self.describes}.")
        if not (is_number(threshold) and 0 <= threshold <= 1):
            raise ArgumentError(f"threshold={threshold!r}: give a probability between 0 and 1, such as 0.5.")
        other = next(level for level in self.levels if level != self.event)
        found = np.array([other, self.event])[(mean >= threshold).astype(int)]
        return np.where(np.isnan(mean), np.nan, found.astype(object)) if np.isnan(mean).any() else found

    def to_json(self) -> dict[str, Any]:
        """Plain values from which `from_json` restores the response."""
        return {
            "kind": self.kind,
            "expressions": [part.code for part in self.expressions],
            "levels": list(self.levels),
            "event": self.event,
            "unused": list(self.unused),
            "base": self.base,
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any], functions: Mapping[str, Any] | None = None) -> Response:
        """The response that `to_json` wrote."""
        return cls(
            kind=state["kind"],
            expressions=tuple(_expression(code, functions) for code in state["expressions"]),
            levels=tuple(state["levels"]),
            event=state["event"],
            unused=tuple(state["unused"]),
            base=state.get("base"),
        )


def learn(
    expressions: Sequence[Expression],
    values: Mapping[str, ColumnValues],
    *,
    support: str,
    event: Any = None,
    base: Any = None,
    trials: Array | None = None,
    index: pd.Index | None = None,
) -> tuple[Response, Array, Array | None]:
    """The coding of the left side, with the response `(n, k)` and trials `(n,)` or None.

    Parameters
    ----------
    expressions : the left side of the formula; `values` has the columns it reads
    support : "binomial", "classes", "count", "positive" or "real": what the family can have
    event : the level to model, for a response with two levels
    base : the class to compare with, for one with several
    trials : number of trials `(n,)` of each proportion
    index : row labels, for errors
    """
    parts = tuple(expressions)
    _check_arguments(parts, support, event, base, trials)
    raw = _evaluated(parts, values, index)
    typos.check_levels([part.code for part in parts], values)
    if support == "classes":
        levels, unused = classes.classes_of(raw[0], parts[0].code, index)
        least = classes.chosen_base(base, levels, parts[0].code)
        response = Response("classes", parts, levels, unused=unused, base=least)
    elif support != "binomial":
        response = Response(support, parts, levels=(False, True) if _is_bool(raw[0]) else ())
    elif len(raw) == 2:
        response = Response("successes", parts)
    elif trials is not None:
        response = Response("proportion", parts)
    else:
        levels, unused = events.levels_of(raw[0], parts[0].code, event, index)
        response = Response("binary", parts, levels, events.chosen(event, levels), unused)
    return response, *_encoded(response, raw, trials, index)


def from_array(
    y: Any, index: pd.Index, *, support: str, event: Any = None, base: Any = None, trials: Any = None
) -> tuple[Response, Array, Array | None]:
    """A response given as an array or Series `(n,)`, or as successes and failures `(n, 2)`; as `learn`.

    A Series is matched with `index` by its labels. Arrays must be complete.
    """
    names = [str(y.name)] if isinstance(y, pd.Series) and y.name is not None else ["y"]
    columns = [y]
    if np.ndim(y) == 2 and np.shape(y)[1] == 2:
        names, columns = ["successes", "failures"], list(np.asarray(y).T)
    values = {}
    for name, column in zip(names, columns, strict=True):
        values[name], gaps = arguments.column("y", arguments.certain("y", column, index), index)
        gaps = missing(values[name]) if gaps is None else gaps
        if gaps is not None:
            raise DataError(f"y is missing in {rows_where(index, gaps)}; drop those rows of X and y.")
    counts = None if trials is None else arguments.number("trials", trials, index)
    parts = [_expression(name if name.isidentifier() else f"Q({name!r})", None) for name in names]
    return learn(parts, values, support=support, event=event, base=base, trials=counts, index=index)


def _expression(code: str, functions: Mapping[str, Any] | None) -> Expression:
    return build(code, functions, forms=("successes",), learn=False)


def _check_arguments(parts: tuple[Expression, ...], support: str, event: Any, base: Any, trials: Array | None) -> None:
    name = " + ".join(part.code for part in parts)
    grouped = len(parts) == 2 or parts[0].call == "successes"
    if base is not None and support != "classes":
        raise ArgumentError("base= is the class that the multinomial family compares with; leave it out for this one.")
    if support != "binomial":
        for argument, value in (("event", event), ("trials", trials)):
            if value is not None:
                hint = " The class to compare with is chosen by base=." if support == "classes" else ""
                raise ArgumentError(f"{argument}= is for the binomial family; leave it out for this one.{hint}")
        if grouped:
            raise FormulaError(
                f"The left side {name!r} means successes and trials, which only the binomial family has. "
                "For a sum of columns write I(a + b) ~ ..."
            )
    if len(parts) > 2 or (len(parts) == 2 and not all(_is_name(part) for part in parts)):
        raise FormulaError(
            f"The left side {name!r} is not a response: give one column, two columns (successes + failures), "
            "or successes(k, m). For a sum of columns write I(a + b) ~ ..."
        )
    if parts[0].call == "successes" and len(parts[0].arguments) != 2:
        raise FormulaError(f"{name!r}: write successes(k, m), the successes and the number of trials.")
    if grouped and trials is not None:
        raise ArgumentError(f"{name!r} has its trials already; trials= is for proportions. Leave one out.")
    if event is not None and (grouped or trials is not None):
        raise ArgumentError("event= is for a response with two levels; successes are counted already.")


def _evaluated(
    parts: tuple[Expression, ...], values: Mapping[str, ColumnValues], index: pd.Index | None
) -> list[ColumnValues]:
    """The columns of the left side; two for successes."""
    read = parts[0].arguments if parts[0].call == "successes" else parts
    return [_column(part, values, index) for part in read]


def _column(part: Expression, values: Mapping[str, ColumnValues], index: pd.Index | None) -> ColumnValues:
    with np.errstate(all="ignore"):
        raw = part.evaluate(values)
    if isinstance(raw, pd.Categorical):
        return raw
    raw = np.asarray(raw)
    rows = len(index) if index is not None else len(next(iter(values.values()))) if values else 0
    if raw.shape != (rows,):
        if raw.ndim == 0 and part.names == frozenset():
            return np.full(rows, raw)
        raise DataError(f"The response {part.code!r} has shape {raw.shape}, not one value per row.")
    if raw.dtype.kind == "f":
        _refuse(~np.isfinite(raw), raw, part.code, "a response must be finite. Mend or drop those rows", index)
    return raw


def _encoded(
    response: Response, raw: list[ColumnValues], trials: Array | None, index: pd.Index | None
) -> tuple[Array, Array | None]:
    if response.kind == "classes":
        assert response.base is not None
        return classes.indicators(raw[0], response.name, response.levels, response.base, index), None
    if response.kind == "binary":
        happened = events.happened(raw[0], response.name, response.levels, response.event, index)
        return happened[:, None], None
    numbers = [_numbers(response, values) for values in raw]
    if response.kind == "successes":
        share, trials = _shares(response, numbers, index)
        return share[:, None], trials
    y, name = numbers[0], response.name
    if response.kind == "proportion":
        if trials is None:
            raise DataError(f"{name!r} is a proportion: give the number of trials by trials=.")
        hint = "a proportion lies between 0 and 1. Successes of trials are written successes(k, m)"
        _refuse((y < 0) | (y > 1), y, name, hint, index)
        _warn_if_broken(y * trials, trials, name, index)
    elif response.kind == "count":
        _refuse(y < 0, y, name, "counts are 0, 1, 2, ... Mend or drop those rows, or use family='gaussian'", index)
        if raw[0].dtype.kind == "f" and not np.array_equal(y, np.rint(y)):
            row = np.flatnonzero(y != np.rint(y))[0]
            found = f"The counts {name!r} are not all whole (such as {y[row]:g} in {_row(row, index)})"
            warn(f"{found}: a quasi-likelihood at best. Round them if they should be counts.", DataWarning)
    elif response.kind == "positive":
        _refuse(
            y <= 0,
            y,
            name,
            "this family needs a response above 0. Mend or drop those rows, or use family='gaussian'",
            index,
        )
    if response.kind != "proportion":
        _refuse_size(y, name)
    return y[:, None], trials


def _numbers(response: Response, raw: ColumnValues) -> Array:
    if isinstance(raw, pd.Categorical):
        levels = [repr(events.label(level)) for level in raw.categories]
        grouped = response.kind in ("proportion", "successes")
        hint = "" if grouped else ' Two levels are modelled by family="binomial".'
        raise DataError(
            f"The response {response.name!r} is a category (levels {listed(levels)}); "
            f"{_NEEDS[response.kind]} are needed.{hint}"
        )
    refuse_lost_digits(raw, f"The response {response.name!r}")
    return raw if raw.dtype == np.float64 else raw.astype(np.float64)


def _shares(response: Response, numbers: list[Array], index: pd.Index | None) -> tuple[Array, Array]:
    """Share and trials from (successes, trials) or (successes, failures); no trials: share 0, no weight."""
    names = [part.code for part in response.expressions[0].arguments or response.expressions]
    for name, count in zip(names, numbers, strict=True):
        _refuse(
            count < 0,
            count,
            name,
            "successes and trials are counts (0, 1, 2, ...). Mend or drop those rows",
            index,
        )
        _refuse(
            count != np.rint(count),
            count,
            name,
            "successes and trials are whole numbers. Mend those rows, or give shares with trials=",
            index,
        )
    k, m = numbers
    if len(response.expressions) == 2:
        m = k + m
    else:
        _refuse(k > m, k, names[0], f"that is more than the trials {names[1]!r}. Mend or drop those rows", index)
    return np.divide(k, m, out=np.zeros(len(k)), where=m > 0), m


def _warn_if_broken(successes: Array, trials: Array, name: str, index: pd.Index | None) -> None:
    # the tolerance of R's glm, and that of proportions kept in single precision
    slack = np.maximum(1e-3, 1e-6 * successes)
    broken = (np.abs(successes - np.rint(successes)) > slack) | (trials != np.rint(trials))
    if broken.any():
        k, m = successes[broken][0], trials[broken][0]
        found = f"{name!r} times trials is not whole in {rows_where(index, broken)} (such as {k:g} of {m:g})"
        warn(
            f"{found}: a quasi-likelihood at best. Is trials= the number that the shares were taken of?",
            DataWarning,
        )


def _row(at: int, index: pd.Index | None) -> str:
    mask = np.zeros(at + 1, dtype=bool)
    mask[at] = True
    return rows_where(index, mask)


def _refuse_size(y: Array, name: str, most: float = 1e75) -> None:
    """Responses whose powers (up to the fourth, in the information of some links) leave the floating-point range."""
    size = float(np.abs(y).max(initial=0.0))
    if size > most or 0 < size < 1.0 / most:
        raise DataError(
            f"The response {name!r} is of size {size:.0e}, outside the range in which its powers can be formed. "
            "Change its unit, for example multiply it by a power of ten."
        )


def _refuse(bad: Array, values: Array, name: str, why: str, index: pd.Index | None) -> None:
    if bad.any():
        raise bad_rows(f"The response {name!r}", values, bad, why, index)


def _is_bool(raw: ColumnValues) -> bool:
    return isinstance(raw, np.ndarray) and raw.dtype == np.bool_


def _is_name(part: Expression) -> bool:
    return part.column is not None


def _unwrapped(part: Expression) -> str:
    """`I(affairs > 0)` as `affairs > 0`, `Q('my y')` as `my y`."""
    if part.column is not None:
        return part.column
    return part.arguments[0].code if part.call == "I" and part.arguments else part.code
