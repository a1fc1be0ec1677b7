"""Expressions: one factor of a formula, such as `np.log(x)` or `bs(age, df=5)`, read without `eval`.

    text  ->  Python syntax tree  ->  closures over an allow-list  ->  values of the rows

A name before a parenthesis is a function of the list (or of the user's `functions`), every
other name is a column of the data. There are no attributes beyond
`np.<elementwise function>`, no subscripts, no names from the caller.

Transforms that learn from the data (`center`, `bs`, ...) are kept apart: `Expression.learn`
gives their state, `Expression.run` applies it.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.design.calls import call, call_name
from glmnet_bridge.design.functions import FORMS, R_WORDS, Functions, check_functions
from glmnet_bridge.design.levels import Boxed
from glmnet_bridge.design.nodes import (
    NODES,
    Builder,
    Closure,
    Maker,
    Scope,
    Stateful,
    Value,
    column,
    look_up,
)
from glmnet_bridge.design.operations import finite, numeric, tidy
from glmnet_bridge.design.texts import MAX_DEPTH, short
from glmnet_bridge.design.transforms import STATEFUL, Transform
from glmnet_bridge.errors import BridgeError, DataError, FormulaError

_TABLE: dict[type, Maker] = {**NODES, ast.Call: call}


@dataclass(frozen=True, slots=True)
class Expression:
    """One factor, response or offset of a formula.

    Attributes
    ----------
    code : the text, spaced as patsy prints it; it names the columns
    names : the data columns that are read
    call : name of the outermost function (`"np.log"`, `"C"`), or None
    arguments : the positional arguments of that call
    column : the data column that this expression is, when it does nothing to it
    """

    code: str
    names: frozenset[str]
    call: str | None
    arguments: tuple[Expression, ...]
    column: str | None
    stateful: tuple[Stateful, ...] = field(compare=False, repr=False)
    functions: Functions = field(compare=False, repr=False)
    _run: Closure = field(compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(build, forms=FORMS), (self.code, dict(self.functions))

    def learn(self, values: Mapping[str, Any], index: pd.Index | None = None) -> dict[str, Transform]:
        """The state of each transform in this expression, learnt from all rows; inner ones first."""
        learnt: dict[str, Transform] = {}
        for part in self.stateful:
            scope, key = Scope(values, learnt), part.key
            with _computing(key):
                columns = [finite(numeric(run(scope), key), key, index) for run in part.columns]
                learnt[key] = STATEFUL[part.function].learn(columns, part.settings, key)
        return learnt

    def run(self, scope: Scope) -> Value:
        """The value of every row: array `(n,)` or `(n, k)`, Categorical, or Boxed (from `C(...)`)."""
        if self.column is not None:
            return look_up(scope.values, self.column)
        with _computing(self.code):
            return tidy(self._run(scope), self.code)

    def evaluate(self, values: Mapping[str, Any]) -> Value:
        """The value of every row, with `C(...)` read as a Categorical; for responses and offsets."""
        value = self.run(Scope(values))
        return value.categorical() if isinstance(value, Boxed) else value


@contextlib.contextmanager
def _computing(code: str) -> Iterator[None]:
    """Numbers that are not finite are judged at the end; whatever else fails names the expression."""
    try:
        with np.errstate(all="ignore"):
            yield
    except BridgeError:
        raise
    except Exception as error:
        raise DataError(f"{short(code)} cannot be computed: {error}.") from error


def build(
    code: str,
    functions: Functions | None = None,
    *,
    forms: Sequence[str] = (),
    learn: bool = True,
) -> Expression:
    """Read `code`, refusing whatever is not on the list.

    `forms` are the words allowed at the outermost place alone (`offset`, `successes`); with
    `learn=False`, functions that learn from the data are refused.
    """
    if code.isidentifier():
        return Expression(code, frozenset([code]), None, (), code, (), {}, column(code))
    builder = Builder(code, check_functions(functions), _TABLE, learn)
    tree = syntax(code)
    word = call_name(tree)
    if word in forms and isinstance(tree, ast.Call):
        return _form(builder, tree, str(word))
    run = builder.closure(tree)
    return Expression(
        code=code,
        names=frozenset(builder.names),
        call=word,
        arguments=_arguments(tree, functions, learn),
        column=_quoted(tree),
        stateful=tuple(builder.stateful),
        functions={name: builder.functions[name] for name in builder.used},
        _run=run,
    )


# --- reading ------------------------------------------------------------------------------


def syntax(code: str) -> ast.expr:
    """The syntax tree, of bounded depth: what follows walks it recursively. `class` alone is a column."""
    if code.isidentifier():
        return ast.Name(code, ast.Load())
    try:
        tree = ast.parse(code, mode="eval").body
    except (RecursionError, MemoryError) as error:
        raise FormulaError(_too_deep(code)) from error
    except (SyntaxError, ValueError) as error:
        raise FormulaError(f"{short(code)} is not an expression. {_syntax_hint(code)}") from error
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise FormulaError(_too_deep(code))
    return tree


def _too_deep(code: str) -> str:
    return f"{short(code)} is nested more than {MAX_DEPTH} deep: compute it as a column first."


def _syntax_hint(code: str) -> str:
    if code == ".":
        return "The dot (all other columns) is not supported: name the columns, joined by +."
    if "~" in code:
        return "A formula cannot stand here: a column or an expression such as np.log(x) is needed."
    if "%in%" in code.replace(" ", ""):
        return "For R's a %in% b write a:b."
    if re.match(r"as\.\w+\(", code):
        return f"For R's {code.split('(')[0]}() write {R_WORDS.get(code.split('(')[0], 'C(x)')}."
    if re.fullmatch(r"[\w. ]+", code):
        return f'A column whose name is no Python name is written Q("{code.replace(" .", ".")}").'
    reserved = [word for word in re.findall(r"\w+", code) if keyword.iskeyword(word) and word[0].islower()]
    if reserved:
        return f'{reserved[0]!r} is a Python keyword: as a column, write Q("{reserved[0]}").'
    return 'A column whose name is no Python name is written Q("the name").'


def _quoted(tree: ast.expr) -> str | None:
    """The column that `x` or `Q("x")` names."""
    if isinstance(tree, ast.Call) and call_name(tree) == "Q" and isinstance(tree.args[0], ast.Constant):
        return str(tree.args[0].value)
    return None


def _arguments(tree: ast.expr, functions: Functions | None, learn: bool) -> tuple[Expression, ...]:
    """Positional arguments that are expressions of their own: no constants, lists or contrasts."""
    if not isinstance(tree, ast.Call):
        return ()
    nodes = tree.args[:1] if call_name(tree) == "C" else tree.args
    kinds = (ast.Name, ast.Call, ast.BinOp, ast.UnaryOp, ast.Compare)
    return tuple(build(ast.unparse(node), functions, learn=learn) for node in nodes if isinstance(node, kinds))


def _form(builder: Builder, tree: ast.Call, word: str) -> Expression:
    """`offset(x)` or `successes(k, m)`: not a function of the rows, but a word of the formula."""
    wanted = {"offset": 1, "successes": 2}[word]
    if len(tree.args) != wanted or tree.keywords:
        example = "offset(np.log(exposure))" if word == "offset" else "successes(k, m): k events in m trials"
        raise FormulaError(f"{word}() takes {wanted} argument{'s'[: wanted - 1]}, as in {example}.")
    arguments = tuple(build(ast.unparse(node), builder.functions, learn=False) for node in tree.args)
    names = frozenset().union(*(argument.names for argument in arguments))
    used = {name: function for argument in arguments for name, function in argument.functions.items()}
    return Expression(builder.code, names, word, arguments, None, (), used, arguments[0].run)
