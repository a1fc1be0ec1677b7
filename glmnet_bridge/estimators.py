"""Estimators: what the four of scikit-learn's interface have in common. Whoever imports this module wants scikit-learn.

    X, y -> fit_, by arrays (`OfArrays`) or through a formula (`OfFormulas`)
    fit_ -> predictions, of classes (`Classifier`) or of a mean (`Regressor`)

The public ones, in `sklearn.py`, are one of each pair. Their answers are those of `fit_`, except where scikit-learn
knows none: a row with a missing value is refused, and a column that was left out of the fit as aliased counts 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import answers, bridges
from glmnet_bridge.data.frames import as_frame, columns, missing, read, rows_where, unknown
from glmnet_bridge.design.expressions import Expression
from glmnet_bridge.design.formulas import one_sided, parse
from glmnet_bridge.design.texts import clean, without_strings
from glmnet_bridge.errors import ArgumentError, DataError, is_number, listed, missing_extra
from glmnet_bridge.fitting import covariances
from glmnet_bridge.model import penalties

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import (
        _check_feature_names,
        _check_n_features,
        _check_sample_weight,
        _check_y,
        check_consistent_length,
        check_is_fitted,
        validate_data,
    )
except ImportError as error:
    raise missing_extra("scikit-learn", "sklearn") from error

Array = np.ndarray

_LARGEST = 1e300


class Estimator(BaseEstimator):
    """What the estimators share: the call of the fitter, and what it says of new rows."""

    fit_: Any

    def _options(self) -> dict[str, Any]:
        own: Any = self
        penalty = penalties.ridge(own.penalty) if is_number(own.penalty) else own.penalty
        return {"link": own.link, "penalty": penalty, "max_steps": own.max_steps, "tol": own.tol}

    def _hold(self, fit: Any) -> Any:
        self.fit_ = fit
        self.n_iter_ = len(fit.trace) - 1
        return self

    def _answers(self, X: Any, kind: str) -> Array:
        """Means or linear predictors of new rows, `(m,)` or by classes; without gaps, unlike those of the fit."""
        check_is_fitted(self)
        own: Any = self
        reading = answers.read(self.fit_, own._rows(X), None, None, "raise", aliased="zero")
        if reading.sample.kept is not None:
            gone = np.ones(reading.sample.n_read, dtype=bool)
            gone[reading.sample.kept] = False
            shown = listed([f"{name}: {count}" for name, count in reading.sample.dropped.items()], most=10)
            raise DataError(
                f"There are missing values ({shown}) in {rows_where(reading.labels, gone)}, and scikit-learn has no "
                "answer that says so. Fill or drop them; fit_.predict() gives nan for such rows."
            )
        return np.asarray(answers.predict(self.fit_, reading, kind, 0.5))


class OfArrays(Estimator):
    """Fits of all columns of an array, or of a frame of numbers."""

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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit numbers X `(n, q)`; `sample_weight` are prior weights."""
        own: Any = self
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=own._numeric)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        response = own._response(y)
        names = [str(name) for name in getattr(self, "feature_names_in_", [f"x{j}" for j in range(X.shape[1])])]
        return self._hold(
            bridges.fit(
                X, response, own._family(),
                names=names, intercept=self.fit_intercept, prior_weights=weights, **self._options(),
            )
        )  # fmt: skip

    def _rows(self, X: Any) -> Array:
        found: Array = validate_data(self, X, dtype=np.float64, reset=False)
        return found

    def _table(self) -> Array:
        """Coefficients `(outputs, 1 + q)`, the constant (or 0) first; 0 for a column that was left out as aliased."""
        check_is_fitted(self)
        estimate = self.fit_.estimate
        beta = covariances.coefficients(estimate)
        beta = np.where(np.isnan(beta), covariances.representer(estimate), beta)
        table = beta.reshape(-1, len(estimate.model.columns))
        return table if self.fit_intercept else np.insert(table, 0, 0.0, axis=1)


