"""Faults: what is wrong with a network on these rows, in words that name the layer and the unit.

    unit      saturated     sigmoid, tanh: its slope is below 1/1000 of the largest on every row
              dead          ReLU: 0 on every row
              constant      what it is fed does not vary
              twin          another unit's output, but for scale and constant
    output    saturated     its probability is 0 or 1 to the precision of the network on most rows
              constant      the same on every row

Pairs are looked for on some rows, and confirmed on all; so are outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glmnet_bridge.data.rows import Array, Block, Rows, Span
from glmnet_bridge.errors import listed
from glmnet_bridge.mapping import clippings
from glmnet_bridge.mapping.units import Maker, Reach, activations, last_layers, makers
from glmnet_bridge.model.layers import ACTIVATIONS, Activation, Affine, bare
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.multinomials import probabilities
from glmnet_bridge.model.networks import HiddenBody, Network, paths

FLAT = 1e-3  # slope of a saturated unit, relative to the largest: what moves its input hardly moves its output
STILL = 1e-9  # variation that rounding of sums of inputs can make, relative to their size
SAME = (
    1e-6  # what twins may differ by, in standard deviations: their own weights would have errors a million times larger
)
NEAR = 1e-8  # 1 - |correlation| of units that are looked at more closely
SOME = 2_000  # rows that are looked at first
SHOWN = 5  # units that a sentence names
COARSEST = float(np.finfo(np.float32).eps)  # half precision has no digits for a probability near 1


def runs(n: int, most: int = SOME, pieces: int = 20) -> list[Span]:
    """All rows, or runs of `most` of them in all, spread over them."""
    if n <= most:
        return [(0, n)]
    size = most // pieces
    return [(start, start + size) for start in np.linspace(0, n - size, pieces).astype(int).tolist()]


# --- units --------------------------------------------------------------------------------------


def unit_faults(model: Model, rows: Rows, theta: Array, found: Sequence[Reach]) -> tuple[str, ...]:
    """Sentences on the hidden units that do nothing, or what another one does.

    Parameters
    ----------
    model, theta : a network with activations, and its weights
    rows : the rows
    found : where the inputs of each activation lie on them; see `units.reaches`
    """
    network, said = model.network, []
    made = makers(network)
    for at, reach in zip(activations(network), found, strict=True):
        layer = network.layers[at]
        if at == clippings.output_place(network):
            continue  # a unit before the link is spoken of row by row
        origin = [made[at][unit] for unit in paths(layer)[0]]
        idle = _idle(bare(layer), reach)
        said += _idle_words(bare(layer), reach, origin, idle)
        said += _twins(model, rows, theta, at, origin, np.array([not word for word in idle]))
    return tuple(said)


def _idle(layer: Activation, reach: Reach) -> list[str]:
    """What is wrong with each unit alone: "saturated", "step" (so on both sides), "dead", "constant" or ""."""
    slope = ACTIVATIONS[layer.kind][1]
    words = np.full(len(reach.low), "", dtype=object)
    words[reach.high - reach.low <= STILL * np.maximum(np.abs(reach.low), np.abs(reach.high))] = "constant"
    if layer.kind == "relu":
        words[reach.high <= 0] = "dead"
    elif layer.kind in ("sigmoid", "tanh"):
        largest = slope(np.zeros(1))[0]
        flat = slope(reach.near) <= FLAT * largest
        one_side = np.sign(reach.low) == np.sign(reach.high)
        words[flat & one_side] = "saturated"
        words[flat & ~one_side] = "step"
    return words.tolist() if reach.n else [""] * len(words)


def _idle_words(layer: Activation, reach: Reach, origin: list[Maker], idle: list[str]) -> list[str]:
    low, high = (ACTIVATIONS[layer.kind][0](z) for z in (reach.low, reach.high))
    said = []
    for word, adds in (
        ("saturated", "a constant"),
        ("step", "a step, of which these rows do not tell the weights"),
        ("constant", "no more than a constant"),
        ("dead", "nothing"),
    ):
        state = "saturated" if word == "step" else word
        at = [j for j, each in enumerate(idle) if each == word]
        for name in dict.fromkeys(origin[j].name for j in at):
            own = [j for j in at if origin[j].name == name]
            if len(own) == 1:
                where = f" ({_between(low[own[0]], high[own[0]])})"
                what, they = f"unit {origin[own[0]].unit} is {state} on all {reach.n} rows{where}", f"it adds {adds}"
            else:
                of = [str(origin[j].unit) + ("" if word == "dead" else f" ({_between(low[j], high[j])})") for j in own]
                what, they = f"units {listed(of, SHOWN)} are {state} on all {reach.n} rows", f"they add {adds}"
            said.append(f"{layer.kind} {name!r}: {what}: {they}.")
    return said


def _between(low: float, high: float) -> str:
    """`output between 0.99999 and 1`, in as many digits as tell them apart."""
    for digits in range(5, 11):
        one, two = f"{low + 0.0:.{digits}g}", f"{high + 0.0:.{digits}g}"
        if one != two:
            return f"output between {one} and {two}"
    return f"output {high + 0.0:.5g}"


# --- twins --------------------------------------------------------------------------------------


def _twins(model: Model, rows: Rows, theta: Array, at: int, origin: list[Maker], live: Array) -> list[str]:
    """Units of one activation that say the same on all rows."""
    network = model.network
    body = HiddenBody(network, theta)
    width = bare(network.layers[at]).outputs

    def outputs(block: Block) -> Array:
        found: Array = body.forward(block.columns)[1][at + 1][:, -width:]
        return found[block.weights > 0]

    some = np.concatenate([outputs(rows.block(*span)) for span in runs(rows.n)])
    pairs = _candidates(some, np.flatnonzero(live)) if len(some) > 2 else []  # a line goes through any two rows
    if not pairs:
        return []
    first, second = (np.array(each) for each in zip(*pairs, strict=True))
    slope, level = _lines(some, first, second)
    spread = some[:, second].std(axis=0)

    def apart(block: Block) -> _Largest:
        h = outputs(block)
        line = np.abs(h[:, second] - slope * h[:, first] - level).max(axis=0, initial=0.0)
        return _Largest(np.array([line, np.abs(h[:, second] - h[:, first]).max(axis=0, initial=0.0)]))

    line, equal = rows.sum(apart).values / spread
    groups: dict[tuple[int, bool], list[int]] = {}
    for k in np.flatnonzero(line <= SAME).tolist():
        groups.setdefault((int(first[k]), bool(equal[k] <= SAME)), []).append(int(second[k]))
    return [_twin_words(network, theta, origin, one, others, same) for (one, same), others in groups.items()]


@dataclass(frozen=True, slots=True)
class _Largest:
    values: Array

    def __add__(self, other: _Largest) -> _Largest:
        return _Largest(np.maximum(self.values, other.values))


def _candidates(some: Array, live: Array) -> list[tuple[int, int]]:
    """Pairs of units with a correlation of 1 or -1, each unit with the first one that it is like."""
    centred = some[:, live] - some[:, live].mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    live, centred = live[norms > 0], centred[:, norms > 0] / norms[norms > 0]
    alike = np.triu(np.abs(centred.T @ centred) >= 1.0 - NEAR, 1)
    found, taken = [], set()
    for one, other in np.argwhere(alike).tolist():
        if one not in taken and other not in taken:
            found.append((int(live[one]), int(live[other])))
            taken.add(other)
    return found


def _lines(some: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """Slope and level of each second unit on the first."""
    x, y = some[:, first], some[:, second]
    x0, y0 = x.mean(axis=0), y.mean(axis=0)
    slope = ((x - x0) * (y - y0)).sum(axis=0) / ((x - x0) ** 2).sum(axis=0)
    return slope, y0 - slope * x0


def _twin_words(network: Network, theta: Array, origin: list[Maker], one: int, others: list[int], same: bool) -> str:
    name = origin[one].name
    units = [origin[one].unit, *(origin[j].unit for j in others)]
    if same:
        apart = max(_weights_apart(network, theta, origin[one], origin[j]) for j in others)
        why = "on these rows" if apart > SAME else f"weights equal to {apart:.0e}" if apart else "equal weights"
        *start, last = units if len(units) <= SHOWN + 1 else [*units[:SHOWN], f"{len(units) - SHOWN} more"]
        listing = f"{listed([str(unit) for unit in start], SHOWN)} and {last}"
        return f"Units {listing} of {name!r} are the same ({why}): together they are one unit."
    rest = units[1:]
    what = f"Unit {rest[0]} of {name!r} is" if len(rest) == 1 else f"Units {listed(rest, SHOWN)} of {name!r} are"
    return f"{what} unit {units[0]} but for scale and constant on these rows: the next layer cannot tell them apart."


def _weights_apart(network: Network, theta: Array, one: Maker, other: Maker) -> float:
    """Largest difference of two units' incoming weights, relative to the largest of these weights."""
    layer = bare(network.layers[one.at]) if one.at >= 0 else None
    if one.at != other.at or not isinstance(layer, Affine):
        return np.inf
    kernel, bias = layer.weights(theta[network.slices()[one.at]])
    both = np.vstack([kernel, bias])[:, [one.unit, other.unit]]
    return float(np.abs(both[:, 0] - both[:, 1]).max() / max(np.abs(both).max(), np.finfo(float).tiny))


