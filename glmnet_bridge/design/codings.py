"""Codings: which columns each term becomes, by patsy's rules.

    factors that have learnt  ->  specimens  ->  patsy's choice of contrasts  ->  coded terms

patsy decides which factor of a term is coded in full and which against a reference, so that
no column is redundant (its `redundancy.py` has the rule). It does so from a specimen of each
factor, one row of the right kind, whatever the number of rows. A formula of numbers alone
has nothing to decide, and is written down directly.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from patsy import PatsyError, design_matrix_builders
from patsy.categorical import C
from patsy.desc import INTERCEPT
from patsy.eval import EvalEnvironment

from glmnet_bridge.design.expressions import Expression
from glmnet_bridge.design.formulas import Formula
from glmnet_bridge.errors import FormulaError, listed

Array = np.ndarray
MAX_COLUMNS = 5_000
MAX_SUBSETS = 100_000


@dataclass(frozen=True, slots=True)
class Learnt:
    """What one factor of the formula is, known from the training data.

    Attributes
    ----------
    expression : how its values are computed
    width : the number of its columns, for numbers; 0 for a categorical factor
    levels : the levels in their order, for a categorical factor; () for numbers
    unused : levels that were declared but have no row
    contrast : the contrast that `C(...)` asks for
    """

    expression: Expression
    width: int
    levels: tuple[Any, ...] = ()
    unused: tuple[Any, ...] = ()
    contrast: Any = field(default=None, compare=False)

    @property
    def categorical(self) -> bool:
        return self.width == 0

    @property
    def size(self) -> int:
        """Levels, or columns."""
        return len(self.levels) if self.categorical else self.width


@dataclass(frozen=True, slots=True)
class Contrast:
    """How levels become columns: matrix is (levels, columns), each column with its suffix."""

    matrix: Array
    suffixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subterm:
    """A product of factors; the categorical ones each with their contrast in it."""

    factors: tuple[str, ...]
    contrasts: Mapping[str, Contrast]

    def pieces(self, learnt: Mapping[str, Learnt]) -> Iterator[tuple[tuple[str, int], ...]]:
        """For each column of the product, the column of each factor; the leftmost varies fastest."""
        widths = [self._width(code, learnt) for code in self.factors]
        for places in itertools.product(*(range(width) for width in reversed(widths))):
            yield tuple(zip(self.factors, reversed(places), strict=True))

    def name(self, piece: tuple[tuple[str, int], ...], learnt: Mapping[str, Learnt]) -> str:
        """patsy's name of a column, such as `C(g)[T.b]:x`."""
        return ":".join(self._label(code, place, learnt) for code, place in piece) or "Intercept"

    def _width(self, code: str, learnt: Mapping[str, Learnt]) -> int:
        return len(self.contrasts[code].suffixes) if code in self.contrasts else learnt[code].width

    def _label(self, code: str, place: int, learnt: Mapping[str, Learnt]) -> str:
        if code in self.contrasts:
            return code + self.contrasts[code].suffixes[place]
        return f"{code}[{place}]" if learnt[code].width > 1 else code


@dataclass(frozen=True, slots=True)
class Coded:
    """A term of the formula and the products that it becomes."""

    name: str
    subterms: tuple[Subterm, ...]


def code_terms(formula: Formula, learnt: Mapping[str, Learnt]) -> tuple[Coded, ...]:
    """All terms in patsy's order, coded as patsy codes them."""
    _check_fewest(formula, learnt)
    if not any(factor.categorical for factor in learnt.values()):
        return _numbers_only(formula)
    specimens = {code: _specimen(factor) for code, factor in learnt.items()}
    try:
        (info,) = design_matrix_builders([list(formula.terms)], lambda: iter([specimens]), EvalEnvironment([]))
    except PatsyError as error:
        known = [f"{code}: {listed(each.levels)}" for code, each in learnt.items() if each.categorical]
        raise FormulaError(f"The factors cannot be coded: {error}. The levels are {'; '.join(known)}.") from error
    factors = {term.name(): [learnt[factor.name()] for factor in term.factors] for term in formula.terms}
    widths = {term.name(): sum(part.num_columns for part in parts) for term, parts in info.term_codings.items()}
    _check_width(widths, factors)
    return tuple(Coded(term.name(), tuple(map(_subterm, parts))) for term, parts in info.term_codings.items())


def _numbers_only(formula: Formula) -> tuple[Coded, ...]:
    """Intercept first, then the terms as they were written."""
    terms = sorted(formula.terms, key=lambda term: term != INTERCEPT)
    return tuple(Coded(term.name(), (Subterm(tuple(factor.name() for factor in term.factors), {}),)) for term in terms)


def _specimen(factor: Learnt) -> Any:
    """One row that tells patsy all it asks: the width, or the levels and the contrast."""
    if factor.categorical:
        return C([], factor.contrast, factor.levels)
    return np.zeros((1, factor.width))


def _subterm(part: Any) -> Subterm:
    contrasts = {
        factor.name(): Contrast(np.asarray(contrast.matrix, dtype=float), tuple(contrast.column_suffixes))
        for factor, contrast in part.contrast_matrices.items()
    }
    return Subterm(tuple(factor.name() for factor in part.factors), contrasts)


def _check_fewest(formula: Formula, learnt: Mapping[str, Learnt]) -> None:
    """Refuse what must become too wide, and what would take patsy too long to decide.

    A factor has at least one column less than levels. patsy looks at all subsets of the
    categorical factors of a term.
    """
    factors = {term.name(): [learnt[factor.name()] for factor in term.factors] for term in formula.terms}
    _check_width({name: math.prod(map(_fewest, parts)) for name, parts in factors.items()}, factors)
    subsets = sum(2 ** sum(part.categorical for part in parts) for parts in factors.values())
    if subsets > MAX_SUBSETS:
        raise FormulaError(
            "The formula has too many interactions of many factors: to code them takes "
            f"{subsets:,} comparisons. Leave out those of the highest order."
        )


def _fewest(factor: Learnt) -> int:
    return max(len(factor.levels) - 1, 1) if factor.categorical else factor.width


def _check_width(widths: Mapping[str, int], factors: Mapping[str, list[Learnt]]) -> None:
    """Refuse more columns than a fit could hold, with the widest term and what makes it so."""
    total = sum(widths.values())
    if total <= MAX_COLUMNS:
        return
    widest = max(widths, key=lambda name: widths[name])
    sizes = [
        f"{part.expression.code} {part.size:,} {'levels' if part.categorical else 'columns'}"
        for part in factors[widest]
    ]
    raise FormulaError(
        f"The formula asks for {total:,} columns or more, of which {widest} takes {widths[widest]:,} "
        f"({listed(sizes)}); at most {MAX_COLUMNS:,} are allowed. Their p x p matrix would take "
        f"{8e-9 * total * total:,.1f} GB. Join rare levels, or leave the term out."
    )
