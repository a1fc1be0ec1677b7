"""Computations: the operations of an export, done with the arrays of another package that has numpy's names.

PyTorch and Keras have these functions under (almost) the same names; what differs stands in a `Tools`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from glmnet_bridge.adapters.writing.listings import Export, Operation, Pieces
from glmnet_bridge.errors import ArgumentError

Array = np.ndarray


class Tools(Protocol):
    """A package's arrays.

    `constant` gives the numbers of a setting (by a name that is unique), `number` yes and no as numbers,
    `indicators` one column for each of `count` codes, `standardised` `(x - mean) / scale`, `matrix` the product
    with a matrix, `rows` picks rows `(m, ...)` of a constant, `total` adds up rows.
    """

    package: str
    levels: Mapping[str, tuple[Any, ...]]

    def constant(self, name: str, values: Array) -> Any: ...
    def function(self, name: str) -> Callable[..., Any]: ...
    def number(self, value: Any) -> Any: ...
    def indicators(self, codes: Any, count: int) -> Any: ...
    def standardised(self, value: Any, mean: Any, scale: Any) -> Any: ...
    def matrix(self, value: Any, matrix: Any) -> Any: ...
    def rows(self, table: Any, at: Any) -> Any: ...
    def join(self, parts: Sequence[Any]) -> Any: ...
    def total(self, value: Any) -> Any: ...
    def reshape(self, value: Any, shape: tuple[int, ...]) -> Any: ...


def columns(tools: Tools, export: Export, raws: Mapping[str, Any]) -> Any:
    """The columns of the design `(m, q)`, without the intercept, from raw columns `(m, 1)` each."""
    values: list[Any] = []
    for at, step in enumerate(export.operations):
        values.append(_computed(tools, export, at, step, values, raws))
    return tools.join([values[at] for at, _ in export.blocks])


def settings(export: Export, levels: Mapping[str, tuple[Any, ...]]) -> dict[str, Array]:
    """All constants that `columns` asks its tools for, by name."""
    found: dict[str, Array] = {}
    for at, step in enumerate(export.operations):
        for part, values in _SETTINGS.get(step.kind, lambda *_: {})(export, step, levels).items():
            found[f"{step.kind}{at}{part}"] = values
    return found


def _computed(
    tools: Tools, export: Export, at: int, step: Operation, values: Sequence[Any], raws: Mapping[str, Any]
) -> Any:
    if step.kind == "raw":
        value = raws[step.setting]
        truth = step.holds == "truth" and step.setting not in tools.levels
        return value != 0 if truth else value
    takes = [values[place] for place in step.of]
    named = _SETTINGS.get(step.kind, lambda *_: {})(export, step, tools.levels)
    constants = [tools.constant(f"{step.kind}{at}{part}", each) for part, each in named.items()]
    if step.kind in _STEPS:
        return _STEPS[step.kind](tools, export, step, takes, constants)
    return tools.function(step.kind)(*takes)


def no_function(name: str, package: str) -> ArgumentError:
    """The refusal of a function that a package lacks."""
    return ArgumentError(
        f"The formula uses np.{name}, which {package} has not. Compute it as a column of the data, and fit with that "
        "column."
    )


# --- constants of a step, by the end of their names -----------------------------------------------


def _coded(export: Export, step: Operation, levels: Mapping[str, tuple[Any, ...]]) -> tuple[Any, ...] | None:
    """The levels behind the codes that a step is fed, or None where it is fed values."""
    source = export.operations[step.of[0]]
    return levels.get(source.setting) if source.kind == "raw" else None


def _level_settings(export: Export, step: Operation, levels: Mapping[str, tuple[Any, ...]]) -> dict[str, Array]:
    coded = _coded(export, step, levels)
    if coded is None:
        return {"_values": np.array([[float(level) for level in step.setting]])}
    if coded == tuple(step.setting):
        return {}
    return {"_codes": np.array([[float(coded.index(level)) for level in step.setting]])}


def _is_settings(export: Export, step: Operation, levels: Mapping[str, tuple[Any, ...]]) -> dict[str, Array]:
    coded = _coded(export, step, levels)
    assert coded is not None, "text is fed as codes"
    return {"_code": np.array([[float(coded.index(step.setting)) if step.setting in coded else -1.0]])}


def _piece_settings(export: Export, step: Operation, levels: Mapping[str, tuple[Any, ...]]) -> dict[str, Array]:
    found: Pieces = step.setting
    rows, powers, width = found.coefficients.shape
    return {
        "_breaks": found.breaks[None, :-1],
        "_last": found.breaks[None, -1:],
        "_origin": found.origin[:, None],
        "_scale": found.scale[:, None],
        "_coefficients": found.coefficients.reshape(rows, powers * width),
    }


_SETTINGS: dict[str, Callable[[Export, Operation, Mapping[str, tuple[Any, ...]]], dict[str, Array]]] = {
    "constant": lambda export, step, levels: {"": np.array([[float(step.setting)]])},
    "levels": _level_settings,
    "is": _is_settings,
    "standardised": lambda export, step, levels: {"_mean": step.setting[0][None], "_scale": step.setting[1][None]},
    "matrix": lambda export, step, levels: {"": step.setting},
    "pieces": _piece_settings,
}


# --- steps ----------------------------------------------------------------------------------------------


def _levels(tools: Tools, export: Export, step: Operation, takes: list[Any], constants: list[Any]) -> Any:
    """Indicators; of a value that is no level, nan."""
    if not constants:
        return tools.indicators(takes[0], len(step.setting))
    hits = tools.number(tools.function("equal")(tools.number(takes[0]), constants[0]))
    return hits / tools.total(hits)


def _is(tools: Tools, export: Export, step: Operation, takes: list[Any], constants: list[Any]) -> Any:
    return tools.function("equal")(tools.number(takes[0]), constants[0])


def _number(tools: Tools, export: Export, step: Operation, takes: list[Any], constants: list[Any]) -> Any:
    return tools.number(takes[0])


def _constant(tools: Tools, export: Export, step: Operation, takes: list[Any], constants: list[Any]) -> Any:
    return constants[0]


def _standardised(tools: Tools, export: Export, step: Operation, takes: list[Any], constants: list[Any]) -> Any:
    return tools.standardised(takes[0], *constants)


def _matrix(tools: Tools, export: Export, step: Operation, takes: list[Any], constants: list[Any]) -> Any:
    return tools.matrix(takes[0], constants[0])


def _products(tools: Tools, export: Export, step: Operation, takes: list[Any], constants: list[Any]) -> Any:
    """The first varies fastest: (m, 1, a) times (m, b, 1) is (m, b, a)."""
    first, second = (export.operations[at].width for at in step.of)
    if first == 1 or second == 1:
        return takes[0] * takes[1]
    made = tools.reshape(takes[1], (-1, second, 1)) * tools.reshape(takes[0], (-1, 1, first))
    return tools.reshape(made, (-1, first * second))


def _pieces(tools: Tools, export: Export, step: Operation, takes: list[Any], constants: list[Any]) -> Any:
    """Horner's rule with the coefficients of each row's interval, `(m, w)`."""
    x, (breaks, last, origin, scale, coefficients) = takes[0], constants
    powers, width = step.setting.coefficients.shape[1:]
    reached = tools.number(tools.function("greater_equal")(x, breaks))
    at = tools.total(reached) + tools.number(tools.function("greater")(x, last))
    u = (x - tools.rows(origin, at)) / tools.rows(scale, at)
    own = tools.rows(coefficients, at)
    made = own[:, :width]
    for power in range(1, powers):
        made = made * u + own[:, power * width : (power + 1) * width]
    return made


_STEPS: dict[str, Callable[[Tools, Export, Operation, list[Any], list[Any]], Any]] = {
    "levels": _levels,
    "is": _is,
    "number": _number,
    "constant": _constant,
    "standardised": _standardised,
    "matrix": _matrix,
    "products": _products,
    "pieces": _pieces,
}
# --- numpy ----------------------------------------------------------------------------------------------


class NumpyTools:
    """numpy's own arrays, in double precision."""

    package = "numpy"

    def __init__(self, levels: Mapping[str, tuple[Any, ...]]) -> None:
        self.levels = levels

    def constant(self, name: str, values: Array) -> Any:
        """As it is."""
        return values

    def function(self, name: str) -> Callable[..., Any]:
        """numpy's own."""
        function: Callable[..., Any] = getattr(np, name)
        return function

    def number(self, value: Any) -> Any:
        """Yes and no as 1 and 0."""
        return np.asarray(value, dtype=float)

    def indicators(self, codes: Any, count: int) -> Any:
        """One column `(m, count)` for each code."""
        return (codes == np.arange(count)).astype(float)

    def standardised(self, value: Any, mean: Any, scale: Any) -> Any:
        """`(x - mean) / scale`."""
        return (value - mean) / scale

    def matrix(self, value: Any, matrix: Any) -> Any:
        """Values `(m, a)` times a matrix `(a, b)`."""
        return value @ matrix

    def rows(self, table: Any, at: Any) -> Any:
        """Rows of a constant by their places `(m, 1)`."""
        return table[at[:, 0].astype(int)]

    def join(self, parts: Sequence[Any]) -> Any:
        """Columns beside each other."""
        return np.hstack(list(parts))

    def total(self, value: Any) -> Any:
        """Sums of rows `(m, 1)`."""
        return value.sum(axis=1, keepdims=True)

    def reshape(self, value: Any, shape: tuple[int, ...]) -> Any:
        """The same numbers in another shape."""
        return value.reshape(shape)


KINDS = frozenset(("raw", *_STEPS))
"""What is computed here; every other kind is a function."""


def check(tools: Tools, export: Export) -> None:
    """Refuse functions that the package lacks.

    Raises
    ------
    ArgumentError
        naming the function
    """
    for step in export.operations:
        if step.kind not in KINDS:
            tools.function(step.kind)
