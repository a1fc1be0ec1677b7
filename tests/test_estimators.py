"""The estimators obey scikit-learn's own checks, and are the fits that they hold."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from glmnet_bridge.sklearn import FormulaClassifier, FormulaRegressor, GLMClassifier, GLMRegressor  # noqa: E402


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([GLMClassifier(), GLMRegressor(), FormulaClassifier(), FormulaRegressor()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)
