"""Checks: the exact map, confirmed on rows.

The network is run layer by layer on its own inputs, once on the real rows and once on random
ones, and compared with `U beta`. The covariance is computed by both routes: from the
information at the folded coefficients, and from the weights' own information, formed by
back-propagation, through a generalised inverse and `A V A'`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from glmnet_bridge.data.rows import Array, Rows, Span, spread
from glmnet_bridge.errors import BridgeError
from glmnet_bridge.fitting import linalg
from glmnet_bridge.mapping.correspondences import Correspondence, run_layers
from glmnet_bridge.mapping.inputs import Fed
from glmnet_bridge.mapping.raws import fed_matrix
from glmnet_bridge.mapping.unions import Union
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import HiddenBody, Network

TOLERANCE = 1e-8  # of the size of the summands of eta
SOME = 20_000  # rows on which both routes to the covariance are compared


@dataclass(frozen=True, slots=True)
class Checks:
    """What was compared, as largest differences.

    Attributes
    ----------
    rows : of the linear predictor, network against GLM, over all real rows, relative to its summands
    random : the same on random rows
    covariance : of the covariance by both routes, in units of the standard errors
    """

    rows: float
    random: float
    covariance: float


def confirm(
    union: Union, fed: Fed | None, network: Network, theta: Array, beta: Array, rows: Rows
) -> tuple[float, float]:
    """Largest differences of the linear predictor on real and on random rows, relative to its summands.

    Parameters
    ----------
    union, fed : the columns, and how the network's inputs were read (None: they are combinations of these)
    network, theta : the network as it was given, and its weights
    beta : (q, k) folded coefficients
    rows : over the union's columns

    Raises
    ------
    BridgeError
        where the network and its reading as a GLM disagree
    """
    inputs = np.eye(len(union.names)) if union.inputs.matrix is None else union.inputs.matrix

    def part(span: Span) -> float:
        columns = rows.block(*span).columns
        given = columns.dot(inputs) if fed is None else fed_matrix(columns, fed, *span)
        return _apart(run_layers(network, given, theta), columns.dot(beta), columns.sizes(beta))

    worst = float(np.max(list(spread(part, rows.spans()))))  # nan, too, is a difference
    random = _on_random(union, network, theta, beta)
    if not (worst <= TOLERANCE and random <= TOLERANCE):
        raise BridgeError(
            f"The network and its reading as a GLM differ by {np.fmax(worst, random):.2g} (relative). The inputs "
            "were not understood: give inputs= as an array of exactly what the network was trained on."
        )
    return worst, random


def _on_random(union: Union, network: Network, theta: Array, beta: Array) -> float:
    """Rows that no data gave: random columns, in which the constant is 1."""
    draw = np.random.default_rng(0).standard_normal((200, len(union.names)))
    matrix, ones = union.inputs.matrix, union.inputs.ones
    if ones is not None:
        draw += np.outer(1.0 - draw @ ones, ones) / (ones @ ones)
    there = run_layers(network, draw if matrix is None else draw @ matrix, theta)
    return _apart(there, draw @ beta, np.abs(draw) @ np.abs(beta))


def _apart(there: Array, here: Array, size: Array) -> float:
    return float(np.max(np.abs(there - here) / np.maximum(size, 1e-300), initial=0.0, where=size > 0))


def covariance_difference(map_: Correspondence, network: Network, model: Model, theta: Array, rows: Rows) -> float:
    """Largest difference of the covariance by both routes, in standard errors; nan where there is none.

    Parameters
    ----------
    map_ : the correspondence
    network : over the union's columns
    model : for its family
    theta : (P,) weights
    rows : over the union's columns
    """
    some = _some(rows)
    found = _both_routes(map_, network, model, theta, rows, some)
    return _both_routes(map_, network, model, theta, rows, None) if np.isnan(found) and some else found


def _both_routes(
    map_: Correspondence, network: Network, model: Model, theta: Array, rows: Rows, spans: list[Span] | None
) -> float:
    kept = map_.kept
    beta = np.nan_to_num(map_.coefficients)[kept]
    direct = map_.terms.kept_sums(model.family, rows, beta, "expected", spans).expected
    own = replace(model, network=_BackPropagated(network))  # type: ignore[arg-type]
    weights = own.sums(rows, theta, "expected", spans).expected
    if direct is None or weights is None:
        return np.nan
    jacobian = map_.jacobian[kept]
    reach = column_space(jacobian)
    inner = linalg.factor(reach.T @ direct @ reach)
    if inner is None:
        return np.nan
    first = reach @ inner.inverse() @ reach.T
    second = jacobian @ generalised_inverse_of_rank(weights, reach.shape[1]) @ jacobian.T
    errors = np.sqrt(np.maximum(first.diagonal(), 0.0))
    scale = np.outer(errors, errors)
    return float(np.max(np.abs(first - second)[scale > 0] / scale[scale > 0], initial=0.0))


@dataclass(frozen=True, slots=True)
class _BackPropagated:
    """A network whose information is formed row by row by back-propagation, not folded."""

    network: Network

    @property
    def affine(self) -> bool:
        return True

    def at(self, theta: Array) -> HiddenBody:
        return HiddenBody(self.network, theta)


def _some(rows: Rows) -> list[Span] | None:
    """Some blocks, spread evenly over many rows; None for all."""
    step = -(-rows.n // SOME)
    return rows.spans()[::step] if step > 1 else None


def column_space(jacobian: Array) -> Array:
    """Orthonormal basis `(q, r)` of the coefficients that the weights can move."""
    left, values, _ = np.linalg.svd(jacobian, full_matrices=False)
    # a coefficient that no weight moves stays where it is, whatever the rounding
    moved = np.where(np.any(jacobian, axis=1)[:, None], left, 0.0)
    return moved[:, values > 1e-10 * values.max(initial=0.0)]


def generalised_inverse_of_rank(info: Array, rank: int | None) -> Array:
    """A generalised inverse of information; with its rank known, rounding cannot pass for information."""
    scale = np.sqrt(np.maximum(info.diagonal(), 0.0))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(info / np.outer(scale, scale))
    if rank is None:
        rank = int((values > 1e-12 * max(values.max(initial=0.0), 0.0)).sum())
    first = len(values) - rank
    half = vectors[:, first:] / np.sqrt(np.maximum(values[first:], np.finfo(float).tiny))
    with np.errstate(over="ignore"):  # weights on their way to infinity: hardly any information is left
        return half @ half.T / np.outer(scale, scale)
