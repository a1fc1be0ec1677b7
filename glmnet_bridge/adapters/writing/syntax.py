"""Syntax: the expressions of a formula as elementary operations; the inverse of reading them.

A factor's text is parsed again: what may stand in it is what `design.nodes` and `design.calls` allow.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from glmnet_bridge.adapters.writing.listings import Listing, pieces
from glmnet_bridge.design.calls import call_name
from glmnet_bridge.design.codings import Learnt
from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.expressions import syntax
from glmnet_bridge.design.functions import BARE, CONSTANTS, ufunc
from glmnet_bridge.design.nodes import is_numpy
from glmnet_bridge.design.transforms import STATEFUL, Centred, CyclicSpline, Standardised, TensorProduct
from glmnet_bridge.errors import ArgumentError

Array = np.ndarray

ARITHMETIC: dict[type, str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power",
    ast.FloorDiv: "floor_divide", ast.Mod: "remainder", ast.BitAnd: "logical_and", ast.BitOr: "logical_or",
}  # fmt: skip
COMPARISONS: dict[type, str] = {
    ast.Eq: "equal", ast.NotEq: "not_equal", ast.Lt: "less", ast.LtE: "less_equal",
    ast.Gt: "greater", ast.GtE: "greater_equal",
}  # fmt: skip
_TRUTH = frozenset(("logical_and", "logical_or", "logical_not", *COMPARISONS.values()))


def factor_step(listing: Listing, design: Design, learnt: Learnt) -> int:
    """The step of one factor: its numbers, or the indicators of its levels."""
    reader = _Reader(listing, design)
    at = reader.step(syntax(learnt.expression.code))
    if not learnt.categorical:
        return listing.number(at)
    return listing.step("levels", (at,), tuple(learnt.levels), len(learnt.levels))


class _Reader:
    """Reads one expression; a value is a step of the listing, or a constant."""

    def __init__(self, listing: Listing, design: Design) -> None:
        self.listing, self.design = listing, design

    def step(self, node: ast.expr) -> int:
        """The value as a step."""
        value = self.value(node)
        return value.at if isinstance(value, _Step) else self.listing.step("constant", (), float(value))

    def value(self, node: ast.expr) -> Any:
        """A `_Step`, or a constant."""
        make = _NODES.get(type(node))
        if make is None:
            raise _no(node, "it has no counterpart among elementary operations")
        return make(self, node)

    def apply(self, name: str, *values: Any) -> Any:
        """An elementwise function; of constants alone it is a constant."""
        if not any(isinstance(value, _Step) for value in values):
            return getattr(np, name)(*values)
        steps = [self._fed(name, value, place) for place, value in enumerate(values)]
        return _Step(self.listing.elementwise(name, steps, "truth" if name in _TRUTH else "number"))

    def _fed(self, name: str, value: Any, place: int) -> int:
        at = value.at if isinstance(value, _Step) else self.listing.step("constant", (), float(value))
        truth = name.startswith("logical") or (name == "where" and place == 0)
        return at if truth else self.listing.number(at)

    def holds(self, value: Any) -> str:
        return self.listing.steps[value.at].holds if isinstance(value, _Step) else "number"


class _Step:
    """A step, told from a constant."""

    def __init__(self, at: int) -> None:
        self.at = at


def _no(node: ast.expr, why: str) -> ArgumentError:
    return ArgumentError(
        f"{ast.unparse(node)} cannot be written: {why}. Compute it as a column of the data, and fit with that column."
    )


# --- kinds of syntax --------------------------------------------------------------------------------


def _name(reader: _Reader, node: ast.Name) -> Any:
    return _Step(reader.listing.raw(node.id))


def _constant(reader: _Reader, node: ast.Constant) -> Any:
    return node.value


def _attribute(reader: _Reader, node: ast.Attribute) -> Any:
    return CONSTANTS[node.attr]


def _unary(reader: _Reader, node: ast.UnaryOp) -> Any:
    inner = reader.value(node.operand)
    if isinstance(node.op, ast.UAdd):
        return inner
    return reader.apply("logical_not" if isinstance(node.op, ast.Invert) else "negative", inner)


def _binary(reader: _Reader, node: ast.BinOp) -> Any:
    return reader.apply(ARITHMETIC[type(node.op)], reader.value(node.left), reader.value(node.right))


def _compare(reader: _Reader, node: ast.Compare) -> Any:
    sides = [reader.value(side) for side in (node.left, *node.comparators)]
    tests = [
        _compared(reader, node, COMPARISONS[type(op)], a, b)
        for op, a, b in zip(node.ops, sides[:-1], sides[1:], strict=True)
    ]
    return reduce(lambda a, b: reader.apply("logical_and", a, b), tests)


def _compared(reader: _Reader, node: ast.expr, test: str, left: Any, right: Any) -> Any:
    if "text" not in (reader.holds(left), reader.holds(right)):
        return reader.apply(test, left, right)
    if reader.holds(left) != "text":
        left, right = right, left
    if isinstance(right, _Step):
        raise _no(node, "it compares two columns of text")
    found = _Step(reader.listing.step("is", (left.at,), right, 1, "truth"))
    return found if test == "equal" else reader.apply("logical_not", found)


def _call(reader: _Reader, node: ast.Call) -> Any:
    name = str(call_name(node))
    if is_numpy(node.func):
        name = name.split(".")[1]
        if name in _ROW_WISE:
            return _ROW_WISE[name](reader, node)
        function = ufunc(name)
    elif name in ("C", "I"):
        return reader.value(node.args[0])
    elif name == "Q":
        return _Step(reader.listing.raw(ast.literal_eval(node.args[0])))
    elif name in STATEFUL:
        return _stateful(reader, node)
    else:
        function = BARE.get(name) if name not in reader.design.formula.functions else None
    if function is None:
        raise _no(node, "the function is your own, or works on more than single numbers")
    return reader.apply(function.__name__, *[reader.value(item) for item in node.args])


_NODES: dict[type, Callable[[_Reader, Any], Any]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.Attribute: _attribute,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.Compare: _compare,
    ast.Call: _call,
}


# --- transforms that learnt -----------------------------------------------------------------------------


def _stateful(reader: _Reader, node: ast.Call) -> Any:
    transform, listing = reader.design.transforms[ast.unparse(node)], reader.listing
    if isinstance(transform, TensorProduct):
        return _tensor(reader, node, transform)
    at = listing.number(reader.step(node.args[0]))
    if isinstance(transform, Centred | Standardised):
        width = listing.steps[at].width
        mean, scale = getattr(transform, "mean", None), getattr(transform, "scale", None)
        setting = (
            np.zeros(width) if mean is None else np.asarray(mean, dtype=float),
            np.ones(width) if scale is None else np.asarray(scale, dtype=float),
        )
        return _Step(listing.step("standardised", (at,), setting, width))
    if isinstance(transform, CyclicSpline):
        at = _cycled(reader, at, float(transform.knots.min()), float(transform.knots.max()))
    found = pieces(transform)
    if found is None:
        raise _no(node, "the transform has no elementary form")
    return _Step(listing.step("pieces", (at,), found, found.coefficients.shape[2]))


def _cycled(reader: _Reader, at: int, lower: float, upper: float) -> int:
    """x moved by whole periods into the range; where it lies within, it stays as it is."""
    x, apply = _Step(at), reader.apply
    above = apply("add", apply("remainder", apply("subtract", x, upper), upper - lower), lower)
    below = apply("subtract", upper, apply("remainder", apply("subtract", lower, x), upper - lower))
    inner = apply("where", apply("less", x, lower), below, x)
    return int(apply("where", apply("greater", x, upper), above, inner).at)


def _tensor(reader: _Reader, node: ast.Call, transform: TensorProduct) -> Any:
    """All products of the bases' columns, and the constraints as a matrix (found from unit rows)."""
    listing = reader.listing
    parts = [listing.number(reader.step(item)) for item in node.args]
    widths = [listing.steps[at].width for at in parts]
    block = parts[0]
    for at in parts[1:]:
        block = listing.step("products", (block, at), None, listing.steps[block].width * listing.steps[at].width)
    rows = np.indices(widths[::-1]).reshape(len(widths), -1)[::-1]  # the first varies fastest
    matrix = transform.apply([np.eye(width)[row] for width, row in zip(widths, rows, strict=True)])
    return _Step(listing.step("matrix", (block,), np.asarray(matrix, dtype=float), matrix.shape[1]))


