"""Separation: estimates that run to infinity, proved or refuted, and put into words.

The likelihood of some rows rises for ever in one direction of eta: an event under a logit
link as eta -> +inf, a count of zero under a log link as eta -> -inf. If a direction d of the
coefficients moves such rows their way and moves no other row at all, there is no maximum:

    side_i x_i'd >= 0 for rows with a side,   x_i'd = 0 for the others,   x_i'd != 0 somewhere

(Albert and Anderson 1984; for counts Correia, Guimaraes and Zylkin 2019). The rows that go
off are fitted perfectly in the limit; the others decide which coefficients stay finite: those
whose unit vector lies in the span of their rows. `cones` has the linear programmes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glmnet_bridge.data.rows import ArraySource, Rows, one_blas_thread
from glmnet_bridge.errors import listed
from glmnet_bridge.fitting import cones, linalg
from glmnet_bridge.fitting.cones import CLEAR, SETTLED, Points
from glmnet_bridge.model.families import Family

Array = np.ndarray

WORDS: dict[str, tuple[str, str, str]] = {
    "binomial": ("events", "non-events", "predicted perfectly"),
    "poisson": ("positive counts", "counts of zero", "fitted as exactly 0"),
    "gaussian": ("positive values", "values of zero or less", "fitted as exactly 0"),
    "": ("ones", "zeros", "fitted perfectly"),
}
NEARLY_COLLINEAR = 1e-3  # ratio of singular values below which coordinates are orthonormalised
DISTINCT = 2_000_000  # entries of the table of distinct rows; with more, rows are read block by block
MOST_TRIED = 12  # columns that are tried to be left out of the equation that is shown
NEXT = (
    'Merge or drop what separates the data, or fit with bias_reduction="firth" or a ridge penalty '
    "(penalty=gb.penalties.ridge(1))."
)


def sides(family: Family, response: Array) -> Array | None:
    """Where the likelihood of each row rises for ever: +1 as eta -> inf, -1 as eta -> -inf, 0 nowhere.

    Parameters
    ----------
    family : distribution and link
    response : (n,) or (n, 1) array; for the binomial family a proportion

    Returns
    -------
    (n,) int8 array, or None where no row can have a side:

    - gaussian, identity: the loss grows both ways; inverse: the mean nears 0 at both ends
    - binomial identity, poisson identity and sqrt: eta is bounded where the likelihood rises
    - gamma and inverse gaussian: each row is best at a finite eta, that of its (positive) response
    """
    y = np.asarray(response, dtype=float).reshape(len(response))
    kind = (family.name, family.link.name)
    if family.name == "binomial" and family.link.name not in ("log", "identity"):
        return (y == 1.0).astype(np.int8) - (y == 0.0).astype(np.int8)
    if kind in (("binomial", "log"), ("poisson", "log")):
        # under the log link of a probability events are best at the edge, eta = 0, so they stay
        return -(y == 0.0).astype(np.int8)
    if kind == ("gaussian", "log"):
        return -(y <= 0.0).astype(np.int8)
    return None


@dataclass(frozen=True, slots=True)
class Separation:
    """Which coefficients are infinite, and why.

    Attributes
    ----------
    status : p words: "finite", "+inf", "-inf", "either" (infinite, its sign left open), "aliased"
    direction : (p,) array; along it every row of `goes_off` goes its way and no other row moves
    goes_off : (n,) bool array, rows that are fitted perfectly in the limit
    counts : rows that go to +inf, rows that go to -inf, rows that stay
    levels : (p,) int array, +1 or -1 for a 0/1 column that separates alone
    constant : position of a constant column, or None
    threshold : for words: what the other terms of the direction are compared with
    """

    status: tuple[str, ...]
    direction: Array
    goes_off: Array
    counts: tuple[int, int, int]
    levels: Array
    constant: int | None
    threshold: float

    @property
    def complete(self) -> bool:
        """Whether every row is fitted perfectly."""
        return self.counts[2] == 0

    def sentence(self, names: Sequence[str], family: Family | None = None) -> str:
        """The finding in words: infinite terms, the reason, what stays finite, what to do next.

        Parameters
        ----------
        names : p column names
        family : chooses the words for the response
        """
        infinite = [f"{names[j]} -> {word}" for j, word in enumerate(self.status) if "inf" in word]
        either = [names[j] for j, word in enumerate(self.status) if word == "either"]
        finite = [names[j] for j, word in enumerate(self.status) if word == "finite"]
        parts = [f"{listed(infinite, 6)}:" if infinite else "The data are separated:"]
        parts.append(self._classes() if family is not None and family.joint else self._rows(names, family))
        if either:
            parts.append(f"{listed(either, 6)} run{'s' * (len(either) == 1)} off too, with either sign.")
        parts.append(
            f"{listed(finite, 6)} stay{'s' * (len(finite) == 1)} finite." if finite else "No term stays finite."
        )
        constants = [j for j, name in enumerate(names) if name.split(": ")[-1] == "Intercept"]
        free = any(self.status[j] != "finite" for j in constants)
        return " ".join([*parts, NEXT.replace("ridge(1)", "ridge(1, intercept=True)") if free else NEXT])

    def _rows(self, names: Sequence[str], family: Family | None) -> str:
        """How many rows go off, and which."""
        ups, downs, fitted = WORDS.get("" if family is None else family.name, WORDS[""])
        moving = self.counts[0] + self.counts[1]
        rows = f"{'' if self.counts[2] else 'all '}{moving} row{'s are' if moving > 1 else ' is'}"
        return f"{rows} {fitted} ({self._reason(names, ups, downs)})."

    def _classes(self) -> str:
        """Of several classes: in how many rows some have a probability that tends to 0."""
        perfect, some, _ = self.counts
        found = f"in {perfect + some} rows the probability of one or more classes tends to 0"
        return f"{found}, {perfect} of them are predicted perfectly." if perfect else f"{found}."

    def _reason(self, names: Sequence[str], ups: str, downs: str) -> str:
        """Which rows go off: those of some levels, or those on one side of an equation."""
        up, down, left = self.counts
        used = [int(j) for j in np.flatnonzero(self.direction)]
        if self.levels[used].all():
            found = [f"{names[j]} = 1 has only {ups if self.levels[j] > 0 else downs}" for j in used]
            return listed(found, 4)
        terms = [j for j in used if j != self.constant]
        if not terms:
            return f"there are only {ups if up else downs}"
        if len(terms) > 6:
            return f"a combination of {len(terms)} terms tells {ups} from {downs}"
        text, at = _combination(self.direction, terms, names), f"{self.threshold:.6g}"
        if not (up and down):
            return f"{text} {'>' if up else '<'} {at} has only {ups if up else downs}"
        rest = f", = {at} the rest" if left else ""
        return f"{text} > {at} has only {ups}, < {at} only {downs}{rest}"


def _combination(direction: Array, terms: Sequence[int], names: Sequence[str]) -> str:
    """`10*x1 - 3*x2`."""
    text = ""
    for j in terms:
        size, sign = abs(direction[j]), "-" if direction[j] < 0 else "+"
        term = names[j] if size == 1.0 else f"{size:.4g}*{names[j]}"
        text += f" {sign} {term}" if text else f"{'-' if sign == '-' else ''}{term}"
    return text


def prove(rows: Rows, sides: Array, kept: Array, *, tolerance: float = 1e-12) -> Separation | None:
    """Prove separation, or find that there is none.

    Parameters
    ----------
    rows : the rows; those of weight 0 do not count. The answer is about their columns as they
        are read, so give raw columns (`rows.standardised(None, None)`)
    sides : (n,) array of `sides`
    kept : positions of linearly independent columns
    tolerance : data that overlap by less than this (relative to the size of the rows) count as
        separated; at least the rounding error of the columns is allowed for

    Returns
    -------
    None where the maximum exists (or its absence could not be proved)
    """
    counted = rows.weights > 0
    signs = np.where(counted, sides, 0).astype(float)
    if not signs.any() or not len(kept):
        return None
    with one_blas_thread():
        return _proved(rows, signs, counted, kept, tolerance)


def _proved(rows: Rows, signs: Array, counted: Array, kept: Array, tolerance: float) -> Separation | None:
    """The distinct rows decide, if they are few; all rows confirm."""
    few = _distinct(rows, signs, counted)
    if few is not None:
        axes = _axes(few[0], few[1], np.ones(few[0].n, bool), kept, tolerance)
        cone = _cone(axes)
        if cone is None:
            return None  # what some rows refute, all rows refute
        whole = cones.points(rows, signs, axes.cloud.map, counted, axes.cloud.noise)
        found = _stated(replace(axes, cloud=whole), cone)
        if found is not None:
            return found
    axes = _axes(rows, signs, counted, kept, tolerance)
    cone = _cone(axes)
    return None if cone is None else _stated(axes, cone)


def _distinct(rows: Rows, signs: Array, counted: Array) -> tuple[Rows, Array] | None:
    """The distinct rows with their signs, or None if they are too many.

    Rows are told apart by a random projection. Two that fall together by chance cost a second
    run, never a wrong answer: every finding is checked on all rows.
    """
    start, stop = rows.spans()[0]
    size = np.abs(rows.block(start, stop).columns.matrix()).max(axis=0, initial=0.0)
    weights = np.random.default_rng(0).uniform(1.0, 2.0, len(size)) / np.where(size > 0, size, 1.0)
    most = DISTINCT // max(len(size), 1)
    seen = {side: np.zeros(0) for side in (-1.0, 0.0, 1.0)}
    parts: list[tuple[Array, Array]] = []
    for start, stop in rows.spans():
        columns = rows.block(start, stop).columns
        keys = columns.dot(weights[:, None])[:, 0]
        for side, known in seen.items():
            at = np.flatnonzero(counted[start:stop] & (signs[start:stop] == side))
            found, first = np.unique(keys[at], return_index=True)
            new = ~np.isin(found, known)
            seen[side] = np.concatenate([known, found[new]])
            matrix = cones.some(columns, at[first[new]]).matrix()
            parts.append((matrix, np.full(len(matrix), side)))
        if sum(map(len, seen.values())) > most:
            return None
    table = np.concatenate([matrix for matrix, _ in parts])
    m = len(table)
    return Rows(ArraySource(table), np.zeros((m, 1)), np.ones(m)), np.concatenate([side for _, side in parts])


@dataclass(frozen=True, slots=True)
class _Axes:
    """The rows in coordinates of their own, and what their columns look like.

    Attributes
    ----------
    cloud : Points
    constant : position of a constant column, or None; `height` is its value
    levels : (p,) mask of 0/1 columns
    """

    cloud: Points
    constant: int | None
    height: float
    levels: Array


def _axes(rows: Rows, signs: Array, counted: Array, kept: Array, tolerance: float) -> _Axes:
    """Coordinates in which columns have unit size, lie near 0 and are not nearly collinear."""
    low, high, size, levels = _ranges(rows, counted)
    steady = [int(j) for j in kept if low[j] == high[j] != 0]
    constant, height = (steady[0], float(low[steady[0]])) if steady else (None, 1.0)
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    far = (np.abs(middle) > 4.0 * half) & (half > 0) & (constant is not None)
    scale = np.where(far, half, size)
    to_raw = np.diag(1.0 / scale)
    if constant is not None:
        to_raw[constant] -= np.where(far, middle / scale / height, 0.0)
    # what rounding of the raw columns amounts to in these coordinates
    noise = 16.0 * np.finfo(float).eps * float(np.where(far, np.abs(middle) / scale, 1.0)[kept].max())
    to_raw = to_raw[:, kept]
    r = cones.points(rows, signs, to_raw, counted, noise).triangle(counted)
    independent = linalg.rank(r).kept
    if len(independent) < len(kept):
        return _axes(rows, signs, counted, kept[independent], tolerance)
    norms = np.sqrt((r * r).sum(axis=0))
    sizes = np.linalg.svd(r / norms, compute_uv=False)
    if sizes[-1] < NEARLY_COLLINEAR * sizes[0]:
        to_raw = to_raw @ np.linalg.inv(r)
        noise *= float(sizes[0] / sizes[-1])
    cloud = cones.points(rows, signs, to_raw, counted, min(max(tolerance, noise), CLEAR))
    return _Axes(cloud, constant, height, levels)


def _ranges(rows: Rows, counted: Array) -> tuple[Array, Array, Array, Array]:
    """Per column of the rows that count: least, largest, typical size where not 0, whether it is 0 or 1."""
    p = rows.source.layout.width
    low, high = np.full(p, np.inf), np.full(p, -np.inf)
    total, many, levels = np.zeros(p), np.zeros(p), np.ones(p, dtype=bool)
    for start, stop in rows.spans():
        matrix = rows.block(start, stop).columns.matrix()[counted[start:stop]]
        low = np.minimum(low, matrix.min(axis=0, initial=np.inf))
        high = np.maximum(high, matrix.max(axis=0, initial=-np.inf))
        moved = matrix != 0
        # the geometric mean: a few huge values must not hide what happens among the others
        total += np.log(np.abs(matrix), out=np.zeros_like(matrix), where=moved).sum(axis=0)
        many += moved.sum(axis=0)
        levels &= ((matrix == 0) | (matrix == 1)).all(axis=0)
    return low, high, np.exp(total / np.maximum(many, 1.0)), levels


@dataclass(frozen=True, slots=True)
class _Cone:
    """What the rows say.

    Attributes
    ----------
    direction : (p,) array; all rows that can go off do so along it
    edge : the least that one of them goes
    status : p words
    alone : (p,) int array, the sign of columns that separate alone, else 0
    """

    direction: Array
    edge: float
    status: tuple[str, ...]
    alone: Array


def _cone(axes: _Axes) -> _Cone | None:
    """The cone of these rows: who goes off, in which direction, and with which signs; None if nobody does."""
    cloud = axes.cloud
    gone = cones.departures(cloud)
    if not gone.any():
        return None
    staying = np.isfinite(cloud.norms) & ~gone
    inner = cloud.within(cloud.still(staying, SETTLED)) if staying.any() else cloud
    free = _lengths(inner.map) > SETTLED * _lengths(cloud.map)
    inner = replace(inner, map=np.where(free[:, None], inner.map, 0.0))
    live = gone & np.isfinite(inner.norms)
    best = cones.maximise(inner, live, None)
    if best.t <= 10.0 * cloud.noise:
        return None  # no margin that rounding could not have made
    status = np.where((cloud.map != 0).any(axis=1), "finite", "aliased").astype(object)
    status[free] = _states(inner, live, best, np.flatnonzero(free))
    direction = _simplest(inner, live, best, np.flatnonzero(status == "either"), axes.constant)
    direction, edge = _rounded(cloud, gone, direction, axes.constant)
    return _Cone(direction, edge, tuple(status), cones.single(cloud)[0])


def _lengths(map: Array) -> Array:
    return np.sqrt((map * map).sum(axis=1))


def _states(inner: Points, live: Array, best: cones.Optimum, free: Array) -> list[str]:
    """The sign that each infinite coefficient has in all directions of the cone, if it has one."""
    words, seen, at = [], [best.g], best.at
    for j in free:
        row = inner.map[j] / _lengths(inner.map[[j]])[0]
        here = float(row @ best.g)
        sign = 1.0 if here > 0 else -1.0
        # a ball of radius t around the direction lies in the cone; 0.99: a sign is not open on its surface
        open_sign = abs(here) < 0.99 * best.t or any(sign * (row @ g) < -CLEAR for g in seen)
        if not open_sign and inner.width > 1:
            other = cones.maximise(inner, live, -sign * row, at=at)
            at, seen = other.at, [*seen, other.g]
            open_sign = sign * (row @ other.g) < -CLEAR
        words.append("either" if open_sign else "+inf" if sign > 0 else "-inf")
    return words


def _simplest(inner: Points, live: Array, best: cones.Optimum, either: Array, constant: int | None) -> Array:
    """A direction that does without the columns that it can do without: those of open sign, if anything."""
    if len(either) <= MOST_TRIED:
        least = best.t * 1e-3
        rows = inner.map / np.maximum(_lengths(inner.map), np.finfo(float).tiny)[:, None]
        order = sorted(either, key=lambda j: (j == constant, abs(rows[j] @ best.g)))
        dropped: list[int] = []
        for j in order:
            found = cones.maximise(inner, live, None, ties=rows[[*dropped, j]], at=best.at)
            if found.t > max(least, 10.0 * inner.noise):
                best, dropped = found, [*dropped, j]
        direction = inner.map @ best.g
        direction[dropped] = 0.0
        return direction
    return inner.map @ best.g


def _rounded(cloud: Points, gone: Array, direction: Array, constant: int | None) -> tuple[Array, float]:
    """The direction in round numbers, if they send off the same rows, and the least way that a row goes."""
    slopes = np.flatnonzero(direction)
    slopes = slopes[slopes != constant] if len(slopes) > 1 else slopes
    exact = direction / np.abs(direction[slopes]).min()
    staying = np.isfinite(cloud.norms) & ~gone

    def edge(d: Array) -> float:
        way = cloud.along(d)
        rest = float(np.abs(way[staying]).max(initial=0.0))
        stays = rest <= 4.0 * cloud.noise * np.abs(way).max()
        return float((cloud.sides * way)[gone].min()) if stays else -1.0

    reference = edge(exact)
    for scaled in _round_slopes(exact, slopes):
        for digits in (2, 3, 4, 6):
            trial = scaled.copy()
            if constant is not None and constant not in slopes:
                trial[constant] = _digits(scaled[constant], digits)
            size = float(np.abs(trial[slopes]).max() / np.abs(exact[slopes]).max())
            reached = edge(trial)
            if reached >= 0.3 * size * reference > 0:
                return trial, reached
    return exact, float((cloud.sides * cloud.along(exact))[gone].min())


def _round_slopes(exact: Array, slopes: Array) -> list[Array]:
    """The direction with slopes in small whole numbers where they are, else in two or three digits."""
    out = []
    for times in range(1, 13):
        whole = np.round(exact * times)
        if np.allclose(whole[slopes], exact[slopes] * times, rtol=1e-6, atol=0.0):
            trial = exact * times
            trial[slopes] = whole[slopes]
            out.append(trial)
            break
    for digits in (2, 3):
        trial = exact.copy()
        trial[slopes] = [_digits(value, digits) for value in exact[slopes]]
        out.append(trial)
    return [*out, exact]


def _digits(value: float, digits: int) -> float:
    return float(f"{value:.{digits - 1}e}")


def _stated(axes: _Axes, cone: _Cone) -> Separation | None:
    """The finding, checked on all rows; None if some row contradicts it."""
    cloud, d = axes.cloud, cone.direction
    way = cloud.along(d)
    goes_off = cloud.sides * way > 0.5 * cone.edge
    staying = np.isfinite(cloud.norms) & ~goes_off
    rest = float(np.abs(way[staying]).max(initial=0.0))
    if not goes_off.any() or rest > SETTLED * np.abs(way).max():
        return None
    up, down = int((goes_off & (cloud.sides > 0)).sum()), int((goes_off & (cloud.sides < 0)).sum())
    left = int((cloud.rows.weights > 0).sum()) - up - down
    constant = axes.constant
    threshold = 0.0 if constant is None else 0.0 - float(d[constant]) * axes.height
    levels = np.where(axes.levels & (np.arange(len(d)) != constant), cone.alone, 0)
    return Separation(cone.status, d, goes_off, (up, down, left), levels, constant, threshold)
