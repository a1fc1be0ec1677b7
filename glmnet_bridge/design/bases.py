"""B-spline bases by the recurrence of Cox and de Boor, on cache-sized blocks.

    B_i,0(x) = 1 on [t_i, t_i+1)
    B_i,d(x) = (x - t_i) / (t_i+d - t_i) B_i,d-1(x) + (t_i+d+1 - x) / (t_i+d+1 - t_i+1) B_i+1,d-1(x)

Only the degree + 1 functions that do not vanish at x are formed, in the order of operations
of FITPACK's `fpbspl` (Dierckx, Curve and Surface Fitting with Splines, 1993), so that values
equal those of scipy and patsy to the last bit.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
_BLOCK = 4096


def bspline_basis(x: Array, knots: Array, degree: int) -> Array:
    """All basis functions at x `(n,)`: `(n, len(knots) - degree - 1)`, column-major.

    x must lie within the knots; the last interval is closed on the right.
    """
    n, columns = len(x), len(knots) - degree - 1
    basis = np.zeros(columns * n)
    inner = knots[degree + 1 : columns]
    for start in range(0, n, _BLOCK):
        block = np.asarray(x[start : start + _BLOCK], dtype=float)
        interval = np.searchsorted(inner, block, side="right")
        at = interval * n + np.arange(start, start + len(block))
        for values in _alive(block, interval, knots, degree):
            basis[at] = values
            at += n
    return basis.reshape(columns, n).T


def _alive(x: Array, interval: Array, knots: Array, degree: int) -> list[Array]:
    """The degree + 1 functions that do not vanish on each x's interval, `(m,)` each."""
    above = [knots[interval + degree + 1 + i] - x for i in range(degree)]
    below = [x - knots[interval + degree - i] for i in range(degree)]
    functions = [np.ones(len(x))]
    for d in range(1, degree + 1):
        raised = [np.zeros(len(x)) for _ in range(d + 1)]
        for i in range(d):
            right, left = degree + 1 + i, degree + 1 + i - d
            spans = knots[right : len(knots) - degree + i] - knots[left : len(knots) - degree + i - d]
            part = functions[i] / spans[interval]
            raised[i] += part * above[i]
            raised[i + 1] = part * below[d - 1 - i]
        functions = raised
    return functions
