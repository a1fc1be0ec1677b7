"""Fit: the public face of an `Estimate`, in the words of statsmodels and broom.

Every method is one call of a function of an earlier stage. A `Fit` refers to the rows it was
fitted on (the caller's own frame, not a copy) for answers row by row.
"""

from __future__ import annotations

import functools
import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from glmnet_bridge import answers, shares
from glmnet_bridge.data.rows import Rows
from glmnet_bridge.design.samples import Sample
from glmnet_bridge.fitting import covariances, dispersions, predictions, statistics
from glmnet_bridge.fitting.dispersions import Degrees
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.mapping import views
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.likelihoods import Observed

if TYPE_CHECKING:
    from types import ModuleType

    from glmnet_bridge.adapters.foreigns import Foreign
    from glmnet_bridge.plots import Plots
    from glmnet_bridge.report.documents import Document

Array = np.ndarray


def _faces() -> ModuleType:
    """What people see is loaded when somebody looks: it is a third of the package, and a fit needs none of it."""
    from glmnet_bridge import faces

    return faces


@functools.lru_cache(maxsize=64)
def _labels(names: tuple[str, ...]) -> pd.Index:
    """An index of text; kept, because a new one takes as long as two Newton steps of a small fit."""
    return pd.Index(list(names))


def _writers(package: str) -> Any:
    """What writes for another package, loaded on use."""
    return importlib.import_module(f"glmnet_bridge.adapters.{package}.writers")


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model: coefficients, standard errors, likelihood, predictions.

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

    # --- estimates ------------------------------------------------------------------------

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
        """Wald limits by column.

        Parameters
        ----------
        level, alpha : confidence level (0.95 by default), or statsmodels' 1 - level; one of the two
        method : "wald"
        distribution : "t" or "normal"; by default t where the dispersion is estimated, as the p-values
        vcov : "expected" or "observed" information, or "bayesian", as in `cov_params`
        """
        return answers.limits(self, level, alpha, method, distribution, vcov)

    @functools.cached_property
    def columns(self) -> pd.Index:
        """Labels of the p coefficients; a view, so that a name given to the index stays with this fit."""
        return _labels(self.names).view()

    def _by_column(self, values: Array, name: str) -> pd.Series:
        return pd.Series(values, index=self.columns, name=name)

    # --- the fit ---------------------------------------------------------------------------

    @functools.cached_property
    def _observed(self) -> Observed:
        sample = self.sample
        return Observed(self.rows.response[:, 0], sample.trials, sample.prior_weights, sample.freq_weights)

    @functools.cached_property
    def _degrees(self) -> Degrees:
        return Degrees(self._observed.nobs, self.edf)

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
        """Log-likelihood with all constants, as R's `logLik`."""
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
        """-2 log-likelihood + 2 parameters (`edf`); an estimated dispersion is one."""
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
        names = self.estimate.model.columns
        kept = [names[j] for j in rank.kept]
        pairs = zip(rank.dropped, rank.equations, strict=True)
        return {names[j]: covariances.equation(row, kept) for j, row in pairs}

    @property
    def separation(self) -> pd.Series:
        """Per column: finite, +inf, -inf, either (infinite, sign open) or aliased."""
        return pd.Series(covariances.states(self.estimate), index=self.columns, name="separation")

    # --- frames ----------------------------------------------------------------------------

    def tidy(self, *, level: float = 0.95, exponentiate: bool = False, vcov: str | None = None) -> pd.DataFrame:
        """One row per column: `term, estimate, std_error, statistic, p_value, conf_low, conf_high`.

        Of several classes one per class and column, with the class in front as `response_level`.

        With `exponentiate` the estimate and its limits are exponentiated (odds or rate ratios); the
        standard error stays on the scale of the linear predictor.
        """
        return answers.tidy(self, level, exponentiate, vcov)

    def glance(self) -> pd.DataFrame:
        """One row for the model."""
        return pd.DataFrame({name: [getattr(self, name)] for name in answers.GLANCE})

    def augment(self, data: Any = None, *, offset: Any = None, exposure: Any = None) -> pd.DataFrame:
        """The data with `_fitted, _linpred, _se_linpred, _resid_deviance, _resid_pearson` for each row.

        Of several classes with the probability of each, `_fitted_<class>`, and the most probable one, `_class`.

        Rows that were left out for missing values are nan. New `data` need no response; without
        one the residuals are left out.
        """
        return answers.augment(self, data, offset, exposure)

    # --- people ----------------------------------------------------------------------------

    def summary(self, *, level: float = 0.95, vcov: str | None = None) -> Document:
        """All about the fit: `print` it, or ask it `.as_html()`, `.as_markdown()`, `.as_latex()`."""
        return _faces().summary(self, level, vcov)

    def __repr__(self) -> str:
        return _faces().short(self)

    def _repr_html_(self) -> str:
        return _faces().notebook(self)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the summary with figures to one file; its ending says the format: .html, .md or .tex."""
        return _faces().report(self, path)

    @property
    def plot(self) -> Plots:
        """The figures, such as `fit.plot.curve("age")`: see `glmnet_bridge.plots.Plots`."""
        return _faces().Plots((("GLM", self),))

    # --- rows ------------------------------------------------------------------------------

    @property
    def fittedvalues(self) -> Any:
        """Mean of each row that was used; of several classes a frame of their probabilities."""
        if self.family.joint:
            return shares.fitted(self)
        eta = predictions.linear_predictor(self.estimate, self.rows)
        return pd.Series(self.family.mean(eta), index=self.sample.index, name="fitted")

    def residuals(self, kind: str = "deviance") -> Any:
        """Residuals of the rows used: "deviance", "pearson", "response" or "working".

        Of several classes only "response", a frame: the indicator of each class less its probability.
        """
        if self.family.joint:
            return shares.residuals(self, kind)
        values = predictions.residuals(self.estimate, answers.single_rows(self.sample), kind)
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
            or "class" (whether the mean exceeds `threshold`, as a level of the response). Of several classes
            "mean" is a frame of their probabilities, "link" one of the linear predictors, "class" the most
            probable one
        offset, exposure : needed if the fit had them as arrays; text ones are computed from `data`
        unseen : "raise" or "nan", for factor levels that the model did not learn
        """
        return answers.predict(self, answers.read(self, data, offset, exposure, unseen), kind, threshold)

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
        """`estimate, std_error, conf_low, conf_high` for each row; limits of the mean come from the link scale.

        Of several classes each row comes once for each, as `response_level` says; limits of a probability
        are symmetric on the scale of its logit.
        """
        return answers.intervals(self, answers.read(self, data, offset, exposure, unseen), kind, level)

    # --- the network view ------------------------------------------------------------------

    def weights(self) -> pd.DataFrame:
        """The network's weights: `layer, entry, value`."""
        return views.weights(self.estimate)

    def layers(self) -> pd.DataFrame:
        """The network's layers, as in `model.summary()`: `layer, kind, output_shape, parameters`."""
        return views.layers(self.estimate)

    def forward(self, data: Any = None, *, offset: Any = None, exposure: Any = None, unseen: str = "raise") -> Any:
        """The network's output for each row: the mean, as `predict` gives it."""
        found = self.predict(data, offset=offset, exposure=exposure, unseen=unseen)
        return found if self.family.joint else found.rename("output")

    def gradient(self) -> pd.Series:
        """Score by weight at dispersion 1: the slope of the log-likelihood, minus that of the summed loss."""
        return views.gradient(self.estimate)

    def information(self, kind: str = "expected") -> pd.DataFrame:
        """Information of the weights at dispersion 1: "expected" (Gauss-Newton) or "observed" (Hessian)."""
        return views.information(self.estimate, kind)

    # --- other packages --------------------------------------------------------------------
    # What is written is run on the fit's own rows and on random ones first, and must give the fit's means.

    def to_onnx(self, path: str | os.PathLike[str] | None = None) -> Any:
        """An ONNX model, raw columns in, mean out, in double precision; also written to the file `path` if given.

        Its metadata have the terms with coefficients and standard errors, and the largest differences from the fit.
        """
        return _writers("onnx").to_onnx(self, path)

    def to_sklearn(self) -> Any:
        """A fitted scikit-learn Pipeline, frames in; terms and differences are its attribute `written`."""
        return _writers("sklearn").to_sklearn(self)

    def to_torch(self, dtype: Any = None) -> Any:
        """A PyTorch module: `module(module.tensor(frame))` is the mean; `dtype` is torch.float64 or torch.float32."""
        return _writers("torch").to_torch(self, dtype)

    def to_keras(self) -> Any:
        """A compiled Keras model with an input per raw column; `model.written.feed.arrays(frame)` makes them."""
        return _writers("keras").to_keras(self)

    def to_statsmodels(self) -> Any:
        """statsmodels' own `GLMResults` of this fit, without fitting again."""
        return _writers("statsmodels").to_statsmodels(self)
