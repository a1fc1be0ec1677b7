"""Keras, written: a fit as a Functional model with one input per raw column.

    inputs -> codings (CategoryEncoding, frozen Dense), functions -> Dense(1) -> inverse link

Factors come as codes, an offset as one more input. The model is run on the rows of the fit and on
random ones before it is handed over, and must give the means of the fit itself.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.writing import computations
from glmnet_bridge.adapters.writing.exports import Handed, compare, hand
from glmnet_bridge.adapters.writing.records import Feed, feed_of, kernel_and_bias, rounding, written
from glmnet_bridge.errors import missing_extra

Array = np.ndarray

DOUBLE = "float64"
LAST = "glm"
ACTIVATIONS = {"logit": "sigmoid", "log": "exponential", "identity": "linear"}
"""Links whose inverse Keras has as an activation."""
SINGLE = "Keras multiplies in single precision whatever the type of its layers; the weights are kept in double."
_NAMES = {
    "rint": "round",
    "fabs": "absolute",
    "fmax": "maximum",
    "fmin": "minimum",
    "remainder": "mod",
    "float_power": "power",
}


def to_keras(fit: Any) -> Any:
    """A `keras.Model`, compiled with the family's loss; what is known of it is its attribute `written`.

    Raises
    ------
    ArgumentError
        for a fit that is no GLM, for infinite coefficients, and for a function that Keras lacks
    FitError
        where the model does not give the fit's means
    """
    if importlib.util.find_spec("keras") is None:
        raise missing_extra("keras", "keras")
    import keras

    handed = hand(fit)
    feed = feed_of(handed)
    tools = _Tools(keras, feed.levels)
    feed = replace(feed, keys=tuple(map(tools.named, feed.names)), offset=feed.offset and tools.named(feed.offset))
    model = _model(tools, handed, feed)
    kind = keras.backend.result_type(DOUBLE, DOUBLE)

    def mean(table: pd.DataFrame, offset: Array | None) -> Array:
        given = {name: column[:, None] for name, column in feed.arrays(table).items()}
        if offset is not None:
            given[feed.offset] = offset[:, None]
        return _run(keras, model, given)[:, 0]

    differences = compare(handed, mean, tolerance=rounding(handed, float(np.finfo(kind).eps)))
    model.written = written(fit, handed.terms, differences, feed, () if kind == DOUBLE else (SINGLE,))
    return model


def _model(tools: _Tools, handed: Handed, feed: Feed) -> Any:
    from glmnet_bridge.adapters.keras.losses import LOSSES

    computations.check(tools, handed.export)
    inputs = {
        key: tools.keras.Input((1,), name=key, dtype="int64" if name in feed.levels else DOUBLE)
        for key, name in zip(feed.keys, feed.names, strict=True)
    }
    tools.labels = {id(value): key for key, value in inputs.items()}
    columns = computations.columns(tools, handed.export, dict(zip(feed.names, inputs.values(), strict=True)))
    kernel, bias = kernel_and_bias(handed)
    link = handed.family.link.name
    activation = None if feed.offset else ACTIVATIONS.get(link)
    dense = tools.keras.layers.Dense(
        1, name=LAST, dtype=DOUBLE, activation=activation, use_bias=bias is not None, **_regularisers(tools, handed)
    )
    value = dense(columns)
    dense.set_weights([kernel[:, None], *([] if bias is None else [np.array([bias])])])
    if feed.offset:
        inputs[feed.offset] = tools.keras.Input((1,), name=feed.offset, dtype=DOUBLE)
        value = tools.layer("Add", "linear_predictor")([value, inputs[feed.offset]])
    if activation is None:
        value = _activated(tools, link, value)
    model = tools.keras.Model(inputs, value, name="glm")
    model.compile(optimizer="adam", loss=LOSSES[handed.family.name])
    return model


def _regularisers(tools: _Tools, handed: Handed) -> dict[str, Any]:
    """The fit's penalty, so that training on keeps to it: Keras adds `l2 * w^2` to the mean loss of the rows."""
    penalty = handed.fit.estimate.model.penalty
    if not penalty.strength:
        return {}
    l2 = tools.keras.regularizers.L2(penalty.strength / (2.0 * float(handed.fit.rows.weights.sum())))
    return {"kernel_regularizer": l2} | ({"bias_regularizer": l2} if penalty.intercept else {})


