"""Diagrams: a network with its names; width by size, colour and line by sign.

    edges of a network -> places of its nodes -> matplotlib, or a small SVG for notebooks

A layer of many nodes shows its largest and says how many more there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.model.layers import Affine
from glmnet_bridge.model.networks import Network
from glmnet_bridge.report import canvas, numbers, renderers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray
MOST_NODES = 14


def edges(network: Network, theta: Array, scales: Array | None = None, outputs: tuple[str, ...] = ()) -> pd.DataFrame:
    """The weights of a network as edges: `layer, source, target, weight, size`.

    Parameters
    ----------
    network : layers of units; what is fixed (activations, scalers) lies between the edges
    theta : (P,) parameters
    scales : (d,) standard deviation of each input; the size of an edge of the first layer is its
        weight times that of its input. None: sizes are the weights
    outputs : names of the last layer's units, where there are several

    Returns
    -------
    frame, one row per weight; `layer` counts from 0, sources and targets are names; a bias has the
    source "bias" and no size (it depends on where zero lies)
    """
    found, sources = [], [str(name) for name in network.inputs.names]
    affine = [pair for pair in zip(network.layers, network.slices(), strict=True) if isinstance(pair[0], Affine)]
    for number, (layer, run) in enumerate(affine):
        kernel, bias = layer.weights(theta[run])
        last = number == len(affine) - 1
        targets = list(outputs) if last and len(outputs) == layer.outputs else _targets(layer, number, last)
        spread = np.ones(len(sources)) if scales is None or number else np.asarray(scales)
        for j, target in enumerate(targets):
            for i, source in enumerate(sources):
                constant = number == 0 and source == "Intercept"
                size = np.nan if constant else abs(kernel[i, j]) * spread[i]
                found.append((number, "bias" if constant else source, target, kernel[i, j], size))
            if layer.bias:
                found.append((number, "bias", target, bias[j], np.nan))
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
    if not len(data):
        raise ArgumentError("No weight of this network is finite, so that there is nothing to draw.")
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
    best = part.groupby(end)["size"].max().fillna(np.inf).sort_values(ascending=False, kind="stable").index[: most - 1]
    return [name for name in names if name in set(best)]


def _kind(name: str, shown: list[str], layer: int, last: int) -> str:
    if name not in shown:
        return "more"
    if name == "bias":
        return "bias"
    return "input" if layer == 0 else "output" if layer > last else "unit"


def _lines(data: pd.DataFrame, nodes: pd.DataFrame) -> pd.DataFrame:
    at = {(int(row.layer), row.name): (row.x, row.y) for row in nodes.itertuples(index=False)}
    most = {layer: part["size"].max() for layer, part in data.groupby("layer")}
    found = [
        (*at[layer, source], *at[layer + 1, target], source, target, weight, _width(size, most[layer]))
        for layer, source, target, weight, size in data.itertuples(index=False)
        if (layer, source) in at and (layer + 1, target) in at and np.isfinite(weight)
    ]
    return pd.DataFrame(found, columns=["x0", "y0", "x1", "y1", "source", "target", "weight", "width"])


def _width(size: float, most: float) -> float:
    """From 0 to 1; thin where an edge has no size of its own."""
    return float(size / most) if size >= 0 and most > 0 else 0.1


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
    for line in laid.edges.itertuples(index=False):
        colour, style = _ink(line.weight)
        ax.plot([line.x0, line.x1], [line.y0, line.y1], color=colour, linestyle=style, zorder=1,
                linewidth=0.6 + 5.4 * line.width, alpha=0.85, solid_capstyle="butt")  # fmt: skip
    _draw_nodes(ax, laid.nodes, labels(data), activation, response)
    ax.set_xlim(-0.45, 1.4)
    ax.set_ylim(-0.12, 1.12)
    ax.axis("off")
    canvas.title(ax, "The network", below)
    return ax


def labels(data: pd.DataFrame) -> dict[str, str]:
    """The weight of each input as text, where each has only one."""
    first = data[data["layer"] == 0]
    if first["target"].nunique() != 1:
        return {}
    texts = [numbers.significant(weight, 3) if np.isfinite(weight) else f"{weight:g}" for weight in first["weight"]]
    return dict(zip(first["source"], texts, strict=True))


def small_svg(data: pd.DataFrame, *, activation: str, response: str, most: int = 10) -> str:
    """A small drawing for notebooks, made without matplotlib; its text has the page's colour."""
    laid = plan(data, most)
    height = 24 * int(laid.nodes["layer"].value_counts().max())
    left, right = 250, 430

    def place(x: float, y: float) -> tuple[float, float]:
        return round(left + x * (right - left), 1), round(12 + (1 - y) * (height - 24), 1)

    lines = [
        (
            *place(line.x0, line.y0),
            *place(line.x1, line.y1),
            round(0.6 + 4.4 * line.width, 2),
            line.weight < 0,
        )
        for line in laid.edges.itertuples(index=False)
    ]
    weights = labels(data)
    nodes = [
        (*place(node.x, node.y), node.kind, node.layer == 0, node.name, weights.get(node.name, ""))
        for node in laid.nodes.itertuples(index=False)
    ]
    return renderers.template("network.svg").render(
        height=height,
        lines=lines,
        nodes=nodes,
        activation=activation,
        response=response,
        ink=(canvas.GLM, canvas.NETWORK),
    )


def _ink(weight: float) -> tuple[str, object]:
    return (canvas.GLM, "solid") if weight >= 0 else (canvas.NETWORK, (0, (3, 1.2)))


def _draw_nodes(ax: Axes, nodes: pd.DataFrame, weights: dict[str, str], activation: str, response: str) -> None:
    for node in nodes.itertuples(index=False):
        if node.kind == "more":
            ax.text(node.x, node.y, canvas.label(node.name), ha="right" if node.x == 0 else "center",
                    va="center", fontsize=9, color=canvas.DATA)  # fmt: skip
            continue
        fill = {"bias": "#e0e0e0", "output": "#cfe6f3"}.get(node.kind, "white")
        size = 520 if node.kind == "output" else 150
        ax.scatter([node.x], [node.y], s=size, facecolors=fill, edgecolors=canvas.INK, linewidth=1.1, zorder=2)
        if node.kind in ("input", "bias") and node.x == 0:
            weight = weights.get(node.name, "")
            for text, away in ((weight, -10), (canvas.shortened(node.name, 34), -58 if weight else -10)):
                ax.annotate(text, (node.x, node.y), (away, 0), textcoords="offset points", ha="right",
                            va="center", fontsize=9)  # fmt: skip
        if node.kind == "output":
            words = f"{canvas.shortened(response, 30)}\n{canvas.label(activation)}"
            ax.annotate(words, (node.x, node.y), (17, 0), textcoords="offset points", ha="left", va="center",
                        fontsize=9)  # fmt: skip
