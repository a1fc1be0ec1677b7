"""Typos: levels that a response is compared with, and that no row has.

`I(group == "Treated") ~ x` of a column with the level `treated` is False in every row. The fit that
follows is right, says that all data are separated, and hides where the mistake is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from glmnet_bridge.data.frames import ColumnValues
from glmnet_bridge.design.expressions import syntax
from glmnet_bridge.errors import FormulaWarning, listed, nearest, warn


def check_levels(codes: Sequence[str], values: Mapping[str, ColumnValues]) -> None:
    """Warn of each text that a column of levels is compared with and does not have.

    Parameters
    ----------
    codes : the expressions of the left side
    values : the columns that they read
    """
    for code in codes:
        for name, level in _compared(syntax(code)):
            column = values.get(name)
            if not isinstance(column, pd.Categorical):
                continue
            levels = [str(known) for known in column.categories]
            if level not in levels:
                warn(
                    f"{code}: {level!r} is no level of {name!r}; it has {listed(levels, 8)}.{nearest(level, levels)}",
                    FormulaWarning,
                )


def _compared(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Column and text of each `column == "text"` or `!=`, either way round."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for one, other in [*zip(sides, sides[1:], strict=False), *zip(sides[1:], sides, strict=False)]:
                name = _column(one)
                if name is not None and isinstance(other, ast.Constant) and isinstance(other.value, str):
                    yield name, other.value


def _column(node: ast.expr) -> str | None:
    """The column that `g` or `Q("my g")` is."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Q" and node.args:
        node = node.args[0]
        return str(node.value) if isinstance(node, ast.Constant) else None
    return node.id if isinstance(node, ast.Name) else None
