"""Bootstraps: covariances near the sandwiches that they estimate, weights, clusters, seeds, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError, DataWarning


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    random = np.random.default_rng(5)
    n = 400
    data = pd.DataFrame({"x": random.normal(size=n), "g": random.choice(["a", "b"], n), "c": np.arange(n) // 5})
    common = np.repeat(random.normal(size=n // 5), 5)
    data["y"] = 1 + 0.5 * data["x"] + common + random.normal(size=n) * (1 + data["x"] ** 2)
    data["f"] = random.integers(0, 3, n)
    return data


def ratios(draws: pd.DataFrame, covariance: pd.DataFrame) -> np.ndarray:
    return (draws.std() / np.sqrt(np.diag(covariance))).to_numpy()


@pytest.mark.parametrize("kind", ["multiplier", "case"])
@pytest.mark.parametrize("cluster", [None, "c"])
def test_the_spread_is_that_of_the_sandwich(frame: pd.DataFrame, kind: str, cluster: str | None) -> None:
    """Within four standard errors of a standard deviation of 999 draws, and what a refit is beyond one step."""
    fit = gb.glm("y ~ x + g", frame, family="gaussian")
    draws = fit.bootstrap(kind=kind, cluster=cluster)
    vcov = "HC0" if cluster is None else {"cluster": cluster, "type": "HC0", "adjust": False}
    allowed = 4 / np.sqrt(2 * 999) + 0.05 * (kind == "case")
    assert draws.shape == (999, 3)
    assert (np.abs(ratios(draws, fit.cov_params(vcov)) - 1) < allowed).all()
    assert not (np.abs(ratios(draws, fit.cov_params()) - 1) < allowed).all()
    assert np.allclose(fit.tidy(vcov=draws.cov())["std_error"], draws.std())


@pytest.mark.parametrize("kind", ["multiplier", "case"])
def test_frequency_weights_are_so_many_rows(frame: pd.DataFrame, kind: str) -> None:
    fit = gb.glm("y ~ x + g", frame, family="gaussian", freq_weights="f")
    draws = fit.bootstrap(kind=kind)
    assert (np.abs(ratios(draws, fit.cov_params("HC0")) - 1) < 4 / np.sqrt(2 * 999) + 0.05).all()


@pytest.mark.parametrize("kind", ["multiplier", "case"])
def test_a_seed_is_a_sample(frame: pd.DataFrame, kind: str) -> None:
    fit = gb.glm("y ~ x + g", frame, family="gaussian")
    one, same, other = (fit.bootstrap(kind=kind, times=20, random_state=seed) for seed in (1, 1, 2))
    assert one.equals(same)
    assert not np.allclose(one, other)


def test_one_step_is_near_the_refit(frame: pd.DataFrame) -> None:
    """Draws of a multiplier are centred at the estimate."""
    fit = gb.glm("y ~ x + g", frame, family="gaussian")
    draws = fit.bootstrap(times=4000)
    assert (np.abs(draws.mean() - fit.params) < 4 * draws.std() / np.sqrt(4000)).all()


def test_samples_without_maximum_are_nan() -> None:
    data = pd.DataFrame({"x": [0.0, 1, 2, 3, 4, 5, 6, 7], "y": [0, 0, 1, 0, 1, 0, 1, 1]})
    fit = gb.glm("y ~ x", data)
    with pytest.warns(DataWarning, match="of 50 bootstrap samples"):
        draws = fit.bootstrap(kind="case", times=50)
    assert 0 < draws["x"].isna().sum() < 50
    assert not np.isinf(draws.to_numpy()).any()


def test_aliased_and_refused(frame: pd.DataFrame) -> None:
    with pytest.warns(gb.errors.AliasWarning):
        fit = gb.glm("y ~ x + I(2 * x)", frame, family="gaussian")
    for kind in ("multiplier", "case"):
        draws = fit.bootstrap(kind=kind, times=5)
        assert draws["I(2 * x)"].isna().all()
        assert draws["x"].notna().all()
    for options, words in (
        ({"kind": "rows"}, "multiplier"),
        ({"times": 1}, "times"),
        ({"random_state": "a"}, "random_state"),
        ({"cluster": "z"}, "no column"),
    ):
        with pytest.raises(gb.errors.BridgeError, match=words):
            fit.bootstrap(**options)
    with pytest.raises(ArgumentError, match="penalised"):
        gb.glm("y ~ x", frame, family="gaussian", penalty=gb.penalties.ridge(1.0)).bootstrap()
