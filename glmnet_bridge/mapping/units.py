"""Units: what the hidden units of a network do on the rows, and what of them the GLM has.

    h = activation(z)        active      share of rows with z > 0
                             outside     share of h's variation that no combination of the columns U explains

A ReLU that is active on every row, or on none, is linear there: `flattened` puts what it does in its
place. `linear_part` is what skip connections carry past all activations; `features` are all that the
linear predictors are affine in, however the skips are wired: by concatenation or by addition, in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.rows import Array, Block, Rows
from glmnet_bridge.fitting import linalg
from glmnet_bridge.mapping import clippings
from glmnet_bridge.model.layers import Affine, Branch, Contrast, Fixed, bare
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import HiddenBody, Network, fold, paths

SLOPES = {"relu": (0.0, 1.0), "leaky_relu": (0.01, 1.0)}  # below and above 0


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the inputs of one activation lie on the rows: `(units,)` arrays, and how many rows are above 0.

    `near` is the smallest absolute value.
    """

    low: Array
    high: Array
    near: Array
    active: Array
    n: int

    def __add__(self, other: Reach) -> Reach:
        return Reach(
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            np.minimum(self.near, other.near),
            self.active + other.active,
            self.n + other.n,
        )


def activations(network: Network) -> list[int]:
    """Positions of the layers that are not affine."""
    return [at for at, layer in enumerate(network.layers) if not layer.affine]


def reaches(model: Model, rows: Rows, theta: Array) -> list[Reach]:
    """Where the inputs of each activation lie on the rows that have weight."""
    body, at = HiddenBody(model.network, theta), activations(model.network)

    def part(block: Block) -> _All:
        tape, counted = body.forward(block.columns)[1], block.weights > 0
        return _All([_reach(_fed(model.network.layers[j], tape[j])[counted]) for j in at])

    return rows.sum(part).parts


def _fed(layer: Any, state: Array) -> Array:
    return state[:, list(paths(layer)[0])]


def _reach(z: Array) -> Reach:
    if not len(z):
        nothing = np.zeros(z.shape[1])
        return Reach(nothing + np.inf, nothing - np.inf, nothing + np.inf, nothing, 0)
    return Reach(z.min(axis=0), z.max(axis=0), np.abs(z).min(axis=0), (z > 0).sum(axis=0).astype(float), len(z))


def flattened(network: Network, found: list[Reach]) -> Network | None:
    """The network with each ReLU as the line that it is on these rows; None where one is not."""
    layers = list(network.layers)
    for at, reach in zip(activations(network), found, strict=True):
        kind = bare(layers[at]).kind
        if kind not in SLOPES or not ((reach.low > 0) | (reach.high <= 0)).all():
            return None
        slopes = np.where(reach.low > 0, SLOPES[kind][1], SLOPES[kind][0])
        line = Fixed(np.diag(slopes), np.zeros(len(slopes)), bare(layers[at]).name, f"{kind} as a line")
        whole = layers[at]
        layers[at] = replace(whole, layer=line) if isinstance(whole, Branch) else line
    return replace(network, layers=tuple(layers))


def margins(network: Network, found: list[Reach]) -> tuple[str, ...]:
    """One sentence for each ReLU that is a line on these rows."""
    said = []
    for at, reach in zip(activations(network), found, strict=True):
        layer = bare(network.layers[at])
        above = reach.low > 0
        margin = np.where(above, reach.low, -reach.high).min(initial=np.inf)
        units = f"{int(above.sum())} of its {len(above)} units are" if len(above) > 1 else "its unit is"
        state = f"{units} active on" if above.any() else "it is dead on"
        said.append(
            f"{layer.kind} {layer.name!r} is linear on these rows ({state} all {reach.n}; the nearest row is "
            f"{margin:.3g} from 0), so that the network is a GLM here; on other rows it may not be."
        )
    return tuple(said)


