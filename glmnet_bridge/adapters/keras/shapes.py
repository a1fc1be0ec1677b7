"""Shapes: the layers and operations of Keras that only move values about, as numpy does it, rows first.

One definition serves numbers `(m, ...)` and the numbers of units alike (see `moved`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glmnet_bridge.adapters.keras.graphs import Node, Ref
from glmnet_bridge.errors import ReadError

Array = np.ndarray
_FAR = 1 << 40  # further than any unit's number


def _same(node: Node, x: Array) -> Array:
    return x


def _flatten(node: Node, x: Array) -> Array:
    return x.reshape(len(x), -1)


def _reshape(node: Node, x: Array) -> Array:
    if node.layer:
        return x.reshape(len(x), *node.config["target_shape"])
    return x.reshape(len(x), *tuple(node.config["newshape"])[1:])  # the first size is that of the rows


def _permute(node: Node, x: Array) -> Array:
    return np.transpose(x, (0, *node.config["dims"]))


def _concatenate(node: Node, *parts: Array) -> Array:
    return np.concatenate(parts, axis=node.config.get("axis", -1))


def _squeeze(node: Node, x: Array) -> Array:
    axis = node.config.get("axis")
    return np.squeeze(x, axis if axis is None or isinstance(axis, int) else tuple(axis))


def _expand(node: Node, x: Array) -> Array:
    axis = node.config["axis"]
    return np.expand_dims(x, axis if isinstance(axis, int) else tuple(axis))


def _item(node: Node, x: Array) -> Array:
    found: Array = x[node.call[1]]
    return found


def _repeat(node: Node, x: Array) -> Array:
    return np.repeat(x[:, None], node.config["n"], axis=1)


SHAPES: dict[str, Callable[..., Array]] = {
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "Concatenate": _concatenate,
    "Squeeze": _squeeze,
    "ExpandDims": _expand,
    "GetItem": _item,
    "RepeatVector": _repeat,
    "Identity": _same,
    "Dropout": _same,
    "AlphaDropout": _same,
    "SpatialDropout1D": _same,
    "SpatialDropout2D": _same,
    "SpatialDropout3D": _same,
    "GaussianNoise": _same,
    "GaussianDropout": _same,
    "ActivityRegularization": _same,
}


def moved(node: Node, values: Sequence[Array]) -> Array:
    """The units `(...)` of one row after a layer that moves them: done to two rows, which must stay apart."""
    return by_row(node, lambda *rows: SHAPES[node.kind](node, *rows), values)


def by_row(node: Node, function: Callable[..., Any], values: Sequence[Array]) -> Any:
    """What `function` makes of units, rows first."""
    try:
        found = function(*(np.stack([units, units + _FAR]) for units in values))
        apart = len(found) == 2 and np.array_equal(found[0] + _FAR, found[1])
    except (ValueError, IndexError, TypeError) as error:
        raise ReadError(f"{node.label} cannot be applied to values of these shapes: {error}.") from None
    if not apart:
        raise ReadError(f"{node.label} mixes the rows of the data, which no GLM does. Apply it to the columns alone.")
    return found[0]


def constants(node: Node) -> list[Array]:
    """The numbers that a node is called with."""
    return [np.asarray(each, dtype=float) for each in node.feeds if not isinstance(each, Ref)]
