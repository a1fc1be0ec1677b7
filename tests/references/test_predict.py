"""Predictions on new data, with standard errors on both scales, against R's `predict`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from references import cases
from references.test_glm import NAMES, fitted

CASES = [name for name in NAMES if (cases.load(name)["ref"].get("predict") or {}).get("newdata")]


@pytest.mark.parametrize("name", CASES)
def test_predict(name: str) -> None:
    fit, case = fitted(name)
    reference = case["ref"]["predict"]
    new = pd.DataFrame(reference["newdata"])
    for column, levels in (case.get("levels") or {}).items():
        if column in new:
            new[column] = pd.Categorical(new[column].astype(str), categories=[str(level) for level in levels])
    link = fit.get_prediction(new, kind="link")
    mean = fit.get_prediction(new)
    assert np.allclose(link["estimate"], cases.array(reference["link"]), rtol=1e-7, atol=1e-9)
    assert np.allclose(mean["estimate"], cases.array(reference["response"]), rtol=1e-7)
    assert np.allclose(link["std_error"], cases.array(reference["link_se"]), rtol=1e-6)
    assert np.allclose(mean["std_error"], cases.array(reference["response_se"]), rtol=1e-6)
    assert np.allclose(fit.predict(new, kind="link"), link["estimate"], rtol=0, atol=0)


@pytest.mark.parametrize("name", [n for n in CASES if (cases.load(n)["ref"]["predict"].get("terms") or {})])
def test_terms(name: str) -> None:
    fit, case = fitted(name)
    reference = case["ref"]["predict"]["terms"]
    new = pd.DataFrame(case["ref"]["predict"]["newdata"])
    for column, levels in (case.get("levels") or {}).items():
        if column in new:
            new[column] = pd.Categorical(new[column].astype(str), categories=[str(level) for level in levels])
    ours = fit.predict(new, kind="terms")
    total = ours.sum(axis=1) + ours.attrs["constant"]
    assert np.allclose(total, np.array(reference["values"]).sum(axis=1) + reference["constant"], rtol=1e-7, atol=1e-9)
    assert ours.attrs["constant"] == pytest.approx(reference["constant"], rel=1e-7, abs=1e-9)
    for j, column in enumerate(reference["columns"]):
        if column in ours:
            assert np.allclose(ours[column], np.array(reference["values"])[:, j], rtol=1e-6, atol=1e-8)
