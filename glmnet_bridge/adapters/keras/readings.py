"""Readings: a walked graph of Keras, of a live model or of a file, as a `Foreign`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.keras.graphs import Config, Graph
from glmnet_bridge.adapters.keras.schoolings import schooling, trained_with
from glmnet_bridge.adapters.keras.walks import Walked
from glmnet_bridge.adapters.objectives import settled
from glmnet_bridge.adapters.schoolings import Told, logits_note, with_softmax
from glmnet_bridge.errors import DataError

Array = np.ndarray
Forward = Callable[[pd.DataFrame], Array]


def assemble(
    kind: str,
    found: Graph,
    walked: Walked,
    compiled: Config,
    told: Told,
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
    told : what the caller says of its training
    forward : the model itself
    steps : how many its optimiser has made, or None
    precision : machine epsilon of `forward`
    """
    loss, _ = trained_with(compiled, told)
    end = settled(loss, walked.activation, walked.network.outputs)
    softened = end.activation == "softmax" and walked.activation == "linear"
    return Foreign(
        kind=kind,
        intake=walked.intake,
        network=walked.network,
        theta=walked.theta,
        forward=with_softmax(forward) if softened else forward,
        activation=end.activation,
        family=end.family,
        precision=precision,
        folded=(*walked.folded, *([logits_note(loss)] if softened else [])),
        schooling=schooling(found, walked, compiled, told, steps),
    )


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
