"""Formulas: the text `y ~ x + C(g)` to a response, terms and offsets.

    text  ->  patsy's tokens and tree  ->  patsy's terms over our factors  ->  Formula

patsy knows the grammar (`+ - * / : **` and parentheses); each factor is an `Expression`
that we read ourselves, so that no text of a formula is ever evaluated as Python. The size of
what a formula asks for is bounded before anything is expanded.
"""

from __future__ import annotations

import functools
import math
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from patsy import PatsyError
from patsy.desc import INTERCEPT, Evaluator, IntermediateExpr, Term
from patsy.origin import Origin
from patsy.parse_formula import ParseNode, parse_formula

from glmnet_bridge.design.expressions import Expression, build
from glmnet_bridge.design.functions import Functions, check_functions
from glmnet_bridge.design.texts import MAX_DEPTH, caret, clean, short, without_strings
from glmnet_bridge.errors import FormulaError, FormulaWarning, listed, warn

MAX_TERMS = 5_000
MAX_FACTORS = 10  # in one term: contrasts are chosen over all subsets of its factors


class Factor:
    """A factor as patsy's builders want it: named and compared by its code.

    patsy asks it for a specimen only (kind, width, levels), to choose contrasts and names; there
    is nothing for patsy to memorise, because `Expression.learn` has done it.
    """

    __slots__ = ("expression", "origin")

    def __init__(self, expression: Expression, origin: Any = None) -> None:
        self.expression = expression
        self.origin = origin

    def name(self) -> str:
        return self.expression.code

    def __repr__(self) -> str:
        return f"Factor({self.name()!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Factor) and self.expression.code == other.expression.code

    def __hash__(self) -> int:
        return hash(self.expression.code)

    def memorize_passes_needed(self, state: dict[str, Any], eval_env: Any) -> int:
        return 0

    def eval(self, state: dict[str, Any], data: Mapping[str, Any]) -> Any:
        return data[self.name()]


