"""Graphs of Keras models: what `get_config()` says, of a live model or in a file, as nodes in the order of computation.

Nested models are laid flat: their layers are nodes like any other. Where the arrays come from is
another matter: a `Store` gives them, by the place of a layer in its model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from glmnet_bridge.errors import ReadError

Array = np.ndarray
Config = Mapping[str, Any]

MODELS = ("Functional", "Sequential")
FUNCTIONAL = (
    "Rebuild it with the functional API (keras.Model(inputs, outputs)) from the same layers, which keeps its weights, "
    "or export it to ONNX."
)


@dataclass(frozen=True, slots=True)
class Ref:
    """The value that the node at this place computes."""

    node: int


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """An array of a layer: its path in the model, its values, and what tells it from every other one."""

    path: str
    values: Array
    key: object


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One layer or operation.

    Attributes
    ----------
    name : the user's name of it
    kind : its class
    config : what it was made with
    call : what it is called with: values (`Ref`) and constants, nested as they are
    weights : its arrays by name ("kernel", "bias")
    frozen : whether it, or a model around it, is set trainable=False
    layer : whether it is a layer; operations (`x * 2`, `keras.ops.sigmoid`) count the rows' axis too
    shape : for an input, the shape of one row
    """

    name: str
    kind: str
    config: Config
    call: tuple[Any, ...] = ()
    weights: Mapping[str, Weight] | None = None
    frozen: bool = False
    layer: bool = True
    shape: tuple[int, ...] = ()

    @property
    def feeds(self) -> tuple[Any, ...]:
        """What it is called with, laid flat, without what is None."""
        return tuple(_flat(self.call))

    @property
    def label(self) -> str:
        """As it is called in messages: `Dense 'fc'`."""
        return f"{self.kind} {self.name!r}"

    def array(self, name: str) -> Array:
        """One of its arrays, in double precision."""
        return np.asarray((self.weights or {})[name].values, dtype=float)

    def path(self, name: str) -> str:
        """Where the model keeps it."""
        return (self.weights or {})[name].path


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A model: its nodes, the inputs' places among them, how these are nested in a call, and the output's place."""

    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    structure: Any
    output: int

    @property
    def widths(self) -> tuple[int, ...]:
        """Raw inputs of each of the model's inputs."""
        return tuple(int(np.prod(self.nodes[at].shape, dtype=int)) for at in self.inputs)

    def split(self, matrix: Array, coarse: bool = True) -> dict[str, Array]:
        """Raw inputs `(m, r)` as the model's inputs, by name, each `(m, *shape)`; `coarse` rounds to their own type."""
        out, start = {}, 0
        for at, width in zip(self.inputs, self.widths, strict=True):
            node = self.nodes[at]
            part = matrix[:, start : start + width].reshape(len(matrix), *node.shape)
            kind = str(node.config.get("dtype") or "float32")
            kind = kind if kind in np.sctypeDict else "float32"
            out[node.name] = part.astype(kind) if coarse or not kind.startswith("float") else part
            start += width
        return out


class Store(Protocol):
    """Where the arrays of a layer, or of a model's layers, are found."""

    def inside(self, entries: Sequence[Config]) -> list[Store]:
        """The stores of a model's layers, in their order."""
        ...

    def weights(self, names: Sequence[str]) -> list[Weight]:
        """The arrays of a layer, in the order in which it made them."""
        ...


def graph(entry: Config, store: Store) -> Graph:
    """The nodes of a model.

    Parameters
    ----------
    entry : `class_name` and `config` of the model
    store : its arrays

    Raises
    ------
    ReadError
        for a model without a graph, with several outputs, with weights used twice
    """
    made = _Builder()
    outputs = made.model(entry, store, None, False)
    if len(outputs) != 1:
        raise ReadError(
            f"The model has {len(outputs)} outputs; one is read. Make a model of the one that is meant, as in "
            "keras.Model(model.inputs, model.outputs[0])."
        )
    return Graph(tuple(made.nodes), tuple(made.inputs), made.structure, outputs[0].node)


