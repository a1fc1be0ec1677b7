"""Nodes: the kinds of Python syntax that a formula may use, each turned into a closure.

    syntax tree  ->  Builder  ->  closure(scope)  ->  value of the rows

A kind of node without an entry in the builder's table cannot run: the table is the gate,
and there is no second list that could differ from it. Calls have a file of their own
(`calls.py`).
"""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from glmnet_bridge.design.functions import CONSTANTS, Functions
from glmnet_bridge.design.operations import ARITHMETIC, COMPARISONS, boolean, compared, number
from glmnet_bridge.design.texts import short
from glmnet_bridge.design.transforms import Transform
from glmnet_bridge.errors import DataError, FormulaError, listed, nearest

Value = Any  # (n,) or (n, k) array, pd.Categorical, Boxed, or a constant
MAX_POWER = 64


@dataclass(slots=True)
class Scope:
    """What an expression may see while it runs.

    `unseen` says what a row that cannot be coded does: "raise", or "nan", which leaves a row of
    nan whose place is noted in `blank` (n,).
    """

    values: Mapping[str, Any]
    transforms: Mapping[str, Transform] = field(default_factory=dict)
    unseen: str = "raise"
    index: pd.Index | None = None
    blank: np.ndarray | None = None

    def leave_out(self, rows: np.ndarray) -> None:
        """Note rows (n,) that cannot be coded."""
        self.blank = rows if self.blank is None else self.blank | rows


Closure = Callable[[Scope], Value]
Maker = Callable[["Builder", Any], Closure]


@dataclass(frozen=True, slots=True)
class Stateful:
    """A call whose function learns from the data: its text, its columns and its settings."""

    key: str
    function: str
    columns: tuple[Closure, ...]
    settings: Mapping[str, Any]


class Builder:
    """Turns a syntax tree into closures, and notes the columns and transforms on its way."""

    def __init__(self, code: str, functions: Functions, table: Mapping[type, Maker], learn: bool) -> None:
        self.code = code
        self.functions = functions
        self.table = table
        self.learn = learn
        self.names: set[str] = set()
        self.used: set[str] = set()
        self.stateful: list[Stateful] = []

    def closure(self, node: ast.expr) -> Closure:
        """What computes this node; a kind of node that is not in the table is refused."""
        make = self.table.get(type(node))
        if make is None:
            self.refuse(node, f"{_WORDS.get(type(node), 'this syntax')} is not allowed in a formula.")
        return make(self, node)

    def constant(self, node: ast.expr) -> Any:
        """The value of a setting: a constant, arithmetic on constants, or a list of them."""
        if isinstance(node, (ast.List, ast.Tuple)):
            return [self.constant(item) for item in node.elts]
        inner = Builder(self.code, {}, self.table, False)
        run = inner.closure(node)
        if inner.names:
            self.refuse(node, f"{listed(sorted(inner.names))}: a setting must be a constant, not a column.")
        return run(Scope({}))

    def argument(self, node: ast.expr) -> Closure:
        """An argument of a row-wise function: an expression, or a list of constants."""
        if isinstance(node, (ast.List, ast.Tuple)):
            items = self.constant(node)
            return lambda scope: items
        return self.closure(node)

    def refuse(self, node: ast.expr, why: str) -> NoReturn:
        """Stop, naming the part of the formula that is not allowed."""
        raise FormulaError(f"{short(ast.unparse(node))}: {why}")


def _name(builder: Builder, node: ast.Name) -> Closure:
    name = node.id
    if not name.isascii():  # the parser normalises letters such as the micro sign; the frame does not
        name = ast.get_source_segment(builder.code, node) or name
    builder.names.add(name)
    return column(name)


def column(name: str) -> Closure:
    """The closure that reads a column."""
    return lambda scope: look_up(scope.values, name)


def look_up(values: Mapping[str, Any], name: str) -> Any:
    """A column of the data by its name."""
    try:
        return values[name]
    except KeyError:
        raise DataError(f"The data have no column {name!r}.{nearest(name, values)}") from None


def _constant(builder: Builder, node: ast.Constant) -> Closure:
    value = node.value
    if not (value is None or isinstance(value, (bool, int, float, str))):
        builder.refuse(node, f"a constant of type {type(value).__name__} is not allowed in a formula.")
    return lambda scope: value


def _attribute(builder: Builder, node: ast.Attribute) -> Closure:
    if is_numpy(node) and node.attr in CONSTANTS:
        value = CONSTANTS[node.attr]
        return lambda scope: value
    text = ast.unparse(node)
    builder.refuse(node, f'attributes are not allowed; if it is the name of a column, write Q("{text}").')


def is_numpy(node: ast.expr) -> bool:
    """Whether a node is `np.<something>`."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy")


def _unary(builder: Builder, node: ast.UnaryOp) -> Closure:
    if isinstance(node.op, ast.Not):
        builder.refuse(node, "write ~x instead of not x.")
    inner, text = builder.closure(node.operand), ast.unparse(node)
    if isinstance(node.op, ast.Invert):
        return lambda scope: ~boolean(inner(scope), text)
    sign = operator.neg if isinstance(node.op, ast.USub) else operator.pos
    return lambda scope: sign(number(inner(scope), text))


def _binary(builder: Builder, node: ast.BinOp) -> Closure:
    if type(node.op) is ast.BitXor:
        builder.refuse(node, "^ is not a power here: write **, within I(...), as in I(x**2).")
    if type(node.op) not in ARITHMETIC:
        builder.refuse(node, "this operator is not allowed in a formula.")
    if isinstance(node.op, ast.Pow):
        _check_power(builder, node)
    combine = ARITHMETIC[type(node.op)]
    left, right, text = builder.closure(node.left), builder.closure(node.right), ast.unparse(node)
    return lambda scope: combine(left(scope), right(scope), text)


def _check_power(builder: Builder, node: ast.BinOp) -> None:
    try:
        power = ast.literal_eval(node.right)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return
    if isinstance(power, (int, float)) and abs(power) > MAX_POWER:
        builder.refuse(node, f"powers beyond {MAX_POWER} are not allowed.")


def _compare(builder: Builder, node: ast.Compare) -> Closure:
    for op in node.ops:
        if type(op) not in COMPARISONS:
            builder.refuse(node, "of the comparisons, ==, !=, <, <=, > and >= are known (and np.isin(x, [1, 2])).")
    sides = [builder.closure(side) for side in (node.left, *node.comparators)]
    tests, text = [COMPARISONS[type(op)] for op in node.ops], ast.unparse(node)

    def run(scope: Scope) -> Value:
        values = [side(scope) for side in sides]
        pairs = zip(tests, values[:-1], values[1:], strict=True)
        return functools.reduce(operator.and_, [compared(test, a, b, text) for test, a, b in pairs])

    return run


NODES: dict[type, Maker] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.Attribute: _attribute,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.Compare: _compare,
}

_WORDS: dict[type, str] = {
    ast.Subscript: "a subscript",
    ast.Lambda: "a lambda",
    ast.JoinedStr: "an f-string",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.BoolOp: "`and` or `or` (write & or |, each side in parentheses)",
    ast.IfExp: "`if ... else` (write np.where(condition, a, b))",
    ast.NamedExpr: "an assignment",
    ast.List: "a list",
    ast.Tuple: "a tuple",
    ast.Dict: "a dict",
    ast.Set: "a set",
}
