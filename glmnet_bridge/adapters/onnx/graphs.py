"""ONNX graphs: a model as nodes, constants and inputs, and parts of it that can be run.

    given (ModelProto, path, session) -> Graph -> cut(outputs) -> run(table of raw inputs)

The model's own arithmetic is that of onnxruntime where it is installed, else of onnx's reference
evaluator. What it computes of raw inputs before any weight is run by the reference evaluator in
double precision, because a column rounded to single precision would be no column of the formula.
"""

from __future__ import annotations

import copy
import functools
import importlib.util
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.errors import ReadError, listed, missing_extra

Array = np.ndarray

FLOAT, DOUBLE, STRING = 1, 11, 8
# element types that a table of raw inputs is turned into
TYPES: dict[int, Any] = {
    1: np.float32, 2: np.uint8, 3: np.int8, 5: np.int16, 6: np.int32, 7: np.int64, 8: object, 9: bool,
    10: np.float16, 11: np.float64,
}  # fmt: skip
_BATCH = 2  # rows of a trial run where the model leaves their number open


def package() -> Any:
    """The package onnx, imported on use."""
    try:
        import onnx
    except ImportError as error:
        raise missing_extra("onnx", "onnx") from error
    return onnx


@dataclass(frozen=True, slots=True)
class Input:
    """A graph input: its name, element type, shape of a row, and the number of rows where it is fixed."""

    name: str
    kind: int
    shape: tuple[int, ...]
    batch: int | None

    @property
    def width(self) -> int:
        return int(np.prod(self.shape, dtype=int))

    def array(self, table: pd.DataFrame, double: bool = False) -> Array:
        """Columns `(m, width)` as the graph takes them, `(m, *shape)`."""
        if self.kind == STRING:
            found = np.column_stack([column.astype(str).to_numpy(dtype=object) for _, column in table.items()])
        else:
            kind = np.float64 if double and self.kind == FLOAT else TYPES[self.kind]
            found = np.empty((len(table), table.shape[1]), kind)
            if table.dtypes.nunique() == 1:
                found[:] = table.to_numpy()
            else:  # together they would be of a third type
                for at, (_, column) in enumerate(table.items()):
                    found[:, at] = column.to_numpy()
        return found.reshape(len(table), *self.shape)


