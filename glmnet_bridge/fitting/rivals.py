"""Rivals: the separation of several classes, as the same question about pairs of classes.

A row of class c speaks against each other class j, and the more so the larger eta_c - eta_j:

    x_i'd_c - x_i'd_j >= 0 for all rows i and their rivals j,   > 0 somewhere

(Albert and Anderson 1984) means that the likelihood rises for ever along d, one direction `(p,)` per class.
That is the separation of n * k rows over p * k columns, all of them events, which `separation.prove`
decides. The columns stand as the model's labels do: class by class, 0 for the base.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from glmnet_bridge.data.rows import Columns, Layout, Rows, Source
from glmnet_bridge.fitting import separation
from glmnet_bridge.fitting.separation import Separation

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Rivals:
    """Each row k times: its columns for its own class less those for one of the k other classes.

    Attributes
    ----------
    source : the rows
    chosen : (n,) class of each row, 0 for the base
    outputs : k, the number of classes after the base
    """

    source: Source
    chosen: Array
    outputs: int

    @property
    def n(self) -> int:
        return self.source.n * self.outputs

    @property
    def layout(self) -> Layout:
        width = self.source.layout.width * self.outputs
        return Layout(np.arange(width), np.arange(0), np.ones((1, 0)))

    def read(self, start: int, stop: int) -> tuple[Array, Array | None]:
        k = self.outputs
        first, last = start // k, -(-stop // k)
        matrix = Columns(*self.source.read(first, last), self.source.layout).matrix()
        own = self.chosen[first:last]
        m, p = matrix.shape
        out = np.zeros((m, k, k + 1, p))
        at = np.arange(m)
        for place in range(k):
            out[at, place, own] = matrix
            out[at, place, place + (own <= place)] = -matrix
        return out[:, :, 1:].reshape(m * k, k * p)[start - first * k : stop - first * k], None


def prove(rows: Rows, kept: Array) -> Separation | None:
    """Prove separation of classes, or find that there is none; `kept` are positions among the p * k coefficients.

    In what is found `goes_off` are the rows that are predicted perfectly in the limit, `counts` the number
    of these, of rows in which only some classes are ruled out, and of the others.
    """
    k = rows.response.shape[1]
    chosen = np.where(rows.response.any(axis=1), rows.response.argmax(axis=1) + 1, 0)
    pairs = Rows(Rivals(rows.source, chosen, k), np.zeros((rows.n * k, 1)), np.repeat(rows.weights, k))
    found = separation.prove(pairs, np.ones(rows.n * k, dtype=np.int8), kept)
    if found is None:
        return None
    off = found.goes_off.reshape(rows.n, k)
    perfect, some = np.all(off, axis=1), np.any(off, axis=1)
    counts = int(perfect.sum()), int((some & ~perfect).sum()), int(((rows.weights > 0) & ~some).sum())
    return replace(found, goes_off=perfect, counts=counts)
