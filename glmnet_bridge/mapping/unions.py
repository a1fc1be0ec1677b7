"""Unions: the columns U that the formula and the network share, and the inputs in terms of them.

    inputs = U M,        1 = U ones

The formula's columns come first. An input that is one of them stays it; one level of a factor
that the formula codes is solved for in the factor's own small table of contrasts; what is left
is appended as a column that only the network has, unless the rows show that it is an exact
linear combination of earlier ones. A network with a bias beside a formula without intercept
appends the constant in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from glmnet_bridge.data.rows import Array, Block, Columns, Layout, Rows, Source
from glmnet_bridge.design.designs import Design, Grouping
from glmnet_bridge.fitting import linalg
from glmnet_bridge.fitting.covariances import equation
from glmnet_bridge.fitting.linalg import Rank
from glmnet_bridge.mapping.inputs import Chosen, Fed, dense, plain_variable
from glmnet_bridge.mapping.pieces import OfLevels
from glmnet_bridge.model.networks import Inputs, Network

CONSTANT = "Intercept"
SMALL = 12  # largest denominator that a weight is read as


@dataclass(frozen=True, slots=True)
class Beside:
    """The columns of one source, then some of another (`picks`), then the constant if `constant`."""

    first: Source
    second: Source | None
    picks: tuple[int, ...]
    constant: bool = False
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        at, width = self.first.layout, self.first.layout.width
        added = np.arange(width, width + len(self.picks))
        table, at_table = at.table, at.at_table
        if self.constant:
            table = np.column_stack([table, np.ones(len(table))])
            at_table = np.append(at_table, width + len(self.picks))
        object.__setattr__(self, "layout", Layout(np.concatenate([at.at_dense, added]), at_table, table))

    @property
    def n(self) -> int:
        return self.first.n

    def read(self, start: int, stop: int) -> tuple[Array, Array | None]:
        own, cell = self.first.read(start, stop)
        if self.second is None or not self.picks:
            return own, cell
        out = np.empty((len(own), own.shape[1] + len(self.picks)), order="F")
        out[:, : own.shape[1]] = own
        out[:, own.shape[1] :] = dense(Chosen(self.second, self.picks), start, stop)
        return out, cell


@dataclass(frozen=True, slots=True)
class Combined:
    """Combinations of columns, `U W` with W `(q, r)`; `constant` is the place of the one that is 1, or -1."""

    source: Source
    matrix: Array
    constant: int = -1

    @property
    def n(self) -> int:
        return self.source.n

    @property
    def layout(self) -> Layout:
        at, ones = np.arange(self.matrix.shape[1]), int(self.constant >= 0)
        return Layout(at[at != self.constant], at[at == self.constant], np.ones((1, ones)))

    def read(self, start: int, stop: int) -> tuple[Array, Array | None]:
        columns = Columns(*self.source.read(start, stop), self.source.layout)
        return columns.dot(self.matrix[:, self.layout.at_dense]), None


@dataclass(frozen=True, slots=True)
class Union:
    """The columns U of formula and network together; q of them, the first `own` are the formula's.

    Attributes
    ----------
    names : of the q columns
    own : how many are the formula's
    source : Source of the q columns
    inputs : what the network is fed, in terms of them; aliased columns are not used
    rank : which of the formula's columns the others determine, or None
    picks : which of the inputs' own columns (`Fed.others`) became columns
    constant : whether the constant became one
    aliases : inputs that are combinations of the columns, each with its equation
    """

    names: tuple[str, ...]
    own: int
    source: Source
    inputs: Inputs
    rank: Rank | None
    picks: tuple[int, ...]
    constant: bool
    aliases: dict[str, str]

    @property
    def kept(self) -> Array:
        """Positions of the independent columns."""
        return np.arange(len(self.names)) if self.rank is None else self.rank.kept

    @property
    def wider(self) -> bool:
        """Whether the network has columns that the formula lacks."""
        return len(self.names) > self.own


def unite(design: Design, rows: Rows, fed: Fed, network: Network, rank: Rank | None = None) -> Union:
    """Find the columns of formula and network together.

    Parameters
    ----------
    design : the formula's p columns
    rows : the rows used, over these columns
    fed : what the network is fed
    network : to see whether it needs the constant
    rank : the rank decision of the formula's fit, if there was one
    """
    known = _Known(design, _constant(design))
    vectors = [known.vector(at, meaning) for at, meaning in zip(fed.own, fed.meanings, strict=True)]
    open_inputs = [j for j, vector in enumerate(vectors) if vector is None]
    needs = known.ones is None and adds_constant(network)
    picks: tuple[int, ...] = ()
    constant, found, ones = False, rank, known.ones
    if open_inputs or needs:
        candidates = tuple(fed.places[j] for j in open_inputs)
        wide = Beside(rows.source, fed.others, candidates, needs)
        found = _decide(replace(rows, source=wide), len(design.names), needs)
        picks, constant, filled, late = _place(found, len(design.names), candidates, needs)
        vectors = [next(filled) if vector is None else vector for vector in vectors]
        ones = ones if late is None else late
        found = _among_own(found, len(design.names), len(picks) + constant)
    added = [fed.names[j] for j in open_inputs if fed.places[j] in picks]
    names = _named(design.names, added, constant)
    whole = [_whole(vector, names, found) for vector in vectors if vector is not None]
    ones = None if ones is None else _whole(ones, names, found)
    columns = list(names)
    return Union(
        names=names,
        own=len(design.names),
        source=Beside(rows.source, fed.others, picks, constant) if picks or constant else rows.source,
        inputs=Inputs(fed.names, np.column_stack(whole), ones),
        rank=found if found is not None and len(found.dropped) else None,
        picks=picks,
        constant=constant,
        aliases={
            name: equation(vector, columns) or "0"
            for name, vector, at in zip(fed.names, whole, fed.own, strict=True)
            if at < 0 and not _is_unit(vector)
        },
    )


def over_columns(design: Design, rows: Rows, inputs: Inputs, rank: Rank | None) -> Union:
    """The formula's columns alone, for a network whose inputs are already written in terms of them."""
    names = design.names
    matrix = np.eye(len(names)) if inputs.matrix is None else inputs.matrix
    whole = np.column_stack([_whole(column, names, rank) for column in matrix.T])
    known = inputs.ones if inputs.ones is not None else _constant(design)
    ones = None if known is None else _whole(known, names, rank)
    found = rank if rank is not None and len(rank.dropped) else None
    return Union(names, len(names), rows.source, Inputs(inputs.names, whole, ones), found, (), False, {})


