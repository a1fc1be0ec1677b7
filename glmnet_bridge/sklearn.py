"""scikit-learn's interface: estimators for its pipelines, searches and cross-validation.

    GLMClassifier, GLMRegressor              arrays or frames, all columns
    FormulaClassifier, FormulaRegressor      frames, through a formula

Each holds the fit itself as `fit_`, with standard errors, tests and reports. The penalty is on the
sum of the log-likelihood, and there is none unless asked for.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import bridges
from glmnet_bridge.errors import missing_extra
from glmnet_bridge.model import penalties

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise missing_extra("scikit-learn", "sklearn") from error

Array = np.ndarray


class _Estimator(BaseEstimator):
    """What the estimators share: parameters, the call of the fitter, and coefficients."""

    def _penalty(self) -> Any:
        given = self.penalty  # type: ignore[attr-defined]
        return penalties.ridge(given) if isinstance(given, int | float) and not isinstance(given, bool) else given

    def _options(self) -> dict[str, Any]:
        own: Any = self
        return {"link": own.link, "penalty": self._penalty(), "max_steps": own.max_steps, "tol": own.tol}


class _Arrays(_Estimator):
    """Fits of all columns of an array."""

    def _checked(self, X: Any, y: Any, sample_weight: Any, numeric: bool) -> tuple[Array, Array, Array | None]:
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=numeric, multi_output=False)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        return X, y, weights

    def _learn(self, X: Array, y: Array, weights: Array | None, family: Any) -> None:
        names = list(getattr(self, "feature_names_in_", [f"x{j}" for j in range(X.shape[1])]))
        own: Any = self
        self.fit_ = bridges.fit(
            X, y, family, names=names, intercept=own.fit_intercept, prior_weights=weights, **self._options()
        )
        self.n_iter_ = len(self.fit_.trace) - 1

    def _link(self, X: Any) -> Any:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self.fit_.predict(X, kind="link")
