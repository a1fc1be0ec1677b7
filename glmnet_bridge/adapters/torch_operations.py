"""Operations of PyTorch, as steps of a walk: layers of torch.nn, functions, methods and ATen operators by name.

A new one is a line in `LAYERS` or `FUNCTIONS`; whatever only moves numbers about is a name in `MOVES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from glmnet_bridge.adapters.torch_graphs import Graph
from glmnet_bridge.adapters.torch_walks import Misfit, Walk, numbers, weight_shape
from glmnet_bridge.adapters.torch_weights import Units, Weights
from glmnet_bridge.errors import ReadError

# what PyTorch itself does on the numbers of units and weights
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
WHOLE = frozenset({"long", "int", "short"})  # casts to whole numbers
REAL = frozenset({"float", "double", "half", "bfloat16", "cpu", "cuda"})
LINEAR = frozenset({"sum", "mean", "cumsum", "diff"})  # fixed linear maps of one row
IDENTITY = frozenset({"dropout", "alpha_dropout", "feature_alpha_dropout", "dropout1d", "native_dropout"})
NO_LINK = {
    "softplus": "A softplus is the inverse of no link that is read here; end in exp (the log link)",
    "log": "A logarithm is no inverse link; return the values in front of it",
}
KNOWN = "identity, relu, leaky_relu (slope 0.01), sigmoid and tanh"


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
            made[node] = _layer(walk, walk.module, args, kwargs)
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
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    changes = name in ("iadd", "isub", "imul", "itruediv") or (name.endswith("_") and not name.startswith("_"))
    return bool(changes or node.kwargs.get("inplace")) and bool(node.all_input_nodes)


# --- layers -----------------------------------------------------------------------------------


def _layer(walk: Walk, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    kind = type(module).__name__
    if hasattr(module, "parametrizations"):
        raise walk.refusal(
            "computes its weights from others (a parametrization such as weight_norm)",
            'First make them plain: torch.nn.utils.parametrize.remove_parametrizations(layer, "weight").',
        )
    read = LAYERS.get(kind)
    if read is None:
        raise walk.refusal(
            "is not read",
            f"Layers that are: {', '.join(LAYERS)}. Give what it computes as inputs of the network, or leave it out.",
        )
    if args and not isinstance(args[0], Units):
        raise walk.refusal("is given something that depends on no input")
    try:
        return read(walk, module, *args, **kwargs)
    except TypeError as error:
        raise walk.refusal(f"is called in a way that is not read ({error})") from error


def _own(walk: Walk, module: Any, name: str) -> Any:
    """A parameter of a layer; one that is computed before each run is no parameter."""
    value = getattr(module, name)
    if value is not None and name not in module._parameters:
        raise walk.refusal(
            f"computes its {name} before each run (weight_norm, spectral_norm or pruning)",
            f'First make it plain: torch.nn.utils.prune.remove(layer, "{name}") or remove_weight_norm(layer).',
        )
    return walk.book.look(value)


def _linear_layer(walk: Walk, module: Any, x: Units) -> Units:
    return walk.linear(x, _own(walk, module, "weight"), _own(walk, module, "bias"))


def _batch_norm_layer(walk: Walk, module: Any, x: Units) -> Units:
    return _batch_norm(
        walk, x, module.running_mean, module.running_var, module.weight, module.bias, eps=module.eps, look=True
    )


def _batch_norm(
    walk: Walk,
    x: Units,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    look: bool = False,
) -> Units:
    if running_mean is None or training:
        raise walk.refusal(
            "has no running moments, so that in inference too it takes those of the batch",
            "Train it with track_running_stats=True.",
        )
    if look:
        weight, bias = walk.book.look(weight), walk.book.look(bias)
    mean, variance = numbers(running_mean), numbers(running_var)
    walk.folded.append(
        f"{walk.what()} in inference mode: its running moments are taken as fixed; standard errors ignore "
        "their estimation."
    )
    return walk.gain(walk.normalise(x, mean, variance, float(eps)), weight, bias)


def _embedding_layer(walk: Walk, module: Any, codes: Units) -> Units:
    if module.max_norm is not None:
        raise walk.refusal("rescales its rows (max_norm) whenever it is run", "Train it without max_norm.")
    return walk.table(_own(walk, module, "weight"), codes, module.padding_idx)


def _dropout_layer(walk: Walk, module: Any, x: Units) -> Units:
    return _dropout(walk, x)


def _dropout(walk: Walk, x: Units, *rest: Any, **named: Any) -> Units:
    if named.get("training", rest[1] if len(rest) > 1 else False):
        raise walk.refusal("drops units in inference too", "Use F.dropout(x, training=self.training), or nn.Dropout.")
    walk.folded.append(
        f"{walk.what()} is the identity at inference; in training it is a penalty without GLM counterpart."
    )
    return x


def _moved_layer(walk: Walk, module: Any, x: Units) -> Units:
    return Units(_moved(walk, module, (x.ids,), {}), x.codes)


def _leaky(walk: Walk, x: Units, negative_slope: float = 0.01, inplace: bool = False) -> Units:
    if negative_slope != 0.01:
        raise walk.refusal(f"has slope {negative_slope:g}, which is not read; 0.01 is")
    return walk.activation(x, "leaky_relu")


def _softmax(kind: str) -> Callable[..., Units]:
    def read(walk: Walk, x: Units, dim: int | None = None, *rest: Any, **named: Any) -> Units:
        _, shape = walk.fed(x)
        if len(shape) != 1 or dim not in (None, 1, -1):
            raise walk.refusal("does not go over the units of a row", "Use dim=1 on values of shape (rows, units).")
        return walk.end(x, kind)

    return read


def _end(kind: str) -> Callable[..., Units]:
    def read(walk: Walk, x: Units, *rest: Any, **named: Any) -> Units:
        return walk.end(x, kind)

    return read


def _hidden(kind: str) -> Callable[..., Units]:
    def read(walk: Walk, x: Units, *rest: Any, **named: Any) -> Units:
        return walk.activation(x, kind)

    return read


def _same(walk: Walk, x: Units, *rest: Any, **named: Any) -> Units:
    return x


def _without(read: Callable[..., Units]) -> Callable[..., Units]:
    """A function as a layer that has no settings."""
    return lambda walk, module, x: read(walk, x)


def _no_link(name: str) -> Callable[..., Units]:
    def read(walk: Walk, *rest: Any, **named: Any) -> Units:
        raise walk.refusal("is not read", f"{NO_LINK[name]}; hidden activations that are read: {KNOWN}.")

    return read


LAYERS: dict[str, Callable[..., Any]] = {
    "Linear": _linear_layer,
    "NonDynamicallyQuantizableLinear": _linear_layer,
    "BatchNorm1d": _batch_norm_layer,
    "Embedding": _embedding_layer,
    "Dropout": _dropout_layer,
    "AlphaDropout": _dropout_layer,
    "FeatureAlphaDropout": _dropout_layer,
    "Dropout1d": _dropout_layer,
    "Identity": _without(_same),
    "Flatten": _moved_layer,
    "Unflatten": _moved_layer,
    "ReLU": _without(_hidden("relu")),
    "LeakyReLU": lambda walk, module, x: _leaky(walk, x, module.negative_slope),
    "Sigmoid": _without(_hidden("sigmoid")),
    "Tanh": _without(_hidden("tanh")),
    "Softmax": lambda walk, module, x: _softmax("softmax")(walk, x, module.dim),
    "LogSoftmax": lambda walk, module, x: _softmax("log_softmax")(walk, x, module.dim),
    "LogSigmoid": _without(_end("log_sigmoid")),
    "Softplus": _no_link("softplus"),
}


# --- functions --------------------------------------------------------------------------------


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
        return _moved(walk, _call(node), args, kwargs)
    if name == "getattr":
        return _attribute(walk, args[0], args[1])
    if name in MOVES:
        return _move(walk, node, name, args, kwargs)
    if not units:
        raise walk.refusal(
            "computes a weight from others", "Only weights that are used as they are have a place in the map."
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


def _moved(walk: Walk, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What PyTorch itself makes of numbers; shapes that do not fit are the walk's, not the user's."""
    try:
        return function(*args, **kwargs)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        raise Misfit(f"{walk.what()}: {str(error).splitlines()[0]}") from error


