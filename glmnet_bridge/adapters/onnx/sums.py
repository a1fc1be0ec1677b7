"""Sums: what ONNX's weighted sums, arithmetic and activations are in a network of ours.

Each function takes the walk, the node and the values that it is given, and makes its value, or None
where it is not of this kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from glmnet_bridge.adapters.onnx.graphs import Node
from glmnet_bridge.adapters.onnx.walks import Activated, Computed, Linear, Total, Units, Value, Walk, names_of
from glmnet_bridge.errors import ReadError
from glmnet_bridge.model.layers import Affine, Gain

Array = np.ndarray
Given = Sequence[Value]


# --- weighted sums ---------------------------------------------------------------------------------


def gemm(walk: Walk, node: Node, given: Given) -> Value:
    """A weighted sum with bias; factors of its own become fixed ones."""
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


def matmul(walk: Walk, node: Node, given: Given) -> Value:
    """A weighted sum; its bias comes by an Add."""
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


def linear_model(walk: Walk, node: Node, given: Given) -> Value:
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
        out = activate(walk, node, sum_, "sigmoid" if post == "LOGISTIC" else "softmax")
    if node.op == "LinearRegressor":
        return out
    labels = settings.get("classlabels_ints") or settings.get("classlabels_strings") or ()
    if len(weights) == 1 and len(labels) == 2:  # the other class is added by the operation itself
        if post != "LOGISTIC":
            raise ReadError(f"{node.words} has one row of weights and post_transform {post}; LOGISTIC is read there.")
        out = Activated("sigmoid", np.concatenate([walk.negative(out.at), out.at]))
    return [Units(np.zeros(0, dtype=int)), out]  # the label is no number of ours


def embedding(walk: Walk, node: Node, given: Given) -> Value:
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


def batch_norm(walk: Walk, node: Node, given: Given) -> Value:
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


def arithmetic(walk: Walk, node: Node, given: Given) -> Value:
    """Add, Sub, Mul, Div: by constants, or the sum of two values."""
    left, right = given
    if node.op == "Div" and isinstance(left, Activated) and isinstance(right, Total) and right.of is left:
        return shares(left)
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
    if walk.trained is None:
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


def scaler(walk: Walk, node: Node, given: Given) -> Value:
    """(x - offset) scale, fixed."""
    at = walk.units(given[0], node)
    offset, scale = (np.asarray(node.settings[key], dtype=float) for key in ("offset", "scale"))
    walk.folded.append(f"Scaler {node.name!r} is taken as fixed; standard errors ignore the estimation of its moments.")
    return Units(walk.scaled(at, scale, -offset * scale, node.name))


# --- activations --------------------------------------------------------------------------------------


def activation(kind: str) -> Callable[[Walk, Node, Given], Value]:
    """The function that makes this activation; of raw inputs alone it is a column that they are computed into."""

    def make(walk: Walk, node: Node, given: Given) -> Value:
        return None if walk.pure(given[0]) else activate(walk, node, given[0], kind)

    return make


def activate(walk: Walk, node: Node, value: Value, kind: str) -> Value:
    """An activation on the units of a value; of two opposite ones only the second has weights."""
    if kind == "sigmoid" and isinstance(value, Linear) and value.doubled and walk.is_trained(value.name):
        walk.folded.append(
            f"{node.words} takes both signs of one linear predictor: the weights of the first column of "
            f"{value.name!r} are minus those of the second, and are not counted again."
        )
        return Activated(kind, walk.single(value))
    return Activated(kind, walk.units(value, node))


def leaky(walk: Walk, node: Node, given: Given) -> Value:
    """LeakyRelu with the slope that our layer has."""
    slope = node.settings.get("alpha", 0.01)
    if walk.pure(given[0]):
        return None
    if abs(slope - 0.01) > 1e-8:
        raise ReadError(f"{node.words} has the slope {slope:g}; a LeakyRelu of slope 0.01 is read.")
    return Activated("leaky_relu", walk.units(given[0], node))


def softmax(walk: Walk, node: Node, given: Given) -> Value:
    """Softmax over a row's units."""
    if walk.pure(given[0]):
        return None
    at = walk.units(given[0], node)
    if at.ndim != 1 or node.settings.get("axis", -1) not in (-1, 1):
        raise ReadError(f"{node.words} runs over axis {node.settings.get('axis', -1)}; it is read over a row's units.")
    return Activated("softmax", at)


def total(walk: Walk, node: Node, given: Given) -> Value:
    """The sum of probabilities, which they are divided by."""
    return Total(given[0]) if isinstance(given[0], Activated) else None


def shares(value: Activated) -> Activated:
    """Values divided by their sum; for those of a softmax that is 1."""
    return replace(value, shares=value.kind != "softmax")
