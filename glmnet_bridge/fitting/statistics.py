"""The numbers of a fit: dispersion, likelihood, information criteria, null model, Wald tables.

Conventions are R's, and the docstrings name them: the dispersion is Pearson's, the
log-likelihood of families with a free dispersion uses its own estimate (see
`model.likelihoods`), AIC and BIC count it as a parameter, p-values and limits are Student's
where it is estimated and normal where it is known.
"""

from __future__ import annotations

import numpy as np
import scipy

from glmnet_bridge.data.rows import ArraySource, Block, Rows
from glmnet_bridge.errors import ArgumentError, is_number
from glmnet_bridge.fitting import dispersions
from glmnet_bridge.fitting.estimates import estimate
from glmnet_bridge.model import likelihoods
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.likelihoods import Observed
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit

Array = np.ndarray


def loglik(family: Family, observed: Observed, deviance: float) -> float:
    """Log-likelihood with all constants, as `logLik` in R."""
    scale = likelihoods.likelihood_dispersion(family.distribution, observed, deviance)
    constant = likelihoods.saturated(family.distribution, observed, scale)
    return constant if scale == 0 else constant - 0.5 * deviance / scale


def exact(family: Family, rows: Rows, deviance: float) -> bool:
    """Whether the model fits every row but for rounding."""
    return deviance <= 1e-27 * dispersions.size(family, rows)


def parameters(family: Family, rank: float) -> float:
    """What AIC and BIC count: coefficients, and the dispersion where it is estimated."""
    return rank + int(family.distribution.free_dispersion)


def null_deviance(model: Model, rows: Rows) -> float:
    """Deviance of the model with an intercept alone (and the offset); without an intercept of the empty model."""
    if "Intercept" not in model.columns:
        return _constant_deviance(model.family, rows, 0.0)
    if model.family.joint:
        return _classes_deviance(rows)
    if rows.offset is None:
        mean = float(rows.weights @ rows.response[:, 0] / rows.weights.sum())
        if model.family.distribution.support in ("binomial", "count") and mean in (0.0, 1.0) and _all_equal(rows):
            return 0.0  # every row is at the edge of the range, where the constant fits it exactly
        with np.errstate(divide="ignore", invalid="ignore"):
            level = float(model.family.link.function(np.array(mean)))
        # no mean of this link is below 0: the nearest is 0, which only an infinite constant reaches
        return _constant_deviance(model.family, rows, -np.inf if np.isnan(level) else level)
    source = ArraySource(np.empty((rows.n, 0)), intercept=True)
    only = Rows(source, rows.response, rows.weights, rows.offset)
    null = Model(("Intercept",), single_unit(("Intercept",)), model.family)
    return -2.0 * estimate(null, only).sums.loglik


def _constant_deviance(family: Family, rows: Rows, level: float) -> float:
    two = _two_rows(rows)
    if two is not None:
        rows = two

    def part(block: Block) -> float:
        eta = np.full_like(block.response, level)
        if block.offset is not None:
            eta = eta + block.offset
        with np.errstate(all="ignore"):
            local = family.local(block.response, eta).loglik
        w = block.weights[:, None]
        return float(np.sum(w * local, where=w > 0))

    return -2.0 * rows.sum(part) + 0.0


def _two_rows(rows: Rows) -> Rows | None:
    """Rows that say only yes or no as one row each, with their weights added; None for any other response."""
    if rows.offset is not None or rows.response.shape[1] != 1:
        return None
    yes = rows.response[:, 0] == 1.0
    if not (yes | (rows.response[:, 0] == 0.0)).all():
        return None
    event = float(rows.weights @ yes)
    source = ArraySource(np.empty((2, 0)), intercept=True)
    return Rows(source, np.array([[0.0], [1.0]]), np.array([float(rows.weights.sum()) - event, event]))


def _classes_deviance(rows: Rows) -> float:
    """That of the classes' own shares: every row is of one class."""
    totals = rows.weights @ rows.response
    totals = np.append(totals, rows.weights.sum() - totals.sum())
    return float(-2.0 * scipy.special.xlogy(totals, totals / totals.sum()).sum()) + 0.0


def _all_equal(rows: Rows) -> bool:
    y = rows.response[rows.weights > 0]
    return bool((y == y[0]).all())


def tail(statistic: Array, residual_df: float | None) -> Array:
    """Two-sided p-values: normal, or Student's t with `residual_df`."""
    size = -np.abs(np.asarray(statistic, dtype=float))
    return 2.0 * (scipy.special.ndtr(size) if residual_df is None else scipy.special.stdtr(residual_df, size))


def quantile(level: float, residual_df: float | None) -> float:
    """Half width of a two-sided interval of this level, in standard errors."""
    upper = 0.5 + 0.5 * level
    return float(scipy.special.ndtri(upper) if residual_df is None else scipy.special.stdtrit(residual_df, upper))


def confidence_level(level: float | None, alpha: float | None = None) -> float:
    """The level that `level=` or statsmodels' `alpha=` asks for; 0.95 where neither does.

    Raises
    ------
    ArgumentError
        for a level outside (0, 1), or two that differ
    """
    chosen: object = 0.95 if level is None and alpha is None else level
    if alpha is not None:
        chosen = 1.0 - float(alpha) if is_number(alpha) else alpha
    if not (is_number(chosen) and 0.0 < chosen < 1.0):
        what = f"level={level!r}" if alpha is None else f"alpha={alpha!r}"
        raise ArgumentError(f"{what}: give a number between 0 and 1, such as level=0.95.")
    if (
        level is not None
        and alpha is not None
        and not (is_number(level) and np.isclose(level, chosen, rtol=0.0, atol=1e-9))
    ):
        raise ArgumentError(
            f"level={level!r} and alpha={alpha!r} contradict each other: alpha is 1 - level. Give one of them."
        )
    return float(chosen)
