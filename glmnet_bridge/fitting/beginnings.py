"""Beginnings: the weights that a training starts from, and the rows that it holds out.

    one affine layer    zeros, as in the tutorials, for binomial families and identity links;
                        else the output's bias alone, at link(mean of y)
    hidden layers       kernels uniform on +- sqrt(6 / (inputs + outputs)) (Glorot and Bengio
                        2010), biases zero; the output's bias as above

Zeros would leave a hidden layer where it is: every unit the same, every gradient zero.
"""

from __future__ import annotations

import numpy as np

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import ArgumentError, DataError
from glmnet_bridge.fitting import starts
from glmnet_bridge.fitting.batches import subset
from glmnet_bridge.model.models import Model

Array = np.ndarray

# links for which eta = 0 is a mean in the middle of the range, wherever the data are
CENTRED = ("logit", "probit", "cloglog", "loglog", "cauchit", "identity")


def first_weights(model: Model, rows: Rows, random: np.random.Generator) -> Array:
    """Parameters `(P,)` inside the domain of the likelihood.

    Raises
    ------
    BridgeError
        where none of the starts is inside; the message says to give `start=`
    """
    theta = _neutral(model, random)
    centred = model.family.link.name in CENTRED
    if centred and _inside(model, rows, theta):
        return theta
    if model.network.plain and model.network.outputs == 1:
        constant = model.columns.index("Intercept") if "Intercept" in model.columns else None
        return starts.start(model, rows, constant)
    for shrink in (1.0, 0.1, 0.01):
        candidate = _levelled(model, rows, shrink * theta)
        if _inside(model, rows, candidate):
            return candidate
    if _inside(model, rows, theta):
        return theta
    raise ArgumentError(
        f"No default start lies inside the domain of the {model.family.link.name} link "
        f"({model.family.title}). Give start=, {model.network.parameters} numbers, one per parameter."
    )


def checked_start(model: Model, rows: Rows, theta: Array) -> Array:
    """The given start `(P,)`, if it has the right length and lies inside the domain.

    Raises
    ------
    ArgumentError
        otherwise
    """
    expected = model.network.parameters
    own = np.array(theta, dtype=float).ravel()
    if len(own) != expected or not np.isfinite(own).all():
        names = ", ".join(model.network.entries[:10]) + (", ..." if expected > 10 else "")
        raise ArgumentError(f"start has {len(own)} numbers; give {expected} finite ones, in the order {names}.")
    if not _inside(model, rows, own):
        raise ArgumentError(
            f"At this start the likelihood ({model.family.title}) is not finite. "
            "Give start= with a valid linear predictor in every row, or leave it out."
        )
    return own


def held_out(rows: Rows, fraction: float | None, random: np.random.Generator) -> tuple[Rows, Rows | None]:
    """Rows to train on, and rows to watch: a random `fraction` of those that have weight.

    Raises
    ------
    DataError
        where that leaves no rows on one of the sides
    """
    if fraction is None:
        return rows, None
    counting = np.flatnonzero(rows.weights > 0)
    size = max(round(fraction * len(counting)), 1)
    if size >= len(counting):
        raise DataError(f"validation={fraction:g} of {len(counting)} rows leaves none to train on. Give a smaller one.")
    away = np.zeros(rows.n, dtype=bool)
    away[random.permutation(counting)[:size]] = True
    return subset(rows, np.flatnonzero(~away)), subset(rows, np.flatnonzero(away))


def _neutral(model: Model, random: np.random.Generator) -> Array:
    """Zeros for one affine layer, else Glorot's uniform."""
    network = model.network
    theta = np.zeros(network.parameters)
    weighted = [layer for layer in network.layers if layer.parameters]
    if network.affine and len(weighted) == 1:
        return theta
    for layer, run in zip(network.layers, network.slices(), strict=True):
        size = min(layer.inputs * layer.outputs, layer.parameters)
        limit = np.sqrt(6.0 / (layer.inputs + layer.outputs))
        theta[run.start : run.start + size] = random.uniform(-limit, limit, size)
    return theta


def _levelled(model: Model, rows: Rows, theta: Array) -> Array:
    """The same with the last bias at link(mean of y)."""
    theta = theta.copy()
    level = float(model.family.link.function(np.array(starts.inside(model.family, rows))))
    if rows.offset is not None:
        level -= float(rows.weights @ rows.offset[:, 0] / rows.weights.sum())
    for layer, run in zip(reversed(model.network.layers), reversed(model.network.slices()), strict=True):
        if layer.parameters:
            if getattr(layer, "bias", False):
                theta[run.stop - layer.outputs : run.stop] = level
            break
    return theta


def _inside(model: Model, rows: Rows, theta: Array) -> bool:
    return bool(np.isfinite(model.sums(rows, theta, "value").loglik))
