"""Files of Keras 3 (`.keras`): read with zipfile, json and h5py, without Keras and without running anything in them.

metadata.json, config.json, model.weights.h5: the arrays of a layer lie at `layers/<class>[_k]/vars/<i>`,
numbered by class in the order of the layers, not by their names.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.keras import numbers
from glmnet_bridge.adapters.keras.graphs import FUNCTIONAL, MODELS, Config, Store, Weight, graph, is_layer
from glmnet_bridge.adapters.keras.layers import walk
from glmnet_bridge.adapters.keras.readings import assemble, checked
from glmnet_bridge.adapters.schoolings import UNTOLD, Told
from glmnet_bridge.errors import ReadError, missing_extra

Array = np.ndarray
WEIGHTS = "model.weights.h5"


def read(path: str | os.PathLike[str], told: Told = UNTOLD) -> Foreign:
    """A saved model as a network; `told` is what the caller says of its training.

    Raises
    ------
    ReadError
        for a file that is no Keras 3 model, or a model that cannot be read
    """
    entry, content = _opened(Path(path))
    store = _Stored.opened(content, entry["config"].get("name", ""))
    kind = entry["class_name"]
    if kind not in MODELS and "layers" not in entry["config"]:
        raise ReadError(f"{path} holds a {kind}, a subclass of keras.Model: its graph is Python code. {FUNCTIONAL}")
    try:
        found = graph(entry, store)
        walked = walk(found)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ReadError(
            f"The configuration in {str(path)!r} is not one that Keras 3 writes ({type(error).__name__}: {error})."
        ) from error
    compiled = entry.get("compile_config") or {}

    def forward(table: pd.DataFrame) -> Array:
        matrix = checked(walked, table)
        out = numbers.run(found, found.split(matrix, coarse=False))
        return np.asarray(out, dtype=float).reshape(len(matrix), -1)

    unrun = "Keras itself was not run: the reading is compared with the file's graph as numpy computes it."
    return assemble(
        f"Keras {kind} model in a file",
        found,
        replace(walked, folded=(*walked.folded, unrun)),
        compiled,
        told,
        forward,
        steps=store.steps(),
        precision=float(np.finfo(float).eps),
    )


def _opened(path: Path) -> tuple[Any, bytes]:
    """The configuration, and the bytes of the weights."""
    if not path.is_file():
        raise ReadError(f"There is no file {str(path)!r}.")
    try:
        with zipfile.ZipFile(path) as archive:
            version = json.loads(archive.read("metadata.json"))["keras_version"]
            entry = json.loads(archive.read("config.json"))
            entry["class_name"], entry["config"].get("name")
            content = archive.read(WEIGHTS)
    except (zipfile.BadZipFile, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ReadError(
            f"{str(path)!r} is no Keras 3 file ({error}). Write it with model.save('name.keras')."
        ) from None
    if str(version).startswith(("1.", "2.")):
        raise ReadError(f"{str(path)!r} was written by Keras {version}. Load it and save it again with Keras 3.")
    return entry, content


@dataclass(frozen=True, slots=True, eq=False)
class _Stored(Store):
    """Arrays of a layer, or of a model's layers: a place in the file of weights."""

    file: Any
    place: str
    path: str

    @classmethod
    def opened(cls, content: bytes, name: str) -> _Stored:
        """The whole model."""
        try:
            import h5py
        except ImportError:
            raise missing_extra("h5py", "keras") from None
        try:
            return cls(h5py.File(io.BytesIO(content), "r"), "", name)
        except OSError as error:
            raise ReadError(f"{WEIGHTS} in the file cannot be read: {error}.") from None

    def inside(self, entries: Sequence[Config]) -> list[Store]:
        """Layer by layer; operations are counted nowhere."""
        seen: dict[str, int] = defaultdict(int)
        functional = any("inbound_nodes" in each for each in entries)
        found: list[Store] = []
        for each in entries:
            word = _snake(each["class_name"])
            number = seen[word] if is_layer(each) else 0
            seen[word] += is_layer(each)
            place = f"{self.place}layers/{word}{f'_{number}' if number else ''}/"
            name = each["config"]["name"]
            # Keras makes the weights of a Sequential model under its name, those of a Functional one under no name
            path = name if functional else f"{self.path.split('/')[-1]}/{name}"
            found.append(_Stored(self.file, place, path))
        return found

    def weights(self, names: Sequence[str]) -> list[Weight]:
        """In the order in which the layer made them."""
        group = self._group(f"{self.place}vars")
        if group is None:
            return []
        own = group.attrs.get("name")
        if own is not None and str(own) != self.path.split("/")[-1]:
            raise ReadError(
                f"The weights at {self.place}vars belong to {str(own)!r}, but the configuration has "
                f"{self.path.split('/')[-1]!r} there. The file was put together from two models."
            )
        found = []
        for number, name in enumerate(names):
            if str(number) in group:
                found.append(Weight(f"{self.path}/{name}", self._array(group, str(number)), (self.place, number)))
        return found

    def steps(self) -> int | None:
        """How many steps the optimiser has made, where the file says so."""
        group = self._group("optimizer/vars")
        if group is None or "0" not in group:
            return None
        first = self._array(group, "0")
        return int(first) if first.ndim == 0 and first.dtype.kind in "iu" else None

    def _group(self, place: str) -> Any:
        found = self.file
        for name in place.split("/"):
            found = _child(found, name) if name in found else None
            if found is None:
                break
        return found

    @staticmethod
    def _array(group: Any, name: str) -> Array:
        held = _child(group, name)
        if held.external or held.is_virtual:
            raise ReadError(f"{group.name}/{name} in the file points outside of it, which is not followed.")
        return np.asarray(held[()])


def _child(group: Any, name: str) -> Any:
    """What lies in a group itself: a link could lead to another file on this machine."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ReadError(f"{group.name}/{name} in the file is a link, which is not followed.")
    return group[name]


def _snake(word: str) -> str:
    """A class as Keras names its place in the file: `BatchNormalization`, `batch_normalization`."""
    word = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", word))
    return re.sub("([a-z])([A-Z])", r"\1_\2", word).lower()
