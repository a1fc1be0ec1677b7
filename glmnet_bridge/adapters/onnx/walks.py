"""Walks: an ONNX graph from its inputs to one value, as wires of our own network.

Each value of the graph is one of

    array            a constant
    Units            numbers of each row: units of the wiring, in the shape that a row has there
    Linear           a weighted sum that still waits for its bias
    Activated        an activation on units, which may be the last one
    Total            the sum over an Activated, of which it becomes shares
    Computed         made of raw inputs by operations without weights, taken as it is

Operations that only move numbers (reshape, slice, join) are done by onnx itself, on the numbers of
the units in the place of their values; that rows stay rows is checked on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glmnet_bridge.adapters.onnx import graphs
from glmnet_bridge.adapters.onnx.graphs import Graph, Input, Node
from glmnet_bridge.adapters.wirings import Wire, Wiring
from glmnet_bridge.errors import ReadError
from glmnet_bridge.mapping.features import Feature
from glmnet_bridge.model.layers import ACTIVATIONS, Activation, Affine
from glmnet_bridge.model.networks import is_bias

Array = np.ndarray

_ROW = 10**9  # what tells one row's units from another's while they are moved


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Units `(...)` of each row."""

    at: Array


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """`units @ kernel + bias`: kernel `(d, k)` and bias `(k,)` or None, each with the names of its entries."""

    name: str
    at: Array
    kernel: Array
    entries: Array
    bias: Array | None
    bias_entries: Array
    shape: tuple[int, ...]

    @property
    def doubled(self) -> bool:
        """Whether the first of two columns is the second with the other sign: one linear predictor, written twice."""
        kernel = self.kernel if self.bias is None else np.vstack([self.kernel, self.bias])
        return kernel.shape[1] == 2 and np.array_equal(kernel[:, 0], -kernel[:, 1])


@dataclass(frozen=True, slots=True, eq=False)
class Activated:
    """An activation on units; `shares` says that its values were divided by their sum."""

    kind: str
    at: Array
    shares: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Total:
    """The sum of an Activated over its units."""

    of: Activated


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """A value that only raw inputs make."""

    name: str


Value = Any  # array, Units, Linear, Activated, Total or Computed


@dataclass(frozen=True, slots=True)
class Codes:
    """A raw input whose levels `keys` became the numbers `values`; any other level is `default`."""

    unit: int
    keys: tuple[Any, ...]
    values: tuple[float, ...]
    default: float


