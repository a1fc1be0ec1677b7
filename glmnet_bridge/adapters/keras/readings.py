"""Readings: a walked graph of Keras, of a live model or of a file, as a `Foreign`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import scipy

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.keras.graphs import Config, Graph
from glmnet_bridge.adapters.keras.schoolings import CROSS_ENTROPIES, loss_of, schooling, settled
from glmnet_bridge.adapters.keras.walks import Walked
from glmnet_bridge.errors import DataError

Array = np.ndarray
Forward = Callable[[pd.DataFrame], Array]


def assemble(
    kind: str,
    found: Graph,
    walked: Walked,
    compiled: Config,
    forward: Forward,
    *,
    steps: int | None,
    precision: float,
) -> Foreign:
    """All that is known of a model.

    Parameters
    ----------
    kind : what it is, in words
    found, walked : its graph, and our reading of it
    compiled : its compile configuration, or empty
    forward : the model itself
    steps : how many its optimiser has made, or None
    precision : machine epsilon of `forward`
    """
    loss, outputs = loss_of(compiled), walked.network.outputs
    activation, family, _ = settled(loss, walked.activation, outputs)
    folded = walked.folded
    if activation != walked.activation:
        folded = (*folded, f"{loss.name} takes logits: the softmax that it applies is read as the network's own.")
    return Foreign(
        kind=kind,
        intake=walked.intake,
        network=walked.network,
        theta=walked.theta,
        forward=forward,
        activation=activation,
        family=family,
        precision=precision,
        folded=folded,
        schooling=schooling(found, walked, compiled, outputs, steps),
    )


def logits_too(forward: Forward, walked: Walked, compiled: Config) -> Forward:
    """The model with the softmax that its loss applies."""
    loss = loss_of(compiled)
    if not (loss.name in CROSS_ENTROPIES and loss.logits and walked.activation == "linear"):
        return forward
    return lambda table: scipy.special.softmax(forward(table), axis=1)


def checked(walked: Walked, table: pd.DataFrame) -> Array:
    """The raw inputs as numbers `(m, r)`; codes must lie within the tables that they look up."""
    matrix = table.to_numpy(dtype=float)
    for at, count, label in walked.limits:
        column = matrix[:, at]
        wrong = ~((column >= 0) & (column < count) & (column == np.floor(column)))
        if wrong.any():
            raise DataError(
                f"Input {walked.intake.names[at]!r} has the value {column[wrong][0]:g}; {label} knows the codes 0 to "
                f"{count - 1}. Feed the codes that the network was trained on."
            )
    return matrix
