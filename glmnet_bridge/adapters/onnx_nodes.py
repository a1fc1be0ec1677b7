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

from glmnet_bridge.adapters import onnx_graphs as graphs
from glmnet_bridge.adapters.onnx_graphs import Node
from glmnet_bridge.adapters.onnx_walks import Activated, Codes, Computed, Linear, Total, Units, Value, Walk, names_of
from glmnet_bridge.errors import ReadError
from glmnet_bridge.model.layers import Affine, Gain

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
        return _embedding(walk, node, given)
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
        return value if node.op == "Abs" else _shares(value)
    if node.op == "Imputer":
        walk.folded.append(f"Imputer {node.name!r} is the identity: rows with missing values are left out.")
    if node.op == "Dropout":
        walk.folded.append(
            f"Dropout {node.name!r} is the identity at inference; in training it is a penalty without GLM counterpart."
        )
    return value


# --- weighted sums ---------------------------------------------------------------------------------


def _gemm(walk: Walk, node: Node, given: Given) -> Value:
    settings, kernel = node.settings, given[1]
    if not isinstance(kernel, np.ndarray) or settings.get("transA", 0):
        return None
    at = walk.units(given[0], node)
    entries = names_of(node.takes[1], kernel.shape)
    if settings.get("transB", 0):
        kernel, entries = kernel.T, entries.T
    at = _flat(at, kernel, node)
    bias = np.asarray(given[2]) if len(given) > 2 and given[2] is not None else None
    names = None if bias is None else names_of(node.takes[2], bias.shape, bias=True)
    alpha, beta = settings.get("alpha", 1.0), settings.get("beta", 1.0)
    if alpha != 1.0:
        at = walk.scaled(at, alpha, 0.0, node.name)
    if bias is not None and names is not None and beta != 1.0:  # the bias is the weight of a constant beta
        at = np.append(at, walk.constant(np.array([beta]), int(at[0])))
        kernel, entries = np.vstack([kernel, bias.reshape(1, -1)]), np.vstack([entries, names.reshape(1, -1)])
        bias = None
    sum_ = Linear(node.takes[1], at, kernel, entries, None, entries[:0].ravel(), kernel.shape[1:])
    if bias is not None and names is not None:
        return _with_bias(walk, sum_, bias, names, node)
    return sum_ if walk.is_trained(sum_.name) else Units(walk.affine(sum_))


def _matmul(walk: Walk, node: Node, given: Given) -> Value:
    kernel = given[1]
    if not isinstance(kernel, np.ndarray) or kernel.ndim > 2:
        return None
    at = walk.units(given[0], node)
    names = names_of(node.takes[1], kernel.shape)
    table = kernel.reshape(kernel.shape[0], -1)
    entries = names.reshape(table.shape)
    empty = entries[:0].ravel()
    sum_ = Linear(node.takes[1], _flat(at, table, node), table, entries, None, empty, kernel.shape[1:])
    return sum_ if walk.is_trained(sum_.name) else Units(walk.affine(sum_))


def _flat(at: Array, kernel: Array, node: Node) -> Array:
    if at.ndim != 1 or at.size != kernel.shape[0]:
        raise ReadError(
            f"{node.words} multiplies rows of shape {at.shape} by weights {kernel.shape}; only rows of "
            f"{kernel.shape[0]} numbers are read."
        )
    return at


def _with_bias(walk: Walk, sum_: Linear, bias: Array, names: Array, node: Node) -> Value:
    wide = sum_.kernel.shape[1]
    if bias.size != wide:
        if bias.size != 1:
            raise ReadError(f"{node.words} adds {bias.size} numbers to {wide} units.")
        return Units(walk.scaled(walk.units(sum_, node), 1.0, float(bias.ravel()[0]), node.name))
    return replace(sum_, bias=bias.ravel(), bias_entries=names.ravel())


