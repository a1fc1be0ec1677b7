"""Encoders of levels: OneHotEncoder and OrdinalEncoder are fixed tables behind the indicators of raw inputs.

What an encoder makes of its own categories is asked of it, so that dropped and rare levels, and
those that it never met, need no rules of ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.sklearn.steps import Step, Value, after, computed, numbers
from glmnet_bridge.adapters.wirings import Wire
from glmnet_bridge.errors import ReadError

Array = np.ndarray


def encoded(step: Step) -> Value:
    """OneHotEncoder and OrdinalEncoder: what each makes of its own categories is a table of fixed numbers."""
    if not set(step.value.wire) <= set(step.wiring.inputs):
        return computed(step)
    categories = [np.asarray(each) for each in step.transformer.categories_]
    if len(categories) != len(step.value.wire):
        raise ReadError(f"Step {step.path!r} encodes {len(categories)} columns, but it is fed {len(step.value.wire)}.")
    table = _of_categories(step.transformer, categories)
    wire: Wire = ()
    at_row, at_column = 0, 0
    for j, (unit, values) in enumerate(zip(step.value.wire, categories, strict=True)):
        width = _width(step.transformer, j)
        block = table[at_row : at_row + len(values), at_column : at_column + width]
        wire += _level_table(step, unit, values, block, _of_unknown(step.transformer, j, block))
        at_row, at_column = at_row + len(values), at_column + width
    return after(step, wire)


def _level_table(step: Step, unit: int, values: Array, block: Array, unknown: Array) -> Wire:
    """Columns `(levels, w)` of a raw input's levels; `unknown` `(w,)` is what any other level gives."""
    if not block.shape[1]:
        return ()
    used = [k for k, level in enumerate(values.tolist()) if (block[k] != unknown).any() and not pd.isna(level)] or [0]
    levels = step.wiring.levels(unit, [values.tolist()[k] for k in used], step.path)
    return step.wiring.fixed(block[used] - unknown, levels, unknown, step.path, "levels")


def _of_categories(encoder: Any, categories: list[Array]) -> Array:
    """What the encoder makes of each category of each column, the other columns at their first one."""
    rows = [[each[0] for each in categories]]
    base, whole = rows[0], []
    for j, values in enumerate(categories):
        whole += [[*base[:j], value, *base[j + 1 :]] for value in values.tolist()]
    # column names that are no text are no names to scikit-learn
    names = getattr(encoder, "feature_names_in_", range(len(categories)))
    columns = {
        name: pd.Series(
            [row[j] for row in whole], dtype=categories[j].dtype if categories[j].dtype.kind in "iufb" else object
        )
        for j, name in enumerate(names)
    }
    return numbers(encoder.transform(pd.DataFrame(columns)))


def _width(encoder: Any, column: int) -> int:
    """How many columns the encoder makes of one."""
    if hasattr(encoder, "encoded_missing_value"):
        return 1  # an OrdinalEncoder
    rare = _infrequent(encoder, column)
    dropped = getattr(encoder, "drop_idx_", None)
    return (
        len(encoder.categories_[column])
        - (len(rare) - 1 if len(rare) else 0)
        - (dropped is not None and dropped[column] is not None)
    )


def _infrequent(encoder: Any, column: int) -> Array:
    """The categories that share one column because they are rare."""
    found = getattr(encoder, "infrequent_categories_", None)
    return np.zeros(0) if found is None or found[column] is None else np.asarray(found[column])


def _of_unknown(encoder: Any, column: int, block: Array) -> Array:
    """What a level gives that the encoder never met: zeros, the column of rare levels, or a number of its own."""
    rare = _infrequent(encoder, column)
    if encoder.handle_unknown in ("infrequent_if_exist", "warn") and len(rare):
        found: Array = block[np.flatnonzero(encoder.categories_[column] == rare[0])[0]]
        return found
    if encoder.handle_unknown == "use_encoded_value" and np.isfinite(encoder.unknown_value):
        return np.full(block.shape[1], float(encoder.unknown_value))
    return np.zeros(block.shape[1])
