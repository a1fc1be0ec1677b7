"""Probes of PyTorch modules whose graph nobody can follow (numpy in forward(), a function of one's own).

A module that is affine up to its output activation is known from its values at a few points, whatever
it does inside: eta(x) = c + x J. Its weights remain unknown: the numbers that are mapped are those of the
whole module. One that is not affine is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.torch.walks import raw_names
from glmnet_bridge.adapters.torch.weights import Book
from glmnet_bridge.adapters.wirings import Wiring
from glmnet_bridge.mapping.raws import Intake
from glmnet_bridge.model.layers import Affine

Array = np.ndarray

POINTS = 60
SCALES = (0.1, 1.0, 3.0)  # of the random points: a kink shows at one of them
SLACK = 256  # rounding errors that may be gathered
# the output activations that a probe undoes, with their inverses
INVERSES: dict[str, Callable[[Array], Array]] = {
    "linear": np.positive,
    "sigmoid": lambda mean: scipy.special.logit(mean),
    "exponential": np.log,
}


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """An affine module, as numbers: `jacobian` (r, k) and `constant` (k,)."""

    inputs: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    whole: tuple[bool, ...]
    activation: str
    jacobian: Array
    constant: Array
    precision: float

    def foreign(self, kind: str, forward: Callable[[pd.DataFrame], Array]) -> Foreign:
        """As a network of one layer."""
        widths = [shape[0] if shape else 1 for shape in self.shapes]
        names = raw_names(self.inputs, widths)
        wiring = Wiring(names)
        r, k = self.jacobian.shape
        entries = [f"module.jacobian[{u}, {j}]" for j in range(r) for u in range(k)]
        entries += [f"module.bias[{u}]" for u in range(k)]
        theta = np.concatenate([self.jacobian.ravel(), self.constant])
        out = wiring.add(Affine(r, k, name="module"), wiring.inputs, theta, entries)
        network, theta, features = wiring.network(out)
        return Foreign(
            kind=kind,
            intake=Intake(names, features, groups=tuple(zip(self.inputs, widths, strict=True))),
            network=network,
            theta=theta,
            forward=forward,
            activation=self.activation,
            precision=self.precision,
            folded=(
                "No graph of the module could be followed. It was found to be affine at "
                f"{POINTS * len(SCALES)} random points, so module.jacobian and module.bias are its slopes and "
                "constant as a whole, not weights that it holds.",
            ),
        )


def probe(module: Any, book: Book, given: Sequence[Any]) -> Probe | None:
    """The module as an affine map, or None where it is none (or takes codes, which have no slopes)."""
    from glmnet_bridge.adapters.torch.graphs import input_names

    shapes = tuple(tuple(tensor.shape[1:]) for tensor in given)
    if not all(tensor.is_floating_point() for tensor in given):
        return None
    widths = [shape[0] if shape else 1 for shape in shapes]
    r = sum(widths)

    def run(points: Array) -> Array:
        parts = np.split(points, np.cumsum(widths)[:-1], axis=1)
        tensors = [
            book.example.new_tensor(part.reshape(len(part), *shape)) for part, shape in zip(parts, shapes, strict=True)
        ]
        out = module(*tensors)
        found: Array = out.detach().cpu().double().numpy().reshape(len(points), -1)
        return found

    corners = run(np.vstack([np.zeros(r), np.eye(r)]))
    draw = np.random.default_rng(0)
    points = np.vstack([draw.normal(0.0, scale, (POINTS, r)) for scale in SCALES])
    points = book.example.new_tensor(points).cpu().double().numpy()  # as the module will see them
    values = run(points)
    for name, inverse in INVERSES.items():
        with np.errstate(all="ignore"):
            eta, at = inverse(corners), inverse(values)
            jacobian, constant = eta[1:] - eta[0], eta[0]
            spread = np.abs(at - constant - points @ jacobian)
            noise = SLACK * book.precision * (1.0 + np.abs(at))
            if name == "sigmoid":
                noise = noise / np.maximum(values * (1.0 - values), 1e-12)
        usable = np.isfinite(at)
        if np.isfinite(eta).all() and usable.mean() > 0.5 and (spread[usable] <= noise[usable]).all():
            return Probe(
                input_names(module),
                shapes,
                (False,) * len(shapes),
                name,
                jacobian,
                constant,
                book.precision,
            )
    return None