@dataclass(frozen=True, slots=True, eq=False)
class Formula:
    """What a formula says; a text without functions of the caller's own is read once, and stays one object.

    Attributes
    ----------
    text : the formula as it was given
    response : its left side, one expression (two for `k + m ~ x`); empty if one-sided
    terms : the right side, patsy terms whose factors are `Factor`
    offsets : the expressions within `offset(...)`
    names : all data columns that are read
    functions : the user's own functions
    cautions : what the formula may not mean, one sentence each
    """

    text: str
    response: tuple[Expression, ...]
    terms: tuple[Any, ...]
    offsets: tuple[Expression, ...]
    names: frozenset[str]
    functions: Functions
    cautions: tuple[str, ...] = ()

    @property
    def has_intercept(self) -> bool:
        return INTERCEPT in self.terms

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Each factor of the right side once, in the order of the formula."""
        return tuple(dict.fromkeys(factor for term in self.terms for factor in term.factors))

    def __reduce__(self) -> tuple[Any, ...]:
        return (parse if self.response else one_sided), (self.text, dict(self.functions) or None)


def parse(text: str, functions: Functions | None = None) -> Formula:
    """Read a formula with a response, such as `low ~ age + C(race)`.

    Parameters
    ----------
    text : the formula
    functions : your own functions by name; they are the only ones beyond the built-in list

    Raises
    ------
    FormulaError
        If the text is no formula, or asks for something that is not allowed.

    Examples
    --------
    >>> formula = parse("low ~ age + np.log(lwt) + offset(z)")
    >>> [term.name() for term in formula.terms], formula.offsets[0].code
    (['Intercept', 'age', 'np.log(lwt)'], 'z')
    """
    formula = _cached(text, True) if _plain(text, functions) else _read(text, True, check_functions(functions))
    return _cautioned(formula)


def one_sided(text: str, functions: Functions | None = None) -> Formula:
    """Read a right-hand side, such as `age + C(race)` (a tilde before it is optional)."""
    formula = _cached(text, False) if _plain(text, functions) else _read(text, False, check_functions(functions))
    return _cautioned(formula)


def expression(text: str, functions: Functions | None = None) -> Expression:
    """Read a single expression, such as the offset `np.log(holders)`."""
    code = clean(text, "An expression")
    return build(_spaced(code), check_functions(functions), learn=False)


def _plain(text: object, functions: Functions | None) -> bool:
    return isinstance(text, str) and functions is None


@functools.lru_cache(maxsize=256)
def _cached(text: str, response: bool) -> Formula:
    return _read(text, response, {})


def _cautioned(formula: Formula) -> Formula:
    if formula.cautions:
        warn(" ".join(formula.cautions), FormulaWarning)
    return formula


def _spaced(code: str) -> str:
    from patsy.tokens import normalize_token_spacing

    try:
        return normalize_token_spacing(code).strip()
    except (tokenize.TokenError, SyntaxError, AssertionError) as error:
        raise FormulaError(
            f"{short(code)} is not an expression (perhaps a quote or a parenthesis is missing)."
        ) from error


# --- the tree -----------------------------------------------------------------------------


def _read(text: str, two_sided: bool, functions: Functions) -> Formula:
    code = clean(text, "A formula")
    tree = _tree(code, two_sided)
    _check_size(tree)
    response: tuple[Expression, ...] = ()
    if two_sided:
        response = _response(_terms(tree.args[0], functions, "successes"), code)
    right = _terms(tree.args[-1], functions, "offset")
    terms = () if right.intercept_removed else (INTERCEPT,)
    offsets, kept = _offsets(right.terms)
    _check_sides(response, kept)
    reads = [factor.expression for term in kept for factor in term.factors]
    return Formula(
        text=text,
        response=response,
        terms=(*terms, *kept),
        offsets=offsets,
        names=frozenset().union(*(part.names for part in (*response, *reads, *offsets))),
        functions=dict(functions),
        cautions=_cautions(tree.args[-1]),
    )


def _tree(code: str, two_sided: bool) -> ParseNode:
    bare = without_strings(code)
    if two_sided and "~" not in bare:
        raise FormulaError(f"The formula {short(code)} has no tilde: write it as 'response ~ predictors'.")
    if two_sided and bare.startswith("~"):
        raise FormulaError(f"The formula {short(code)} has no response: write it as 'response ~ predictors'.")
    if bare.endswith("~"):
        raise FormulaError(f"Nothing stands right of the tilde in {short(code)}: for an intercept alone write '~ 1'.")
    try:
        tree = parse_formula(code)
    except PatsyError as error:
        raise FormulaError(f"The formula cannot be read: {_unread(error)}") from error
    except (tokenize.TokenError, SyntaxError, AssertionError, ValueError) as error:
        raise FormulaError(f"The formula {short(code)} cannot be read (perhaps a quote is missing).") from error
    if len(tree.args) != (2 if two_sided else 1):
        raise FormulaError(f"Predictors alone are needed here, without a response: {short(code)}.")
    return tree


def _check_size(tree: ParseNode) -> None:
    """Bound terms, nesting and interactions before patsy expands them; without recursion.

    Sums may be long: their left spine is folded in a loop (`_sum`), so it does not count as depth.
    """
    order: list[tuple[ParseNode, int]] = [(tree, 0)]
    for node, depth in order:
        if depth > MAX_DEPTH:
            raise FormulaError(f"The formula is nested more than {MAX_DEPTH} deep.")
        for place, arg in enumerate(node.args):
            spine = node.type in "+-" and len(node.args) == 2 and place == 0
            order.append((arg, depth if spine else depth + 1))
    count: dict[int, int] = {}
    for node, _ in reversed(order):
        count[id(node)] = _bound(node, [count[id(arg)] for arg in node.args])
        if count[id(node)] > MAX_TERMS:
            raise FormulaError(
                f"The formula expands to as many as {count[id(node)]:,} terms; "
                f"at most {MAX_TERMS:,} are allowed.\n{_under(node.origin)}"
            )


def _bound(node: ParseNode, sizes: list[int]) -> int:
    """The most terms that a node can expand to, from those of its arguments."""
    if len(sizes) < 2:
        return sizes[0] if sizes else 1
    left, right = sizes
    if node.type == "*":
        return left + right + left * right
    if node.type == "/":
        return left + right
    if node.type == ":":
        return left * right
    if node.type == "**":
        extra = str(node.args[1].token.extra if node.args[1].token else "")
        power = min(int(extra), left) if extra.isdecimal() and len(extra) < 6 else left
        return sum(math.comb(left, k) for k in range(1, min(power, 20) + 1))
    return left + right


class _Terms(Evaluator):
    """patsy's evaluator of formula trees, with our factors as its atoms and sums folded in a loop."""

    def __init__(self, functions: Functions, form: str) -> None:
        super().__init__()
        self.functions, self.form = functions, form
        self.add_op("PYTHON_EXPR", 0, _Terms._factor)
        for op in "+-":
            self.add_op(op, 2, _Terms._sum)

    def _factor(self, tree: ParseNode) -> IntermediateExpr:
        try:
            read = build(tree.token.extra, self.functions, forms=(self.form,), learn=self.form == "offset")
        except FormulaError as error:
            raise FormulaError(f"{error}\n{_under(tree.origin)}") from error.__cause__
        return IntermediateExpr(False, None, False, [Term([Factor(read, tree.origin)])])

    def _sum(self, tree: ParseNode) -> IntermediateExpr:
        """`a + b - c + ...`: terms in order, the last word on the intercept counts."""
        spine = [tree]
        while spine[-1].args[0].type in "+-" and len(spine[-1].args[0].args) == 2:
            spine.append(spine[-1].args[0])
        first = self.eval(spine[-1].args[0])
        terms = dict.fromkeys(first.terms)
        state = first.intercept, first.intercept_origin, first.intercept_removed
        for node in reversed(spine):
            part = self.eval(node.args[1])
            if node.type == "+":
                terms.update(dict.fromkeys(part.terms))
                if part.intercept or node.args[1].type == "ZERO":
                    state = part.intercept, part.intercept_origin, part.intercept_removed
            else:
                for term in part.terms:
                    terms.pop(term, None)
                if node.args[1].type == "ZERO":
                    state = True, node.args[1], False
                elif part.intercept:
                    state = False, None, True
        return IntermediateExpr(*state, list(terms))