def decide_rank(rows: Rows) -> Rank | None:
    """Which of the columns others determine; None where all are independent."""
    found = _decide(rows, rows.source.layout.width, False)
    return found if len(found.dropped) else None


def adds_constant(network: Network) -> bool:
    """Whether some layer adds a number to every row."""
    return any(layer.shifts for layer in network.layers)


# --- what is known without reading a row ------------------------------------------------------


def _constant(design: Design) -> Array | None:
    """How the formula's columns write the constant: its intercept, or a factor that is coded in full."""
    p = len(design.names)
    if CONSTANT in design.names:
        return np.eye(p)[design.names.index(CONSTANT)]
    for factor in design.factors:
        if factor.columns:
            found = _solved(factor, design, None, np.ones(len(factor.levels)))
            if found is not None:
                return found
    return None


@dataclass(frozen=True, slots=True)
class _Known:
    """What the formula itself says; `ones` is the constant in terms of its columns, or None."""

    design: Design
    ones: Array | None

    def vector(self, own: int, meaning: OfLevels | None) -> Array | None:
        """An input in terms of the formula's p columns, or None if only the rows can tell."""
        if own >= 0:
            return np.eye(len(self.design.names))[own]
        if meaning is None:
            return None
        for factor in self.design.factors:
            if factor.columns and plain_variable(self.design, factor.name) == meaning.variable:
                given = dict(zip(meaning.levels, meaning.weights, strict=True))
                target = np.array([float(given.get(level, 0.0)) for level in factor.levels])
                found = _solved(factor, self.design, self.ones, target)
                if found is not None:
                    return found
        return None


