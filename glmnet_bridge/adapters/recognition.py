"""Recognition: which adapter reads a model, told by the names of its type, so that nothing is imported."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.errors import ArgumentError

# the package of a model's type (or of one that it inherits from), and the module that reads it
READERS: dict[str, str] = {
    "glum": "glum_",
    "sklearn": "sklearn_",
    "statsmodels": "statsmodels_",
    "onnx": "onnx_",
    "onnxruntime": "onnx_",
}
# what reads a model that was written here and still says how it is fed
WRITTEN = "written_"
# the ending of a file's name, and the module that reads it
ENDINGS: dict[str, str] = {
    ".onnx": "onnx_",
}


def reader(model: Any) -> str | None:
    """The module that reads this model, or the file that it is a path of; or None."""
    if getattr(getattr(model, "written", None), "feed", None) is not None:
        return WRITTEN
    if isinstance(model, str | os.PathLike):
        return ENDINGS.get(os.path.splitext(os.fspath(model))[1].lower())
    for kind in type(model).__mro__:
        found = READERS.get(kind.__module__.split(".")[0])
        if found is not None:
            return found
    return None


def read(model: Any, options: Mapping[str, Any] | None = None) -> Foreign:
    """Read a foreign model as a network.

    Parameters
    ----------
    model : of a package in `READERS`
    options : what the model does not say itself, by name: `loss`, `inputs` (widths by name)

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
            f"network={os.fspath(model)!r} (a {type(model).__name__}) is no model, and no path of a file that is read: "
            f"these end in {', '.join(ENDINGS)}."
        )
    if found is None:
        kind = f"{type(model).__module__.split('.')[0]}.{type(model).__name__}"
        raise ArgumentError(
            f"network= is a {kind}, which is not read. Give a fitted model of {', '.join(READERS)}, or a Network "
            "built by hand (glmnet_bridge.model.networks)."
        )
    module = importlib.import_module(f"glmnet_bridge.adapters.{found}")
    answer: Foreign = module.read(model, **(options or {}))
    return answer
