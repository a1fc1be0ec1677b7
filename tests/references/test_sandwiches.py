"""Robust covariances of every GLM case of R (`sandwich`: vcovHC, vcovCL), at 1e-6 on the correlation scale."""

from __future__ import annotations

import numpy as np
import pytest
from references import cases
from references.test_glm import NAMES, fitted

CLUSTERED = [name for name in NAMES if "cluster" in cases.load(name)["ref"]["robust"]]
# what the reference calls a covariance, and what we add to the column
TYPES = {"HC1": {}, "HC0": {"type": "HC0"}, "HC0_nocadjust": {"type": "HC0", "adjust": False}}


def apart(ours: np.ndarray, reference: list) -> float:
    """Largest difference on the correlation scale."""
    se = np.sqrt(np.diag(reference))
    return float((np.abs(ours - np.array(reference)) / np.outer(se, se)).max())


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3"])
@pytest.mark.parametrize("name", NAMES)
def test_heteroskedastic(name: str, kind: str) -> None:
    fit, case = fitted(name)
    columns = case["model"]["patsy_names"]
    assert apart(fit.cov_params(kind).loc[columns, columns].to_numpy(), case["ref"]["robust"][kind]) <= 1e-6


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", CLUSTERED)
def test_clustered(name: str, kind: str) -> None:
    fit, case = fitted(name)
    columns, reference = case["model"]["patsy_names"], case["ref"]["robust"]["cluster"]
    asked = {"cluster": reference["column"], **TYPES[kind]}
    assert apart(fit.cov_params(asked).loc[columns, columns].to_numpy(), reference[kind]) <= 1e-6
