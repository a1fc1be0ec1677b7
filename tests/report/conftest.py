"""Fits and bridges that the tests of the report stage look at."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report.readers import HOSTILE, quietly

import glmnet_bridge as gb


@pytest.fixture(scope="session")
def spector() -> pd.DataFrame:
    from statsmodels.datasets import spector

    return spector.load_pandas().data


@pytest.fixture(scope="session")
def rough() -> pd.DataFrame:
    """Names that are no names, an alias, a separating column, missing values, an unused level."""
    random = np.random.default_rng(3)
    n = 240
    frame = pd.DataFrame({"x": random.normal(size=n), "rare": (random.uniform(size=n) < 0.05).astype(int)})
    frame["y"] = (random.uniform(size=n) < 1 / (1 + np.exp(-frame["x"]))).astype(int)
    frame.loc[frame["rare"] == 1, "y"] = 1
    frame["twice"] = 2 * frame["x"]
    frame["g"] = pd.Categorical(random.choice(HOSTILE, n), categories=[*HOSTILE, "nobody"])
    frame["k"] = random.binomial(8, 0.3, n)
    frame["m"] = 8 - frame["k"]
    frame["z"] = random.normal(size=n)
    frame.loc[:9, "z"] = np.nan
    return frame


@pytest.fixture(scope="session")
def fit(spector):
    return gb.glm("GRADE ~ GPA + TUCE + PSI", spector)


@pytest.fixture(scope="session")
def hostile(rough):
    return gb.glm("y ~ x + g", rough)


@pytest.fixture(scope="session")
def wrecked(rough):
    return quietly(lambda: gb.glm("y ~ x + twice + rare + z", rough))


@pytest.fixture(scope="session")
def bridge(spector):
    return gb.bridge("GRADE ~ GPA + TUCE + PSI", spector)


@pytest.fixture(scope="session")
def trained(spector):
    return quietly(lambda: gb.bridge("GRADE ~ GPA", spector, train="gd", epochs=60))


@pytest.fixture(scope="session")
def clipped(spector):
    return quietly(lambda: gb.bridge("GRADE ~ GPA", spector, activation="relu", random_state=1))