def _solved(factor: Grouping, design: Design, ones: Array | None, target: Array) -> Array | None:
    """A function of the levels `(levels,)` as a combination of the factor's columns and the constant."""
    matrix = factor.matrix
    square = matrix.shape[0] == matrix.shape[1]
    system = matrix if square or ones is None else np.column_stack([np.ones(len(matrix)), matrix])
    weights = np.linalg.lstsq(system, target, rcond=None)[0]
    weights = snapped(np.where(np.abs(weights) > 1e-12, weights, 0.0))
    if not np.allclose(system @ weights, target, rtol=0, atol=1e-12 * max(1.0, np.abs(target).max())):
        return None
    out = np.zeros(len(design.names))
    out[[design.names.index(name) for name in factor.columns]] = weights[-matrix.shape[1] :]
    return out if system is matrix or ones is None else out + weights[0] * ones


def snapped(values: Array) -> Array:
    """Values within rounding of a ratio of small whole numbers become it exactly."""
    out = np.array(values, dtype=float)
    for denominator in range(SMALL, 0, -1):
        near = np.round(values * denominator) / denominator
        out = np.where(np.abs(values - near) <= 1e-10 * np.abs(values), near, out)
    return out


# --- what the rows decide -----------------------------------------------------------------------


def _decide(rows: Rows, own: int, constant: bool) -> Rank:
    """R's rank rule on the formula's columns, the constant, then the candidates; each in its own place."""

    def counts(block: Block) -> Array:
        return (block.weights > 0).astype(float)

    r = linalg.rows_triangle(rows, counts)
    width = r.shape[1]
    order = np.r_[np.arange(own), width - 1, np.arange(own, width - 1)] if constant else np.arange(width)
    found = linalg.rank(linalg.triangle(r[:, order]).r)
    kept, dropped = order[found.kept], order[found.dropped]
    norms = np.sqrt((r * r).sum(axis=0))
    equations = found.equations.copy()
    for row, j in enumerate(dropped):
        # what adds less than rounding to the column is no part of it
        part = np.abs(equations[row]) * norms[kept]
        equations[row] = snapped(np.where(part > 1e-10 * norms[j], equations[row], 0.0))
    at = np.argsort(kept)
    return Rank(kept[at], dropped, equations[:, at])


def _place(
    found: Rank, own: int, candidates: tuple[int, ...], constant: bool
) -> tuple[tuple[int, ...], bool, Iterator[Array], Array | None]:
    """Which candidates become columns; each candidate, and the constant, over formula + new columns."""
    width = own + len(candidates) + constant
    new = [j for j in found.kept if j >= own]
    at = {int(j): own + k for k, j in enumerate(new)}
    total = own + len(new)

    def written(j: int) -> Array:
        out = np.zeros(total)
        if j in at:
            out[at[j]] = 1.0
            return out
        row = int(np.flatnonzero(found.dropped == j)[0])
        for kept, weight in zip(found.kept, found.equations[row], strict=True):
            out[at.get(int(kept), int(kept))] = weight
        return out

    picks = tuple(candidates[j - own] for j in new if j < own + len(candidates))
    filled = map(written, range(own, own + len(candidates)))
    return picks, constant and width - 1 in at, filled, written(width - 1) if constant else None


def _among_own(found: Rank, own: int, added: int) -> Rank:
    """The rank decision for the union's columns: the formula's aliased ones, the rest kept."""
    dropped = [row for row, j in enumerate(found.dropped) if j < own]
    inside = found.kept < own
    equations = np.zeros((len(dropped), int(inside.sum()) + added))
    equations[:, : int(inside.sum())] = found.equations[dropped][:, inside]
    kept = np.concatenate([found.kept[inside], np.arange(own, own + added)])
    return Rank(kept, found.dropped[dropped], equations)


def _named(own: tuple[str, ...], added: list[str], constant: bool) -> tuple[str, ...]:
    names = list(own)
    for name in added:
        names.append(f"{name} (input)" if name in names else name)
    return (*names, CONSTANT) if constant else tuple(names)


def _whole(vector: Array, names: tuple[str, ...], found: Rank | None) -> Array:
    """A vector over the first columns as one over all of them, with aliased columns written by the others."""
    out = np.zeros(len(names))
    out[: len(vector)] = vector
    if found is not None and len(found.dropped):
        out[found.kept] += out[found.dropped] @ found.equations
        out[found.dropped] = 0.0
    return out


def _is_unit(vector: Array) -> bool:
    return bool(np.count_nonzero(vector) == 1 and vector.max() == 1.0)
