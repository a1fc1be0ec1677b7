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

from glmnet_bridge.adapters import labels
from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.design.responses import Response
from glmnet_bridge.errors import ReadError, listed
from glmnet_bridge.model import families
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.layers import Activation, Affine, Contrast, Fixed
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
# inverse links of which eta with its sign turned gives the other level's probability
_SYMMETRIC = ("sigmoid", "normal distribution function", "1/2 + arctan(eta)/pi")


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
        _check_end(foreign)
        _check_loss(foreign)
        return families.named("multinomial" if _several(foreign) else "binomial")
    chosen = families.named("binomial" if family is None else family, link)
    if chosen.joint and foreign.activation in ("sigmoid", "softmax"):
        return chosen
    wanted = "sigmoid" if foreign.activation in _LOGISTIC else foreign.activation
    if foreign.activation == "linear" and foreign.family is None:
        if link is None and foreign.schooling.loss == "binary_crossentropy":
            _check_loss(foreign)
        return chosen
    if chosen.link.activation == wanted and foreign.activation != "linear":
        return chosen
    if foreign.activation == "linear" and foreign.family is not None:
        if chosen.link.activation == foreign.family.link.activation:
            return chosen
        raise _a_mean(foreign, chosen)
    if family is not None and link is None and foreign.family is not None and foreign.family.name == chosen.name:
        return foreign.family
    raise ReadError(
        f"The network ends in {foreign.activation}, but the {chosen.link.name} link of family={chosen.name!r} needs "
        f"{chosen.link.activation} there. Give the family and link that it was trained for."
    )


def judged(foreign: Foreign, family: Family) -> Foreign:
    """The network beside a family; a loss that is the likelihood of another one is none of this."""
    own, school = foreign.family, foreign.schooling
    if own is None or not (school.loss and school.likelihood) or own.distribution == family.distribution:
        return foreign
    if {own.name, family.name} == {"binomial", "multinomial"}:
        return foreign
    note = f"The loss {school.loss} is that of {own!r}, not of {family!r}, as which the network is read."
    other: Family | None
    instead, decay, other = "", school.decay, own
    if own.name == "gaussian":  # the likelihood is half of it, and so is the penalty beside the likelihood
        instead, other = "squared error", None
        decay = school.decay and replace(school.decay, l1=2.0 * school.decay.l1, l2=2.0 * school.decay.l2)
    instead = instead or f"the {own.name} likelihood"
    taught = replace(
        school, likelihood=False, instead=instead, decay=decay, other_family=other, notes=(*school.notes, note)
    )
    return replace(foreign, schooling=taught)


def _check_end(foreign: Foreign) -> None:
    """An activation that is no inverse link does not stand before a family that nobody named."""
    last = foreign.network.layers[-1]
    if foreign.activation == "linear" and isinstance(last, Activation):
        raise ReadError(
            f"The network ends in {last.kind} (layer {last.name!r}), which is no inverse link: nothing says which "
            "family its output speaks of. Train it with a sigmoid (or without an activation, with a loss that takes "
            'logits) at the end; or, where its output is meant as log-odds, say family="binomial".'
        )


def _check_loss(foreign: Foreign) -> None:
    """A bare output is the linear predictor only where the loss took it for one."""
    school = foreign.schooling
    if foreign.activation == "linear" and school.loss and not school.likelihood:
        said = f" {school.notes[0]}" if school.notes else ""
        raise ReadError(
            f"The network ends in {last_name(foreign)!r} without an activation, and its loss ({school.loss}) does not "
            f'take that for log-odds.{said} Say what the output is by family= and link= (link="identity": the mean '
            'itself; link="logit": log-odds all the same), or train it with a sigmoid.'
        )


def last_name(foreign: Foreign) -> str:
    """The name of the last layer with weights."""
    names = [layer.name for layer in foreign.network.layers if isinstance(layer, Affine)]
    return names[-1] if names else "its last layer"


def _a_mean(foreign: Foreign, chosen: Family) -> ReadError:
    own = foreign.family
    assert own is not None
    what = "a mean" if own.link.name == "identity" else f"the linear predictor of a {own.link.name} link"
    return ReadError(
        f"The network ends in {last_name(foreign)!r} without an activation and was trained for "
        f"family={own.name!r} with the {own.link.name} link: it predicts {what}, not what the {chosen.link.name} link "
        f'of family={chosen.name!r} needs. Say family="{own.name}", link="{own.link.name}", or train it with a sigmoid '
        "or another inverse link at its end."
    )


def with_family(foreign: Foreign, response: Response, family: Family) -> Network:
    """The network down to the family's linear predictors."""
    network = foreign.network
    count = network.outputs
    if response.kind == "classes":
        return _of_classes(foreign, response)
    if foreign.activation == "tanh":
        sign = 2.0 if _event(foreign, response) else -2.0
        return _then(network, Fixed(np.diag(np.full(count, sign)), np.zeros(count), "doubled", "rescaling"))
    if count == 1 and foreign.activation not in ("softmax",):
        if _event(foreign, response) == 0:
            if family.link.activation not in _SYMMETRIC:
                raise _one_sided(foreign, response, family)
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
    by_text = {labels.key(level): level for level in levels}
    found = [by_text.get(labels.key(label)) for label in known]
    if set(found) == set(levels) and len(found) == len(levels):
        return found
    numbers = list(range(len(levels)))
    if [labels.key(label) for label in known] == [str(number) for number in numbers]:
        return levels  # classes that were coded as 0, 1, 2, ...
    raise ReadError(
        f"The network's classes are {listed([str(label) for label in known], 8)}, those of {response.name!r} "
        f"{listed([str(level) for level in levels], 8)}. Give the response that it was trained on."
    )


def _then(network: Network, layer: Any) -> Network:
    return replace(network, layers=(*network.layers, layer))


def _event(foreign: Foreign, response: Response) -> int:
    """Which of two outputs is the formula's event; of one output, 1 where it is itself, 0 for the other level."""
    if response.kind != "binary":
        return 1  # successes; or no event at all
    return int(labels.spoken(foreign, response).level == response.event)


def _one_sided(foreign: Foreign, response: Response, family: Family) -> ReadError:
    level = labels.spoken(foreign, response).level
    return ReadError(
        f"The network's output is P({response.name} = {level!r}) by the {family.link.name} link, and the formula "
        f"models the other level, for which that link is another one. Give event={level!r}."
    )
