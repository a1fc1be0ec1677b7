"""A formula's right side as a transformer of scikit-learn. Whoever imports this module wants scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data import frames
from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.formulas import one_sided
from glmnet_bridge.errors import ArgumentError, missing_extra

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise missing_extra("scikit-learn", "sklearn") from error

Array = np.ndarray


class DesignTransformer(TransformerMixin, BaseEstimator):
    """The columns of a formula, without the intercept, for the steps of a Pipeline.

    Parameters
    ----------
    formula : a right side, such as "age + C(site) + bs(dose, df=4)"
    functions : your own functions by their names in the formula

    Attributes
    ----------
    design_ : levels, knots and means, as they were learnt
    feature_names_in_, n_features_in_ : the columns of the frame that it learnt from

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1.0, 2.0, 4.0], "g": ["a", "b", "a"]})
    >>> made = DesignTransformer("np.log2(x) + g").fit(frame)
    >>> made.get_feature_names_out().tolist(), made.transform(frame).tolist()
    (['g[T.b]', 'np.log2(x)'], [[0.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    """

    def __init__(self, formula: str, functions: Any = None) -> None:
        self.formula, self.functions = formula, functions

    def fit(self, X: Any, y: Any = None) -> DesignTransformer:
        """Learn from a frame without missing values."""
        formula = one_sided(self.formula, self.functions)
        if formula.offsets:
            raise ArgumentError("An offset(...) is no column: leave it out of formula=.")
        frame = self._frame(X)
        read = sorted(formula.names)
        return self.hold(Design.learn(formula, frames.columns(frame, read), index=frame.index), frame.columns)

    def hold(self, design: Design, columns: Any) -> DesignTransformer:
        """Hold a design, learnt from a frame with these columns."""
        self.design_ = design
        self.feature_names_in_ = np.asarray(columns, dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    def transform(self, X: Any) -> Array:
        """The columns `(m, q)` of a frame."""
        check_is_fitted(self)
        frame = self._frame(X)
        read = sorted(self.design_.variables)
        found = self.design_.matrix(frames.columns(frame, read), index=frame.index)
        return found[:, int(self.design_.has_intercept) :]

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Names of the columns, as in the fit's tables."""
        check_is_fitted(self)
        return np.asarray(self.design_.names[int(self.design_.has_intercept) :], dtype=object)

    def _frame(self, X: Any) -> pd.DataFrame:
        if not hasattr(X, "columns"):
            raise ArgumentError(
                f"A formula reads columns by name: give a frame, not a {type(X).__name__} (a step in front of this "
                'one can give frames: pipeline.set_output(transform="pandas")).'
            )
        return frames.as_frame(X)
