"""Foreign models, as every adapter reads them: a `Network` with its weights, and the model itself to check it.

An adapter is one module with `read(model, ...) -> Foreign`, and one line in `recognition.READERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from glmnet_bridge.mapping.raws import Intake
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.networks import Network

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Decay:
    """A penalty of the model's training, on the scale of the total log-likelihood at dispersion 1.

        total -loglik + sum(l1 * |theta|) + sum(l2 * theta^2) / 2

    Attributes
    ----------
    l1, l2 : (P,) strengths per weight, where the number of rows is known; see `rows`
    per_row : whether the strengths must still be multiplied by the number of rows (a mean loss), each counted with
        its weight
    words : where it was read, such as "C=1.0" or "kernel_regularizer=L2(0.01)"
    weighted : whether that number of rows counts each with its class weight (a mean over these weights)
    one_by_one : whether it counts each row as one, however much it weighs (PyTorch's and Keras' means)
    """

    l1: Array
    l2: Array
    per_row: bool = False
    words: str = ""
    weighted: bool = False
    one_by_one: bool = False


@dataclass(frozen=True, slots=True)
class Schooling:
    """How the model was trained, as far as it says so; all that may be a cause of a distance from the optimum.

    Attributes
    ----------
    loss : its name in the model's words, or "" where the model does not say
    likelihood : whether that loss is minus a log-likelihood of the family (a hinge or a squared error is not)
    instead : where it is not, but its optimum is known: a key of `inference.causes.LOSSES`
    decay : the penalty, or None where there is none or none is known
    notes : sentences such as "AdamW's decoupled decay has no meaning as a penalty"
    besides : what else kept the weights from the optimum of the loss, such as "AdamW's decoupled weight decay"
    optimiser : its name, or ""
    smoothing : label smoothing
    class_weights : by class, in the order of the network's outputs (of a single one: other level, its level), the
        word "balanced" (inversely to the number of rows of a class), or None
    other_family : the family whose likelihood the loss is, where the network is read as one of another
    """

    loss: str = ""
    likelihood: bool = True
    decay: Decay | None = None
    notes: tuple[str, ...] = ()
    optimiser: str = ""
    smoothing: float = 0.0
    class_weights: dict[object, float] | tuple[float, ...] | str | None = None
    instead: str = ""
    besides: tuple[str, ...] = ()
    other_family: Family | None = None


@dataclass(frozen=True, slots=True)
class Foreign:
    """A model of another package, read.

    Attributes
    ----------
    kind : what it is, in words: "scikit-learn Pipeline", "PyTorch Sequential"
    intake : its raw inputs, and the network's in terms of them
    network : our reading, without the output activation
    theta : (P,) its weights, in double precision
    forward : the model itself, activation included: a frame of raw inputs `(m, r)` to its output `(m, k)`
    activation : what stands behind the network's last layer: a key of `outputs.OUTPUTS`
    family : what output and loss say together, or None where only the caller can
    precision : machine epsilon of the arithmetic that it computes in
    folded : what was folded, one sentence each
    classes : labels of the outputs (of a single one: of both classes), where it knows them
    schooling : how it was trained
    response : its response as a formula of its own writes it, such as "I(low == 0)"; else ""
    """

    kind: str
    intake: Intake
    network: Network
    theta: Array
    forward: Callable[[pd.DataFrame], Array]
    activation: str = "linear"
    family: Family | None = None
    precision: float = float(np.finfo(float).eps)
    folded: tuple[str, ...] = ()
    classes: tuple[object, ...] = ()
    schooling: Schooling = field(default_factory=Schooling)
    response: str = ""
