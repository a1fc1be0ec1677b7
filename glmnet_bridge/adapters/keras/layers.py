"""Layers of Keras as steps of our network: what each kind of node does to the values that it is fed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.keras.configs import activation, check_plain, dtype, moments, number
from glmnet_bridge.adapters.keras.graphs import Graph, Node, Ref
from glmnet_bridge.adapters.keras.shapes import SHAPES, by_row, constants, moved
from glmnet_bridge.adapters.keras.walks import Value, Walked, Walker
from glmnet_bridge.errors import ReadError
from glmnet_bridge.mapping.features import Feature
from glmnet_bridge.model.layers import Affine, Gain, Normalise

Array = np.ndarray

NOISE = (
    "Dropout",
    "AlphaDropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "GaussianNoise",
    "GaussianDropout",
)
WHY = {
    "LayerNormalization": "divides each row by its own spread",
    "GroupNormalization": "divides each row by its own spread",
    "UnitNormalization": "divides each row by its own length",
    "Lambda": "runs Python code",
    **dict.fromkeys(
        ("StringLookup", "IntegerLookup", "Hashing", "TextVectorization"),
        "looks values up (keep categories in the formula, and train the network on their codes or indicators)",
    ),
}


def walk(graph: Graph, epsilon: float = 1e-7) -> Walked:
    """Lay a graph out as a chain of layers.

    Parameters
    ----------
    graph : of the model
    epsilon : the least standard deviation that a Normalization divides by

    Raises
    ------
    ReadError
        naming the layer that cannot be read
    """
    walker = Walker(graph, epsilon)
    for node in graph.nodes:
        walker.values.append(_value(walker, node))
    return walker.finish()


def _value(walker: Walker, node: Node) -> Value:
    if node.kind == "InputLayer":
        return walker.input(node)
    given = [walker.values[ref.node] for ref in node.feeds if isinstance(ref, Ref)]
    if node.kind in SHAPES:
        return _shaped(walker, node, given)
    if node.kind not in LAYERS:
        raise _unknown(node)
    return LAYERS[node.kind](walker, node, given)


def _shaped(walker: Walker, node: Node, given: list[Value]) -> Value:
    if node.kind in NOISE:
        walker.folded.append(
            f"{node.label} is the identity at inference; in training it is a penalty without GLM counterpart."
        )
    first = given[0]
    if len(given) > 1:
        return Value(moved(node, [walker.units(value) for value in given]))
    units = moved(node, [first.units])
    if first.after == "softmax" and units.shape != first.units.shape:  # the others are of each unit: they may wait
        raise ReadError(f"{node.label} stands behind a softmax, whose values belong together. Put it in front.")
    return Value(units, first.after, first.by, first.name)


# --- layers ---------------------------------------------------------------------------------


def _dense(walker: Walker, node: Node, given: list[Value]) -> Value:
    check_plain(node)
    units = walker.units(given[0])
    kernel, bias = node.array("kernel"), "bias" in (node.weights or {})
    width = units.shape[-1] if units.ndim else 0
    if units.size != width:
        raise ReadError(
            f"{node.label} is applied along the last axis of {units.shape} values, with the same weights each time, "
            "which is not read. Flatten its input."
        )
    if kernel.shape != (width, node.config["units"]):
        raise ReadError(
            f"{node.label} is fed {width} values and has {node.config['units']} units, but its kernel has the shape "
            f"{kernel.shape}. The weights belong to another model."
        )
    wire = units.ravel().tolist()
    if walker.still(node):
        made = walker.wiring.fixed(kernel, wire, node.array("bias") if bias else None, node.name, "frozen")
    else:
        layer = Affine(width, kernel.shape[1], bias, node.name)
        made = walker.learn(layer, node, wire, ["kernel", "bias"] if bias else ["kernel"])
    out = np.array(made).reshape(*units.shape[:-1], kernel.shape[1])
    return walker.activated(node, out, activation(node, node.config.get("activation")))


def _embedding(walker: Walker, node: Node, given: list[Value]) -> Value:
    check_plain(node)
    units = walker.units(given[0])
    if units.size != 1:
        raise ReadError(
            f"{node.label} is applied to {units.size} columns with the same table, which is not read. Give each column "
            "an Embedding of its own."
        )
    table = node.array("embeddings")
    wire = walker.levels(node, int(units.ravel()[0]), len(table))
    if walker.still(node):
        made = walker.wiring.fixed(table, wire, None, node.name, "frozen")
    else:
        made = walker.learn(Affine(len(table), table.shape[1], False, node.name), node, wire, ["embeddings"])
    return Value(np.array(made).reshape(*units.shape, table.shape[1]))


def _normalization(walker: Walker, node: Node, given: list[Value]) -> Value:
    units = walker.units(given[0])
    mean, variance = moments(node, units.shape)
    if not mean.any() and (variance == 1.0).all():
        walker.folded.append(f"{node.label} has mean 0 and variance 1: it was never adapted, and does nothing.")
    scale = np.maximum(np.sqrt(variance), walker.epsilon)
    wire = units.ravel().tolist()
    if node.config.get("invert"):
        made = walker.wiring.fixed(scale.ravel(), wire, mean.ravel(), node.name, "rescaling")
    else:
        made = walker.wiring.add(_scaler(node, mean.ravel(), scale.ravel()), wire)
    walker.folded.append(f"{node.label} is folded: its mean and variance are taken as fixed.")
    return Value(np.array(made).reshape(units.shape))


def _batch_normalization(walker: Walker, node: Node, given: list[Value]) -> Value:
    units = walker.units(given[0])
    if units.size != units.shape[-1] or node.config.get("axis", -1) not in (-1, units.ndim):
        raise ReadError(f"{node.label} is read along the last axis of one row of values only; this one is not.")
    wire = units.ravel().tolist()
    spread = np.sqrt(node.array("moving_variance") + node.config["epsilon"])
    made = walker.wiring.add(_scaler(node, node.array("moving_mean"), spread), wire)
    walker.folded.append(
        f"{node.label} in inference mode: its running moments are taken as fixed; standard errors ignore their "
        "estimation."
    )
    own = [name for name in ("gamma", "beta") if name in (node.weights or {})]
    if own and walker.still(node):
        gamma = node.array("gamma") if "gamma" in own else np.ones(units.size)
        made = walker.wiring.fixed(gamma, made, node.array("beta") if "beta" in own else None, node.name, "frozen")
    elif own:
        layer = Gain(units.size, "gamma" in own, "beta" in own, node.name)
        made = walker.learn(layer, node, made, own)
    return Value(np.array(made).reshape(units.shape))


def _scaler(node: Node, mean: Array, scale: Array) -> Normalise:
    if not (np.isfinite(mean).all() and np.isfinite(scale).all() and scale.all()):
        raise ReadError(f"{node.label} holds moments that are not finite: its data had missing or infinite values.")
    return Normalise(mean, scale, node.name)


def _rescaling(walker: Walker, node: Node, given: list[Value]) -> Value:
    units = walker.units(given[0])
    scale, offset = (np.broadcast_to(number(node.config[key]), units.shape).ravel() for key in ("scale", "offset"))
    made = walker.wiring.fixed(scale, units.ravel().tolist(), offset, node.name, "rescaling")
    return Value(np.array(made).reshape(units.shape))


def _combined(walker: Walker, node: Node, given: list[Value]) -> Value:
    """Sums, differences and means of values and constants."""
    signs = [1.0] * len(node.feeds)
    if node.kind in ("Subtract", "Negative"):
        signs[-1] = -1.0
    share = 1.0 / len(node.feeds) if node.kind == "Average" else 1.0
    units = [walker.units(value) for value in given]
    if node.layer and len({each.ndim for each in units}) > 1:
        raise ReadError(f"{node.label} joins values of {[each.shape for each in units]}. Reshape them to one shape.")
    numbers = constants(node)
    wide = by_row(node, lambda *rows: _spread(rows, numbers), units)
    shape = wide[0].shape
    weights = [share * sign for sign, each in zip(signs, node.feeds, strict=True) if isinstance(each, Ref)]
    added = [sign * each for sign, each in zip(signs, node.feeds, strict=True) if not isinstance(each, Ref)]
    matrix = np.vstack([np.diag(np.full(int(np.prod(shape)), weight)) for weight in weights])
    wire = [unit for each in wide for unit in each.ravel().tolist()]
    constant = sum((np.broadcast_to(each, shape).ravel() for each in map(np.asarray, added)), np.zeros(len(matrix[0])))
    made = walker.wiring.fixed(matrix, wire, constant, node.name, "sum" if len(weights) > 1 else "rescaling")
    return Value(np.array(made).reshape(shape))


def _spread(rows: Sequence[Array], numbers: Sequence[Array]) -> Array:
    """Values stretched to one shape, rows first `(rows, values, ...)`."""
    shape = np.broadcast_shapes(*(each.shape for each in rows), *(np.shape(each) for each in numbers))
    return np.stack([np.broadcast_to(each, shape) for each in rows], axis=1)


def _scaled(walker: Walker, node: Node, given: list[Value]) -> Value:
    """A value times constants, or divided by them."""
    numbers = constants(node)
    if len(given) > 1 or (node.kind != "Multiply" and not isinstance(node.feeds[0], Ref)):
        raise ReadError(
            f"{node.label} {'multiplies' if node.kind == 'Multiply' else 'divides by'} computed values, which no GLM "
            "does. A product of columns is an interaction: compute it before the network, and name it in inputs=."
        )
    units = by_row(node, lambda *rows: _spread(rows, numbers)[:, 0], [walker.units(given[0])])
    factor = functools.reduce(np.multiply, numbers, np.ones(units.shape))
    factor = np.broadcast_to(factor if node.kind == "Multiply" else 1.0 / factor, units.shape).ravel()
    made = walker.wiring.fixed(factor, units.ravel().tolist(), name=node.name, kind="rescaling")
    return Value(np.array(made).reshape(units.shape))


def _activation(walker: Walker, node: Node, given: list[Value]) -> Value:
    return walker.activated(node, walker.units(given[0]), activation(node))


def _category(walker: Walker, node: Node, given: list[Value]) -> Value:
    units, count = walker.units(given[0]), int(node.config["num_tokens"])
    mode = node.config.get("output_mode", "multi_hot")
    if len(given) > 1 or mode not in ("one_hot", "multi_hot") or units.size != 1:
        raise ReadError(
            f"{node.label} codes {units.size} columns as {mode}; a single column as one_hot or multi_hot is read. Give "
            "each column a CategoryEncoding of its own."
        )
    made = walker.levels(node, int(units.ravel()[0]), count)
    return Value(np.array(made).reshape(*units.shape[:-1], count))


def _discretization(walker: Walker, node: Node, given: list[Value]) -> Value:
    """Bins of raw inputs: a computed feature, or the codes that an Embedding reads."""
    units, edges = walker.units(given[0]), node.config.get("bin_boundaries")
    mode = node.config.get("output_mode", "int")
    if edges is None or mode not in ("int", "one_hot") or (mode == "one_hot" and units.size != 1):
        raise ReadError(f"{node.label} has output_mode={mode!r} and boundaries {edges}; int, or one_hot of one column.")
    made: list[int] = []
    for unit in units.ravel().tolist():
        if unit not in walker.wiring.inputs:
            raise ReadError(f"{node.label} cuts a computed value into bins; only raw inputs are read.")
        source = walker.wiring.inputs.index(unit)
        function = functools.partial(_bins, np.asarray(edges, dtype=dtype(node)))
        made += walker.wiring.feature(Feature(f"{node.name}({walker.names[source]})", source, (), function))
        walker.codes[made[-1]] = (source, function)
    walker.folded.append(f"{node.label} cuts its input at {', '.join(f'{edge:g}' for edge in edges)}.")
    if mode == "int":
        return Value(np.array(made).reshape(units.shape))
    return Value(np.array(walker.levels(node, made[0], len(edges) + 1)).reshape(*units.shape[:-1], -1))


def _bins(edges: Array, table: pd.DataFrame) -> Array:
    return np.digitize(table.to_numpy(dtype=edges.dtype), edges).astype(float)


LAYERS: dict[str, Callable[[Walker, Node, list[Value]], Value]] = {
    "Dense": _dense,
    "Embedding": _embedding,
    "Normalization": _normalization,
    "BatchNormalization": _batch_normalization,
    "Rescaling": _rescaling,
    "Add": _combined,
    "Subtract": _combined,
    "Negative": _combined,
    "Average": _combined,
    "Multiply": _scaled,
    "Divide": _scaled,
    "TrueDivide": _scaled,
    "CategoryEncoding": _category,
    "Discretization": _discretization,
    **dict.fromkeys(
        ("Activation", "ReLU", "LeakyReLU", "Softmax", "Sigmoid", "Tanh", "Exp", "Relu", "LeakyRelu"), _activation
    ),
}


def _unknown(node: Node) -> ReadError:
    why = WHY.get(node.kind)
    read = [kind for kind in (*LAYERS, *SHAPES) if kind not in NOISE]
    return ReadError(
        f"{node.label} is not read{f': it {why}' if why else ''}. Layers and operations that are read: "
        f"{', '.join(sorted(read))}. Build the network of those, or end it before this one."
    )