def linear_part(network: Network) -> Network:
    """What goes past all activations: their outputs set to 0."""
    layers = []
    for layer in network.layers:
        inner = bare(layer)
        if not inner.affine:
            gone = Fixed(np.zeros((inner.inputs, inner.outputs)), np.zeros(inner.outputs), inner.name, "left out")
            layer = replace(layer, layer=gone) if isinstance(layer, Branch) else gone
        layers.append(layer)
    return replace(network, layers=tuple(layers))


def skipped(network: Network, theta: Array) -> Array | None:
    """Coefficients `(q * k,)`, output by output, of what goes past all activations; None where no input does."""
    if not _open(network, lambda at: not network.layers[at].affine)[0].any():
        return None
    return fold(linear_part(network), theta).T.ravel()


def last_layers(network: Network) -> list[int]:
    """Positions of the layers with weights that none with weights comes after: several where a skip is added."""
    ways = _open(network, lambda at: network.layers[at].parameters > 0)
    found = [at for at, layer in enumerate(network.layers) if layer.parameters and _made(layer, ways[at + 1]).any()]
    return found or [0]


def _open(network: Network, stops: Callable[[int], bool]) -> list[Array]:
    """For the units before each layer, and at the end, whether a way to the output meets no layer that `stops`.

    It asks for the ways alone, so that it is the same in whatever order a graph was laid out as a chain.
    """
    state: Array = np.ones(network.outputs, dtype=bool)
    out = [state]
    for at in reversed(range(len(network.layers))):
        layer = network.layers[at]
        reads, keeps = paths(layer)
        before: Array = np.zeros(layer.inputs, dtype=bool)
        before[list(keeps)] = state[: len(keeps)]
        if not stops(at):
            np.logical_or.at(before, list(reads), _felt(bare(layer), _made(layer, state)))
        state = before
        out.append(state)
    return out[::-1]


def _made(layer: Any, after: Array) -> Array:
    """Of what holds for the units behind a layer, that of those it makes."""
    return after[len(paths(layer)[1]) :]


def _felt(layer: Any, made: Array) -> Array:
    """Which of a layer's inputs `(inputs,)` move one of these outputs; a weight that is learnt may be any number."""
    if isinstance(layer, Affine):
        return np.full(layer.inputs, made.any())
    if isinstance(layer, Contrast | Fixed):
        return np.asarray((layer.matrix[:, made] != 0).any(axis=1))
    return made


@dataclass(frozen=True, slots=True)
class Maker:
    """The last layer with weights that made a unit, its position (-1: the inputs), and which of its units it is."""

    name: str
    at: int
    unit: int


def makers(network: Network) -> list[list[Maker]]:
    """For the units before each layer, the layer that made them."""
    state = [Maker(name, -1, j) for j, name in enumerate(network.inputs.names)]
    out = [state]
    for at, layer in enumerate(network.layers):
        reads, keeps = paths(layer)
        inner = bare(layer)
        mixes = isinstance(inner, Affine | Contrast) or (isinstance(inner, Fixed) and inner.diagonal is None)
        new = [Maker(inner.name, at, j) for j in range(inner.outputs)] if mixes else [state[unit] for unit in reads]
        state = [*(state[unit] for unit in keeps), *new]
        out.append(state)
    return out


@dataclass(frozen=True, slots=True)
class Features:
    """What the linear predictors are affine in: h values of each row, raw inputs first.

    Attributes
    ----------
    names : the inputs' own names, then "unit 0", ...; of several layers "fc1 unit 0", ...
    bent : (h,) whether an activation made it
    values : a block to `(m, h)`
    """

    names: tuple[str, ...]
    bent: Array
    values: Callable[[Block], Array]


