"""Remarks: what the rows show of a network beside the map, in sentences."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remarks:
    """What was noticed; empty where there is nothing to say.

    Attributes
    ----------
    margins : ReLUs that are lines on these rows
    units : hidden units that do nothing, or what another one does
    output : an output that is saturated, or the same on every row
    constant : whether it is the same
    order : another order of the inputs, in which they make far more sense
    """

    margins: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    constant: bool = False
    order: str = ""
