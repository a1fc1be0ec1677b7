"""Events: a response with two levels, and which of them is the one that is modelled.

    levels of the rows -> (other, event) -> 1.0 where the event happened, else 0.0

The event is the last level (1, True, the last category, the last text in sorted order)
unless the caller chooses. Numbers that do not say which is the event (1/2, -1/+1) are
refused with the cure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.frames import Array, ColumnValues, bad_rows, rows_where
from glmnet_bridge.errors import ArgumentError, DataError, listed

Level = str | int | float | bool
Levels = tuple[Level, ...]


def levels_of(raw: ColumnValues, name: str, event: Any, index: pd.Index | None) -> tuple[Levels, Levels]:
    """The two levels of a response, and the levels that a category declares and no row has."""
    if isinstance(raw, pd.Categorical):
        return _of_category(raw, name)
    if raw.dtype == np.bool_:
        return (False, True), ()
    return _of_numbers(raw, name, event, index), ()


def chosen(event: Any, levels: Levels) -> Level:
    """The level that the caller chose; the last one by default."""
    if event is None:
        return levels[-1]
    for level in levels:
        # text from a command line stands for the number that it spells
        if isinstance(event, (str, int, float, np.generic)) and event in (level, str(level)):
            return level
    raise ArgumentError(f"event={event!r} is no level of the response; the levels are {levels[0]!r} and {levels[1]!r}.")


def happened(raw: ColumnValues, name: str, levels: Levels, event: Level | None, index: pd.Index | None) -> Array:
    """1.0 where the event happened, else 0.0, `(n,)`; other levels are refused."""
    if isinstance(raw, pd.Categorical):
        labels = [label(level) for level in raw.categories]
        known = np.array([found in levels for found in labels] + [False])
        is_event = np.array([found == event for found in labels] + [False], dtype=float)
        bad = ~known[raw.codes]
        if bad.any():
            raise _strange(name, repr(labels[raw.codes[bad.argmax()]]), rows_where(index, bad), levels)
        return is_event[raw.codes]
    if any(isinstance(level, str) for level in levels):
        raise _strange(name, "numeric", "the new data", levels)
    bad = (raw != levels[0]) & (raw != levels[1])
    if bad.any():
        raise _strange(name, format(raw[bad.argmax()], "g"), rows_where(index, bad), levels)
    if raw.dtype == np.float64 and levels == (0, 1) and event == 1:
        return raw
    return (raw == event).astype(np.float64)


def label(level: Any) -> Level:
    """A level as a plain value that JSON keeps; whole numbers as integers."""
    plain = level.item() if isinstance(level, np.generic) else level
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    return plain if isinstance(plain, (str, int, float, bool)) else str(plain)


def _of_category(raw: pd.Categorical, name: str) -> tuple[Levels, Levels]:
    declared = tuple(label(level) for level in raw.categories)
    rows = np.bincount(raw.codes[raw.codes >= 0], minlength=len(declared))
    present = tuple(level for level, count in zip(declared, rows, strict=True) if count)
    if len(present) == 2:
        return present, tuple(level for level in declared if level not in present)
    if len(declared) == 2:
        return declared, ()
    shown = listed([repr(level) for level in present], most=8)
    if len(present) < 2:
        raise DataError(
            f"The response {name!r} has one level only ({shown}); a binomial response has two. "
            "Check how the rows were chosen, or declare both levels as categories."
        )
    raise DataError(
        f"The response {name!r} has {len(present)} levels ({shown}); a binomial response has two. "
        f"Choose one against the rest, as in I({name} == {present[-1]!r}) ~ ..., or model all of them by "
        'family="multinomial".'
    )


def _of_numbers(raw: Array, name: str, event: Any, index: pd.Index | None) -> Levels:
    odd = (raw != 0) & (raw != 1)
    if not odd.any():
        return 0, 1
    what, why = f"The response {name!r}", "a binomial response is 0 or 1"
    outside = (raw < 0) | (raw > 1)
    if not outside.any():
        why += ". For proportions write successes(k, m), or give trials= (what R calls weights)"
        raise bad_rows(what, raw, odd, why, index)
    found = np.unique(raw)
    if len(found) == 2:
        levels = tuple(label(level) for level in found)
        if event is not None:
            return levels
        raise DataError(
            f"{what} has the values {levels[0]} and {levels[1]}, which do not say what the event is. "
            f"Give event={levels[1]} (or event={levels[0]}), or recode it to 0 and 1."
        )
    if raw.min() >= 0 and np.array_equal(raw, np.rint(raw)):
        why += '. Successes of m trials are written successes(k, m) ~ ...; counts need family="poisson"'
    else:
        why += '. Recode it, compare it as in I(y > 0) ~ ..., or use family="gaussian"'
    raise bad_rows(what, raw, outside, why, index)


def _strange(name: str, found: str, where: str, levels: Sequence[Level]) -> DataError:
    learnt = " and ".join(repr(level) for level in levels)
    return DataError(
        f"The response {name!r} is {found} in {where}; the model learnt {learnt}. Recode or drop those rows."
    )