def _linear_model(walk: Walk, node: Node, given: Given) -> Value:
    """LinearClassifier and LinearRegressor of ai.onnx.ml: weights are attributes, one row per output."""
    settings = node.settings
    at = walk.units(given[0], node)
    weights = np.asarray(settings["coefficients"], dtype=float).reshape(-1, at.size)
    entries = names_of(f"{node.name}.coefficients", weights.shape).T
    given_bias = settings.get("intercepts", ())
    bias = np.asarray(given_bias, dtype=float) if len(given_bias) else None
    names = names_of(f"{node.name}.intercepts", (0 if bias is None else len(bias),), bias=True)
    sum_ = Linear(node.name, _flat(at, weights.T, node), weights.T, entries, bias, names, (len(weights),))
    post = settings.get("post_transform", b"NONE").decode()
    if post not in ("NONE", "LOGISTIC", "SOFTMAX"):
        raise ReadError(f"{node.words} ends in {post}, which is not read; NONE, LOGISTIC and SOFTMAX are.")
    out: Value = sum_
    if post != "NONE":
        out = _activate(walk, node, sum_, "sigmoid" if post == "LOGISTIC" else "softmax")
    if node.op == "LinearRegressor":
        return out
    labels = settings.get("classlabels_ints") or settings.get("classlabels_strings") or ()
    if len(weights) == 1 and len(labels) == 2:  # the other class is added by the operation itself
        if post != "LOGISTIC":
            raise ReadError(f"{node.words} has one row of weights and post_transform {post}; LOGISTIC is read there.")
        out = Activated("sigmoid", np.concatenate([walk.negative(out.at), out.at]))
    return [Units(np.zeros(0, dtype=int)), out]  # the label is no number of ours


def _embedding(walk: Walk, node: Node, given: Given) -> Value:
    """A row of a trained table for each level of a raw input: indicators, then a weighted sum."""
    table, picked = given
    if isinstance(picked, Computed) or not walk.is_trained(node.takes[0]) or node.settings.get("axis", 0):
        return None
    at = walk.units(picked, node)
    if table.ndim != 2 or at.size != 1:
        raise ReadError(
            f"{node.words} looks up {at.size} values in one table of shape {table.shape}; an embedding is read for one "
            "input each."
        )
    wire = walk.levels(int(at.ravel()[0]), range(len(table)), node)
    name, k = node.takes[0], table.shape[1]
    entries = walk.claimed(list(names_of(name, table.shape).ravel()))
    made = walk.wiring.add(Affine(len(table), k, bias=False, name=name), wire, table, entries)
    walk.learnt.update(made)
    return Units(np.array(made).reshape(*at.shape, k))


def _batch_norm(walk: Walk, node: Node, given: Given) -> Value:
    """In inference mode: a fixed scaling by the moments, then gain and shift, which were trained."""
    gain, shift, mean, variance = (np.asarray(value, dtype=float) for value in given[1:5])
    at = walk.units(given[0], node)
    if node.settings.get("training_mode", 0):
        raise ReadError(f"{node.words} is in training mode; export the model in inference mode (model.eval()).")
    if at.ndim != 1:
        raise ReadError(f"{node.words} works on rows of shape {at.shape}; only rows of numbers are read.")
    scale = 1.0 / np.sqrt(variance + node.settings.get("epsilon", 1e-5))
    out = walk.scaled(at, scale, -mean * scale, node.name)
    entries = [*names_of(node.takes[1], gain.shape), *names_of(node.takes[2], shift.shape, bias=True)]
    made = walk.wiring.add(
        Gain(at.size, name=node.name), out.tolist(), np.concatenate([gain, shift]), walk.claimed(entries)
    )
    walk.learnt.update(made)
    walk.folded.append(
        f"BatchNormalization {node.name!r} in inference mode: its running moments are taken as fixed; standard errors "
        "ignore their estimation."
    )
    return Units(np.array(made))


# --- arithmetic -----------------------------------------------------------------------------------


def _arithmetic(walk: Walk, node: Node, given: Given) -> Value:
    """Add, Sub, Mul, Div: by constants, or the sum of two values."""
    left, right = given
    if node.op == "Div" and isinstance(left, Activated) and isinstance(right, Total) and right.of is left:
        return _shares(left)
    if node.op == "Sub" and _is_one(left) and isinstance(right, Activated) and right.kind == "sigmoid":
        return replace(right, at=walk.negative(right.at))
    if isinstance(left, np.ndarray) and node.op in ("Add", "Mul"):
        left, right = right, left
    if isinstance(right, np.ndarray):
        return _by_constant(walk, node, left, right)
    if isinstance(left, np.ndarray):
        if node.op != "Sub":
            return None
        at = walk.units(right, node)
        return Units(walk.scaled(at, -1.0, _within(left, at, node), node.name))
    if node.op not in ("Add", "Sub"):
        return None
    first, second = walk.units(left, node), walk.units(right, node)
    if first.shape != second.shape:
        return None
    other = second if node.op == "Add" else walk.scaled(second, -1.0, 0.0, node.name)
    reads = [*first.ravel().tolist(), *other.ravel().tolist()]
    made = walk.wiring.sum([tuple(first.ravel().tolist()), tuple(other.ravel().tolist())], node.name)
    return Units(walk.noted(made, reads).reshape(first.shape))


def _is_one(value: Value) -> bool:
    return isinstance(value, np.ndarray) and value.size == 1 and float(value.ravel()[0]) == 1.0


