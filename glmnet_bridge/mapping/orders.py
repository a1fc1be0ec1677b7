"""Orders: whether a network that was fed columns without names makes more sense with them in another order.

    given order: eta = network(Z)        another: eta = network(Z[:, order])

All orders of few inputs are tried on few rows, the best ones on more, the best of all on every row. Of more inputs
two change places at a time, as long as that is better.
No order of the inputs of an affine network can be better than the maximum of the likelihood of the GLM
on them. A network that is near to it, or above it by its hidden units, is not suspected, and costs nothing.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from glmnet_bridge.data.rows import Array, Block, Rows
from glmnet_bridge.errors import listed
from glmnet_bridge.fitting.estimates import estimate
from glmnet_bridge.mapping.correspondences import input_kernel, run_layers
from glmnet_bridge.mapping.faults import runs
from glmnet_bridge.mapping.inputs import Asked
from glmnet_bridge.mapping.raws import Intake, Raws, own_names
from glmnet_bridge.mapping.unions import Combined
from glmnet_bridge.mapping.verdicts import figure
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import Network, single_unit

MOST = 7  # inputs of which all orders are tried: 5040
PAIRS = 190  # pairs of inputs that are tried at a time: 20 inputs
SWAPS = 20  # pairs that change places, one after the other
FEW, MORE = 200, 4_000  # rows that all orders, and the best ones, are tried on
BEST = 20  # orders that are looked at on more rows
AT_A_TIME = 40_000  # rows that the layers are given
Score = Callable[[Sequence[tuple[int, ...]], int], Array]  # of orders, on so many rows
SURE = 1e-6  # chance that an order with no more to say is that much better, all orders together
# of what the GLM on the same inputs says beyond a constant, the share that a trained network says in its own order;
# of networks with random weights, up to one in twenty does so in some order
SAID = 0.75


@dataclass(frozen=True, slots=True)
class Nameless:
    """Inputs of a network that nothing but their order tells apart.

    Attributes
    ----------
    names : of the raw inputs, as they are fed
    features : of each raw input the position of the network's input that it is, or -1 where it is coded, or several
    groups : of each raw input, which of the model's several inputs it belongs to
    said : whether the caller gave the order, by inputs=
    """

    names: tuple[str, ...]
    features: tuple[int, ...]
    groups: tuple[int, ...]
    said: bool


@dataclass(frozen=True, slots=True)
class Order:
    """A better order: the names in it, and the deviances of both."""

    names: tuple[str, ...]
    deviance: float
    given: float
    said: bool

    @property
    def sentence(self) -> str:
        """What to think of, with both deviances."""
        ask = "is inputs= in the wrong order?" if self.said else "say by inputs= what it is fed, in its order."
        return (
            f"In the order {listed(self.names, 3 * MOST)} the deviance would be {figure(self.deviance)} instead of "
            f"{figure(self.given)}: {ask}"
        )


def nameless(intake: Intake, asked: Asked, raws: Raws, columns: Collection[str]) -> Nameless | None:
    """What nothing but its order tells apart; None where the model knows its columns by name."""
    if raws.fed is None or (asked.numbers is None and (intake.named or own_names(intake, columns))):
        return None
    read = Counter(at for feature in intake.features for at in feature.sources)
    alone = {each.sources[0]: j for j, each in enumerate(intake.features) if each.plain and read[each.sources[0]] == 1}
    count = len(intake.names)
    widths = [width for _, width in intake.groups] or [count]
    return Nameless(
        names=raws.fed.names,
        features=tuple(alone.get(at, -1) for at in range(count)),
        groups=tuple(np.repeat(np.arange(len(widths)), widths).tolist()),
        said=not asked.nothing,
    )


@dataclass(frozen=True, slots=True)
class Known:
    """Deviances of a network on the rows, at its weights and at the maximum of the likelihood on the same columns.

    `null()` is that of a constant, which is only asked for where another order is better; `dispersion` is that
    of the maximum.
    """

    given: float
    least: float
    dispersion: float
    null: Callable[[], float]


def better(found: Nameless, network: Network, model: Model, theta: Array, rows: Rows, known: Known) -> Order | None:
    """The order that explains the response far better than the one given, and than a constant; None without one.

    Parameters
    ----------
    found : what may be in another order
    network : over its own inputs
    model, theta, rows : the network over the columns of formula and network
    known : its deviances
    """
    sets = _sets(found)
    count, moved = math.prod(math.factorial(min(len(each), 20)) for each in sets) - 1, sum(map(len, sets))
    few = count < math.factorial(MOST)
    if not (count > 0 and (few or sum(math.comb(len(each), 2) for each in sets) <= PAIRS)):
        return None
    margin = float(scipy.special.chdtri(moved, SURE / count)) * known.dispersion
    if not known.given - known.least > margin:
        return None
    score = _scores(found, network, model, theta, rows)
    best = _best(len(found.names), sets, score) if few else _climbed(len(found.names), sets, score)
    inputs = model.network.inputs
    shuffled = replace(inputs, matrix=_matrix(model)[:, _features(found, best, len(inputs.names))])
    other = replace(model, network=replace(model.network, inputs=shuffled))
    deviance = -2.0 * other.sums(rows, theta, "value").loglik
    if not known.given - deviance > margin:
        return None
    null = known.null()
    if not null - deviance > SAID * (null - glm_deviance(model, rows)):
        return None
    return Order(tuple(found.names[at] for at in best), deviance, known.given, found.said)


def _best(count: int, sets: list[list[int]], score: Score) -> tuple[int, ...]:
    """The best of all orders: on few rows, then on more."""
    orders = _orders(count, sets)
    ranked = np.argsort(-score(orders, FEW), kind="stable")
    chosen = [orders[at] for at in ranked[:BEST]]
    return chosen[int(np.argmax(score(chosen, MORE)))]


def _climbed(count: int, sets: list[list[int]], score: Score) -> tuple[int, ...]:
    """The order in which no two inputs that change places would be better."""
    pairs = [pair for each in sets for pair in itertools.combinations(each, 2)]
    at = tuple(range(count))
    here = score([at], MORE)[0]
    for _ in range(SWAPS):
        others = [_swapped(at, *pair) for pair in pairs]
        found = score(others, MORE)
        if not found.max() > here:
            break
        at, here = others[int(np.argmax(found))], found.max()
    return at


def _swapped(order: tuple[int, ...], one: int, other: int) -> tuple[int, ...]:
    out = list(order)
    out[one], out[other] = out[other], out[one]
    return tuple(out)


def glm_deviance(model: Model, rows: Rows) -> float:
    """The deviance of the GLM on what the network is fed, and the constant."""
    matrix, ones = _matrix(model), model.network.inputs.ones
    at = -1 if ones is None else matrix.shape[1]
    matrix = matrix if ones is None else np.column_stack([matrix, ones])
    names = tuple(f"column {j}" for j in range(matrix.shape[1]))
    plain = Model(names, single_unit(names, model.outputs), model.family, outputs=model.outputs)
    return -2.0 * estimate(plain, replace(rows, source=Combined(rows.source, matrix, at))).sums.loglik


def _sets(found: Nameless) -> list[list[int]]:
    """The raw inputs that may have changed places with each other: numbers of one group."""
    sets: dict[int, list[int]] = {}
    for at, feature in enumerate(found.features):
        if feature >= 0:
            sets.setdefault(found.groups[at], []).append(at)
    return list(sets.values())


def _orders(count: int, sets: list[list[int]]) -> list[tuple[int, ...]]:
    """All other orders of the raw inputs: what is in no set stays."""
    out = []
    for parts in itertools.product(*map(itertools.permutations, sets)):
        order = list(range(count))
        for places, part in zip(sets, parts, strict=True):
            for place, at in zip(places, part, strict=True):
                order[place] = at
        out.append(tuple(order))
    return [order for order in out if order != tuple(range(count))]


def _features(found: Nameless, order: Sequence[int], width: int) -> list[int]:
    """Of each of the network's inputs the one that stands in its place where the raw inputs come in this order."""
    out = list(range(width))
    for place, at in enumerate(order):
        if place != at:
            out[found.features[place]] = found.features[at]
    return out


