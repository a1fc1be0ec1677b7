"""The record behind a `Fit`: estimate, how the data were read, and the rows."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from glmnet_bridge import answers
from glmnet_bridge.data.rows import Rows
from glmnet_bridge.design.samples import Sample
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.model.families import Family

if TYPE_CHECKING:
    from glmnet_bridge.adapters.foreigns import Foreign

Array = np.ndarray


@functools.lru_cache(maxsize=64)
def _labels(names: tuple[str, ...]) -> pd.Index:
    """An index of text; kept, because a new one takes as long as two Newton steps of a small fit."""
    return pd.Index(list(names))


@dataclass(frozen=True, eq=False)
class Record:
    """What a fit holds, and what all that is asked of it is made of.

    Attributes
    ----------
    estimate : Estimate, shared by the GLM and the network view
    recipe : how the data were read (formula, levels, knots, response coding), for new data
    sample : the rows it was fitted on
    data : the caller's data, for `augment`
    foreign : the model of another package that the weights were read from, or None
    """

    estimate: Estimate
    recipe: Any
    sample: Sample
    data: Any = None
    foreign: Foreign | None = None

    @property
    def family(self) -> Family:
        """Distribution and link."""
        return self.estimate.model.family

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients: of the p columns, or class by class, as in `ward: age`."""
        return self.estimate.model.labels

    @functools.cached_property
    def rows(self) -> Rows:
        """The rows, in blocks."""
        return answers.rows_of(self.sample)

    @functools.cached_property
    def columns(self) -> pd.Index:
        """Labels of the p coefficients; a view, so that a name given to the index stays with this fit."""
        return _labels(self.names).view()

    def _by_column(self, values: Array, name: str) -> pd.Series:
        return pd.Series(values, index=self.columns, name=name)
