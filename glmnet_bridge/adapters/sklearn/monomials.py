"""Monomials: products of raw inputs, and polynomials of affine functions of them written in these products.

    (a x + b)^2 (c g + d)  =  a^2 c x^2 g + ... + b^2 d

An indicator of a level is its own square, and two levels of one factor never go together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.wirings import Wire, Wiring
from glmnet_bridge.errors import ReadError
from glmnet_bridge.mapping.features import Feature
from glmnet_bridge.model.networks import Inputs, Network, fold

Array = np.ndarray
Powers = tuple[tuple[int, int], ...]  # (number of the feature, power), in the order of the features
Polynomial = dict[Powers, float]
MOST = 2000  # products


@dataclass(frozen=True, slots=True)
class Monomial:
    """`(m, 1)`: the product of columns `(place, level or (), power)` of a frame."""

    parts: tuple[tuple[int, tuple[object, ...], int], ...]

    def __call__(self, table: pd.DataFrame) -> Array:
        out = np.ones(len(table))
        for place, level, power in self.parts:
            column = table.iloc[:, place]
            values = (column == level[0]).to_numpy(dtype=float) if level else column.to_numpy(dtype=float)
            out = out * values**power
        return out[:, None]


def affine(wiring: Wiring, wire: Wire) -> tuple[tuple[Feature, ...], Array, Array]:
    """Units as `features M + c`, where nothing but fixed affine layers lies between: M `(d, w)`, c `(w,)`."""
    network, theta, features = wiring.network(wire)
    count = len(features)
    matrix = np.vstack([np.eye(count), np.zeros((1, count))])
    inputs = Inputs(network.inputs.names, matrix, np.eye(count + 1)[count])
    folded = fold(Network(inputs, network.layers, network.entries), theta)
    return features, folded[:count], folded[count]


def expanded(wiring: Wiring, wire: Wire, powers: Array) -> tuple[Wire, Array, Array] | None:
    """Products of units, `powers` `(outputs, w)`, as `units M + c`; None where a unit is no simple function.

    Simple is an affine function of one raw number, or of the indicator of one level.
    """
    features, matrix, constant = affine(wiring, wire)
    used = [np.flatnonzero(column) for column in matrix.T]
    if any(len(at) > 1 for at in used) or any(feature.function is not None for feature in features):
        return None
    factors: list[Polynomial] = []
    for column, at, level in zip(matrix.T, used, constant, strict=True):
        factor: Polynomial = {((int(j), 1),): float(column[j]) for j in at}
        factors.append(factor | ({(): float(level)} if level else {}))
    rows = [_product(factors, row, features) for row in powers]
    keys = list(dict.fromkeys(key for row in rows for key in row if key))
    if len(keys) > MOST:
        raise ReadError(f"The polynomial has {len(keys)} products of inputs; at most {MOST} are read.")
    table = np.array([[row.get(key, 0.0) for row in rows] for key in keys]).reshape(len(keys), len(rows))
    units = tuple(unit for key in keys for unit in _unit(wiring, key, features))
    return units, table, np.array([row.get((), 0.0) for row in rows])


def _product(factors: Sequence[Polynomial], powers: Array, features: Sequence[Feature]) -> Polynomial:
    out: Polynomial = {(): 1.0}
    for factor, power in zip(factors, powers, strict=True):
        for _ in range(int(power)):
            out = _times(out, factor, features)
    return out


def _times(left: Polynomial, right: Polynomial, features: Sequence[Feature]) -> Polynomial:
    out: Polynomial = {}
    for one, weight in left.items():
        for other, factor in right.items():
            key = _merged(one, other, features)
            if key is not None:
                out[key] = out.get(key, 0.0) + weight * factor
    return out


def _merged(one: Powers, other: Powers, features: Sequence[Feature]) -> Powers | None:
    """The product of two monomials; None where it is 0 on every row."""
    total = dict(one)
    for at, power in other:
        total[at] = 1 if features[at].level else total.get(at, 0) + power
    factors = [features[at].source for at in total if features[at].level]
    return None if len(set(factors)) < len(factors) else tuple(sorted(total.items()))


def _unit(wiring: Wiring, key: Powers, features: Sequence[Feature]) -> Wire:
    """The unit of a product, named as a formula would name it."""
    if len(key) == 1 and key[0][1] == 1:
        return wiring.feature(features[key[0][0]])
    sources = tuple(features[at].sources[0] for at, _ in key)
    parts = tuple((place, features[at].level, power) for place, (at, power) in enumerate(key))
    words = [features[at].name if power == 1 else f"I({features[at].name} ** {power})" for at, power in key]
    return wiring.feature(Feature(":".join(words), sources, function=Monomial(parts)))