class OfFormulas(Estimator):
    """Fits of a frame through a formula."""

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

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Fit a frame X; `y` may be left out where the formula names it; `sample_weight` are prior weights."""
        own: Any = self
        left = self._left()
        if y is None and not left:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        frame = self._learnt(X, y, left)
        if y is None:
            frame, name = own._modelled(frame, left), self._sides()[0]
        else:
            name, values = self._given(frame, y, left)
            frame, name = frame.assign(**{name: values}), f"Q({name!r})"
        right = self._sides()[1]
        if self.formula is None:
            right = " + ".join(f"Q({column!r})" for column in self._columns)
        elif not hasattr(X, "columns"):
            _check_names(right, self._columns)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, frame)
        return self._hold(
            bridges.glm(
                f"{name} ~ {right}", frame, own._family(), prior_weights=weights, missing="raise", **self._options()
            )
        )

    def _sides(self) -> tuple[str, str]:
        """The formula's left and right side; "" for one that is not there."""
        if self.formula is None:
            return "", ""
        text = clean(self.formula, "A formula")
        tilde = without_strings(text).find("~")
        return text[: max(tilde, 0)].strip(), text[tilde + 1 :].strip()

    def _left(self) -> tuple[Expression, ...]:
        """The formula's left side, read."""
        left = self._sides()[0]
        return parse(f"{left} ~ 1").response if left else ()

    def _learnt(self, X: Any, y: Any, left: tuple[Expression, ...]) -> pd.DataFrame:
        """X as a frame, and its columns but for the response noted, as scikit-learn does."""
        if not hasattr(X, "columns"):
            array = validate_data(self, X, dtype=np.float64)
            self._columns = [f"x{j}" for j in range(array.shape[1])]
            return pd.DataFrame(array, columns=self._columns)
        frame = as_frame(X)
        response = frozenset().union(*(part.names for part in left))
        inputs = frame.iloc[:0].loc[:, [name not in response for name in frame.columns]]
        _check_feature_names(self, inputs, reset=True)
        _check_n_features(self, inputs, reset=True)
        self._columns = [str(name) for name in inputs.columns]
        return _texted(frame)

    def _given(self, frame: pd.DataFrame, y: Any, left: tuple[Expression, ...]) -> tuple[str, Any]:
        """Name and values of a response that was given beside the frame, whose own column it replaces."""
        own: Any = self
        called = getattr(y, "name", None)
        if not left:
            name = called if isinstance(called, str) and called not in frame.columns else _free("y", frame)
        elif len(left) > 1 or left[0].column is None:
            raise ArgumentError(
                f"formula={self.formula!r} computes its response, so that y= cannot be it: leave y out, or name a "
                "column on the left side and compute y= from it."
            )
        else:
            name = left[0].column
            if isinstance(called, str) and called != name and name in frame.columns:
                raise ArgumentError(
                    f"formula={self.formula!r} has the response {name!r}, a column of X, and y= is {called!r}. Leave y "
                    "out, or the left side of the formula."
                )
        values = _check_y(y, y_numeric=own._numeric, estimator=self)
        check_consistent_length(frame, values)
        return name, own._response(values)

    def _rows(self, X: Any) -> pd.DataFrame:
        """New rows: all columns as in the fit without a formula, those that it reads with one."""
        if not hasattr(X, "columns"):
            return pd.DataFrame(validate_data(self, X, dtype=np.float64, reset=False), columns=self._columns)
        frame = as_frame(X)
        if self.formula is not None:
            return _texted(frame)
        _check_feature_names(self, frame, reset=False)
        _check_n_features(self, frame, reset=False)
        return frame.set_axis(self._columns, axis=1)

    def _truth(self, X: Any, y: Any) -> Any:
        """The response to score with: y, or the formula's own."""
        if y is not None:
            return y
        left = self._left()
        if len(left) != 1 or left[0].call == "successes" or not hasattr(X, "columns"):
            raise ArgumentError(f"formula={self.formula!r} names no response of X to score with: give y.")
        return _computed(left[0], _texted(as_frame(X)))


