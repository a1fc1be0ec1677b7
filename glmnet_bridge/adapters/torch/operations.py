"""Operations of a PyTorch graph, node by node, as steps of a walk.

Layers stand in `layers`, functions in `functions`; whatever only moves numbers about is a name in
`MOVES`, and is done by PyTorch itself on the numbers of units and weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from glmnet_bridge.adapters.torch.functions import FUNCTIONS, KNOWN
from glmnet_bridge.adapters.torch.graphs import Graph, changes
from glmnet_bridge.adapters.torch.layers import layer
from glmnet_bridge.adapters.torch.walks import Walk, attempted
from glmnet_bridge.adapters.torch.weights import Units, Weights
from glmnet_bridge.errors import ReadError

MOVES = frozenset(
    [
        "getitem", "squeeze", "unsqueeze", "reshape", "view", "flatten", "unflatten",
        "permute", "transpose", "t", "swapaxes", "swapdims", "movedim", "cat",
        "concat", "concatenate", "hstack", "column_stack", "stack", "chunk", "split",
        "split_with_sizes", "tensor_split", "narrow", "select", "slice", "index_select", "index",
        "unbind", "ravel", "expand", "expand_as", "view_as", "contiguous", "clone",
        "detach", "detach_", "alias", "lift_fresh_copy", "size", "dim", "flip",
        "roll", "len", "sym_size", "numel", "adjoint", "atleast_2d",
    ]
)  # fmt: skip
ATTRIBUTES = frozenset({"shape", "T", "mT", "ndim"})
JOINS = frozenset({"cat", "concat", "concatenate", "hstack", "column_stack", "stack"})


def run(walk: Walk) -> Any:
    """All nodes of the graph, in their order; the output's value.

    Raises
    ------
    Misfit
        where shapes do not go together
    ReadError
        for what is not read, by name
    """
    from torch.fx.node import map_arg

    made: dict[Any, Any] = {}
    graph: Graph = walk.graph
    for node in graph.nodes:
        walk.node, walk.module = node, None
        args, kwargs = map_arg(node.args, made.__getitem__), map_arg(node.kwargs, made.__getitem__)
        if node.op == "output":
            return args[0]
        if node.op == "placeholder":
            made[node] = _given(walk, node)
        elif node.op == "get_attr":
            made[node] = walk.book.look(graph.attribute(node))
        elif node.op == "call_module":
            walk.module = graph.module(node.target)
            made[node] = layer(walk, walk.module, args, kwargs)
        else:
            made[node] = _function(walk, node, args, kwargs)
        if _in_place(walk, node):
            made[node.args[0]] = made[node]
        walk.steps += 1
    raise ReadError("The graph of the module has no output.")


def _given(walk: Walk, node: Any) -> Any:
    """An input of forward(); a parameter, where the graph takes these as inputs; or the default of an argument."""
    if node.target in walk.inputs:
        return walk.inputs[node.target]
    held = walk.graph.attribute(node)
    if held is not None:
        return walk.book.look(held)
    return node.args[0] if node.args else None


def _in_place(walk: Walk, node: Any) -> bool:
    """Whether the operation changes what it is given, so that all who hold that see the change."""
    if walk.module is not None:
        return bool(getattr(walk.module, "inplace", False))
    return changes(node) and bool(node.all_input_nodes)


def name_of(target: Any) -> tuple[str, bool]:
    """The plain name of a function, method or operator, and whether it is one of ATen."""
    schema = getattr(target, "_schema", None)
    if schema is not None:
        return schema.name.split("::")[-1].rstrip("_"), True
    name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
    name = name[1:] if name in ("iadd", "isub", "imul", "itruediv") else name
    return (name if name.startswith("_") else name.rstrip("_")), False


def _function(walk: Walk, node: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    name, aten = name_of(node.target)
    held = _flat((args, kwargs))
    units = [each for each in held if isinstance(each, Units)]
    if not units and not any(isinstance(each, Weights) for each in held):
        return attempted(walk, _call(node), args, kwargs)
    if name == "getattr":
        return _attribute(walk, args[0], args[1])
    if name in MOVES:
        return _move(walk, node, name, args, kwargs)
    if not units:
        raise walk.refusal(
            "computes something from a weight alone", "Only weights that are used as they are have a place in the map."
        )
    read = FUNCTIONS.get(f"aten.{name}" if aten else name) or FUNCTIONS.get(name)
    if read is None:
        raise walk.refusal(
            "is not read", f"Hidden activations that are: {KNOWN}. Give what it computes as inputs of the network."
        )
    try:
        return read(walk, *args, **kwargs)
    except TypeError as error:
        raise walk.refusal(f"is called in a way that is not read ({error})") from error


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [part for each in value for part in _flat(each)]
    return [value.start, value.stop, value.step] if isinstance(value, slice) else [value]


def _call(node: Any) -> Callable[..., Any]:
    if node.op == "call_method":
        return lambda first, *args, **kwargs: getattr(first, node.target)(*args, **kwargs)
    found: Callable[..., Any] = node.target
    return found


def _attribute(walk: Walk, value: Any, name: str) -> Any:
    if name in ("dtype", "device"):
        return getattr(walk.book.example, name)
    if name not in ATTRIBUTES:
        raise walk.refusal(f"asks for .{name}, which is not read")
    return _again(getattr(value.ids, name), value)


def _move(walk: Walk, node: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if name == "getitem" and isinstance(args[1], str):
        raise walk.refusal(
            f"takes {args[1]!r} out of a dict of inputs", "Wrap the module in one whose forward() names its inputs."
        )
    if name in JOINS:
        first = args[0] if args else kwargs.pop("tensors")
        args = (_joined(walk, first), *args[1:])
    if any(isinstance(each, Units) for each in _flat((args[1:], kwargs))) and name not in ("expand_as", "view_as"):
        raise walk.refusal("picks by values that depend on the inputs")
    like = [each for each in _flat(args) if isinstance(each, Units | Weights)]
    bare: Any = _bare(args)
    return _again(attempted(walk, _call(node), bare, _bare(kwargs)), *like)


def _joined(walk: Walk, parts: Sequence[Any]) -> Any:
    """Values to be joined, all of one kind: constants among units are units too."""
    if not any(isinstance(part, Units) for part in parts):
        return list(parts)
    if any(isinstance(part, Weights) for part in parts):
        raise walk.refusal("joins weights with values of the inputs")
    return [part if isinstance(part, Units) else walk.constant(part) for part in parts]


def _bare(value: Any) -> Any:
    if isinstance(value, Units | Weights):
        return value.ids
    if hasattr(value, "cpu"):
        return value.cpu()  # where the numbers of units are
    if isinstance(value, dict):
        return {name: _bare(each) for name, each in value.items()}
    return type(value)(_bare(each) for each in value) if type(value) in (list, tuple) else value


def _again(value: Any, *like: Units | Weights) -> Any:
    """Tensors of numbers as units or weights again; sizes as they are."""
    import torch

    if isinstance(value, torch.Tensor):
        if isinstance(like[0], Weights):
            return Weights(value)
        return Units(value, any(isinstance(each, Units) and each.codes for each in like))
    if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        return [_again(each, *like) for each in value]
    return value
