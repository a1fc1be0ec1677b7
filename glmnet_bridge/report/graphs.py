"""Graphs: a network as nodes and edges, whatever its layers are.

    layers, one after the other  ->  for each unit the node that carries it  ->  edges between nodes

What holds weights makes nodes. Scalers, activations and picked columns lie between the edges; values that
skip connections add meet in one node; a fixed matrix (a frozen layer) has edges of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.model.layers import Activation, Affine, Contrast, Fixed, Gain, Normalise, bare
from glmnet_bridge.model.networks import Network, paths

Array = np.ndarray


@dataclass(slots=True)
class _Node:
    """Where it stands, counted in layers of nodes, and its name; a `fresh` one is a sum that can take more."""

    column: int
    name: str = ""
    spread: float = np.nan


@dataclass(frozen=True, slots=True)
class _Unit:
    """What carries a unit: `times` the value of a node; `fresh` while nothing else has been made of it."""

    node: _Node
    times: float = 1.0
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class _Edge:
    """A weight between two nodes; without a source it is a bias."""

    source: _Unit | None
    target: _Node
    weight: float


@dataclass(slots=True)
class _Graph:
    """What has been found so far."""

    edges: list[_Edge] = field(default_factory=list)

    def dense(self, units: list[_Unit], kernel: Array, bias: Array | None) -> list[_Unit]:
        """Nodes with an edge for each entry of the kernel `(inputs, outputs)` and of the bias."""
        column = 1 + max((unit.node.column for unit in units), default=0)
        made = [_Node(column) for _ in range(kernel.shape[1])]
        for j, target in enumerate(made):
            self.edges += [_Edge(unit, target, float(kernel[i, j])) for i, unit in enumerate(units)]
            if bias is not None:
                self.edges.append(_Edge(None, target, float(bias[j])))
        return [_Unit(node, fresh=True) for node in made]

    def gain(self, units: list[_Unit], layer: Gain, theta: Array) -> list[_Unit]:
        """A node for each unit, with its gain and its shift."""
        gains = theta[: layer.inputs] if layer.gain else np.ones(layer.inputs)
        found = [self.dense([unit], np.array([[times]]), None)[0] for unit, times in zip(units, gains, strict=True)]
        if layer.shift:
            shifts = zip(found, theta[-layer.inputs :], strict=True)
            self.edges += [_Edge(None, unit.node, float(shift)) for unit, shift in shifts]
        return found

    def fixed(self, units: list[_Unit], layer: Fixed) -> list[_Unit]:
        """Picked and added units keep their nodes; any other matrix is drawn with its own numbers."""
        picked = [np.flatnonzero(column) for column in layer.matrix.T]
        if all(len(at) == 1 for at in picked):
            return [_Unit(units[at].node, units[at].times * layer.matrix[at, j], units[at].fresh)
                    for j, (at,) in enumerate(picked)]  # fmt: skip
        parts = [[units[i] for i in at] for at in picked]
        nodes = [id(unit.node) for part in parts for unit in part]
        once = len(set(nodes)) == len(nodes)
        if layer.kind == "sum" and once and all(unit.fresh for part in parts for unit in part):
            return [self.merged(part) for part in parts]
        before = len(self.edges)
        found = self.dense(units, layer.matrix, layer.constant)
        self.edges[before:] = [edge for edge in self.edges[before:] if edge.weight]
        return found

    def merged(self, parts: list[_Unit]) -> _Unit:
        """One node for values that are added: all their edges end there."""
        whole = _Node(max(unit.node.column for unit in parts))
        gone = [unit.node for unit in parts]
        self.edges = [
            _Edge(edge.source, whole, edge.weight) if any(edge.target is node for node in gone) else edge
            for edge in self.edges
        ]
        return _Unit(whole, fresh=True)


def edges(network: Network, theta: Array, scales: Array | None = None, outputs: Sequence[str] = ()) -> pd.DataFrame:
    """The weights of a network as edges: `layer, source, into, target, weight, size`.

    Parameters
    ----------
    network : layers of units
    theta : (P,) parameters
    scales : (d,) standard deviation of each input; the size of an edge from an input is its weight times
        that of what it is fed. None: sizes are the weights
    outputs : names of the last nodes, where there are so many

    Returns
    -------
    frame, one row per weight; `layer` and `into` are the layers of nodes that it leads from and to, inputs being
    layer 0; sources and targets are names; a bias has the source "bias" and no size (it depends on where zero
    lies)
    """
    names = network.inputs.names
    spread = np.ones(len(names)) if scales is None else np.asarray(scales)
    inputs = [_Node(0, str(name), float(each)) for name, each in zip(names, spread, strict=True)]
    graph, units = _Graph(), [_Unit(node) for node in inputs]
    for whole, run in zip(network.layers, network.slices(), strict=True):
        reads, keeps = paths(whole)
        made = _made(graph, bare(whole), [units[at] for at in reads], theta[run])
        units = [units[at] for at in keeps] + made
    _name(graph, list({id(unit.node): unit.node for unit in units}.values()), list(outputs))
    rows = [_row(edge) for edge in graph.edges]
    found = pd.DataFrame(rows, columns=["layer", "source", "into", "target", "weight", "size"])
    return found.sort_values("into", kind="stable", ignore_index=True)


def logit_names(network: Network, others: Sequence[str], base: str) -> tuple[str, ...]:
    """Names of the last nodes: those of the linear predictors, with the base class among them if it has a logit."""
    last = bare(network.layers[-1])
    if not isinstance(last, Contrast) or len(others) != last.outputs:
        return tuple(others)
    places = last.others or [j for j in range(last.inputs) if j != last.base]
    names = dict(zip(places, others, strict=True)) | {last.base: base}
    return tuple(names[j] for j in range(last.inputs))


def _made(graph: _Graph, layer: Any, units: list[_Unit], theta: Array) -> list[_Unit]:
    """The units that a layer makes of others."""
    if isinstance(layer, Affine):
        kernel, bias = layer.weights(theta)
        return graph.dense(units, kernel, bias if layer.bias else None)
    if isinstance(layer, Gain):
        return graph.gain(units, layer, theta)
    if isinstance(layer, Fixed):
        return graph.fixed(units, layer)
    if isinstance(layer, Normalise):
        return [_Unit(unit.node, unit.times / scale) for unit, scale in zip(units, layer.scale, strict=True)]
    if isinstance(layer, Activation):
        return [_Unit(unit.node, unit.times) for unit in units]
    return units  # differences of logits: the last nodes are the logits


def _name(graph: _Graph, last: list[_Node], outputs: list[str]) -> None:
    """Names of all nodes that are no inputs; those of the outputs stand behind all others."""
    both = [node for edge in graph.edges for node in (edge.target, edge.source.node if edge.source else edge.target)]
    nodes = [node for node in {id(node): node for node in both}.values() if node.column]
    end = max((node.column for node in nodes), default=0)
    ends = {id(node) for node in last}
    if any(node.column == end and id(node) not in ends for node in nodes):
        end += 1
    given = outputs if len(outputs) == len(last) else [f"output.{j}" for j in range(len(last))]
    for node, name in zip(last, ["output"] if len(last) == 1 and len(outputs) < 2 else given, strict=True):
        if node.column:
            node.column, node.name = end, name
    counts: dict[int, int] = {}
    for node in nodes:
        if not node.name:
            counts[node.column] = counts.get(node.column, -1) + 1
            node.name = f"hidden {node.column}.{counts[node.column]}"


def _row(edge: _Edge) -> tuple[int, str, int, str, float, float]:
    target, unit = edge.target, edge.source
    if unit is None or (unit.node.column == 0 and unit.node.name == "Intercept"):
        return target.column - 1, "bias", target.column, target.name, edge.weight, np.nan
    spread = unit.node.spread if unit.node.column == 0 else 1.0
    return (
        unit.node.column, unit.node.name, target.column, target.name, edge.weight,
        abs(edge.weight * unit.times) * spread,
    )  # fmt: skip
