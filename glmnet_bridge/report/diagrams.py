"""Diagrams: a network with its names; width by size, colour and line by sign.

    edges of a network (`graphs`) -> places of its nodes -> matplotlib, or a small SVG for notebooks

A layer of many nodes shows its largest and says how many more there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.report import canvas, numbers, renderers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NODES = 14


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
    end = int(data["into"].max())
    rows = []
    for layer in range(end + 1):
        part = _ends(data, layer)
        names = list(dict.fromkeys(part["name"]))
        names = [name for name in names if name != "bias"] + ["bias"] * ("bias" in names)
        shown = _largest(part, names, most)
        labels = [*shown, *([f"... {len(names) - len(shown)} more"] if len(shown) < len(names) else [])]
        height = np.linspace(1.0, 0.0, len(labels)) if len(labels) > 1 else np.array([0.5])
        for name, y in zip(labels, height, strict=True):
            rows.append((layer, name, layer / end, float(y), _kind(name, shown, layer, end)))
    nodes = pd.DataFrame(rows, columns=["layer", "name", "x", "y", "kind"])
    return Plan(nodes, _lines(data, nodes))


def _ends(data: pd.DataFrame, layer: int) -> pd.DataFrame:
    """The nodes of a layer, `name, size`, once for each edge that leads to them or from them."""
    to, away = data[data["into"] == layer], data[data["layer"] == layer]
    names = [*to["target"], *away["source"]]
    return pd.DataFrame({"name": names, "size": [*to["size"], *away["size"]]})


def _largest(part: pd.DataFrame, names: list[str], most: int) -> list[str]:
    if len(names) <= most:
        return names
    best = (
        part.groupby("name")["size"].max().fillna(np.inf).sort_values(ascending=False, kind="stable").index[: most - 1]
    )
    return [name for name in names if name in set(best)]


def _kind(name: str, shown: list[str], layer: int, end: int) -> str:
    if name not in shown:
        return "more"
    if name == "bias":
        return "bias"
    return "input" if layer == 0 else "output" if layer == end else "unit"


def _lines(data: pd.DataFrame, nodes: pd.DataFrame) -> pd.DataFrame:
    at = {(int(row.layer), row.name): (row.x, row.y) for row in nodes.itertuples(index=False)}
    most = {into: part["size"].max() for into, part in data.groupby("into")}
    found = [
        (*at[layer, source], *at[into, target], source, target, weight, _width(size, most[into]))
        for layer, source, into, target, weight, size in data.itertuples(index=False)
        if (layer, source) in at and (into, target) in at and np.isfinite(weight)
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
    if first["target"].nunique() != 1 or first["source"].duplicated().any():
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
        response="" if (laid.nodes["kind"] == "output").sum() > 1 else response,
        ink=(canvas.GLM, canvas.NETWORK),
    )


def _ink(weight: float) -> tuple[str, object]:
    return (canvas.GLM, "solid") if weight >= 0 else (canvas.NETWORK, (0, (3, 1.2)))


def _draw_nodes(ax: Axes, nodes: pd.DataFrame, weights: dict[str, str], activation: str, response: str) -> None:
    several = (nodes["kind"] == "output").sum() > 1
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
            what = node.name if several else response
            words = f"{canvas.shortened(what, 30)}\n{canvas.label(activation)}"
            ax.annotate(words, (node.x, node.y), (17, 0), textcoords="offset points", ha="left", va="center",
                        fontsize=9)  # fmt: skip
