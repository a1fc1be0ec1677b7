"""Ranks: which columns are independent, decided as R does, on the columns as the user gave them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glmnet_bridge.data.rows import Block, Rows
from glmnet_bridge.fitting import linalg
from glmnet_bridge.fitting.coordinates import Coordinates
from glmnet_bridge.fitting.linalg import Rank

Array = np.ndarray


def decided(rows: Rows, axes: Coordinates) -> Rank:
    """R's rank decision on the unweighted columns of the rows that count."""

    def counts(block: Block) -> Array:
        return (block.weights > 0).astype(float)

    r = linalg.rows_triangle(rows, counts)
    at = rows.source.layout
    norms = np.sqrt((r * r).sum(axis=0))
    raw = norms.copy()
    if axes.shift is not None:
        scale = 1.0 if axes.scale is None else axes.scale
        raw[at.at_dense] = np.hypot(norms[at.at_dense], np.abs(axes.shift * scale) * np.sqrt(rows.n))
    found = linalg.rank(r, raw)
    return found if axes.to_raw is None else _raw_equations(found, axes.to_raw)


def _raw_equations(found: Rank, to_raw: Array) -> Rank:
    """Alias equations between raw columns: U* = U T, so U_d T_dd = U* ... solved for the dropped ones."""
    if not len(found.dropped):
        return found
    # null vectors of the standard columns are mapped to null vectors of the raw ones
    nulls = np.zeros((len(to_raw), len(found.dropped)))
    nulls[found.dropped, np.arange(len(found.dropped))] = 1.0
    nulls[found.kept] = -found.equations.T
    nulls = to_raw @ nulls
    solved = np.linalg.solve(nulls[found.dropped].T, nulls[found.kept].T)
    return replace(found, equations=-solved)