@dataclass(frozen=True, slots=True)
class Node:
    """An operation: its type, name, the values that it takes and makes, and its attributes."""

    op: str
    name: str
    takes: tuple[str, ...]
    makes: tuple[str, ...]
    settings: Mapping[str, Any]
    proto: Any = field(repr=False)

    @property
    def words(self) -> str:
        return f"Node {self.name!r} ({self.op})"


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A model, taken apart.

    Attributes
    ----------
    model : the ModelProto
    inputs : what it is fed
    nodes : its operations, in order
    constants : its initializers
    outputs : name and element type of each output; None where that is no tensor
    records : its metadata_props
    """

    model: Any
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    outputs: tuple[tuple[str, int | None], ...]
    records: Mapping[str, str]

    @property
    def rows(self) -> int:
        """Rows of a trial run."""
        return next((each.batch for each in self.inputs if each.batch is not None), _BATCH)

    def before(self, wanted: Iterable[str]) -> tuple[Node, ...]:
        """The nodes that these values need, in order."""
        needed, found = set(wanted), []
        for node in reversed(self.nodes):
            if needed.intersection(node.makes):
                found.append(node)
                needed.update(node.takes)
        return tuple(reversed(found))

    def fed(self, wanted: Iterable[str]) -> tuple[Input, ...]:
        """The inputs that these values need."""
        wanted = tuple(wanted)
        needed = {name for node in self.before(wanted) for name in node.takes} | set(wanted)
        return tuple(each for each in self.inputs if each.name in needed)


def load(given: Any) -> Graph:
    """A ModelProto, a path, or an onnxruntime session that knows what it was made of.

    Raises
    ------
    ReadError
        for a file that is no model, or one with control flow or quantised arithmetic
    """
    onnx = package()
    model = _model(onnx, given)
    if not model.graph.output:
        raise ReadError("This is no ONNX model: its graph has no output.")
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    graph = model.graph
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    nodes = tuple(_node(onnx, each, at) for at, each in enumerate(graph.node))
    inputs = tuple(_input(each) for each in graph.input if each.name not in constants)
    outputs = tuple((each.name, _kind(each)) for each in graph.output)
    return Graph(model, inputs, nodes, constants, outputs, {p.key: p.value for p in model.metadata_props})


def _model(onnx: Any, given: Any) -> Any:
    if isinstance(given, onnx.ModelProto):
        return given
    if type(given).__name__ == "InferenceSession":
        held, path = getattr(given, "_model_bytes", None), getattr(given, "_model_path", None)
        if held is None and not path:
            raise ReadError("This InferenceSession does not say what it was made of. Give the model or its path.")
        given = held if held is not None else path
    try:
        return onnx.load_from_string(given) if isinstance(given, bytes) else onnx.load(os.fspath(given))
    except FileNotFoundError:
        raise ReadError(f"There is no file {os.fspath(given)!r}.") from None
    except Exception as error:
        raise ReadError(
            f"{given if isinstance(given, str) else 'This'} cannot be read as an ONNX model: {error}"
        ) from error


def _node(onnx: Any, proto: Any, at: int) -> Node:
    name = proto.name or (proto.output[0] if proto.output else str(at))
    if any(each.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for each in proto.attribute):
        raise ReadError(
            f"Node {name!r} ({proto.op_type}) is control flow that depends on the data; no fixed network does the "
            "same. Export the model without it."
        )
    settings = {each.name: onnx.helper.get_attribute_value(each) for each in proto.attribute}
    return Node(proto.op_type, name, tuple(proto.input), tuple(proto.output), settings, proto)


def _kind(value: Any) -> int | None:
    return int(value.type.tensor_type.elem_type) if value.type.HasField("tensor_type") else None


def _input(value: Any) -> Input:
    kind, dims = _kind(value), list(value.type.tensor_type.shape.dim)
    if kind not in TYPES or not dims:
        raise ReadError(f"Input {value.name!r} is no table of numbers or text, one row per case.")
    shape = tuple(int(each.dim_value) for each in dims[1:])
    if 0 in shape:
        raise ReadError(
            f"Input {value.name!r} leaves its number of columns open. Export the model with a fixed one (only the "
            "number of rows may be open)."
        )
    return Input(value.name, kind, shape, int(dims[0].dim_value) or None)


# --- running ------------------------------------------------------------------------------------


def cut(graph: Graph, wanted: Sequence[str]) -> Any:
    """A model of the nodes that make `wanted`, for any number of rows."""
    onnx = package()
    nodes = graph.before(wanted)
    read = {name for node in nodes for name in node.takes}
    model = onnx.ModelProto()
    model.CopyFrom(graph.model)
    for name in ("node", "initializer", "input", "output", "value_info"):
        model.graph.ClearField(name)
    model.graph.node.extend(node.proto for node in nodes)
    model.graph.initializer.extend(each for each in graph.model.graph.initializer if each.name in read)
    model.graph.input.extend(
        each for each in graph.model.graph.input if each.name in {f.name for f in graph.fed(wanted)}
    )
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].Clear()
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in wanted)
    return model


def session(model: Any) -> Callable[[dict[str, Array]], list[Array]]:
    """What runs a model: onnxruntime, or the reference evaluator."""
    if importlib.util.find_spec("onnxruntime") is None:
        return evaluator(model)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1  # the sums of a product must not depend on the machine's threads
    try:
        found = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        if "NOT_IMPLEMENTED" in str(error):  # it lacks some operations in double precision
            return evaluator(model)
        raise ReadError(f"onnxruntime does not take this model: {error}") from error
    return lambda feed: found.run(None, feed)


def evaluator(model: Any) -> Callable[[dict[str, Array]], list[Array]]:
    """onnx's reference evaluator."""
    from onnx.reference import ReferenceEvaluator

    found = ReferenceEvaluator(model)

    def run(feed: dict[str, Array]) -> list[Array]:
        with np.errstate(all="ignore"):
            values: Any = found.run(None, feed)
            return list(values)

    return run


