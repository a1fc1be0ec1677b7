"""Walks through the graph of a PyTorch module: the same operations, on the units of a `Wiring`.

Every value of the graph is followed as the units that carry it (`torch_weights.Units`). Operations that
only move numbers are done by PyTorch itself, on the units' numbers; what computes adds a layer.
What each operation of PyTorch is stands in `torch_operations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glmnet_bridge.adapters.torch_graphs import Graph, place
from glmnet_bridge.adapters.torch_weights import BATCH, ROW, Book, Units, Weights
from glmnet_bridge.adapters.wirings import Wire, Wiring
from glmnet_bridge.errors import ReadError
from glmnet_bridge.model.layers import Activation, Affine, Gain, Normalise

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
        self._tops: dict[int, tuple[str, Wire, Wire, str]] = {}
        self._plain: dict[int, Wire] = {}  # units made without weights, and what from
        ends = np.cumsum([0, *widths])
        self._group = np.repeat(np.arange(len(widths)), widths)
        self.inputs = {
            name: self.units(range(start, stop), shape)
            for name, start, stop, shape in zip(graph.inputs, ends[:-1], ends[1:], shapes, strict=True)
        }

    # --- units ------------------------------------------------------------------------------

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
            raise self.refusal("mixes the rows of a batch, so that a prediction depends on the rows beside it")
        return tuple(ids[0].flatten().tolist()), tuple(ids.shape[1:])

    def fed(self, value: Units) -> tuple[Wire, tuple[int, ...]]:
        """The same, for a layer that computes with them."""
        wire, shape = self.row(value)
        if value.codes:
            raise self.refusal("computes with inputs that were cast to whole numbers", "Feed them as they are.")
        for unit in wire:
            if unit >= END:
                raise self.refusal(
                    f"computes with the output of {self._tops[unit][3]}, which is read at the end of a network only"
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

    # --- what computes ----------------------------------------------------------------------

    def linear(self, x: Units, weight: Any, bias: Any = None) -> Units:
        """`x W' + b` over the last dimension; weight `(out, in)`."""
        wire, shape = self.fed(x)
        if len(weight_shape(weight)) != 2 or not shape or shape[-1] != weight_shape(weight)[1]:
            raise self.misfit(f"takes {weight_shape(weight)[-1]} inputs but is given {shape[-1] if shape else 1}")
        count, wide = weight_shape(weight)
        if len(wire) != wide:
            raise self.refusal(
                f"is applied to {len(wire) // wide} positions with the same weights", "Shared weights are not read."
            )
        out = (*shape[:-1], count)
        if not isinstance(weight, Weights):
            made = self._fixed(numbers(weight).T, wire)
            return self.units(made, out) if bias is None else self.shift(self.units(made, out), bias)
        shift = bias if isinstance(bias, Weights) else None
        ids = weight.ids.T.flatten().tolist() + ([] if shift is None else shift.ids.flatten().tolist())
        layer = Affine(wide, count, bias=shift is not None, name=self.title(weight))
        made = self.wiring.add(layer, wire, *self._claim(ids))
        value = self.units(made, out)
        return value if bias is None or shift is not None else self.shift(value, bias)

    def table(self, weight: Any, codes: Units, padding: int | None) -> Units:
        """Rows of a table, by codes: indicators of the levels, times the table."""
        wire, shape = self.row(codes)
        levels, wide = weight_shape(weight)
        self.one_column(wire)
        self.codes(wire[0], levels, codes.codes)
        rows = [level for level in range(levels) if level != padding]
        parts = self.wiring.levels(wire[0], rows, self.title(weight))
        if isinstance(weight, Weights):
            ids = weight.ids[rows].flatten().tolist()
            layer = Affine(len(rows), wide, bias=False, name=self.title(weight))
            made = self.wiring.add(layer, parts, *self._claim(ids))
            fixed = None if padding is None else self.book.values[weight.ids[padding].numpy()]
        else:
            made = self._fixed(numbers(weight)[rows], parts)
            fixed = None if padding is None else numbers(weight)[padding]
        if fixed is not None and fixed.any():
            level = self.wiring.levels(wire[0], [padding], self.title(weight))
            made = self.wiring.sum([made, self._fixed(fixed[None], level)], self.title(weight))
        return self.units(made, (*shape, wide))

    def one_column(self, wire: Wire) -> None:
        """Refuse to look up several columns in one table."""
        if len(wire) != 1:
            raise self.refusal(
                f"looks up {len(wire)} columns of codes in one table, whose weights are then shared",
                "Give each column an embedding of its own.",
            )

    def codes(self, unit: int, levels: int, cast: bool) -> None:
        """A raw input whose values are codes below `levels`."""
        if unit >= len(self.names):
            raise self.refusal("looks up codes that the network computed itself; only an input of the network has them")
        self.tables.append((unit, levels, self.what()))
        if not cast:
            self.whole.add(self.group_of(unit))

    def normalise(self, x: Units, mean: Array, variance: Array, eps: float) -> Units:
        """`(x - mean) / sqrt(variance + eps)`."""
        wire, shape = self.fed(x)
        if len(wire) != len(mean):
            raise self.misfit(f"takes {len(mean)} inputs but is given {len(wire)}")
        if not np.isfinite([mean, variance]).all() or not (variance + eps > 0).all():
            raise self.refusal("has running moments that are not finite", "Train again with a smaller learning rate.")
        made = self.wiring.add(Normalise(mean, np.sqrt(variance + eps), self.title()), wire)
        return self.units(made, shape)

    def gain(self, x: Units, gain: Any, bias: Any) -> Units:
        """`x * gain + bias`, unit by unit, in one layer where both are trained."""
        if not (isinstance(gain, Weights) and isinstance(bias, Weights)):
            x = x if gain is None else self.scale(x, gain)
            return x if bias is None else self.shift(x, bias)
        wire, shape = self.fed(x)
        ids = gain.ids.flatten().tolist() + bias.ids.flatten().tolist()
        return self.units(self.wiring.add(Gain(len(wire), name=self.title()), wire, *self._claim(ids)), shape)

    def scale(self, x: Units, factor: Any) -> Units:
        """`x * factor`, for weights or a constant."""
        wire, shape, beside = self._beside(x, factor)
        if isinstance(factor, Weights):
            layer = Gain(len(wire), shift=False, name=self.title(factor))
            return self.units(self.wiring.add(layer, wire, *self._claim(beside.tolist())), shape)
        return self.units(self._fixed(beside, wire), shape)

    def shift(self, x: Units, term: Any) -> Units:
        """`x + term`, for weights or a constant."""
        wire, shape, beside = self._beside(x, term)
        if isinstance(term, Weights):
            layer = Gain(len(wire), gain=False, name=self.title(term))
            return self.units(self.wiring.add(layer, wire, *self._claim(beside.tolist())), shape)
        return self.units(self._fixed(np.ones(len(wire)), wire, beside), shape)

    def sum(self, a: Units, b: Units, sign: float = 1.0) -> Units:
        """`a + sign * b`."""
        one, two = self._spread(a.ids, b.ids, units=True)
        (left, shape), (right, _) = self.fed(Units(one, a.codes)), self.fed(Units(two, b.codes))
        eye = np.eye(len(left))
        return self.units(self._fixed(np.vstack([eye, sign * eye]), left + right, kind="sum"), shape)

    def map(self, x: Units, matrix: Array, shape: Sequence[int]) -> Units:
        """A fixed linear map of one row."""
        return self.units(self._fixed(matrix, self.fed(x)[0]), shape)

    def activation(self, x: Units, kind: str) -> Units:
        """A hidden activation; one that ends the network is taken off again."""
        wire, shape = self.fed(x)
        made = self.wiring.add(Activation(len(wire), kind, self.title()), wire)
        self._tops |= dict.fromkeys(made, (kind, wire, made, self.what()))
        return self.units(made, shape)

    def end(self, x: Units, kind: str) -> Units:
        """An activation that may only stand at the end of a network."""
        wire, shape = self.fed(x)
        start = END + len(self._tops)
        made = tuple(range(start, start + len(wire)))
        self._tops |= dict.fromkeys(made, (kind, wire, made, self.what()))
        return self.units(made, shape)

    # --- the end ----------------------------------------------------------------------------

    def finish(self, value: Any) -> tuple[str, Wire]:
        """The activation that stands at the end, and the units in front of it."""
        if isinstance(value, Sequence) and len(value) == 1:
            value = value[0]
        if not isinstance(value, Units):
            given = f"{len(value)} values" if isinstance(value, Sequence | dict) else "no value that depends on inputs"
            raise ReadError(
                f"forward() returns {given}; a network of one tensor is read. Wrap it in a module that returns the one."
            )
        wire, _ = self.row(value)
        kind, reads, makes, words = self._tops.get(wire[0], ("linear", wire, wire, ""))
        if wire == makes and kind in ("sigmoid", "tanh", "exponential", "log_sigmoid") and len(wire) > 1:
            raise ReadError(
                f"{words} ends the network in {len(wire)} units, each for a response of its own. Read them one by "
                "one: wrap the network in a module that returns one of them."
            )
        if wire == makes and kind not in ("relu", "leaky_relu"):
            return kind, reads
        for unit in self._sources(wire):
            kind, _, _, words = self._tops.get(unit, ("", (), (), ""))
            if unit >= END or kind == "sigmoid":
                raise ReadError(
                    f"After {words} the network goes on without any weight, so that its output is no inverse link. "
                    "Return the activation itself, or the values in front of it."
                )
        return "linear", wire

    def _sources(self, wire: Wire) -> set[int]:
        """The units that these are made from without weights, and these."""
        found: set[int] = set()
        waiting = list(wire)
        while waiting:
            unit = waiting.pop()
            if unit not in found:
                found.add(unit)
                waiting += self._plain.get(unit, ())
        return found

    # --- words ------------------------------------------------------------------------------

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

    # --- inside -----------------------------------------------------------------------------

    def _claim(self, ids: list[int]) -> tuple[Array, list[str]]:
        """Values and names of weights, each of which is used once."""
        again = [number for number in ids if number in self._used] if len(set(ids)) == len(ids) else [ids[0]]
        if again:
            raise ReadError(
                f"Weight {self.book.entries(again[:1])[0]} is used more than once (a layer called twice, weights tied "
                f"or repeated over units), which is not read: {self.what()[:1].lower()}{self.what()[1:]}. Give each "
                "use weights of its own."
            )
        self._used.update(ids)
        return self.book.values[ids], self.book.entries(ids)

    def _fixed(self, matrix: Array, wire: Wire, constant: Any = None, kind: str = "fixed") -> Wire:
        made = self.wiring.fixed(matrix, wire, constant, self.title(), kind)
        if made != wire:
            self._plain |= dict.fromkeys(made, wire)
        return made

    def _beside(self, x: Units, other: Any) -> tuple[Wire, tuple[int, ...], Array]:
        """Units, and what stands beside each: a weight's number, or a constant."""
        import torch

        self.fed(x)
        beside = other.ids if isinstance(other, Weights) else torch.as_tensor(numbers(other))
        ids, beside = self._spread(x.ids, beside)
        if not bool((beside == beside[:1]).all()):
            raise self.misfit("adds or multiplies by numbers that differ from row to row")
        wire, shape = self.row(Units(ids))
        return wire, shape, beside[0].flatten().numpy()

    def _spread(self, a: Any, b: Any, units: bool = False) -> tuple[Any, Any]:
        import torch

        try:
            one, two = torch.broadcast_tensors(a, b)
        except RuntimeError:
            raise self.misfit(f"puts together values of shapes {tuple(a.shape[1:])} and {tuple(b.shape[1:])}") from None
        if len(one) != BATCH:
            raise self.misfit("puts together values that do not go row by row")
        self.stretched |= one.shape != a.shape or (units and two.shape != b.shape)
        return one, two


def raw_names(inputs: Sequence[str], widths: Sequence[int]) -> tuple[str, ...]:
    """Names of the raw inputs: `input 1`, or `x_num 1` where there are several inputs."""
    stems = ["input"] if len(inputs) == 1 else inputs
    return tuple(f"{stem} {j + 1}" for stem, width in zip(stems, widths, strict=True) for j in range(width))


def weight_shape(value: Any) -> tuple[int, ...]:
    """Of weights, or of a constant."""
    return tuple(value.ids.shape if isinstance(value, Weights) else value.shape)


def numbers(value: Any) -> Array:
    """A constant, tensor or number, in double precision."""
    found: Array = value.detach().cpu().double().numpy() if hasattr(value, "detach") else np.asarray(value, dtype=float)
    return found