# --- numpy's functions that are no ufuncs -----------------------------------------------------------------


def _where(reader: _Reader, node: ast.Call) -> Any:
    return reader.apply("where", *[reader.value(item) for item in node.args])


def _clip(reader: _Reader, node: ast.Call) -> Any:
    words = dict(zip(("x", "a_min", "a_max"), node.args, strict=False))
    words |= {{"min": "a_min", "max": "a_max"}.get(str(item.arg), str(item.arg)): item.value for item in node.keywords}
    value = reader.value(words["x"])
    for word, function in (("a_min", "maximum"), ("a_max", "minimum")):
        bound = reader.value(words[word]) if word in words else None
        value = value if bound is None else reader.apply(function, value, bound)
    return value


def _round(reader: _Reader, node: ast.Call) -> Any:
    given = [*node.args[1:], *(item.value for item in node.keywords)]
    tens = 10.0 ** (int(ast.literal_eval(given[0])) if given else 0)
    value = reader.value(node.args[0])
    if tens == 1.0:
        return reader.apply("rint", value)
    return reader.apply("divide", reader.apply("rint", reader.apply("multiply", value, tens)), tens)


def _isin(reader: _Reader, node: ast.Call) -> Any:
    value = reader.value(node.args[0])
    tests = [_compared(reader, node, "equal", value, item) for item in ast.literal_eval(node.args[1])]
    found = reduce(lambda a, b: reader.apply("logical_or", a, b), tests)
    inverted = any(ast.literal_eval(item.value) for item in node.keywords)
    return reader.apply("logical_not", found) if inverted else found


def _digitize(reader: _Reader, node: ast.Call) -> Any:
    bins = ast.literal_eval(node.args[1])
    if sorted(bins) != list(bins):
        raise _no(node, "its bins do not increase")
    right = any(ast.literal_eval(item.value) for item in node.keywords)
    value = reader.value(node.args[0])
    tests = [reader.apply("greater" if right else "greater_equal", value, float(each)) for each in bins]
    return reduce(lambda a, b: reader.apply("add", a, b), tests)


_ROW_WISE: dict[str, Callable[[_Reader, Any], Any]] = {
    "where": _where,
    "clip": _clip,
    "round": _round,
    "around": _round,
    "isin": _isin,
    "digitize": _digitize,
}
