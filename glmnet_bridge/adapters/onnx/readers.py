"""ONNX: models as skl2onnx, torch.onnx and our own writer make them, read with the package `onnx` alone.

The value that holds the probabilities (or means) is followed back to the inputs; what the model does to
make labels of them is left out. ONNX does not say what was trained: weights of sums, embeddings and
batch normalisation count as trained, and what merely scales numbers as fixed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.foreigns import Foreign, Schooling
from glmnet_bridge.adapters.onnx import graphs
from glmnet_bridge.adapters.onnx.graphs import DOUBLE, STRING, Graph, Input, Model, Node
from glmnet_bridge.adapters.onnx.nodes import follow
from glmnet_bridge.adapters.onnx.walks import Activated, Total, Value, Walk
from glmnet_bridge.adapters.schoolings import UNTOLD, Told, taught
from glmnet_bridge.adapters.writing.records import Meaning, schooling, weights_of
from glmnet_bridge.errors import ReadError
from glmnet_bridge.mapping.raws import Intake
from glmnet_bridge.model import families
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.networks import Network
from glmnet_bridge.model.penalties import Penalty

Array = np.ndarray

_REAL = (1, 10, DOUBLE, 16)
_LIKELY = ("probabilities", "output_probability", "mean")
# what the model of our own writer says of itself
FORMAT, TRAINED, ETA, FAMILY, LINK = (
    f"glmnet_bridge.{word}" for word in ("format", "trained", "eta", "family", "link")
)
RESPONSE, CLASSES, PENALTY, TERMS = (f"{FORMAT}.{word}" for word in ("response", "classes", "penalty", "terms"))


@dataclass(frozen=True, slots=True)
class End:
    """Where a network ends: the units, the activation behind them, and the columns of the model's output."""

    units: tuple[int, ...]
    activation: str
    picks: tuple[int, ...] | None


def read(model: Any, told: Told = UNTOLD) -> Foreign:
    """An ONNX model (ModelProto, path, or onnxruntime session) as a network.

    `told` is what the caller says of its training.

    Raises
    ------
    ReadError
        for what cannot be read, naming the node
    """
    graph = graphs.load(model)
    output = _output(graph)
    ours = graph.records.get(FORMAT) is not None
    target = graph.records[ETA] if ours else output
    inputs = graph.fed([target])
    offsets = tuple(each for each in graph.fed([output]) if each not in inputs)
    if not inputs:
        raise ReadError("The model's output depends on none of its inputs.")
    trained = frozenset(graph.records[TRAINED].split("\n")) if ours else None
    walk = Walk(graph, inputs, trained)
    end = _end(walk, follow(walk, target), target)
    network, theta, features = walk.wiring.network(end.units)
    if not network.entries:
        raise ReadError("The model has no weights that training could change: it is no network.")
    family = _family(graph, end)
    runs = Model(graphs.session(graphs.cut(graph, [output])), _places(inputs), offsets, end.picks)
    named = ours or _named(inputs)
    meaning, precision = _meaning(graph), _precision(graph, inputs)
    found = Foreign(
        kind=f"model in ONNX{f' ({graph.model.producer_name})' if graph.model.producer_name else ''}",
        intake=Intake(walk.names, features, named=named, numeric=not named, groups=_groups(inputs), offset=ours),
        network=network,
        theta=theta,
        forward=runs,
        activation=end.activation if not ours or family is None else family.link.activation,
        family=family,
        precision=precision,
        folded=(*walk.folded, *_taken(walk), *_left_out(offsets)),
        classes=_classes(graph, end) if meaning is None else meaning.classes,
        schooling=_schooling(graph, meaning, network, theta, precision),
        response="" if meaning is None else meaning.response,
    )
    return taught(found, told, found.activation)


# --- which value ----------------------------------------------------------------------------------


def _output(graph: Graph) -> str:
    """The tensor with probabilities or means, of the outputs; labels are left out."""
    numbers = [name for name, kind in graph.outputs if kind in _REAL or kind is None]
    if not numbers:
        raise ReadError(
            f"The outputs of the model ({graphs.several(name for name, _ in graph.outputs)}) are labels. Export it "
            "with its probabilities as an output."
        )
    chosen = numbers if len(numbers) == 1 else [name for name in numbers if name in _LIKELY]
    if len(chosen) != 1:
        raise ReadError(
            f"The model has several outputs: {graphs.several(numbers)}. Keep the one that is meant "
            "(onnx.utils.extract_model)."
        )
    made = {name: node for node in graph.nodes for name in node.makes}
    node: Node | None = made.get(chosen[0])
    return node.takes[0] if node is not None and node.op == "ZipMap" else chosen[0]


