"""Numbers: a graph of Keras computed with numpy, activation included, where Keras itself is not at hand.

It runs the graph as it stands, tensor by tensor and in double precision; our reading is compared with it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import numpy as np
import scipy

from glmnet_bridge.adapters.keras.configs import activation, dtype, moments, number
from glmnet_bridge.adapters.keras.graphs import Graph, Node, Ref
from glmnet_bridge.adapters.keras.shapes import SHAPES

Array = np.ndarray

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": np.positive,
    "relu": lambda z: np.maximum(z, 0.0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "sigmoid": lambda z: scipy.special.expit(z),
    "tanh": np.tanh,
    "exponential": np.exp,
    "softmax": lambda z: scipy.special.softmax(z, axis=-1),
}


def run(graph: Graph, inputs: Mapping[str, Array], epsilon: float = 1e-7) -> Array:
    """The model's output `(m, ...)` for its inputs by name, each `(m, ...)`.

    Parameters
    ----------
    graph : of the model
    inputs : as `Graph.split` gives them
    epsilon : the least standard deviation that a Normalization divides by
    """
    values: list[Array] = []
    for node in graph.nodes:
        if node.kind == "InputLayer":
            values.append(inputs[node.name])
            continue
        feeds = [values[each.node] if isinstance(each, Ref) else each for each in node.feeds]
        if node.kind in SHAPES:
            given = [each for each, kind in zip(feeds, node.feeds, strict=True) if isinstance(kind, Ref)]
            values.append(SHAPES[node.kind](node, *given))
        elif node.kind == "Normalization":
            values.append(_normalization(node, feeds[0], epsilon))
        else:
            values.append(NUMBERS[node.kind](node, *feeds))
    return values[graph.output]


def _dense(node: Node, x: Array) -> Array:
    out = x @ node.array("kernel")
    if "bias" in (node.weights or {}):
        out = out + node.array("bias")
    return ACTIVATIONS[activation(node, node.config.get("activation"))](out)


def _embedding(node: Node, x: Array) -> Array:
    return node.array("embeddings")[x.astype(np.int32)]


def _normalization(node: Node, x: Array, epsilon: float) -> Array:
    mean, variance = moments(node, x.shape[1:])
    scale = np.maximum(np.sqrt(variance), epsilon)
    return mean + x * scale if node.config.get("invert") else (x - mean) / scale


def _batch_normalization(node: Node, x: Array) -> Array:
    out = (x - node.array("moving_mean")) / np.sqrt(node.array("moving_variance") + node.config["epsilon"])
    held = node.weights or {}
    out = out * node.array("gamma") if "gamma" in held else out
    return out + node.array("beta") if "beta" in held else out


def _rescaling(node: Node, x: Array) -> Array:
    return x * number(node.config["scale"]) + number(node.config["offset"])


def _sum(node: Node, *parts: Array) -> Array:
    return functools.reduce(np.add, parts)


def _category(node: Node, x: Array) -> Array:
    return np.asarray(x.reshape(len(x), -1)[:, :1] == np.arange(node.config["num_tokens"]), dtype=float)


def _discretization(node: Node, x: Array) -> Array:
    edges = np.asarray(node.config["bin_boundaries"], dtype=dtype(node))
    bins = np.digitize(x.astype(edges.dtype), edges)
    if node.config.get("output_mode", "int") == "int":
        return bins
    return np.asarray(bins == np.arange(len(edges) + 1), dtype=float)


def _activated(node: Node, x: Array) -> Array:
    return ACTIVATIONS[activation(node)](x)


NUMBERS: dict[str, Callable[..., Array]] = {
    "Dense": _dense,
    "Embedding": _embedding,
    "BatchNormalization": _batch_normalization,
    "Rescaling": _rescaling,
    "Add": _sum,
    "Subtract": lambda node, a, b: a - b,
    "Negative": lambda node, x: -x,
    "Average": lambda node, *parts: _sum(node, *parts) / len(parts),
    "Multiply": lambda node, *parts: functools.reduce(np.multiply, parts),
    "Divide": lambda node, a, b: a / b,
    "TrueDivide": lambda node, a, b: a / b,
    "CategoryEncoding": _category,
    "Discretization": _discretization,
    **dict.fromkeys(
        ("Activation", "ReLU", "LeakyReLU", "Softmax", "Sigmoid", "Tanh", "Exp", "Relu", "LeakyRelu"), _activated
    ),
}
