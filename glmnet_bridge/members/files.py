"""A fit and its file."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, Self

from glmnet_bridge.members.records import Record


def _files() -> Any:
    """Loaded on use: a plain fit does without."""
    return importlib.import_module("glmnet_bridge.storage.files")


class ForFiles(Record):
    """Saved, and with rows again."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the fit to one file without rows of data: `gb.load(path)` reads it, in any process.

        The file holds plain values and arrays with a checksum and a format version; no pickle, no paths. Your own
        `functions=` are not in it: they are asked for by name when it is loaded.
        """
        return _files().save(self, path)

    def with_data(
        self,
        data: Any,
        *,
        trials: Any = None,
        prior_weights: Any = None,
        freq_weights: Any = None,
        offset: Any = None,
        exposure: Any = None,
    ) -> Self:
        """The fit with its rows, for one that was loaded: `data` is read as the rows of the fit were.

        Weights, trials and offsets are given again if the fit had them as arrays.

        Raises
        ------
        BridgeError
            for rows that are not those of the fit: another number of them, or another deviance
        """
        beside = {
            "trials": trials, "prior_weights": prior_weights, "freq_weights": freq_weights, "offset": offset,
            "exposure": exposure,
        }  # fmt: skip
        return _files().rejoined(self, data, beside)
