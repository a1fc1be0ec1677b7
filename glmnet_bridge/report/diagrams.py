"""Diagrams: a network with its names; width by size, colour and line by sign.

    edges of a network -> places of its nodes -> matplotlib, or a small SVG for notebooks

A layer of many nodes shows its largest and says how many more there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmnet_bridge.model.networks import Affine, Network
from glmnet_bridge.report import canvas, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray
MOST_NODES = 14


def edges(network: Network, theta: Array, scales: Array | None = None) -> pd.DataFrame:
    """The weights of a network as edges: `layer, source, target, weight, size`.

    Parameters
    ----------
    network : layers of units; what is fixed (activations, scalers) lies between the edges
    theta : (P,) parameters
    scales : (d,) standard deviation of each input; the size of an edge of the first layer is its
        weight times that of its input. None: sizes are the weights

    Returns
    -------
    frame, one row per weight; `layer` counts from 0, sources and targets are names; a bias has the
    source "bias" and the size of its weight
    """
    found, sources = [], [str(name) for name in network.inputs.names]
    affine = [pair for pair in zip(network.layers, network.slices(), strict=True) if isinstance(pair[0], Affine)]
    for number, (layer, run) in enumerate(affine):
        kernel, bias = layer.weights(theta[run])
        last = number == len(affine) - 1
        targets = _targets(layer, number, last)
        spread = np.ones(len(sources)) if scales is None or number else np.asarray(scales)
        for j, target in enumerate(targets):
            for i, source in enumerate(sources):
                constant = number == 0 and source == "Intercept"
                size = abs(kernel[i, j]) * (1.0 if constant else spread[i])
                found.append((number, "bias" if constant else source, target, kernel[i, j], size))
            if layer.bias:
                found.append((number, "bias", target, bias[j], abs(bias[j])))
        sources = targets
    return pd.DataFrame(found, columns=["layer", "source", "target", "weight", "size"])


def _targets(layer: Affine, number: int, last: bool) -> list[str]:
    if last and layer.outputs == 1:
        return ["output"]
    return [f"{'output' if last else f'hidden {number + 1}'}.{unit}" for unit in range(layer.outputs)]


@dataclass(frozen=True, slots=True)
class Plan:
    """Where nodes and edges are drawn, in a unit square.

    Attributes
    ----------
    nodes : `layer, name, label, x, y, kind`; kind is "input", "bias", "unit", "output" or "more"
    edges : `x0, y0, x1, y1, weight, width, kind`, widths from 0 to 1
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame


def plan(data: pd.DataFrame, most: int = MOST_NODES) -> Plan:
    """Places for the nodes of `edges`, the largest `most` of each layer."""
    last = int(data["layer"].max())
    rows = []
    for layer in range(last + 2):
        part = data[data["layer"] == layer] if layer <= last else data[data["layer"] == last]
        end = "source" if layer <= last else "target"
        names = list(dict.fromkeys(part[end]))
        names = [name for name in names if name != "bias"] + ["bias"] * ("bias" in names)
        shown = _largest(part, end, names, most)
        labels = [*shown, *([f"... {len(names) - len(shown)} more"] if len(shown) < len(names) else [])]
        height = np.linspace(1.0, 0.0, len(labels)) if len(labels) > 1 else np.array([0.5])
        for name, y in zip(labels, height, strict=True):
            rows.append((layer, name, layer / (last + 1), float(y), _kind(name, shown, layer, last)))
    nodes = pd.DataFrame(rows, columns=["layer", "name", "x", "y", "kind"])
    return Plan(nodes, _lines(data, nodes))


def _largest(part: pd.DataFrame, end: str, names: list[str], most: int) -> list[str]:
    if len(names) <= most:
        return names
    best = part.groupby(end)["size"].max().sort_values(ascending=False, kind="stable").index[: most - 1]
    return [name for name in names if name in set(best)]


def _kind(name: str, shown: list[str], layer: int, last: int) -> str:
    if name not in shown:
        return "more"
    if name == "bias":
        return "bias"
    return "input" if layer == 0 else "output" if layer > last else "unit"


def _lines(data: pd.DataFrame, nodes: pd.DataFrame) -> pd.DataFrame:
    at = {(int(row.layer), row.name): (row.x, row.y) for row in nodes.itertuples(index=False)}
    most = {layer: part["size"].max() or 1.0 for layer, part in data.groupby("layer")}
    found = [
        (*at[layer, source], *at[layer + 1, target], source, target, weight, size / most[layer])
        for layer, source, target, weight, size in data.itertuples(index=False)
        if (layer, source) in at and (layer + 1, target) in at and np.isfinite(weight)
    ]
    return pd.DataFrame(found, columns=["x0", "y0", "x1", "y1", "source", "target", "weight", "width"])


def draw_network(
    data: pd.DataFrame,
    *,
    activation: str,
    response: str,
    below: str = "",
    most: int = MOST_NODES,
    ax: Axes | None = None,
) -> Axes:
    """Circles and lines with names and weights.

    Parameters
    ----------
    data : what `edges` returns
    activation : of the output: the inverse link
    response : what the output is
    below : what the width of a line means
    most : nodes per layer
    """
    laid = plan(data, most)
    rows = laid.nodes["layer"].value_counts().max()
    ax = canvas.panel(ax, 7.0, max(2.6, 0.9 + 0.36 * rows))
    plain = int(data["layer"].max()) == 0
    for line in laid.edges.itertuples(index=False):
        colour, style = _ink(line.weight)
        ax.plot([line.x0, line.x1], [line.y0, line.y1], color=colour, linestyle=style, zorder=1,
                linewidth=0.6 + 5.4 * line.width, alpha=0.85, solid_capstyle="butt")  # fmt: skip
        if plain:
            x = 0.22
            y = line.y0 + x * (line.y1 - line.y0)
            ax.text(x, y, numbers.significant(line.weight, 3), fontsize=8, ha="center", va="center",
                    bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8})  # fmt: skip
    _draw_nodes(ax, laid.nodes, activation, response)
    ax.set_xlim(-0.45, 1.4)
    ax.set_ylim(-0.12, 1.12)
    ax.axis("off")
    canvas.title(ax, "The network", below)
    return ax


def _ink(weight: float) -> tuple[str, object]:
    return (canvas.GLM, "solid") if weight >= 0 else (canvas.NETWORK, (0, (3, 1.2)))


def _draw_nodes(ax: Axes, nodes: pd.DataFrame, activation: str, response: str) -> None:
    for node in nodes.itertuples(index=False):
        if node.kind == "more":
            ax.text(node.x, node.y, canvas.label(node.name), ha="right" if node.x == 0 else "center", va="center",
                    fontsize=9, color=canvas.DATA)  # fmt: skip
            continue
        fill = {"bias": "#e0e0e0", "output": "#cfe6f3"}.get(node.kind, "white")
        size = 520 if node.kind == "output" else 150
        ax.scatter([node.x], [node.y], s=size, facecolors=fill, edgecolors="black", linewidth=1.1, zorder=2)
        if node.kind in ("input", "bias") and node.x == 0:
            ax.annotate(canvas.shortened(node.name, 34), (node.x, node.y), (-10, 0), textcoords="offset points",
                        ha="right", va="center", fontsize=9)  # fmt: skip
        if node.kind == "output":
            ax.annotate(f"{canvas.shortened(response, 30)}\n{canvas.label(activation)}", (node.x, node.y), (17, 0),
                        textcoords="offset points", ha="left", va="center", fontsize=9)  # fmt: skip
