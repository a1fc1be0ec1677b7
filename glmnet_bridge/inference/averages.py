"""Averages of the mean and of its slopes over rows, with their gradients, streamed in blocks.

    level       average of mean(x'b) over the rows, with a variable set to a value
    slope       average of d mean / d variable = J (D b)       D = d x / d variable
    gradient    of a level J x;  of a slope H(D b) x + J D     (with respect to b; see `margins`)

A pass forms all of them at once, for each place of a grid and each group of rows. Nothing of the length of
the data is made. What is compared with what, and its standard error, is in `effects`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glmnet_bridge.data.rows import Block, Rows
from glmnet_bridge.errors import DataError
from glmnet_bridge.fitting.covariances import representer, states
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.inference.margins import Margin
from glmnet_bridge.inference.moves import Given, Readings, Slope, Space, Touch, filled, rows_of

Array = np.ndarray
MOVED = 1e-9  # a product below this, in units of its summands, is rounding


@dataclass(frozen=True, slots=True)
class Level:
    """A value that a variable is set to: the same for all rows, or (`shift`) so much more than each row has."""

    value: Any
    shift: bool = False

    def column(self, now: Any) -> Any:
        """The variable's new values `(m,)`."""
        return np.asarray(now, dtype=float) + self.value if self.shift else filled(now, self.value, len(now))


@dataclass(frozen=True, slots=True)
class Target:
    """What is averaged: levels of a variable (or, without one, the rows as they are), or its slope.

    Attributes
    ----------
    name : the variable, or None
    levels : the values it is set to; () for a slope
    touch : the columns that the variable changes, for levels of one
    slope : how the columns move with it, or None
    """

    name: str | None
    levels: tuple[Level, ...] = ()
    touch: Touch | Given | None = None
    slope: Slope | None = None

    @property
    def size(self) -> int:
        """How many averages it makes."""
        return max(len(self.levels), 1)


@dataclass(frozen=True, slots=True)
class Question:
    """All that one pass over the rows answers.

    Attributes
    ----------
    targets : what is averaged
    places : the values at which other variables are held, one dict for each place of the grid
    held : the columns that these variables change
    margin : on which scale
    groups : number of groups of rows
    """

    targets: tuple[Target, ...]
    places: tuple[Mapping[str, Any], ...]
    held: Touch | Given
    margin: Margin
    groups: int = 1


@dataclass(frozen=True, slots=True)
class Averages:
    """Sums over rows, later averages; G groups, S averages, C classes, k linear predictors, p columns.

    Attributes
    ----------
    weight : (G,) weight of the rows
    value : (G, S, C) averages
    gradient : (G, S, C, k, p) with respect to the coefficients
    unknown : (G, S) bool, averages that the fit says nothing about: aliased columns move apart, or a
        slope is infinite
    endless : (G, S) bool, averages over rows at infinity (separated data): limits, without an error
    """

    weight: Array
    value: Array
    gradient: Array
    unknown: Array
    endless: Array

    def __add__(self, other: Averages) -> Averages:
        return Averages(
            self.weight + other.weight,
            self.value + other.value,
            self.gradient + other.gradient,
            self.unknown | other.unknown,
            self.endless | other.endless,
        )

    def divided(self) -> Averages:
        """Averages of sums."""
        with np.errstate(invalid="ignore"):
            weight = self.weight[:, None, None]
            value, gradient = self.value / weight, self.gradient / weight[..., None, None]
        return Averages(self.weight, value, gradient, self.unknown, self.endless)


def payload(n: int, groups: Array | None) -> Array:
    """What the effects need of each row beside its columns, `(n, 2)`: its number, and its group."""
    out = np.zeros((n, 2))
    out[:, 0] = np.arange(n)
    if groups is not None:
        out[:, 1] = groups
    return out


