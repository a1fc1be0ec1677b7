"""Fit: the public face of an `Estimate`, in the words of statsmodels and broom.

Every method is one call of a function of an earlier stage. A `Fit` refers to the rows it was
fitted on (the caller's own frame, not a copy) for answers row by row.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import faces
from glmnet_bridge.data.rows import Rows
from glmnet_bridge.design.samples import Sample
from glmnet_bridge.errors import ArgumentError, DataError, nearest
from glmnet_bridge.fitting import covariances, dispersions, predictions, statistics
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.fitting.dispersions import Degrees
from glmnet_bridge.mapping import views
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.likelihoods import Observed
from glmnet_bridge.plots import Plots
from glmnet_bridge.report.documents import Document

Array = np.ndarray

KINDS = ("mean", "link", "terms", "class")


def rows_of(sample: Sample) -> Rows:
    """The rows that a fit of this sample sums over."""
    return Rows(sample.source, sample.response, sample.weights, sample.offset)


@dataclass(frozen=True)
class Fit:
    """A fitted model: coefficients, standard errors, likelihood, predictions.

    Attributes
    ----------
    estimate : Estimate, shared by the GLM and the network view
    recipe : how the data were read (formula, levels, knots, response coding), for new data
    sample : the rows it was fitted on
    data : the caller's data, for `augment`
    """

    estimate: Estimate
    recipe: Any
    sample: Sample
    data: Any = None
    view: str = "glm"

    # --- estimates ------------------------------------------------------------------------

    @property
    def family(self) -> Family:
        """Distribution and link."""
        return self.estimate.model.family

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the p columns."""
        return self.estimate.model.columns

    @functools.cached_property
    def rows(self) -> Rows:
        """The rows, in blocks."""
        return rows_of(self.sample)

    @functools.cached_property
    def params(self) -> pd.Series:
        """Coefficients by column; nan where aliased, infinite where the data are separated."""
        return self._by_column(covariances.coefficients(self.estimate), "estimate")

    def cov_params(self, vcov: str | None = None) -> pd.DataFrame:
        """Covariance `(p, p)` of the coefficients; `vcov` is "expected" (default) or "observed" information."""
        matrix = covariances.covariance(self.estimate, vcov or "expected", self.dispersion)
        return pd.DataFrame(matrix, index=list(self.names), columns=list(self.names))

    @functools.cached_property
    def bse(self) -> pd.Series:
        """Standard errors by column."""
        return self._errors(None)

    def _errors(self, vcov: str | None) -> pd.Series:
        matrix = covariances.covariance(self.estimate, vcov or "expected", self.dispersion)
        return self._by_column(np.sqrt(np.diag(matrix)), "std_error")

    @property
    def tvalues(self) -> pd.Series:
        """Estimate over standard error."""
        return (self.params / self.bse).rename("statistic")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values: Student's t where the dispersion is estimated, else normal."""
        return self._by_column(statistics.tail(self.tvalues.to_numpy(), self._residual_df), "p_value")

    def conf_int(
        self,
        *,
        level: float = 0.95,
        alpha: float | None = None,
        method: str = "wald",
        distribution: str | None = None,
        vcov: str | None = None,
    ) -> pd.DataFrame:
        """Wald limits by column.

        Parameters
        ----------
        level, alpha : confidence level, or statsmodels' 1 - level
        method : "wald"
        distribution : "t" or "normal"; by default t where the dispersion is estimated, as the p-values
        vcov : "expected" or "observed" information
        """
        if method != "wald":
            raise ArgumentError(f"method={method!r} is unknown; it is 'wald'.")
        if distribution not in (None, "t", "normal"):
            raise ArgumentError(f"distribution={distribution!r} is unknown; it is 't' or 'normal'.")
        df = None if distribution == "normal" else self.df_resid if distribution == "t" else self._residual_df
        half = statistics.quantile(statistics.confidence_level(level, alpha), df) * self._errors(vcov)
        return pd.DataFrame({"conf_low": self.params - half, "conf_high": self.params + half})

    def _by_column(self, values: Array, name: str) -> pd.Series:
        return pd.Series(values, index=list(self.names), name=name)

    @property
    def _residual_df(self) -> float | None:
        return self.df_resid if self.family.distribution.free_dispersion else None

    # --- the fit ---------------------------------------------------------------------------

    @functools.cached_property
    def _observed(self) -> Observed:
        sample = self.sample
        return Observed(sample.response[:, 0], sample.trials, sample.prior_weights, sample.freq_weights)

    @functools.cached_property
    def _degrees(self) -> Degrees:
        return Degrees(self._observed.nobs, views.free_parameters(self.estimate))

    @property
    def nobs(self) -> float:
        """Rows with positive weight; frequency weights count as so many rows."""
        return self._degrees.nobs

    @property
    def df_model(self) -> int:
        """Coefficients beside the intercept."""
        return self._degrees.rank - ("Intercept" in self.names)

    @property
    def df_resid(self) -> float:
        """Observations less coefficients."""
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
        """Log-likelihood with all constants, as R's `logLik`."""
        return statistics.loglik(self.family, self._observed, self.deviance)

    @functools.cached_property
    def llnull(self) -> float:
        """Log-likelihood of the null model."""
        return statistics.loglik(self.family, self._observed, self.null_deviance)

    @functools.cached_property
    def pearson_chi2(self) -> float:
        """Sum of squared Pearson residuals; rows at infinity (separated data) count 0."""
        found = self.estimate
        if found.chi2 is not None:
            return found.chi2
        gone = 0.0 if found.separation is None else found.separation.goes_off
        rows = replace(self.rows, weights=np.where(gone, 0.0, self.rows.weights)) if np.any(gone) else self.rows
        return dispersions.pearson_chi2(found.model, rows, found.theta)

    @functools.cached_property
    def dispersion(self) -> float:
        """1, or Pearson's chi2 over the residual degrees of freedom."""
        if not self.family.distribution.free_dispersion:
            return 1.0
        return dispersions.dispersion(self.family, self.pearson_chi2, self._degrees)

    @property
    def scale(self) -> float:
        """The dispersion, in statsmodels' name."""
        return self.dispersion

    @property
    def aic(self) -> float:
        """-2 log-likelihood + 2 parameters; an estimated dispersion is one."""
        return -2.0 * self.llf + 2.0 * statistics.parameters(self.family, self._degrees.rank)

    @property
    def bic(self) -> float:
        """-2 log-likelihood + log(nobs) parameters."""
        return -2.0 * self.llf + np.log(self.nobs) * statistics.parameters(self.family, self._degrees.rank)

    @property
    def converged(self) -> bool:
        """Whether the estimate is the maximum of the likelihood."""
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
        """`Binomial, logit link; modelling P(low = 1)`."""
        return f"{self.family.title}; modelling {self.recipe.response.describes}"

    @property
    def formula(self) -> str:
        """The formula, or the array's columns in its place."""
        return self.recipe.formula

    @property
    def rows_dropped(self) -> dict[str, int]:
        """Missing values by column that took rows out, and their total."""
        lost = self.sample.n_read - self.sample.n
        return {**self.sample.dropped, "total": lost} if lost else {}

    @property
    def aliased(self) -> dict[str, str]:
        """Columns left out, with the combination of other columns that each is."""
        rank = self.estimate.rank
        if rank is None:
            return {}
        kept = [self.names[j] for j in rank.kept]
        pairs = zip(rank.dropped, rank.equations, strict=True)
        return {self.names[j]: covariances.equation(row, kept) for j, row in pairs}

    @property
    def separation(self) -> pd.Series:
        """Per column: finite, +inf, -inf, either (infinite, sign open) or aliased."""
        return pd.Series(covariances.states(self.estimate), index=list(self.names), name="separation")

    # --- frames ----------------------------------------------------------------------------

    def tidy(
        self, *, level: float = 0.95, exponentiate: bool = False, vcov: str | None = None
    ) -> pd.DataFrame:
        """One row per column: `term, estimate, std_error, statistic, p_value, conf_low, conf_high`.

        With `exponentiate` the estimate and its limits are exponentiated (odds or rate ratios); the
        standard error stays on the scale of the linear predictor.
        """
        errors = self._errors(vcov)
        limits = self.conf_int(level=level, vcov=vcov)
        statistic = self.params / errors
        table = pd.DataFrame(
            {
                "term": list(self.names),
                "estimate": self.params.to_numpy(),
                "std_error": errors.to_numpy(),
                "statistic": statistic.to_numpy(),
                "p_value": statistics.tail(statistic.to_numpy(), self._residual_df),
                "conf_low": limits["conf_low"].to_numpy(),
                "conf_high": limits["conf_high"].to_numpy(),
            }
        )
        if exponentiate:
            columns = ["estimate", "conf_low", "conf_high"]
            table[columns] = np.exp(table[columns])
        return table

    def glance(self) -> pd.DataFrame:
        """One row for the model."""
        names = (
            "nobs", "df_model", "df_resid", "llf", "llnull", "deviance", "null_deviance", "pearson_chi2",
            "dispersion", "aic", "bic", "converged", "outcome", "distance_to_mle",
        )  # fmt: skip
        return pd.DataFrame({name: [getattr(self, name)] for name in names})

    def augment(self, data: Any = None) -> pd.DataFrame:
        """The data with `_fitted, _linpred, _se_linpred, _resid_deviance, _resid_pearson` for each row.

        Rows that were left out for missing values are nan. New `data` need no response; without
        one the residuals are left out.
        """
        return faces.augment(self, data)

    # --- people ----------------------------------------------------------------------------

    def summary(self, *, level: float = 0.95, vcov: str | None = None) -> Document:
        """All about the fit: `print` it, or ask it `.as_html()`, `.as_markdown()`, `.as_latex()`."""
        return faces.summary(self, level, vcov)

    def __repr__(self) -> str:
        return faces.short(self)

    def _repr_html_(self) -> str:
        return faces.notebook(self)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the summary with figures to one file; its ending says the format: .html, .md or .tex."""
        return faces.report(self, path)

    @property
    def plot(self) -> Plots:
        """The figures, such as `fit.plot.curve("age")`: see `glmnet_bridge.plots.Plots`."""
        return Plots((("GLM", self),))

    # --- rows ------------------------------------------------------------------------------

    @property
    def fittedvalues(self) -> pd.Series:
        """Mean of each row that was used."""
        eta = predictions.linear_predictor(self.estimate, self.rows)
        return pd.Series(self.family.mean(eta), index=self.sample.index, name="fitted")

    def residuals(self, kind: str = "deviance") -> pd.Series:
        """Residuals of the rows used: "deviance", "pearson", "response" or "working"."""
        values = predictions.residuals(self.estimate, self.rows, kind)
        return pd.Series(values, index=self.sample.index, name=f"resid_{kind}")

    def predict(
        self,
        data: Any = None,
        *,
        kind: str = "mean",
        threshold: float = 0.5,
        offset: Any = None,
        exposure: Any = None,
        unseen: str = "raise",
    ) -> Any:
        """Predictions for each row of `data` (by default the data of the fit), nan where a value is missing.

        Parameters
        ----------
        data : a frame with the columns of the formula (an array for a fit of arrays)
        kind : "mean", "link" (linear predictor), "terms" (a frame: what each term adds to the linear
            predictor, centred at the mean of the fit's rows as in R; what is left is `attrs["constant"]`)
            or "class" (whether the mean exceeds `threshold`, as a level of the response)
        offset, exposure : needed if the fit had them as arrays; text ones are computed from `data`
        unseen : "raise" or "nan", for factor levels that the model did not learn
        """
        if kind not in KINDS:
            raise ArgumentError(f"kind={kind!r} is unknown; it is one of {', '.join(KINDS)}.{nearest(kind, KINDS)}")
        sample, rows = self._read(data, offset, exposure, unseen)
        if kind == "terms":
            return self._terms(sample, rows, self._labels(sample, data))
        eta = self._in_place(predictions.linear_predictor(self.estimate, rows), sample)
        values = eta if kind == "link" else self.family.mean(eta)
        if kind == "class":
            values = self.recipe.classes(values, threshold)
        return pd.Series(values, index=self._labels(sample, data), name=kind)

    def _terms(self, sample: Sample, rows: Rows, labels: pd.Index) -> pd.DataFrame:
        centre = predictions.column_means(self.rows) if "Intercept" in self.names else None
        terms = predictions.term_contributions(self.estimate, rows, self.recipe.terms, centre)
        table = pd.DataFrame({name: self._in_place(values, sample) for name, values in terms.items()}, index=labels)
        table.attrs["constant"] = 0.0 if centre is None else float(centre @ covariances.representer(self.estimate))
        return table

    def get_prediction(
        self,
        data: Any = None,
        *,
        kind: str = "mean",
        level: float = 0.95,
        offset: Any = None,
        exposure: Any = None,
        unseen: str = "raise",
    ) -> pd.DataFrame:
        """`estimate, std_error, conf_low, conf_high` for each row; limits of the mean come from the link scale."""
        if kind not in ("mean", "link"):
            raise ArgumentError(f"kind={kind!r}: intervals are for 'mean' or 'link'.")
        sample, rows = self._read(data, offset, exposure, unseen)
        eta = predictions.linear_predictor(self.estimate, rows)
        covariance = covariances.covariance(self.estimate, "expected", self.dispersion)
        error = predictions.standard_errors(rows, np.nan_to_num(covariance, nan=0.0))
        without = not self.estimate.model.network.affine
        error = np.where(np.isinf(eta) | without, np.nan, error)
        half = statistics.quantile(statistics.confidence_level(level, None), self._residual_df) * error
        columns = {"estimate": eta, "std_error": error, "conf_low": eta - half, "conf_high": eta + half}
        if kind == "mean":
            slope = np.abs(self.family.slope(eta))
            limits = np.sort(self.family.mean(np.column_stack([eta - half, eta + half])), axis=1)
            columns = {
                "estimate": self.family.mean(eta),
                "std_error": slope * error,
                "conf_low": limits[:, 0],
                "conf_high": limits[:, 1],
            }
        return pd.DataFrame(
            {name: self._in_place(values, sample) for name, values in columns.items()},
            index=self._labels(sample, data),
        )

    # --- the network view ------------------------------------------------------------------

    def weights(self) -> pd.DataFrame:
        """The network's weights: `layer, entry, value`."""
        return views.weights(self.estimate)

    def layers(self) -> pd.DataFrame:
        """The network's layers, as in `model.summary()`: `layer, kind, output_shape, parameters`."""
        return views.layers(self.estimate)

    def forward(self, data: Any = None, *, offset: Any = None, exposure: Any = None, unseen: str = "raise") -> pd.Series:
        """The network's output for each row: the mean, as `predict` gives it."""
        return self.predict(data, offset=offset, exposure=exposure, unseen=unseen).rename("output")

    def gradient(self) -> pd.Series:
        """Score by weight at dispersion 1: the slope of the log-likelihood, minus that of the summed loss."""
        return views.gradient(self.estimate)

    def information(self, kind: str = "expected") -> pd.DataFrame:
        """Information of the weights at dispersion 1: "expected" (Gauss-Newton) or "observed" (Hessian)."""
        return views.information(self.estimate, kind)

    def _read(self, data: Any, offset: Any, exposure: Any, unseen: str) -> tuple[Sample, Rows]:
        if data is None:
            return self.sample, self.rows
        sample = self.recipe.sample(data, offset=offset, exposure=exposure, unseen=unseen)
        return sample, Rows(sample.source, np.zeros((sample.n, 1)), np.ones(sample.n), sample.offset)

    @staticmethod
    def _in_place(values: Array, sample: Sample) -> Array:
        """Values of the rows used, at their places among all rows; nan elsewhere."""
        if sample.kept is None:
            return values
        out = np.full(sample.n_read, np.nan)
        out[sample.kept] = values
        return out

    def _labels(self, sample: Sample, data: Any) -> pd.Index:
        if sample.kept is None:
            return sample.index
        from glmnet_bridge.data.frames import as_frame

        return as_frame(self._own_data() if data is None else data).index

    def _own_data(self) -> Any:
        if self.data is None:
            raise DataError("This fit no longer has its data; give data= with the rows that you want to see.")
        return self.data