def evaluate(node: Node, given: Sequence[Array | None]) -> list[Array]:
    """One node on known values."""
    from onnx.reference import ReferenceEvaluator

    feed = {name: value for name, value in zip(node.takes, given, strict=True) if name and value is not None}
    with np.errstate(all="ignore"):
        found: Any = ReferenceEvaluator(node.proto).run(None, feed)
    return list(found)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """The model itself: a frame of raw inputs `(m, r)` to one of its values `(m, k)`.

    Attributes
    ----------
    run : what runs it
    inputs : what it is fed, and where the columns of each stand among the raw inputs
    blank : inputs that are fed zeros
    picks : columns of the value, or None for all
    """

    run: Callable[[dict[str, Array]], list[Array]]
    inputs: tuple[tuple[Input, slice], ...]
    blank: tuple[Input, ...] = ()
    picks: tuple[int, ...] | None = None

    def __call__(self, table: pd.DataFrame) -> Array:
        feed = {each.name: each.array(table.iloc[:, at]) for each, at in self.inputs}
        feed |= {each.name: np.zeros((len(table), *each.shape), TYPES[each.kind]) for each in self.blank}
        try:
            (value,) = self.run(feed)
        except Exception as error:
            raise ReadError(self._why(error)) from error
        found = np.asarray(value)
        rows = found.reshape(len(table), -1) if found.size % max(len(table), 1) == 0 else found
        return rows if self.picks is None else rows[:, list(self.picks)]

    def _why(self, error: Exception) -> str:
        fixed = [each for each, _ in self.inputs if each.batch is not None]
        if fixed:
            return (
                f"The model was exported for batches of {fixed[0].batch} rows and cannot run others: {error} Export it "
                f"with an open number of rows (torch: dynamic_axes={{{fixed[0].name!r}: {{0: 'n'}}}})."
            )
        return f"The model cannot be run on these inputs: {error}"


@dataclass(frozen=True, slots=True, eq=False)
class Computation:
    """What the model makes of raw inputs before any weight, in double precision: a frame `(m, r)` to `(m, w)`."""

    run: Callable[[dict[str, Array]], list[Array]]
    inputs: tuple[Input, ...]

    def __call__(self, table: pd.DataFrame) -> Array:
        value = self.raw(table)
        return value.reshape(len(table), -1).astype(float)

    def raw(self, table: pd.DataFrame) -> Array:
        """The value as the graph has it, `(m, ...)`."""
        feed, at = {}, 0
        for each in self.inputs:
            feed[each.name] = each.array(table.iloc[:, at : at + each.width], double=True)
            at += each.width
        (value,) = self.run(feed)
        return np.asarray(value)

    def trial(self, rows: int) -> Array:
        """The value for some rows, to see its shape.

        Raises
        ------
        ReadError
            where a row's value depends on another row
        """
        width = sum(each.width for each in self.inputs)
        ones = np.ones((rows, width))
        other = np.vstack([ones[:-1], ones[-1:] + 1.0])
        first, second = (self.raw(pd.DataFrame(table)) for table in (ones, other))
        if first.shape[:1] != (rows,) or not np.array_equal(first[:-1], second[:-1], equal_nan=first.dtype.kind == "f"):
            raise ReadError("What the model computes of its inputs is no value of a single row; only that is read.")
        return first


def computation(graph: Graph, name: str) -> Computation:
    """The part of the graph that makes one value."""
    return Computation(evaluator(_in_double(cut(graph, [name]))), graph.fed([name]))


def _in_double(model: Any) -> Any:
    """Every number in single precision as a double."""
    onnx = package()
    model = copy.deepcopy(model)
    for each in model.graph.initializer:
        _widen(onnx, each)
    for node in model.graph.node:
        for setting in node.attribute:
            if setting.name == "to" and node.op_type == "Cast" and setting.i == FLOAT:
                setting.i = DOUBLE
            elif setting.type == onnx.AttributeProto.TENSOR:
                _widen(onnx, setting.t)
    for value in model.graph.input:
        if value.type.tensor_type.elem_type == FLOAT:
            value.type.tensor_type.elem_type = DOUBLE
    return model


def _widen(onnx: Any, tensor: Any) -> None:
    if tensor.data_type == FLOAT:
        values = onnx.numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


@functools.lru_cache(maxsize=1)
def refused() -> dict[str, str]:
    """Operations that no network of ours can do, and what would help."""
    quantised = "its arithmetic is quantised: give the model from before quantisation"
    return (
        dict.fromkeys(
            ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearMatMul", "MatMulInteger", "QGemm"),
            quantised,
        )
        | dict.fromkeys(
            ("TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble", "SVMClassifier", "SVMRegressor"),
            "it is no network of weighted sums",
        )
        | dict.fromkeys(
            ("Conv", "LSTM", "GRU", "RNN", "Attention", "LayerNormalization", "LayerNorm"),
            "only weighted sums, embeddings, batch normalisation and elementwise activations are read",
        )
    )


def several(names: Iterable[str]) -> str:
    """Names in quotes, for messages."""
    return listed([repr(name) for name in names], 8)
