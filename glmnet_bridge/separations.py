"""Separation without a fit: which coefficients have no finite estimate, and which rows are to blame. Glue only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from glmnet_bridge.answers import rows_of
from glmnet_bridge.design import samples
from glmnet_bridge.fitting.covariances import worded
from glmnet_bridge.fitting.estimates import separated
from glmnet_bridge.keywords import checked_keywords
from glmnet_bridge.model import families
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether data are separated.

    Attributes
    ----------
    status : "finite", "+inf", "-inf", "either" (infinite, its sign left open) or "aliased", by coefficient
    rows : labels of the rows that are fitted perfectly in the limit
    rows_left : how many of the rows that count are not
    sentence : the finding in words, with the next step
    """

    status: pd.Series
    rows: pd.Index
    rows_left: int
    sentence: str

    @property
    def any(self) -> bool:
        """Whether some coefficient is infinite."""
        return bool(len(self.rows)) or bool(self.status.isin(("+inf", "-inf", "either")).any())

    @property
    def complete(self) -> bool:
        """Whether every row is fitted perfectly."""
        return self.any and self.rows_left == 0

    def __repr__(self) -> str:
        return f"{self.sentence}\n\n{self.status.to_string()}"


@checked_keywords
def separation(
    formula: str,
    data: Any,
    family: Any = "binomial",
    link: Any = None,
    *,
    prior_weights: Any = None,
    freq_weights: Any = None,
    trials: Any = None,
    event: Any = None,
    base: Any = None,
    missing: str = "drop",
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> Verdict:
    """Decide which coefficients would be infinite, by linear programmes; nothing is fitted.

    Offsets have no say in it. The arguments are those of `glm`.

    Returns
    -------
    Verdict, with `.status` (by coefficient), `.rows` (labels of the separated rows) and `.sentence`

    Examples
    --------
    >>> import glmnet_bridge as gb
    >>> data = {"y": [0, 0, 0, 1, 1, 0], "g": [0, 0, 0, 1, 1, 0], "x": [1.0, 2, 3, 1, 2, 5]}
    >>> found = gb.separation("y ~ g", data)
    >>> found.status.to_dict(), found.rows.tolist(), found.complete
    ({'Intercept': '-inf', 'g': '+inf'}, [0, 1, 2, 3, 4, 5], True)
    """
    chosen = families.named(family, link)
    recipe, sample = samples.learn(
        formula, data, support=chosen.distribution.support, event=event, base=base, trials=trials,
        prior_weights=prior_weights, freq_weights=freq_weights, offset=None, exposure=None, missing=missing,
        functions=functions,
    )  # fmt: skip
    outputs, names = recipe.response.outputs, recipe.design.names
    model = Model(names, single_unit(names, outputs), chosen, outputs=outputs)
    rows = rows_of(sample)
    found, ranks = separated(model, rows)
    status = pd.Series(worded(model, found, ranks), index=list(model.labels), name="separation")
    counted = rows.weights > 0
    if found is None:
        return Verdict(status, sample.index[:0], int(counted.sum()), "Not separated: every estimate is finite.")
    left = int((counted & ~found.goes_off).sum())
    return Verdict(status, sample.index[found.goes_off], left, found.sentence(model.labels, chosen))
