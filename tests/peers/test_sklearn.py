"""Live comparison with scikit-learn's unpenalised and penalised logistic regression."""

from __future__ import annotations

import numpy as np
import pytest

import glmnet_bridge as gb

linear_model = pytest.importorskip("sklearn.linear_model")


def data(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    X = random.normal(size=(n, 3))
    y = (random.random(n) < 1 / (1 + np.exp(0.3 - X @ [1.0, -0.5, 0.2]))).astype(int)
    return X, y


def test_maximum_likelihood() -> None:
    X, y = data()
    theirs = linear_model.LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(X, y)
    ours = gb.fit(X, y)
    assert np.allclose(ours.params, np.r_[theirs.intercept_, theirs.coef_[0]], rtol=1e-8)


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
def test_ridge_is_one_over_C(C: float) -> None:
    X, y = data()
    theirs = linear_model.LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12).fit(X, y)
    ours = gb.fit(X, y, penalty=gb.penalties.ridge(1 / C))
    assert np.allclose(ours.params, np.r_[theirs.intercept_, theirs.coef_[0]], rtol=1e-7)


def test_the_default_of_scikit_learn_is_penalised_and_stops_early() -> None:
    X, y = data()
    theirs = linear_model.LogisticRegression().fit(X, y)
    ours = gb.fit(X, y)
    short = (np.r_[theirs.intercept_, theirs.coef_[0]] - ours.params) / ours.bse
    assert np.abs(short).max() > 1e-2
