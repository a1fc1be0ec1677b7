"""Labels: which level of a two-level response a foreign network's output speaks of.

    labels that are the response's levels      matched by value ("0" is 0 is False)
    none, 0/1, False/True, -1/+1 beside words  the output speaks of the last level, and a note says so
    anything else                              refused: a wrong match would turn every sign

An expression on the left side, such as `I(low == 0)`, has levels of its own: labels 0 and 1 may be those
of its column, and are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.design.events import Level
from glmnet_bridge.design.responses import Response
from glmnet_bridge.errors import ReadError, listed

YES_NO = ("0", "1")
SIGNS = ("-1", "1")
_SPELT = {"True": "1", "False": "0"}


@dataclass(frozen=True, slots=True)
class Spoken:
    """The level that the last output (or the only one) is the probability of, and why, where it is an assumption."""

    level: Level
    note: str = ""


def key(label: object) -> str:
    """A label as text, alike for 0, 0.0, False, "0" and "False"."""
    plain = label.item() if isinstance(label, np.generic) else label
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    return _SPELT.get(str(plain), str(plain))


def spoken(foreign: Foreign, response: Response) -> Spoken:
    """Which of the two levels the network's output speaks of.

    Raises
    ------
    ReadError
        where its labels cannot be matched with the levels
    """
    _check_response(foreign, response)
    levels, labels = response.levels, foreign.classes
    own, known = [key(level) for level in levels], [key(label) for label in labels]
    plain, last = column_of(response.name) is not None, levels[-1]
    if not labels:
        usual = _same(foreign.response) == _same(response.name) or (plain and own == list(YES_NO))
        usual = usual and response.event == last
        return Spoken(last, "" if usual else _assumed(response, last, "it does not name its classes"))
    if not plain and not foreign.response and set(known) <= {"-1", "0", "1"}:
        if not all(isinstance(label, bool | np.bool_) for label in labels) or set(own) != set(known):
            raise _of_expression(foreign, response)
        return Spoken(last, _assumed(response, last, f"it calls its classes {_words(labels)}"))
    if len(known) == 2 and set(known) == set(own):
        return Spoken(levels[own.index(known[-1])])
    if _coded(known) and (not set(known) & set(own) or _coded(own)):
        return Spoken(last, _assumed(response, last, f"it calls its classes {_words(labels)}"))
    raise ReadError(
        f"The network's classes are {_words(labels)}; the response {response.name!r} has the levels "
        f"{_words(levels)}, so that nothing says which is which. Give the column that it was trained on as the "
        "response (with event= for the level to model), or recode one of them."
    )


def of_successes(foreign: Foreign) -> str:
    """What is taken for granted where a network of two named classes is read beside counted successes."""
    if len(foreign.classes) != 2 or key(foreign.classes[-1]) == "1":
        return ""
    return f"The network's output is taken to be P(success): it is that of its class {foreign.classes[-1]!r}."


def column_of(written: str) -> str | None:
    """The column that a left side is, through C() and Q(); None for an expression."""
    found = re.fullmatch(r"(?:C\(\s*)?(?:Q\(\s*)?[\"']?(\w+)[\"']?\s*(?:\)\s*)?(?:\)\s*)?", written.strip())
    if found is not None:
        return found[1]
    quoted = re.fullmatch(r"Q\(\s*([\"'])(.*)\1\s*\)", written.strip())
    return quoted[2] if quoted is not None else None


def _check_response(foreign: Foreign, response: Response) -> None:
    """A model that knows its response as an expression was trained on that one."""
    theirs, ours = foreign.response, response.name
    if not theirs or _same(theirs) == _same(ours) or (column_of(theirs) and column_of(ours)):
        return
    raise ReadError(
        f"The network's response is {theirs}, the formula's {ours}: which level of the one is which of the other is "
        f"not known. Write the same response in both, as in {theirs!r} ~ ..., or fit the network on the column itself."
    )


def _same(written: str) -> str:
    return re.sub(r"\s+", "", written).replace('"', "'")


def _coded(keys: list[str]) -> bool:
    return tuple(keys) in (YES_NO, SIGNS)


def _words(labels: tuple[object, ...]) -> str:
    plain = (label.item() if isinstance(label, np.generic) else label for label in labels)
    return listed([repr(label) for label in plain], 8)


def _assumed(response: Response, level: Level, why: str) -> str:
    return f"The network's output is taken to be P({response.name} = {level!r}): {why}."


def _of_expression(foreign: Foreign, response: Response) -> ReadError:
    return ReadError(
        f"The network's classes are {_words(foreign.classes)}, but the response {response.name!r} is an expression, "
        "whose levels need not be these. Give a formula whose response is the column that it was trained on, with "
        "event= for the level to model."
    )
