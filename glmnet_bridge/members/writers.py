"""A fit, handed over to other packages.

What is written is run on the fit's own rows and on random ones first, and must give the fit's means.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from glmnet_bridge.members.records import Record


def _writers(package: str) -> Any:
    """What writes for another package, loaded on use."""
    return importlib.import_module(f"glmnet_bridge.adapters.{package}.writers")


class ForPackages(Record):
    """Models of other packages that are this fit."""

    def to_onnx(self, path: str | os.PathLike[str] | None = None) -> Any:
        """An ONNX model, raw columns in, mean out, in double precision; also written to the file `path` if given.

        Its metadata have the terms with coefficients and standard errors, and the largest differences from the fit.
        """
        return _writers("onnx").to_onnx(self, path)

    def to_sklearn(self) -> Any:
        """A fitted scikit-learn Pipeline, frames in; terms and differences are its attribute `written`."""
        return _writers("sklearn").to_sklearn(self)

    def to_torch(self, dtype: Any = None) -> Any:
        """A PyTorch module: `module(module.tensor(frame))` is the mean; `dtype` is torch.float64 or torch.float32."""
        return _writers("torch").to_torch(self, dtype)

    def to_keras(self) -> Any:
        """A compiled Keras model with an input per raw column; `model.written.feed.arrays(frame)` makes them."""
        return _writers("keras").to_keras(self)

    def to_statsmodels(self) -> Any:
        """statsmodels' own `GLMResults` of this fit, without fitting again."""
        return _writers("statsmodels").to_statsmodels(self)
