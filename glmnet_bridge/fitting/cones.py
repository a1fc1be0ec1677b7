"""Cones of directions in which a likelihood never falls: linear programmes whose answers are checked.

    C = {d : side_i x_i'd >= 0 for a row with a side,  x_i'd = 0 for a row without}

Some row can go off to its limit iff some d in C has x_i'd != 0 there. One programme

    maximise  sum_i side_i x_i'd   over C,  |d| <= 1

finds such a d if there is one (Konis 2007). Rows that go off leave, and the programme is
repeated on the others until no further row can go (each time their rank falls).

A solver works to a tolerance, so its answer alone proves nothing. A direction counts once
every row satisfies its inequality to rounding error; before that it is projected off the
rows that it violates, which leaves nothing of a direction that owes itself to the tolerance.

Long data are cut: the programme sees some rows, all rows are checked block by block, and
those that are violated most are added until none is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from glmnet_bridge.data.rows import Columns, Rows
from glmnet_bridge.fitting import linalg

Array = np.ndarray

CLEAR = 1e-8  # a unit row further than this along a unit direction has gone off
SETTLED = 1e-7  # singular values below this belong to rows that do not move
CUTS = 256  # rows added to a programme at a time
TIGHTER = 1024.0  # rows are given to the solver this much longer, its tolerance is that much smaller


@dataclass(frozen=True, slots=True)
class Points:
    """The rows of a design as unit vectors `z_i = map'x_i / norm_i`, with their sides; `d = map g`.

    Attributes
    ----------
    rows : Rows
    sides : (n,) float array of +1, -1 and 0; 0 for rows that do not count
    map : (p, r) array, coordinates g `(r,)` to coefficients d `(p,)`
    norms : (n,) array; infinite for rows that do not count or cannot move
    noise : relative rounding error of a product `z_i'g`
    """

    rows: Rows
    sides: Array
    map: Array
    norms: Array
    noise: float

    @property
    def width(self) -> int:
        """r, the number of coordinates."""
        return self.map.shape[1]

    def blocks(self) -> Iterator[tuple[slice, Columns]]:
        for start, stop in self.rows.spans():
            yield slice(start, stop), self.rows.block(start, stop).columns

    def along(self, d: Array) -> Array:
        """`x_i'd / norm_i` `(n,)` for coefficients d `(p,)`."""
        out = np.empty(self.rows.n)
        for run, columns in self.blocks():
            out[run] = columns.dot(d[:, None])[:, 0]
        return out / self.norms

    def values(self, g: Array) -> Array:
        """`side_i z_i'g` `(n,)`: how far each row goes its way."""
        return self.sides * self.along(self.map @ g)

    def take(self, at: Array) -> Array:
        """`side_i z_i` of the rows at sorted positions `at`: `(len(at), r)`."""
        parts = [np.zeros((0, self.width))]
        for start, stop in self.rows.spans():
            first, last = np.searchsorted(at, [start, stop])
            if last > first:
                columns = self.rows.block(start, stop).columns
                parts.append(some(columns, at[first:last] - start).dot(self.map))
        return np.concatenate(parts) * (self.sides[at] / self.norms[at])[:, None]

    def total(self, live: Array) -> Array:
        """Sum of `side_i z_i` over the rows in the mask `live`: `(r,)`."""
        u = (np.where(live, self.sides, 0.0) / self.norms)[:, None]
        sums = np.zeros((self.map.shape[0], 1))
        for run, columns in self.blocks():
            sums += columns.tdot(u[run])
        return self.map.T @ sums[:, 0]

    def triangle(self, mask: Array) -> Array:
        """R of the QR of the unit rows in the mask, `(at most r, r)`."""
        sums = linalg.Triangle(np.zeros((0, self.width)))
        for run, columns in self.blocks():
            at = np.flatnonzero(mask[run] & np.isfinite(self.norms[run]))
            if len(at):
                z = some(columns, at).dot(self.map) / self.norms[run][at, None]
                sums = sums + linalg.triangle(z)
        return sums.r

    def still(self, mask: Array, tolerance: float) -> Array:
        """Orthonormal basis `(r, k)` of the directions along which no unit row in the mask moves."""
        r = self.triangle(mask)
        _, sizes, vectors = np.linalg.svd(r, full_matrices=True)
        limit = max(tolerance, self.noise * float(np.sqrt(mask.sum())))
        return vectors[int((sizes > limit).sum()) :].T

    def within(self, basis: Array) -> Points:
        """The same rows in coordinates h, `g = basis h`; rows that h cannot move are let go."""
        inner = points(self.rows, self.sides, self.map @ basis, np.isfinite(self.norms), self.noise)
        with np.errstate(invalid="ignore"):
            stuck = inner.norms <= max(1e-9, self.noise) * self.norms
        return replace(inner, norms=np.where(stuck, np.inf, inner.norms))


def points(rows: Rows, sides: Array, map: Array, counted: Array, noise: float) -> Points:
    """Points in the coordinates of `map`; `counted` says which rows count."""
    norms = np.empty(rows.n)
    for start, stop in rows.spans():
        z = rows.block(start, stop).columns.dot(map)
        norms[start:stop] = np.sqrt(np.einsum("ij,ij->i", z, z))
    norms = np.where(counted & (norms > 0), norms, np.inf)
    return Points(rows, sides, map, norms, noise)


def some(columns: Columns, at: Array) -> Columns:
    """The rows of a block at positions `at`."""
    return replace(columns, dense=columns.dense[at], cell=None if columns.cell is None else columns.cell[at])


def departures(cloud: Points) -> Array:
    """Mask `(n,)` of the rows that some direction of the cone sends off; all of them go together."""
    counted = np.isfinite(cloud.norms)
    still = counted & (cloud.sides == 0)
    inner = cloud
    if still.any():
        inner = cloud.within(cloud.still(still, 0.0))
    if inner.width == 0:
        return np.zeros(cloud.rows.n, dtype=bool)
    gone = single(cloud)[1]
    live = np.isfinite(inner.norms) & (inner.sides != 0) & ~gone
    while live.any():
        g = ascent(inner, live)
        leaving = live & (inner.values(g) > CLEAR) if g is not None else np.zeros_like(live)
        if not leaving.any():
            break
        gone |= leaving
        live &= ~leaving
    return gone


def single(cloud: Points) -> tuple[Array, Array]:
    """Columns that separate alone, +1 or -1 in `(p,)`, and the mask `(n,)` of the rows they send off.

    The commonest case, a level with only events or without any, is found here, exactly.
    """
    p = cloud.map.shape[0]
    counted = np.isfinite(cloud.norms)
    up, down, moved = np.ones(p, bool), np.ones(p, bool), np.zeros(p, bool)
    for run, columns in cloud.blocks():
        way = np.sign(some(columns, np.flatnonzero(counted[run])).matrix())
        signed = way * cloud.sides[run][counted[run], None]
        moved |= (way != 0).any(axis=0)
        up &= ((signed > 0) | (way == 0)).all(axis=0)
        down &= ((signed < 0) | (way == 0)).all(axis=0)
    used = moved & (cloud.map != 0).any(axis=1)
    ways = np.where(used & up, 1, np.where(used & down, -1, 0))
    gone = np.zeros(cloud.rows.n, dtype=bool)
    if ways.any():
        for run, columns in cloud.blocks():
            gone[run] = counted[run] & (columns.matrix()[:, ways != 0] != 0).any(axis=1)
    return ways, gone


def ascent(cloud: Points, live: Array) -> Array | None:
    """A direction g `(r,)` of the cone of the rows in `live` along which some of them go off, or None."""
    total = cloud.total(live)
    size = float(np.abs(total).max())
    if size == 0.0:
        return None
    return settle(cloud, live, maximise(cloud, live, total / size).g)


def settle(cloud: Points, live: Array, g: Array) -> Array | None:
    """The direction without what it owes to the solver's tolerance, or None if nothing is left of it."""
    tight = np.zeros_like(live)
    for _ in range(8):
        size = float(np.abs(g).max())
        if size < 1e-6:
            return None
        g = g / size
        values = cloud.values(g)
        if float(values[live].min()) >= -cloud.noise:
            return g if float(values[live].max()) > CLEAR else None
        tight |= live & (values <= CLEAR)
        basis = cloud.still(tight, 0.0)
        g = basis @ (basis.T @ g)
    return None


