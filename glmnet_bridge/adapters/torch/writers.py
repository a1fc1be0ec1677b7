"""PyTorch, written: a fit as a module that takes the raw columns and gives the mean.

Where there is an offset the module takes it as a second input. The module is run on the rows of the
fit and on random ones before it is handed over, and must give the means of the fit itself.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.writing import computations
from glmnet_bridge.adapters.writing.exports import compare, hand
from glmnet_bridge.adapters.writing.records import feed_of, kernel_and_bias, rounding, written
from glmnet_bridge.errors import ArgumentError, missing_extra

Array = np.ndarray


def to_torch(fit: Any, dtype: Any = None) -> Any:
    """A `modules.GLM` in evaluation mode.

    Parameters
    ----------
    fit : a GLM
    dtype : torch.float64 by default

    Raises
    ------
    ArgumentError
        for a fit that is no GLM, for infinite coefficients, and for a function that PyTorch lacks
    FitError
        where the module does not give the fit's means
    """
    if importlib.util.find_spec("torch") is None:
        raise missing_extra("torch", "torch")
    import torch

    from glmnet_bridge.adapters.torch import modules

    dtype = torch.float64 if dtype is None else dtype
    if dtype not in (torch.float64, torch.float32):
        raise ArgumentError(f"dtype={dtype!r}: give torch.float64 or torch.float32.")
    handed = hand(fit)
    feed = feed_of(handed)
    kind = modules.OffsetGLM if handed.offset else modules.GLM
    module = kind(feed, *kernel_and_bias(handed), handed.family.link.name)
    computations.check(module.columns, handed.export)
    module = module.to(dtype).eval()

    def mean(table: pd.DataFrame, offset: Array | None) -> Array:
        given = [module.tensor(table)]
        if offset is not None:
            given.append(torch.tensor(offset, dtype=dtype)[:, None])
        with torch.no_grad():
            found: Array = module(*given)[:, 0].double().numpy()
        return found

    differences = compare(handed, mean, tolerance=rounding(handed, torch.finfo(dtype).eps))
    module.written = written(fit, handed.terms, differences, feed)
    return module
