"""Questions about the fit as a whole: likelihood, deviance, degrees of freedom, how it ended."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from glmnet_bridge import answers
from glmnet_bridge.fitting import dispersions, reductions, statistics
from glmnet_bridge.fitting.dispersions import Degrees
from glmnet_bridge.mapping import concepts, views
from glmnet_bridge.members.records import Record
from glmnet_bridge.model.likelihoods import Observed


class OfLikelihood(Record):
    """Likelihood, and what is counted."""

    @functools.cached_property
    def _observed(self) -> Observed:
        sample = self.sample
        return Observed(self.rows.response[:, 0], sample.trials, sample.prior_weights, sample.freq_weights)

    @functools.cached_property
    def _degrees(self) -> Degrees:
        return Degrees(self._observed.nobs, self.edf)

    @property
    def _crowd(self) -> reductions.Crowd:
        return reductions.Crowd.among(self.rows.weights, self.sample.freq_weights)

    @property
    def nobs(self) -> float:
        """Rows with positive weight; frequency weights count as so many rows."""
        return self._degrees.nobs

    @functools.cached_property
    def edf(self) -> float:
        """Effective degrees of freedom: with a penalty P `tr((I+P)^-1 I)`, else the number of free coefficients.

        Residual degrees of freedom, dispersion, AIC and BIC count these (Hastie and Tibshirani 1990; mgcv).
        """
        return views.effective_parameters(self.estimate)

    @property
    def df_model(self) -> float:
        """Coefficients beside the intercept (that of each class); effective ones with a penalty."""
        model = self.estimate.model
        return self._degrees.rank - ("Intercept" in model.columns) * max(len(model.outputs), 1)

    @property
    def df_resid(self) -> float:
        """Observations less coefficients (effective ones with a penalty)."""
        return self._degrees.residual

    @property
    def deviance(self) -> float:
        """Minus twice the log-likelihood less that of the saturated model, at dispersion 1."""
        return -2.0 * self.estimate.sums.loglik + 0.0

    @functools.cached_property
    def null_deviance(self) -> float:
        """Deviance of the intercept (and offset) alone."""
        return statistics.null_deviance(self.estimate.model, self.rows)

    @functools.cached_property
    def llf(self) -> float:
        """Log-likelihood with all constants, as R's `logLik`, at the estimate; a bias-reduced one is no maximum."""
        return statistics.loglik(self.family, self._observed, self.deviance)

    @functools.cached_property
    def llnull(self) -> float:
        """Log-likelihood of the null model."""
        return statistics.loglik(self.family, self._observed, self.null_deviance)

    @functools.cached_property
    def pearson_chi2(self) -> float:
        """Sum of squared Pearson residuals; rows at infinity (separated data) count 0."""
        return answers.pearson_chi2(self)

    @functools.cached_property
    def dispersion(self) -> float:
        """1, or Pearson's chi2 over the residual degrees of freedom; bias-reduced with the coefficients, as brglm2."""
        if not self.family.distribution.free_dispersion:
            return 1.0
        if self.estimate.model.reduction:
            return reductions.dispersion(self.estimate.model, self.deviance, len(self.estimate.theta), self._crowd)
        return dispersions.dispersion(self.family, self.pearson_chi2, self._degrees)

    @property
    def scale(self) -> float:
        """The dispersion, in statsmodels' name."""
        return self.dispersion

    @property
    def aic(self) -> float:
        """-2 log-likelihood + 2 parameters (`edf`); an estimated dispersion is one."""
        return -2.0 * self.llf + 2.0 * statistics.parameters(self.family, self._degrees.rank)

    @property
    def bic(self) -> float:
        """-2 log-likelihood + log(nobs) parameters."""
        return -2.0 * self.llf + np.log(self.nobs) * statistics.parameters(self.family, self._degrees.rank)

    @functools.cached_property
    def mean_losses(self) -> tuple[float, float]:
        """What the network calls the loss: its mean per row, and that of the saturated model."""
        return concepts.mean_losses(self.estimate, self.sample)

    @property
    def converged(self) -> bool:
        """Whether the estimate is what was asked for: the maximum of the likelihood, or a bias-reduced one."""
        return self.estimate.converged

    @property
    def outcome(self) -> str:
        """How the fit ended: see `Estimate`."""
        return self.estimate.outcome

    @property
    def distance_to_mle(self) -> float:
        """Distance to the optimum in standard errors: the Newton decrement at the estimate."""
        return self.estimate.distance

    @property
    def trace(self) -> pd.DataFrame:
        """One row per step."""
        return self.estimate.trace.frame()

    @property
    def modelled(self) -> str:
        """`Binomial, logit link; modelling P(low = 1)`; a bias-reduced fit says so."""
        said = f"{self.family.title}; modelling {self.recipe.response.describes}"
        reduction = self.estimate.model.reduction
        return f"{said}; {reductions.word(reduction, self.family)}" if reduction else said

    @property
    def formula(self) -> str:
        """The formula, or the array's columns in its place."""
        return self.recipe.formula

    @property
    def rows_dropped(self) -> dict[str, int]:
        """Missing values by column that took rows out, and their total."""
        lost = self.sample.n_read - self.sample.n
        return {**self.sample.dropped, "total": lost} if lost else {}

    def glance(self) -> pd.DataFrame:
        """One row for the model."""
        return pd.DataFrame({name: [getattr(self, name)] for name in answers.GLANCE})
