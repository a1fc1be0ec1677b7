"""Matches: whether a network whose outputs were matched with the levels by place makes more sense the other way round.

    two levels         the sign of eta is turned
    several classes    the logits stand for the classes in another order

Of the log-likelihood of a row, (logit of its class) - log sum exp(logits), only the first part depends on which
logit is whose: the best of all orders is an assignment of logits to classes, which a table of their sums decides.
A network that is near to the maximum of the likelihood of the GLM on its inputs is not suspected, and costs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy

from glmnet_bridge.data.rows import Array, Block, Rows
from glmnet_bridge.design.events import Level
from glmnet_bridge.design.responses import Response
from glmnet_bridge.errors import listed
from glmnet_bridge.mapping.orders import SAID, SURE, Known, glm_deviance
from glmnet_bridge.mapping.verdicts import figure
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.layers import Fixed
from glmnet_bridge.model.models import Model

MOST = 20  # classes of which orders are compared


@dataclass(frozen=True, slots=True)
class Taken:
    """What a network's outputs are taken for, where that is an assumption: mostly, where only their place says it.

    Attributes
    ----------
    levels : one for each output, in their order; where there is an output less, the first is what the others
        are compared with; of counted successes none
    less : whether there is
    note : the assumption, as a sentence
    named : whether the network's labels are these levels, False and True of an expression that may be another one
    """

    levels: tuple[Level, ...]
    less: bool
    note: str
    named: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A better match: the levels in it, in the order of the outputs, and the deviances of both."""

    response: str
    taken: Taken
    levels: tuple[Level, ...]
    deviance: float
    given: float

    @property
    def sentence(self) -> str:
        """What to think of, with both deviances, and what to do."""
        figures = f"the deviance would be {figure(self.deviance)} instead of {figure(self.given)}"
        if len(self.levels) == 2:
            return (
                f"As P({self.response} = {self.levels[1]!r}) {figures}: is it the other way round? Give the column "
                f"that it was trained on as the response, or a category whose last level is {self.levels[1]!r}."
            )
        return (
            f"As {shown(self.levels, self.taken.less)} {figures}: are its classes in another order? Give the column "
            "that it was trained on as the response, or a category with its levels in that order."
        )


def shown(levels: tuple[Level, ...], less: bool) -> str:
    """What outputs stand for, in words."""
    first, *rest = [str(level) for level in levels]
    return f"the log-odds of {listed(rest, MOST)} against {first}" if less else listed([first, *rest], MOST)


def better(taken: Taken, response: Response, model: Model, theta: Array, rows: Rows, known: Known) -> Match | None:
    """The match that explains the response far better than the one given, and than a constant; None without one.

    Parameters
    ----------
    taken : what the outputs were taken for
    response : of two levels, or of several classes
    model, theta, rows : the network over the columns of formula and network, down to the linear predictors
    known : its deviances
    """
    count = len(taken.levels)
    if not 1 < count <= MOST or not (model.family.joint or _symmetric(model.family)):
        return None
    margin = float(scipy.special.chdtri(count - 1, SURE / (math.factorial(count) - 1))) * known.dispersion
    if not known.given - known.least > margin:
        return None
    places = _assigned(_sums(model, theta, rows))
    if places == list(range(count)):
        return None
    turn = Fixed(_turned(places), np.zeros(count - 1), "another match", "order of the classes")
    other = replace(model, network=replace(model.network, layers=(*model.network.layers, turn)))
    deviance = -2.0 * other.sums(rows, theta, "value").loglik
    if not known.given - deviance > margin:
        return None
    null = known.null()
    if not null - deviance > SAID * (null - glm_deviance(model, rows)):
        return None
    own = _own_order(response)
    becomes = {own[logit]: own[level] for level, logit in enumerate(places)}
    levels = tuple(becomes[level] for level in taken.levels)
    return Match(response.name, taken, levels, deviance, known.given)


def _own_order(response: Response) -> list[Level]:
    """The levels as the linear predictors have them: first the one that the others are compared with."""
    if response.kind == "classes":
        return sorted(response.levels, key=lambda level: level != response.base)
    return sorted(response.levels, key=lambda level: level == response.event)


def _symmetric(family: Family) -> bool:
    """Whether eta with its sign turned gives the other level's probability."""
    eta = np.array([[0.5], [2.0]])
    return bool(np.allclose(family.mean(eta) + family.mean(-eta), 1.0, rtol=1e-12))


def _sums(model: Model, theta: Array, rows: Rows) -> Array:
    """Sum of each logit over the rows of each class, `(classes, logits)`; the base, whose logit is 0, comes first."""
    body = model.network.at(theta)

    def part(block: Block) -> Array:
        eta = body.forward(block.columns)[0]
        logits = np.column_stack([np.zeros(len(eta)), eta])
        of_class = np.column_stack([1.0 - block.response.sum(axis=1), block.response])
        found: Array = (block.weights[:, None] * of_class).T @ logits
        return found

    return rows.sum(part)


def _assigned(sums: Array) -> list[int]:
    """The logit of each class, each logit once, with the largest sum."""
    from scipy.optimize import linear_sum_assignment

    places: list[int] = linear_sum_assignment(sums, maximize=True)[1].tolist()
    return places


def _turned(places: list[int]) -> Array:
    """`(k, k)`: from the linear predictors to those where class c has the logit `places[c]`."""
    logits = np.eye(len(places))[1:, places]  # of each class, in terms of the linear predictors
    found: Array = logits[:, 1:] - logits[:, :1]
    return found
