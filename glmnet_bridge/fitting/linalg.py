"""Linear algebra of a fit: solve with the information, and decide rank as R does.

    solve       Cholesky of the information scaled to unit diagonal, with a condition estimate
    covariance  from that factor, or from a blocked QR of sqrt(w) X when the factor is doubtful
    rank        order-keeping pivoting on the p x p triangle R of X = QR

Cholesky of X'WX squares the condition number. Steps survive that (the score form of Newton
refines itself), standard errors do not, hence the QR behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack, solve_triangular

from glmnet_bridge.data.rows import Block, Rows

Array = np.ndarray

# below this condition the covariance from Cholesky may lose more than the 12 digits we promise
DOUBTFUL = 1e-4
# a column whose part outside the earlier ones is smaller than this is aliased: R's rule
RANK_TOLERANCE = 1e-11


@dataclass(frozen=True, slots=True)
class Factor:
    """Cholesky factor of a symmetric matrix scaled to unit diagonal.

    Attributes
    ----------
    upper : (p, p) upper triangular factor of `matrix / outer(scale, scale)`
    scale : (p,) root of the diagonal
    rcond : estimate of the reciprocal condition number of the scaled matrix
    """

    upper: Array
    scale: Array
    rcond: float

    def solve(self, b: Array) -> Array:
        """`matrix^-1 b`."""
        return lapack.dpotrs(self.upper, b / self.scale)[0] / self.scale if len(b) else b

    def inverse(self) -> Array:
        """`matrix^-1`, symmetric."""
        if not len(self.scale):
            return np.zeros((0, 0))
        half = self.half()
        return half @ half.T

    def half(self) -> Array:
        """L with `L L' = matrix^-1`, upper triangular."""
        found: Array = lapack.dtrtri(self.upper)[0] / self.scale[:, None]
        return found

    def exceeded(self, limit: float) -> bool:
        """Whether a diagonal element of the inverse is above `limit`."""
        # most are far below: the scaled inverse has none above 1 / rcond, which is an estimate
        if not len(self.scale) or 100.0 / self.rcond < limit * self.scale.min() ** 2:
            return False
        return bool((self.inverse().diagonal() > limit).any())


def factor(matrix: Array) -> Factor | None:
    """Factor a symmetric matrix; None where it is not positive definite to working precision."""
    diagonal = matrix.diagonal()
    if len(diagonal) == 0:
        return Factor(matrix, diagonal, 1.0)
    if not diagonal.min() > 0.0 or not np.isfinite(diagonal.max()):
        return None
    scale = np.sqrt(diagonal)
    scaled = matrix / scale / scale[:, None]
    upper, failed = lapack.dpotrf(scaled)
    if failed:
        return None
    norm = float(np.abs(scaled).sum(axis=0).max())
    rcond = float(lapack.dpocon(upper, norm)[0])
    return Factor(upper, scale, rcond) if rcond > np.finfo(float).eps else None


@dataclass(frozen=True, slots=True)
class Triangle:
    """The R of a blocked QR: triangles of blocks are stacked and factored again when added."""

    r: Array

    def __add__(self, other: Triangle) -> Triangle:
        return triangle(np.vstack([self.r, other.r]))


def triangle(matrix: Array) -> Triangle:
    """R of `matrix = QR`, `(min(m, p), p)`."""
    return Triangle(np.asarray(np.linalg.qr(matrix, mode="r")))


def from_triangle(r: Array) -> Factor | None:
    """The factor of `R'R`; None where R is singular to working precision."""
    scale = np.sqrt((r * r).sum(axis=0))
    if r.shape[0] < r.shape[1] or not scale.min(initial=1.0) > 0.0:
        return None
    upper = r / scale
    rcond = float(lapack.dtrcon(upper)[0])
    return Factor(upper, scale, rcond * rcond) if rcond > 1e-13 else None


def rows_triangle(rows: Rows, root: object = None) -> Array:
    """R of the whole design, `(min(n, p), p)`; `root(block)` gives row factors `(m,)`, e.g. the root of w.

    For k outputs that share information it gives `(m, r, k)`, and R is that of the p * k coefficients.
    """

    def part(block: Block) -> Triangle:
        matrix = block.columns.matrix()
        factors = root(block) if callable(root) else None
        if factors is None:
            return triangle(matrix)
        if factors.ndim == 1:
            matrix *= factors[:, None]
            return triangle(matrix)
        wide = matrix[:, None, :, None] * factors[:, :, None, :]
        return triangle(wide.reshape(len(matrix) * factors.shape[1], -1))

    return rows.sum(part).r


def inverse_from_triangle(r: Array) -> Array:
    """`(R'R)^-1` by back substitution, with columns scaled to unit norm."""
    scale = np.sqrt((r * r).sum(axis=0))
    half = solve_triangular(r / scale, np.eye(r.shape[1]))
    return half @ half.T / np.outer(scale, scale)


@dataclass(frozen=True, slots=True)
class Rank:
    """Which columns are independent, and what the others are made of.

    Attributes
    ----------
    kept : positions of the independent columns, in order
    dropped : positions of the aliased columns
    equations : (len(dropped), len(kept)) array: aliased column = equation @ kept columns
    """

    kept: Array
    dropped: Array
    equations: Array


def rank(r: Array, raw_norms: Array | None = None) -> Rank:
    """Order-keeping rank decision on the triangle of a design (R's `glm` keeps the earlier column).

    Parameters
    ----------
    r : (m, p) upper triangle
    raw_norms : (p,) norms of the columns before centring, in the same units: a remainder at the
        level of their rounding error is noise, not a column
    """
    p = r.shape[1]
    norms = np.sqrt((r * r).sum(axis=0))
    noise = 0.0 if raw_norms is None else 16.0 * np.finfo(float).eps * raw_norms
    limits = np.maximum(RANK_TOLERANCE * norms, noise)
    basis = np.zeros((r.shape[0], 0))
    kept, dropped = [], []
    for j in range(p):
        rest = r[:, j].copy()
        for _ in range(2):  # twice is enough (Kahan): the remainder is orthogonal to working precision
            rest -= basis @ (basis.T @ rest)
        size = np.sqrt(rest @ rest)
        if size > limits[j] and size > 0.0:
            basis = np.column_stack([basis, rest / size])
            kept.append(j)
        else:
            dropped.append(j)
    equations = np.zeros((len(dropped), len(kept)))
    if dropped and kept:
        scale = norms[kept]
        solved = np.linalg.lstsq(r[:, kept] / scale, r[:, dropped], rcond=None)[0]
        equations = (solved / scale[:, None]).T
    return Rank(np.array(kept, dtype=int), np.array(dropped, dtype=int), equations)


def generalised_inverse(matrix: Array, tolerance: float = 1e-12) -> Array:
    """A symmetric generalised inverse: exact for every estimable combination of a redundant theta."""
    scale = np.sqrt(np.maximum(matrix.diagonal(), 0.0))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    keep = values > tolerance * max(values.max(initial=0.0), 0.0)
    half = vectors[:, keep] / np.sqrt(values[keep])
    return half @ half.T / np.outer(scale, scale)
