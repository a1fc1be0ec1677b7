"""Configurations: what the JSON of a Keras layer says, in our words."""

from __future__ import annotations

from typing import Any

import numpy as np

from glmnet_bridge.adapters.keras.graphs import Node
from glmnet_bridge.errors import ReadError

Array = np.ndarray

WORDS = {"linear": "identity", "exp": "exponential"}


def activation(node: Node, given: Any = None) -> str:
    """Our name of the activation of a layer, fused (`given`) or its own."""
    config = node.config
    if node.kind in ("LeakyReLU", "LeakyRelu", "ReLU", "Relu"):
        return _rectifier(node)
    if node.kind == "Softmax" and config.get("axis", -1) not in (-1, 1):
        raise ReadError(f"{node.label} works along axis {config['axis']}; the last one is read.")
    word = given if node.kind == "Dense" else config.get("activation", node.kind.lower())
    while isinstance(word, dict):
        inner = word.get("config")
        if word.get("class_name") in ("LeakyReLU", "ReLU") and isinstance(inner, dict):
            return _rectifier(Node(node.name, word["class_name"], inner))
        word = inner if word.get("class_name") == "function" else (word.get("class_name") or "unknown").lower()
    return WORDS.get(str(word or "linear"), str(word))


def _rectifier(node: Node) -> str:
    """relu, or leaky_relu with the one slope that is read."""
    default = 0.0 if node.kind.lower() == "relu" else 0.3 if node.kind == "LeakyReLU" else 0.2
    slope = float(number(node.config.get("negative_slope", default)))
    if node.config.get("max_value") is not None or node.config.get("threshold"):
        raise ReadError(f"{node.label} has a max_value or a threshold, which is not read. Use a plain ReLU.")
    if slope not in (0.0, 0.01) and abs(slope - 0.01) > 1e-9:
        raise ReadError(f"{node.label} has the slope {slope:g} below 0; a ReLU is read, or a LeakyReLU of slope 0.01.")
    return "leaky_relu" if slope else "relu"


def moments(node: Node, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Mean and variance of a Normalization for each value of a row, `shape` both."""
    rank = len(shape) + 1
    kept = sorted(axis % rank for axis in node.config.get("axis") or ())
    if 0 in kept:
        raise ReadError(f"{node.label} normalises each row by itself, which no GLM does.")
    out = []
    for name in ("mean", "variance"):
        own = node.array(name) if node.weights else np.asarray(number(node.config[name]))
        stretched = np.ones(rank - 1, dtype=int)
        for size, axis in zip(own.shape[::-1], kept[::-1], strict=False):
            stretched[axis - 1] = size
        out.append(np.broadcast_to(own.reshape(stretched), shape).astype(float))
    return out[0], out[1]


def number(value: Any) -> Array:
    """A number or a list of them, as it stands in a configuration."""
    if isinstance(value, dict):
        value = value["config"]["value"]
    return np.asarray(value, dtype=float)


def check_plain(node: Node) -> None:
    """Refuse weights that are kept in another form than they are used."""
    if node.config.get("quantization_config") or node.config.get("lora_rank"):
        raise ReadError(f"{node.label} keeps its weights quantised or as LoRA factors. Merge them, and save again.")


def dtype(node: Node) -> str:
    """The type that a layer computes in, as numpy calls it; bfloat16 counts as float16."""
    policy = node.config.get("dtype") or "float32"
    if isinstance(policy, dict):
        policy = (policy.get("config") or {}).get("name", "float32")
    return {"mixed_float16": "float16", "mixed_bfloat16": "float16", "bfloat16": "float16"}.get(policy, policy)
