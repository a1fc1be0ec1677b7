"""Profile limits of every GLM case of R that has them, at 1e-5 standard errors; Wald limits at 1e-6."""

from __future__ import annotations

import numpy as np
import pytest
from references import cases
from references.test_glm import NAMES, fitted

PROFILED = [name for name in NAMES if cases.load(name)["ref"]["confint"].get("profile_exact")]


def apart(name: str, method: str, key: str) -> float:
    fit, case = fitted(name)
    ours = fit.conf_int(method=method, distribution="normal").loc[case["model"]["patsy_names"]].to_numpy()
    reference = np.array(case["ref"]["confint"][key], dtype=float)
    assert np.isfinite(reference).all()
    return float((np.abs(ours - reference) / cases.array(case["ref"]["se"])[:, None]).max())


@pytest.mark.parametrize("name", NAMES)
def test_wald(name: str) -> None:
    assert apart(name, "wald", "wald") <= 1e-6


@pytest.mark.parametrize("name", PROFILED)
def test_profile(name: str) -> None:
    assert apart(name, "profile", "profile_exact") <= 1e-5


def test_the_normal_quantile_is_the_default() -> None:
    """As R's `confint`, also where the dispersion is estimated."""
    fit, _ = fitted("gau_id_mtcars")
    assert fit.conf_int(method="profile").equals(fit.conf_int(method="profile", distribution="normal"))
    assert np.allclose(fit.conf_int(method="profile", distribution="t"), fit.conf_int(), rtol=1e-9)
