"""Coordinates: centred and scaled columns, without a copy of the data.

    x* = (x - shift) * scale        beta = T beta*        cov = T cov* T'

A column is only moved when it needs it: centred when its mean is more than two standard
deviations from 0 (and the model has an intercept to take the difference), scaled by a
power of two, which is exact, when it is far from unit size. Blocks are moved while they
are in cache. What the user sees is mapped back with the p x p matrix T.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import DataError, listed

Array = np.ndarray

FAR = 2.0  # standard deviations between mean and 0
UNIT = 8.0  # columns of size 1/8 to 8 are left as they are
LIMIT = 1e150  # beyond it squares overflow
NORMAL = 1e140  # where the root mean square lies within this, the largest value lies within LIMIT


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Shift and scale of the dense columns, or None where no column needs them.

    Attributes
    ----------
    shift, scale : (q,) arrays or None
    to_raw : (p, p) array T, or None for the identity
    """

    shift: Array | None = None
    scale: Array | None = None
    to_raw: Array | None = None

    def raw(self, theta: Array) -> Array:
        """Coefficients `(p * k,)` of the raw columns; those of one column stand together."""
        return theta if self.to_raw is None else self._over(theta) @ theta

    def own(self, beta: Array) -> Array:
        """Coefficients in these coordinates, from those of the raw columns."""
        return beta if self.to_raw is None else np.linalg.solve(self._over(beta), beta)

    def covariance(self, covariance: Array) -> Array:
        if self.to_raw is None:
            return covariance
        to_raw = self._over(covariance)
        found: Array = to_raw @ covariance @ to_raw.T
        return found

    def information(self, info: Array) -> Array:
        if self.to_raw is None:
            return info
        inverse = np.linalg.inv(self._over(info))
        found: Array = inverse.T @ info @ inverse
        return found

    def curvature(self, matrix: Array) -> Array:
        """`T' M T`: the second derivative of something, from that in the raw coefficients."""
        if self.to_raw is None:
            return matrix
        to_raw = self._over(matrix)
        found: Array = to_raw.T @ matrix @ to_raw
        return found

    def score(self, score: Array) -> Array:
        return score if self.to_raw is None else np.linalg.solve(self._over(score).T, score)

    def _over(self, values: Array) -> Array:
        """T for as many outputs as there are values for each column."""
        assert self.to_raw is not None
        outputs = len(values) // max(len(self.to_raw), 1)
        return self.to_raw if outputs == 1 else np.kron(self.to_raw, np.eye(outputs))


def choose(rows: Rows, names: tuple[str, ...], constant: int | None) -> Coordinates:
    """Coordinates for these rows; `constant` is the position of the intercept, or None.

    Raises
    ------
    DataError
        for a column so large or small that its squares leave the floating-point range
    """
    at = rows.source.layout
    if not len(at.at_dense):
        return Coordinates()
    mean, deviation, size = _moments(rows)
    if (size <= UNIT).all() and (size >= 1.0 / UNIT).all() and (np.abs(mean) <= FAR * deviation).all():
        return Coordinates()
    if np.isinf(size).any():
        column = names[at.at_dense[int(np.isinf(size).argmax())]]
        raise DataError(f"Column {column!r} has an infinite value. Drop or mend the rows that are not finite.")
    extreme = (size > LIMIT) | ((size < 1.0 / LIMIT) & (size > 0))
    if extreme.any():
        which = [f"{names[at.at_dense[j]]!r} (about {size[j]:.0e})" for j in np.flatnonzero(extreme)]
        raise DataError(
            f"Column {listed(which)} is outside the range in which squares can be formed. "
            "Change its unit, for example multiply it by a power of ten."
        )
    shift = np.where(np.abs(mean) > FAR * deviation, mean, 0.0) if constant is not None else np.zeros_like(mean)
    spread = np.where(shift != 0, deviation, size)
    # a column that is constant but for rounding is left at its raw size, so that the rank rule sees it
    spread = np.where(spread > 1e-14 * size, spread, size)
    power = np.round(np.log2(np.where(spread > 0, spread, 1.0)))
    scale = np.where(np.abs(power) > np.log2(UNIT), 2.0**-power, 1.0)
    if not shift.any() and (scale == 1.0).all():
        return Coordinates()
    to_raw = np.eye(at.width)
    to_raw[at.at_dense, at.at_dense] = scale
    if constant is not None:
        to_raw[constant, at.at_dense] -= shift * scale
    return Coordinates(shift if shift.any() else None, None if (scale == 1.0).all() else scale, to_raw)


def _moments(rows: Rows) -> tuple[Array, Array, Array]:
    """Mean, standard deviation and root mean square of the dense columns, from at most 32 runs of rows."""
    spans = rows.spans()
    if len(spans) > 32:
        starts = np.linspace(0, rows.n - 512, 32).astype(int)
        spans = [(int(start), int(start) + 512) for start in starts]
    n = max(sum(stop - start for start, stop in spans), 1)
    # several runs are read twice: all of them at a time can be a copy of the data
    once = [rows.source.read(*spans[0])[0]] if len(spans) == 1 else None
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sum(part.sum(axis=0) for part in once or _parts(rows, spans)) / n
        # shifted first, then squared: means far from 0 would cancel
        variance = sum(((part - mean) ** 2).sum(axis=0) for part in once or _parts(rows, spans)) / n
        size = np.sqrt(variance + mean**2)
        if size.max(initial=1.0) < NORMAL and size.min(initial=1.0) > 1.0 / NORMAL:
            return mean, np.sqrt(variance), size
        # squares under- or overflow outside 1e-150 .. 1e150: the largest value says the size there
        large = np.max([np.abs(part).max(axis=0, initial=0.0) for part in once or _parts(rows, spans)], axis=0)
    outside = (large > LIMIT) | (large < 1.0 / LIMIT)
    return mean, np.where(outside, 0.0, np.sqrt(variance)), np.where(outside, large, size)


def _parts(rows: Rows, spans: list[tuple[int, int]]) -> Iterator[Array]:
    """The dense columns of each run of rows."""
    return (rows.source.read(*span)[0] for span in spans)
