"""Recognition: which adapter reads a model, told by the names of its type, so that nothing is imported."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.errors import ArgumentError

# the package of a model's type (or of one that it inherits from), and the module that reads it
READERS: dict[str, str] = {
    "sklearn": "sklearn_",
    "keras": "keras_",
}
# the ending of a file, and the module that reads it
FILES: dict[str, str] = {
    ".keras": "keras_files",
}


def reader(model: Any) -> str | None:
    """The module that reads this model, or None."""
    if isinstance(model, str | os.PathLike):
        return FILES.get(Path(model).suffix.lower())
    for kind in type(model).__mro__:
        found = READERS.get(kind.__module__.split(".")[0])
        if found is not None:
            return found
    return None


def read(model: Any, options: Mapping[str, Any] | None = None) -> Foreign:
    """Read a foreign model as a network.

    Parameters
    ----------
    model : of a package in `READERS`, or the path of a file that ends as in `FILES`
    options : what the model does not say itself, by name: `loss`, `inputs` (widths by name)

    Raises
    ------
    ArgumentError
        for something that no adapter reads
    ReadError
        for a model of a known package that is no network that can be read
    """
    found = reader(model)
    if found is None and isinstance(model, str | os.PathLike) and Path(model).suffix:
        raise ArgumentError(
            f"network={os.fspath(model)!r} is no file that is read; those end in {', '.join(FILES)}. Load it with its "
            "own package, and give the model."
        )
    if found is None:
        kind = f"{type(model).__module__.split('.')[0]}.{type(model).__name__}"
        raise ArgumentError(
            f"network= is a {kind}, which is not read. Give a fitted model of {', '.join(READERS)}, a file "
            f"that ends in {', '.join(FILES)}, or a Network built by hand (glmnet_bridge.model.networks)."
        )
    module = importlib.import_module(f"glmnet_bridge.adapters.{found}")
    answer: Foreign = module.read(model, **(options or {}))
    return answer
