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

from glmnet_bridge.adapters.sklearn.designs import DesignTransformer as DesignTransformer
from glmnet_bridge.estimators import Classifier, OfArrays, OfFormulas, Regressor

Array = np.ndarray


class GLMClassifier(Classifier, OfArrays):
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
    coef_, intercept_ : `(1, q)` and `(1,)` of two classes; `(classes, q)` and `(classes,)` of several, where the
        first class is the base that all others are compared with, and has zeros: the other rows are the
        coefficients of `fit_`. `X @ coef_.T + intercept_` is the decision function, and its softmax are the
        probabilities of several classes. A column that was left out as aliased has 0
    classes_, n_iter_, n_features_in_, feature_names_in_ : as scikit-learn's

    Examples
    --------
    >>> from glmnet_bridge.sklearn import GLMClassifier
    >>> model = GLMClassifier().fit([[0.0], [1], [2], [3], [4], [5], [6], [7]], [0, 1, 0, 1, 1, 0, 1, 1])
    >>> model.coef_.round(3).tolist(), model.fit_.bse.round(3).tolist()
    ([[0.398]], [1.39, 0.378])
    """

    @property
    def coef_(self) -> Array:
        """Coefficients without the intercept, `(1, q)` or `(classes, q)`."""
        return self._by_class()[:, 1:]

    @property
    def intercept_(self) -> Array:
        """The intercepts, `(1,)` or `(classes,)`; 0 if there are none."""
        return self._by_class()[:, 0]

    def _by_class(self) -> Array:
        table = self._table()
        return np.insert(table, 0, 0.0, axis=0) if self.fit_.family.joint else table


class GLMRegressor(Regressor, OfArrays):
    """GLM of a number on all columns, fitted by IRLS.

    Parameters
    ----------
    family : "gaussian", "poisson", "gamma", "inverse_gaussian", or one of `gb.families`
    link, penalty, fit_intercept, tol, max_steps : as in `GLMClassifier`

    Attributes
    ----------
    coef_, intercept_ : `(q,)` and a number
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
        super().__init__(link, penalty=penalty, fit_intercept=fit_intercept, tol=tol, max_steps=max_steps)
        self.family = family

    @property
    def coef_(self) -> Array:
        """Coefficients `(q,)` without the intercept."""
        return self._table()[0, 1:]

    @property
    def intercept_(self) -> float:
        """The intercept, 0 if there is none."""
        return float(self._table()[0, 0])


class FormulaClassifier(Classifier, OfFormulas):
    """Binomial (or multinomial) GLM through a formula.

    The response is a column of X that the formula names, or `y`, as in scikit-learn's searches and
    cross-validation: `fit(frame)` and `fit(frame, frame["y"])` are the same fit of "y ~ x". Where both are there,
    `y` counts. It is no feature, and rows to predict need not have it; other columns that the formula does not
    read may be there or not.

    Parameters
    ----------
    formula : "y ~ x + C(g)", or "x + C(g)" with `y` apart; None takes all columns of X
    link, penalty, tol, max_steps : as in `GLMClassifier`

    Attributes
    ----------
    fit_ : the `Fit`: standard errors, tests, reports
    classes_, n_iter_ : as scikit-learn's
    n_features_in_, feature_names_in_ : the columns of X without the response

    Examples
    --------
    >>> import pandas as pd
    >>> from glmnet_bridge.sklearn import FormulaClassifier
    >>> data = pd.DataFrame({"x": [0.0, 1, 2, 3, 4, 5, 6, 7], "g": list("aabbaabb")})
    >>> data["ill"] = ["no", "yes", "no", "yes", "yes", "no", "yes", "yes"]
    >>> model = FormulaClassifier("ill ~ x + g").fit(data)
    >>> model.predict(data[["x", "g"]].head(3)).tolist()
    ['no', 'no', 'yes']
    """

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Share of rows whose class is right; y may be left out where the formula names it."""
        return float(super().score(X, self._truth(X, y), sample_weight))


class FormulaRegressor(Regressor, OfFormulas):
    """GLM of a number through a formula; the response as in `FormulaClassifier`.

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
        super().__init__(formula, link, penalty=penalty, tol=tol, max_steps=max_steps)
        self.family = family

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """R squared; y may be left out where the formula names it."""
        return float(super().score(X, self._truth(X, y), sample_weight))
