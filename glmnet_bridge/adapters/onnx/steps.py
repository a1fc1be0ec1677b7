"""ONNX, step by step: the elementary operations of a design, and the inverse links, as nodes in double precision.

Only operations that onnxruntime has for doubles are used; what it lacks (the normal distribution
function, the arc tangent, `log1p`) is composed of them to full precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import scipy

from glmnet_bridge.adapters.writing.listings import Export, Operation, Pieces, polynomials
from glmnet_bridge.errors import ArgumentError

Array = np.ndarray
_DOUBLE = 11

DIRECT = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "true_divide": "Div", "power": "Pow",
    "float_power": "Pow", "maximum": "Max", "minimum": "Min", "fmax": "Max", "fmin": "Min", "negative": "Neg",
    "absolute": "Abs", "fabs": "Abs", "log": "Log", "exp": "Exp", "sqrt": "Sqrt", "sin": "Sin", "cos": "Cos",
    "tanh": "Tanh", "floor": "Floor", "ceil": "Ceil", "rint": "Round", "sign": "Sign", "reciprocal": "Reciprocal",
    "positive": "Identity", "where": "Where", "equal": "Equal", "less": "Less", "less_equal": "LessOrEqual",
    "greater": "Greater", "greater_equal": "GreaterOrEqual", "logical_and": "And", "logical_or": "Or",
    "logical_xor": "Xor", "logical_not": "Not",
}  # fmt: skip
"""numpy's functions that ONNX has under a name of its own."""


class Builder:
    """Nodes and constants as they are made; `made` holds the value of each step of the listing.

    `inputs` are names that are taken: the user's own columns. `known` are values that say of each row whether a
    column has one of its levels there.
    """

    def __init__(self, onnx: Any, inputs: Iterable[str] = ()) -> None:
        self.onnx = onnx
        self.inputs = frozenset(inputs)
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.made: list[str] = []
        self.known: list[str] = []

    def free(self, name: str) -> str:
        """The name, or one like it that no column of the data has."""
        while name in self.inputs:
            name += "_"
        return name

    def add(self, op: str, takes: Sequence[str], name: str | None = None, domain: str = "", **settings: Any) -> str:
        """A node with one result; its name."""
        made = self.free(name or f"{op.lower()}_{len(self.nodes)}")
        node = self.onnx.helper.make_node(op, list(takes), [made], name=f"node_{made}", domain=domain, **settings)
        self.nodes.append(node)
        return made

    def constant(self, values: Any, name: str | None = None) -> str:
        """A constant, doubles unless it is whole numbers; its name."""
        array = np.asarray(values)
        array = array if array.dtype == np.int64 else array.astype(np.float64)
        made = self.free(name or f"constant_{len(self.constants)}")
        self.constants[made] = self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), made)
        return made

    def number(self, value: float) -> str:
        """A number as a constant."""
        return self.constant(np.full((1, 1), value))

    def double(self, name: str) -> str:
        """The value as doubles."""
        return self.add("Cast", [name], to=_DOUBLE)


def write_step(builder: Builder, step: Operation, export: Export) -> None:
    """One operation of the listing."""
    takes = [builder.made[at] for at in step.of]
    if step.kind in _STEPS:
        made = _STEPS[step.kind](builder, step, takes, export)
    elif step.kind in DIRECT:
        made = builder.add(DIRECT[step.kind], takes)
    elif step.kind in _COMPOSED:
        made = _COMPOSED[step.kind](builder, *takes)
    else:
        raise ArgumentError(
            f"The formula uses np.{step.kind}, which ONNX has not in double precision. Compute it as a column of the "
            "data, and fit with that column."
        )
    builder.made.append(made)


# --- steps of the listing -----------------------------------------------------------------------


def _raw(builder: Builder, step: Operation, takes: list[str], export: Export) -> str:
    """An input; yes and no come as 1 and 0."""
    name = str(step.setting)
    return builder.add("Cast", [name], to=9) if step.holds == "truth" else name


def _as_number(builder: Builder, step: Operation, takes: list[str], export: Export) -> str:
    return builder.double(takes[0])


def _levels(builder: Builder, step: Operation, takes: list[str], export: Export) -> str:
    source = export.operations[step.of[0]]
    holds = source.holds if source.kind == "raw" else "number"
    if holds == "text":
        hot = builder.double(_one_hot(builder, takes[0], cats_strings=[str(level) for level in step.setting]))
    elif holds in ("integer", "truth"):
        hot = builder.double(_one_hot(builder, source.setting, cats_int64s=[int(level) for level in step.setting]))
    else:
        levels = builder.constant(np.array([[float(level) for level in step.setting]]))
        hot = builder.double(builder.add("Equal", [builder.double(takes[0]), levels]))
    hits = builder.add("ReduceSum", [hot, builder.constant(np.array([1], dtype=np.int64))], keepdims=1)
    builder.known.append(builder.add("Greater", [hits, builder.number(0.5)]))
    return hot


