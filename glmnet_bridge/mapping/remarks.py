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
    taken : what the outputs are taken for, where that is an assumption
    named : whether their labels say so all the same
    match : what they make far more sense as
    """

    margins: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    constant: bool = False
    order: str = ""
    taken: str = ""
    named: bool = False
    match: str = ""

    @property
    def misplaced(self) -> bool:
        """Whether inputs or outputs make far more sense in other places: then no other cause of a gap is looked for."""
        return bool(self.order or self.match)

    @property
    def places(self) -> tuple[str, ...]:
        """What a verdict says of inputs and outputs that only their place tells apart."""
        taken = self.taken if self.match or not self.named else ""
        return tuple(each for each in (taken, self.match, self.order) if each)
