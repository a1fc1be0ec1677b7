"""Random data of small whole numbers, and whether and how they are separated, decided without the package.

With whole numbers every row that can go off can go a whole step, so that one linear programme

    maximise  sum t_i,   0 <= t_i <= 1,   side_i x_i'd >= t_i,   x_i'd = 0 for a row without a side

ends with each t_i at 0 or 1, and no tolerance decides anything. What the fit is given are the same
columns in other units, with weights and offsets, none of which has a say in separation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from scipy.optimize import linprog

Array = np.ndarray

SIDED = ("logit", "probit", "cloglog", "loglog", "cauchit")


@dataclass(frozen=True)
class Problem:
    """Data of one fit.

    Attributes
    ----------
    family, link : names
    whole : (n, p) columns in whole numbers
    units : (p,) what each column is multiplied by
    y : (n,) response, a proportion for the binomial family
    trials : (n,) whole numbers or None
    weights : (n,) prior weights, some may be 0, or None
    offset : (n,) or None
    """

    family: str
    link: str
    whole: Array
    units: Array
    y: Array
    trials: Array | None
    weights: Array | None
    offset: Array | None

    @property
    def columns(self) -> Array:
        return self.whole * self.units

    @property
    def counted(self) -> Array:
        return np.ones(len(self.y), bool) if self.weights is None else self.weights > 0

    @property
    def sides(self) -> Array:
        """Where each row that counts goes off to: +1, -1 or 0."""
        zero, one = (self.y <= 0) * -1.0, (self.y == 1) * 1.0
        if self.link in SIDED:
            return np.where(self.counted, zero + one, 0.0)
        return np.where(self.counted & (self.link == "log"), zero, 0.0)


@dataclass(frozen=True)
class Truth:
    """Status of each coefficient and the rows that go off; `status` is None without separation."""

    status: tuple[str, ...] | None
    goes_off: Array = field(repr=False)
    kept: Array = field(repr=False)


def independent(matrix: Array) -> Array:
    """Positions of the columns that are no combination of earlier ones, in exact arithmetic."""
    reduced: list[tuple[int, list[Fraction]]] = []
    kept = []
    for j in range(matrix.shape[1]):
        column = [Fraction(int(value)) for value in matrix[:, j]]
        for pivot, known in reduced:
            if column[pivot]:
                times = column[pivot] / known[pivot]
                column = [a - times * b if b else a for a, b in zip(column, known, strict=True)]
        pivot = next((i for i, value in enumerate(column) if value), None)
        if pivot is not None:
            reduced.append((pivot, column))
            kept.append(j)
    return np.array(kept, dtype=int)


def truth(problem: Problem) -> Truth:
    """Separation of the problem, from its whole numbers."""
    counted, sides = problem.counted, problem.sides
    x = problem.whole[counted].astype(float)
    kept = independent(problem.whole[counted])
    x, side = x[:, kept], sides[counted]
    gone = np.zeros(len(sides), bool)
    moving = side != 0
    if not moving.any() or not len(kept):
        return Truth(None, gone, kept)
    signed, fixed = x[moving] * side[moving, None], x[~moving]
    m, p = signed.shape
    found = linprog(
        np.r_[np.zeros(p), -np.ones(m)],
        A_ub=np.hstack([-signed, np.eye(m)]),
        b_ub=np.zeros(m),
        A_eq=np.hstack([fixed, np.zeros((len(fixed), m))]) if len(fixed) else None,
        b_eq=np.zeros(len(fixed)) if len(fixed) else None,
        bounds=[(None, None)] * p + [(0, 1)] * m,
        method="highs",
    )
    t = found.x[p:]
    assert found.status == 0 and (np.abs(t - np.round(t)) < 1e-6).all()
    off = t > 0.5
    if not off.any():
        return Truth(None, gone, kept)
    gone[np.flatnonzero(counted)[np.flatnonzero(moving)[off]]] = True
    status = np.full(problem.whole.shape[1], "aliased", dtype=object)
    still = np.vstack([fixed, signed[~off]])
    for j, place in enumerate(kept):
        status[place] = _word(signed[off], still, j)
    return Truth(tuple(status), gone, kept)


def _word(signed: Array, still: Array, j: int) -> str:
    """What the directions of the cone do to coefficient j."""
    p = signed.shape[1]
    can = []
    for way in (1.0, -1.0):
        cost = np.zeros(p)
        cost[j] = -way
        found = linprog(
            cost,
            A_ub=-signed,
            b_ub=np.zeros(len(signed)),
            A_eq=still if len(still) else None,
            b_eq=np.zeros(len(still)) if len(still) else None,
            bounds=[(-1, 1)] * p,
            method="highs",
        )
        assert found.status == 0 and (-found.fun < 1e-7 or -found.fun > 1e-5)
        can.append(-found.fun > 1e-6)
    return {(True, True): "either", (True, False): "+inf", (False, True): "-inf", (False, False): "finite"}[tuple(can)]


def draw(seed: int) -> Problem:
    """A random problem; about half of them are separated."""
    random = np.random.default_rng(seed)
    family, link = FAMILIES[random.integers(len(FAMILIES))]
    n = int(random.integers(8, 80))
    whole = _columns(random, n)
    p = whole.shape[1]
    trials = random.integers(1, 6, n) if family == "binomial" and random.random() < 0.3 else None
    y = _response(random, family, whole, trials)
    weights = None
    kind = random.choice(["none", "none", "mild", "wide", "zeros"])
    if kind != "none":
        weights = 10.0 ** random.uniform(*((-1, 1) if kind == "mild" else (-8, np.log10(50.0))), n)
        if kind == "zeros":
            weights[random.random(n) < 0.2] = 0.0
    offset = None
    if random.random() < 0.5:
        offset = random.choice([0.1, 1.0, 5.0, 30.0, 200.0]) * random.normal(size=n)
    units = np.ones(p) if random.random() < 0.5 else 10.0 ** random.integers(-6, 7, p)
    return Problem(family, link, whole, units, y, trials, weights, offset)


FAMILIES = [("binomial", link) for link in SIDED] * 4 + [
    ("binomial", "log"),
    ("poisson", "log"),
    ("poisson", "log"),
    ("poisson", "log"),
]


def _columns(random: np.random.Generator, n: int) -> Array:
    parts = [np.ones((n, 1))] if random.random() < 0.8 else []
    for _ in range(random.integers(1, 4)):
        kind = random.choice(["number", "level", "rare", "factor", "product"])
        if kind == "number":
            parts.append(random.integers(-3, 4, (n, 1)))
        elif kind == "level":
            parts.append(random.integers(0, 2, (n, 1)))
        elif kind == "rare":
            parts.append((np.arange(n) < random.integers(1, 4))[random.permutation(n)][:, None])
        elif kind == "factor":
            parts.append(np.eye(4)[random.integers(0, 4, n)][:, 1:])
        else:
            parts.append(random.integers(0, 2, (n, 1)) * random.integers(-3, 4, (n, 1)))
    whole = np.hstack(parts).astype(int)
    if random.random() < 0.25:  # a column twice, or a sum of others
        again = whole[:, random.integers(whole.shape[1], size=random.integers(1, 3))].sum(axis=1, keepdims=True)
        whole = np.hstack([whole, again])
    return whole


def _response(random: np.random.Generator, family: str, whole: Array, trials: Array | None) -> Array:
    n, p = whole.shape
    eta = whole @ random.normal(size=p)
    kind = random.choice(["any", "any", "any", "split", "tied", "level"])
    way = np.sign(whole @ random.integers(-2, 3, p))
    if kind == "split":
        way = np.where(way == 0, random.choice([-1, 1]), way)
    elif kind == "level":
        j = random.integers(p)
        way = np.where(whole[:, j] == whole[random.integers(n), j], random.choice([-1, 1]), 0)
    elif kind == "any":
        way = np.zeros(n)
    if family == "poisson":
        counts = random.poisson(np.exp(np.clip(0.4 * eta, -2, 2)))
        return np.where(way < 0, 0, np.where(way > 0, counts + 1, counts)).astype(float)
    m = np.ones(n, int) if trials is None else trials
    events = random.binomial(m, 1 / (1 + np.exp(-np.clip(0.7 * eta, -3, 3))))
    return np.where(way < 0, 0, np.where(way > 0, m, events)) / m