class _Builder:
    """Lays models flat, one node after the other."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.inputs: list[int] = []
        self.structure: Any = None
        self.seen: set[object] = set()

    def model(self, entry: Config, store: Store, given: Any, frozen: bool) -> list[Ref]:
        """The outputs of a model that is called with `given`; None for the whole."""
        config = entry["config"]
        if "layers" not in config or entry["class_name"] not in MODELS and "input_layers" not in config:
            raise ReadError(f"{entry['class_name']} {config.get('name', '')!r} has no graph to read. {FUNCTIONAL}")
        frozen = frozen or not config.get("trainable", True)
        inside = store.inside(config["layers"])
        if "input_layers" in config:
            return self._functional(config, inside, given, frozen)
        return self._sequential(config, inside, given, frozen)

    def _sequential(self, config: Config, inside: list[Store], given: Any, frozen: bool) -> list[Ref]:
        value: list[Ref] = list(_refs(given))
        for each, held in zip(config["layers"], inside, strict=True):
            if each["class_name"] == "InputLayer":
                value = value or [self._input(each)]
                continue
            if not value:
                shape = config.get("build_input_shape")
                if shape is None:
                    raise ReadError(
                        f"Sequential {config['name']!r} was never built: it has no weights yet. Give it an Input, or "
                        "call it on data, before it is read."
                    )
                value = [self._input({"config": {"name": "input", "batch_shape": shape}})]
            value = self._entry(each, held, tuple(value), frozen)
        if not value:
            raise ReadError(f"Sequential {config['name']!r} has no layers.")
        if given is None:
            self.structure = self.nodes[self.inputs[0]].name
        return value

    def _functional(self, config: Config, inside: list[Store], given: Any, frozen: bool) -> list[Ref]:
        ends = config["input_layers"]
        names = [name for name, _, _ in _triples(ends)]
        bound: dict[str, Ref] = {}
        if given is not None:
            by_key = isinstance(ends, Mapping) and isinstance(given[0], Mapping)
            called = [given[0][key] for key in ends] if by_key else given
            bound = dict(zip(names, _refs(called), strict=True))
        known: dict[tuple[str, int], list[Ref]] = {}
        for each, held in zip(config["layers"], inside, strict=True):
            name = each["config"]["name"]
            if each["class_name"] == "InputLayer":
                known[name, 0] = [bound[name] if name in bound else self._input(each)]
                continue
            for number, call in enumerate(each["inbound_nodes"]):
                fed = _resolved([*call["args"], *call["kwargs"].values()], known, name)
                known[name, number] = self._entry(each, held, fed, frozen, again=number > 0)
        if given is None:
            order = {self.nodes[at].name: at for at in self.inputs}
            self.inputs = [order[name] for name in names]
            self.structure = _renamed(ends)
        return [known[name, number][place] for name, number, place in _triples(config["output_layers"])]

    def _input(self, entry: Config) -> Ref:
        config = entry["config"]
        shape = tuple(config.get("batch_shape") or config.get("batch_input_shape") or ())[1:]
        name = config["name"]
        if any(size is None for size in shape):
            raise ReadError(
                f"Input {name!r} has the shape {(None, *shape)}: its number of columns is open. Give it a fixed shape."
            )
        if str(config.get("dtype")) == "string":
            raise ReadError(
                f"Input {name!r} takes strings, which is not read. Keep categories in the formula, and train the "
                "network on their codes or indicators."
            )
        self.inputs.append(len(self.nodes))
        return self._node(Node(name, "InputLayer", config, shape=tuple(int(size) for size in shape)))

    def _entry(
        self, entry: Config, store: Store, call: tuple[Any, ...], frozen: bool, again: bool = False
    ) -> list[Ref]:
        kind, config = entry["class_name"], entry["config"]
        if isinstance(config, Mapping) and "layers" in config:
            if again:
                raise _twice(f"{kind} {config['name']!r}")
            return self.model(entry, store, call, frozen)
        frozen = frozen or not config.get("trainable", True)
        node = Node(config["name"], kind, config, call, {}, frozen, is_layer(entry))
        weights = {}
        names = weight_names(kind, config)
        for name, weight in zip(names, store.weights(names) if names else (), strict=False):
            weights[name] = weight
            if weight.key in self.seen or again:
                raise _twice(node.label)
            self.seen.add(weight.key)
        if len(weights) < len(names):
            raise ReadError(
                f"{node.label} has {len(weights)} arrays where {', '.join(names)} are expected. It was never built, "
                "or it is shared with another part of the model, which is not read."
            )
        return [self._node(replace(node, weights=weights))]

    def _node(self, node: Node) -> Ref:
        self.nodes.append(node)
        return Ref(len(self.nodes) - 1)


def is_layer(entry: Config) -> bool:
    """Whether an entry of a config is a layer; operations hold no weights and are counted nowhere."""
    return ".ops." not in f".{entry.get('module')}."


def weight_names(kind: str, config: Config) -> tuple[str, ...]:
    """What a layer's arrays are, in the order in which it made them."""
    if kind == "Dense":
        return ("kernel", "bias") if config.get("use_bias", True) else ("kernel",)
    if kind == "Embedding":
        return ("embeddings",)
    if kind == "Normalization":
        return ("mean", "variance") if config.get("mean") is None else ()
    if kind == "BatchNormalization":
        own = ("gamma",) * bool(config.get("scale", True)) + ("beta",) * bool(config.get("center", True))
        return (*own, "moving_mean", "moving_variance")
    return ()


