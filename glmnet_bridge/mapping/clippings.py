"""Clippings: what an activation before the link does to the rows.

A unit `eta = max(0, w x + b)` sends every row with a negative sum to eta = 0: a logit network
can then say nothing below one half, and such rows teach it nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glmnet_bridge.data.rows import Array, Rows
from glmnet_bridge.model.layers import Activation, Contrast, Fixed
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import HiddenBody, Network


def output_place(network: Network) -> int | None:
    """Position of the activation that stands between the last weights and eta, if there is one.

    Behind it come at most a change of sign or scale, and the differences of logits.
    """
    for at in reversed(range(len(network.layers))):
        layer = network.layers[at]
        if isinstance(layer, Activation) and not layer.affine:
            return at
        straight = isinstance(layer, Contrast) or (isinstance(layer, Fixed) and layer.diagonal is not None)
        if not straight or layer.shifts:
            return None
    return None


def output_activation(network: Network) -> Activation | None:
    """The activation at that place."""
    at = output_place(network)
    return None if at is None else network.layers[at]


def clipped(model: Model, rows: Rows, theta: Array) -> Array | None:
    """Which rows `(n,)` the last ReLU sets to 0; None where the network does not end in one."""
    at = output_place(model.network)
    if at is None or model.network.layers[at].kind != "relu":
        return None
    body = HiddenBody(model.network, theta)
    out = np.empty(rows.n, dtype=bool)
    for start, stop in rows.spans():
        tape = body.forward(rows.block(start, stop).columns)[1]
        out[start:stop] = (tape[at] <= 0).all(axis=1)
    return out


def toll(model: Model, rows: Rows, theta: Array) -> float:
    """Log-likelihood that the activation before the link costs: that of the same weights without it, less theirs."""
    at = output_place(model.network)
    assert at is not None
    layers = model.network.layers
    bare = replace(model, network=replace(model.network, layers=layers[:at] + layers[at + 1 :]))
    return bare.sums(rows, theta, "value").loglik - model.sums(rows, theta, "value").loglik