def _end(walk: Walk, value: Value, name: str) -> End:
    """The units of the linear predictor, and the activation behind them."""
    if isinstance(value, np.ndarray | Total):
        raise ReadError("The model's output depends on none of its inputs.")
    if not isinstance(value, Activated):
        (node,) = walk.graph.before([name])[-1:]
        units = walk.units(value, node).ravel().tolist()
        return End(tuple(units), "linear", None)
    units = value.at.ravel().tolist()
    if value.kind in ("relu", "leaky_relu"):
        (node,) = walk.graph.before([name])[-1:]
        return End(tuple(walk.activation(value, node).ravel().tolist()), "linear", None)
    if value.kind == "sigmoid" and len(units) == 2 and walk.opposite.get(units[0]) == units[1]:
        return End((units[1],), "sigmoid", (1,))
    if value.kind == "sigmoid" and len(units) == 2 and walk.opposite.get(units[1]) == units[0]:
        return End((units[0],), "sigmoid", (0,))
    if value.shares or (value.kind == "sigmoid" and len(units) > 1):
        raise ReadError(
            f"The model ends in {len(units)} sigmoids (one class against the rest, each with weights of its own): that "
            "is no one model of the classes. Train it with a softmax over the classes, or keep one of its outputs."
        )
    return End(tuple(units), value.kind, None)


# --- what it says -----------------------------------------------------------------------------------


def _family(graph: Graph, end: End) -> Family | None:
    """Of our own writer the family itself; of a classifier of two classes the binomial."""
    if graph.records.get(FORMAT) is not None:
        return families.named(graph.records[FAMILY], graph.records[LINK])
    two = end.activation == "sigmoid" or (end.activation == "softmax" and len(end.units) == 2)
    return families.named("binomial") if two else None


def _meaning(graph: Graph) -> Meaning | None:
    """What our own writer noted of response and penalty; None for other models, and for those of older versions."""
    if PENALTY not in graph.records:
        return None
    penalty = Penalty(**json.loads(graph.records[PENALTY]))
    return Meaning(graph.records[RESPONSE], tuple(json.loads(graph.records[CLASSES])), penalty)


def _schooling(graph: Graph, meaning: Meaning | None, network: Network, theta: Array, precision: float) -> Schooling:
    if meaning is None:
        return Schooling(notes=("ONNX does not say how the model was trained.",))
    terms = pd.DataFrame(json.loads(graph.records[TERMS])).set_index("term")
    return schooling(meaning, weights_of(terms), theta, network, precision)


def _classes(graph: Graph, end: End) -> tuple[object, ...]:
    """Labels of the outputs: of ZipMap, of LinearClassifier, or of what picks the label from a list."""
    count = 2 if end.activation == "sigmoid" else len(end.units)
    for node in graph.nodes:
        for key in ("classlabels_int64s", "classlabels_ints", "classlabels_strings"):
            found = node.settings.get(key) or ()
            if len(found) == count:
                return _swapped(tuple(each.decode() if isinstance(each, bytes) else each for each in found), end)
        listed = graph.constants.get(node.takes[0]) if node.op == "ArrayFeatureExtractor" else None
        if listed is not None and listed.size == count:
            return _swapped(tuple(listed.ravel().tolist()), end)
    return ()


def _swapped(labels: tuple[object, ...], end: End) -> tuple[object, ...]:
    """The class whose probability was picked comes last."""
    return labels[::-1] if end.picks == (0,) else labels


def _named(inputs: Sequence[Input]) -> bool:
    """Whether the inputs are columns of a frame: one each, several of them, or text."""
    single = all(each.width == 1 for each in inputs)
    return single and (len(inputs) > 1 or inputs[0].kind == STRING)


def _places(inputs: Sequence[Input]) -> tuple[tuple[Input, slice], ...]:
    ends = np.cumsum([0, *(each.width for each in inputs)]).tolist()
    return tuple((each, slice(a, b)) for each, a, b in zip(inputs, ends[:-1], ends[1:], strict=True))


def _groups(inputs: Sequence[Input]) -> tuple[tuple[str, int], ...]:
    return tuple((each.name, each.width) for each in inputs) if len(inputs) > 1 else ()


def _precision(graph: Graph, inputs: Sequence[Input]) -> float:
    """That of its coarsest numbers; the operations of ai.onnx.ml compute in single precision."""
    coarse = {"Scaler", "LinearClassifier", "LinearRegressor", "Normalizer", "FeatureVectorizer"}
    kinds = {value.dtype for value in graph.constants.values() if value.dtype.kind == "f" and value.size > 1}
    single = np.dtype(np.float32) in kinds or any(node.op in coarse for node in graph.nodes)
    single = single or any(each.kind == graphs.FLOAT for each in inputs)
    return float(np.finfo(np.float32 if single else np.float64).eps)


def _taken(walk: Walk) -> tuple[str, ...]:
    if not walk.computed or walk.trained is not None:
        return ()
    return (f"Computed of the raw inputs before any weight, and taken as it is: {graphs.several(walk.computed)}.",)


def _left_out(offsets: Sequence[Input]) -> tuple[str, ...]:
    return tuple(
        f"The input {each.name!r} is an offset: it is fed 0 here, and the formula's own offset is added."
        for each in offsets
    )
