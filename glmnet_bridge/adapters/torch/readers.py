"""PyTorch: live modules, read from the graph of their forward().

    torch.fx  ->  torch.export  ->  (where neither can follow) a probe, for modules that are affine

A module says neither its loss nor how it was trained, and its inputs have no names: `family=` or `loss=`,
`optimizer=` and `inputs=` of the caller say these. It is left as it was: flags, gradients and random state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.objectives import LOGARITHMS
from glmnet_bridge.adapters.schoolings import UNTOLD, Told, taught
from glmnet_bridge.adapters.torch.graphs import Graph, NoGraph, at_rest, by_export, by_trace, input_names
from glmnet_bridge.adapters.torch.probes import Probe, probe
from glmnet_bridge.adapters.torch.shapes import Way, Widths, examples, way
from glmnet_bridge.adapters.torch.walks import lower
from glmnet_bridge.adapters.torch.weights import Book
from glmnet_bridge.errors import DataError, ReadError, listed
from glmnet_bridge.mapping.raws import Intake

Array = np.ndarray

WRAPPERS = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}


def read(model: Any, widths: Widths = None, told: Told = UNTOLD) -> Foreign:
    """A module as a network.

    Parameters
    ----------
    model : an nn.Module, compiled or not
    widths : how many inputs the caller names: in all, or by forward()'s argument
    told : what the caller says of its training

    Raises
    ------
    ReadError
        naming the layer, or the line of forward(), that is not read
    """
    module = _original(model)
    foreign, end = _foreign(module, widths)
    return taught(foreign, told, end, _paths(module))


def _paths(module: Any) -> dict[int, str]:
    """Paths of the parameters by their identity, which is what an optimiser knows them by."""
    return {id(each): path for path, each in module.named_parameters()}


def _foreign(module: Any, widths: Widths) -> tuple[Foreign, str]:
    """The network, and what stands at its end."""
    kind = f"PyTorch {type(module).__name__}"
    book = Book(module)
    with at_rest(module):
        found = _read(module, book, widths)
        if isinstance(found, Probe):
            run = _runner(module, kind, book, found.shapes, found.whole, ())
            return found.foreign(kind, run), found.activation
        network, theta, features = found.walk.wiring.network(found.wire)
    names = found.walk.names
    groups = tuple(zip(found.walk.graph.inputs, found.widths, strict=True))
    whole = tuple(at in found.walk.whole for at in range(len(groups)))
    run = _runner(module, kind, book, found.shapes, whole, tuple(found.walk.tables))
    logarithm = found.activation in LOGARITHMS
    foreign = Foreign(
        kind=kind,
        intake=Intake(names, features, groups=groups),
        network=network,
        theta=theta,
        forward=(lambda table: np.exp(run(table))) if logarithm else run,
        activation=LOGARITHMS.get(found.activation, found.activation),
        precision=book.precision,
        folded=(*dict.fromkeys(found.walk.folded), *_of_frozen(book)),
    )
    return foreign, found.activation


def _original(model: Any) -> Any:
    """The module that the user wrote, without what runs it faster."""
    import torch

    while type(model).__name__ in WRAPPERS and hasattr(model, WRAPPERS[type(model).__name__]):
        model = getattr(model, WRAPPERS[type(model).__name__])
    if not isinstance(model, torch.nn.Module):
        raise ReadError(
            f"network= is a torch {type(model).__name__}, which holds no graph that is read. Give the nn.Module itself."
        )
    if isinstance(model, torch.jit.ScriptModule):
        raise ReadError(
            "network= is a TorchScript module, which no longer holds the layers that it was made from. Give the "
            "nn.Module that it was scripted from, with its weights: network=(module, scripted.state_dict())."
        )
    return model


def _read(module: Any, book: Book, widths: Widths) -> Way | Probe:
    """By the first of three ways that leads to the end."""
    try:
        return way(by_trace(module), book, widths)
    except NoGraph as error:
        first = error
    largest = max([1, *(size for shape in book.shapes.values() for size in shape)])
    given = examples(module, input_names(module), book, widths, min(largest, 2_000))
    try:
        graph: Graph = by_export(module, given)
    except NoGraph as error:
        if first.decides or error.decides:
            raise ReadError(
                f"forward() of {type(module).__name__} takes another way for other inputs, so that there is no one "
                f"network to read: {first if first.decides else error}. Make the part that is used a "
                "module of its own, and give that."
            ) from error
        found = probe(module, book, given)
        if found is None:
            raise ReadError(
                f"forward() of {type(module).__name__} cannot be followed: {first}. Write that line with operations "
                "of torch, or give what it computes as inputs of the network."
            ) from error
        return found
    told = {name: tensor.shape[1] if tensor.ndim > 1 else 1 for name, tensor in zip(graph.inputs, given, strict=True)}
    return way(graph, book, told)


def _runner(
    module: Any,
    kind: str,
    book: Book,
    shapes: Sequence[tuple[int, ...]],
    whole: Sequence[bool],
    tables: Sequence[tuple[int, int, str]],
) -> Any:
    """The module on frames of raw inputs, `(m, r)` to `(m, k)`."""
    import torch

    near = np.float64 if book.example.dtype == torch.float64 else np.float32

    def forward(table: pd.DataFrame) -> Array:
        numbers = table.to_numpy(dtype=float)
        _check_codes(table, numbers, tables)
        given, start = [], 0
        for shape, counts in zip(shapes, whole, strict=True):
            width = shape[0] if shape else 1
            # a copy, which the module may change, with the numbers of a row together, as modules expect them
            part = np.array(numbers[:, start : start + width], dtype=np.int64 if counts else near, order="C")
            dtype = torch.int64 if counts else book.example.dtype
            given.append(torch.from_numpy(part).reshape(len(table), *shape).to(book.example.device, dtype))
            start += width
        with at_rest(module):
            try:
                out = module(*given)
            except Exception as error:  # the module's own code
                raise ReadError(f"The {kind} fails on these inputs: {error}") from error
        out = out[0] if isinstance(out, list | tuple) else out
        found: Array = out.detach().cpu().double().numpy().reshape(len(table), -1)
        return found

    return forward


def _check_codes(table: pd.DataFrame, numbers: Array, tables: Sequence[tuple[int, int, str]]) -> None:
    """Codes are whole numbers from 0 that the table has a row for."""
    for at, levels, layer in tables:
        column = numbers[:, at]
        bad = (column < 0) | (column >= levels) | (column != np.floor(column))
        if bad.any():
            raise DataError(
                f"Raw input {table.columns[at]!r} holds {column[bad][0]:g}, but {lower(layer)} has {levels} rows and "
                f"takes the codes 0 to {levels - 1}. Check inputs=: which column holds these codes?"
            )


def _of_frozen(book: Book) -> tuple[str, ...]:
    if book.thawed:
        return ("No parameter is trainable (requires_grad=False everywhere); all are read as weights all the same.",)
    if book.frozen:
        verb = "is" if len(book.frozen) == 1 else "are"
        return (f"{listed(book.frozen)} {verb} frozen (requires_grad=False) and taken as fixed numbers.",)
    return ()


def with_state(module: Any, state: dict[str, Any]) -> Any:
    """A copy of a module that holds these weights; the module itself may be untrained, or on the meta device.

    Raises
    ------
    ReadError
        naming the entries that the one has and the other lacks
    """
    import copy

    copied = copy.deepcopy(_original(module))
    empty = any(each.is_meta for each in (*copied.parameters(), *copied.buffers()))
    try:
        copied.load_state_dict(state, strict=True, assign=empty)
    except RuntimeError as error:
        said = " ".join(str(error).split())
        raise ReadError(f"The weights are not those of the {type(module).__name__}: {said}") from error
    return copied


def read_with(module: Any, state: Mapping[str, Any], widths: Widths = None, told: Told = UNTOLD) -> Foreign:
    """A module with weights that were kept apart from it: tensors, or arrays."""
    import torch

    tensors = {
        name: each if isinstance(each, torch.Tensor) else torch.tensor(np.asarray(each)) for name, each in state.items()
    }
    foreign, end = _foreign(with_state(module, tensors), widths)
    return taught(foreign, told, end, _paths(_original(module)))
