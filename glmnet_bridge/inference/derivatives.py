"""Derivatives of what a formula makes of a variable, by differences whose error is watched row by row.

    D(h) = (f(x-2h) - 8 f(x-h) + 8 f(x+h) - f(x+2h)) / 12h            error h^4 f''''' / 30
    f'(x) = (16 D(h/2) - D(h)) / 15                                   error of order h^6 (Richardson 1911)

Steps are powers of two, so that x + h is exact. A row is done when D(h/2) and D(h) agree; else its step
shrinks, which takes a logarithm away from zero and a spline away from the knots nearby. Where the
differences never agree (a spline of low degree at its knot, the end of its range) they are taken to one
side, with weights that are exact for polynomials of the fourth degree.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from glmnet_bridge.errors import DataError

Array = np.ndarray
Function = Callable[[Array, Array], Array]  # x (r,) of the rows (r,) -> (r, c)

AGREED = 1e-9  # difference of D(h/2) and D(h), relative to their size, at which their combination has 11 digits
ROUNDS = 9  # each divides the step by 8
SIDES = {
    "both": ((-2.0, 1 / 12), (-1.0, -8 / 12), (1.0, 8 / 12), (2.0, -1 / 12)),
    "right": ((0.0, -25 / 12), (1.0, 4.0), (2.0, -3.0), (3.0, 4 / 3), (4.0, -1 / 4)),
    "left": ((0.0, 25 / 12), (-1.0, -4.0), (-2.0, 3.0), (-3.0, -4 / 3), (-4.0, 1 / 4)),
}


def derivative(f: Function, x: Array, scale: float, what: str) -> Array:
    """Derivative `(m, c)` of f at x `(m,)`.

    Parameters
    ----------
    f : the values `(r, c)` at new x `(r,)` of some rows `(r,)`, nan where it is not defined
    x : where
    scale : a typical distance in x, such as its standard deviation
    what : the variable, for errors

    Raises
    ------
    DataError
        where the differences do not settle: f has no derivative there
    """
    rows = np.arange(len(x))
    with np.errstate(all="ignore"):
        level = np.nanmax(np.abs(f(x, rows)), axis=0, initial=0.0)
    found, gap = _rounds(f, x, rows, scale, "both", level)
    open_ = np.flatnonzero(gap > 1.0)
    for side in ("right", "left"):
        if not len(open_):
            break
        other, further = _rounds(f, x[open_], open_, scale, side, level)
        better = further < gap[open_]
        found[open_[better]], gap[open_[better]] = other[better], further[better]
        open_ = open_[gap[open_] > 1.0]
    bad = gap > 1e3
    if bad.any():
        raise DataError(
            f"What the formula makes of {what!r} has no derivative at {x[bad.argmax()]:g} (in {int(bad.sum())} rows). "
            f"Ask for kind='difference' with two values of it, as in variables={{{what!r}: (low, high)}}."
        )
    return found


def _rounds(f: Function, x: Array, rows: Array, scale: float, side: str, level: Array) -> tuple[Array, Array]:
    """The derivative with the smallest gap `(r,)` between two steps, over all steps.

    Gaps are in units of what is allowed; `level` `(c,)` is the size of the columns, of which a part is rounding.
    """
    step = float(2.0 ** np.round(np.log2(scale / 128.0)))
    best, gap = _pair(f, x, rows, step, side, level)
    left = np.flatnonzero(gap > 1.0)
    for _ in range(ROUNDS):
        if not len(left):
            break
        step /= 8.0
        again, closer = _pair(f, x[left], rows[left], step, side, level)
        better = closer < gap[left]
        best[left[better]], gap[left[better]] = again[better], closer[better]
        left = left[gap[left] > 1.0]
    return best, gap


def _pair(f: Function, x: Array, rows: Array, step: float, side: str, level: Array) -> tuple[Array, Array]:
    """Two steps combined `(r, c)`, and by how much they differ `(r,)`; infinite where f is not defined."""
    known: dict[float, Array] = {}
    with np.errstate(all="ignore"):
        coarse, fine = (_difference(f, x, rows, h, side, known) for h in (step, 0.5 * step))
        # the error of D(h) is of order h^4, on either side
        best = fine + (fine - coarse) / 15.0
        size = np.maximum(np.abs(fine), np.abs(coarse))
        allowed = AGREED * size + 64.0 * np.finfo(float).eps * level / step
        off = np.abs(fine - coarse)
        gap = np.where(off == 0.0, 0.0, off / allowed).max(axis=1, initial=0.0)
    return best, np.where(np.isfinite(gap), gap, np.inf)


def _difference(f: Function, x: Array, rows: Array, step: float, side: str, known: dict[float, Array]) -> Array:
    total: Array | float = 0.0
    for place, weight in SIDES[side]:
        move = place * step
        if move not in known:
            known[move] = f(x + move, rows)
        # weights add up to 0: without the common part a constant has exactly the slope 0
        total = total + (weight / step) * (known[move] - next(iter(known.values())))
    return np.asarray(total)
