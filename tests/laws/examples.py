"""The lists that the laws run over: kinds of rows, layers, networks. A new kind is one more line here."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import glmnet_bridge
from glmnet_bridge.data.rows import ArraySource, Columns, Layout, Source
from glmnet_bridge.data.selections import Selection
from glmnet_bridge.data.splices import Joined, Picked
from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.formulas import one_sided
from glmnet_bridge.fitting.batches import Held, Subset
from glmnet_bridge.fitting.rivals import Rivals
from glmnet_bridge.mapping.inputs import Chosen
from glmnet_bridge.mapping.unions import Beside, Combined
from glmnet_bridge.model import layers, networks
from glmnet_bridge.model.layers import ACTIVATIONS, Activation, Affine, Branch, Contrast, Fixed, Gain, Normalise
from glmnet_bridge.model.networks import Inputs, Network

Array = np.ndarray
N = 211


def classes(module: Any) -> list[type]:
    return [each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == module.__name__]


# --- kinds of rows ----------------------------------------------------------------------------------


def kinds_of_rows() -> set[type]:
    """Every class of the stages that work on rows which reads runs of them, but for the protocol."""
    found = set()
    for stage in ("data", "design", "model", "fitting", "mapping"):
        package = importlib.import_module(f"{glmnet_bridge.__name__}.{stage}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for each in classes(importlib.import_module(module.name)):
                read = getattr(each, "read", None)
                if read and list(inspect.signature(read).parameters) == ["self", "start", "stop"]:
                    found.add(each)
    return found - {Source}


_rng = np.random.default_rng(20)
X = _rng.normal(size=(N, 3))
WHOLE = _rng.integers(-5, 6, size=(N, 2))
LEVELS = {"g": _rng.integers(0, 3, N), "h": _rng.integers(0, 4, N)}
VALUES = {
    "x": X[:, 0],
    "z": X[:, 1],
    "k": WHOLE[:, 0],
    "g": pd.Categorical.from_codes(LEVELS["g"], list("abc")),
    "h": pd.Categorical.from_codes(LEVELS["h"], list("uvwx")),
}
ONE = np.ones((N, 1))


def dummies(name: str, drop: int = 1) -> Array:
    codes = LEVELS[name]
    return (codes[:, None] == np.arange(drop, codes.max() + 1)).astype(float)


def _encoded(text: str) -> Source:
    return Design.learn(one_sided(text), VALUES).encode(VALUES)


def _with_gaps(text: str) -> Source:
    """The same rows of a frame in which each stands twice, once with what must not be read."""
    rows = np.arange(0, 2 * N, 2)
    rows[N // 2 :] = N + np.arange(N // 2, N)  # from some row on without gaps
    whole: dict[str, Any] = {}
    for name, values in VALUES.items():
        if isinstance(values, pd.Categorical):
            codes = np.full(2 * N, -1, dtype=values.codes.dtype)
            codes[rows] = values.codes
            whole[name] = pd.Categorical.from_codes(codes, values.categories)
        else:
            whole[name] = np.full(2 * N, 99 if name == "k" else np.nan, dtype=np.int16 if name == "k" else float)
            whole[name][rows] = values
    chosen = Selection(whole, rows)
    return Design.learn(one_sided(text), chosen).encode(chosen)


def _times(left: Array, right: Array) -> Array:
    """All products of two columns, the right one running slowest: as patsy orders an interaction."""
    return (right[:, :, None] * left[:, None, :]).reshape(N, -1)


G, H = dummies("g"), dummies("h")
ARRAY, MIXED = ArraySource(X, intercept=True), _encoded("g * x")
TWICE = np.repeat(X, 2, axis=0)
# name: (source, the same columns as one array)
SOURCES: dict[str, tuple[Source, Array]] = {
    "array": (ArraySource(X), X),
    "array with intercept": (ARRAY, np.hstack([ONE, X])),
    "float32": (ArraySource(X.astype(np.float32)), X.astype(np.float32).astype(float)),
    "integers": (ArraySource(WHOLE), WHOLE.astype(float)),
    "column order": (ArraySource(np.asfortranarray(X)), X),
    "every other column": (ArraySource(np.repeat(X, 2, axis=1)[:, ::2]), X),
    "constant only": (ArraySource(np.empty((N, 0)), intercept=True), ONE),
    "formula, numbers": (_encoded("x + z + k"), np.column_stack([ONE, X[:, :2], WHOLE[:, 0]])),
    "formula, no constant": (_encoded("0 + x + z"), X[:, :2]),
    "formula, factors": (_encoded("g + h"), np.hstack([ONE, G, H])),
    "formula, every level": (_encoded("0 + g"), dummies("g", 0)),
    "formula, cells": (_encoded("g * h"), np.hstack([ONE, G, H, _times(G, H)])),
    "formula, mixed": (_encoded("g * x"), np.hstack([ONE, G, X[:, :1], G * X[:, :1]])),
    "formula, gaps": (_with_gaps("x + z + k"), np.column_stack([ONE, X[:, :2], WHOLE[:, 0]])),
    "formula, mixed with gaps": (_with_gaps("g * x"), np.hstack([ONE, G, X[:, :1], G * X[:, :1]])),
    "in memory": (Held(X.astype(np.float32), None, ArraySource(X).layout), X.astype(np.float32).astype(float)),
    "in memory, cells": (Held(*MIXED.read(0, N), MIXED.layout), np.hstack([ONE, G, X[:, :1], G * X[:, :1]])),
    "some rows": (Subset(ArraySource(TWICE), np.arange(0, 2 * N, 2)), X),
    "some columns": (Chosen(_encoded("g + x"), (3, 1)), np.column_stack([X[:, 0], G[:, 0]])),
    "two sources": (Beside(_encoded("g"), ArraySource(X), (2, 0)), np.hstack([ONE, G, X[:, [2, 0]]])),
    "and the constant": (Beside(ArraySource(X), None, (), constant=True), np.hstack([X, ONE])),
    "combinations": (Combined(ARRAY, np.eye(4)[:, [2, 1]] + 1.0), X[:, [1, 0]] + 1.0 + X.sum(1, keepdims=True)),
    "combinations, one constant": (
        Combined(ARRAY, np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0], [0.0, -1.0]]), constant=0),
        np.column_stack([ONE, 2.0 * X[:, 0] - X[:, 2]]),
    ),
    "picked": (Picked(MIXED, np.array([3, 0, 1])), np.hstack([ONE, G, X[:, :1], G * X[:, :1]])[:, [3, 0, 1]]),
    "picked from an array": (Picked(ArraySource(X), np.array([2, 0])), X[:, [2, 0]]),
    "joined": (Joined(MIXED, ArraySource(X)), np.hstack([ONE, G, X[:, :1], G * X[:, :1], X])),
    "joined, the other way round": (Joined(ArraySource(X), MIXED), np.hstack([X, ONE, G, X[:, :1], G * X[:, :1]])),
    "rivals": (
        Rivals(MIXED, LEVELS["g"] % 2, 1),  # more of them in `tests/fitting/test_classes.py`
        np.hstack([ONE, G, X[:, :1], G * X[:, :1]]) * np.where(LEVELS["g"] % 2, 1.0, -1.0)[:, None],
    ),
}


# --- blocks of columns in every layout --------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """Columns and the same as one array."""

    columns: Columns
    matrix: Array


def _case(dense: int, cells: int, table: int, order: Array | None = None, rows: int = 40) -> Case:
    """`cells` 0 is a table of one cell that no row names."""
    rng = np.random.default_rng([dense, cells, table])
    numbers, values = rng.normal(size=(rows, dense)), rng.normal(size=(max(cells, 1), table))
    cell = rng.integers(0, cells, rows).astype(np.intp) if cells else None
    whole = np.hstack([np.broadcast_to(values[0], (rows, table)) if cell is None else values[cell], numbers])
    place = np.arange(table + dense) if order is None else order
    matrix = np.empty_like(whole)
    matrix[:, place] = whole
    return Case(Columns(numbers, cell, Layout(place[table:], place[:table], values)), matrix)


LAYOUTS = {
    "dense": _case(4, 0, 0),
    "dense and constant": _case(3, 0, 1),
    "dense and cells": _case(3, 5, 4),
    "cells only": _case(0, 5, 4),
    "constant only": _case(0, 0, 1),
    "table last": _case(3, 5, 2, np.array([3, 4, 0, 1, 2])),
    "interleaved": _case(3, 5, 3, np.array([4, 0, 2, 5, 1, 3])),
    "more cells than rows": _case(2, 90, 3),
    "one row": _case(3, 5, 2, rows=1),
    "no row": _case(3, 5, 2, rows=0),
    "no column": _case(0, 0, 0),
}


# --- layers and networks ----------------------------------------------------------------------------

LAYERS: list[Any] = [
    Affine(3),
    Affine(3, 2, bias=False),
    Affine(2, 3),
    *(Activation(3, kind) for kind in ACTIVATIONS),
    Normalise(np.array([1.0, -2.0, 0.5]), np.array([0.5, 3.0, 10.0])),
    *(Contrast(3, base) for base in range(3)),
    Contrast(3, 1, others=(2, 0)),
    *(Gain(3, gain, shift) for gain in (True, False) for shift in (True, False)),
    Fixed(np.array([[1.0, 0.5], [0.0, -2.0], [3.0, 1.0]]), np.array([0.0, 1.5])),
    Branch(Affine(2, 3), 4, reads=(2, 0), keeps=(1, 3)),
    Branch(Gain(3), 2, reads=(1, 1, 0), keeps=(1,)),
    Branch(Activation(2, "tanh"), 3, reads=(0, 2), keeps=()),
]


def kinds_of_layers() -> set[type]:
    verbs = ("forward", "backward", "gradient")
    return {each for each in classes(layers) if all(hasattr(each, verb) for verb in verbs)} - {layers.Layer}


NAMES = ("Intercept", "x1", "x2", "x3")
FIRST = np.eye(4)[:, 0]
# the network is fed x1 to x3, which are columns 1 to 3
FED = Inputs(NAMES[1:], np.eye(4)[:, 1:], FIRST)
# columns: one for each of three levels, and a number; the constant is the sum of the levels
LEVELWISE = Inputs(
    ("a", "b", "x"), np.array([[1.0, 0, 0], [0, 2.0, 0.5], [0, 0, -1.0], [0, 0, 3.0]]), np.array([1.0, 1, 1, 0])
)


def _network(inputs: Inputs, *layers: Any) -> Network:
    entries = networks.dense_entries(layers, inputs.names)
    return Network(inputs, layers, entries)


_SCALER = Normalise(np.array([1.0, -2.0, 0.5]), np.array([0.5, 3.0, 10.0]))
AFFINE: dict[str, Network] = {
    "a GLM": networks.single_unit(NAMES),
    "units on the columns": _network(Inputs(NAMES), Affine(4, 3, bias=False)),
    "bias beside a constant": _network(Inputs(NAMES, None, FIRST), Affine(4)),
    "one unit": _network(FED, Affine(3)),
    "several units": _network(FED, Affine(3, 2)),
    "levels": _network(LEVELWISE, Affine(3, 2)),
    "scaler": _network(FED, _SCALER, Affine(3)),
    "stack": _network(FED, Affine(3, 4, name="hidden"), Affine(4, 2)),
    "deep stack": _network(
        LEVELWISE, _SCALER, Affine(3, 2, name="in"), Activation(2, "identity"), Affine(2, 2, False, "on"), Affine(2)
    ),
    **{f"softmax, base {base}": _network(FED, Affine(3, 3), Contrast(3, base)) for base in range(3)},
    "gains": _network(FED, _SCALER, Gain(3), Affine(3)),
    "a gain behind units": _network(FED, Affine(3, 2), Gain(2, shift=False), Affine(2, 1, name="on")),
    "skip": _network(
        FED,
        Branch(Affine(3, 2, name="hidden"), 3, (0, 1, 2), (0, 1, 2)),
        Branch(Fixed(np.diag([2.0, 3.0]), np.array([0.5, 0.0])), 5, (3, 4), (0, 2)),
        Branch(Affine(3, 1, name="on"), 4, (2, 3, 0), (0,)),
        Affine(2, 2, bias=False),
    ),
    "two towers": _network(
        FED,
        Branch(Affine(2, 1, name="left"), 3, (0, 1), (2,)),
        Branch(Affine(1, 1, name="right"), 2, (0,), (1,)),
        Fixed(np.ones((2, 1)), np.zeros(1), "add"),
    ),
    "contrasts of a stack": _network(FED, Affine(3, 2, name="hidden"), Affine(2, 3), Contrast(3, 1)),
}
HIDDEN: dict[str, Network] = {
    **{
        kind: _network(FED, Affine(3, 4, name="hidden"), Activation(4, kind), Affine(4))
        for kind in ACTIVATIONS
        if kind != "identity"
    },
    "skip over tanh": _network(
        FED,
        Branch(Affine(3, 2, name="hidden"), 3, (0, 1, 2), (0, 1, 2)),
        Branch(Activation(2, "tanh"), 5, (3, 4), (0, 1, 2)),
        Affine(5, 2),
    ),
    "on the columns": _network(Inputs(NAMES), Affine(4, 3, False, "hidden"), Activation(3, "tanh"), Affine(3, 2)),
    "two hidden layers": _network(
        LEVELWISE,
        _SCALER,
        Affine(3, 3, name="first"),
        Activation(3, "sigmoid"),
        Affine(3, 2, name="second"),
        Activation(2, "tanh"),
        Affine(2, 3),
        Contrast(3, 2),
    ),
}
NETWORKS = AFFINE | HIDDEN


def network_columns(network: Network, rows: int = 30) -> Columns:
    """Rows of the four columns that the networks above read."""
    rng = np.random.default_rng(5)
    if network.inputs is LEVELWISE:
        layout = Layout(np.array([3]), np.arange(3), np.eye(3))
        return Columns(rng.normal(size=(rows, 1)), rng.integers(0, 3, rows), layout)
    return Columns(rng.normal(size=(rows, 3)), None, Layout(np.arange(1, 4), np.arange(1), np.ones((1, 1))))


def some_theta(network: Network) -> Array:
    return np.random.default_rng(network.parameters).normal(size=network.parameters)
