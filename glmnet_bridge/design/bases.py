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
    columns = len(knots) - degree - 1
    basis = np.zeros((columns, len(x)))
    inner = knots[degree + 1 : columns]
    for start in range(0, len(x), _BLOCK):
        block = np.asarray(x[start : start + _BLOCK], dtype=float)
        interval = np.searchsorted(inner, block, side="right") + degree
        alive = _alive(block, interval, knots, degree)
        rows = np.arange(start, start + len(block))
        for k, values in enumerate(alive):
            basis[interval - degree + k, rows] = values
    return basis.T


def _alive(x: Array, interval: Array, knots: Array, degree: int) -> list[Array]:
    """The degree + 1 functions that do not vanish on each x's interval, `(m,)` each."""
    functions = [np.ones(len(x))]
    for d in range(1, degree + 1):
        raised = [np.zeros(len(x)) for _ in range(d + 1)]
        for i in range(d):
            right, left = knots[interval + i + 1], knots[interval + i + 1 - d]
            part = functions[i] / (right - left)
            raised[i] += part * (right - x)
            raised[i + 1] = part * (x - left)
        functions = raised
    return functions
