"""The dispersion: Pearson's chi2 over the residual degrees of freedom, as `summary.glm` in R."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glmnet_bridge.data.rows import Block, Rows
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.multinomials import probabilities

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Degrees:
    """Degrees of freedom: `nobs` rows that count, `rank` free coefficients (effective ones with a penalty)."""

    nobs: float
    rank: float

    @property
    def residual(self) -> float:
        return self.nobs - self.rank


def pearson_chi2(model: Model, rows: Rows, theta: Array) -> float:
    """Sum of weighted squared Pearson residuals, `w (y - mu)^2 / V(mu)`, over rows with weight.

    Of a multinomial row they are those of its C classes as counts: `(y - p)^2 / p`.
    """

    def part(block: Block) -> float:
        eta, y = model.eta(block, theta), block.response
        if model.family.joint:
            mean = variance = probabilities(eta)
            rest = np.column_stack([1.0 - y.sum(axis=1), y]) - mean
        else:
            mean = model.family.mean(eta)
            rest, variance = y - mean, model.family.variance(mean)
        with np.errstate(divide="ignore", invalid="ignore"):
            # a row that is fitted exactly counts 0, also where its mean has rounded to the edge of its range
            terms = np.where(rest == 0.0, 0.0, block.weights[:, None] * rest**2 / variance)
        return float(terms[block.weights > 0].sum())

    return rows.sum(part)


def size(family: Family, rows: Rows) -> float:
    """What chi2 is of mean 0, `sum w y^2 / V(y)`: the scale on which residuals are seen to be rounding."""
    y = rows.response[:, 0]
    return float(rows.weights @ (y * (y / family.variance(y))))


def dispersion(family: Family, chi2: float, degrees: Degrees) -> float:
    """Pearson's estimate; 1 where the family has none; nan without residual degrees of freedom."""
    if not family.distribution.free_dispersion:
        return 1.0
    return chi2 / degrees.residual if degrees.residual > 0 else np.nan