# --- outputs ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Output:
    """What a network's linear predictors do on the rows, the offset aside.

    Attributes
    ----------
    low, high : (k,) their limits
    stuck : how many rows have a probability of 0 or 1, to the precision of the network
    n : how many rows there are
    """

    low: Array
    high: Array
    stuck: int
    n: int

    def __add__(self, other: Output) -> Output:
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return Output(low, high, self.stuck + other.stuck, self.n + other.n)

    @property
    def constant(self) -> bool:
        """Whether it is the same on every row."""
        with np.errstate(invalid="ignore"):  # weights without bound make no constant
            return bool((self.high - self.low <= STILL * np.maximum(np.abs(self.low), np.abs(self.high))).all())

    @property
    def saturated(self) -> bool:
        """Whether most rows are stuck."""
        return 2 * self.stuck > self.n


def output(model: Model, rows: Rows, theta: Array, precision: float) -> Output | None:
    """What the output does on the rows; None where some of them show that nothing is wrong with it."""
    body = model.network.at(theta)
    edge = min(precision, COARSEST)

    def part(block: Block) -> Output:
        counted = block.weights > 0
        eta = body.forward(block.columns)[0][counted]
        whole = eta if block.offset is None else eta + block.offset[counted]
        low, high = eta.min(axis=0, initial=np.inf), eta.max(axis=0, initial=-np.inf)
        return Output(low, high, int(_stuck(model, whole, edge).sum()), len(eta))

    some = rows.sum(part, runs(rows.n))
    if not (some.constant or some.stuck > 0.4 * some.n) or not some.n:
        return None
    whole = rows.sum(part)
    return whole if whole.constant or whole.saturated else None


