"""Tensor files: weights by name from `.safetensors`, with nothing but numpy, and from `.pt` without running code.

A `.safetensors` file is the length of a header (8 bytes), the header (JSON: type, shape and place of each
tensor), and the bytes. A `.pt` or `.pth` file is a pickle: it is opened by `torch.load(weights_only=True)` alone.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from glmnet_bridge.errors import DataError, ReadError, missing_extra

Array = np.ndarray

TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
    "BOOL": "?", "BF16": "<u2",
}  # fmt: skip
HEADER = 100_000_000  # bytes: the format's own limit
SAFE = (2, 6)  # before this version of torch, weights_only=True could run code


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The tensors of a file by name: arrays of numpy (`.safetensors`), or tensors of torch (`.pt`, `.pth`).

    Raises
    ------
    DataError
        where there is no such file
    ReadError
        for a file that does not hold tensors by name
    """
    place = Path(path)
    if not place.is_file():
        raise DataError(f"There is no file {str(path)!r}.")
    return _safetensors(place) if place.suffix.lower() == ".safetensors" else _pickled(place)


def _safetensors(path: Path) -> dict[str, Array]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(HEADER, path.stat().st_size - 8):
            raise ReadError(f"{path.name} is no safetensors file: its header does not lie within it.")
        try:
            header = json.loads(file.read(length))
            entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        except (ValueError, AttributeError):
            raise ReadError(f"{path.name} is no safetensors file: its header is no JSON object.") from None
        data = file.read()
    return {name: _tensor(path, name, entry, data) for name, entry in entries.items()}


def _tensor(path: Path, name: str, entry: Any, data: bytes) -> Array:
    try:
        kind, shape, (start, stop) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        whole = all(type(each) is int and each >= 0 for each in (*shape, start, stop))
    except (KeyError, TypeError, ValueError):
        raise ReadError(f"{path.name}: the entry {name!r} lacks its type, shape or place.") from None
    if kind not in TYPES:
        raise ReadError(f"{path.name}: {name!r} has type {kind}, which is not read; {', '.join(TYPES)} are.")
    size = np.dtype(TYPES[kind]).itemsize
    if not whole or not start <= stop <= len(data) or stop - start != math.prod(shape) * size:
        raise ReadError(f"{path.name}: {name!r} does not lie within the file. It is damaged; write it again.")
    values = np.frombuffer(data[start:stop], TYPES[kind]).reshape(shape)
    if kind == "BF16":  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values


def _pickled(path: Path) -> dict[str, Any]:
    try:
        import torch
    except ImportError:
        raise missing_extra("torch", "torch") from None
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if version < SAFE:
        raise ReadError(
            f"{path.name} is a pickle, which torch {torch.__version__} cannot open without trusting it. Update torch "
            "to 2.6, or write the weights with safetensors."
        )
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ReadError(
            f"{path.name} holds more than tensors (a whole module, perhaps), and is not opened: that could run code. "
            "Save model.state_dict(), or open it yourself and give the module."
        ) from error
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(isinstance(each, torch.Tensor) for each in found.values()):
        raise ReadError(f"{path.name} holds no state_dict. Save model.state_dict().")
    return dict(found)
