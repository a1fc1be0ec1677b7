"""Margins: the terms of a right side in R's order, and which of them stand within others.

a, b, a:b      `a` is marginal to `a:b`: to leave it out alone would only change how `a:b` is written
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Term:
    """A term and its columns.

    Attributes
    ----------
    name : as it is written
    columns : (m,) positions in the design
    factors : what it is the product of; none for the intercept
    """

    name: str
    columns: Array
    factors: frozenset[str]

    def within(self, other: Term) -> bool:
        """Whether this is marginal to `other`."""
        return self.factors < other.factors


def terms(recipe: Any) -> tuple[Term, ...]:
    """The intercept, then the terms as they were written, those of fewer factors first (R's order).

    Arrays have one term per column.
    """
    places = {name: np.arange(where.start, where.stop) for name, where in recipe.terms}
    design = getattr(recipe, "design", None)
    if design is None:
        return tuple(
            Term(name, columns, frozenset() if name == "Intercept" else frozenset([name]))
            for name, columns in places.items()
        )
    order = sorted(design.formula.terms, key=lambda term: len(term.factors))
    return tuple(
        Term(term.name(), places[term.name()], frozenset(factor.name() for factor in term.factors)) for term in order
    )


def droppable(found: Sequence[Term]) -> list[Term]:
    """R's `drop.scope`: terms that are marginal to no other, without the intercept."""
    return [term for term in found if term.factors and not any(term.within(other) for other in found)]


def addable(new: Sequence[frozenset[str]], old: Sequence[frozenset[str]]) -> list[int]:
    """R's `add.scope`: positions of the new terms of which no margin is new itself."""
    return [at for at, term in enumerate(new) if not any(other < term for other in new if other) and term not in old]
