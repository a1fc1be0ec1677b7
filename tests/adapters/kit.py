"""What every reader of foreign networks is tried on: data, cases, and the way to the maximum of the likelihood.

A case is a network of another package beside a formula. Each reader has a module `cases_<reader>.py`
with `CASES`, name -> function that builds the case; `test_laws.py` puts all of them through all laws.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

READERS = {
    "sklearn": "sklearn",
    "torch": "torch",
    "keras": "keras",
    "onnx": "skl2onnx torch",
    "statsmodels": "statsmodels",
    "glum": "glum",
}
"""Reader, and the packages without which its cases cannot be built."""


def made(n: int = 400) -> pd.DataFrame:
    """Numbers of different size, two factors (one as a category), a yes/no, and responses of several families."""
    rng = np.random.default_rng(11)
    frame = pd.DataFrame(
        {
            "age": rng.normal(45.0, 12.0, n).round(1),
            "lwt": rng.gamma(9.0, 7.0, n).round(1),
            "dose": rng.uniform(0.0, 2.0, n).round(3),
            "site": rng.choice(["east", "north", "south", "west"], n),
            "arm": pd.Categorical(rng.choice(["control", "low", "high"], n), ["control", "low", "high"]),
            "smoke": rng.integers(0, 2, n),
        }
    )
    eta = (
        -0.03 * (frame.age - 45)
        + 0.012 * (frame.lwt - 63)
        + 0.8 * (frame.site == "north")
        - 0.5 * (frame.arm == "high")
        + 0.4 * frame.smoke * frame.dose
    )
    three = np.column_stack([np.zeros(n), eta, 0.5 - 0.6 * eta]) + rng.gumbel(size=(n, 3))
    return frame.assign(
        low=(rng.random(n) < 1 / (1 + np.exp(-eta))).astype(int),
        visits=rng.poisson(np.exp(0.3 + 0.5 * eta)),
        cost=rng.gamma(3.0, np.exp(0.2 + 0.4 * eta) / 3.0),
        weight=2.0 + eta + rng.normal(0.0, 0.7, n),
        outcome=np.array(["home", "ward", "icu"])[three.argmax(axis=1)],
    )


FRAME = made()


@dataclass(frozen=True)
class Case:
    """A network beside a formula.

    Attributes
    ----------
    network : the foreign model
    formula : what it is read against
    inputs : as in `bridge`
    arguments : further ones, such as family
    optimal : whether it was trained to the maximum of the unpenalised likelihood
    single : whether it computes in single precision
    relations : what the map must say, by GLM term, as far as the case says
    """

    network: Any
    formula: str
    inputs: Any = None
    frame: pd.DataFrame = field(default_factory=lambda: FRAME)
    arguments: dict[str, Any] = field(default_factory=dict)
    optimal: bool = False
    single: bool = False
    relations: dict[str, str] = field(default_factory=dict)


def cases() -> dict[str, Callable[[], Case]]:
    """All cases of the readers whose packages are installed, by `reader: name`."""
    found: dict[str, Callable[[], Case]] = {}
    for reader, packages in READERS.items():
        module = f"adapters.cases_{reader}"
        if any(importlib.util.find_spec(name) is None for name in (*packages.split(), module)):
            continue
        if packages == "sklearn" and tuple(map(int, version("scikit-learn").split(".")[:2])) < (1, 8):
            continue  # the cases are written in its arguments
        found |= {f"{reader}: {name}": build for name, build in importlib.import_module(module).CASES.items()}
    return found