def _one_hot(builder: Builder, value: str, **cats: Any) -> str:
    made = builder.add("OneHotEncoder", [value], domain="ai.onnx.ml", zeros=1, **cats)
    count = len(next(iter(cats.values())))
    return builder.add("Reshape", [made, builder.constant(np.array([-1, count], dtype=np.int64))])


def _is(builder: Builder, step: Operation, takes: list[str], export: Export) -> str:
    return builder.add("Cast", [_one_hot(builder, takes[0], cats_strings=[str(step.setting)])], to=9)


def _constant(builder: Builder, step: Operation, takes: list[str], export: Export) -> str:
    return builder.number(step.setting)


def _standardised(builder: Builder, step: Operation, takes: list[str], export: Export) -> str:
    mean, scale = step.setting
    made = takes[0]
    if mean.any():
        made = builder.add("Sub", [made, builder.constant(mean[None])])
    return builder.add("Div", [made, builder.constant(scale[None])]) if (scale != 1.0).any() else made


def _matrix(builder: Builder, step: Operation, takes: list[str], export: Export) -> str:
    return builder.add("MatMul", [takes[0], builder.constant(step.setting)])


def _products(builder: Builder, step: Operation, takes: list[str], export: Export) -> str:
    """The first varies fastest: (m, 1, a) times (m, b, 1) is (m, b, a)."""
    first, second = (export.operations[at].width for at in step.of)
    if first == 1 or second == 1:
        return builder.add("Mul", takes)
    wide = builder.add("Unsqueeze", [takes[0], builder.constant(np.array([1], dtype=np.int64))])
    high = builder.add("Unsqueeze", [takes[1], builder.constant(np.array([2], dtype=np.int64))])
    made = builder.add("Mul", [high, wide])
    return builder.add("Reshape", [made, builder.constant(np.array([-1, first * second], dtype=np.int64))])


def _pieces(builder: Builder, step: Operation, takes: list[str], export: Export) -> str:
    return piecewise(builder, takes[0], step.setting)


def piecewise(builder: Builder, x: str, pieces: Pieces) -> str:
    """Horner's rule with the coefficients of each row's interval, `(m, w)`."""
    breaks = pieces.breaks
    inner = builder.add("GreaterOrEqual", [x, builder.constant(breaks[None, :-1])])
    beyond = builder.add("Greater", [x, builder.constant(breaks[None, -1:])])
    flags = builder.add("Cast", [builder.add("Concat", [inner, beyond], axis=1)], to=7)
    axis = builder.constant(np.array([1], dtype=np.int64))
    at = builder.add("ReduceSum", [flags, axis], keepdims=0)
    origin = builder.add("Gather", [builder.constant(pieces.origin[:, None]), at])
    scale = builder.add("Gather", [builder.constant(pieces.scale[:, None]), at])
    u = builder.add("Div", [builder.add("Sub", [x, origin]), scale])
    made = builder.add("Gather", [builder.constant(pieces.coefficients[:, 0]), at])
    for power in range(1, pieces.coefficients.shape[1]):
        coefficient = builder.add("Gather", [builder.constant(pieces.coefficients[:, power]), at])
        made = builder.add("Add", [builder.add("Mul", [made, u]), coefficient])
    return made


_STEPS: dict[str, Callable[[Builder, Operation, list[str], Export], str]] = {
    "raw": _raw,
    "number": _as_number,
    "constant": _constant,
    "levels": _levels,
    "is": _is,
    "standardised": _standardised,
    "matrix": _matrix,
    "products": _products,
    "pieces": _pieces,
}


# --- functions that are composed ------------------------------------------------------------------


def _log1p(builder: Builder, x: str) -> str:
    """log(u) x / (u - 1) with u = 1 + x as it is rounded, and x itself where u is 1."""
    one = builder.number(1.0)
    u = builder.add("Add", [x, one])
    less = builder.add("Sub", [u, one])
    flat = builder.add("Equal", [less, builder.number(0.0)])
    safe = builder.add("Where", [flat, one, less])
    ratio = builder.add("Div", [builder.add("Mul", [builder.add("Log", [u]), x]), safe])
    return builder.add("Where", [flat, x, ratio])


def _expm1(builder: Builder, x: str) -> str:
    """2 t / (1 - t) with t = tanh(x / 2) near 0, exp(x) - 1 elsewhere."""
    t = builder.add("Tanh", [builder.add("Mul", [x, builder.number(0.5)])])
    one = builder.number(1.0)
    near = builder.add("Div", [builder.add("Add", [t, t]), builder.add("Sub", [one, t])])
    far = builder.add("Sub", [builder.add("Exp", [x]), one])
    small = builder.add("Less", [builder.add("Abs", [x]), one])
    return builder.add("Where", [small, near, far])


def _logarithm(base: float) -> Callable[[Builder, str], str]:
    return lambda builder, x: builder.add("Div", [builder.add("Log", [x]), builder.number(np.log(base))])


def _square(builder: Builder, x: str) -> str:
    return builder.add("Mul", [x, x])


def _tan(builder: Builder, x: str) -> str:
    return builder.add("Div", [builder.add("Sin", [x]), builder.add("Cos", [x])])


def _exp2(builder: Builder, x: str) -> str:
    return builder.add("Pow", [builder.number(2.0), x])