def averages(
    estimate: Estimate,
    rows: Rows,
    space: Space,
    readings: Readings,
    question: Question,
    spans: list[tuple[int, int]] | None = None,
) -> Averages:
    """All averages of a question, in one pass.

    Parameters
    ----------
    estimate : an affine model
    rows : the rows with their `payload` as response; those without weight are left out
    space, readings : the variables, and their values
    question : what to average
    spans : the rows to look at; all by default
    """
    beta = representer(estimate).reshape(-1, space.width).T

    aliased = estimate.rank is not None and len(estimate.rank.dropped) > 0
    sizes = _sizes(rows) if aliased else None

    def part(block: Block) -> Averages:
        return _Pass(estimate, beta, question, block, readings, sizes).sums()

    return rows.sum(part, spans).divided()


def _sizes(rows: Rows) -> Array:
    """Root mean square `(p,)` of each column."""
    squares = rows.sum(lambda block: np.square(block.columns.matrix()).sum(axis=0))
    return np.maximum(np.sqrt(squares / rows.n), 1e-300)


class _Pass:
    """One block of rows: what its places and targets add."""

    def __init__(
        self,
        estimate: Estimate,
        beta: Array,
        question: Question,
        block: Block,
        readings: Readings,
        sizes: Array | None,
    ) -> None:
        self.estimate, self.beta, self.question, self.sizes = estimate, beta, question, sizes
        matrix, w = block.columns.matrix(), block.weights
        start = int(block.response[0, 0])
        values, index = readings.block(start, start + len(w), matrix), readings.index[start : start + len(w)]
        offset, codes = block.offset, block.response[:, 1].astype(int)
        if not w.all():
            chosen = np.flatnonzero(w)
            matrix, w, codes = np.asfortranarray(matrix[chosen]), w[chosen], codes[chosen]
            values, offset = rows_of(values, chosen), None if offset is None else offset[chosen]
            index = index[chosen]
        self.index = index
        self.matrix, self.weights, self.codes, self.values, self.offset = matrix, w, codes, values, offset

    def sums(self) -> Averages:
        (p, k), asked = self.beta.shape, self.question
        c, groups = asked.margin.outputs(k), asked.groups
        size = len(asked.places) * sum(target.size for target in asked.targets)
        value, gradient = np.zeros((groups, size, c)), np.zeros((groups, size, c, k, p))
        unknown, endless = np.zeros((groups, size), dtype=bool), np.zeros((groups, size), dtype=bool)
        weight = np.bincount(self.codes, self.weights, minlength=groups)
        at = 0
        for place in asked.places if len(self.weights) else ():
            scene = self._scene(place)
            for target in asked.targets:
                for found in scene.of(target):
                    value[:, at], gradient[:, at], unknown[:, at], endless[:, at] = found
                    at += 1
        return Averages(weight, value, gradient, unknown, endless)

    def _scene(self, place: Mapping[str, Any]) -> _Scene:
        """The rows with some variables held."""
        m = len(self.weights)
        matrix, values, offset = self.matrix, self.values, self.offset
        if place:
            touch = self.question.held
            held = {name: filled(values[name], value, m) for name, value in place.items()}
            there = {**values, **held}
            matrix = matrix.copy(order="F")
            matrix[:, touch.at] = touch.columns(there, index=self.index)
            offset = _offset(offset, touch, values, there)
            values = there
        eta = matrix @ self.beta
        return _Scene(self, matrix, values, eta if offset is None else eta + offset)


def _offset(now: Array | None, touch: Touch | Given, values: Mapping[str, Any], there: Mapping[str, Any]) -> Any:
    """The offset `(m, k)` with another value of what it is computed from."""
    new, old = touch.offset(there), touch.offset(values)
    return now if new is None or old is None or now is None else now + (new - old)[:, None]


Found = tuple[Array, Array, Array, Array]  # value (G, C), gradient (G, C, k, p), unknown (G,), endless (G,)


