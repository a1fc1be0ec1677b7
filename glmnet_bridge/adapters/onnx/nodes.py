"""Nodes: what each ONNX operation is in a network of ours.

`apply(walk, node, given)` gives the values that a node makes. An operation of constants alone is
done; one without an entry in `NODES` is taken as it is where only raw inputs enter it (splines,
products, logarithms), and refused by name behind any weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from glmnet_bridge.adapters.onnx import graphs
from glmnet_bridge.adapters.onnx.graphs import Node
from glmnet_bridge.adapters.onnx.sums import (
    activation,
    arithmetic,
    batch_norm,
    embedding,
    gemm,
    leaky,
    linear_model,
    matmul,
    scaler,
    shares,
    softmax,
    total,
)
from glmnet_bridge.adapters.onnx.walks import Activated, Codes, Computed, Total, Units, Value, Walk
from glmnet_bridge.errors import ReadError

Array = np.ndarray
Given = Sequence[Value]
MOVES = frozenset(
    ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split", "Gather", "Concat", "Expand")
)
SAME = frozenset(("Identity", "Dropout", "Imputer", "Abs", "ZipMap", "Normalizer"))
_FLOATS, _INTEGERS = (1, 10, 11, 16), (2, 3, 5, 6, 7, 12, 13)


def follow(walk: Walk, name: str) -> Value:
    """The value with this name, after all that it needs."""
    for node in walk.graph.before([name]):
        made = apply(walk, node, [walk.values.get(each) if each else None for each in node.takes])
        walk.values.update(zip(node.makes, made, strict=False))
    return walk.values[name]


def apply(walk: Walk, node: Node, given: Given) -> Sequence[Value]:
    """The values that a node makes.

    Raises
    ------
    ReadError
        for an operation that is not read, naming the node
    """
    if node.op in graphs.refused():
        raise ReadError(f"{node.words} is not read: {graphs.refused()[node.op]}.")
    if all(value is None or isinstance(value, np.ndarray) for value in given):
        return _constants(walk, node, given)
    pure = all(walk.pure(value) for value in given)
    if pure and any(isinstance(value, Computed) for value in given) and node.op not in _SETTLES:
        return [Computed(name) for name in node.makes]
    make = NODES.get(node.op)
    found = None if make is None else make(walk, node, given)
    if found is not None:
        return found if isinstance(found, list) else [found]
    if not pure:
        raise ReadError(
            f"{node.words} is not read behind trained weights. There may be weighted sums (Gemm, MatMul, Add), "
            "activations (Sigmoid, Tanh, Relu, LeakyRelu), and what moves or scales numbers; before any weight, "
            "anything that works row by row."
        )
    return [Computed(name) for name in node.makes]


def _constants(walk: Walk, node: Node, given: Given) -> Sequence[Value]:
    """Known values: a constant that is merely passed on keeps the name that stands last."""
    if not node.takes and node.op != "Constant":
        raise ReadError(f"{node.words} draws numbers by itself (no input); no fixed network does the same.")
    return graphs.evaluate(node, given)


# --- moving -------------------------------------------------------------------------------------


def _move(walk: Walk, node: Node, given: Given) -> Value:
    """Reshape, slice, pick, join: done by onnx on the numbers of the units."""
    first = given[0]
    if node.op == "Gather" and isinstance(first, np.ndarray):
        return embedding(walk, node, given)
    if node.op == "Concat":
        return _join(walk, node, given)
    if isinstance(first, Computed) or not all(isinstance(value, np.ndarray) or value is None for value in given[1:]):
        return None
    last = isinstance(first, Activated | Total)
    if isinstance(first, Total):
        return first
    at = first.at if last else walk.units(first, node)
    settings = [value for value in given[1:]]
    moved = [walk.gathered(each, node) for each in graphs.evaluate(node, [walk.spread(at), *settings])]
    return [replace(first, at=each) if last else Units(each) for each in moved]


def _join(walk: Walk, node: Node, given: Given) -> Value:
    kinds = {value.kind for value in given if isinstance(value, Activated)}
    if kinds and len(kinds) == 1 and all(isinstance(value, Activated) for value in given):
        parts = [walk.spread(value.at) for value in given]
        at = walk.gathered(graphs.evaluate(node, parts)[0], node)
        return Activated(kinds.pop(), at, any(value.shares for value in given))
    beside = next(value for value in given if not isinstance(value, np.ndarray))
    unit = int(walk.units(beside, node).ravel()[0])
    parts = [
        walk.spread(walk.constant(_row(value), unit) if isinstance(value, np.ndarray) else walk.units(value, node))
        for value in given
    ]
    return Units(walk.gathered(graphs.evaluate(node, parts)[0], node))


def _row(values: Array) -> Array:
    return np.asarray(values[0])


def _pick(walk: Walk, node: Node, given: Given) -> Value:
    """ArrayFeatureExtractor: columns by position, along the last axis."""
    if isinstance(given[0], Computed) or not isinstance(given[1], np.ndarray):
        return None
    places = np.asarray(given[1]).ravel()
    if isinstance(given[0], Activated):
        return replace(given[0], at=given[0].at[..., places])
    at = walk.units(given[0], node)
    return Units(at[..., places]) if at.ndim else None


def _cast(walk: Walk, node: Node, given: Given) -> Value:
    to = int(node.settings["to"])
    if not isinstance(given[0], Units):
        return given[0] if to in _FLOATS else None
    if to in _FLOATS:
        return given[0]
    raw = set(walk.wiring.inputs) | set(walk.codes)
    return given[0] if to in _INTEGERS and raw.issuperset(given[0].at.ravel().tolist()) else None


def _shape(walk: Walk, node: Node, given: Given) -> Value:
    if isinstance(given[0], Computed | Total):
        return None
    at = given[0].at if isinstance(given[0], Activated) else walk.units(given[0], node)
    return np.array([walk.graph.rows, *at.shape], dtype=np.int64)


def _same(walk: Walk, node: Node, given: Given) -> Value:
    """What does nothing here; an imputer nothing where no value is missing, which the data are asked for."""
    value = given[0]
    if node.op in ("Abs", "Normalizer"):
        if not (isinstance(value, Activated) and value.kind in ("sigmoid", "softmax", "exponential")):
            return None
        return value if node.op == "Abs" else shares(value)
    if node.op == "Imputer":
        walk.folded.append(f"Imputer {node.name!r} is the identity: rows with missing values are left out.")
    if node.op == "Dropout":
        walk.folded.append(
            f"Dropout {node.name!r} is the identity at inference; in training it is a penalty without GLM counterpart."
        )
    return value


# --- factors -----------------------------------------------------------------------------------------


def _one_hot(walk: Walk, node: Node, given: Given) -> Value:
    if not isinstance(given[0], Units):
        return None
    levels = node.settings.get("cats_int64s") or [each.decode() for each in node.settings.get("cats_strings", ())]
    at = given[0].at
    raw = set(walk.wiring.inputs) | set(walk.codes)
    if not raw.issuperset(at.ravel().tolist()):
        return None
    wires = [walk.levels(int(unit), list(levels), node) for unit in at.ravel()]
    return Units(np.array(wires, dtype=int).reshape(*at.shape, len(levels)))


def _label_encoder(walk: Walk, node: Node, given: Given) -> Value:
    """Levels as numbers: their codes, which a table or one-hot coding may take up."""
    settings = node.settings
    keys = next((settings[key] for key in settings if key.startswith("keys_")), None)
    values = next((settings[key] for key in ("values_int64s", "values_floats") if key in settings), None)
    if keys is None or values is None or not isinstance(given[0], Units):
        return None
    default = float(
        settings.get("default_int64", -1) if "values_int64s" in settings else settings.get("default_float", 0)
    )
    levels = tuple(key.decode() if isinstance(key, bytes) else key for key in keys)
    numbers = tuple(float(value) for value in values)
    at, made = given[0].at, []
    for unit in at.ravel().tolist():
        wire = walk.wiring.levels(unit, levels, node.name)
        (code,) = walk.wiring.fixed(np.array(numbers)[:, None] - default, wire, [default], node.name, "codes")
        walk.codes[code] = Codes(unit, levels, numbers, default)
        made.append(code)
    return Units(np.array(made, dtype=int).reshape(at.shape))


# --- the table --------------------------------------------------------------------------------------


Maker = Callable[[Walk, Node, Given], Any]
NODES: dict[str, Maker] = {
    **dict.fromkeys(MOVES, _move),
    **dict.fromkeys(SAME, _same),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), arithmetic),
    "ArrayFeatureExtractor": _pick,
    "Cast": _cast,
    "Shape": _shape,
    "Gemm": gemm,
    "MatMul": matmul,
    "LinearClassifier": linear_model,
    "LinearRegressor": linear_model,
    "BatchNormalization": batch_norm,
    "Scaler": scaler,
    "OneHotEncoder": _one_hot,
    "LabelEncoder": _label_encoder,
    "Sigmoid": activation("sigmoid"),
    "Tanh": activation("tanh"),
    "Relu": activation("relu"),
    "Exp": activation("exponential"),
    "LeakyRelu": leaky,
    "Softmax": softmax,
    "ReduceSum": total,
}
# what makes columns of the network's input of a computed value; all else goes on computing
_SETTLES = frozenset(
    ("Concat", "Gemm", "MatMul", "LinearClassifier", "LinearRegressor", "BatchNormalization", "Scaler")
)
