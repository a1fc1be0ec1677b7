"""Containers: plain values and arrays as one file, and what is wrong with a file that is none.

    header.json     format, version, checksum of all that follows
    model.json      plain values; arrays are named by their number
    0.npy, ...      the arrays

The file is a zip archive without dates, names of machines or paths. Nothing in it is run: JSON and
numbers are read, and objects are refused. The version is looked at before the checksum, so that a file
of a later version is called that.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glmnet_bridge.errors import ArgumentError, DataError

Array = np.ndarray

FORMAT = "glmnet_bridge fit"
VERSION = 1
HEADER, MODEL = "header.json", "model.json"
LARGEST = 2**31  # bytes that a model may unpack to
BEFORE_ALL_ZIPS = (1980, 1, 1, 0, 0, 0)  # the earliest date that the format has stands for none
FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF", "an HDF5 file (Keras?)"),
    (b"\x1f\x8b", "a gzip file"),
    (b"PAR1", "a Parquet file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"%PDF", "a PDF document"),
)


def write(path: str | os.PathLike[str], state: Mapping[str, Any], arrays: list[Array]) -> Path:
    """Write the file as a whole, or not at all."""
    target = _writable(path)
    parts = {MODEL: _text(state), **{f"{j}.npy": _bytes(array) for j, array in enumerate(arrays)}}
    header = {"format": FORMAT, "version": VERSION, "sha256": _checksum(parts.items())}
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in {HEADER: _text(header), **parts}.items():
                entry = zipfile.ZipInfo(name, BEFORE_ALL_ZIPS)
                entry.create_system, entry.compress_type, entry.external_attr = 3, zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(entry, content)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)
    return target


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], list[Array]]:
    """What `write` wrote.

    Raises
    ------
    ArgumentError
        where there is no file
    DataError
        saying what the file is, or what is wrong with it
    """
    content = _content(path)
    said = f"{os.fspath(path)!r}"
    if not content.startswith(b"PK\x03\x04"):
        raise DataError(f"{said} {_no_zip(content)}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _unpacked(archive, said)
    except zipfile.BadZipFile as error:
        if "CRC" in str(error):
            raise _altered(said) from None
        raise DataError(
            f"{said} is cut off: the end of the file is missing ({len(content):,} bytes are left). Copy it again, or "
            "save the fit again."
        ) from None
    except (KeyError, ValueError, OSError, EOFError, RuntimeError, MemoryError, RecursionError, zlib.error) as error:
        if isinstance(error, DataError):
            raise
        raise _altered(said) from error


def _unpacked(archive: zipfile.ZipFile, said: str) -> tuple[dict[str, Any], list[Array]]:
    names = archive.namelist()
    if HEADER not in names:
        raise DataError(f"{said} is {_kind(names)}, not a fit saved by glmnet_bridge: it lacks {HEADER!r}. {_NEXT}")
    if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
        raise DataError(f"{said} would unpack to more than {LARGEST:,} bytes, which no saved fit does: not opened.")
    header = json.loads(archive.read(HEADER))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DataError(f"{said} is not a fit saved by glmnet_bridge: its {HEADER} has another format mark. {_NEXT}")
    version = header.get("version")
    if version != VERSION or isinstance(version, bool):
        later = isinstance(version, int) and version > VERSION
        raise DataError(
            f"{said} has format version {version!r}; this package reads version {VERSION}. "
            + ("Install a newer glmnet_bridge" if later else "Use the version of glmnet_bridge that wrote it")
            + ", or fit again."
        )
    parts = {name: archive.read(name) for name in names if name != HEADER}
    if MODEL not in parts or len(names) != len(set(names)) or header.get("sha256") != _checksum(parts.items()):
        raise _altered(said)
    state = json.loads(parts.pop(MODEL))
    arrays = [np.lib.format.read_array(io.BytesIO(parts[f"{j}.npy"]), allow_pickle=False) for j in range(len(parts))]
    if not isinstance(state, dict):
        raise _altered(said)
    return state, arrays


_NEXT = "gb.load reads what fit.save wrote; a trained model of another package goes in as network=."


def _altered(said: str) -> DataError:
    return DataError(
        f"{said} was altered or damaged: its contents do not match its checksum. Copy it again, or save the fit again."
    )


def _content(path: str | os.PathLike[str]) -> bytes:
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"gb.load takes the path of a file, not a {type(path).__name__}.")
    place = Path(path)
    if place.is_dir():
        raise ArgumentError(f"{str(place)!r} is a folder; give the file that fit.save wrote.")
    if not place.exists():
        raise ArgumentError(f"There is no file {str(place)!r}. Give the path that fit.save wrote to.")
    try:
        return place.read_bytes()
    except OSError as error:
        raise ArgumentError(f"{str(place)!r} cannot be read: {error.strerror}.") from None


def _no_zip(content: bytes) -> str:
    """What a file is that is no archive."""
    if not content:
        return "is empty (0 bytes): the saving or copying was cut off. Save the fit again."
    if content[:1] == b"\x80" and content[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return f"is a Python pickle, which can run any code when it is opened: it was not opened. {_NEXT}"
    for mark, kind in FOREIGN:
        if content.startswith(mark):
            return f"is {kind}, not a fit saved by glmnet_bridge. {_NEXT}"
    if b"PK\x05\x06" in content:
        return "was altered or damaged: its beginning is not that of a saved fit. Copy it again, or save the fit again."
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return f"is not a fit saved by glmnet_bridge, but a file of an unknown kind. {_NEXT}"
    return f"is a text file, not a fit saved by glmnet_bridge. {_NEXT}"


def _kind(names: list[str]) -> str:
    """What an archive is, by what lies in it."""
    if any(name.endswith("data.pkl") for name in names):
        return "a PyTorch file (with a pickle inside, which was not opened)"
    if "config.json" in names and any(name.endswith(".h5") for name in names):
        return "a Keras model"
    if names and all(name.endswith(".npy") for name in names):
        return "a NumPy archive (.npz)"
    return "a zip archive"


def _writable(path: str | os.PathLike[str]) -> Path:
    target = Path(path)
    if target.is_dir():
        raise ArgumentError(f"save({str(path)!r}): this is a folder. Give the name of a file in it.")
    if not target.parent.is_dir():
        raise ArgumentError(f"save({str(path)!r}): {str(target.parent)!r} does not exist. Make it first.")
    if not os.access(target.parent, os.W_OK) or (target.exists() and not os.access(target, os.W_OK)):
        raise ArgumentError(f"save({str(path)!r}): no permission to write there. Give another path.")
    return target


def _text(state: Mapping[str, Any]) -> bytes:
    return json.dumps(state, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _bytes(array: Array) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=False)
    return out.getvalue()


def _checksum(parts: Iterable[tuple[str, bytes]]) -> str:
    """Of names and contents; lengths keep one from running into the other."""
    total = hashlib.sha256()
    for name, content in sorted(parts):
        total.update(f"{name}:{len(content)}:".encode())
        total.update(content)
    return total.hexdigest()
