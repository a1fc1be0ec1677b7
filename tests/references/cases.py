"""Reference cases computed with R: data, model and values of one JSON file each."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
FAMILIES = {
    "binomial": "binomial",
    "gaussian": "gaussian",
    "poisson": "poisson",
    "Gamma": "gamma",
    "inverse.gaussian": "inverse_gaussian",
}


@functools.cache
def load(name: str) -> dict[str, Any]:
    """The case of this name."""
    return json.loads((HERE / "cases" / f"{name}.json").read_text())


def names(kind: str) -> list[str]:
    """All cases of one kind, by name."""
    found = sorted(path.stem for path in (HERE / "cases").glob("*.json"))
    return [name for name in found if load(name)["kind"] == kind]


def frame(case: dict[str, Any]) -> pd.DataFrame:
    """The case's data, with its category orders."""
    data = pd.read_csv(HERE / case["data"])
    for column, levels in (case.get("levels") or {}).items():
        data[column] = pd.Categorical(data[column].astype(str), categories=[str(level) for level in levels])
    return data


def arguments(case: dict[str, Any]) -> dict[str, Any]:
    """Keywords of `glm` for the case's family, weights and offset."""
    model = case["model"]
    out: dict[str, Any] = {"family": FAMILIES[model["family"]], "link": model["link"]}
    if model.get("weights"):
        kind = "trials" if model["weights"]["kind"] == "trials" else "prior_weights"
        out[kind] = model["weights"]["py"]
    if model.get("offset"):
        out["offset"] = model["offset"]["py"]
    return out


def array(values: Any) -> np.ndarray:
    """Numbers of a case; null is nan."""
    return np.array([np.nan if v is None else v for v in values], dtype=float)