def _terms(tree: ParseNode, functions: Functions, form: str) -> IntermediateExpr:
    try:
        return _Terms(functions, form).eval(tree)
    except PatsyError as error:
        hint = "For a multiple of a column write I(2 * x): " if "numbers besides" in str(error) else ""
        raise FormulaError(f"The formula cannot be read: {hint}{_unread(error)}") from error


def _unread(error: PatsyError) -> str:
    """patsy's words, with its caret."""
    return error.message if error.origin is None else f"{error.message}\n{_under(error.origin)}"


def _under(origin: Origin) -> str:
    return caret(origin.code, origin.start, origin.end)


# --- the sides ----------------------------------------------------------------------------


def _response(left: IntermediateExpr, code: str) -> tuple[Expression, ...]:
    """One expression, or two for `k + m ~ x`."""
    if any(len(term.factors) > 1 for term in left.terms):
        events, trials = left.terms[-1].factors[0].name(), left.terms[-1].factors[-1].name()
        raise FormulaError(
            f"The left side of {short(code)} is no response. For {events} events in {trials} trials write "
            f"successes({events}, {trials}) ~ ..., or a column of shares with trials={trials!r}; "
            "for arithmetic write I(...)."
        )
    if left.intercept or left.intercept_removed or not left.terms:
        raise FormulaError(f"The left side of {short(code)} is no response: write the name of a column there.")
    if len(left.terms) > 2:
        names = [term.name() for term in left.terms]
        raise FormulaError(f"The left side has {len(names)} responses ({listed(names)}); one, or k + m, is needed.")
    return tuple(term.factors[0].expression for term in left.terms)


def _offsets(terms: tuple[Term, ...]) -> tuple[tuple[Expression, ...], tuple[Term, ...]]:
    """Take `offset(...)` out of the terms; refuse it inside an interaction, and too wide ones."""
    offsets, kept = [], []
    for term in terms:
        calls = [factor.expression.call for factor in term.factors]
        if calls == ["offset"]:
            offsets.append(term.factors[0].expression.arguments[0])
        elif "offset" in calls:
            raise FormulaError(f"{term.name()}: an offset cannot interact with other terms.")
        elif len(calls) > MAX_FACTORS:
            raise FormulaError(f"{term.name()}: at most {MAX_FACTORS} factors can interact; this has {len(calls)}.")
        else:
            kept.append(term)
    return tuple(offsets), tuple(kept)


def _check_sides(response: tuple[Expression, ...], terms: tuple[Term, ...]) -> None:
    """The response must not be its own predictor; the number of trials may."""
    if not response:
        return
    modelled = response[0].arguments[0] if response[0].call == "successes" else response[0]
    codes = {part.code for part in response}
    for factor in (factor for term in terms for factor in term.factors):
        read = factor.expression
        if read.code in codes or (len(response) == 1 and modelled.names & read.names):
            names = sorted(modelled.names & read.names) or [read.code]
            raise FormulaError(
                f"The response {response[0].code!r} is also a predictor ({read.code}): the column "
                f"{listed(names)} stands on both sides. Take it out of the right side, or copy it "
                "under another name."
            )


def _cautions(tree: ParseNode) -> tuple[str, ...]:
    """A sentence for each `x**2` of a single variable, which patsy (like R) reads as x."""
    found, stack = [], [tree]
    while stack:
        node = stack.pop()
        if node.type == "**" and node.args[0].type == "PYTHON_EXPR":
            base, power = node.args[0].token.extra, node.args[1].token.extra
            found.append(f"{base}**{power} in a formula means {base} alone. For the power write I({base}**{power}).")
        stack.extend(node.args)
    return tuple(dict.fromkeys(reversed(found)))