def _run(keras: Any, model: Any, given: Mapping[str, Array]) -> Array:
    """The model's output, without a gradient."""
    if keras.backend.backend() != "torch":
        return np.asarray(keras.ops.convert_to_numpy(model(given, training=False)), dtype=float)
    import torch

    with torch.no_grad():
        found: Array = model(given, training=False).cpu().double().numpy()
    return found


def _activated(tools: _Tools, link: str, eta: Any) -> Any:
    if link in ACTIVATIONS:
        return tools.layer("Activation", "mean", ACTIVATIONS[link])(eta)
    return _INVERSES[link](tools.keras.ops, eta)


def _normal(ops: Any, eta: Any) -> Any:
    """The normal distribution function; the lower tail is not 1 less something."""
    return 0.5 * ops.erfc(eta * -math.sqrt(0.5))


_INVERSES: dict[str, Callable[[Any, Any], Any]] = {
    "probit": _normal,
    "cloglog": lambda ops, eta: -ops.expm1(-ops.exp(eta)),
    "loglog": lambda ops, eta: ops.exp(-ops.exp(-eta)),
    "cauchit": lambda ops, eta: ops.arctan2(ops.ones_like(eta), -eta) / math.pi,
    "inverse": lambda ops, eta: ops.reciprocal(eta),
    "sqrt": lambda ops, eta: ops.square(eta),
    "1/mu^2": lambda ops, eta: ops.rsqrt(eta),
}


class _Tools:
    """Keras' layers and operations, as `computations` asks for them; `labels` are names of values by identity."""

    package = "Keras"

    def __init__(self, keras: Any, levels: Mapping[str, tuple[Any, ...]]) -> None:
        self.keras, self.levels = keras, levels
        self.labels: dict[int, str] = {}
        self._taken = {LAST}

    def named(self, name: str) -> str:
        """A name that Keras allows and no layer has."""
        name = name.replace("/", "|")
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def layer(self, kind: str, name: str, *given: Any, **settings: Any) -> Any:
        """A layer in double precision."""
        return getattr(self.keras.layers, kind)(*given, name=self.named(name), dtype=DOUBLE, **settings)

    def _label(self, value: Any) -> str:
        return self.labels.get(id(value), "columns")

    def constant(self, name: str, values: Array) -> Any:
        """As it is."""
        return values

    def function(self, name: str) -> Callable[..., Any]:
        """The operation that numpy calls so."""
        if name == "positive":
            return lambda value: value
        found = getattr(self.keras.ops, _NAMES.get(name, name), None)
        if found is None:
            raise computations.no_function(name, self.package)
        function: Callable[..., Any] = found
        return function

    def number(self, value: Any) -> Any:
        """In double precision."""
        return self.keras.ops.cast(value, DOUBLE) if value.dtype != DOUBLE else value

    def indicators(self, codes: Any, count: int) -> Any:
        """One column `(m, count)` for each code."""
        label = self._label(codes)
        made = self.layer("CategoryEncoding", f"{label}_levels", count, output_mode="one_hot")(codes)
        self.labels[id(made)] = label
        return made

    def standardised(self, value: Any, mean: Any, scale: Any) -> Any:
        """`(x - mean) / scale`."""
        return self.layer(
            "Normalization", f"{self._label(value)}_standardised", mean=mean.ravel(), variance=scale.ravel() ** 2
        )(value)

    def matrix(self, value: Any, matrix: Any) -> Any:
        """Values `(m, a)` times a matrix `(a, b)`: a layer that does not learn."""
        dense = self.layer("Dense", f"{self._label(value)}_coding", matrix.shape[1], use_bias=False, trainable=False)
        made = dense(value)
        dense.set_weights([matrix])
        return made

    def rows(self, table: Any, at: Any) -> Any:
        """Rows of a constant by their places `(m, 1)`."""
        return self.keras.ops.take(table, self.keras.ops.cast(at[:, 0], "int32"), axis=0)

    def join(self, parts: Sequence[Any]) -> Any:
        """Columns beside each other."""
        return self.layer("Concatenate", "columns")(list(parts)) if len(parts) > 1 else parts[0]

    def total(self, value: Any) -> Any:
        """Sums of rows `(m, 1)`."""
        return self.keras.ops.sum(value, axis=1, keepdims=True)

    def reshape(self, value: Any, shape: tuple[int, ...]) -> Any:
        """The same numbers in another shape."""
        return self.keras.ops.reshape(value, shape)