def _stuck(model: Model, eta: Array, edge: float) -> Array:
    """Which rows `(m,)` have a probability of 0 or 1, where the link can only come near to them."""
    family = model.family
    if family.joint:
        best: Array = probabilities(eta).max(axis=1)
        return best >= 1.0 - edge
    if family.distribution.support != "binomial" or family.link.name in ("identity", "log"):
        return np.zeros(len(eta), dtype=bool)
    mean = family.mean(eta)[:, 0]
    return (mean <= edge) | (mean >= 1.0 - edge)


def output_faults(model: Model, theta: Array, found: Output | None) -> tuple[str, ...]:
    """Sentences on an output that is the same on every row, or saturated; they name the last layer."""
    if found is None:
        return ()
    network, said = model.network, []
    last = [repr(bare(network.layers[at]).name) for at in last_layers(network)]
    ends, are = " and ".join(last), "is" if len(last) == 1 else "are"
    if found.constant:
        closed = [
            repr(each.name)
            for each, run in ((bare(one), run) for one, run in zip(network.layers, network.slices(), strict=True))
            if isinstance(each, Affine) and not each.weights(theta[run])[0].any()
        ]
        why = f"the kernel of {listed(closed)} is all 0" if closed else f"what {ends} {are} fed does not vary"
        said.append(
            f"The network predicts the same on every row (eta = {listed([f'{x:.5g}' for x in found.low])}): {why}."
        )
    if found.saturated:
        size = max(np.abs(found.low).max(), np.abs(found.high).max())
        end = f"the {model.family.link.activation} after {ends}"
        said.append(
            f"The network's output is saturated: on {found.stuck} of {found.n} rows {end} is 0 or 1 to its precision "
            f"(eta reaches {size:.3g}), and such rows move no weight."
        )
    return tuple(said)
