"""Expressions: one factor of a formula, such as `np.log(x)` or `bs(age, df=5)`, read without `eval`.

    text  ->  Python syntax tree  ->  closures over an allow-list  ->  values of the rows

Every kind of node has its entry in `_NODES`; what has none cannot run. A name before a
parenthesis is a function of the list (or of the user's `functions`), every other name is a
column of the data. There are no attributes beyond `np.<elementwise function>`, no
subscripts, no names from the caller, and nothing that could write into the data.

Transforms that learn from the data (`center`, `bs`, ...) are kept apart: `Expression.learn`
gives their state, `Expression.evaluate` applies it.
"""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from glmnet_bridge.design.levels import Boxed, contrast_named
from glmnet_bridge.design.operations import (
    ARITHMETIC,
    COMPARISONS,
    boolean,
    compared,
    number,
    numeric,
    plain,
    read_only,
    tidy,
)
from glmnet_bridge.design.transforms import STATEFUL, Outside, Transform, check_settings
from glmnet_bridge.errors import ArgumentError, BridgeError, DataError, FormulaError, listed, nearest

Value = Any  # (n,) or (n, k) array, pd.Categorical, Boxed, or a constant
MAX_DEPTH = 100
MAX_POWER = 64

BARE = {
    name: getattr(np, name)
    for name in (
        "log",
        "log2",
        "log10",
        "log1p",
        "exp",
        "expm1",
        "sqrt",
        "abs",
        "sin",
        "cos",
        "tan",
        "floor",
        "ceil",
    )
}
"""Functions that R users write without `np.`; the column is named as typed."""

ROW_WISE: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "where": (3, 3, ()),
    "clip": (1, 3, ("a_min", "a_max", "min", "max")),
    "round": (1, 2, ("decimals",)),
    "around": (1, 2, ("decimals",)),
    "isin": (2, 2, ("invert",)),
    "digitize": (2, 2, ("right",)),
    "nan_to_num": (1, 1, ("nan", "posinf", "neginf")),
    "sinc": (1, 1, ()),
    "i0": (1, 1, ()),
}
"""numpy functions that work row by row but are no ufuncs: fewest and most arguments, keywords."""

FORMS = ("C", "I", "Q", "successes", "offset")
CONTRASTS = ("Treatment", "Sum", "Helmert", "Diff", "Poly")
RESERVED = frozenset([*FORMS, *CONTRASTS, *STATEFUL, *BARE, "np", "numpy", "eval", "exec"])

R_WORDS = {
    "factor": "C(x)",
    "as": 'C(x), or Q("...") for a column whose name has a dot',
    "ns": "cr(x, df=4)",
    "s": "cr(x, df=4)",
    "poly": "x + I(x**2), or bs(x, df=4)",
    "ifelse": "np.where(condition, a, b)",
    "relevel": 'C(x, Treatment("reference"))',
    "cut": "np.digitize(x, [1, 2, 3]) within C(...)",
    "pmin": "np.minimum(a, b)",
    "pmax": "np.maximum(a, b)",
    "log1": "np.log1p(x)",
}


@dataclass(slots=True)
class Scope:
    """What an expression may see while it runs.

    `outside` says what a value beyond a spline's knots does: raise, or leave a row of nan
    whose place is noted in `blank` (n,).
    """

    values: Mapping[str, Any]
    transforms: Mapping[str, Transform] = field(default_factory=dict)
    outside: str = "raise"
    index: pd.Index | None = None
    blank: np.ndarray | None = None


Closure = Callable[[Scope], Value]


