"""Recipes: how the columns of formula and network together are read from new data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glmnet_bridge.data import frames
from glmnet_bridge.data.selections import Array, Selection
from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.responses import Response
from glmnet_bridge.design.samples import Recipe, Sample
from glmnet_bridge.errors import DataError
from glmnet_bridge.fitting.batches import Subset
from glmnet_bridge.mapping.inputs import Reader
from glmnet_bridge.mapping.unions import Beside


@dataclass(frozen=True, slots=True)
class UnionRecipe:
    """The formula's recipe, and what a network reads beside it.

    Attributes
    ----------
    own : Recipe of the formula
    reader : how the network's other inputs are read
    names : of all q columns
    picks : which of the other inputs are columns
    constant : whether the constant is one
    """

    own: Recipe
    reader: Reader
    names: tuple[str, ...]
    picks: tuple[int, ...]
    constant: bool

    @property
    def design(self) -> Design:
        return self.own.design

    @property
    def response(self) -> Response:
        return self.own.response

    @property
    def formula(self) -> str:
        """The formula as it was written."""
        return self.own.formula

    @property
    def terms(self) -> tuple[tuple[str, slice], ...]:
        """The formula's terms, then each further column as a term of its own."""
        added = range(len(self.own.design.names), len(self.names))
        return (*self.own.terms, *((self.names[j], slice(j, j + 1)) for j in added))

    def classes(self, mean: Array, threshold: float = 0.5) -> Array:
        """The level that each fitted probability `(n,)` speaks for."""
        return self.own.classes(mean, threshold)

    def sample(self, data: Any, *, offset: Any = None, exposure: Any = None, unseen: str = "raise") -> Sample:
        """New data; rows that lack a value that formula or network needs stay out."""
        if self.reader.fixed and self.picks:
            raise DataError(
                "The network's inputs were given as numbers (inputs=), which new data do not have. To predict for "
                "new data, give inputs= as names of columns or as a formula."
            )
        sample = self.own.sample(data, offset=offset, exposure=exposure, unseen=unseen)
        if not self.picks:
            return replace(sample, source=Beside(sample.source, None, (), self.constant))
        sample, values = self._complete(sample, data)
        others = self.reader.read(values, sample.index, unseen)
        return replace(sample, source=Beside(sample.source, others, self.picks, self.constant))

    def _complete(self, sample: Sample, data: Any) -> tuple[Sample, Selection]:
        """The rows in which the network's own inputs are there too, and these."""
        frame = frames.as_frame(data)
        values = frames.columns(frame, sorted(self.reader.variables), rows=sample.kept)
        lost, counts = np.zeros(sample.n, dtype=bool), {}
        for name, column in values.items():
            mask = frames.missing(column)
            if mask is not None:
                lost |= mask
                counts[name] = int(mask.sum())
        if not counts:
            return sample, values
        keep = np.flatnonzero(~lost)
        kept = keep if sample.kept is None else sample.kept[keep]
        left = replace(
            sample,
            source=Subset(sample.source, keep),
            offset=None if sample.offset is None else sample.offset[keep],
            index=sample.index[keep],
            kept=kept,
            dropped=sample.dropped | counts,
        )
        return left, Selection(values.columns, kept)
