"""Outputs: what stands at the end of a foreign network, and the family that it speaks of.

sigmoid                    binomial, logit        the last value is eta
softmax over C units       C = 2: binomial, logit; C > 2: multinomial      eta: differences of logits
tanh (responses -1, +1)    binomial, logit        eta is twice the last value
exponential                the log link of the family that the loss says
linear                     any family: its value is eta
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.design.responses import Response
from glmnet_bridge.errors import ReadError
from glmnet_bridge.model import families
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.layers import Contrast, Fixed
from glmnet_bridge.model.networks import Network

Array = np.ndarray

# the activation behind the last layer, as a function of its values `(m, k)`
OUTPUTS: dict[str, Callable[[Array], Array]] = {
    "linear": np.positive,
    "sigmoid": lambda eta: scipy.special.expit(eta),
    "softmax": lambda eta: scipy.special.softmax(eta, axis=1),
    "tanh": np.tanh,
    "exponential": np.exp,
    "normal distribution function": lambda eta: scipy.special.ndtr(eta),
    "1 - exp(-exp(eta))": lambda eta: -np.expm1(-np.exp(eta)),
    "exp(-exp(-eta))": lambda eta: np.exp(-np.exp(-eta)),
    "1/eta": np.reciprocal,
    "1/sqrt(eta)": lambda eta: eta**-0.5,
    "square": np.square,
    "1/2 + arctan(eta)/pi": lambda eta: np.arctan2(1.0, -eta) / np.pi,
}
_LOGISTIC = ("sigmoid", "softmax", "tanh")


def settled(foreign: Foreign, family: Any, link: Any) -> Family:
    """The family of a foreign network: what the caller says, where output and loss allow it.

    Raises
    ------
    ReadError
        where the output activation is the inverse of another link, or no link at all
    """
    if family is None and link is None:
        if foreign.family is not None:
            return foreign.family
        if foreign.activation == "exponential":
            raise ReadError(
                "The network ends in an exponential: that is the log link, of several families. Say which one: "
                'family="poisson", "gamma" with link="log", ...'
            )
        return families.named("binomial")
    chosen = families.named("binomial" if family is None else family, link)
    wanted = "sigmoid" if foreign.activation in _LOGISTIC else foreign.activation
    if foreign.activation == "linear" or chosen.link.activation == wanted:
        return chosen
    if family is not None and link is None and foreign.family is not None and foreign.family.name == chosen.name:
        return foreign.family
    raise ReadError(
        f"The network ends in {foreign.activation}, but the {chosen.link.name} link of family={chosen.name!r} needs "
        f"{chosen.link.activation} there. Give the family and link that it was trained for."
    )


def with_family(foreign: Foreign, response: Response) -> Network:
    """The network down to the family's linear predictors."""
    network = foreign.network
    count = network.outputs
    if foreign.activation == "tanh":
        return _then(network, Fixed(np.diag(np.full(count, 2.0)), np.zeros(count), "doubled", "rescaling"))
    if count == 1 and foreign.activation not in ("softmax",):
        if _event(foreign, response) == 0:
            return _then(network, Fixed(np.array([[-1.0]]), np.zeros(1), "event", "sign of the event"))
        return network
    if count == 1:
        raise ReadError(
            "The network ends in a softmax over one unit, which is 1 whatever its weights. Use a sigmoid on one unit, "
            "or a softmax over two."
        )
    if count == 2 and response.kind in ("binary", "proportion", "successes"):
        return _then(network, Contrast(2, 1 - _event(foreign, response)))
    return _then(network, Contrast(count, 0)) if foreign.activation == "softmax" else network


def _then(network: Network, layer: Any) -> Network:
    return replace(network, layers=(*network.layers, layer))


def _event(foreign: Foreign, response: Response) -> int:
    """Which of two classes is the formula's event; the last one where the model does not name them."""
    labels = list(foreign.classes)
    if len(labels) == 2 and response.event in labels:
        return labels.index(response.event)
    return 1
