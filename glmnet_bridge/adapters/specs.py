"""Specs: the design columns of a model that another package fitted from a formula, as units of a wiring.

patsy's DesignInfo (statsmodels) and formulaic's ModelSpec (glum, statsmodels) say the same in two ways:

    a column of numbers                 the raw input itself
    a factor by itself                  indicators of its levels, then the table of its contrasts
    all else (products, splines)        columns that the specification itself computes, term by term
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.wirings import Wire, Wiring
from glmnet_bridge.design.expressions import syntax
from glmnet_bridge.errors import ReadError
from glmnet_bridge.mapping.features import Feature

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a specification.

    Attributes
    ----------
    spec : a specification that makes the term's columns; patsy's of this term alone, formulaic's of all
    places : of the term's columns among those that `spec` makes
    codes : of its factors, as they were written; () for the intercept
    columns : names of its columns
    variables : columns of the data that it reads
    needs : those that `spec` reads
    levels : of its only factor, where that is a column of levels; else ()
    """

    spec: Any
    places: tuple[int, ...]
    codes: tuple[str, ...]
    columns: tuple[str, ...]
    variables: tuple[str, ...]
    needs: tuple[str, ...]
    levels: tuple[Any, ...]

    def matrix(self, table: pd.DataFrame) -> Array:
        """The term's columns `(m, w)`; levels go in as they are, whatever categories the data declare."""
        plain = {
            name: column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column
            for name, column in table.items()
        }
        return _matrix(self.spec, pd.DataFrame(plain))[:, list(self.places)]

    def contrasts(self) -> Array | None:
        """The table `(levels, w)` of a factor by itself; None where the columns are not known to be one."""
        if not self.levels:
            return None
        if hasattr(self.spec, "factor_infos"):
            dtype = object if any(isinstance(level, str) for level in self.levels) else None
            return self.matrix(pd.DataFrame({self.variables[0]: pd.Series(list(self.levels), dtype=dtype)}))
        named = [[f"{self.codes[0]}[{mark}{level}]" for level in self.levels] for mark in ("", "T.")]
        found = [next((each.index(name) for each in named if name in each), -1) for name in self.columns]
        return None if -1 in found else np.eye(len(self.levels))[:, found]


def terms(spec: Any, known: Collection[str] | None = None) -> list[Term]:
    """The terms of a specification; `known` are the columns of the data that it learnt from."""
    return _of_patsy(spec, known) if hasattr(spec, "factor_infos") else _of_formulaic(spec)


def _of_patsy(spec: Any, known: Collection[str] | None) -> list[Term]:
    factors = {factor.code: tuple(info.categories or ()) for factor, info in spec.factor_infos.items()}
    out = []
    for term in spec.terms:
        codes = tuple(factor.code for factor in term.factors)
        read, levels = _read(codes, factors, known)
        alone = spec.subset([term.name()])
        columns = tuple(alone.column_names)
        out.append(Term(alone, tuple(range(len(columns))), codes, columns, read, read, levels))
    return out


def _of_formulaic(spec: Any) -> list[Term]:
    """Which levels a factor leaves out depends on the other terms, so that no term is evaluated alone."""
    factors = {factor.expr: tuple(state.levels) for factor, state in spec.factor_contrasts.items()}
    names = list(spec.column_names)
    whole = tuple(sorted(spec.required_variables))
    out = []
    for term in spec.terms:
        codes = tuple(factor.expr for factor in term.factors if factor.expr != "1")
        read, levels = _read(codes, factors, spec.required_variables)
        places = tuple(range(len(names))[spec.term_slices[term]]) if term in spec.term_slices else ()
        out.append(Term(spec, places, codes, tuple(names[at] for at in places), read, whole, levels))
    return out


def variables(found: Sequence[Term]) -> tuple[str, ...]:
    """The columns of the data that the terms read, in the order in which they do."""
    return tuple(dict.fromkeys(name for term in found for name in term.variables))


def wired(wiring: Wiring, names: Sequence[str], found: Sequence[Term]) -> dict[str, Wire]:
    """The unit of each column, by the column's name; () for the intercept."""
    out: dict[str, Wire] = {}
    for term in found:
        if not term.codes:
            out |= {name: () for name in term.columns}
            continue
        units = _units(wiring, names, term)
        out |= {name: (unit,) for name, unit in zip(term.columns, units, strict=True)}
    return out


def _read(
    codes: tuple[str, ...], factors: dict[str, tuple[Any, ...]], known: Collection[str] | None
) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The columns that factors read, and the levels where it is one factor that is a column of levels."""
    read = tuple(dict.fromkeys(name for code in codes for name in _names(code, known)))
    alone = len(codes) == 1 and len(read) == 1 and (codes[0] == read[0] or codes[0].startswith("C("))
    return read, factors.get(codes[0], ()) if alone else ()


def _names(code: str, known: Collection[str] | None) -> list[str]:
    """The columns that a factor reads: what it names, but for functions and modules."""
    skipped: set[int] = set()
    found = []
    for node in ast.walk(syntax(code)):
        if isinstance(node, ast.Call):
            skipped.add(id(node.func))
            if isinstance(node.func, ast.Name) and node.func.id == "Q":
                found += [str(each.value) for each in node.args if isinstance(each, ast.Constant)]
        elif isinstance(node, ast.Attribute):
            skipped.add(id(node.value))
        elif isinstance(node, ast.Name) and id(node) not in skipped:
            found.append(node.id)
    return [name for name in found if known is None or name in known]


def _units(wiring: Wiring, names: Sequence[str], term: Term) -> Wire:
    if len(term.codes) == 1 and term.columns == term.codes == term.variables:
        return (wiring.inputs[names.index(term.codes[0])],)
    table = term.contrasts()
    if table is not None:
        used = np.flatnonzero(table.any(axis=1))
        unit = wiring.inputs[names.index(term.variables[0])]
        indicators = wiring.levels(unit, [term.levels[k] for k in used], term.codes[0])
        return wiring.fixed(table[used], indicators, None, term.codes[0], "contrasts")
    if not term.variables:
        raise ReadError(
            f"Term {':'.join(term.codes)!r} of the model reads no column of the data. Fit it on a frame that has "
            "all its columns."
        )
    sources = tuple(names.index(name) for name in term.needs)
    function = term.matrix
    made: Wire = ()
    for j, name in enumerate(term.columns):
        made += wiring.feature(Feature(name, sources, function=function, column=j))
    return made


def _matrix(spec: Any, table: pd.DataFrame) -> Array:
    if hasattr(spec, "factor_infos"):
        import patsy

        return np.asarray(patsy.build_design_matrices([spec], table, NA_action="raise")[0], dtype=float)
    made = spec.get_model_matrix(table)
    return np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=float).reshape(len(table), -1)
