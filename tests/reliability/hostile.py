"""Hard and bad inputs: the data that all cases spoil, and the verdicts.

A case is a call and what must come of it:

    refused    a `BridgeError` whose message names the culprit and the next step
    warned     the right numbers and exactly one warning, which names the term
    (else)     the right numbers and no warning: warnings are errors in the tests
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from glmnet_bridge.errors import BridgeError, BridgeWarning

N = 60


def frame() -> pd.DataFrame:
    """60 rows: two numbers, a factor of three levels, and a response for each family."""
    random = np.random.default_rng(1)
    table = pd.DataFrame({"x1": random.normal(size=N), "x2": random.normal(size=N)})
    table["g"] = np.resize(["a", "b", "c"], N)
    eta = 0.3 + 0.8 * table["x1"] - 0.5 * table["x2"] + 0.5 * (table["g"] == "b")
    table["y"] = (random.random(N) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
    table["k"] = random.poisson(np.exp(0.5 + 0.3 * table["x1"]))
    table["z"] = 1.0 + eta + random.normal(size=N)
    table["p"] = random.gamma(2.0, np.exp(0.5 * table["x1"]) / 2.0)
    return table


def put(**columns: Any) -> pd.DataFrame:
    """The frame with other columns."""
    return frame().assign(**columns)


def refused(call: Callable[[], Any], *parts: str) -> str:
    """The message of the error, which must contain all parts."""
    with pytest.raises(BridgeError) as caught:
        call()
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    for part in parts:
        assert part in message, message
    assert len(message) < 900, message
    return message


def warned(call: Callable[[], Any], *parts: str) -> Any:
    """What the call gives, after one warning of ours at this line that contains all parts."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = call()
    assert len(seen) == 1, [str(each.message) for each in seen]
    assert issubclass(seen[0].category, BridgeWarning)
    assert "glmnet_bridge/" not in seen[0].filename.replace("\\", "/")
    for part in parts:
        assert part in str(seen[0].message), str(seen[0].message)
    return found


def same(one: Any, other: Any, rtol: float = 1e-9) -> None:
    """Two fits with the same coefficients (in this order) and standard errors."""
    np.testing.assert_allclose(one.params.to_numpy(), other.params.to_numpy(), rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(one.bse.to_numpy(), other.bse.to_numpy(), rtol=rtol)
    assert one.deviance == pytest.approx(other.deviance, rel=1e-9)


def oracle(formula: str, data: pd.DataFrame, family: str = "Binomial", link: str | None = None, **more: Any) -> Any:
    """statsmodels' answer, iterated to the end."""
    import statsmodels.api as sm
    from statsmodels.genmod.families import links

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chosen = getattr(sm.families, family)
        chosen = chosen() if link is None else chosen(getattr(links, link)())
        model = sm.GLM.from_formula(formula, data, family=chosen, **more)
        return model.fit(tol=1e-14, tol_criterion="params", maxiter=300)


def agrees(fit: Any, formula: str, data: pd.DataFrame, *args: Any, **more: Any) -> None:
    """The fit has statsmodels' coefficients and standard errors."""
    other = oracle(formula, data, *args, **more)
    np.testing.assert_allclose(fit.params[other.params.index], other.params, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fit.bse[other.params.index], other.bse, rtol=1e-5)
