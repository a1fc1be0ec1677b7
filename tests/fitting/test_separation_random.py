"""Fits of random data, separated or not: the diagnosis is that of an independent programme on whole numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from fitting.separated import Problem, Truth, draw, truth

import glmnet_bridge as gb

FEW, MANY, SHARES = 60, 1200, 4
CALM = 40.0  # offsets up to here leave a likelihood digits enough for its maximum; all of them for the diagnosis


def fitted(problem: Problem, rows: np.ndarray | None = None, kept: np.ndarray | None = None) -> gb.fits.Fit:
    """The fit of some rows and columns."""
    rows = np.ones(len(problem.y), bool) if rows is None else rows
    columns = problem.columns if kept is None else problem.columns[:, kept]
    given = {"trials": problem.trials, "prior_weights": problem.weights, "offset": problem.offset}
    some = {name: None if values is None else values[rows] for name, values in given.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gb.errors.BridgeWarning)
        return gb.fit(columns[rows], problem.y[rows], problem.family, problem.link, intercept=False, **some)


def calm(problem: Problem) -> bool:
    """Whether the maximum can be found in double precision: not with offsets that leave its range, nor
    where Newton's way along the edge of a log link is narrowed by weights of 1e-8."""
    wide = problem.weights is not None and problem.link == "log" and problem.family == "binomial"
    return not wide and (problem.offset is None or float(np.abs(problem.offset).max()) < CALM)


def examine(seed: int) -> tuple[bool, bool]:
    """Check one problem; whether it was separated, and whether its maximum was compared, too."""
    problem = draw(seed)
    known = truth(problem)
    try:
        fit = fitted(problem)
    except gb.errors.FitError as error:  # a log link of a probability may have no start, and the message says so
        assert problem.family == "binomial" and problem.link == "log" and "Give start=" in str(error), seed
        return known.status is not None, False
    found = fit.estimate.separation
    assert (found is None) == (known.status is None), (seed, fit.outcome)
    if found is None:
        aliased = len(known.kept) < problem.whole.shape[1]
        ends = ("boundary", "rank deficient" if aliased else "converged")
        assert fit.outcome in ends or not calm(problem), (seed, fit.outcome)
        return False, False
    assert fit.outcome == "separated", seed
    assert tuple(found.status) == tuple(fit.separation) == known.status, seed
    assert (found.goes_off == known.goes_off).all(), seed
    return True, finite_part(seed, problem, known, fit)


def finite_part(seed: int, problem: Problem, known: Truth, fit: gb.fits.Fit) -> bool:
    """What stays finite is the fit of the rows that stay; whether that could be compared."""
    finite = np.array([word == "finite" for word in known.status])
    values = fit.params.to_numpy()
    assert np.isfinite(values[finite]).all() and not np.isfinite(values[~finite]).any(), seed
    if not finite.any() or not calm(problem):
        return False
    rest = fitted(problem, ~known.goes_off, known.kept)
    expected = np.full(len(finite), np.nan)
    expected[known.kept] = rest.params
    error = fit.bse.to_numpy()[finite]
    if np.isnan(error).all():  # on the edge of a log link
        assert np.allclose(values[finite], expected[finite], rtol=1e-4, atol=1e-4), seed
        return True
    assert fit.distance_to_mle <= 1e-6, seed
    # cauchit has flat valleys, in which 1e-6 of an infinite standard error is nothing to speak of
    assert (np.abs(values - expected)[finite] <= 1e-6 * (error + np.abs(expected[finite]))).all(), seed
    return True


def test_random_data() -> None:
    found = [examine(seed) for seed in range(FEW)]
    separated, compared = (sum(column) for column in zip(*found, strict=True))
    assert FEW // 4 < separated < 3 * FEW // 4 and compared > FEW // 8


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_many_random_data(share: int) -> None:
    found = [examine(seed) for seed in range(1000 + share, 1000 + MANY, SHARES)]
    separated, compared = (sum(column) for column in zip(*found, strict=True))
    assert len(found) // 4 < separated < 3 * len(found) // 4 and compared > len(found) // 8
