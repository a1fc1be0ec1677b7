"""Wirings: a graph of operations, with skips and several inputs, put together as a chain of layers.

An adapter walks the foreign graph in the order of computation. Each value that it meets is a
`Wire`, the units that carry it: concatenating two values is joining their wires, picking columns
is picking from a wire, and only what computes adds a step. At the end the steps are laid one
after the other; units that a later step needs are carried along (`layers.Branch`).

    wiring = Wiring(("age", "lwt", "site"))
    hidden = wiring.add(Affine(2, 4, name="fc"), wiring.inputs[:2], theta, entries)
    level = wiring.levels(wiring.inputs[2], range(3))
    network, theta = wiring.network(wiring.add(..., hidden + level, ...))
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glmnet_bridge.errors import ReadError
from glmnet_bridge.mapping.features import Feature
from glmnet_bridge.model.layers import Branch, Fixed
from glmnet_bridge.model.networks import Inputs, Network

Array = np.ndarray
Wire = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """A layer, the units that it reads, and the first of those that it makes."""

    layer: Any
    reads: Wire
    makes: Wire
    theta: Array
    entries: tuple[str, ...]


class Wiring:
    """Builds a `Network` and its theta from the operations of a foreign model.

    Parameters
    ----------
    names : what the model calls its raw inputs, in its order
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._features = [Feature(name, at) for at, name in enumerate(names)]
        self._steps: list[_Step] = []
        self._count = len(names)
        self._inputs: Wire = tuple(range(self._count))
        self._of: list[int] = list(self._inputs)  # the unit of each feature
        self._known = dict(zip(self._features, self._of, strict=True))

    @property
    def inputs(self) -> Wire:
        """The raw inputs, as numbers."""
        return self._inputs

    def add(self, layer: Any, reads: Iterable[int], theta: Any = (), entries: Sequence[str] = ()) -> Wire:
        """Apply a layer to some units; the units that it makes.

        Parameters
        ----------
        layer : a layer of `model.layers`
        reads : the units that it is fed, in its order
        theta, entries : its parameters, in the order of the layer's own theta, and their names in the model
        """
        reads, values = tuple(reads), np.asarray(theta, dtype=float).ravel()
        if len(reads) != layer.inputs or len(values) != layer.parameters or len(entries) != layer.parameters:
            raise ReadError(
                f"Layer {layer.name!r} takes {layer.inputs} inputs and {layer.parameters} weights; the model "
                f"feeds it {len(reads)} inputs and has {len(values)} weights. Its shapes do not fit together."
            )
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise ReadError(
                f"Weight {entries[bad[0]]} is {values[bad[0]]}"
                f"{f', and {len(bad) - 1} more are not finite' if len(bad) > 1 else ''}. "
                "Training that diverged ends like this: train again with a smaller learning rate."
            )
        makes = self._new(layer.outputs)
        self._steps.append(_Step(layer, reads, makes, values, tuple(entries)))
        return makes

    def fixed(
        self, matrix: Any, reads: Iterable[int], constant: Any = None, name: str = "fixed", kind: str = "fixed"
    ) -> Wire:
        """`z M + c` with nothing to learn; a vector in the place of M is its diagonal."""
        table = np.asarray(matrix, dtype=float)
        table = np.diag(table) if table.ndim == 1 else table
        added = np.zeros(table.shape[1]) if constant is None else np.asarray(constant, dtype=float)
        added = np.broadcast_to(added, table.shape[1]).copy()
        if not (np.isfinite(table).all() and np.isfinite(added).all()):
            raise ReadError(f"Layer {name!r} holds numbers that are not finite: its scale is 0 or was never learnt.")
        if table.shape[0] == table.shape[1] and not added.any() and np.array_equal(table, np.eye(len(table))):
            return tuple(reads)
        return self.add(Fixed(table, added, name, kind), reads)

    def sum(self, wires: Sequence[Wire], name: str = "add") -> Wire:
        """Values added unit by unit."""
        widths = {len(wire) for wire in wires}
        if len(widths) > 1:
            raise ReadError(f"Layer {name!r} adds values of widths {sorted(widths)}, which is not read.")
        stacked = np.vstack([np.eye(widths.pop())] * len(wires))
        return self.fixed(stacked, [unit for wire in wires for unit in wire], name=name, kind="sum")

    def levels(self, unit: int, values: Iterable[Any], name: str = "levels") -> Wire:
        """Indicators of the levels of a raw input: what one-hot coding or an embedding makes of it."""
        if unit not in self._inputs:
            raise ReadError(f"Layer {name!r} reads levels of a computed value; only a raw input has levels.")
        source = self._features[self._inputs.index(unit)].name
        made: Wire = ()
        for value in values:
            made += self.feature(Feature(f"{source}[{value}]", self._inputs.index(unit), level=(value,)))
        return made

    def feature(self, feature: Feature) -> Wire:
        """One more input of the network that is computed from the raw ones; the same one twice is one unit."""
        if feature in self._known:
            return (self._known[feature],)
        (unit,) = self._new(1)
        self._known[feature] = unit
        self._features.append(feature)
        self._of.append(unit)
        return (unit,)

    def network(self, outputs: Iterable[int]) -> tuple[Network, Array, tuple[Feature, ...]]:
        """The chain of layers that makes `outputs`, its theta, and the features that it is fed.

        Raises
        ------
        ReadError
            where the outputs depend on no input
        """
        outputs = tuple(outputs)
        steps = self._needed(outputs)
        used = {unit for step in steps for unit in step.reads} | set(outputs)
        at = [place for place, unit in enumerate(self._of) if unit in used]
        if not at:
            raise ReadError("The model's output depends on none of its inputs.")
        state = [self._of[place] for place in at]
        layers: list[Any] = []
        for number, step in enumerate(steps):
            later = {unit for each in steps[number + 1 :] for unit in each.reads} | set(outputs)
            keeps = tuple(place for place, unit in enumerate(state) if unit in later)
            reads = tuple(state.index(unit) for unit in step.reads)
            plain = not keeps and reads == tuple(range(len(state)))
            layers.append(step.layer if plain else Branch(step.layer, len(state), reads, keeps))
            state = [state[place] for place in keeps] + list(step.makes)
        if tuple(state) != outputs:
            order = np.eye(len(state))[:, [state.index(unit) for unit in outputs]]
            layers.append(Fixed(order, np.zeros(len(outputs)), "output", "selection"))
        features = tuple(self._features[place] for place in at)
        entries = tuple(entry for step in steps for entry in step.entries)
        theta = np.concatenate([np.zeros(0), *(step.theta for step in steps)])
        return Network(Inputs(tuple(each.name for each in features)), tuple(layers), entries), theta, features

    def _needed(self, outputs: Wire) -> list[_Step]:
        wanted, kept = set(outputs), []
        for step in reversed(self._steps):
            if wanted.intersection(step.makes):
                kept.append(step)
                wanted.update(step.reads)
        return kept[::-1]

    def _new(self, count: int) -> Wire:
        self._count += count
        return tuple(range(self._count - count, self._count))
