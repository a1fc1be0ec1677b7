"""What the information changes by in a last small step, so that standard errors are those of where a fit ends.

    I(end) - I(near) = X' diag(dw) X        and        (1 - r) I <= I(end) <= (1 + r) I,   r = max |dw / w|

The bound r holds whatever the leverage of a row, and a pass that forms the score has it nearly for
nothing. Where it does not suffice, the change is seen on runs of rows; it is believed where the runs
agree and no other row moves much further than theirs. Else the information is summed again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glmnet_bridge.data.rows import Block, Rows
from glmnet_bridge.model.models import Model, Sums

Array = np.ndarray
Spans = list[tuple[int, int]]

ENOUGH = 1.6e-8  # relative error of the information; that of a standard error is half of it
BEYOND = 1.7  # the furthest of all rows, in units of the furthest in the runs, where there are no tails
HEAVY = 8.0  # the furthest row in units of the root mean square, from which there are
SURE = 3.0  # standard errors of what the runs say


@dataclass(frozen=True, slots=True)
class Reach:
    """How far rows move: the largest relative change of a row's information, the sum of squares, and the rows."""

    largest: float
    squares: float
    rows: int

    def __add__(self, other: Reach) -> Reach:
        return Reach(max(self.largest, other.largest), self.squares + other.squares, self.rows + other.rows)

    @property
    def heavy(self) -> bool:
        """Whether some rows move so much further than most that others, not seen, may move further still."""
        return self.largest > HEAVY * np.sqrt(self.squares / max(self.rows, 1))


@dataclass(frozen=True, slots=True)
class Last:
    """The score of all rows where a fit ends, and how far they moved to get there."""

    sums: Sums
    reach: Reach

    def __add__(self, other: Last) -> Last:
        return Last(self.sums + other.sums, self.reach + other.reach)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the information as runs of rows show it.

    Attributes
    ----------
    info : (P, P) change, scaled to all rows
    error : largest standard error of its diagonal, relative to that of the information
    reach : of the rows in the runs
    """

    info: Array
    error: float
    reach: Reach

    @property
    def known(self) -> bool:
        """Whether the runs agree."""
        return SURE * self.error <= ENOUGH

    @property
    def hopeless(self) -> bool:
        """Whether neither the runs nor the bound over all rows will do."""
        return (not self.known or self.reach.heavy) and self.reach.largest > ENOUGH

    def covers(self, reach: Reach) -> bool:
        """Whether the runs speak for all rows, which moved by `reach`."""
        return self.known and reach.largest <= BEYOND * self.reach.largest


def last(model: Model, rows: Rows, near: Array, theta: Array) -> Last:
    """One pass: the score at `theta`, and how far the rows moved from `near`."""
    score, moved = model.part(theta, "score"), Moved(model, near, theta)
    return rows.sum(lambda block: Last(score(block), moved(block)))


def change(model: Model, rows: Rows, spans: Spans, share: float, info: Array, near: Array, theta: Array) -> Change:
    """The change of `info` from `near` to `theta` as `spans` of rows show it, which are this share of all.

    The spans lie in the order of the rows, which may be sorted: the error is judged by differences of neighbours.
    """
    moved = Moved(model, near, theta)
    before, after = model.part(near, "expected"), model.part(theta, "expected")
    reach, total, previous = Reach(0.0, 0.0, 0), np.zeros_like(info), None
    squares = np.zeros(len(info)) if len(spans) > 1 else np.full(len(info), np.inf)
    for span in spans:
        block = rows.block(*span)
        reach += moved(block)
        part = _info(after(block)) - _info(before(block))
        total += part
        if previous is not None:
            squares += (part.diagonal() - previous) ** 2
        previous = part.diagonal()
    neighbours = len(spans) / max(2.0 * (len(spans) - 1), 1.0)
    error = np.sqrt(squares * neighbours) / share / info.diagonal()
    return Change(total / share, float(error.max(initial=0.0)), reach)


def _info(sums: Sums) -> Array:
    assert sums.expected is not None
    return sums.expected


class Moved:
    """How far the rows of a block move between two points, at most: in the linear predictor, or in their weights."""

    def __init__(self, model: Model, near: Array, theta: Array) -> None:
        self.model, self.near, self.theta = model, near, theta
        # |dw / w| <= |d eta|, and eta is linear in theta
        self.step = model.network.at(theta - near)
        self.directly = model.network.plain and model.family.link.name in ("logit", "log") and not model.family.joint

    def __call__(self, block: Block) -> Reach:
        sizes = self._sizes(block)
        if not block.weights.all():
            sizes = sizes[block.weights > 0]
        # the largest of both signs: absolute values would be another array
        largest = max(float(sizes.max(initial=0.0)), -float(sizes.min(initial=0.0)))
        return Reach(largest, float(np.vdot(sizes, sizes)), len(sizes))

    def _sizes(self, block: Block) -> Array:
        if self.directly:
            return self.step.forward(block.columns)[0]
        old, new = self.model.eta(block, self.near), self.model.eta(block, self.theta)
        if self.model.family.joint:
            # a covariance of classes changes by at most twice the range of the changes, of which 0 is one
            gap = new - old
            return 2.0 * (gap.max(axis=1, initial=0.0) - gap.min(axis=1, initial=0.0))[:, None]
        before, after = (self.model.family.local(block.response, eta).expected for eta in (old, new))
        return np.divide(after - before, before, out=np.zeros_like(before), where=before > 0)