class Walk:
    """Follows a graph up to one value.

    Parameters
    ----------
    graph : the model
    inputs : the inputs whose columns are the wiring's raw inputs, in order
    trained : the constants that were trained, where the model says so
    """

    def __init__(self, graph: Graph, inputs: Sequence[Input], trained: frozenset[str] | None = None) -> None:
        self.graph, self.trained = graph, trained
        self.names = raw_names(inputs)
        self.wiring = Wiring(self.names)
        self.places: dict[str, range] = {}
        self.values: dict[str, Value] = dict(graph.constants)
        self.learnt: set[int] = set()
        self.codes: dict[int, Codes] = {}
        self.opposite: dict[int, int] = {}
        self.folded: list[str] = []
        self.computed: list[str] = []
        self._used: dict[str, str] = {}
        self._settled: dict[int, tuple[Value, Array]] = {}
        start = 0
        for each in inputs:
            self.places[each.name] = range(start, start + each.width)
            self.values[each.name] = Units(np.arange(start, start + each.width).reshape(each.shape))
            start += each.width

    # --- values as units ----------------------------------------------------------------------

    def units(self, value: Value, node: Node) -> Array:
        """The units of a value `(...)`; a waiting sum or activation becomes a layer."""
        if isinstance(value, Units):
            return value.at
        if isinstance(value, Linear):
            return self._once(value, lambda: self.affine(value))
        if isinstance(value, Activated):
            return self.activation(value, node)
        if isinstance(value, Computed):
            return self._once(value, lambda: self.features(value.name))
        raise ReadError(f"{node.words} takes a value that is no number per row; this is not read.")

    def _once(self, value: Value, make: Callable[[], Array]) -> Array:
        """The units of a value that waited, made the first time that they are asked for."""
        if id(value) not in self._settled:
            self._settled[id(value)] = (value, make())  # the value is kept, so that its id stays its own
        return self._settled[id(value)][1]

    def pure(self, value: Value) -> bool:
        """Whether no weight has a part in a value."""
        if isinstance(value, Units):
            return not self.learnt.intersection(value.at.ravel().tolist())
        return value is None or isinstance(value, np.ndarray | Computed)

    # --- layers ---------------------------------------------------------------------------------

    def affine(self, sum_: Linear) -> Array:
        """The layer of a weighted sum."""
        d, k = sum_.kernel.shape
        reads = tuple(sum_.at.tolist())
        bias = np.zeros(0) if sum_.bias is None else sum_.bias
        if not self.is_trained(sum_.name):
            made = self.wiring.fixed(sum_.kernel, reads, None if sum_.bias is None else bias, sum_.name)
            return self.noted(made, reads).reshape(sum_.shape)
        entries = [*sum_.entries.ravel(), *(sum_.bias_entries if sum_.bias is not None else ())]
        layer = Affine(d, k, bias=sum_.bias is not None, name=sum_.name)
        made = self.wiring.add(layer, reads, np.concatenate([sum_.kernel.ravel(), bias]), self.claimed(entries))
        self.learnt.update(made)
        return np.array(made).reshape(sum_.shape)

    def is_trained(self, name: str) -> bool:
        """Whether weights of this name were trained: all are, unless the model lists those that were."""
        return self.trained is None or name in self.trained

    def claimed(self, entries: Sequence[str]) -> list[str]:
        """Names of weights, each of which may stand in one place only."""
        for entry in entries:
            if entry in self._used:
                raise ReadError(
                    f"Weights {entry.split('[')[0]!r} are used twice in this graph; layers that share their weights "
                    "are not read."
                )
            self._used[entry] = entry
        return [str(entry) for entry in entries]

    def single(self, sum_: Linear) -> Array:
        """The two columns of a doubled sum, of which one has weights and the other is fixed to be its opposite."""
        bias = None if sum_.bias is None else sum_.bias[1:]
        one = Linear(sum_.name, sum_.at, sum_.kernel[:, 1:], sum_.entries[:, 1:], bias, sum_.bias_entries[1:], (1,))
        made = self.affine(one)
        return np.concatenate([self.negative(made), made])

    def negative(self, at: Array) -> Array:
        """Units with the other sign."""
        made = self.noted(self.wiring.fixed(-np.ones(at.size), at.ravel().tolist(), name="minus"), at.ravel().tolist())
        self.opposite.update(zip(made.tolist(), at.ravel().tolist(), strict=True))
        return made.reshape(at.shape)

    def scaled(self, at: Array, factor: Array | float, shift: Array | float, name: str, kind: str = "scaling") -> Array:
        """`units * factor + shift`, fixed, in the shape of a row."""
        wide = [np.broadcast_to(np.asarray(part, dtype=float), at.shape).ravel() for part in (factor, shift)]
        reads = at.ravel().tolist()
        return self.noted(self.wiring.fixed(wide[0], reads, wide[1], name, kind), reads).reshape(at.shape)

    def noted(self, made: Wire, reads: Sequence[int]) -> Array:
        """Units made without weights of their own: they depend on weights if what they read does."""
        if self.learnt.intersection(reads):
            self.learnt.update(made)
        return np.array(made, dtype=int)

    def activation(self, value: Activated, node: Node) -> Array:
        """A hidden activation as a layer."""
        if value.kind not in ACTIVATIONS or value.shares:
            raise ReadError(
                f"{node.words} takes the result of {value.kind}, which is read at the end of a network only. Inside it "
                f"there may be {', '.join(ACTIVATIONS)}."
            )
        reads = value.at.ravel().tolist()
        layer = Activation(value.at.size, value.kind, value.kind)
        return self.noted(self.wiring.add(layer, reads), reads).reshape(value.at.shape)

    # --- raw inputs -------------------------------------------------------------------------------

    def levels(self, unit: int, values: Sequence[Any], node: Node) -> Wire:
        """Indicators of the levels of a raw input; of the keys behind them where it was coded before."""
        code = self.codes.get(unit)
        if code is None:
            return self.wiring.levels(unit, values, node.name)
        made: Wire = ()
        for value in values:
            keys = [key for key, number in zip(code.keys, code.values, strict=True) if number == value]
            if not keys:
                raise ReadError(f"{node.words} has the code {value}, which no level of its input has.")
            made += self.wiring.feature(Feature(f"{self.names[code.unit]}[{keys[0]}]", code.unit, level=(keys[0],)))
        return made

    def features(self, name: str) -> Array:
        """A computed value as columns of the network's input."""
        function = graphs.computation(self.graph, name)
        trial = function.trial(self.graph.rows)
        shape = trial.shape[1:]
        if trial.dtype.kind not in "fiub":
            raise ReadError(f"The value {name!r} that the model computes of its inputs is no row of numbers per case.")
        sources = tuple(place for each in function.inputs for place in self.places[each.name])
        width = int(np.prod(shape, dtype=int))
        self.computed.append(name)
        made: Wire = ()
        for j in range(width):
            label = name if width == 1 else f"{name}[{j}]"
            made += self.wiring.feature(Feature(label, sources, function=function, column=j))
        return np.array(made, dtype=int).reshape(shape)

    def constant(self, values: Array, beside: int) -> Array:
        """Units that are constant: `beside` is a unit whose rows they have."""
        flat = np.asarray(values, dtype=float).ravel()
        made = self.wiring.fixed(np.zeros((1, flat.size)), [beside], flat, "constant", "constant")
        return np.array(made, dtype=int).reshape(np.shape(values))

    # --- moving -------------------------------------------------------------------------------------

    def spread(self, at: Array) -> Array:
        """Units of several rows, told apart."""
        return np.stack([at.astype(np.int64) + row * _ROW for row in range(self.graph.rows)])

    def gathered(self, moved: Array, node: Node) -> Array:
        """The units of one row, if every row still holds its own."""
        rows = self.graph.rows
        if moved.shape[:1] != (rows,) or not np.array_equal(moved, self.spread(moved[0])):
            raise ReadError(f"{node.words} mixes the rows, or leaves them out; only what happens within a row is read.")
        found: Array = moved[0].astype(int)
        return found


def raw_names(inputs: Sequence[Input]) -> tuple[str, ...]:
    """What the raw inputs are called: as the graph's input, with a number where that has several columns."""
    return tuple(each.name if each.width == 1 else f"{each.name}[{j}]" for each in inputs for j in range(each.width))


def names_of(name: str, shape: tuple[int, ...], bias: bool = False) -> Array:
    """The entries of a constant by name and index, in its own shape; a bias is called one where its name is silent."""
    shown = f"{name}.bias" if bias and not is_bias(name) else name
    out = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        out[index] = f"{shown}[{', '.join(map(str, index))}]" if index else shown
    return out
