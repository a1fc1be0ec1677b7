"""Places: what the outputs of a foreign network are taken for, where only their place says it.

labels that are the response's levels    matched by value: nothing is taken for anything
no labels, or codes beside words         matched by place: the verdict says so, and a far better match warns
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from glmnet_bridge.adapters import labels
from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.outputs import class_order
from glmnet_bridge.data.rows import Rows
from glmnet_bridge.design.responses import Response
from glmnet_bridge.errors import DataWarning, warn
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.mapping import matches
from glmnet_bridge.mapping.matches import Taken
from glmnet_bridge.mapping.orders import Known
from glmnet_bridge.mapping.remarks import Remarks


def taken(foreign: Foreign, response: Response) -> Taken | None:
    """What the outputs are taken for, where the network does not name its classes itself; else None."""
    named = set(map(labels.key, foreign.classes)) == set(map(labels.key, response.levels))
    if response.kind == "binary":
        said = labels.spoken(foreign, response)
        other = next(level for level in response.levels if level != said.level)
        less = foreign.network.outputs == 1
        # 0 and 1 go without saying, until the other way round is far better
        return Taken((other, said.level), less, said.note, named) if said.note or not foreign.classes else None
    if response.kind in ("proportion", "successes"):
        note = labels.of_successes(foreign)
        return Taken((), foreign.network.outputs == 1, note) if note else None
    if response.kind != "classes" or named:
        return None
    levels = tuple(class_order(foreign, response))
    less = foreign.network.outputs < len(levels)
    if less and len(levels) > 2 and response.base is not None:  # log-odds against the base are read as they are
        levels = (response.base, *(level for level in levels if level != response.base))
    names = matches.shown(levels, less)
    note = f"The network does not name its classes: its outputs are taken to be {names}, in this order."
    return Taken(levels, less, note)


def remarked(
    remarks: Remarks,
    foreign: Foreign | None,
    response: Response,
    found: Estimate,
    rows: Rows,
    known: Callable[[], Known],
) -> Remarks:
    """The remarks, with what the outputs are taken for, and as what they make far more sense: that warns.

    Parameters
    ----------
    foreign : the model, None for a network of ours
    response : the formula's
    found, rows : the network down to the linear predictors, and the rows
    known : gives its deviances
    """
    assumed = None if foreign is None else taken(foreign, response)
    if assumed is None:
        return remarks
    match = matches.better(assumed, response, found.model, found.theta, rows, known())
    if match is None:
        return replace(remarks, taken=assumed.note, named=assumed.named)
    warn(f"{assumed.note} {match.sentence}".strip(), DataWarning)
    return replace(remarks, taken=assumed.note, match=match.sentence)
