"""Notes: what was taken for granted when a foreign network was read beside these data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.outputs import last_name
from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import ReadError, listed
from glmnet_bridge.mapping.inputs import Asked
from glmnet_bridge.mapping.raws import Raws, own_names
from glmnet_bridge.model.families import Family

SOME = 10_000  # rows on which an input is compared with the offset


def noted(foreign: Foreign, asked: Asked, raws: Raws, columns: Collection[str], family: Family, rows: Rows) -> Foreign:
    """The network, with what it says of its training, and a sentence for each thing that nobody said.

    Parameters
    ----------
    foreign, raws : the network, and its raw inputs as they were found
    asked : what the caller says of the inputs
    columns : of the frame
    family, rows : of the formula

    Raises
    ------
    ReadError
        where the network is fed the formula's offset, which would count twice
    """
    _refuse_offset(foreign, raws, rows)
    told = (
        _order(foreign, raws) if asked.nothing and not own_names(foreign.intake, columns) else "",
        _mean_of_two(foreign, family, rows),
        _bare(foreign, family),
        "" if foreign.theta.any() else "All its weights are 0: was it trained, and were its weights loaded?",
    )
    found = (*foreign.folded, *foreign.schooling.notes, *(note for note in told if note))
    return replace(foreign, folded=tuple(dict.fromkeys(found)))


def _refuse_offset(foreign: Foreign, raws: Raws, rows: Rows) -> None:
    """An input that is the offset, but for a constant: the network's output holds it already."""
    if rows.offset is None or foreign.intake.offset:
        return
    some = min(rows.n, SOME)
    offset = rows.offset[:some]
    plain = {feature.sources[0] for feature in foreign.intake.features if feature.plain}
    table = raws.table(0, some)
    for at in sorted(plain):
        column = pd.to_numeric(table.iloc[:, at], errors="coerce").to_numpy(dtype=float)
        apart = offset - column[:, None]
        if np.ptp(column) > 0 and np.ptp(apart) <= 1e-6 * np.ptp(column):
            raise ReadError(
                f"The network is fed {foreign.intake.names[at]!r}, which is the formula's offset too: it would count "
                "twice. Leave the offset out of the formula (or offset=); the map then shows the input as a term."
            )


def _order(foreign: Foreign, raws: Raws) -> str:
    if raws.fed is None or foreign.intake.named:
        return ""
    one = len(raws.fed.names) == 1
    what = "input has no name; it is" if one else "inputs have no names; they are"
    order = "" if one else " in this order"
    return f"Its {what} taken to be {listed(list(raws.fed.names), 30)}{order} (inputs= says otherwise)."


def _bare(foreign: Foreign, family: Family) -> str:
    """An end without an activation, of which nobody said what it is."""
    silent = foreign.activation == "linear" and foreign.family is None and not foreign.schooling.loss
    if not silent or family.link.name == "identity":
        return ""
    what = "log-odds" if family.link.name == "logit" else f"the linear predictor of the {family.link.name} link"
    return (
        f"Layer {last_name(foreign)!r} ends without an activation, and no loss is known: its output is taken as "
        f"{what} (family= and link= say otherwise)."
    )


def _mean_of_two(foreign: Foreign, family: Family, rows: Rows) -> str:
    """A network that was trained for the mean of numbers, beside a yes/no."""
    known = foreign.family is not None and foreign.family.name == family.name == "gaussian"
    if not known or not np.isin(rows.response, (0.0, 1.0)).all():
        return ""
    return (
        "The response is 0 or 1 in all rows, and the network was trained for its mean (a squared error): both are read "
        "as a gaussian model of it, and no coefficient is a log-odds."
    )
