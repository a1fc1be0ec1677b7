"""Calls: what each function of a formula does with its arguments.

Settings (`df=5`, `levels=[...]`) are constants, known when the formula is read; only the
remaining arguments depend on the rows. A function that could write into the data cannot be
reached: ufuncs get exactly their inputs (one more would be an output), the user's functions
get read-only views.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.design.functions import BARE, CONTRASTS, ROW_WISE, not_row_wise, ufunc, unknown
from glmnet_bridge.design.levels import Boxed, contrast_named
from glmnet_bridge.design.nodes import Builder, Closure, Maker, Scope, Stateful, Value, column, is_numpy
from glmnet_bridge.design.operations import elementwise, numeric, plain, read_only
from glmnet_bridge.design.transforms import STATEFUL, Outside, Transform, check_settings
from glmnet_bridge.errors import DataError, listed, nearest


def call_name(tree: ast.expr) -> str | None:
    """`C` of `C(g)`, `np.log` of `np.log(x)`; None where nothing is called by a name."""
    if not isinstance(tree, ast.Call):
        return None
    return ast.unparse(tree.func) if isinstance(tree.func, (ast.Name, ast.Attribute)) else None


def call(builder: Builder, node: ast.Call) -> Closure:
    """The closure of a call, by the name of its function."""
    if any(isinstance(item, ast.Starred) for item in node.args) or any(item.arg is None for item in node.keywords):
        builder.refuse(node, "* and ** arguments are not allowed in a formula.")
    if is_numpy(node.func):
        return _numpy_call(builder, node)
    name = call_name(node)
    if name is None:
        builder.refuse(node, "only functions called by their name can be used in a formula.")
    if name in _WORDS:
        return _WORDS[name](builder, node)
    if name in STATEFUL:
        return _stateful_call(builder, node)
    if name in builder.functions:
        return _user_call(builder, node)
    if name in BARE:
        return _ufunc_call(builder, node, name, BARE[name])
    builder.refuse(node, unknown(name, builder.functions))


def _identity(builder: Builder, node: ast.Call) -> Closure:
    if len(node.args) != 1 or node.keywords:
        builder.refuse(node, "I() takes one argument, as in I(x**2).")
    return builder.closure(node.args[0])


def _quote(builder: Builder, node: ast.Call) -> Closure:
    if not (len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.Constant)):
        builder.refuse(node, 'Q() takes the name of a column in quotes, as in Q("body weight").')
    name = node.args[0].value
    if not isinstance(name, str):
        builder.refuse(node, 'Q() takes the name of a column in quotes, as in Q("body weight").')
    builder.names.add(name)
    return column(name)


def _categorical_call(builder: Builder, node: ast.Call) -> Closure:
    settings = _settings(builder, node, 1, ("contrast", "levels"))
    inner = builder.closure(node.args[0])
    contrast = settings.get("contrast") and _contrast(builder, settings["contrast"])
    levels = builder.constant(settings["levels"]) if "levels" in settings else None
    if levels is not None and not (isinstance(levels, list) and levels):
        builder.refuse(node, 'levels= takes a list, as in C(g, levels=["low", "high"]).')
    order = None if levels is None else tuple(levels)
    return lambda scope: Boxed.wrap(inner(scope), contrast, order)


def _contrast(builder: Builder, node: ast.expr) -> Any:
    """`Sum`, `Treatment("b")`, `Poly(scores=[1, 2, 4])`, or a matrix as a list of rows."""
    if isinstance(node, ast.List):
        return np.array(builder.constant(node), dtype=float)
    name = call_name(node) or getattr(node, "id", None)
    if name not in CONTRASTS:
        builder.refuse(node, f"the contrasts are {listed(CONTRASTS)}.{nearest(name, CONTRASTS)}")
    if not isinstance(node, ast.Call):
        return contrast_named(name)
    positional = [builder.constant(item) for item in node.args]
    keywords = {str(item.arg): builder.constant(item.value) for item in node.keywords}
    try:
        return contrast_named(name, *positional, **keywords)
    except TypeError:
        builder.refuse(node, 'a contrast takes one setting at most, as in Treatment(reference="b").')


def _settings(builder: Builder, node: ast.Call, columns: int, allowed: Sequence[str]) -> dict[str, ast.expr]:
    """The syntax of each setting of a call by its name; the first `columns` arguments are data."""
    name = call_name(node)
    if len(node.args) < columns:
        builder.refuse(node, f"{name}() needs a column as its first argument.")
    extra = node.args[columns:]
    if len(extra) > len(allowed):
        builder.refuse(node, f"{name}() takes at most {columns + len(allowed)} arguments.")
    found = dict(zip(allowed, extra, strict=False))
    for item in node.keywords:
        if item.arg not in allowed:
            builder.refuse(node, f"{name}() has no setting {item.arg!r}.{nearest(item.arg, allowed)}")
        if item.arg in found:
            builder.refuse(node, f"{item.arg!r} is given twice.")
        found[str(item.arg)] = item.value
    return found


def _stateful_call(builder: Builder, node: ast.Call) -> Closure:
    name = str(call_name(node))
    if not builder.learn:
        builder.refuse(node, f"{name}() learns from the data, so it is allowed only in terms right of the tilde.")
    columns = len(node.args) if STATEFUL[name].many else 1
    nodes = _settings(builder, node, max(columns, 1), STATEFUL[name].settings)
    settings = {key: builder.constant(value) for key, value in nodes.items()}
    check_settings(name, settings)
    inner = tuple(builder.closure(item) for item in node.args[:columns])
    key = ast.unparse(node)
    builder.stateful.append(Stateful(key, name, inner, settings))

    def run(scope: Scope) -> Value:
        values = [numeric(argument(scope), key) for argument in inner]
        return _applied(scope, scope.transforms[key], values, ast.unparse(node.args[0]))

    return run


def _applied(scope: Scope, transform: Transform, values: list[np.ndarray], text: str) -> np.ndarray:
    """The transform of the rows; rows outside its range are refused by name, or left blank."""
    try:
        return transform.apply(values)
    except Outside as out:
        if scope.unseen != "nan":
            raise DataError(out.message(text, scope.index)) from None
        scope.leave_out(~out.inside)
        basis = np.full((len(out.inside), transform.width), np.nan)
        if out.inside.any():
            basis[out.inside] = transform.apply([value[out.inside] for value in values])
        return basis


def _numpy_call(builder: Builder, node: ast.Call) -> Closure:
    assert isinstance(node.func, ast.Attribute)
    name = node.func.attr
    function = ufunc(name)
    if function is not None:
        return _ufunc_call(builder, node, f"np.{name}", function)
    if name not in ROW_WISE:
        builder.refuse(node, not_row_wise(name))
    fewest, most, keywords = ROW_WISE[name]
    if not fewest <= len(node.args) <= most or any(item.arg not in keywords for item in node.keywords):
        builder.refuse(node, f"np.{name} takes {fewest} to {most} arguments and the keywords {listed(keywords)}.")
    arguments = [builder.argument(item) for item in node.args]
    settings = {str(item.arg): builder.constant(item.value) for item in node.keywords}
    text = ast.unparse(node)
    return lambda scope: _row_wise(name, [argument(scope) for argument in arguments], settings, text)


def _row_wise(name: str, arguments: list[Value], settings: Mapping[str, Any], text: str) -> Value:
    if name == "isin" and isinstance(arguments[0], pd.Categorical):
        hit = np.asarray(arguments[0].categories.isin(arguments[1]))
        return hit[arguments[0].codes] & (arguments[0].codes >= 0)
    arguments = [plain(value, text) for value in arguments]
    return getattr(np, name)(*arguments, **settings)


def _ufunc_call(builder: Builder, node: ast.Call, name: str, function: np.ufunc) -> Closure:
    """A further positional argument of a ufunc would be its output: it must not exist."""
    if len(node.args) != function.nin or node.keywords:
        builder.refuse(
            node, f"{name}() takes {function.nin} argument{'s' if function.nin > 1 else ''} and no keywords."
        )
    arguments = [builder.closure(item) for item in node.args]
    text = ast.unparse(node)
    return lambda scope: elementwise(function, [plain(argument(scope), text) for argument in arguments])


def _user_call(builder: Builder, node: ast.Call) -> Closure:
    name = str(call_name(node))
    builder.used.add(name)
    function = builder.functions[name]
    arguments = [builder.argument(item) for item in node.args]
    keywords = {str(item.arg): builder.argument(item.value) for item in node.keywords}

    def run(scope: Scope) -> Value:
        given = [read_only(argument(scope)) for argument in arguments]
        named = {key: read_only(argument(scope)) for key, argument in keywords.items()}
        return function(*given, **named)

    return run


_WORDS: dict[str, Maker] = {
    "C": _categorical_call,
    "I": _identity,
    "Q": _quote,
}
