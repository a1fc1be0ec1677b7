"""Graphs of PyTorch modules: what a forward() computes, without running it on numbers.

`torch.fx` follows the module's own Python, layer by layer. Where Python looks at shapes (`len(x)`, `*x.shape`)
that fails, and `torch.export` follows the tensors instead, for example inputs. Where Python decides by the
inputs' values there is no one graph: the line is named.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import os
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from glmnet_bridge.errors import ReadError

IN_PLACE = frozenset({"setitem", "__setitem__", "iadd", "isub", "imul", "itruediv"})
FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)(?:\n    (?!File)\s*(.+))?')


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph of `torch.fx`.

    Attributes
    ----------
    nodes : what the output needs, in the order of computation; the output itself is the last
    inputs : names of forward()'s inputs
    attribute : the tensor (or other value) behind a node that is no operation, or None for an input
    module : the layer that a node of the module calls
    """

    nodes: tuple[Any, ...]
    inputs: tuple[str, ...]
    attribute: Callable[[Any], Any]
    module: Callable[[str], Any]


class NoGraph(Exception):
    """A module cannot be followed; `decides` says whether Python's flow depends on its inputs."""

    def __init__(self, words: str, decides: bool = False) -> None:
        super().__init__(words)
        self.decides = decides


@contextlib.contextmanager
def at_rest(module: Any) -> Iterator[None]:
    """The module in inference mode, without gradients; flags and random state are as they were afterwards."""
    import torch

    flags = [(each, each.training) for each in module.modules()]
    devices = sorted({tensor.device.index or 0 for tensor in module.parameters() if tensor.is_cuda})
    try:
        for each, _ in flags:
            each.training = False
        with torch.no_grad(), torch.random.fork_rng(devices=devices), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, flag in flags:
            each.training = flag


def input_names(module: Any) -> tuple[str, ...]:
    """Names of the tensors that forward() must be given."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = inspect.signature(module.forward).parameters.values()
    many = [each.name for each in found if each.kind is each.VAR_POSITIONAL]
    names = tuple(each.name for each in found if each.kind in kinds and each.default is each.empty)
    if many and not names:
        raise ReadError(
            f"forward(*{many[0]}) of {type(module).__name__} takes any number of inputs, so nothing says how many. "
            "Wrap it in a module whose forward() names them."
        )
    return names


def by_trace(module: Any) -> Graph:
    """The graph by `torch.fx`, in which layers of torch.nn are single nodes.

    Raises
    ------
    NoGraph
        with the reason in words
    """
    from torch import fx

    names = input_names(module)
    given = inspect.signature(module.forward).parameters
    known = {name: each.default for name, each in given.items() if name not in names and each.default is not each.empty}
    tracer = fx.Tracer()
    tracer.record_stack_traces = True
    try:
        graph = tracer.trace(module, concrete_args=known or None)
    except Exception as error:  # whatever the module's own code makes of a value without numbers
        decides = isinstance(error, fx.proxy.TraceError) and "control flow" in str(error)
        raise NoGraph(_words(error), decides) from error
    nodes = _needed(graph)

    def attribute(node: Any) -> Any:
        if node.op != "get_attr":
            return None
        value = module
        for part in node.target.split("."):
            value = getattr(value, part)
        return value

    return Graph(nodes, names, attribute, module.get_submodule)


def by_export(module: Any, examples: Sequence[Any]) -> Graph:
    """The graph by `torch.export`, whose nodes are tensor operations.

    Raises
    ------
    NoGraph
        with the reason in words
    """
    import torch

    disabled = logging.root.manager.disable
    try:
        logging.disable(logging.CRITICAL)  # its failures are told here, in words
        with contextlib.redirect_stderr(io.StringIO()):
            program = torch.export.export(module, tuple(examples), strict=False)
    except Exception as error:
        decides = "DataDependent" in type(error).__name__ or "data-dependent" in str(error).lower()
        raise NoGraph(_words(error), decides) from error
    finally:
        logging.disable(disabled)
    values: dict[str, Any] = {}
    for spec in program.graph_signature.input_specs:
        if spec.target is not None:
            held = {**program.state_dict, **program.constants}
            parameter = spec.kind.name == "PARAMETER"
            values[spec.arg.name] = module.get_parameter(spec.target) if parameter else held[spec.target]
    return Graph(
        _needed(program.graph),
        input_names(module),
        lambda node: values.get(node.name),
        module.get_submodule,
    )


def _needed(graph: Any) -> tuple[Any, ...]:
    """The nodes that the output depends on, and those that change what it may depend on."""
    wanted, kept = set(), []
    for node in reversed(list(graph.nodes)):
        if node.op == "output" or node in wanted or changes(node):
            kept.append(node)
            wanted.update(node.all_input_nodes)
    return tuple(kept[::-1])


def changes(node: Any) -> bool:
    """Whether a function or method changes in place what it is given."""
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "").split(".")[0]
    if node.op not in ("call_function", "call_method"):
        return False
    ends = name.endswith("_") and not name.startswith("_")
    return (
        name in ("setitem", "__setitem__", "iadd", "isub", "imul", "itruediv")
        or ends
        or bool(node.kwargs.get("inplace"))
    )


def place(trace: str | None) -> str:
    """`line 12 of net.py: h = self.fc(x)`, the innermost line that is not PyTorch's own; or nothing."""
    import torch

    own = os.path.dirname(torch.__file__)
    frames = [each for each in FRAME.finditer(trace or "") if not each[1].startswith(own)]
    named = [each for each in frames if each[3] == "forward"] or frames
    if not named:
        return ""
    path, line, _, code = named[-1].groups()
    return f"line {line} of {os.path.basename(path)}{f': {code.strip()}' if code else ''}"


def _words(error: Exception) -> str:
    """The first sentence of an error, and the line of the user's forward() that it came from."""
    trace = "".join(traceback.format_tb(error.__traceback__))
    where = place(trace)
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"{where} ({said})" if where else said
