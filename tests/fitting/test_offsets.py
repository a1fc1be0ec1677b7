"""A large offset that all rows share is the intercept's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import ConvergenceWarning, FitError

RNG = np.random.default_rng(7)
DATA = pd.DataFrame(
    {
        "x": RNG.normal(size=60),
        "y": RNG.integers(0, 2, 60),
        "k": RNG.poisson(3.0, 60),
        "z": RNG.normal(size=60),
        "few": RNG.normal(size=60),
    }
)
CASES: dict[str, Any] = {
    "logit": ("y ~ x", "binomial", None),
    "log": ("k ~ x", "poisson", None),
    "identity": ("z ~ x", "gaussian", None),
    "sqrt": ("k ~ x", "poisson", "sqrt"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [2.0**17, 2.0**29, -(2.0**29)])
def test_a_shared_offset_leaves_the_slopes_alone(name: str, size: float) -> None:
    formula, family, link = CASES[name]
    fit = gb.glm(formula, DATA, family, link, offset=np.round(DATA.few / 64, 3) + size)
    near = gb.glm(formula, DATA, family, link, offset=np.round(DATA.few / 64, 3))
    # what an offset of this size has lost is its own: 6e-8 at 2**29
    assert abs(fit.params["x"] - near.params["x"]) <= 1e-6 * near.bse["x"]
    np.testing.assert_allclose(fit.params["Intercept"] + size, near.params["Intercept"], atol=1e-6 * near.bse.iloc[0])
    np.testing.assert_allclose(fit.bse, near.bse, rtol=1e-6)
    assert fit.outcome == "converged" and fit.distance_to_mle < 1e-6
    np.testing.assert_allclose(fit.estimate.trace.steps[-1].theta, fit.params)


def test_starts_are_those_of_the_offset_that_was_given() -> None:
    fit = gb.glm("y ~ x", DATA, offset=np.full(60, 1e5))
    again = gb.glm("y ~ x", DATA, offset=np.full(60, 1e5), start=fit.params.to_numpy())
    assert len(again.trace) <= 2
    np.testing.assert_allclose(again.params, fit.params, rtol=1e-12)


def test_an_intercept_rounded_by_its_size_is_not_called_converged() -> None:
    with pytest.warns(ConvergenceWarning, match="stalled"):
        fit = gb.glm("y ~ x", DATA, offset=np.full(60, 1e10))
    plain = gb.glm("y ~ x", DATA)
    assert fit.outcome == "stalled" and 1e-6 < fit.distance_to_mle < 1e-4
    assert abs(fit.params["x"] - plain.params["x"]) <= 1e-9 * plain.bse["x"]  # exact: the offset is a whole number
    with pytest.raises(FitError, match="stalled"):
        gb.glm("y ~ x", DATA, offset=np.full(60, 1e10), strict=True)


def test_a_ridge_leaves_the_offset_to_the_free_intercept() -> None:
    ridge = gb.penalties.ridge(1.0)
    far = gb.glm("y ~ x", DATA, offset=np.full(60, 2.0**17), penalty=ridge)
    near = gb.glm("y ~ x", DATA, penalty=ridge)
    assert abs(far.params["x"] - near.params["x"]) <= 1e-9 * near.bse["x"]


@pytest.mark.parametrize(("response", "family"), [("y", "binomial"), ("k", "poisson")])
def test_coefficients_that_drown_beside_another_are_not_called_converged(response: str, family: str) -> None:
    """A constant of another name, to which no offset is given: eta has six decimals."""
    data = DATA.assign(one=1.0)
    plain = gb.glm(f"{response} ~ 0 + one + x", data, family)
    with pytest.warns(ConvergenceWarning, match="offsets that are very large"):
        fit = gb.glm(
            f"{response} ~ 0 + one + x",
            data,
            family,
            offset=np.full(60, 1e10),
            start=plain.params.to_numpy() - [1e10, 0.0],
        )
    assert fit.outcome == "stalled" and fit.distance_to_mle > 1e-6
