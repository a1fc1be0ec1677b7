"""Questions about rows, old and new: predictions, residuals."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import answers, diagnostics, shares
from glmnet_bridge.fitting import predictions
from glmnet_bridge.members.records import Record


class OfRows(Record):
    """Answers row by row."""

    @functools.cached_property
    def column_means(self) -> np.ndarray:
        """Mean `(p,)` of each column of the design over the rows used: where `kind="terms"` is centred, as in R."""
        return predictions.column_means(self.rows, self.sample.freq_weights)

    @property
    def fittedvalues(self) -> Any:
        """Mean of each row that was used; of several classes a frame of their probabilities."""
        if self.family.joint:
            return shares.fitted(self)
        eta = predictions.linear_predictor(self.estimate, self.rows)
        return pd.Series(self.family.mean(eta), index=self.sample.index, name="fitted")

    def residuals(self, kind: str = "deviance", *, random_state: Any = None) -> Any:
        """Residuals of the rows used.

        Of several classes only "response", a frame: the indicator of each class less its probability.

        Parameters
        ----------
        kind : "deviance", "pearson", "response" or "working"; "rstandard" and "rstandard_pearson", divided by their
            standard deviation (of the fitted rows: with leverage and dispersion); "rstudent", R's deletion residual;
            "quantile", standard normal under the model, with random numbers where the response is discrete
            (Dunn and Smyth 1996; the dispersion is the fit's)
        random_state : seed or generator of those random numbers
        """
        return diagnostics.residuals(self, kind, random_state)

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
        threshold : of kind "class", for a response of two levels
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
        vcov: Any = None,
        offset: Any = None,
        exposure: Any = None,
        unseen: str = "raise",
    ) -> pd.DataFrame:
        """`estimate, std_error, conf_low, conf_high` for each row; limits of the mean come from the link scale.

        Of several classes each row comes once for each, as `response_level` says; limits of a probability
        are symmetric on the scale of its logit. `vcov` is a covariance of the coefficients, as in `cov_params`.
        """
        return answers.intervals(self, answers.read(self, data, offset, exposure, unseen), kind, level, vcov)

    def augment(self, data: Any = None, *, offset: Any = None, exposure: Any = None) -> pd.DataFrame:
        """The data with `_fitted, _linpred, _se_linpred, _resid_deviance, _resid_pearson` for each row.

        Of several classes with the probability of each, `_fitted_<class>`, and the most probable one, `_class`.

        Rows that were left out for missing values are nan. New `data` need no response; without
        one the residuals are left out.
        """
        return answers.augment(self, data, offset, exposure)
