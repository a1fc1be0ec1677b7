"""Classes: a response with several levels, and the base that all others are compared with.

    levels of the rows -> (n, C - 1) indicators: one column for each class after the base

Classes keep the order of their categories (text is sorted). The base is the first one, as in R's multinom,
unless the caller chooses. A column of indicators is a linear predictor of its own, so that
its name is that of the class.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.frames import Array, ColumnValues, bad_rows, rows_where
from glmnet_bridge.design.events import Level, Levels, label
from glmnet_bridge.errors import ArgumentError, DataError, listed, nearest

MOST = 200  # more different values are rather a count, a number or an identifier


def classes_of(raw: ColumnValues, name: str, index: pd.Index | None) -> tuple[Levels, Levels]:
    """The classes of a response in their order, and those that a category declares and no row has."""
    if isinstance(raw, pd.Categorical):
        declared = tuple(label(level) for level in raw.categories)
        rows = np.bincount(raw.codes[raw.codes >= 0], minlength=len(declared))
        present = tuple(level for level, count in zip(declared, rows, strict=True) if count)
        unused = tuple(level for level in declared if level not in present)
    else:
        if raw.dtype.kind == "f" and not np.array_equal(raw, np.rint(raw)):
            why = "a multinomial response is a class: text, a category or a whole number"
            raise bad_rows(f"The response {name!r}", raw, raw != np.rint(raw), why, index)
        present, unused = tuple(label(level) for level in np.unique(raw)), ()
    if len(present) < 2:
        raise DataError(
            f"The response {name!r} has one class only ({listed([repr(level) for level in present])}); a multinomial "
            "response has two or more. Check how the rows were chosen."
        )
    if len(present) > MOST:
        raise DataError(
            f"The response {name!r} has {len(present)} different values ({listed([repr(x) for x in present], 3)}); the "
            'multinomial family has a set of coefficients for each. Counts need family="poisson", numbers '
            'family="gaussian"; else group the values first.'
        )
    return present, unused


def chosen_base(base: Any, levels: Levels, name: str) -> Level:
    """The class that all others are compared with; the first one by default."""
    if base is None:
        return levels[0]
    for level in levels:
        # text from a command line stands for the number that it spells
        if isinstance(base, (str, int, float, np.generic)) and base in (level, str(level)):
            return level
    shown = listed([repr(level) for level in levels], 12)
    raise ArgumentError(f"base={base!r} is no class of {name!r}; they are {shown}.{nearest(base, levels)}")


def indicators(raw: ColumnValues, name: str, levels: Levels, base: Level, index: pd.Index | None) -> Array:
    """1.0 in the column of each row's class, `(n, C - 1)`; a row of the base is all 0."""
    if isinstance(raw, pd.Categorical):
        found = [label(level) for level in raw.categories]
        places = np.array([levels.index(level) if level in levels else -1 for level in found] + [-1])
        at = places[raw.codes]
        strange = at < 0
        shown = repr(found[raw.codes[strange.argmax()]]) if strange.any() else ""
    elif any(isinstance(level, str) for level in levels):
        raise _strange(name, "numeric", "the new data", levels)
    else:
        values = np.array([float(level) for level in levels])
        numbers = raw.astype(float)
        order = np.argsort(values)
        at = order[np.minimum(np.searchsorted(values, numbers, sorter=order), len(values) - 1)]
        strange = values[at] != numbers
        shown = format(numbers[strange.argmax()], "g") if strange.any() else ""
    if strange.any():
        raise _strange(name, shown, rows_where(index, strange), levels)
    out = np.zeros((len(at), len(levels)))
    out[np.arange(len(at)), at] = 1.0
    return np.ascontiguousarray(np.delete(out, levels.index(base), axis=1))


def most_probable(probabilities: Array, levels: Levels) -> Array:
    """The class of the largest of the probabilities `(n, C)`, as objects; nan where these are."""
    gone = np.isnan(probabilities).any(axis=1)
    best = np.where(np.isnan(probabilities), -1.0, probabilities).argmax(axis=1)
    names = np.empty(len(levels), dtype=object)
    names[:] = levels
    found = names[best]
    if gone.any():
        found[gone] = np.nan
    return found if any(isinstance(level, str) for level in levels) or gone.any() else np.array(found.tolist())


def _strange(name: str, found: str, where: str, levels: Levels) -> DataError:
    learnt = listed([repr(level) for level in levels], 8)
    return DataError(
        f"The response {name!r} is {found} in {where}; the model learnt {learnt}. Recode or drop those rows."
    )