def _matrix(model: Model) -> Array:
    inputs = model.network.inputs
    return np.eye(len(inputs.names)) if inputs.matrix is None else inputs.matrix


def _scores(found: Nameless, network: Network, model: Model, theta: Array, rows: Rows) -> Score:
    """The function of some orders and a number of rows that gives each order's log-likelihood on so many rows."""
    matrix, run = _matrix(model), _runner(network, theta)
    width = matrix.shape[1]

    def part(block: Block, places: Array) -> Array:
        m, c = len(block.response), len(places)
        stacked = block.columns.dot(matrix)[:, places].transpose(1, 0, 2).reshape(c * m, width)
        eta = run(stacked)
        if block.offset is not None:
            eta = eta + np.tile(block.offset, (c, 1))
        with np.errstate(all="ignore"):
            loglik = model.family.local(np.tile(block.response, (c, 1)), eta).loglik.reshape(c, m, -1)
        weights = block.weights[:, None]
        found: Array = np.where(weights > 0, weights * loglik, 0.0).sum(axis=(1, 2))
        return found

    def score(orders: Sequence[tuple[int, ...]], most: int) -> Array:
        places = np.array([_features(found, order, width) for order in orders])
        total = np.zeros(len(orders))
        for span in runs(rows.n, most):
            block = rows.block(*span)
            size = max(AT_A_TIME // max(span[1] - span[0], 1), 1)
            total += np.concatenate([part(block, places[j : j + size]) for j in range(0, len(places), size)])
        return np.where(np.isnan(total), -np.inf, total)

    return score


def _runner(network: Network, theta: Array) -> Callable[[Array], Array]:
    """The network from its inputs `(m, d)` to eta; of an affine one in a single product."""
    if not network.affine:
        return lambda values: run_layers(network, values, theta)
    kernel, bias = input_kernel(network, theta)
    return lambda values: values @ kernel + bias