def _not_equal(builder: Builder, a: str, b: str) -> str:
    return builder.add("Not", [builder.add("Equal", [a, b])])


def _floor_divide(builder: Builder, a: str, b: str) -> str:
    return builder.add("Floor", [builder.add("Div", [a, b])])


def _remainder(builder: Builder, a: str, b: str) -> str:
    """With the sign of b, as Python has it; ONNX's own has that of a."""
    rest = builder.add("Mod", [a, b], fmod=1)
    zero = builder.number(0.0)
    opposite = builder.add("Less", [builder.add("Mul", [rest, b]), zero])
    return builder.add("Where", [opposite, builder.add("Add", [rest, b]), rest])


def _fmod(builder: Builder, a: str, b: str) -> str:
    return builder.add("Mod", [a, b], fmod=1)


_COMPOSED: dict[str, Callable[..., str]] = {
    "log1p": _log1p,
    "expm1": _expm1,
    "log2": _logarithm(2.0),
    "log10": _logarithm(10.0),
    "square": _square,
    "tan": _tan,
    "exp2": _exp2,
    "not_equal": _not_equal,
    "floor_divide": _floor_divide,
    "remainder": _remainder,
    "fmod": _fmod,
}


# --- inverse links ---------------------------------------------------------------------------------


def write_link(builder: Builder, link: str, eta: str, name: str) -> None:
    """The mean from the linear predictor."""
    builder.add("Identity", [LINKS[link](builder, builder.free(eta))], name)


def _one(op: str) -> Callable[[Builder, str], str]:
    return lambda builder, eta: builder.add(op, [eta])


def _logit(builder: Builder, eta: str) -> str:
    """With e = exp(-|eta|), which keeps the small probabilities that onnxruntime's own Sigmoid rounds to 0."""
    e = builder.add("Exp", [builder.add("Neg", [builder.add("Abs", [eta])])])
    low = builder.add("Less", [eta, builder.number(0.0)])
    one = builder.number(1.0)
    return builder.add("Div", [builder.add("Where", [low, e, one]), builder.add("Add", [one, e])])


def _probit(builder: Builder, eta: str) -> str:
    """Tail = exp(-t^2/2) m(t), t = |eta|: m is smooth (Mills' ratio), so polynomials serve it, the tail they do not."""
    mills = polynomials(lambda t: 0.5 * scipy.special.erfcx(t / np.sqrt(2.0))[:, None], np.linspace(0.0, 40.0, 81), 13)
    t = builder.add("Min", [builder.add("Abs", [eta]), builder.number(40.0)])
    half = builder.add("Mul", [builder.add("Mul", [t, t]), builder.number(-0.5)])
    tail = builder.add("Mul", [builder.add("Exp", [half]), piecewise(builder, t, mills)])
    upper = builder.add("Sub", [builder.number(1.0), tail])
    return builder.add("Where", [builder.add("Less", [eta, builder.number(0.0)]), tail, upper])


def _cauchit(builder: Builder, eta: str) -> str:
    """arctan of the smaller of |eta| and 1 / |eta|, on [0, 1]; the lower tail is never 1 less something."""
    arctan = polynomials(lambda t: np.arctan(t)[:, None] / np.pi, np.linspace(0.0, 1.0, 9), 13)
    one, zero = builder.number(1.0), builder.number(0.0)
    size = builder.add("Abs", [eta])
    low, far = builder.add("Less", [eta, zero]), builder.add("Greater", [size, one])
    inner = builder.add("Where", [far, builder.add("Reciprocal", [builder.add("Max", [size, one])]), size])
    angle = piecewise(builder, inner, arctan)
    half = builder.number(0.5)
    near = builder.add("Where", [low, builder.add("Sub", [half, angle]), builder.add("Add", [half, angle])])
    tail = builder.add("Where", [low, angle, builder.add("Sub", [one, angle])])
    return builder.add("Where", [far, tail, near])


def _cloglog(builder: Builder, eta: str) -> str:
    """1 - exp(-u) = 2 t / (1 + t) with t = tanh(u / 2): nothing cancels."""
    t = builder.add("Tanh", [builder.add("Mul", [builder.add("Exp", [eta]), builder.number(0.5)])])
    return builder.add("Div", [builder.add("Add", [t, t]), builder.add("Add", [builder.number(1.0), t])])


def _loglog(builder: Builder, eta: str) -> str:
    inner = builder.add("Exp", [builder.add("Neg", [eta])])
    return builder.add("Exp", [builder.add("Neg", [inner])])


def _inverse_root(builder: Builder, eta: str) -> str:
    return builder.add("Reciprocal", [builder.add("Sqrt", [eta])])


LINKS: dict[str, Callable[[Builder, str], str]] = {
    "logit": _logit,
    "probit": _probit,
    "cauchit": _cauchit,
    "cloglog": _cloglog,
    "loglog": _loglog,
    "log": _one("Exp"),
    "identity": _one("Identity"),
    "inverse": _one("Reciprocal"),
    "sqrt": _square,
    "1/mu^2": _inverse_root,
}