@dataclass(frozen=True, slots=True)
class Stateful:
    """A call whose function learns from the data: its text, its columns and its settings."""

    key: str
    function: str
    columns: tuple[Closure, ...]
    settings: Mapping[str, Any]


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
    functions: frozenset[str] = field(compare=False, repr=False)
    _run: Closure = field(compare=False, repr=False)

    def learn(self, values: Mapping[str, Any]) -> dict[str, Transform]:
        """The state of each transform in this expression, learnt from all rows; inner ones first."""
        learnt: dict[str, Transform] = {}
        for call in self.stateful:
            columns = [numeric(run(Scope(values, learnt)), call.key) for run in call.columns]
            learnt[call.key] = STATEFUL[call.function].learn(columns, call.settings, call.key)
        return learnt

    def run(self, scope: Scope) -> Value:
        """The value of every row: array `(n,)` or `(n, k)`, Categorical, or Boxed (from `C(...)`)."""
        if self.column is not None:
            return _look_up(scope.values, self.column)
        try:
            with np.errstate(all="ignore"):
                return tidy(self._run(scope), self.code)
        except BridgeError:
            raise
        except Exception as error:
            raise DataError(f"{self.code!r} cannot be computed: {error}.") from error

    def evaluate(self, values: Mapping[str, Any]) -> Value:
        """The value of every row, with `C(...)` read as a Categorical; for responses and offsets."""
        value = self.run(Scope(values))
        return value.categorical() if isinstance(value, Boxed) else value


def build(
    code: str,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    *,
    forms: Sequence[str] = (),
    learn: bool = True,
) -> Expression:
    """Read `code`, refusing whatever is not on the list.

    `forms` are the words allowed at the outermost place alone (`offset`, `successes`); with
    `learn=False`, functions that learn from the data are refused.
    """
    if code.isidentifier():
        return Expression(code, frozenset([code]), None, (), code, (), frozenset(), _column(code))
    builder = _Builder(code, check_functions(functions), learn)
    tree = _syntax(code)
    call = _call_name(tree)
    if call in forms and isinstance(tree, ast.Call):
        return _form(builder, tree, call)
    run = builder.closure(tree)
    return Expression(
        code=code,
        names=frozenset(builder.names),
        call=call,
        arguments=_arguments(tree, functions, learn) if call not in ("Q", None) else (),
        column=_quoted(tree),
        stateful=tuple(builder.stateful),
        functions=frozenset(builder.used),
        _run=run,
    )


def check_functions(functions: Mapping[str, Callable[..., Any]] | None) -> Mapping[str, Callable[..., Any]]:
    """The user's functions, after a look at their names."""
    if functions is None:
        return {}
    if not isinstance(functions, Mapping):
        raise ArgumentError(f"functions must be a dict of name to function, not {type(functions).__name__}.")
    for name, function in functions.items():
        if not (isinstance(name, str) and name.isidentifier() and callable(function)):
            raise ArgumentError(
                f"functions={{{name!r}: ...}}: the key must be a name and the value a function."
            )
        if hasattr(function, "__patsy_stateful_transform__"):
            raise ArgumentError(
                f"functions={{{name!r}: ...}}: a stateful transform cannot be saved with the model."
            )
        if name in RESERVED and BARE.get(name) is not function:
            raise ArgumentError(f"functions={{{name!r}: ...}}: {name!r} is built in. Choose another name.")
    return functions


# --- reading ------------------------------------------------------------------------------


