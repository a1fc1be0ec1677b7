"""scikit-learn's interface: estimators for its pipelines, searches and cross-validation.

    GLMClassifier, GLMRegressor              arrays or frames, all columns
    FormulaClassifier, FormulaRegressor      frames, through a formula
    DesignTransformer                        the columns of a formula, as a step before other estimators

Each holds the fit itself as `fit_`, with standard errors, tests and reports. The penalty is on the
sum of the log-likelihood, and there is none unless asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import bridges
from glmnet_bridge.adapters.sklearn.designs import DesignTransformer as DesignTransformer
from glmnet_bridge.errors import ArgumentError, missing_extra
from glmnet_bridge.model import penalties

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import (
        _check_feature_names,
        _check_n_features,
        _check_sample_weight,
        check_is_fitted,
        validate_data,
    )
except ImportError as error:
    raise missing_extra("scikit-learn", "sklearn") from error

Array = np.ndarray


class _Estimator(BaseEstimator):
    """What the estimators share: the call of the fitter, and the linear predictor of new rows."""

    def _options(self) -> dict[str, Any]:
        own: Any = self
        number = isinstance(own.penalty, int | float) and not isinstance(own.penalty, bool)
        penalty = penalties.ridge(own.penalty) if number else own.penalty
        return {"link": own.link, "penalty": penalty, "max_steps": own.max_steps, "tol": own.tol}

    def _predicted(self, X: Any, kind: str) -> Array:
        """Means or linear predictors of new rows, `(m,)` or `(m, classes)`."""
        check_is_fitted(self)
        return np.asarray(self.fit_.predict(self._rows(X), kind=kind))


class _Arrays(_Estimator):
    """Fits of all columns of an array, or of a frame of numbers."""

    def _fit(self, X: Any, y: Any, sample_weight: Any, family: Any, numeric: bool) -> Any:
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=numeric)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        response = self._response(y)
        names = [str(name) for name in getattr(self, "feature_names_in_", [f"x{j}" for j in range(X.shape[1])])]
        own: Any = self
        self.fit_ = bridges.fit(
            X, response, family, names=names, intercept=own.fit_intercept, prior_weights=weights, **self._options()
        )
        self.n_iter_ = len(self.fit_.trace) - 1
        return self

    def _rows(self, X: Any) -> Array:
        found: Array = validate_data(self, X, dtype=np.float64, reset=False)
        return found

    @property
    def coef_(self) -> Array:
        """Coefficients without the intercept."""
        check_is_fitted(self)
        own: Any = self
        return self.fit_.params.to_numpy()[int(own.fit_intercept) :]

    @property
    def intercept_(self) -> float:
        """The intercept, 0 if there is none."""
        check_is_fitted(self)
        own: Any = self
        return float(self.fit_.params.iloc[0]) if own.fit_intercept else 0.0


class _Formulas(_Estimator):
    """Fits of a frame through a formula; `y` is its left side, where the formula has none."""

    def _fit(self, X: Any, y: Any, sample_weight: Any, family: Any, numeric: bool) -> Any:
        own: Any = self
        frame = self._frame(X, y)
        formula = own.formula
        if formula is None:
            formula = " + ".join(f"Q({str(name)!r})" for name in frame.columns)
        if "~" not in formula:
            if y is None:
                raise ArgumentError(f"formula={formula!r} has no left side: give y, or write 'response ~ {formula}'.")
            taken = _free("y", frame)
            frame = frame.assign(**{taken: self._response(np.asarray(y))})
            formula = f"{taken} ~ {formula.strip()}"
        elif y is not None:
            raise ArgumentError(f"formula={own.formula!r} has its response already: leave y out.")
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, frame)
        self.fit_ = bridges.glm(formula, frame, family, prior_weights=weights, missing="raise", **self._options())
        self.n_iter_ = len(self.fit_.trace) - 1
        return self

    def _frame(self, X: Any, y: Any) -> pd.DataFrame:
        if isinstance(X, pd.DataFrame):
            _check_feature_names(self, X, reset=y is not _SEEN)
            _check_n_features(self, X, reset=y is not _SEEN)
            return X if all(isinstance(name, str) for name in X.columns) else X.rename(columns=str)
        if y is _SEEN:
            array = validate_data(self, X, dtype=np.float64, reset=False)
        elif y is None:
            array = validate_data(self, X, dtype=np.float64)
        else:
            array, _ = validate_data(self, X, y, dtype=np.float64)
        return pd.DataFrame(array, columns=[f"x{j}" for j in range(array.shape[1])])

    def _rows(self, X: Any) -> pd.DataFrame:
        return self._frame(X, _SEEN)


_SEEN = object()  # in the place of y: rows that are not learnt from


def _free(name: str, frame: pd.DataFrame) -> str:
    """A name that no column has."""
    while name in frame.columns:
        name = f"{name}_"
    return name


class _Classifier(ClassifierMixin):
    """Two classes: the binomial family; the last class in sorted order is the event. More: the multinomial one."""

    def _response(self, y: Array) -> Array:
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"Classifier can't train when only one class is present: y is always {self.classes_.tolist()}."
            )
        return np.asarray(codes)

    def decision_function(self, X: Any) -> Array:
        """Linear predictors: `(m,)` of the last class against the first, or `(m, classes)`."""
        eta: Array = self._predicted(X, "link")
        return eta if eta.ndim == 1 else np.column_stack([np.zeros(len(eta)), eta])

    def predict_proba(self, X: Any) -> Array:
        """Probability of each class, `(m, classes)`."""
        mean: Array = self._predicted(X, "mean")
        return np.column_stack([1.0 - mean, mean]) if mean.ndim == 1 else mean

    def predict(self, X: Any) -> Array:
        """The most probable class of each row."""
        best = self.predict_proba(X).argmax(axis=1)
        found: Array = self.classes_[best]
        return found


class _Regressor(RegressorMixin):
    """The mean of a number."""

    def _response(self, y: Array) -> Array:
        return y

    def predict(self, X: Any) -> Array:
        """The mean of each row."""
        found: Array = self._predicted(X, "mean")
        return found


class GLMClassifier(_Classifier, _Arrays):
    """Binomial (or, with more than two classes, multinomial) GLM of all columns, fitted by IRLS.

    Parameters
    ----------
    link : of the binomial family; logit by default
    penalty : strength of a ridge penalty on the sum of the log-likelihood, or one of `gb.penalties`; none by default
    fit_intercept : whether a constant is added, which is never penalised
    tol, max_steps : distance to the optimum in standard errors to stop at, and step limit

    Attributes
    ----------
    fit_ : the `Fit`: standard errors, tests, reports
    coef_, intercept_, classes_, n_iter_, n_features_in_, feature_names_in_ : as scikit-learn's

    Examples
    --------
    >>> from glmnet_bridge.sklearn import GLMClassifier
    >>> model = GLMClassifier().fit([[0.0], [1], [2], [3], [4], [5], [6], [7]], [0, 1, 0, 1, 1, 0, 1, 1])
    >>> model.coef_.round(3).tolist(), model.fit_.bse.round(3).tolist()
    ([0.398], [1.39, 0.378])
    """

    def __init__(
        self,
        link: Any = None,
        *,
        penalty: Any = None,
        fit_intercept: bool = True,
        tol: float = 1e-9,
        max_steps: int = 50,
    ) -> None:
        self.link, self.penalty, self.fit_intercept = link, penalty, fit_intercept
        self.tol, self.max_steps = tol, max_steps

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GLMClassifier:
        """Fit numbers X `(n, q)`; `sample_weight` are prior weights."""
        family = "multinomial" if len(np.unique(np.asarray(y).astype(str))) > 2 else "binomial"
        fitted: GLMClassifier = self._fit(X, y, sample_weight, family, numeric=False)
        return fitted


class GLMRegressor(_Regressor, _Arrays):
    """GLM of a number on all columns, fitted by IRLS.

    Parameters
    ----------
    family : "gaussian", "poisson", "gamma", "inverse_gaussian", or one of `gb.families`
    link, penalty, fit_intercept, tol, max_steps : as in `GLMClassifier`
    """

    def __init__(
        self,
        family: Any = "gaussian",
        link: Any = None,
        *,
        penalty: Any = None,
        fit_intercept: bool = True,
        tol: float = 1e-9,
        max_steps: int = 50,
    ) -> None:
        self.family, self.link, self.penalty, self.fit_intercept = family, link, penalty, fit_intercept
        self.tol, self.max_steps = tol, max_steps

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GLMRegressor:
        """Fit numbers X `(n, q)`; `sample_weight` are prior weights."""
        fitted: GLMRegressor = self._fit(X, y, sample_weight, self.family, numeric=True)
        return fitted


class FormulaClassifier(_Classifier, _Formulas):
    """Binomial (or multinomial) GLM through a formula.

    Parameters
    ----------
    formula : "y ~ x + C(g)" with the response as a column of X, or "x + C(g)" with `y` apart; None takes all
        columns of X
    link, penalty, tol, max_steps : as in `GLMClassifier`

    Examples
    --------
    >>> import pandas as pd
    >>> from glmnet_bridge.sklearn import FormulaClassifier
    >>> data = pd.DataFrame({"x": [0.0, 1, 2, 3, 4, 5, 6, 7], "g": list("aabbaabb")})
    >>> model = FormulaClassifier("x + g").fit(data, ["no", "yes", "no", "yes", "yes", "no", "yes", "yes"])
    >>> model.predict(data.head(3)).tolist()
    ['no', 'no', 'yes']
    """

    def __init__(
        self,
        formula: str | None = None,
        link: Any = None,
        *,
        penalty: Any = None,
        tol: float = 1e-9,
        max_steps: int = 50,
    ) -> None:
        self.formula, self.link, self.penalty, self.tol, self.max_steps = formula, link, penalty, tol, max_steps

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> FormulaClassifier:
        """Fit a frame X; `sample_weight` are prior weights."""
        own = y is None
        if own:
            y = self._left(X)
        family = "multinomial" if len(np.unique(np.asarray(y).astype(str))) > 2 else "binomial"
        fitted: FormulaClassifier = self._fit(X, None if own else y, sample_weight, family, numeric=False)
        if own:
            self.classes_ = np.array(self.fit_.recipe.response.levels)
        return fitted

    def _left(self, X: Any) -> Array:
        """The response, where it is a column of the frame."""
        left = (self.formula or "").split("~")[0].strip()
        if not isinstance(X, pd.DataFrame) or left not in X.columns:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        return X[left].to_numpy()


class FormulaRegressor(_Regressor, _Formulas):
    """GLM of a number through a formula.

    Parameters
    ----------
    formula : as in `FormulaClassifier`
    family, link, penalty, tol, max_steps : as in `GLMRegressor`
    """

    def __init__(
        self,
        formula: str | None = None,
        family: Any = "gaussian",
        link: Any = None,
        *,
        penalty: Any = None,
        tol: float = 1e-9,
        max_steps: int = 50,
    ) -> None:
        self.formula, self.family, self.link, self.penalty = formula, family, link, penalty
        self.tol, self.max_steps = tol, max_steps

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> FormulaRegressor:
        """Fit a frame X; `sample_weight` are prior weights."""
        if y is None and "~" not in (self.formula or ""):
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        fitted: FormulaRegressor = self._fit(X, y, sample_weight, self.family, numeric=True)
        return fitted
