"""Separation: estimates that run to infinity, proved or refuted, and put into words.

The likelihood of some rows rises for ever in one direction of eta: an event under a logit
link as eta -> +inf, a count of zero under a log link as eta -> -inf. If a direction d of the
coefficients moves such rows their way and moves no other row at all, there is no maximum:

    side_i x_i'd >= 0 for rows with a side,   x_i'd = 0 for the others,   x_i'd != 0 somewhere

(Albert and Anderson 1984; for counts Correia, Guimaraes and Zylkin 2019). The rows that go
off are fitted perfectly in the limit; the others decide which coefficients stay finite: those
whose unit vector lies in the span of their rows. `cones` has the linear programmes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glmnet_bridge.data.rows import ArraySource, Rows
from glmnet_bridge.errors import listed
from glmnet_bridge.fitting import cones, linalg
from glmnet_bridge.fitting.cones import CLEAR, SETTLED, Points
from glmnet_bridge.model.families import Family

Array = np.ndarray

DISTINCT = 2_000_000  # entries of the table of distinct rows; with more, rows are read block by block
NEXT = (
    "Merge or drop what separates the data, fit with a ridge penalty (penalty=gb.penalties.ridge(1)), "
    "or use bias-reduced (Firth) estimation."
)


def sides(family: Family, response: Array) -> Array | None:
    """Where the likelihood of each row rises for ever: +1 as eta -> inf, -1 as eta -> -inf, 0 nowhere.

    Parameters
    ----------
    family : distribution and link
    response : (n,) or (n, 1) array; for the binomial family a proportion

    Returns
    -------
    (n,) int8 array, or None where no row can have a side:

    - gaussian, identity: the loss grows both ways; inverse: the mean nears 0 at both ends
    - binomial identity, poisson identity and sqrt: eta is bounded where the likelihood rises
    - gamma and inverse gaussian: each row is best at a finite eta, that of its (positive) response
    """
    y = np.asarray(response, dtype=float).reshape(len(response))
    kind = (family.name, family.link.name)
    if family.name == "binomial" and family.link.name not in ("log", "identity"):
        return (y == 1.0).astype(np.int8) - (y == 0.0).astype(np.int8)
    if kind in (("binomial", "log"), ("poisson", "log")):
        # under the log link of a probability events are best at the edge, eta = 0, so they stay
        return -(y == 0.0).astype(np.int8)
    if kind == ("gaussian", "log"):
        return -(y <= 0.0).astype(np.int8)
    return None


@dataclass(frozen=True, slots=True)
class Separation:
    """Which coefficients are infinite, and why.

    Attributes
    ----------
    status : p words: "finite", "+inf", "-inf", "either" (infinite, its sign left open), "aliased"
    direction : (p,) array; along it every row of `goes_off` goes its way and no other row moves
    goes_off : (n,) bool array, rows that are fitted perfectly in the limit
    counts : rows that go to +inf, rows that go to -inf, rows that stay
    levels : (p,) int array, +1 or -1 for a 0/1 column that separates alone
    constant : position of a constant column, or None
    threshold : for words: what the other terms of the direction are compared with
    """

    status: tuple[str, ...]
    direction: Array
    goes_off: Array
    counts: tuple[int, int, int]
    levels: Array
    constant: int | None
    threshold: float

    @property
    def complete(self) -> bool:
        """Whether every row is fitted perfectly."""
        return self.counts[2] == 0

    def sentence(self, names: Sequence[str], family: Family | None = None) -> str:
        """The finding in words: infinite terms, the reason, what stays finite, what to do next.

        Parameters
        ----------
        names : p column names
        family : chooses the words for the response
        """
        many, count = _words(family)
        up, down, left = self.counts
        off = f"{'all ' if not left else ''}{up + down} row{'s' if up + down > 1 else ''}"
        infinite = [f"{name} -> {word}" for name, word in zip(names, self.status, strict=True) if "inf" in word]
        either = [name for name, word in zip(names, self.status, strict=True) if word == "either"]
        finite = [name for name, word in zip(names, self.status, strict=True) if word == "finite"]
        parts = [
            f"Separation: {listed(infinite, 6)}: " if infinite else "Separation: ",
            f"{off} {'are' if up + down > 1 else 'is'} {'predicted perfectly' if count else 'fitted as exactly 0'}",
            f" ({self._reason(names, many)}).",
        ]
        if either:
            sign = "their signs are" if len(either) > 1 else "its sign is"
            parts.append(f" {listed(either, 6)}: no finite estimate either, and {sign} open.")
        stay = "stay" if len(finite) > 1 else "stays"
        parts.append(f" {listed(finite, 6)} {stay} finite. " if finite else " No coefficient stays finite. ")
        return "".join(parts) + NEXT

    def _reason(self, names: Sequence[str], words: tuple[str, str, str]) -> str:
        """Why: levels of one kind, or the inequality that all rows satisfy."""
        ups, downs, rest = words
        used = np.flatnonzero(self.direction)
        if self.levels[used].all():
            return "; ".join(
                f"{names[j] if len(used) > 1 else 'the level'} has only {ups if self.levels[j] > 0 else downs}"
                for j in used[:4]
            )
        up, down, left = self.counts
        terms = [j for j in used if j != self.constant]
        if not terms:
            return f"there are only {ups if up else downs}"
        if len(terms) > 6:
            return f"a combination of {len(terms)} terms splits the response"
        text, at = _equation(self.direction, terms, names), f"{self.threshold:.6g}"
        if up and down:
            equal = f", = {at} for {rest}" if left else ""
            return f"{text} > {at} for all {ups}, < {at} for all {downs}{equal}".replace(
                "all " + ups + ", <", ("the " if left else "all ") + ups + ", <"
            )
        return f"{text} {'>' if up else '<'} {at} has only {ups if up else downs}"