def _syntax(code: str) -> ast.expr:
    try:
        return ast.parse(code, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FormulaError(f"{code!r} is not an expression. {_syntax_hint(code)}") from error


def _syntax_hint(code: str) -> str:
    import keyword
    import tokenize
    from io import StringIO

    if code.strip() == ".":
        return "The dot (all other columns) is not supported: name the columns, joined by +."
    if "%in%" in code.replace(" ", ""):
        return "For R's a %in% b write a:b."
    try:
        words = [token.string for token in tokenize.generate_tokens(StringIO(code).readline)]
    except (tokenize.TokenError, SyntaxError):
        words = []
    reserved = [word for word in words if keyword.iskeyword(word) and word not in ("True", "False", "None")]
    if "." in code:
        return f'A column whose name is no Python name is written Q("{code}").'
    if reserved:
        return f'{reserved[0]!r} is a Python keyword: as a column, write Q("{reserved[0]}").'
    return 'A column whose name is no Python name is written Q("the name").'


def _call_name(tree: ast.expr) -> str | None:
    if not isinstance(tree, ast.Call):
        return None
    return ast.unparse(tree.func) if isinstance(tree.func, (ast.Name, ast.Attribute)) else None


def _quoted(tree: ast.expr) -> str | None:
    """The column that `x` or `Q("x")` names."""
    if isinstance(tree, ast.Call) and _call_name(tree) == "Q" and isinstance(tree.args[0], ast.Constant):
        return str(tree.args[0].value)
    return None


def _arguments(
    tree: ast.expr, functions: Mapping[str, Callable[..., Any]] | None, learn: bool
) -> tuple[Expression, ...]:
    """Positional arguments that are expressions of their own (a list or a contrast is none)."""
    found = []
    for node in tree.args if isinstance(tree, ast.Call) else []:
        if isinstance(node, (ast.Name, ast.Call, ast.BinOp, ast.UnaryOp, ast.Compare)) and not _is_contrast(
            node
        ):
            found.append(build(ast.unparse(node), functions, learn=learn))
    return tuple(found)


def _is_contrast(node: ast.expr) -> bool:
    return (_call_name(node) or getattr(node, "id", None)) in CONTRASTS


def _form(builder: _Builder, tree: ast.Call, call: str) -> Expression:
    """`offset(x)` or `successes(k, m)`: not a function of the rows, but a word of the formula."""
    wanted = {"offset": 1, "successes": 2}[call]
    if len(tree.args) != wanted or tree.keywords:
        example = "offset(np.log(exposure))" if call == "offset" else "successes(k, m): k events in m trials"
        raise FormulaError(f"{call}() takes {wanted} argument{'s'[: wanted - 1]}, as in {example}.")
    arguments = tuple(build(ast.unparse(node), builder.functions, learn=False) for node in tree.args)
    names = frozenset().union(*(argument.names for argument in arguments))
    used = frozenset().union(*(argument.functions for argument in arguments))
    return Expression(builder.code, names, call, arguments, None, (), used, arguments[0].run)


class _Builder:
    """Turns a syntax tree into closures, and notes the columns and transforms on its way."""

    def __init__(self, code: str, functions: Mapping[str, Callable[..., Any]], learn: bool) -> None:
        self.code = code
        self.functions = functions
        self.learn = learn
        self.names: set[str] = set()
        self.used: set[str] = set()
        self.stateful: list[Stateful] = []
        self.depth = 0

    def closure(self, node: ast.expr) -> Closure:
        make = _NODES.get(type(node))
        if make is None:
            self.refuse(node, f"{_WORDS.get(type(node), 'this syntax')} is not allowed in a formula.")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.refuse(node, f"it is nested more than {MAX_DEPTH} deep.")
        closure = make(self, node)
        self.depth -= 1
        return closure

    def constant(self, node: ast.expr) -> Any:
        """The value of a setting: a constant, arithmetic on constants, or a list of them."""
        if isinstance(node, (ast.List, ast.Tuple)):
            return [self.constant(item) for item in node.elts]
        inner = _Builder(self.code, {}, False)
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
        text = ast.unparse(node) if self.depth <= MAX_DEPTH else self.code
        raise FormulaError(f"{text!r}: {why}")


def _name(builder: _Builder, node: ast.Name) -> Closure:
    name = node.id
    if not name.isascii():  # the parser normalises letters such as the micro sign; the frame does not
        name = ast.get_source_segment(builder.code, node) or name
    builder.names.add(name)
    return _column(name)


def _column(name: str) -> Closure:
    return lambda scope: _look_up(scope.values, name)


def _look_up(values: Mapping[str, Any], name: str) -> Any:
    try:
        return values[name]
    except KeyError:
        raise DataError(f"The data have no column {name!r}.{nearest(name, values)}") from None


def _constant(builder: _Builder, node: ast.Constant) -> Closure:
    value = node.value
    if not (value is None or isinstance(value, (bool, int, float, str))):
        builder.refuse(node, f"a constant of type {type(value).__name__} is not allowed in a formula.")
    return lambda scope: value


def _attribute(builder: _Builder, node: ast.Attribute) -> Closure:
    if _is_numpy(node) and node.attr in ("pi", "e", "euler_gamma"):
        value = float(getattr(np, node.attr))
        return lambda scope: value
    text = ast.unparse(node)
    builder.refuse(node, f'attributes are not allowed; if it is the name of a column, write Q("{text}").')


def _is_numpy(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("np", "numpy")
    )


def _unary(builder: _Builder, node: ast.UnaryOp) -> Closure:
    if isinstance(node.op, ast.Not):
        builder.refuse(node, "write ~x instead of not x.")
    inner, text = builder.closure(node.operand), ast.unparse(node)
    if isinstance(node.op, ast.Invert):
        return lambda scope: ~boolean(inner(scope), text)
    sign = operator.neg if isinstance(node.op, ast.USub) else operator.pos
    return lambda scope: sign(number(inner(scope), text))


def _binary(builder: _Builder, node: ast.BinOp) -> Closure:
    if type(node.op) is ast.BitXor:
        builder.refuse(node, "^ is not a power here: write **, within I(...), as in I(x**2).")
    if type(node.op) not in ARITHMETIC:
        builder.refuse(node, "this operator is not allowed in a formula.")
    if isinstance(node.op, ast.Pow):
        _check_power(builder, node)
    combine = ARITHMETIC[type(node.op)]
    left, right, text = builder.closure(node.left), builder.closure(node.right), ast.unparse(node)
    return lambda scope: combine(left(scope), right(scope), text)


def _check_power(builder: _Builder, node: ast.BinOp) -> None:
    try:
        power = ast.literal_eval(node.right)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return
    if isinstance(power, (int, float)) and abs(power) > MAX_POWER:
        builder.refuse(node, f"powers beyond {MAX_POWER} are not allowed.")


def _compare(builder: _Builder, node: ast.Compare) -> Closure:
    for op in node.ops:
        if type(op) not in COMPARISONS:
            builder.refuse(
                node, "of the comparisons, ==, !=, <, <=, > and >= are known (and np.isin(x, [1, 2]))."
            )
    sides = [builder.closure(side) for side in (node.left, *node.comparators)]
    tests, text = [COMPARISONS[type(op)] for op in node.ops], ast.unparse(node)

    def run(scope: Scope) -> Value:
        values = [side(scope) for side in sides]
        pairs = zip(tests, values[:-1], values[1:], strict=True)
        return functools.reduce(operator.and_, [compared(test, a, b, text) for test, a, b in pairs])

    return run


def _call(builder: _Builder, node: ast.Call) -> Closure:
    if any(isinstance(item, ast.Starred) for item in node.args) or any(
        item.arg is None for item in node.keywords
    ):
        builder.refuse(node, "* and ** arguments are not allowed in a formula.")
    if _is_numpy(node.func):
        return _numpy_call(builder, node)
    if not isinstance(node.func, ast.Name):
        builder.refuse(node, "only functions called by their name can be used in a formula.")
    name = node.func.id
    if name in _FORMS:
        return _FORMS[name](builder, node)
    if name in STATEFUL:
        return _stateful_call(builder, node)
    if name in builder.functions:
        return _user_call(builder, node)
    if name in BARE:
        return _ufunc_call(builder, node, name, BARE[name])
    return _unknown(builder, node, name)


def _unknown(builder: _Builder, node: ast.Call, name: str) -> NoReturn:
    if name in ("offset", "successes"):
        place = "as a term of its own, right of the tilde" if name == "offset" else "as the whole response"
        builder.refuse(node, f"{name}(...) is allowed only {place}.")
    known = [*STATEFUL, *BARE, "C", "I", "Q", *builder.functions]
    hint = f" For R's {name}() write {R_WORDS[name]}." if name in R_WORDS else nearest(name, known)
    if isinstance(vars(np).get(name), np.ufunc):
        hint = f" Write np.{name}(...)."
    builder.refuse(
        node,
        f"the function {name!r} is not known.{hint} Your own functions come in by functions={{{name!r}: {name}}}.",
    )


def _identity(builder: _Builder, node: ast.Call) -> Closure:
    if len(node.args) != 1 or node.keywords:
        builder.refuse(node, "I() takes one argument, as in I(x**2).")
    return builder.closure(node.args[0])


def _quote(builder: _Builder, node: ast.Call) -> Closure:
    if not (len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.Constant)):
        builder.refuse(node, 'Q() takes the name of a column in quotes, as in Q("body weight").')
    name = node.args[0].value
    if not isinstance(name, str):
        builder.refuse(node, 'Q() takes the name of a column in quotes, as in Q("body weight").')
    builder.names.add(name)
    return _column(name)


