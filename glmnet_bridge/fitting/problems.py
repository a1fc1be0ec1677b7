"""Problems: what stays the same while a fit leaves out columns and rows, and when it stops.

Newton runs in standard coordinates and with weights near 1; a `Problem` knows both and hands
out the objective, for the columns that are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from glmnet_bridge.data.rows import Block, Rows
from glmnet_bridge.errors import ArgumentError, is_number, is_whole
from glmnet_bridge.fitting import coordinates, dispersions, irls, linalg
from glmnet_bridge.fitting.coordinates import Coordinates
from glmnet_bridge.model.layers import Affine
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import Inputs, Network

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Limits:
    """When a fit stops: `tol` in standard errors, at most `max_steps` steps."""

    tol: float = 1e-9
    max_steps: int = 50

    def __post_init__(self) -> None:
        if not (is_number(self.tol) and 0 < self.tol < 1):
            raise ArgumentError(f"tol={self.tol!r}: give a distance in standard errors between 0 and 1, like 1e-9.")
        if not (is_whole(self.max_steps) and self.max_steps >= 0):
            raise ArgumentError(f"max_steps={self.max_steps!r}: give a whole number, zero or more.")


@dataclass(frozen=True, slots=True)
class Problem:
    """What stays the same while columns and rows are left out."""

    model: Model
    rows: Rows
    axes: Coordinates
    constant: int | None
    limits: Limits
    nobs: float
    unit: float = 1.0
    floor: float = 0.0
    kept: Array | None = None

    def reduced(self) -> Model:
        return self.model if self.kept is None else replace(self.model, network=select(self.model, self.kept))

    def objective(self, model: Model) -> irls.Objective:
        free = model.family.distribution.free_dispersion
        return irls.Objective(
            lambda theta, want: model.sums(self.rows, theta, want),
            self._penalty(model),
            self.nobs - model.network.parameters if free else None,
            None if model.penalty.strength > 0 else lambda theta: linalg.from_triangle(self.triangle(model, theta)),
            self.floor,
        )

    def triangle(self, model: Model, theta: Array) -> Array:
        """R of `sqrt(w) X`, of the kept columns, with the expected weights at theta."""
        r = linalg.rows_triangle(self.rows, _root_weight(model, theta))
        return r if self.kept is None else linalg.triangle(r[:, of_columns(self.kept, model.network.outputs)]).r

    def _penalty(self, model: Model) -> Array | None:
        """The penalty in standard coordinates: T' D T."""
        diagonal = model.decay
        if diagonal is None:
            return None
        return self.own_axes().curvature(np.diag(diagonal / self.unit))

    def _to_raw(self) -> Array | None:
        to_raw = self.axes.to_raw
        return to_raw if to_raw is None or self.kept is None else to_raw[np.ix_(self.kept, self.kept)]

    @property
    def root(self) -> float:
        """What turns a decrement into standard errors; a free dispersion takes up the unit of the weights."""
        return 1.0 if self.model.family.distribution.free_dispersion else float(np.sqrt(self.unit))

    def position(self) -> int | None:
        """Where the intercept stands among the kept columns."""
        if self.constant is None or self.kept is None:
            return self.constant
        at = np.flatnonzero(self.kept == self.constant)
        return int(at[0]) if len(at) else None

    def held(self) -> Array:
        """Positions of the columns that a penalty keeps finite."""
        diagonal = self.model.decay
        return np.array([], dtype=int) if diagonal is None else np.flatnonzero(diagonal > 0)

    def own_axes(self) -> Coordinates:
        return self.axes if self.kept is None else replace(self.axes, to_raw=self._to_raw())


def posed(model: Model, rows: Rows, limits: Limits, nobs: float) -> Problem:
    """The problem in standard coordinates and with weights near 1, all columns kept."""
    constant = model.columns.index("Intercept") if "Intercept" in model.columns else None
    axes = coordinates.choose(rows, model.columns, constant)
    unit = weight_unit(rows)
    used = replace(rows, weights=rows.weights / unit) if unit != 1.0 else rows
    standard = used.standardised(axes.shift, axes.scale)
    return Problem(model, standard, axes, constant, limits, nobs, unit, floor(model, used))


def select(model: Model, kept: Array) -> Network:
    """The network on some of the columns, with all of its outputs."""
    names, outputs = tuple(model.columns[j] for j in kept), model.network.outputs
    matrix = np.eye(len(model.columns))[:, kept]
    entries = tuple(model.network.entries[j] for j in of_columns(kept, outputs))
    return Network(Inputs(names, matrix), (Affine(len(kept), outputs, bias=False),), entries)


def of_columns(kept: Array, outputs: int) -> Array:
    """Positions in theta of the coefficients of some columns."""
    found: Array = (kept[:, None] * outputs + np.arange(outputs)).ravel()
    return found


def _root_weight(model: Model, theta: Array) -> Callable[[Block], Array]:
    def root(block: Block) -> Array:
        local = model.family.local(block.response, model.eta(block, theta))
        if model.family.joint:
            shared: Array = np.sqrt(block.weights)[:, None, None] * local.root
            return shared
        return np.sqrt(block.weights * local.expected[:, 0])

    return root


def floor(model: Model, rows: Rows) -> float:
    """A dispersion so small that the residuals are rounding: relative to the responses they are about 1e-12."""
    if not model.family.distribution.free_dispersion:
        return 1.0
    return max(1e-24 * dispersions.size(model.family, rows) / max(rows.n, 1), float(np.finfo(float).tiny))


def weight_unit(rows: Rows) -> float:
    """A power of two near the mean weight, or 1: rounding errors are measured against weights near 1."""
    if rows.weights.strides == (0,):
        return 1.0
    mean = float(rows.weights.mean())
    return 1.0 if not 0 < mean < np.inf or 0.125 <= mean <= 8.0 else float(2.0 ** np.round(np.log2(mean)))