def _by_constant(walk: Walk, node: Node, value: Value, number: Array) -> Value:
    name = next(each for each in reversed(node.takes) if isinstance(walk.values.get(each), np.ndarray))
    if node.op == "Add" and isinstance(value, Linear) and value.bias is None and number.size == value.kernel.shape[1]:
        return _with_bias(walk, value, number, names_of(name, number.shape, bias=True), node)
    at = walk.units(value, node)
    wide = _within(number, at, node)
    walk.folded.append(_fixed(node, name))
    if node.op in ("Add", "Sub"):
        return Units(walk.scaled(at, 1.0, wide if node.op == "Add" else -wide, node.name))
    return Units(walk.scaled(at, wide if node.op == "Mul" else 1.0 / wide, 0.0, node.name))


def _fixed(node: Node, name: str) -> str:
    return (
        f"{node.op} {node.name!r} is taken as fixed: ONNX does not say whether {name!r} was trained, and it is no "
        "weight of a sum."
    )


def _within(number: Array, at: Array, node: Node) -> Array:
    """A constant in the shape of a row."""
    values = np.asarray(number, dtype=float)
    if values.ndim == at.ndim + 1 and values.shape[0] == 1:
        values = values[0]
    try:
        return np.broadcast_to(values, at.shape).copy()
    except ValueError:
        raise ReadError(
            f"{node.words} joins rows of shape {at.shape} with a constant of shape {number.shape}; they do not fit."
        ) from None


def _scaler(walk: Walk, node: Node, given: Given) -> Value:
    at = walk.units(given[0], node)
    offset, scale = (np.asarray(node.settings[key], dtype=float) for key in ("offset", "scale"))
    walk.folded.append(f"Scaler {node.name!r} is taken as fixed; standard errors ignore the estimation of its moments.")
    return Units(walk.scaled(at, scale, -offset * scale, node.name))


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


# --- activations --------------------------------------------------------------------------------------


def _activation(kind: str) -> Callable[[Walk, Node, Given], Value]:
    def make(walk: Walk, node: Node, given: Given) -> Value:
        return None if walk.pure(given[0]) else _activate(walk, node, given[0], kind)

    return make


def _activate(walk: Walk, node: Node, value: Value, kind: str) -> Value:
    if kind == "sigmoid" and isinstance(value, Linear) and value.doubled and walk.is_trained(value.name):
        walk.folded.append(
            f"{node.words} takes both signs of one linear predictor: the weights of the first column of "
            f"{value.name!r} are minus those of the second, and are not counted again."
        )
        return Activated(kind, walk.single(value))
    return Activated(kind, walk.units(value, node))


def _leaky(walk: Walk, node: Node, given: Given) -> Value:
    slope = node.settings.get("alpha", 0.01)
    if walk.pure(given[0]):
        return None
    if abs(slope - 0.01) > 1e-8:
        raise ReadError(f"{node.words} has the slope {slope:g}; a LeakyRelu of slope 0.01 is read.")
    return Activated("leaky_relu", walk.units(given[0], node))


def _softmax(walk: Walk, node: Node, given: Given) -> Value:
    if walk.pure(given[0]):
        return None
    at = walk.units(given[0], node)
    if at.ndim != 1 or node.settings.get("axis", -1) not in (-1, 1):
        raise ReadError(f"{node.words} runs over axis {node.settings.get('axis', -1)}; it is read over a row's units.")
    return Activated("softmax", at)


def _total(walk: Walk, node: Node, given: Given) -> Value:
    return Total(given[0]) if isinstance(given[0], Activated) else None


def _shares(value: Activated) -> Activated:
    return replace(value, shares=value.kind != "softmax")


Maker = Callable[[Walk, Node, Given], Any]
NODES: dict[str, Maker] = {
    **dict.fromkeys(MOVES, _move),
    **dict.fromkeys(SAME, _same),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _arithmetic),
    "ArrayFeatureExtractor": _pick,
    "Cast": _cast,
    "Shape": _shape,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "LinearClassifier": _linear_model,
    "LinearRegressor": _linear_model,
    "BatchNormalization": _batch_norm,
    "Scaler": _scaler,
    "OneHotEncoder": _one_hot,
    "LabelEncoder": _label_encoder,
    "Sigmoid": _activation("sigmoid"),
    "Tanh": _activation("tanh"),
    "Relu": _activation("relu"),
    "Exp": _activation("exponential"),
    "LeakyRelu": _leaky,
    "Softmax": _softmax,
    "ReduceSum": _total,
}
# what makes columns of the network's input of a computed value; all else goes on computing
_SETTLES = frozenset(
    ("Concat", "Gemm", "MatMul", "LinearClassifier", "LinearRegressor", "BatchNormalization", "Scaler")
)
