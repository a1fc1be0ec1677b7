"""Walks: the state of a walk over a `Graph` of Keras, from values to wires.

An activation is not applied where it stands but when its value is used; the one that nobody uses
stands at the end, and is the inverse link. What each layer does is in `keras.layers`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters import outputs
from glmnet_bridge.adapters.keras.graphs import Graph, Node
from glmnet_bridge.adapters.wirings import Wire, Wiring
from glmnet_bridge.errors import ReadError
from glmnet_bridge.mapping.features import Feature
from glmnet_bridge.mapping.raws import Intake
from glmnet_bridge.model.layers import ACTIVATIONS, Activation
from glmnet_bridge.model.networks import Network

Array = np.ndarray
Function = Callable[[pd.DataFrame], Array]


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """Units `(...)` of one row, and the activation that is still to be applied to them, with who asks for it."""

    units: Array
    after: str = "identity"
    by: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Walked:
    """A graph as a network.

    Attributes
    ----------
    intake : the raw inputs
    network, theta : our reading
    activation : what stands behind the last layer
    folded : sentences
    origins : the node of each weight, and which of its arrays it is in
    limits : how many levels a raw input has, by its place, with the layer that says so
    """

    intake: Intake
    network: Network
    theta: Array
    activation: str
    folded: tuple[str, ...]
    origins: dict[str, tuple[Node, str]]
    limits: tuple[tuple[int, int, str], ...]


class Walker:
    """What is known on the way: a value for each node."""

    def __init__(self, graph: Graph, epsilon: float) -> None:
        self.graph, self.epsilon = graph, epsilon
        self.names = _input_names(graph)
        self.wiring = Wiring(self.names)
        self.values: list[Value] = []
        self.folded: list[str] = []
        self.origins: dict[str, tuple[Node, str]] = {}
        self.limits: list[tuple[int, int, str]] = []
        self.codes: dict[int, tuple[int, Function]] = {}
        self.shown: dict[tuple[int, int], Function] = {}
        self.settled: dict[tuple[bytes, str], Array] = {}
        learnt = [node for node in graph.nodes if _learns(node)]
        self.thawed = bool(learnt) and all(node.frozen for node in learnt)
        if self.thawed:
            self.folded.append("The whole model is set trainable=False; its weights are read as learnt all the same.")

    def input(self, node: Node) -> Value:
        """The raw inputs of one of the model's inputs."""
        at = self.graph.inputs.index(len(self.values))
        start = sum(self.graph.widths[:at])
        units = np.array(self.wiring.inputs[start : start + self.graph.widths[at]], dtype=int)
        return Value(units.reshape(node.shape))

    def finish(self) -> Walked:
        """The network, down to what the output's activation is applied to."""
        value = self.values[self.graph.output]
        known = value.after in outputs.OUTPUTS
        units = value.units if known else self.units(value)
        network, theta, features = self.wiring.network(tuple(units.ravel().tolist()))
        groups = tuple(
            (self.graph.nodes[at].name, width) for at, width in zip(self.graph.inputs, self.graph.widths, strict=True)
        )
        return Walked(
            intake=Intake(self.names, features, groups=groups if len(groups) > 1 else ()),
            network=network,
            theta=theta,
            activation=value.after if known else "linear",
            folded=tuple(dict.fromkeys(self.folded)),
            origins=self.origins,
            limits=tuple(self.limits),
        )

    # --- values ----------------------------------------------------------------------------

    def units(self, value: Value) -> Array:
        """The units of a value that is used: its activation is applied now."""
        if value.after == "identity":
            return value.units
        if value.after not in ACTIVATIONS:
            raise ReadError(
                f"{value.by} applies {value.after!r}, which is not read before the end of a network. Activations that "
                f"are read there: {', '.join(word for word in ACTIVATIONS if word != 'identity')}."
            )
        key = (value.units.tobytes(), value.after)
        if key not in self.settled:
            wire = value.units.ravel().tolist()
            made = self.wiring.add(Activation(len(wire), value.after, value.name), wire)
            self.settled[key] = np.array(made).reshape(value.units.shape)
        return self.settled[key]

    def activated(self, node: Node, units: Array, kind: str) -> Value:
        """Units with an activation to come."""
        if kind == "softmax" and units.shape[-1:] == (1,):
            raise ReadError(
                f"{node.label} is a softmax over one unit, which is 1 whatever its weights. Use a sigmoid on one unit, "
                "or a softmax over two."
            )
        if kind not in ACTIVATIONS and kind not in outputs.OUTPUTS:
            raise ReadError(
                f"{node.label} has the activation {kind!r}, which is not read. Those that are read: linear, relu, "
                "leaky_relu with slope 0.01, sigmoid, tanh; at the end softmax and exponential too."
            )
        return Value(units, kind, node.label, node.name)

    def learn(self, layer: Any, node: Node, wire: Sequence[int], weights: Sequence[str]) -> Wire:
        """A layer with weights of its own."""
        entries: list[str] = []
        for name in weights:
            found = node.array(name)
            entries += [f"{node.path(name)}[{', '.join(map(str, at))}]" for at in np.ndindex(found.shape)]
            self.origins |= dict.fromkeys(entries[-found.size :], (node, name))
        values = np.concatenate([node.array(name).ravel() for name in weights])
        return self.wiring.add(layer, wire, values, entries)

    def still(self, node: Node) -> bool:
        """Whether training cannot change it."""
        frozen = node.frozen and not self.thawed
        if frozen:
            self.folded.append(f"{node.label} is frozen (trainable=False): its weights are taken as fixed numbers.")
        return frozen

    def levels(self, node: Node, unit: int, count: int) -> Wire:
        """Indicators of the codes 0 to count - 1 of a raw input, or of codes computed from one."""
        if unit in self.codes:
            source, function = self.codes[unit]
            shown = self.shown.setdefault((unit, count), functools.partial(_indicators, function, count))
            name = f"{self.names[source]}, {node.name}"
            made = (self.wiring.feature(Feature(f"{name}[{j}]", source, (), shown, j)) for j in range(count))
            return tuple(unit for (unit,) in made)
        if unit not in self.wiring.inputs:
            raise ReadError(f"{node.label} reads codes of a computed value; only those of a raw input are read.")
        self.limits.append((self.wiring.inputs.index(unit), count, node.label))
        return self.wiring.levels(unit, range(count), node.name)


def _indicators(function: Function, count: int, table: pd.DataFrame) -> Array:
    return (function(table)[:, :1] == np.arange(count)).astype(float)


def _learns(node: Node) -> bool:
    return any(name in ("kernel", "bias", "embeddings", "gamma", "beta") for name in node.weights or {})


def _input_names(graph: Graph) -> tuple[str, ...]:
    """Names of the raw inputs: the input's own, numbered where it has several columns."""
    names: list[str] = []
    for at, width in zip(graph.inputs, graph.widths, strict=True):
        name = graph.nodes[at].name
        names += [name] if width == 1 else [f"{name}[{j}]" for j in range(width)]
    return tuple(names)