@dataclass(frozen=True, slots=True)
class Optimum:
    """Solution of one programme: direction g `(r,)`, margin t, and the rows `at` that it was given."""

    g: Array
    t: float
    at: Array


def maximise(
    cloud: Points,
    live: Array,
    objective: Array | None,
    *,
    ties: Array | None = None,
    at: Array | None = None,
) -> Optimum:
    """Maximise `objective'g` over the cone of the rows in `live`, |g_j| <= 1.

    Parameters
    ----------
    cloud : the rows
    live : (n,) mask of the rows that bind
    objective : (r,) array; None maximises the margin t instead, side_i z_i'g >= t
    ties : (k, r) array; `ties g = 0` is asked too
    at : positions of rows to begin with
    """
    at = _beginning(cloud, live) if at is None else np.sort(at)
    z = cloud.take(at)
    while True:
        g, t = _solve(z, objective, ties)
        values = np.where(live, cloud.values(g) - t, np.inf)
        values[at] = np.inf
        new = np.flatnonzero(values < -0.5 * cloud.noise)
        if not len(new):
            return Optimum(g, t, at)
        worst = new[np.argsort(values[new], kind="stable")[:CUTS]]
        new = np.union1d(worst, new[:: len(new) // CUTS + 1])
        z = np.concatenate([z, cloud.take(new)])
        at = np.concatenate([at, new])


def _beginning(cloud: Points, live: Array) -> Array:
    """Some rows of each side, spread evenly."""
    parts = []
    for side in (-1.0, 1.0):
        at = np.flatnonzero(live & (cloud.sides == side))
        parts.append(at[:: len(at) // (2 * CUTS) + 1])
    return np.sort(np.concatenate(parts))


def _solve(z: Array, objective: Array | None, ties: Array | None) -> tuple[Array, float]:
    """One linear programme, `z g >= t`; g = 0 is always allowed, and is the answer where the solver fails."""
    from scipy.optimize import linprog

    m, r = z.shape
    margin = objective is None
    cost = np.zeros(r + margin)
    cost[:r] = 0.0 if objective is None else -objective
    cost[r:] = -TIGHTER  # a margin may be as small as 1e-9
    rows = -TIGHTER * z
    if margin:
        rows = np.column_stack([rows, np.full(m, TIGHTER)])
    equal = None if ties is None else TIGHTER * np.column_stack([ties, np.zeros((len(ties), int(margin)))])
    for tolerance in (1e-10, 1e-9, 1e-8, 1e-7):  # the tightest at which the simplex method ends
        found = linprog(
            cost,
            A_ub=rows,
            b_ub=np.zeros(m),
            A_eq=equal,
            b_eq=None if equal is None else np.zeros(len(equal)),
            bounds=[(-1.0, 1.0)] * r + [(0.0, 1.0)] * margin,
            method="highs-ds",
            options={
                "primal_feasibility_tolerance": tolerance,
                "dual_feasibility_tolerance": 1e-10,
                "maxiter": 50 * (m + r),
            },
        )
        if found.x is not None and found.status == 0:
            return found.x[:r], float(found.x[r]) if margin else 0.0
    return np.zeros(r), 0.0
