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
from glmnet_bridge.errors import ReadError, listed
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
    "1/2 + arctan(eta)/pi": lambda eta: 0.5 + np.arctan(eta) / np.pi,
    "1/eta": np.reciprocal,
    "1/sqrt(eta)": lambda eta: eta**-0.5,
    "square": np.square,
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
        return families.named("multinomial" if _several(foreign) else "binomial")
    chosen = families.named("binomial" if family is None else family, link)
    if chosen.joint and foreign.activation in ("sigmoid", "softmax"):
        return chosen
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
    if response.kind == "classes":
        return _of_classes(foreign, response)
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


def _several(foreign: Foreign) -> bool:
    return foreign.activation == "softmax" and foreign.network.outputs > 2


def _of_classes(foreign: Foreign, response: Response) -> Network:
    """The network down to the log-odds of each class against the base, in the order of the response."""
    network, levels, ends = foreign.network, list(response.levels), foreign.activation
    count, units = network.outputs, class_order(foreign, response)
    if count > 1 and ends not in ("softmax", "linear"):
        raise ReadError(
            f"The network ends in {count} units with {ends} each: these are {count} answers of yes or no, not one of "
            "several classes. Read one of them at a time, or train a network that ends in a softmax."
        )
    if count == len(levels):
        others = tuple(units.index(each) for each in levels if each != response.base)
        return _then(network, Contrast(count, units.index(response.base), others=others))
    if count == len(levels) - 1 == 1 and ends != "softmax":
        # one logit speaks of the second of two classes
        turn = Fixed(np.array([[-1.0]]), np.zeros(1), "base", "sign of the base")
        return _then(network, turn) if units[1] == response.base else network
    if count == len(levels) - 1 and ends == "linear":
        return network
    raise ReadError(
        f"The network ends in {count} units ({ends}); the response {response.name!r} has {len(levels)} classes "
        f"({listed([str(level) for level in levels], 8)}). Give the rows and classes that it was trained on."
    )


def class_order(foreign: Foreign, response: Response) -> list[Any]:
    """The response's classes in the order of the network's outputs: by their labels, or as they come.

    Raises
    ------
    ReadError
        where the network names other classes
    """
    levels, known = list(response.levels), list(foreign.classes)
    if not known:
        return levels
    by_text = {str(level): level for level in levels}
    found = [by_text.get(str(label)) for label in known]
    if set(found) == set(levels) and len(found) == len(levels):
        return found
    numbers = list(range(len(levels)))
    if [str(label) for label in known] == [str(number) for number in numbers]:
        return levels  # classes that were coded as 0, 1, 2, ...
    raise ReadError(
        f"The network's classes are {listed([str(label) for label in known], 8)}, those of {response.name!r} "
        f"{listed([str(level) for level in levels], 8)}. Give the response that it was trained on."
    )


def order_note(foreign: Foreign, response: Response) -> str:
    """What the outputs of a network are taken for, where it does not name its classes itself."""
    if response.kind != "classes" or {str(x) for x in foreign.classes} == {str(x) for x in response.levels}:
        return ""
    names = [str(level) for level in class_order(foreign, response)]
    return f"The network does not name its classes: its outputs are taken to be {listed(names, 12)}, in this order."


def _then(network: Network, layer: Any) -> Network:
    return replace(network, layers=(*network.layers, layer))


def _event(foreign: Foreign, response: Response) -> int:
    """Which of two classes is the formula's event; the last one where the model does not name them."""
    labels = list(foreign.classes)
    if len(labels) == 2 and response.event in labels:
        return labels.index(response.event)
    return 1
