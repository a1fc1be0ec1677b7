"""Transformers of scikit-learn, one small function each: what a fitted transformer makes of the values before it.

    scalers, projections, selectors     affine: a fixed layer, or a choice of units
    encoders of levels                  indicators of raw inputs, then a fixed table (`encoders`)
    polynomials                         products of raw inputs, then a fixed table (`monomials`)
    splines, bins, functions            columns that the transformer itself computes from raw inputs
    pipelines, column transformers      several of these

`TRANSFORMERS` names those that are read.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.sklearn import monomials
from glmnet_bridge.adapters.sklearn.encoders import encoded
from glmnet_bridge.adapters.sklearn.steps import Step, Value, after, check_fitted, chosen, computed, kind_of, numbers
from glmnet_bridge.errors import ReadError
from glmnet_bridge.model.layers import Normalise

Array = np.ndarray


def applied(step: Step) -> Value:
    """What the transformer makes of the value.

    Raises
    ------
    ReadError
        for one that is not read, with its path and type
    """
    if step.transformer is None or step.transformer == "passthrough":
        return step.value
    if step.transformer == "drop":
        return chosen(step.value, (), step.named)
    name = kind_of(step.transformer, TRANSFORMERS)
    if name is None:
        known = ", ".join(TRANSFORMERS).replace("SelectorMixin", "feature selectors")
        raise ReadError(
            f"Step {step.path!r} is a {type(step.transformer).__name__}, which is not read. Read are {known}. Apply "
            "it to the data beforehand and fit the rest on its columns, or wrap an elementwise function in a "
            "FunctionTransformer."
        )
    check_fitted(step.transformer, f"Step {step.path!r}")
    return TRANSFORMERS[name](step)


# --- affine ---------------------------------------------------------------------------------------


def _scaled(step: Step, centre: Any, scale: Any) -> Value:
    """`(z - centre) / scale`; None is 0, or 1."""
    width = len(step.value.wire)
    mean = np.zeros(width) if centre is None else np.asarray(centre, dtype=float)
    size = np.ones(width) if scale is None else np.asarray(scale, dtype=float)
    bad = np.flatnonzero(~(np.isfinite(mean) & np.isfinite(size) & (size != 0)))
    if len(bad):
        raise ReadError(
            f"Step {step.path!r} ({type(step.transformer).__name__}) has mean {mean[bad[0]]} and scale "
            f"{size[bad[0]]} for {step.value.labels[bad[0]]!r}. Fit it on finite data."
        )
    return after(step, step.wiring.add(Normalise(mean, size, step.path), step.value.wire), _marked(step))


def _marked(step: Step) -> list[str]:
    """Names that say that a column was changed, for what is computed from it."""
    return [f"{step.path}({label})" for label in step.value.labels]


def _standard(step: Step) -> Value:
    made = step.transformer
    return _scaled(step, made.mean_ if made.with_mean else None, made.scale_)


def _robust(step: Step) -> Value:
    return _scaled(step, step.transformer.center_, step.transformer.scale_)


def _max_abs(step: Step) -> Value:
    if getattr(step.transformer, "clip", False):
        return computed(step)
    return _scaled(step, None, step.transformer.scale_)


def _min_max(step: Step) -> Value:
    made = step.transformer
    if made.clip:
        return computed(step)
    wire = step.wiring.fixed(made.scale_, step.value.wire, made.min_, step.path, "scaling")
    return after(step, wire, _marked(step))


def _projection(step: Step) -> Value:
    """PCA and truncated SVD."""
    made = step.transformer
    matrix = np.asarray(made.components_, dtype=float).T
    mean = getattr(made, "mean_", None)
    if getattr(made, "whiten", False):
        matrix = matrix / np.sqrt(made.explained_variance_)
    constant = None if mean is None else -np.asarray(mean) @ matrix
    return after(step, step.wiring.fixed(matrix, step.value.wire, constant, step.path, "projection"))


def _selector(step: Step) -> Value:
    columns = step.transformer.get_support(indices=True).tolist()
    value = chosen(step.value, columns, step.named)
    return replace(after(step, value.wire, value.labels), raw=False)


def _imputer(step: Step) -> Value:
    """The identity on rows without missing values, which are those that a formula uses."""
    made = step.transformer
    if not pd.isna(made.missing_values):
        raise ReadError(
            f"Step {step.path!r} replaces {made.missing_values!r}, which is a value like any other to a formula. "
            "Replace it in the data beforehand (by NaN, to leave those rows out)."
        )
    step.folded.append(
        f"{type(made).__name__} {step.path!r} is the identity: rows with missing values are left out by the formula."
    )
    kept = [j for j, filler in enumerate(made.statistics_) if made.keep_empty_features or not pd.isna(filler)]
    wire = tuple(step.value.wire[j] for j in kept)
    labels = [step.value.labels[j] for j in kept]
    missing = 0 if made.indicator_ is None else len(made.indicator_.features_)
    if missing:  # whether a value was missing: it never was
        wire += step.wiring.fixed(np.zeros((1, missing)), step.value.wire[:1], None, step.path, "missing indicator")
        labels += [f"{step.value.labels[j]} missing" for j in made.indicator_.features_]
    return after(step, wire, labels)


# --- products -----------------------------------------------------------------------------------------


def _polynomial(step: Step) -> Value:
    """Products of affine functions of raw inputs are fixed combinations of products of raw inputs."""
    found = monomials.expanded(step.wiring, step.value.wire, np.asarray(step.transformer.powers_))
    if found is None:
        return computed(step)
    units, matrix, constant = found
    return after(step, step.wiring.fixed(matrix, units, constant, step.path, "products"))


# --- functions ------------------------------------------------------------------------------------


def _function(step: Step) -> Value:
    """A FunctionTransformer: the identity, or columns computed by its function."""
    function = step.transformer.func
    if function is None:
        return after(step, step.value.wire, step.value.labels)
    width = step.width if step.width is not None else _probed_width(step)
    word = getattr(function, "__name__", type(function).__name__)
    word = step.path if word == "<lambda>" else word
    labels = [f"{word}({label})" for label in step.value.labels]
    if len(labels) != width:
        labels = [f"{word}({', '.join(step.value.labels)})[{j}]" for j in range(width)]
    return computed(step, tuple(labels), rowwise=False)


def _probed_width(step: Step) -> int:
    """The number of columns that a function makes, where nothing behind it says how many it takes."""
    table = pd.DataFrame(
        np.full((1, len(step.value.sources)), 0.5), columns=list(step.value.labels)[: len(step.value.sources)]
    )
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return numbers(step.transformer.transform(step.value.run(table))).shape[1]
        except Exception as error:  # the user's own function may raise anything
            raise ReadError(f"Step {step.path!r}: its function fails on a row of numbers 0.5: {error}") from error


# --- several at once ------------------------------------------------------------------------------------


def _pipeline(step: Step) -> Value:
    return through(step.transformer.steps, step)


def through(steps: Sequence[tuple[str, Any]], step: Step) -> Value:
    """A value on its way through the steps of a pipeline."""
    value = step.value
    for number, (name, each) in enumerate(steps):
        later = [getattr(after, "n_features_in_", None) for _, after in steps[number + 1 :]]
        width = next((int(found) for found in later if found is not None), step.width)
        path = f"{step.path}.{name}" if step.path else name
        value = applied(replace(step, transformer=each, value=value, path=path, width=width))
    return value


def _column_transformer(step: Step) -> Value:
    """Blocks of columns, each through a transformer of its own, side by side in the order of its outputs."""
    made, value = step.transformer, step.value
    names = getattr(made, "feature_names_in_", None)
    parts: list[tuple[int, Value]] = []
    for name, each, columns in made.transformers_:
        at = made.output_indices_[name]
        positions = _positions(columns, None if names is None else list(names), len(value.wire))
        if at.stop == at.start or not positions:
            continue
        path = f"{step.path}.{name}" if step.path else name
        picked = chosen(value, positions, step.named)
        inner = replace(step, transformer=each, value=picked, path=path, width=at.stop - at.start)
        parts.append((at.start, applied(inner)))
    parts.sort(key=lambda part: part[0])
    return _joined(step, [part for _, part in parts])


def _positions(columns: Any, names: list[str] | None, width: int) -> list[int]:
    """Positions of the columns that a ColumnTransformer was given: names, numbers, a slice or a mask."""
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            assert names is not None
            first = 0 if columns.start is None else names.index(columns.start)
            last = width if columns.stop is None else names.index(columns.stop) + 1
            return list(range(width))[first:last]
        return list(range(width))[columns]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # scikit-learn 1.6 announces another format as it is read
        some: list[Any] = [columns] if isinstance(columns, str | int | np.integer) else list(columns)
    if some and all(isinstance(each, bool | np.bool_) for each in some):
        return np.flatnonzero(some).tolist()
    if any(isinstance(each, str) for each in some):
        assert names is not None
        return [names.index(each) for each in some]
    return [int(each) % width for each in some]


def _feature_union(step: Step) -> Value:
    made, parts = step.transformer, []
    for name, each in made.transformer_list:
        path = f"{step.path}.{name}" if step.path else name
        part = applied(replace(step, transformer=each, path=path, width=None))
        weight = (made.transformer_weights or {}).get(name, 1.0)
        wire = step.wiring.fixed(np.full(len(part.wire), float(weight)), part.wire, None, path, "weight")
        parts.append(replace(part, wire=wire))
    return _joined(step, parts)


def _joined(step: Step, parts: Sequence[Value]) -> Value:
    wire = tuple(unit for part in parts for unit in part.wire)
    return after(step, wire, [label for part in parts for label in part.labels])


TRANSFORMERS: dict[str, Callable[[Step], Value]] = {
    "StandardScaler": _standard,
    "MinMaxScaler": _min_max,
    "RobustScaler": _robust,
    "MaxAbsScaler": _max_abs,
    "OneHotEncoder": encoded,
    "OrdinalEncoder": encoded,
    "PolynomialFeatures": _polynomial,
    "SplineTransformer": computed,
    "KBinsDiscretizer": computed,
    "Binarizer": computed,
    "PowerTransformer": computed,
    "QuantileTransformer": computed,
    "Normalizer": computed,
    "FunctionTransformer": _function,
    "SimpleImputer": _imputer,
    "PCA": _projection,
    "TruncatedSVD": _projection,
    "SelectorMixin": _selector,
    "ColumnTransformer": _column_transformer,
    "FeatureUnion": _feature_union,
    "DesignTransformer": computed,
    "Pipeline": _pipeline,
}
"""What each transformer is read by; the name is of its type, or of one that it inherits from."""
