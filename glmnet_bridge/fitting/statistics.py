"""The numbers of a fit: dispersion, likelihood, information criteria, null model, Wald tables.

Conventions are R's, and the docstrings name them: the dispersion is Pearson's, the
log-likelihood of families with a free dispersion uses its own estimate (see
`model.likelihoods`), AIC and BIC count it as a parameter, p-values and limits are Student's
where it is estimated and normal where it is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from glmnet_bridge.data.rows import ArraySource, Block, Rows
from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.fitting.estimates import Estimate, estimate
from glmnet_bridge.model import likelihoods
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.likelihoods import Observed
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Degrees:
    """Degrees of freedom: `nobs` rows that count, `rank` free coefficients."""

    nobs: float
    rank: int

    @property
    def residual(self) -> float:
        return self.nobs - self.rank


def pearson_chi2(estimated: Estimate, rows: Rows) -> float:
    """Sum of weighted squared Pearson residuals, `w (y - mu)^2 / V(mu)`; rows at infinity count 0."""
    model = estimated.model
    gone = None if estimated.separation is None else estimated.separation.goes_off

    def part(block: Block) -> float:
        mean = model.family.mean(model.eta(block, estimated.theta))
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = block.weights[:, None] * (block.response - mean) ** 2 / model.family.variance(mean)
        return float(terms[block.weights > 0].sum())

    if gone is not None:
        rows = Rows(rows.source, rows.response, np.where(gone, 0.0, rows.weights), rows.offset)
    return rows.sum(part)


def dispersion(family: Family, chi2: float, degrees: Degrees) -> float:
    """Pearson's estimate, chi2 / residual degrees of freedom; 1 where the family has none; nan without any left."""
    if not family.distribution.free_dispersion:
        return 1.0
    return chi2 / degrees.residual if degrees.residual > 0 else np.nan


def loglik(family: Family, observed: Observed, deviance: float) -> float:
    """Log-likelihood with all constants, as `logLik` in R."""
    scale = likelihoods.likelihood_dispersion(family.distribution, observed, deviance)
    constant = likelihoods.saturated(family.distribution, observed, scale)
    return constant if scale == 0 else constant - 0.5 * deviance / scale


def parameters(family: Family, rank: int) -> int:
    """What AIC and BIC count: coefficients, and the dispersion where it is estimated."""
    return rank + int(family.distribution.free_dispersion)


def null_deviance(model: Model, rows: Rows) -> float:
    """Deviance of the model with an intercept alone (and the offset); without an intercept of the empty model."""
    if "Intercept" not in model.columns:
        return _constant_deviance(model.family, rows, 0.0)
    if rows.offset is None:
        mean = float(rows.weights @ rows.response[:, 0] / rows.weights.sum())
        with np.errstate(divide="ignore"):
            return _constant_deviance(model.family, rows, float(model.family.link.function(np.float64(mean))))
    source = ArraySource(np.empty((rows.n, 0)), intercept=True)
    only = Rows(source, rows.response, rows.weights, rows.offset)
    null = Model(("Intercept",), single_unit(("Intercept",)), model.family)
    return -2.0 * estimate(null, only).sums.loglik


def _constant_deviance(family: Family, rows: Rows, level: float) -> float:
    def part(block: Block) -> float:
        eta = np.full_like(block.response, level)
        if block.offset is not None:
            eta = eta + block.offset
        with np.errstate(all="ignore"):
            local = family.local(block.response, eta).loglik
        w = block.weights[:, None]
        return float(np.sum(w * local, where=w > 0))

    return -2.0 * rows.sum(part)


def tail(statistic: Array, residual_df: float | None) -> Array:
    """Two-sided p-values: normal, or Student's t with `residual_df`."""
    size = -np.abs(np.asarray(statistic, dtype=float))
    return 2.0 * (special.ndtr(size) if residual_df is None else special.stdtr(residual_df, size))


def quantile(level: float, residual_df: float | None) -> float:
    """Half width of a two-sided interval of this level, in standard errors."""
    upper = 0.5 + 0.5 * level
    return float(special.ndtri(upper) if residual_df is None else special.stdtrit(residual_df, upper))


def confidence_level(level: float, alpha: float | None) -> float:
    """The level that `level=` or statsmodels' `alpha=` asks for.

    Raises
    ------
    ArgumentError
        for a level outside (0, 1)
    """
    chosen = level if alpha is None else 1.0 - alpha
    if not (isinstance(chosen, int | float) and 0.0 < chosen < 1.0):
        what = f"level={level!r}" if alpha is None else f"alpha={alpha!r}"
        raise ArgumentError(f"{what}: give a number between 0 and 1, such as level=0.95.")
    return float(chosen)
