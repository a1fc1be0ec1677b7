"""Steps: what a step of a scikit-learn pipeline is fed, and what it hands on.

A `Value` is what a step hands on: the units that carry it in the network, and the way in which
scikit-learn itself computes it. `after` is for a transformer whose columns are units of ours,
`computed` for one that has to compute them itself, from raw inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.wirings import Wire, Wiring
from glmnet_bridge.errors import ReadError
from glmnet_bridge.mapping.features import Feature

Array = np.ndarray
Run = Callable[[pd.DataFrame], Any]


@dataclass(frozen=True, slots=True)
class Value:
    """What a step hands on.

    Attributes
    ----------
    wire : the units that carry its columns
    labels : names of the columns
    sources : positions of the raw inputs that `run` is fed
    run : from a frame of these raw inputs to what scikit-learn has at this place, a frame or an array
    raw : whether it is these raw inputs, untouched
    """

    wire: Wire
    labels: tuple[str, ...]
    sources: tuple[int, ...]
    run: Run
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A transformer, and what it is fed.

    Attributes
    ----------
    transformer : a fitted transformer
    value : what it is fed
    wiring : where its units go
    path : its name in the pipeline
    named : whether the model knows its raw inputs by name
    width : number of columns that whoever comes next takes, or None
    folded : sentences on what was folded; added to
    """

    transformer: Any
    value: Value
    wiring: Wiring
    path: str
    named: bool
    width: int | None
    folded: list[str]


def beginning(wiring: Wiring, names: Sequence[str], named: bool) -> Value:
    """The raw inputs."""
    return Value(wiring.inputs, tuple(names), wiring.inputs, _given(named), raw=True)


def kind_of(model: Any, known: Any) -> str | None:
    """The first name of the model's types, itself and what it inherits from, that is known."""
    return next((kind.__name__ for kind in type(model).__mro__ if kind.__name__ in known), None)


def check_fitted(model: Any, what: str) -> None:
    """Refuse an estimator that was never fitted."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError:
        raise ReadError(
            f"{what} is a {type(model).__name__} that was not fitted: it has no weights to read. Call .fit(X, y) first."
        ) from None


def chosen(value: Value, columns: Sequence[int], named: bool) -> Value:
    """Some columns of a value."""
    columns = tuple(columns)
    wire = tuple(value.wire[j] for j in columns)
    labels = tuple(value.labels[j] for j in columns)
    if value.raw:  # begin anew, from these raw inputs alone
        return Value(wire, labels, tuple(value.sources[j] for j in columns), _given(named), raw=True)
    return Value(wire, labels, value.sources, lambda table: _picked(value.run(table), columns))


def _given(named: bool) -> Run:
    return (lambda table: table) if named else (lambda table: table.to_numpy())


def _picked(values: Any, columns: tuple[int, ...]) -> Any:
    if isinstance(values, pd.DataFrame):
        return values.iloc[:, list(columns)]
    return values[:, list(columns)]


def after(step: Step, wire: Wire, labels: Sequence[str] | None = None) -> Value:
    """The value behind a transformer whose columns are these units."""
    run, transform = step.value.run, step.transformer.transform
    names = tuple(labels) if labels is not None else _names(step, len(wire))
    return Value(wire, names, step.value.sources, lambda table: transform(run(table)))


def _names(step: Step, count: int) -> tuple[str, ...]:
    """What the transformer calls its columns, where it says so."""
    own = getattr(step.transformer, "feature_names_in_", None)
    try:
        found = step.transformer.get_feature_names_out(None if own is not None else list(step.value.labels))
    except (AttributeError, ValueError):
        found = ()
    return tuple(map(str, found)) if len(found) == count else tuple(f"{step.path}[{j}]" for j in range(count))


def computed(step: Step, labels: tuple[str, ...] = (), rowwise: bool = True) -> Value:
    """Columns that scikit-learn computes from raw inputs; `rowwise` is whether each row stands for itself."""
    value = after(step, ())
    run = value.run

    def function(table: pd.DataFrame) -> Array:
        made = numbers(run(table))
        if not rowwise and len(table) > 1:
            _check_row(step, made[-1], numbers(run(table.iloc[-1:]))[0])
        return made

    width = _computed_width(step) if not labels else len(labels)
    labels = labels or _names(step, width)
    wire: Wire = ()
    for j, label in enumerate(labels):
        wire += step.wiring.feature(Feature(label, value.sources, function=function, column=j))
    return replace(value, wire=wire, labels=labels)


def _computed_width(step: Step) -> int:
    own = getattr(step.transformer, "feature_names_in_", None)
    return len(step.transformer.get_feature_names_out(None if own is not None else list(step.value.labels)))


def _check_row(step: Step, together: Array, alone: Array) -> None:
    if not np.allclose(together, alone, rtol=1e-9, atol=0, equal_nan=True):
        raise ReadError(
            f"Step {step.path!r} ({type(step.transformer).__name__}) gives a row other numbers alone than among "
            "other rows: it is no function of the row. Learn its constants in fit, as a scaler does."
        )


def numbers(values: Any) -> Array:
    """What a transformer gives, as numbers `(m, w)`: a frame, an array, a sparse matrix."""
    values = values.toarray() if hasattr(values, "toarray") else values
    table = np.asarray(values, dtype=float)
    return table[:, None] if table.ndim == 1 else table