def _twice(label: str) -> ReadError:
    return ReadError(
        f"{label} is used more than once: its weights stand in several places of the network, which is not read. "
        "Give each place a layer of its own, with the same weights."
    )


def _triples(ends: Any) -> Iterator[tuple[str, int, int]]:
    """`[layer, node, tensor]`, however they are nested."""
    if isinstance(ends, Mapping):
        for each in ends.values():
            yield from _triples(each)
    elif len(ends) == 3 and isinstance(ends[0], str):
        yield ends[0], int(ends[1]), int(ends[2])
    else:
        for each in ends:
            yield from _triples(each)


def _renamed(ends: Any) -> Any:
    """The nesting of a model's inputs, with their names at the leaves."""
    if isinstance(ends, Mapping):
        return {key: _renamed(each) for key, each in ends.items()}
    if len(ends) == 3 and isinstance(ends[0], str):
        return ends[0]
    return [_renamed(each) for each in ends]


def _resolved(value: Any, known: Mapping[tuple[str, int], list[Ref]], by: str) -> Any:
    """What a call is given: references for the values of other layers, numpy arrays for constants."""
    if isinstance(value, Mapping):
        kind, config = value.get("class_name"), value.get("config")
        if kind == "__keras_tensor__" and config is not None:
            name, number, place = config["keras_history"]
            if (name, number) not in known:
                raise ReadError(f"Layer {by!r} is fed by {name!r}, which comes after it. Save the model with Keras 3.")
            return known[name, number][place]
        if kind in ("__numpy__", "__tensor__") and config is not None:
            return np.asarray(config["value"], dtype=float)
        if kind == "__slice__" and config is not None:
            return slice(*(config[end] for end in ("start", "stop", "step")))
        return {key: _resolved(each, known, by) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_resolved(each, known, by) for each in value)
    return value


def _flat(value: Any) -> Iterator[Any]:
    """Nested lists laid flat, without what is None."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _flat(each)
    elif value is not None:
        yield value


def _refs(value: Any) -> Iterator[Ref]:
    return (each for each in _flat(value) if isinstance(each, Ref))
