"""Recognition: which adapter reads a model, told by the names of its type, so that nothing is imported."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.schoolings import UNTOLD, Told
from glmnet_bridge.errors import ArgumentError

# the package of a model's type (or of one that it inherits from), and the module that reads it
READERS: dict[str, str] = {
    "glum": "glum.readers",
    "sklearn": "sklearn.readers",
    "statsmodels": "statsmodels.readers",
    "onnx": "onnx.readers",
    "onnxruntime": "onnx.readers",
    "torch": "torch.readers",
    "keras": "keras.readers",
}
# what reads a model that was written here and still says how it is fed
WRITTEN = "writing.readers"
# the ending of a file, and the module that reads it
FILES: dict[str, str] = {
    ".keras": "keras.files",
    ".onnx": "onnx.readers",
    ".safetensors": "tensors.readers",
    ".pt": "tensors.readers",
    ".pth": "tensors.readers",
}


def reader(model: Any) -> str | None:
    """The module that reads this model, or the file that it is a path of; or None."""
    if getattr(getattr(model, "written", None), "feed", None) is not None:
        return WRITTEN
    if isinstance(model, str | os.PathLike):
        return FILES.get(Path(model).suffix.lower())
    if isinstance(model, tuple | Mapping) and len(model):
        return "tensors.readers"
    for kind in type(model).__mro__:
        found = READERS.get(kind.__module__.split(".")[0])
        if found is not None:
            return found
    return None


def read(model: Any, options: Mapping[str, Any] | None = None) -> Foreign:
    """Read a foreign model as a network.

    Parameters
    ----------
    model : of a package in `READERS`, the path of a file that ends as in `FILES`, or weights (see `tensors.readers`)
    options : what a model may not say itself, by name; each reader is told what it takes: `widths` (how many
        inputs the caller names, in all or by the network's input), `told` (what the caller says of its training)

    Raises
    ------
    ArgumentError
        for something that no adapter reads
    ReadError
        for a model of a known package that is no network that can be read
    """
    found = reader(model)
    if found is None and isinstance(model, str | os.PathLike):
        raise ArgumentError(
            f"network={os.fspath(model)!r} is a {type(model).__name__}, and no path of a file that is read: "
            f"those end in {', '.join(FILES)}. Load it with its own package, and give the model."
        )
    if found is None:
        kind = f"{type(model).__module__.split('.')[0]}.{type(model).__name__}"
        raise ArgumentError(
            f"network= is a {kind}, which is not read. Give a fitted model of {', '.join(READERS)}, a file "
            f"that ends in {', '.join(FILES)}, or a Network built by hand (glmnet_bridge.model.networks)."
        )
    module = importlib.import_module(f"glmnet_bridge.adapters.{found}")
    taken = inspect.signature(module.read).parameters
    told: Told = (options or {}).get("told", UNTOLD)
    if told.words and "told" not in taken:
        raise ArgumentError(
            f"A {type(model).__name__} says itself how it was trained: leave {told.words} out. That is for networks "
            "that do not say it: PyTorch, ONNX, bare weights, Keras that is not compiled."
        )
    answer: Foreign = module.read(model, **{name: each for name, each in (options or {}).items() if name in taken})
    return answer
