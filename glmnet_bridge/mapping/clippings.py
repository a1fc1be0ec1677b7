"""Clippings: what an activation before the link does to the rows.

A unit `eta = max(0, w x + b)` sends every row with a negative sum to eta = 0: a logit network
can then say nothing below one half, and such rows teach it nothing.
"""

from __future__ import annotations

import numpy as np

from glmnet_bridge.data.rows import Array, Rows
from glmnet_bridge.model.layers import Activation
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import HiddenBody, Network


def output_activation(network: Network) -> Activation | None:
    """The activation that stands between the last weights and eta, if there is one."""
    last = network.layers[-1]
    return last if isinstance(last, Activation) and not last.affine else None


def clipped(model: Model, rows: Rows, theta: Array) -> Array | None:
    """Which rows `(n,)` the last ReLU sets to 0; None where the network does not end in one."""
    activation = output_activation(model.network)
    if activation is None or activation.kind != "relu":
        return None
    body = HiddenBody(model.network, theta)
    out = np.empty(rows.n, dtype=bool)
    for start, stop in rows.spans():
        tape = body.forward(rows.block(start, stop).columns)[1]
        out[start:stop] = (tape[-2] <= 0).all(axis=1)
    return out