def _texted(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with text as names of its columns."""
    return frame if all(isinstance(name, str) for name in frame.columns) else frame.rename(columns=str)


def _computed(part: Expression, frame: pd.DataFrame) -> Array:
    """The values `(n,)` of the left side, from the columns of the frame."""
    for name in sorted(part.names):
        if name not in frame.columns:
            raise unknown(frame, name, " (the response, where y= is not given)")
        values, gaps = read(frame, name)
        gaps = missing(values) if gaps is None else gaps
        if gaps is not None and gaps.any():
            raise DataError(f"The response {name!r} is missing in {rows_where(frame.index, gaps)}; drop those rows.")
    return np.asarray(part.evaluate(columns(frame, part.names)))


def _check_names(right: str, known: list[str]) -> None:
    """An array has columns x0, x1, ... only, which a formula is seldom written for."""
    lacking = sorted(one_sided(right).names - set(known))
    if lacking:
        raise ArgumentError(
            f"The formula reads {listed([repr(name) for name in lacking])}, and X is an array, whose columns are "
            f"{listed(known)}: give a frame (a step in front of this one can give frames: "
            'pipeline.set_output(transform="pandas")).'
        )


def _free(name: str, frame: pd.DataFrame) -> str:
    """A name that no column has."""
    while name in frame.columns:
        name = f"{name}_"
    return name


class Classifier(ClassifierMixin):
    """Two classes: the binomial family; the last class in sorted order is the event. More: the multinomial one."""

    _numeric = False

    def _response(self, y: Any) -> pd.Categorical:
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"Classifier can't train when only one class is present: y is always {self.classes_.tolist()}."
            )
        return pd.Categorical.from_codes(codes, categories=self.classes_)

    def _modelled(self, frame: pd.DataFrame, left: tuple[Expression, ...]) -> pd.DataFrame:
        """The frame with its own response coded by classes."""
        own: Any = self
        values = _computed(left[0], frame) if left[0].call != "successes" else None
        if len(left) == 1 and left[0].column is not None:
            return frame.assign(**{left[0].column: self._response(values)})
        if len(left) > 1 or values is None or values.dtype != np.bool_:
            raise ArgumentError(
                f"The left side of formula={own.formula!r} has no classes: it is a column, or a condition such as "
                'I(y > 2). Shares and successes of trials are for FormulaRegressor(family="binomial").'
            )
        self._response(values)
        return frame

    def _family(self) -> str:
        return "multinomial" if len(self.classes_) > 2 else "binomial"

    def decision_function(self, X: Any) -> Array:
        """Linear predictors: `(m,)` of the last class against the first; of several `(m, classes)`, the first at 0.

        Where separated data send one to infinity it is the largest number that scorers can subtract.
        """
        own: Any = self
        eta = np.clip(own._answers(X, "link"), -_LARGEST, _LARGEST)
        return eta if eta.ndim == 1 else np.column_stack([np.zeros(len(eta)), eta])

    def predict_proba(self, X: Any) -> Array:
        """Probability of each class, `(m, classes)`."""
        own: Any = self
        mean: Array = own._answers(X, "mean")
        return np.column_stack([1.0 - mean, mean]) if mean.ndim == 1 else mean

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithm of the probability of each class, `(m, classes)`; right where the probability is 0 in rounding."""
        own: Any = self
        eta = self.decision_function(X)
        if eta.ndim == 2:
            depth = eta - eta.max(axis=1, keepdims=True)
            return np.asarray(depth - np.log(np.exp(depth).sum(axis=1, keepdims=True)))
        with np.errstate(over="ignore"):
            each = [own.fit_.family.local(np.full((len(eta), 1), y), eta[:, None]).loglik for y in (0.0, 1.0)]
        return np.column_stack(each)

    def predict(self, X: Any) -> Array:
        """The most probable class of each row."""
        best = self.predict_proba(X).argmax(axis=1)
        found: Array = self.classes_[best]
        return found


class Regressor(RegressorMixin):
    """The mean of a number."""

    _numeric = True

    def _response(self, y: Array) -> Array:
        return y

    def _modelled(self, frame: pd.DataFrame, left: tuple[Expression, ...]) -> pd.DataFrame:
        return frame

    def _family(self) -> Any:
        own: Any = self
        return own.family

    def predict(self, X: Any) -> Array:
        """The mean of each row."""
        own: Any = self
        found: Array = own._answers(X, "mean")
        return found
