"""Questions about the coefficients: estimates, standard errors, tests, limits."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import pandas as pd

from glmnet_bridge import answers, dressings, intervals, vcovs
from glmnet_bridge.fitting import covariances, statistics
from glmnet_bridge.members.likelihoods import OfLikelihood


class OfCoefficients(OfLikelihood):
    """Coefficients and their errors."""

    @functools.cached_property
    def params(self) -> pd.Series:
        """Coefficients by column; nan where aliased, infinite where the data are separated."""
        return self._by_column(covariances.coefficients(self.estimate), "estimate")

    def cov_params(self, vcov: Any = None) -> pd.DataFrame:
        """Covariance `(p, p)` of the coefficients, without a refit.

        Parameters
        ----------
        vcov : one of

            - "expected" (default) or "observed" information, or "bayesian": with a penalty P, the posterior
              `dispersion (I+P)^-1` where it is a prior; the others are `dispersion (I+P)^-1 I (I+P)^-1`, that
              of the estimator around its own mean. Without a penalty "bayesian" is "expected"
            - "HC0", "HC1", "HC2", "HC3": sandwiches that do not presume the model's variance, as `vcovHC` of R's
              package sandwich: the bread is the expected information (statsmodels gives HC0 for all four), HC1 has
              the factor n / (n - p), HC2 and HC3 divide by hat values
            - {"cluster": column}, or {"cluster": [one, other]} for two ways; arrays with one value per row will do.
              As `vcovCL(type="HC1")` of sandwich, statsmodels and Stata: with the factors G / (G - 1) and
              (n - 1) / (n - p). "type": "HC0" leaves out the second (that is vcovCL's default for a glm),
              "adjust": False the first
            - a matrix `(p, p)`, or a function that takes the fit and returns one

            n counts rows with weight, and a frequency weight as so many rows; a row of grouped data is one row.

        Raises
        ------
        ArgumentError
            where a sandwich does not hold: penalised, separated, boundary or unfinished fits
        """
        matrix = vcovs.covariance(self, vcov)
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
        vcov: Any = None,
    ) -> pd.DataFrame:
        """Limits `conf_low, conf_high` by column.

        Parameters
        ----------
        level, alpha : confidence level (0.95 by default), or statsmodels' 1 - level; one of the two
        method : "wald" (estimate and standard error), "profile" (the values that a likelihood-ratio test does not
            reject, by R's `confint`) or "score" (those that a score test does not reject, the others at their
            maximum). Under separation the last two are infinite on one side and finite on the other. Of a
            bias-reduced fit "profile" is that of the penalised likelihood, as in logistf
        distribution : "t" or "normal"; by default Wald limits are Student's where the dispersion is estimated, as the
            p-values, and those by profile or score normal, as R's, whose dispersion is that of the fit throughout
        vcov : a covariance for Wald limits, as in `cov_params`
        """
        return answers.limits(self, level, alpha, method, distribution, vcov)

    def profile(self, column: str, *, points: int = 41) -> pd.DataFrame:
        """`value, signed_root, deviance`: one coefficient held at values around its estimate, the others maximised.

        The signed root `sign(value - estimate) sqrt((deviance - smallest) / dispersion)` is a straight line where Wald
        limits are exact; it passes plus and minus the normal quantile at the limits of `conf_int(method="profile")`.
        """
        return intervals.profile(self, column, points)

    def bootstrap(
        self,
        *,
        kind: str = "multiplier",
        times: int = 999,
        cluster: Any = None,
        random_state: Any = 0,
        progress: bool = False,
    ) -> pd.DataFrame:
        """Draws of the coefficients, one row each; `draws.cov()` is a covariance for `vcov=`.

        Parameters
        ----------
        kind : "multiplier" (random weights of the rows, one Newton step from the estimate, no refit) or "case" (a fit
            of rows drawn with replacement; nan where it has no maximum)
        times : number of draws
        cluster : column, or an array with one value per row: clusters are weighted or drawn as a whole
        random_state : seed; the same one gives the same draws on any number of threads
        progress : draw a progress bar, for kind "case"
        """
        return vcovs.bootstrap(self, kind, times, cluster, random_state, progress)

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

    def tidy(
        self,
        *,
        level: float = 0.95,
        exponentiate: bool = False,
        vcov: Any = None,
        reference_rows: bool = False,
        labels: Mapping[str, str] | None = None,
    ) -> pd.DataFrame:
        """One row per column: `term, estimate, std_error, statistic, p_value, conf_low, conf_high`.

        Of several classes one per class and column, with the class in front as `response_level`.

        With `exponentiate` the estimate and its limits are exponentiated (odds or rate ratios); the
        standard error stays on the scale of the linear predictor. `vcov` is a covariance, as in `cov_params`;
        p-values and limits are Student's where the dispersion is estimated, whatever the covariance.

        With `reference_rows` the level that a factor's others are compared with has a row too (estimate 0, or
        ratio 1), and a column `reference` says so. `labels` are names for the reader, by column, factor or
        variable: {"age": "Age (years)"}.
        """
        table = answers.tidy(self, level, exponentiate, vcov)
        return dressings.dressed(self, table, exponentiate, reference_rows, labels)
