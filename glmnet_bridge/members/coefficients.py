"""Questions about the coefficients: estimates, standard errors, tests, limits."""

from __future__ import annotations

import functools

import pandas as pd

from glmnet_bridge import answers
from glmnet_bridge.fitting import covariances, statistics
from glmnet_bridge.members.likelihoods import OfLikelihood


class OfCoefficients(OfLikelihood):
    """Coefficients and their errors."""

    @functools.cached_property
    def params(self) -> pd.Series:
        """Coefficients by column; nan where aliased, infinite where the data are separated."""
        return self._by_column(covariances.coefficients(self.estimate), "estimate")

    def cov_params(self, vcov: str | None = None) -> pd.DataFrame:
        """Covariance `(p, p)` of the coefficients.

        `vcov` is "expected" (default) or "observed" information, or "bayesian": with a penalty P, the
        posterior `dispersion (I+P)^-1` where it is a prior; the others are `dispersion (I+P)^-1 I (I+P)^-1`,
        that of the estimator around its own mean. Without a penalty "bayesian" is "expected".
        """
        matrix = covariances.covariance(self.estimate, vcov or "expected", self.dispersion)
        return pd.DataFrame(matrix, index=self.columns, columns=self.columns)

    @functools.cached_property
    def bse(self) -> pd.Series:
        """Standard errors by column."""
        return answers.errors(self, None)

    @property
    def tvalues(self) -> pd.Series:
        """Estimate over standard error."""
        return (self.params / self.bse).rename("statistic")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values: Student's t where the dispersion is estimated, else normal."""
        return self._by_column(statistics.tail(self.tvalues.to_numpy(), answers.residual_df(self)), "p_value")

    def conf_int(
        self,
        *,
        level: float | None = None,
        alpha: float | None = None,
        method: str = "wald",
        distribution: str | None = None,
        vcov: str | None = None,
    ) -> pd.DataFrame:
        """Limits by column.

        Parameters
        ----------
        level, alpha : confidence level (0.95 by default), or statsmodels' 1 - level; one of the two
        method : "wald"; of a bias-reduced fit also "profile", by the penalised likelihood as in logistf
        distribution : "t" or "normal"; by default t where the dispersion is estimated, as the p-values
        vcov : "expected" or "observed" information, or "bayesian", as in `cov_params`
        """
        return answers.limits(self, level, alpha, method, distribution, vcov)

    @property
    def aliased(self) -> dict[str, str]:
        """Columns left out, with the combination of other columns that each is."""
        rank = self.estimate.rank
        if rank is None:
            return {}
        names = self.estimate.model.columns
        kept = [names[j] for j in rank.kept]
        pairs = zip(rank.dropped, rank.equations, strict=True)
        return {names[j]: covariances.equation(row, kept) for j, row in pairs}

    @property
    def separation(self) -> pd.Series:
        """Per column: finite, +inf, -inf, either (infinite, sign open) or aliased."""
        return pd.Series(covariances.states(self.estimate), index=self.columns, name="separation")

    def tidy(self, *, level: float = 0.95, exponentiate: bool = False, vcov: str | None = None) -> pd.DataFrame:
        """One row per column: `term, estimate, std_error, statistic, p_value, conf_low, conf_high`.

        Of several classes one per class and column, with the class in front as `response_level`.

        With `exponentiate` the estimate and its limits are exponentiated (odds or rate ratios); the
        standard error stays on the scale of the linear predictor.
        """
        return answers.tidy(self, level, exponentiate, vcov)
