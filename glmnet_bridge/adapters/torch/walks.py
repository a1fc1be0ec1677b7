"""Walks through the graph of a PyTorch module: the same operations, on the units of a `Wiring`.

Every value of the graph is followed as the units that carry it (`weights.Units`). Operations that
only move numbers are done by PyTorch itself, on the units' numbers; what computes adds a layer.
What each operation of PyTorch is stands in `operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glmnet_bridge.adapters.torch.graphs import Graph, place
from glmnet_bridge.adapters.torch.weights import BATCH, ROW, Book, Units, Weights
from glmnet_bridge.adapters.wirings import Wire, Wiring
from glmnet_bridge.errors import ReadError

Array = np.ndarray

END = 1 << 30  # units from here on are activations that may only stand at the end


class Misfit(Exception):
    """Shapes do not go together: the inputs are not as wide as this walk takes them to be."""


class Walk:
    """A walk with inputs of given shapes.

    Parameters
    ----------
    graph : of the module
    book : its weights
    shapes : of one row of each input: `(width,)`, or `()` for a number

    Attributes
    ----------
    wiring : what was built
    names : of the raw inputs
    node, module : what is being read: the node of the graph, and its layer (None for a function)
    whole : positions of the inputs that are fed as whole numbers
    tables : (raw input, rows of the table, layer) of each embedding
    folded : what was folded, one sentence each
    stretched : whether a value was repeated to fit a wider one: then its width may have been another
    steps : nodes walked
    """

    def __init__(self, graph: Graph, book: Book, shapes: Sequence[tuple[int, ...]]) -> None:
        import torch

        self.graph, self.book = graph, book
        widths = [shape[0] if shape else 1 for shape in shapes]
        self.names = raw_names(graph.inputs, widths)
        self.wiring = Wiring(self.names)
        self.node: Any = None
        self.module: Any = None
        self.whole: set[int] = set()
        self.tables: list[tuple[int, int, str]] = []
        self.folded: list[str] = []
        self.stretched = False
        self.steps = 0
        self._rows = torch.arange(BATCH) * ROW
        self._used: set[int] = set()
        self.tops: dict[int, tuple[str, Wire, Wire, str]] = {}
        self.plain: dict[int, Wire] = {}  # units made without weights, and what from
        ends = np.cumsum([0, *widths])
        self._group = np.repeat(np.arange(len(widths)), widths)
        self.inputs = {
            name: self.units(range(start, stop), shape)
            for name, start, stop, shape in zip(graph.inputs, ends[:-1], ends[1:], shapes, strict=True)
        }

    def units(self, wire: Sequence[int], shape: Sequence[int], codes: bool = False) -> Units:
        """Units in the shape of one row."""
        import torch

        ids = torch.tensor(list(wire), dtype=torch.int64).reshape(1, *shape)
        return Units(ids + self._rows.reshape(BATCH, *[1] * len(shape)), codes)

    def row(self, value: Units) -> tuple[Wire, tuple[int, ...]]:
        """The units of one row, and its shape."""
        ids = value.ids
        good = ids.ndim > 0 and len(ids) == BATCH
        if not good or not bool(((ids - self._rows.reshape(BATCH, *[1] * (ids.ndim - 1))) == ids[:1]).all()):
            raise self.refusal(
                "mixes the rows of a batch, so that a prediction depends on the rows beside it",
                "Check the shapes: (rows, 1) beside (rows,) spreads each row over all.",
            )
        return tuple(ids[0].flatten().tolist()), tuple(ids.shape[1:])

    def fed(self, value: Units) -> tuple[Wire, tuple[int, ...]]:
        """The same, for a layer that computes with them."""
        wire, shape = self.row(value)
        if value.codes:
            raise self.refusal("computes with inputs that were cast to whole numbers", "Feed them as they are.")
        for unit in wire:
            if unit >= END:
                raise self.refusal(
                    f"computes with the output of {lower(self.tops[unit][3])}, which is read at the end only"
                )
        return wire, shape

    def group_of(self, unit: int) -> int:
        """Which input of forward() a raw unit belongs to."""
        return int(self._group[unit])

    def constant(self, value: Any) -> Units:
        """A constant, the same in every row, as units."""
        import torch

        row = torch.as_tensor(numbers(value))
        if row.ndim == 0 or len(row) != BATCH or not bool((row == row[:1]).all()):
            raise Misfit(f"a constant of shape {tuple(row.shape)} stands beside values of the inputs")
        flat = row[0].flatten().numpy()
        return self.units(self.wiring.fixed(np.zeros((0, len(flat))), (), flat, self.title()), row.shape[1:])

    def title(self, weight: Any = None) -> str:
        """The layer's path, or that of the module which holds the weight."""
        if self.module is not None:
            return str(self.node.target)
        if isinstance(weight, Weights):
            path = self.book.owner(weight.ids.flatten().tolist())
            return path.rpartition(".")[0] or path
        return str(self.node.name)

    def what(self) -> str:
        """What is being read, in words."""
        if self.module is not None:
            return f"Layer {self.node.target!r} ({type(self.module).__name__})"
        target = self.node.target
        name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
        inside = [path for path, _ in (self.node.meta.get("nn_module_stack") or {}).values() if path]
        where = place(self.node.meta.get("stack_trace"))
        words = f" of {inside[-1]!r}" if inside else ""
        return f"Operation {name.split('.')[0]!r}{words}{f' ({where})' if where else ''}"

    def refusal(self, why: str, advice: str = "") -> ReadError:
        """The error for something that is not read."""
        return ReadError(f"{self.what()} {why}.{f' {advice}' if advice else ''}")

    def misfit(self, why: str) -> Misfit:
        """Shapes that do not go together."""
        return Misfit(f"{self.what()} {why}")

    def claim(self, ids: list[int]) -> tuple[Array, list[str]]:
        """Values and names of weights, each of which is used once."""
        again = [number for number in ids if number in self._used] if len(set(ids)) == len(ids) else [ids[0]]
        if again:
            raise ReadError(
                f"Weight {self.book.entries(again[:1])[0]} is used more than once (a layer called twice, weights tied "
                f"or repeated over units), which is not read: {lower(self.what())}. Give each "
                "use weights of its own."
            )
        self._used.update(ids)
        return self.book.values[ids], self.book.entries(ids)

    def fixed(self, matrix: Array, wire: Wire, constant: Any = None, kind: str = "fixed") -> Wire:
        made = self.wiring.fixed(matrix, wire, constant, self.title(), kind)
        if made != wire:
            self.plain |= dict.fromkeys(made, wire)
        return made


def attempted(walk: Walk, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What PyTorch itself makes of numbers; shapes that do not fit are the walk's, not the user's."""
    try:
        return function(*args, **kwargs)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        raise Misfit(f"{walk.what()}: {str(error).splitlines()[0]}") from error


def lower(words: str) -> str:
    """Words inside a sentence."""
    return words[:1].lower() + words[1:]


def raw_names(inputs: Sequence[str], widths: Sequence[int]) -> tuple[str, ...]:
    """Names of the raw inputs: `input 1`; of several inputs `x_num 1`, or `age` where it has one column."""
    if len(inputs) == 1:
        return tuple(f"input {j + 1}" for j in range(widths[0]))
    return tuple(
        name if width == 1 else f"{name} {j + 1}"
        for name, width in zip(inputs, widths, strict=True)
        for j in range(width)
    )


def weight_shape(value: Any) -> tuple[int, ...]:
    """Of weights, or of a constant."""
    return tuple(value.ids.shape if isinstance(value, Weights) else value.shape)


def numbers(value: Any) -> Array:
    """A constant, tensor or number, in double precision."""
    found: Array = value.detach().cpu().double().numpy() if hasattr(value, "detach") else np.asarray(value, dtype=float)
    return found
