"""Keras 3: live Sequential and Functional models, read from their public configuration and weights."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.keras.graphs import FUNCTIONAL, MODELS, Config, Graph, Store, Weight, graph, is_layer
from glmnet_bridge.adapters.keras.layers import walk
from glmnet_bridge.adapters.keras.readings import assemble, checked
from glmnet_bridge.adapters.schoolings import UNTOLD, Told
from glmnet_bridge.errors import ReadError

Array = np.ndarray


def read(model: Any, told: Told = UNTOLD) -> Foreign:
    """A live model as a network; `told` is what the caller says of its training.

    Raises
    ------
    ReadError
        naming the layer that cannot be read, or what the model lacks
    """
    import keras

    kind = _kind(model)
    config, compiled = _configurations(model)
    found = graph({"class_name": kind, "config": config}, _Live(model))
    epsilon = float(keras.config.epsilon())
    walked = walk(found, epsilon)
    optimiser = getattr(model, "optimizer", None)

    def forward(table: pd.DataFrame) -> Array:
        matrix = checked(walked, table)
        return _outputs(model, found, matrix).reshape(len(matrix), -1)

    return assemble(
        f"Keras {kind} model",
        found,
        walked,
        compiled,
        told,
        forward,
        steps=None if optimiser is None else int(optimiser.iterations),
        precision=_precision(model),
    )


def _configurations(model: Any) -> tuple[Config, Config]:
    """What the model says of its layers, and of what it was compiled with."""
    with warnings.catch_warnings():  # of writing it to a file, which nobody does here
        warnings.simplefilter("ignore")
        compiled = model.get_compile_config() if getattr(model, "compiled", False) else None
        return model.get_config(), compiled or {}


def _kind(model: Any) -> str:
    """Functional or Sequential; anything else has no graph."""
    kinds = [kind.__name__ for kind in type(model).__mro__ if kind.__module__.split(".")[0] == "keras"]
    found = next((kind for kind in kinds if kind in MODELS), None)
    own = type(model).__name__
    if "Model" not in kinds:
        raise ReadError(
            f"network= is a keras {own}, not a model. Give a Functional or Sequential model (of a "
            "scikit-learn wrapper, its .model_)."
        )
    if found is None or "call" in vars(type(model)) and type(model).__module__.split(".")[0] != "keras":
        raise ReadError(f"{own} {model.name!r} is a subclass of keras.Model: its graph is Python code. {FUNCTIONAL}")
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Live(Store):
    """Arrays of a layer, or of a model's layers."""

    layer: Any

    def inside(self, entries: Sequence[Config]) -> list[Store]:
        """By name, which is unique within a model."""
        by_name = {each.name: each for each in self.layer.layers}
        return [_Live(by_name.get(each["config"]["name"]) if is_layer(each) else None) for each in entries]

    def weights(self, names: Sequence[str]) -> list[Weight]:
        """In the order in which the layer made them."""
        pairs = zip(names, self.layer.weights, strict=False)
        return [Weight(each.path, _numbers(each.value), id(each)) for _, each in pairs]


def _outputs(model: Any, found: Graph, matrix: Array) -> Array:
    """The model itself, in inference mode and without a gradient."""
    import keras

    inputs = found.split(matrix)
    quiet: Any = contextlib.nullcontext()
    if keras.backend.backend() == "torch":
        import torch

        quiet = torch.no_grad()
    with quiet:
        return _numbers(model(_nested(found.structure, inputs), training=False))


def _numbers(tensor: Any) -> Array:
    """A tensor of any backend in double precision."""
    import keras

    if hasattr(tensor, "detach"):  # torch: numpy 2 warns of the way that Keras takes
        return np.asarray(tensor.detach().cpu().double().numpy())
    return np.asarray(keras.ops.convert_to_numpy(tensor), dtype=float)


def _nested(structure: Any, inputs: dict[str, Array]) -> Any:
    """The inputs, nested as the model takes them."""
    if isinstance(structure, dict):
        return {key: _nested(each, inputs) for key, each in structure.items()}
    if isinstance(structure, list):
        return [_nested(each, inputs) for each in structure]
    return inputs[structure]


def _precision(model: Any) -> float:
    """Machine epsilon of the coarsest type on the way; a model casts what it is fed to its own type, too."""
    import keras

    # Keras multiplies matrices in single precision even where all layers say float64: result_type says so
    kinds = {keras.backend.result_type(kind, kind) for kind in ("float64", *_types(model))}
    return max(_EPSILON[kind] for kind in kinds)


def _types(layer: Any) -> Iterator[str]:
    kind = str(layer.dtype if type(layer).__name__ == "InputLayer" else layer.compute_dtype)
    if kind in _EPSILON:
        yield kind
    for each in getattr(layer, "layers", ()):
        yield from _types(each)


_EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