def _categorical_call(builder: _Builder, node: ast.Call) -> Closure:
    settings = _settings(builder, node, 1, ("contrast", "levels"))
    inner = builder.closure(node.args[0])
    contrast = settings.get("contrast") and _contrast(builder, settings["contrast"])
    levels = builder.constant(settings["levels"]) if "levels" in settings else None
    if levels is not None and not (isinstance(levels, list) and levels):
        builder.refuse(node, 'levels= takes a list, as in C(g, levels=["low", "high"]).')
    order = None if levels is None else tuple(levels)
    return lambda scope: Boxed.wrap(inner(scope), contrast, order)


def _contrast(builder: _Builder, node: ast.expr) -> Any:
    """`Sum`, `Treatment("b")`, `Poly(scores=[1, 2, 4])`, or a matrix as a list of rows."""
    if isinstance(node, ast.List):
        return np.array(builder.constant(node), dtype=float)
    name = _call_name(node) or getattr(node, "id", None)
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


def _settings(builder: _Builder, node: ast.Call, columns: int, allowed: Sequence[str]) -> dict[str, ast.expr]:
    """The syntax of each setting of a call by its name; the first `columns` arguments are data."""
    name = _call_name(node)
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


def _stateful_call(builder: _Builder, node: ast.Call) -> Closure:
    name = str(_call_name(node))
    if not builder.learn:
        builder.refuse(
            node, f"{name}() learns from the data, so it is allowed only in terms right of the tilde."
        )
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
        if scope.outside != "nan":
            raise DataError(out.message(text, scope.index)) from None
        blank = ~out.inside
        scope.blank = blank if scope.blank is None else scope.blank | blank
        basis = np.full((len(blank), transform.width), np.nan)
        if out.inside.any():
            basis[out.inside] = transform.apply([value[out.inside] for value in values])
        return basis


