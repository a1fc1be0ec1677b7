"""Lassos: the exact minimum of a quadratic with an L1 penalty on some coordinates.

    minimise   d'Q d / 2 - b'd + sum l1 |theta + d|

Feature-sign search (Lee, Battle, Raina and Ng 2007): with the signs of the active coordinates known the
minimum is a linear system; a coordinate that would change its sign on the way stops at 0 and leaves, the
one that breaks its condition most comes in. Finite, and as exact as the system, however correlated the
columns are (coordinate descent needs thousands of sweeps there). Q may be singular: along a direction
that costs nothing the steps are those of least length, or go to the first sign that changes.
"""

from __future__ import annotations

import numpy as np

from glmnet_bridge.fitting import linalg

Array = np.ndarray

MOST = 50  # changes of the active set, per coordinate
SLACK = 1e-12  # of the size of the slope, within which a condition holds


def step(slope: Array, curve: Array, l1: Array, theta: Array) -> Array:
    """The step `(P,)` from theta to the minimum.

    Parameters
    ----------
    slope : (P,) b
    curve : (P, P) Q, positive semidefinite
    l1 : (P,) zero or more
    theta : (P,) where it starts
    """
    scale = np.sqrt(np.maximum(curve.diagonal(), 0.0))
    scale = np.where(scale > 0, scale, 1.0)
    curve, l1, at = curve / np.outer(scale, scale), l1 / scale, theta * scale
    target = slope / scale + curve @ at  # b of the whole theta, not of the step
    sign = np.where(l1 > 0, np.sign(at), 0.0)
    active = (l1 == 0) | (sign != 0)
    size = max(float(np.abs(target).max(initial=0.0)), float(l1.max(initial=0.0)), 1e-300)
    for _ in range(MOST * (len(theta) + 1)):
        moved, settled = _towards(curve, target, l1, at, sign, active)
        gone = (l1 > 0) & active & (moved == 0.0)
        at, sign, active = moved, np.where(gone, 0.0, sign), active & ~gone
        if not settled:
            continue
        excess = np.where(active, 0.0, np.abs(target - curve @ at) - l1)
        j = int(excess.argmax()) if len(excess) else 0
        if not excess.size or excess[j] <= SLACK * size:
            break
        active[j], sign[j] = True, np.sign(target[j] - curve[j] @ at)
    return at / scale - theta


def _towards(curve: Array, target: Array, l1: Array, at: Array, sign: Array, active: Array) -> tuple[Array, bool]:
    """Towards the minimum for these signs, to the first sign that changes; whether it was reached."""
    some = np.flatnonzero(active)
    if not len(some):
        return at, True
    inner = curve[np.ix_(some, some)]
    left = target[some] - l1[some] * sign[some] - inner @ at[some]
    used = linalg.factor(inner)
    if used is not None and used.rcond > 1e-11:
        way, endless = used.solve(left), False
    else:
        way, endless = _degenerate(inner, left)
    whole = np.zeros_like(at)
    whole[some] = way
    turns = active & (l1 > 0) & (sign * whole < 0)  # those that move towards 0
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(turns, -at / whole, np.inf)
    first = float(reach.min())
    if first >= 1.0 and not endless:
        return at + whole, True
    if not np.isfinite(first):
        return at + whole, True  # rounding passed for a direction without end
    moved = at + first * whole
    moved[reach == first] = 0.0
    return moved, False


def _degenerate(inner: Array, left: Array) -> tuple[Array, bool]:
    """The step of least length; or, where the L1 part falls along a direction that costs nothing, that direction."""
    values, vectors = np.linalg.eigh(inner)
    keep = values > 1e-12 * max(float(values.max(initial=0.0)), 0.0)
    parts = vectors.T @ left
    free = np.where(keep, 0.0, parts)
    if np.abs(free).max(initial=0.0) > 1e-9 * max(float(np.abs(left).max(initial=0.0)), 1e-300):
        return vectors @ free, True
    return vectors @ np.where(keep, parts / np.where(keep, values, 1.0), 0.0), False