def features(model: Model, theta: Array) -> Features:
    """The learned features: each unit, and each raw input, that some way leads from to the output by affine maps only.

    A unit of an early layer that a skip takes past the later ones is among them. An activation right before
    the link belongs to the output (see `clippings`): what it is fed is looked at.
    """
    network, body = model.network, HiddenBody(model.network, theta)
    end = clippings.output_place(network)
    ways = _open(network, lambda at: at != end and not network.layers[at].affine)
    inputs = [j for j in np.flatnonzero(ways[0]).tolist() if not _constant(network, j)]
    made = {
        at: len(paths(network.layers[at])[1]) + np.flatnonzero(_made(network.layers[at], ways[at + 1]))
        for at in activations(network)
        if at != end
    }

    def values(block: Block) -> Array:
        tape = body.forward(block.columns)[1]
        return np.concatenate([tape[0][:, inputs], *(tape[at + 1][:, units] for at, units in made.items())], axis=1)

    origins = makers(network)
    names = _unit_names([origins[at + 1][unit] for at, units in made.items() for unit in units.tolist()])
    bent = np.arange(len(inputs) + len(names)) >= len(inputs)
    return Features((*(network.inputs.names[j] for j in inputs), *names), bent, values)


def _constant(network: Network, j: int) -> bool:
    """Whether an input is the constant itself."""
    matrix, ones = network.inputs.matrix, network.inputs.ones
    if ones is None:
        return False
    return bool(np.array_equal(np.eye(len(ones))[j] if matrix is None else matrix[:, j], ones))


def _unit_names(origin: list[Maker]) -> list[str]:
    """By their numbers in the layer that made them; of one layer without its name."""
    short = len({each.at for each in origin}) == 1
    names = [f"unit {each.unit}" if short else f"{each.name} unit {each.unit}" for each in origin]
    return names if len(set(names)) == len(names) else [f"unit {j}" for j in range(len(origin))]


def outside(model: Model, rows: Rows, theta: Array) -> pd.DataFrame:
    """One row per hidden unit among the features: `unit, mean, sd, outside`.

    `outside` is the share of its variation, weighted by the information of the rows (of several linear
    predictors: by its trace), that no combination of the columns and the constant explains: 0 is a column that
    the GLM has.
    """
    learned = features(model, theta)
    names = [name for name, bent in zip(learned.names, learned.bent, strict=True) if bent]
    p = len(model.columns)

    def part(block: Block) -> _Sum:
        eta = model.eta(block, theta)
        local = model.family.local(block.response, eta)
        joint = np.ndim(local.expected) == 3
        information = (
            np.trace(local.expected, axis1=1, axis2=2) if joint else np.broadcast_to(local.expected, eta.shape)
        )
        w = block.weights * (information if joint else information[:, 0])
        both = np.column_stack([np.ones(len(w)), block.columns.matrix(), learned.values(block)[:, learned.bent]])
        return _Sum(both.T @ (w[:, None] * both))

    gram = rows.sum(part).total
    found = linalg.rank(_root(gram[: p + 1, : p + 1]))
    kept = found.kept
    cross, own = gram[kept, p + 1 :], gram.diagonal()[p + 1 :]
    inverse = linalg.generalised_inverse(gram[np.ix_(kept, kept)])
    mean = gram[0, p + 1 :] / gram[0, 0]
    varied = np.maximum(own - gram[0, 0] * mean**2, 0.0)
    left = np.clip(own - np.einsum("kh,kl,lh->h", cross, inverse, cross), 0.0, None)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(varied > 1e-12 * own, left / varied, np.nan)
    return pd.DataFrame(
        {"unit": names, "mean": mean, "sd": np.sqrt(varied / gram[0, 0]), "outside": np.clip(share, 0, 1)}
    )


def _root(gram: Array) -> Array:
    """A matrix R with `R'R = gram`."""
    values, vectors = np.linalg.eigh(gram)
    return np.asarray(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T)


@dataclass(frozen=True, slots=True)
class _Sum:
    total: Array

    def __add__(self, other: _Sum) -> _Sum:
        return _Sum(self.total + other.total)


@dataclass(frozen=True, slots=True)
class _All:
    """Several totals, added one by one."""

    parts: list[Any]

    def __add__(self, other: _All) -> _All:
        return _All([one + two for one, two in zip(self.parts, other.parts, strict=True)])
