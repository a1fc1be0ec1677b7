"""Records: the frozen records of a fit as plain values and arrays, and back to the last bit.

A record is written field by field under the name of its class; only the classes in `KINDS` are read, so
that a file can make nothing else. Arrays keep their type and order in memory, because a product of
another order has other last digits; an array that two fields share stays one.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.design.absences import Absent
from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.matrices import MatrixRecipe
from glmnet_bridge.design.responses import Response
from glmnet_bridge.design.samples import Recipe
from glmnet_bridge.design.states import read_level, write_level
from glmnet_bridge.errors import DataError
from glmnet_bridge.fitting.dispersions import Degrees
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.fitting.linalg import Rank
from glmnet_bridge.fitting.separation import Separation
from glmnet_bridge.fitting.traces import Step, Trace
from glmnet_bridge.mapping.inputs import Reader
from glmnet_bridge.mapping.pieces import OfLevels, Whole
from glmnet_bridge.mapping.recipes import UnionRecipe
from glmnet_bridge.model import families
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.layers import Activation, Affine, Branch, Contrast, Fixed, Gain, Normalise
from glmnet_bridge.model.models import Model, Sums
from glmnet_bridge.model.networks import Inputs, Network
from glmnet_bridge.model.penalties import Penalty

Array = np.ndarray

KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Absent, Activation, Affine, Branch, Contrast, Degrees, Estimate, Fixed, Gain, Inputs, MatrixRecipe, Model,
        Network, Normalise, OfLevels, Penalty, Rank, Reader, Separation, Sums, UnionRecipe, Whole,
    )
}  # fmt: skip
# these say themselves what they are
STATED: dict[str, Any] = {kind.__name__: kind for kind in (Recipe, Response, Design)}
STEPS = tuple(item.name for item in dataclasses.fields(Step) if item.name != "theta")


@dataclass(slots=True)
class Writer:
    """Collects the arrays while values are made plain."""

    arrays: list[Array] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)

    def plain(self, value: Any, where: str) -> Any:
        """The value for JSON; `where` names it in an error."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"number": repr(value)}
        if isinstance(value, np.ndarray):
            return self._array(value, where)
        if isinstance(value, tuple | list):
            items = [self.plain(item, where) for item in value]
            return {"tuple": items} if isinstance(value, tuple) else items
        if isinstance(value, Mapping):
            return {"dict": [[self.plain(key, where), self.plain(item, str(key))] for key, item in value.items()]}
        if isinstance(value, pd.Timestamp | pd.Interval):
            return {"level": write_level(value)}
        return self._record(value, where)

    def _array(self, value: Array, where: str) -> dict[str, int]:
        if value.dtype.kind not in "fiub" or value.dtype.itemsize > 8:
            raise _unsaved(where, f"an array of {value.dtype}")
        if id(value) not in self.places:
            self.places[id(value)] = len(self.arrays)
            self.arrays.append(value)
        return {"array": self.places[id(value)]}

    def _record(self, value: Any, where: str) -> dict[str, Any]:
        name = type(value).__name__
        if STATED.get(name) is type(value):
            return {"stated": name, "state": value.to_json()}
        if isinstance(value, Family):
            maker, arguments = value.__reduce__()
            return {"family": maker.__name__, "arguments": self.plain(arguments, "family")}
        if isinstance(value, Trace):
            return self._trace(value)
        if KINDS.get(name) is not type(value):
            raise _unsaved(where, f"a {name}")
        fields = [item.name for item in dataclasses.fields(KINDS[name]) if item.init]
        return {"record": name, "fields": {key: self.plain(getattr(value, key), key) for key in fields}}

    def _trace(self, trace: Trace) -> dict[str, Any]:
        """A table of its steps: a thousand records would take a hundred times the room."""
        seed = trace.seed if isinstance(trace.seed, int | str | None) else type(trace.seed).__name__
        columns = {name: np.array([getattr(step, name) for step in trace.steps]) for name in STEPS}
        thetas = np.array([step.theta for step in trace.steps]).reshape(len(trace.steps), len(trace.entries))
        return {
            "trace": {name: self._array(column, name) for name, column in columns.items()},
            "theta": self._array(thetas, "trace"),
            "entries": list(trace.entries),
            "method": trace.method,
            "seed": seed,
        }


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the values again, from plain ones and the arrays."""

    arrays: list[Array]
    functions: Mapping[str, Any]

    def value(self, plain: Any) -> Any:
        """The value that `Writer.plain` wrote."""
        if isinstance(plain, list):
            return [self.value(item) for item in plain]
        if not isinstance(plain, dict):
            return plain
        kind = next(iter(plain))
        return getattr(self, f"_{kind}")(plain) if kind in MARKS else _strange(kind)

    def _number(self, plain: dict[str, Any]) -> float:
        return float(plain["number"])

    def _array(self, plain: dict[str, Any]) -> Array:
        return self.arrays[plain["array"]]

    def _tuple(self, plain: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(self.value(item) for item in plain["tuple"])

    def _dict(self, plain: dict[str, Any]) -> dict[Any, Any]:
        return {self.value(key): self.value(item) for key, item in plain["dict"]}

    def _level(self, plain: dict[str, Any]) -> Any:
        return read_level(plain["level"])

    def _stated(self, plain: dict[str, Any]) -> Any:
        return STATED[plain["stated"]].from_json(plain["state"], self.functions)

    def _family(self, plain: dict[str, Any]) -> Family:
        maker = getattr(families, plain["family"])
        if not inspect.isfunction(maker) or maker.__module__ != families.__name__:
            raise ValueError(f"no family is made by {plain['family']!r}")
        found = maker(*self.value(plain["arguments"]))
        if not isinstance(found, Family):
            raise ValueError(f"no family is made by {plain['family']!r}")
        return found

    def _record(self, plain: dict[str, Any]) -> Any:
        return KINDS[plain["record"]](**{name: self.value(item) for name, item in plain["fields"].items()})

    def _trace(self, plain: dict[str, Any]) -> Trace:
        columns = [self.value(plain["trace"][name]).tolist() for name in STEPS]
        thetas = self.value(plain["theta"])
        rows = zip(*columns, strict=True)
        steps = (
            Step(**dict(zip(STEPS, row, strict=True)), theta=theta) for row, theta in zip(rows, thetas, strict=True)
        )
        return Trace(tuple(steps), tuple(plain["entries"]), plain["method"], plain["seed"])


MARKS = ("number", "array", "tuple", "dict", "level", "stated", "family", "record", "trace")


def _strange(kind: str) -> Any:
    raise ValueError(f"unknown mark {kind!r}")


def _unsaved(where: str, what: str) -> DataError:
    return DataError(
        f"This fit cannot be saved: its part {where!r} holds {what}, which is no plain value. Save the data and fit "
        "again where you need it, or use pickle between programs that you trust."
    )
