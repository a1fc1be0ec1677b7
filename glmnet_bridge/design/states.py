"""States: a design as plain JSON values, and back, to the last bit.

Numbers are written as Python writes them (the shortest decimal that reads back as the same
double), those in extended precision as text. Contrasts are stored, not computed again, so
that another version of a library cannot change a column. What is read is checked against
the formula, which is parsed anew: a file cannot bring in a function or an expression.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.design.codings import Coded, Contrast, Learnt, Subterm
from glmnet_bridge.design.formulas import Formula, one_sided, parse
from glmnet_bridge.design.functions import Functions
from glmnet_bridge.design.transforms import STATEFUL, Transform
from glmnet_bridge.errors import DataError, FormulaError, listed

FORMAT = "glmnet_bridge design"
VERSION = 1
Parts = tuple[Formula, dict[str, Learnt], dict[str, Transform], tuple[Coded, ...], int]


def write(
    formula: Formula,
    learnt: Mapping[str, Learnt],
    transforms: Mapping[str, Transform],
    coded: Sequence[Coded],
    rows: int,
) -> dict[str, Any]:
    """Plain values from which `read` restores these parts of a design."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "formula": formula.text,
        "two_sided": bool(formula.response),
        "functions": sorted(_used(formula)),
        "rows": rows,
        "factors": {code: _write_learnt(factor) for code, factor in learnt.items()},
        "transforms": {key: _write_transform(state) for key, state in transforms.items()},
        "terms": [{"name": term.name, "subterms": [_write_subterm(part) for part in term.subterms]} for term in coded],
    }


def read(state: Mapping[str, Any], functions: Functions | None = None) -> Parts:
    """The parts that `write` wrote; what is wrong with a damaged state is named."""
    if not isinstance(state, Mapping) or state.get("format") != FORMAT:
        raise DataError("This is no saved design of glmnet_bridge: it lacks its format mark.")
    if state.get("version") != VERSION:
        raise DataError(
            f"The saved design has format version {state.get('version')!r}; this package reads version "
            f"{VERSION}. Use the version of glmnet_bridge that wrote it, or refit."
        )
    _check_functions(state, functions)
    part = "formula"
    try:
        formula = (parse if state["two_sided"] else one_sided)(state["formula"], functions)
        part = "factors"
        learnt = _read_factors(state[part], formula)
        part = "transforms"
        transforms = _read_transforms(state[part], formula)
        part = "terms"
        coded = tuple(_read_term(term, learnt) for term in state[part])
        _expect({term.name for term in coded}, {term.name() for term in formula.terms}, part)
        part = "rows"
        return formula, learnt, transforms, coded, int(state[part])
    except FormulaError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"The saved design is damaged in its part {part!r}: {error!r}.") from error


def _used(formula: Formula) -> set[str]:
    parts = [factor.expression for factor in formula.factors]
    return {name for part in (*parts, *formula.response, *formula.offsets) for name in part.functions}


def _check_functions(state: Mapping[str, Any], functions: Functions | None) -> None:
    missing = [name for name in state.get("functions", ()) if name not in (functions or {})]
    if missing:
        given = ", ".join(f"{name!r}: {name}" for name in missing)
        raise DataError(
            f"The saved formula uses your own function{'s'[: len(missing) - 1]} {listed(missing)}, "
            f"which cannot be saved: pass functions={{{given}}}."
        )


def _expect(found: set[str], wanted: set[str], what: str) -> None:
    if found != wanted:
        raise ValueError(f"its {what} are {listed(sorted(found))}, but the formula has {listed(sorted(wanted))}")


# --- factors ------------------------------------------------------------------------------


def _write_learnt(factor: Learnt) -> dict[str, Any]:
    if not factor.categorical:
        return {"width": factor.width}
    return {
        "levels": [write_level(level) for level in factor.levels],
        "unused": list(map(write_level, factor.unused)),
    }


def _read_factors(state: Mapping[str, Any], formula: Formula) -> dict[str, Learnt]:
    expressions = {factor.name(): factor.expression for factor in formula.factors}
    _expect(set(state), set(expressions), "factors")
    learnt = {}
    for code, expression in expressions.items():
        width = int(state[code].get("width", 0))
        levels = tuple(map(read_level, state[code].get("levels", ())))
        if (width > 0) == bool(levels):
            raise ValueError(f"{code!r} must have either a width or levels")
        learnt[code] = Learnt(expression, width, levels, tuple(map(read_level, state[code].get("unused", ()))))
    return learnt


def write_level(level: Any) -> Any:
    """A level as a plain value; dates and intervals with their kind."""
    if isinstance(level, pd.Interval):
        return {"interval": [write_level(level.left), write_level(level.right)], "closed": level.closed}
    if isinstance(level, pd.Timestamp):
        return {"timestamp": level.isoformat()}
    plain = level.item() if isinstance(level, np.generic) else level
    if isinstance(plain, (bool, int, float, str)):
        return plain
    raise DataError(f"The level {level!r} of type {type(level).__name__} cannot be saved: make the levels text.")


def read_level(level: Any) -> Any:
    """The level that `write_level` wrote."""
    if not isinstance(level, Mapping):
        return level
    if "timestamp" in level:
        return pd.Timestamp(level["timestamp"])
    left, right = map(read_level, level["interval"])
    return pd.Interval(left, right, closed=level["closed"])


# --- terms --------------------------------------------------------------------------------


def _write_subterm(part: Subterm) -> dict[str, Any]:
    contrasts = {
        code: {"matrix": contrast.matrix.tolist(), "suffixes": list(contrast.suffixes)}
        for code, contrast in part.contrasts.items()
    }
    return {"factors": list(part.factors), "contrasts": contrasts}


def _read_term(state: Mapping[str, Any], learnt: Mapping[str, Learnt]) -> Coded:
    return Coded(str(state["name"]), tuple(_read_subterm(part, learnt) for part in state["subterms"]))


def _read_subterm(state: Mapping[str, Any], learnt: Mapping[str, Learnt]) -> Subterm:
    contrasts = {}
    for code in state["factors"]:
        if not learnt[code].categorical:
            continue
        coding = state["contrasts"][code]
        suffixes = tuple(map(str, coding["suffixes"]))
        shape = len(learnt[code].levels), len(suffixes)
        matrix = np.array(coding["matrix"], dtype=float).reshape(shape)
        contrasts[code] = Contrast(matrix, suffixes)
    return Subterm(tuple(state["factors"]), contrasts)


# --- transforms ---------------------------------------------------------------------------


def _write_transform(transform: Transform) -> dict[str, Any]:
    fields = dataclasses.fields(transform)  # type: ignore[arg-type]
    return {item.name: _write_value(getattr(transform, item.name)) for item in fields}


def _read_transforms(state: Mapping[str, Any], formula: Formula) -> dict[str, Transform]:
    calls = {call.key: call.function for factor in formula.factors for call in factor.expression.stateful}
    _expect(set(state), set(calls), "transforms")
    return {
        key: STATEFUL[name](**{part: _read_value(value) for part, value in state[key].items()})
        for key, name in calls.items()
    }


def _write_value(value: Any) -> Any:
    """An array with its type; extended precision as text, because JSON readers know doubles only."""
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.itemsize > 8:
        return {"extended": [str(number) for number in value]}
    return {"shape": list(value.shape), "float64": value.ravel().tolist()}


def _read_value(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if "extended" in value:
        return np.array([np.longdouble(number) for number in value["extended"]])
    return np.array(value["float64"], dtype=float).reshape(value["shape"])