class _Scene:
    """Rows at one place of the grid: the averages of each target."""

    def __init__(self, base: _Pass, matrix: Array, values: Mapping[str, Any], eta: Array) -> None:
        self.base, self.matrix, self.values, self.plain = base, matrix, values, eta
        self.margin, self.groups = base.question.margin, base.question.groups
        self.eta, self.gone = self._limits(matrix, eta)

    def of(self, target: Target) -> list[Found]:
        """The averages of a target, one after the other."""
        if target.slope is not None:
            fast = target.slope.constant and self.eta.shape[1] == 1 and not self._special
            return [self._straight(int(target.slope.at[0])) if fast else self._slope(target.slope)]
        if target.name is None:
            return [self._now]
        return [self._moved(target, level) for level in target.levels]

    @property
    def _special(self) -> bool:
        estimate = self.base.estimate
        return estimate.rank is not None or estimate.separation is not None

    # --- levels ---------------------------------------------------------------------------

    def _moved(self, target: Target, level: Level) -> Found:
        """The rows with one variable at a level."""
        touch, name = target.touch, str(target.name)
        assert touch is not None
        if level.shift and level.value == 0.0:
            return self._now
        there = {**self.values, name: level.column(self.values[name])}
        columns, at = self._recoded(touch, there, name), touch.at
        eta = self.plain + (columns - self.matrix[:, at]) @ self.base.beta[at]
        eta = _offset(eta, touch, self.values, there)
        if not self._special:
            # all other columns are as they were: no copy of them is made
            slopes, none = self._weighted_slopes(eta), self._any(None)
            gradient = self._products(self.matrix, slopes)
            gradient[..., at] = self._products(columns, slopes)
            return self._by_group(self.margin.mean(eta) * self.base.weights[:, None]), gradient, none, none
        matrix = self.matrix.copy(order="F")
        matrix[:, at] = columns
        return self._level(matrix, *self._limits(matrix, eta))

    def _recoded(self, touch: Touch | Given, there: Mapping[str, Any], name: str) -> Array:
        try:
            return touch.columns(there, index=self.base.index)
        except DataError as error:
            raise DataError(
                f"{error} This is where the effect moves {name!r} to; give other values, as in "
                f"variables={{{name!r}: (from, to)}}."
            ) from None

    @functools.cached_property
    def _now(self) -> Found:
        """The rows as they are."""
        return self._level(self.matrix, self.eta, self.gone)

    def _level(self, matrix: Array, eta: Array, gone: Array | None) -> Found:
        value = self._by_group(self.margin.mean(eta) * self.base.weights[:, None])
        gradient = self._products(matrix, self._weighted_slopes(eta))
        return value, gradient, self._any(self._broken(matrix)), self._any(gone)

    def _weighted_slopes(self, eta: Array) -> Array:
        return self.margin.slopes(eta) * self.base.weights[:, None, None]

    # --- slopes ---------------------------------------------------------------------------

    def _straight(self, j: int) -> Found:
        """The slope of a variable that is one column: all of these share two sums."""
        slope, bent = self._shared
        beta = self.base.beta[j, 0]
        gradient = beta * bent
        gradient[:, j] += slope[:, 0]
        none = np.zeros(self.groups, dtype=bool)
        return beta * slope, gradient[:, None, None], none, none

    @functools.cached_property
    def _shared(self) -> tuple[Array, Array]:
        """Sums of the slopes `(G, 1)`, and of their change times each column `(G, p)`."""
        bend = self.margin.bend(self.eta, np.ones_like(self.eta))[:, 0, 0]
        slopes = self._weighted_slopes(self.eta)[:, :, 0]
        return self._by_group(slopes), self._by_group(self.matrix, bend * self.base.weights)

    def _slope(self, moves: Slope) -> Found:
        w, at = self.base.weights, moves.at
        columns, offset = moves.columns(self.values, len(w))
        d = columns @ self.base.beta[at]
        if offset is not None:
            d = d + offset[:, None]
        slopes = self.margin.slopes(self.eta)
        value = self._by_group(np.einsum("mck,mk->mc", slopes, d) * w[:, None])
        gradient = self._products(self.matrix, self.margin.bend(self.eta, d) * w[:, None, None])
        gradient[..., at] += self._products(columns, slopes * w[:, None, None])
        whole = np.zeros_like(self.matrix) if self._special else self.matrix
        if self._special:
            whole[:, at] = columns
        unknown = self._any(self._broken(whole, True)) | self._any(self._broken(self.matrix))
        return value, gradient, unknown | self._any(self._runaway(whole)), self._any(self.gone)

    def _runaway(self, columns: Array) -> Array | None:
        """Rows that stay finite, and whose linear predictor has an infinite slope; of several classes any such."""
        separation = self.base.estimate.separation
        if separation is None or self.gone is None:
            return None
        if self.eta.shape[1] > 1:
            infinite = ["inf" in word or word == "either" for word in states(self.base.estimate)]
            moved = np.array(infinite).reshape(self.eta.shape[1], -1).any(axis=0)
            found: Array = (columns[:, moved] != 0.0).any(axis=1)
            return found
        return _nonzero(columns, separation.direction) & ~self.gone

    # --- what holds at all ----------------------------------------------------------------

    def _limits(self, matrix: Array, eta: Array) -> tuple[Array, Array | None]:
        """eta with rows at infinity, and which these are; of several classes all are far out."""
        separation = self.base.estimate.separation
        if separation is None:
            return eta, None
        if eta.shape[1] > 1:
            return eta, np.ones(len(eta), dtype=bool)
        gone = _nonzero(matrix, separation.direction)
        way = np.where(matrix @ separation.direction > 0, np.inf, -np.inf)
        return np.where(gone, way, eta[:, 0])[:, None], gone

    def _broken(self, matrix: Array, moves: bool = False) -> Array | None:
        """Rows (or moves of rows) that break the equation of an aliased column: the fit says nothing about them."""
        rank, sizes = self.base.estimate.rank, self.base.sizes
        if rank is None or sizes is None:
            return None
        off = np.abs(matrix[:, rank.kept] @ rank.equations.T - matrix[:, rank.dropped])
        # an equation has rounding in all its coefficients: it is seen against columns of their usual size
        relative = (np.abs(matrix) / sizes).max(axis=1, keepdims=True)
        size = sizes[rank.dropped] * (relative if moves else np.maximum(relative, 1.0))
        found: Array = (off > 1e-7 * size).any(axis=1)
        return found

    # --- sums by group --------------------------------------------------------------------

    def _products(self, matrix: Array, u: Array) -> Array:
        """`X'u` `(G, C, k, q)` for X `(m, q)` and u `(m, C, k)`."""
        m, c, k = u.shape
        found = self._by_group(matrix, u.reshape(m, c * k))
        return found.transpose(0, 2, 1).reshape(self.groups, c, k, matrix.shape[1])

    def _by_group(self, left: Array, right: Array | None = None) -> Array:
        """Sums `(G, q)` of `left`, or products `left' right`, over the rows of each group."""

        def summed(rows: Any) -> Array:
            found: Array = left[rows].sum(axis=0) if right is None else np.dot(left[rows].T, right[rows])
            return found

        if self.groups == 1:
            return summed(slice(None))[None]
        parts = {int(g): summed(self.base.codes == g) for g in np.unique(self.base.codes)}
        some = next(iter(parts.values()))
        return np.stack([parts.get(g, np.zeros_like(some)) for g in range(self.groups)])

    def _any(self, rows: Array | None) -> Array:
        """Whether any row of each group is marked `(G,)`."""
        if rows is None or not rows.any():
            return np.zeros(self.groups, dtype=bool)
        found: Array = np.bincount(self.base.codes, rows, minlength=self.groups) > 0
        return found


def _nonzero(matrix: Array, direction: Array) -> Array:
    """Rows whose product with a direction is more than rounding."""
    found: Array = np.abs(matrix @ direction) > MOVED * np.maximum(np.abs(matrix) @ np.abs(direction), 1e-300)
    return found