def _attribute(walk: Walk, value: Any, name: str) -> Any:
    if name in ("dtype", "device"):
        return getattr(walk.book.example, name)
    if name not in ATTRIBUTES:
        raise walk.refusal(f"asks for .{name}, which is not read")
    return _again(getattr(value.ids, name), value)


def _move(walk: Walk, node: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if name in JOINS:
        first = args[0] if args else kwargs.pop("tensors")
        args = (_joined(walk, first), *args[1:])
    if any(isinstance(each, Units) for each in _flat((args[1:], kwargs))) and name not in ("expand_as", "view_as"):
        raise walk.refusal("picks by values that depend on the inputs")
    like = [each for each in _flat(args) if isinstance(each, Units | Weights)]
    bare: Any = _bare(args)
    return _again(_moved(walk, _call(node), bare, _bare(kwargs)), *like)


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


def _add(walk: Walk, a: Any, b: Any, *, alpha: float = 1.0) -> Units:
    return _sum(walk, a, b, float(alpha))


def _sub(walk: Walk, a: Any, b: Any, *, alpha: float = 1.0) -> Units:
    return _sum(walk, a, b, -float(alpha))


def _rsub(walk: Walk, a: Any, b: Any, alpha: float = 1.0) -> Units:
    return _sum(walk, b, a, -float(alpha))


def _sum(walk: Walk, a: Any, b: Any, sign: float) -> Units:
    """`a + sign * b`; the sign goes to what is no weight."""
    if isinstance(a, Units) and isinstance(b, Units):
        return walk.sum(a, b, sign)
    if isinstance(a, Units):
        if not isinstance(b, Weights) or sign == 1.0:
            return walk.shift(a, b if isinstance(b, Weights) else sign * b)
        if sign == -1.0:
            return _neg(walk, walk.shift(_neg(walk, a), b))
        raise walk.refusal("multiplies a weight by a number", "Only weights that are used as they are are mapped.")
    return walk.shift(b if sign == 1.0 else walk.scale(b, sign), a)


def _mul(walk: Walk, a: Any, b: Any) -> Units:
    if isinstance(a, Units) and isinstance(b, Units):
        raise walk.refusal(
            "multiplies two values that both depend on the inputs",
            "Give the product as an input of the network, or as a term of the formula.",
        )
    return walk.scale(a, b) if isinstance(a, Units) else walk.scale(b, a)


def _div(walk: Walk, a: Any, b: Any, *, rounding_mode: str | None = None) -> Units:
    if not isinstance(a, Units) or isinstance(b, Units | Weights) or rounding_mode:
        raise walk.refusal("divides by a value that is learnt or depends on the inputs, or rounds")
    divisor = numbers(b)
    if not divisor.all():
        raise walk.refusal("divides by 0")
    return walk.scale(a, 1.0 / divisor)


def _neg(walk: Walk, x: Units) -> Units:
    return walk.scale(x, -1.0)


def _linear(walk: Walk, x: Any, weight: Any, bias: Any = None) -> Units:
    if not isinstance(x, Units) or isinstance(weight, Units):
        raise walk.refusal("multiplies two values that both depend on the inputs, or their transpose")
    if len(weight_shape(weight)) == 1:
        return _squeezed(walk.linear(x, _picked(weight, lambda each: each[None]), bias))
    return walk.linear(x, weight, bias)


def _matmul(walk: Walk, a: Any, b: Any, bias: Any = None) -> Units:
    """`a b`, the transpose of what a linear layer holds."""
    if isinstance(b, Units) or not isinstance(a, Units):
        raise walk.refusal("multiplies by a matrix that depends on the inputs, or from the left")
    if len(weight_shape(b)) == 1:
        return _linear(walk, a, b, bias)
    return walk.linear(a, _picked(b, lambda each: each.T), bias)


def _picked(value: Any, move: Callable[[Any], Any]) -> Any:
    return Weights(move(value.ids)) if isinstance(value, Weights) else move(value)


def _squeezed(value: Units) -> Units:
    return Units(value.ids.squeeze(-1), value.codes)


def _addmm(walk: Walk, bias: Any, x: Any, weight: Any, *, beta: float = 1, alpha: float = 1) -> Units:
    if (beta, alpha) != (1, 1):
        raise walk.refusal("scales its weights by beta or alpha")
    return _matmul(walk, x, weight, bias)


def _embedding(walk: Walk, codes: Any, weight: Any, padding: int | None = None, *rest: Any, **named: Any) -> Units:
    padding = named.get("padding_idx", padding)
    if not isinstance(codes, Units) or rest[:1] not in ((), (None,)) or named.get("max_norm") is not None:
        raise walk.refusal("is called in a way that is not read")
    return walk.table(weight, codes, None if padding is None or padding < 0 else padding)


def _one_hot(walk: Walk, codes: Units, num_classes: int = -1) -> Units:
    wire, shape = walk.row(codes)
    if num_classes < 1:
        raise walk.refusal("does not say how many levels there are", "Give num_classes=.")
    walk.one_column(wire)
    walk.codes(wire[0], num_classes, codes.codes)
    return walk.units(walk.wiring.levels(wire[0], range(num_classes), walk.title()), (*shape, num_classes))


def _linear_map(name: str) -> Callable[..., Units]:
    def read(walk: Walk, x: Units, *args: Any, **kwargs: Any) -> Units:
        import torch

        wire, shape = walk.fed(x)
        eye = torch.eye(len(wire), dtype=torch.float64).reshape(len(wire), *shape)
        kwargs.pop("dtype", None)
        out = _moved(walk, lambda *each, **more: getattr(torch, name)(*each, **more), (eye, *args), kwargs)
        deep = kwargs.get("dim", kwargs.get("axis", args[0] if args else None))
        if deep is None or 0 in {at % eye.ndim for at in (deep if isinstance(deep, list | tuple) else [deep])}:
            raise walk.refusal("goes over the rows of a batch", "Say which dimension: dim=1.")
        return walk.map(x, out.reshape(len(wire), -1).numpy(), out.shape[1:])

    return read


def _to(walk: Walk, x: Units, *args: Any, **kwargs: Any) -> Units:
    """A change of type or device; a cast to whole numbers makes codes of values."""
    import torch

    asked = [each for each in (*args, *kwargs.values()) if isinstance(each, torch.dtype)]
    if asked and not asked[0].is_floating_point:
        return Units(x.ids, True)
    return x


def _whole(walk: Walk, x: Units, *rest: Any) -> Units:
    return Units(x.ids, True)


def _like(value: float) -> Callable[..., Any]:
    def read(walk: Walk, x: Units, *rest: Any, **named: Any) -> Any:
        import torch

        shape = rest if rest and isinstance(rest[0], int) else (rest[0] if rest else x.ids.shape)
        return torch.full(tuple(shape), value, dtype=torch.float64)

    return read


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "linear": _linear,
    "matmul": _matmul,
    "mm": _matmul,
    "mv": _matmul,
    "addmm": _addmm,
    "add": _add,
    "sub": _sub,
    "subtract": _sub,
    "rsub": _rsub,
    "mul": _mul,
    "multiply": _mul,
    "truediv": _div,
    "div": _div,
    "divide": _div,
    "neg": _neg,
    "negative": _neg,
    "batch_norm": _batch_norm,
    "aten.batch_norm": lambda walk, x, weight, bias, mean, variance, training, momentum, eps, *rest: _batch_norm(
        walk, x, mean, variance, weight, bias, training, momentum, eps
    ),
    "embedding": _embedding,
    "aten.embedding": lambda walk, weight, codes, *rest: _embedding(walk, codes, weight, *rest[:1]),
    "one_hot": _one_hot,
    "relu": _hidden("relu"),
    "leaky_relu": _leaky,
    "sigmoid": _hidden("sigmoid"),
    "special_expit": _hidden("sigmoid"),
    "tanh": _hidden("tanh"),
    "softmax": _softmax("softmax"),
    "_softmax": _softmax("softmax"),
    "log_softmax": _softmax("log_softmax"),
    "_log_softmax": _softmax("log_softmax"),
    "logsigmoid": _end("log_sigmoid"),
    "log_sigmoid": _end("log_sigmoid"),
    "exp": _end("exponential"),
    "special_ndtr": _end("normal distribution function"),
    "softplus": _no_link("softplus"),
    "log": _no_link("log"),
    "to": _to,
    "_to_copy": _to,
    "type": _to,
    "zeros_like": lambda walk, x, **named: _like(0.0)(walk, x),
    "ones_like": lambda walk, x, **named: _like(1.0)(walk, x),
    "new_zeros": _like(0.0),
    "new_ones": _like(1.0),
    **dict.fromkeys(WHOLE, _whole),
    **dict.fromkeys(REAL, _same),
    **dict.fromkeys(IDENTITY, _dropout),
    **{name: _linear_map(name) for name in LINEAR},
}
