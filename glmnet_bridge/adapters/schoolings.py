"""Schoolings as the caller tells them: loss= and optimizer= beside a network that does not say how it was trained.

loss and end of the network -> what it is the likelihood of -> the scale of the weight decay -> `Schooling`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy

from glmnet_bridge.adapters import objectives, optimisers
from glmnet_bridge.adapters.foreigns import Decay, Foreign, Schooling
from glmnet_bridge.adapters.objectives import End, Objective
from glmnet_bridge.adapters.optimisers import Optimiser, Ridge
from glmnet_bridge.errors import ArgumentError, listed
from glmnet_bridge.model.layers import Affine
from glmnet_bridge.model.networks import Network

Array = np.ndarray
Forward = Callable[[pd.DataFrame], Array]


@dataclass(frozen=True, slots=True)
class Told:
    """What the caller says of a training; None where nothing."""

    objective: Objective | None = None
    optimiser: Optimiser | None = None

    @property
    def words(self) -> str:
        """Which arguments say it."""
        given = (("loss=", self.objective), ("optimizer=", self.optimiser))
        return " and ".join(name for name, each in given if each is not None)


UNTOLD = Told()


def told(loss: Any, optimizer: Any) -> Told:
    """The arguments of these names, read.

    Raises
    ------
    ArgumentError
        naming what cannot be read
    """
    return Told(
        None if loss is None else objectives.told(loss),
        None if optimizer is None else optimisers.told(optimizer),
    )


def taught(foreign: Foreign, told: Told, end: str, named: Mapping[int, str] | None = None) -> Foreign:
    """A network with what the caller says of its training; what it says itself of that is not overruled.

    Parameters
    ----------
    foreign : the network
    told : what the caller says
    end : what stands at its end: a key of `outputs.OUTPUTS` or of `objectives.LOGARITHMS`
    named : paths of its parameters by their identity

    Raises
    ------
    ArgumentError
        where network, loss and optimiser do not go together
    """
    if not told.words:
        return foreign
    if foreign.schooling.decay is not None:
        raise ArgumentError(
            f"The {foreign.kind} says itself under which penalty it was trained ({foreign.schooling.decay.words}): "
            "leave loss= and optimizer= out."
        )
    network, loss = foreign.network, told.objective or Objective()
    found = objectives.settled(loss, end, network.outputs)
    check(loss, found, foreign, network)
    decays = weight_decay(loss, told.optimiser, found, end, network, named)
    wrong = objectives.fault(loss, end, found, last(network))
    softened = found.activation == "softmax" and foreign.activation == "linear"
    return replace(
        foreign,
        activation=found.activation,
        family=foreign.family if found.family is None else found.family,
        forward=with_softmax(foreign.forward) if softened else foreign.forward,
        folded=(*foreign.folded, *([logits_note(loss)] if softened else [])),
        schooling=Schooling(
            loss=loss.name,
            likelihood=found.likelihood,
            decay=decay(loss, found, decays),
            notes=(*([wrong] if wrong else []), *decays.notes, sentence(told)),
            optimiser="" if told.optimiser is None else told.optimiser.name,
            smoothing=loss.smoothing,
            class_weights=loss.class_weights or None,
            instead=found.instead,
            besides=decays.besides,
        ),
    )


def check(loss: Objective, found: End, foreign: Foreign | None, network: Network) -> None:
    """Refuse a loss that is of another network."""
    count = max(network.outputs, 2)
    if loss.class_weights and len(loss.class_weights) != count:
        raise ArgumentError(
            f"weight of {loss.name} has {len(loss.class_weights)} numbers, one for each class; the network ends in "
            f"{network.outputs} units."
        )
    if loss.class_weights and loss.measures == objectives.BINARY and network.outputs > 1:
        raise ArgumentError(
            f"pos_weight of {loss.name} is for one yes or no; the network ends in {network.outputs} units."
        )
    own = None if foreign is None else foreign.family
    if foreign is not None and own is not None and found.family is not None and repr(own) != repr(found.family):
        raise ArgumentError(
            f"loss={loss.name} with this end is that of {found.family!r}, but the {foreign.kind} says itself that it "
            f"is {own!r}. Leave loss= out, or give the loss that it was trained for."
        )


def weight_decay(
    loss: Objective,
    optimiser: Optimiser | None,
    found: End,
    end: str,
    network: Network,
    named: Mapping[int, str] | None,
) -> Ridge:
    """The weight decay of an optimiser as a penalty on each weight, beside this loss."""
    paths = [entry.split("[")[0] for entry in network.entries]
    if optimiser is None:
        return Ridge(np.zeros(len(paths)))
    decays = optimisers.ridge(optimiser, paths, named, beside(loss, found))
    if not decays.words:
        return decays
    if not loss.name or loss.reduction == "none":
        what = "optimizer= has a weight decay" if not loss.name else f'{loss.name} has reduction="none"'
        raise ArgumentError(
            f"{what}: how strong a penalty {decays.words} is depends on the loss that it stands beside, and on whether "
            "that is the mean or the sum of the rows. Give loss= with the reduction of the training loop, as in "
            "loss=\"BCELoss(reduction='sum')\"; the mean is its default."
        )
    return scaled(decays, loss, found, end, network)


def scaled(decays: Ridge, loss: Objective, found: End, end: str, network: Network) -> Ridge:
    """The penalty in units of the likelihood, or of the squared error, with what is to be said of it."""
    if not (found.likelihood or found.instead):
        note = f"Its penalty has no scale beside a likelihood, since the loss ({loss.name}) is none."
        return replace(decays, l2=0.0 * decays.l2, words="", notes=(*decays.notes, note))
    summed: tuple[str, ...] = ()
    if loss.reduction == "sum":
        summed = ("The loss is summed over a batch, so that the batch size changes what the penalty means.",)
    return replace(decays, l2=objectives.times(loss, end, network.outputs) * decays.l2, notes=(*decays.notes, *summed))


def beside(loss: Objective, found: End) -> str:
    """What a weight decay is added to, as `translations.Setting` says it."""
    halved = loss.measures == objectives.SQUARES and found.likelihood
    if loss.reduction == "sum":
        return "sum of squared errors" if halved else "sum"
    return "mean squared error" if halved else "mean"


def decay(loss: Objective, found: End, decays: Ridge) -> Decay | None:
    """The same as a record of a training; None where there is no penalty."""
    if not decays.l2.any():
        return None
    return Decay(np.zeros(len(decays.l2)), decays.l2, loss.reduction != "sum", decays.words, loss.weighted, True)


def sentence(told: Told) -> str:
    """What the caller said, in a sentence."""
    loss, optimiser = told.objective, told.optimiser
    parts = []
    if loss is not None:
        parts.append(f"for {loss.name}{_settings(loss)}")
    if optimiser is not None:
        parts.append(f"by {optimiser.name}")
    return f"It was trained {' '.join(parts)}, as {told.words} say{'s' if len(parts) == 1 else ''}."


def _settings(loss: Objective) -> str:
    """What a loss was made with, in brackets."""
    said = [f"class weights {listed([f'{each:g}' for each in loss.class_weights], 8)}"] if loss.class_weights else []
    said += [f"label smoothing {loss.smoothing:g}"] if loss.smoothing else []
    rows = {"mean": "the mean over the rows", "sum": "the sum over the rows"}.get(loss.reduction)
    if rows is not None:
        said.append(f"{rows}, by these weights" if loss.weighted and loss.reduction == "mean" else rows)
    return f" ({'; '.join(said)})" if said else ""


def last(network: Network) -> str:
    """The name of the last layer with weights."""
    return next((layer.name for layer in reversed(network.layers) if isinstance(layer, Affine)), "")


def with_softmax(forward: Forward) -> Forward:
    """The network with the softmax that its loss applies."""
    return lambda table: np.asarray(scipy.special.softmax(forward(table), axis=1))


def logits_note(loss: Objective) -> str:
    """What is said of that."""
    return f"{loss.name} takes logits: the softmax that it applies is read as the network's own."


def refuse_known(told: Told, loss: str, optimiser: str, what: str) -> None:
    """Refuse to be told what a model says itself; "" stands for what it does not say."""
    given: Sequence[tuple[str, Any, str]] = (
        ("loss=", told.objective, loss), ("optimizer=", told.optimiser, optimiser)
    )  # fmt: skip
    for name, each, own in given:
        if each is not None and own:
            raise ArgumentError(
                f"{name}{each.name} contradicts the {what}, or repeats it: that says itself that it was trained with "
                f"{own}. Leave {name} out; or, where it is not what it was trained with, give a model that does not "
                "say so (such as one that is not compiled)."
            )