def _numpy_call(builder: _Builder, node: ast.Call) -> Closure:
    assert isinstance(node.func, ast.Attribute)
    name = node.func.attr
    function = vars(np).get(name)
    if isinstance(function, np.ufunc) and function.nout == 1 and function.signature is None:
        return _ufunc_call(builder, node, f"np.{name}", function)
    if name not in ROW_WISE:
        ufuncs = [key for key, value in vars(np).items() if isinstance(value, np.ufunc)]
        hint = nearest(name, [*ufuncs, *ROW_WISE]) if name not in vars(np) else ""
        builder.refuse(node, f"np.{name} does not work row by row, so it is not allowed in a formula.{hint}")
    fewest, most, keywords = ROW_WISE[name]
    if not fewest <= len(node.args) <= most or any(item.arg not in keywords for item in node.keywords):
        builder.refuse(
            node, f"np.{name} takes {fewest} to {most} arguments and the keywords {listed(keywords)}."
        )
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


def _ufunc_call(builder: _Builder, node: ast.Call, name: str, function: np.ufunc) -> Closure:
    """A further positional argument of a ufunc would be its output: it must not exist."""
    if len(node.args) != function.nin or node.keywords:
        builder.refuse(
            node, f"{name}() takes {function.nin} argument{'s' if function.nin > 1 else ''} and no keywords."
        )
    arguments = [builder.closure(item) for item in node.args]
    text = ast.unparse(node)
    return lambda scope: function(*[plain(argument(scope), text) for argument in arguments])


def _user_call(builder: _Builder, node: ast.Call) -> Closure:
    name = str(_call_name(node))
    builder.used.add(name)
    function = builder.functions[name]
    arguments = [builder.argument(item) for item in node.args]
    keywords = {str(item.arg): builder.argument(item.value) for item in node.keywords}

    def run(scope: Scope) -> Value:
        given = [read_only(argument(scope)) for argument in arguments]
        named = {key: read_only(argument(scope)) for key, argument in keywords.items()}
        return function(*given, **named)

    return run


_FORMS: dict[str, Callable[[_Builder, ast.Call], Closure]] = {
    "C": _categorical_call,
    "I": _identity,
    "Q": _quote,
}

_NODES: dict[type, Callable[[_Builder, Any], Closure]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.Attribute: _attribute,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.Compare: _compare,
    ast.Call: _call,
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
