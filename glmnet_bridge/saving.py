"""Saving: a fit read from the file that `fit.save(path)` wrote."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from glmnet_bridge.fits import Fit
from glmnet_bridge.keywords import checked_keywords
from glmnet_bridge.storage import files


@checked_keywords
def load(path: str | os.PathLike[str], *, functions: Mapping[str, Callable[..., Any]] | None = None) -> Fit:
    """The fit that `fit.save(path)` wrote, without its rows: nothing in the file is run.

    It answers all that needs no rows (coefficients, tables, `predict(new)`) as the fit did, to the last
    bit. Where rows are needed, give `data=`, or put them back with `fit.with_data(frame)`.

    Parameters
    ----------
    path : a file
    functions : your own functions by their names in the formula, if it has any

    Raises
    ------
    BridgeError
        naming what is wrong with the file: cut off, empty, text, altered, of another kind or version

    Examples
    --------
    >>> import glmnet_bridge as gb, os, tempfile
    >>> data = {"y": [0, 1, 0, 1, 1, 0, 1, 1], "x": [0.0, 1, 2, 3, 4, 5, 6, 7]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = gb.glm("y ~ x", data).save(os.path.join(folder, "fit.gb"))
    ...     gb.load(path).params.round(4).to_dict()
    {'Intercept': -0.7822, 'x': 0.398}
    """
    fields, facts = files.read(path, functions)
    return files.know(Fit(**fields), facts)
