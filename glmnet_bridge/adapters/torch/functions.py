"""Functions, methods and ATen operators of PyTorch by name, as steps of a walk. A new one is a line in `FUNCTIONS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glmnet_bridge.adapters.torch import steps
from glmnet_bridge.adapters.torch.walks import Walk, attempted, numbers, weight_shape
from glmnet_bridge.adapters.torch.weights import Units, Weights

WHOLE = frozenset({"long", "int", "short"})  # casts to whole numbers
REAL = frozenset({"float", "double", "half", "bfloat16", "cpu", "cuda"})
LINEAR = frozenset({"sum", "mean", "cumsum", "diff"})  # fixed linear maps of one row
IDENTITY = frozenset({"dropout", "alpha_dropout", "feature_alpha_dropout", "dropout1d", "native_dropout"})
NO_LINK = {
    "softplus": "A softplus is the inverse of no link that is read here; end in exp (the log link)",
    "log": "A logarithm is no inverse link; return the values in front of it",
}
KNOWN = "identity, relu, leaky_relu (slope 0.01), sigmoid and tanh"


def batch_norm(
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
    """`(x - running_mean) / sqrt(running_var + eps)`, and what is learnt behind it; `look`: parameters of a layer."""
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
    return steps.gain(walk, steps.normalise(walk, x, mean, variance, float(eps)), weight, bias)


def dropout(walk: Walk, x: Units, *rest: Any, **named: Any) -> Units:
    """The identity at inference."""
    if named.get("training", rest[1] if len(rest) > 1 else False):
        raise walk.refusal("drops units in inference too", "Use F.dropout(x, training=self.training), or nn.Dropout.")
    walk.folded.append(
        f"{walk.what()} is the identity at inference; in training it is a penalty without GLM counterpart."
    )
    return x


def leaky(walk: Walk, x: Units, negative_slope: float = 0.01, inplace: bool = False) -> Units:
    """A leaky ReLU, of the one slope that is read."""
    if negative_slope != 0.01:
        raise walk.refusal(f"has slope {negative_slope:g}, which is not read", "The default slope of 0.01 is.")
    return steps.activation(walk, x, "leaky_relu")


def softmax(kind: str) -> Callable[..., Units]:
    """A softmax over the units, or its logarithm, at the end of the network."""

    def read(walk: Walk, x: Units, dim: int | None = None, *rest: Any, **named: Any) -> Units:
        _, shape = walk.fed(x)
        if len(shape) != 1 or dim not in (None, 1, -1):
            raise walk.refusal("does not go over the units of a row", "Use dim=1 on values of shape (rows, units).")
        if shape == (1,):
            raise walk.refusal(
                "is a softmax over one unit, which is 1 whatever its weights",
                "Use a sigmoid on one unit, or a softmax over two.",
            )
        return steps.end(walk, x, kind)

    return read


def end(kind: str) -> Callable[..., Units]:
    """An activation that may only stand at the end of the network."""

    def read(walk: Walk, x: Units, *rest: Any, **named: Any) -> Units:
        return steps.end(walk, x, kind)

    return read


def hidden(kind: str) -> Callable[..., Units]:
    """An activation that may stand anywhere."""

    def read(walk: Walk, x: Units, *rest: Any, **named: Any) -> Units:
        return steps.activation(walk, x, kind)

    return read


def same(walk: Walk, x: Units, *rest: Any, **named: Any) -> Units:
    """Nothing is done."""
    return x


def no_link(name: str) -> Callable[..., Units]:
    """A function that is refused, with the reason."""

    def read(walk: Walk, *rest: Any, **named: Any) -> Units:
        raise walk.refusal("is not read", f"{NO_LINK[name]}; hidden activations that are read: {KNOWN}.")

    return read


def _add(walk: Walk, a: Any, b: Any, *, alpha: float = 1.0) -> Units:
    return _sum(walk, a, b, float(alpha))


def _sub(walk: Walk, a: Any, b: Any, *, alpha: float = 1.0) -> Units:
    return _sum(walk, a, b, -float(alpha))


def _rsub(walk: Walk, a: Any, b: Any, alpha: float = 1.0) -> Units:
    return _sum(walk, b, a, -float(alpha))


def _sum(walk: Walk, a: Any, b: Any, sign: float) -> Units:
    """`a + sign * b`; the sign goes to what is no weight."""
    if isinstance(a, Units) and isinstance(b, Units):
        return steps.add_up(walk, a, b, sign)
    if isinstance(a, Units):
        if not isinstance(b, Weights) or sign == 1.0:
            return steps.shift(walk, a, b if isinstance(b, Weights) else sign * b)
        if sign == -1.0:
            return _neg(walk, steps.shift(walk, _neg(walk, a), b))
        raise walk.refusal("multiplies a weight by a number", "Only weights that are used as they are are mapped.")
    return steps.shift(walk, b if sign == 1.0 else steps.scale(walk, b, sign), a)


def _mul(walk: Walk, a: Any, b: Any) -> Units:
    if isinstance(a, Units) and isinstance(b, Units):
        raise walk.refusal(
            "multiplies two values that both depend on the inputs",
            "Give the product as an input of the network, or as a term of the formula.",
        )
    return steps.scale(walk, a, b) if isinstance(a, Units) else steps.scale(walk, b, a)


def _div(walk: Walk, a: Any, b: Any, *, rounding_mode: str | None = None) -> Units:
    if not isinstance(a, Units) or isinstance(b, Units | Weights) or rounding_mode:
        raise walk.refusal("divides by a value that is learnt or depends on the inputs, or rounds")
    divisor = numbers(b)
    if not divisor.all():
        raise walk.refusal("divides by 0")
    return steps.scale(walk, a, 1.0 / divisor)


def _neg(walk: Walk, x: Units) -> Units:
    return steps.scale(walk, x, -1.0)


def _linear(walk: Walk, x: Any, weight: Any, bias: Any = None) -> Units:
    if not isinstance(x, Units) or isinstance(weight, Units):
        raise walk.refusal("multiplies two values that both depend on the inputs, or their transpose")
    if len(weight_shape(weight)) == 1:
        return _squeezed(steps.linear(walk, x, _picked(weight, lambda each: each[None]), bias))
    return steps.linear(walk, x, weight, bias)


def _matmul(walk: Walk, a: Any, b: Any, bias: Any = None) -> Units:
    """`a b`, the transpose of what a linear layer holds."""
    if isinstance(b, Units) or not isinstance(a, Units):
        raise walk.refusal("multiplies by a matrix that depends on the inputs, or from the left")
    if len(weight_shape(b)) == 1:
        return _linear(walk, a, b, bias)
    return steps.linear(walk, a, _picked(b, lambda each: each.T), bias)


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
    return steps.look_up(walk, weight, codes, None if padding is None or padding < 0 else padding)


def _one_hot(walk: Walk, codes: Units, num_classes: int = -1) -> Units:
    wire, shape = walk.row(codes)
    if num_classes < 1:
        raise walk.refusal("does not say how many levels there are", "Give num_classes=.")
    steps.one_column(walk, wire)
    steps.take_codes(walk, wire[0], num_classes, codes.codes)
    return walk.units(walk.wiring.levels(wire[0], range(num_classes), walk.title()), (*shape, num_classes))


def _linear_map(name: str) -> Callable[..., Units]:
    def read(walk: Walk, x: Units, *args: Any, **kwargs: Any) -> Units:
        import torch

        wire, shape = walk.fed(x)
        eye = torch.eye(len(wire), dtype=torch.float64).reshape(len(wire), *shape)
        kwargs.pop("dtype", None)
        out = attempted(walk, lambda *each, **more: getattr(torch, name)(*each, **more), (eye, *args), kwargs)
        deep = kwargs.get("dim", kwargs.get("axis", args[0] if args else None))
        if deep is None or 0 in {at % eye.ndim for at in (deep if isinstance(deep, list | tuple) else [deep])}:
            raise walk.refusal(
                "goes over the rows of a batch, so that a prediction depends on the rows beside it",
                "Keep such numbers in a buffer, or say dim=1.",
            )
        return steps.apply(walk, x, out.reshape(len(wire), -1).numpy(), out.shape[1:])

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
    "batch_norm": batch_norm,
    "aten.batch_norm": lambda walk, x, weight, bias, mean, variance, training, momentum, eps, *rest: batch_norm(
        walk, x, mean, variance, weight, bias, training, momentum, eps
    ),
    "embedding": _embedding,
    "aten.embedding": lambda walk, weight, codes, *rest: _embedding(walk, codes, weight, *rest[:1]),
    "one_hot": _one_hot,
    "relu": hidden("relu"),
    "leaky_relu": leaky,
    "sigmoid": hidden("sigmoid"),
    "special_expit": hidden("sigmoid"),
    "tanh": hidden("tanh"),
    "softmax": softmax("softmax"),
    "_softmax": softmax("softmax"),
    "log_softmax": softmax("log_softmax"),
    "_log_softmax": softmax("log_softmax"),
    "logsigmoid": end("log_sigmoid"),
    "log_sigmoid": end("log_sigmoid"),
    "exp": end("exponential"),
    "special_ndtr": end("normal distribution function"),
    "softplus": no_link("softplus"),
    "log": no_link("log"),
    "to": _to,
    "_to_copy": _to,
    "type": _to,
    "zeros_like": lambda walk, x, **named: _like(0.0)(walk, x),
    "ones_like": lambda walk, x, **named: _like(1.0)(walk, x),
    "new_zeros": _like(0.0),
    "new_ones": _like(1.0),
    **dict.fromkeys(WHOLE, _whole),
    **dict.fromkeys(REAL, same),
    **dict.fromkeys(IDENTITY, dropout),
    **{name: _linear_map(name) for name in LINEAR},
}
