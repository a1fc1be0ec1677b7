"""Offsets and weights far apart: the maximum is found where Newton alone stalls, and is the right one."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

import glmnet_bridge as gb
from glmnet_bridge.data.rows import ArraySource, Rows
from glmnet_bridge.fitting import continuations, irls
from glmnet_bridge.model.models import Sums

CASES = [("logit", 300.0, False), ("logit", 30.0, True), ("cloglog", 30.0, False), ("loglog", 30.0, False)]


def data(seed: int, size: float, weighted: bool) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(seed)
    X = np.column_stack([np.ones(25), random.integers(-3, 4, (25, 3))]).astype(float)
    y = (random.random(25) < 0.5).astype(float)
    weights = 10.0 ** random.uniform(-8, 1.7, 25) if weighted else np.ones(25)
    return X, y, weights, size * random.normal(size=25)


@pytest.mark.parametrize(("link", "size", "weighted"), CASES)
def test_every_fit_converges(link: str, size: float, weighted: bool) -> None:
    for seed in range(12):
        X, y, weights, offset = data(seed, size, weighted)
        fit = gb.fit(X, y, link=link, prior_weights=weights, offset=offset, intercept=False)
        assert fit.outcome == "converged" and fit.distance_to_mle <= 1e-9, seed
        if link == "logit":
            residual = weights * (y - expit(X @ fit.params.to_numpy() + offset))
            assert np.abs(X.T @ residual).max() <= 1e-9 * np.abs(X * residual[:, None]).sum(), seed


@pytest.mark.parametrize(("link", "size", "weighted"), CASES)
def test_newton_alone_does_not(link: str, size: float, weighted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of data that need no continuation the test above would say nothing."""
    monkeypatch.setattr(continuations, "spread", lambda rows: 0.0)
    outcomes = []
    for seed in range(12):
        X, y, weights, offset = data(seed, size, weighted)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gb.errors.ConvergenceWarning)
            fit = gb.fit(X, y, link=link, prior_weights=weights, offset=offset, intercept=False)
        outcomes.append(fit.outcome)
    assert outcomes.count("converged") <= 9


def test_a_share_of_the_rows() -> None:
    rows = Rows(
        ArraySource(np.ones((3, 1))), np.zeros((3, 1)), np.array([0.0, 1.0, 100.0]), np.array([[9.0], [2], [-4]])
    )
    assert continuations.spread(rows) == pytest.approx(np.log(100.0))
    half = continuations.partial(rows, 0.5)
    np.testing.assert_allclose(half.weights, [0.0, 1.0, 10.0])
    np.testing.assert_allclose(half.offset[:, 0], [4.5, 1.0, -2.0])
    assert continuations.spread(replace(rows, weights=np.ones(3))) == 9.0


def test_smaller_shares_where_a_fit_fails_and_an_end_where_none_helps() -> None:
    def path(theta: float, outcome: str) -> irls.Path:
        sums = Sums(0.0)
        return irls.Path(irls.Point(np.array([theta]), sums, 0.0), (), outcome)

    asked: list[tuple[float, float]] = []

    def solve(share: float, start: np.ndarray | None) -> irls.Path:
        asked.append((share, 0.0 if start is None else float(start[0])))
        near = start is None or share < 1.5 * asked[-2][0] or share == 1.0
        return path(share, "converged" if near else "stalled")

    found = continuations.let_in(solve, 8.0)
    assert found is not None and found.end.theta.tolist() == [1.0]
    assert asked[0] == (0.125, 0.0) and all(start == pytest.approx(share) for share, start in asked[1:])
    assert continuations.let_in(lambda share, start: path(1.0, "stalled"), 8.0) is None
    assert continuations.let_in(lambda share, start: path(1.0, "converged") if start is None else None, 8.0) is None
    lame = continuations.let_in(lambda share, start: path(1.0, "converged" if start is None else "stalled"), 8.0)
    assert lame is None
