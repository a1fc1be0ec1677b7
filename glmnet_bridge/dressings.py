"""Dressings: the coefficient table for readers, with rows for reference levels and names of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.errors import ArgumentError, nearest

Labels = Mapping[str, str]
_LEVEL = re.compile(r"(?P<factor>.+?)\[(?P<coding>[TSD]\.)?(?P<level>.+)\]")
# the colon between the factors of an interaction, not one within brackets
_COLON = re.compile(r":(?![^\[(]*[\])])")


def dressed(fit: Any, table: pd.DataFrame, exponentiate: bool, reference_rows: bool, labels: Labels | None) -> Any:
    """The coefficient table with rows for reference levels and the reader's names."""
    if reference_rows:
        table = _with_references(fit, table, 1.0 if exponentiate else 0.0)
    if labels is not None:
        known = checked(fit, labels)
        table = table.assign(term=[called(name, known, variables(fit)) for name in table["term"]])
    return table


def _with_references(fit: Any, table: pd.DataFrame, null: float) -> pd.DataFrame:
    """A row for each level that others are compared with, at its place among the levels; marked in `reference`."""
    table = table.assign(reference=False)
    design = getattr(fit.recipe, "design", None)
    factors = () if design is None else design.factors
    found = references(factors)
    per_class = (
        [table] if "response_level" not in table else [part for _, part in table.groupby("response_level", sort=False)]
    )
    parts = []
    for whole in per_class:
        part = whole
        for factor in factors:
            if factor.name not in found or not set(factor.columns) <= set(part["term"]) or not factor.columns:
                continue
            level = found[factor.name]
            first = part["term"].tolist().index(factor.columns[0]) + factor.levels.index(level)
            row = {**dict.fromkeys(part.columns, np.nan), "term": f"{factor.name}[{level}]", "estimate": null}
            row["reference"] = True
            if "response_level" in part:
                row["response_level"] = part["response_level"].iloc[0]
            part = _inserted(part, row, first)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _inserted(table: pd.DataFrame, row: dict[str, Any], at: int) -> pd.DataFrame:
    columns = {
        name: pd.Series([*table[name].iloc[:at], row[name], *table[name].iloc[at:]], dtype=table[name].dtype)
        for name in table.columns
    }
    return pd.DataFrame(columns)


def variables(fit: Any) -> dict[str, str]:
    """The column that each factor of the formula reads, where it is one."""
    design = getattr(fit.recipe, "design", None)
    return {} if design is None else {each.name: each.variable for each in design.factors if each.variable}


def checked(fit: Any, labels: Labels) -> dict[str, str]:
    """The labels, each of a column, factor or variable of the model."""
    design = getattr(fit.recipe, "design", None)
    names = {*fit.estimate.model.columns, *(name for name, _ in fit.recipe.terms), *variables(fit)}
    if design is not None:
        names |= {*design.variables, *design.learnt}
    found = {str(name): str(text) for name, text in labels.items()}
    for name in found:
        if name not in names:
            raise ArgumentError(
                f"labels= names {name!r}, which is no column, factor or variable of the model.{nearest(name, names)}"
            )
    return found


def called(name: str, labels: Labels, variables: Mapping[str, str]) -> str:
    """A column in the reader's words: `Age (years)`, `Race: b`, `Age (years) x Race: b`."""
    if name in labels:
        return labels[name]
    parts = _COLON.split(name)
    found = [_part(part, labels, variables) for part in parts]
    return name if found == parts else " x ".join(found)


def _part(name: str, labels: Labels, variables: Mapping[str, str]) -> str:
    if name in labels:
        return labels[name]
    if variables.get(name) in labels:
        return labels[variables[name]]
    found = _LEVEL.fullmatch(name)
    if found is None:
        return name
    factor = found["factor"]
    label = labels.get(factor) or labels.get(variables.get(factor, ""))
    return f"{label}: {found['level']}" if label else name


def references(factors: Any) -> dict[str, Any]:
    """The level of each factor that the others are compared with, where the contrasts have one."""
    found = {}
    for factor in factors:
        matrix = np.asarray(factor.matrix)
        zero = np.flatnonzero(~matrix.any(axis=1))
        if len(zero) == 1 and np.isin(matrix, (0.0, 1.0)).all() and (matrix.sum(axis=1) <= 1).all():
            found[factor.name] = factor.levels[zero[0]]
    return found
