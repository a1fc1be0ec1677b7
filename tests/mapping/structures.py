"""Networks built by hand, one of each kind that the map must read; with the data that they run on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.model.layers import Affine, Contrast, Normalise
from glmnet_bridge.model.networks import Inputs, Network, dense_entries


def made(n: int = 300) -> pd.DataFrame:
    """Two numbers (one far from 0), two factors, a yes/no, and a response that depends on them."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "x1": rng.normal(size=n),
            "x2": rng.normal(40.0, 3.0, size=n),
            "x3": rng.normal(size=n),
            "g": rng.choice(["a", "b", "c"], n),
            "h": rng.choice(["u", "v"], n),
            "k": rng.integers(1, 4, n),
            "flag": rng.random(n) < 0.4,
        }
    )
    eta = 0.6 * frame.x1 - 0.2 * (frame.x2 - 40) + 0.8 * (frame.g == "b") - 0.5 * (frame.h == "v")
    return frame.assign(y=(rng.random(n) < 1 / (1 + np.exp(-eta))).astype(int))


FRAME = made()
ONE_HOT = ("g[a]", "g[b]", "g[c]")


def network(inputs: tuple[str, ...], *layers: Any) -> Network:
    return Network(Inputs(inputs), layers, dense_entries(layers, inputs))


def unit(*inputs: str, bias: bool = True) -> Network:
    return network(inputs, Affine(len(inputs), 1, bias))


@dataclass(frozen=True)
class Structure:
    """A network beside a formula; `relations` and `expressions` say what the map must read."""

    formula: str
    network: Network
    relations: dict[str, str]
    inputs: Any = None
    expressions: dict[str, str] = field(default_factory=dict)
    redundant: int = 0
    ties: tuple[str, ...] = ()
    folded: bool = False

    def theta(self) -> np.ndarray:
        return np.random.default_rng(3).normal(size=self.network.parameters) * 0.2


_Z = FRAME[["x1", "x2"]]
_MEAN, _SCALE = _Z.mean().to_numpy(), _Z.std().to_numpy()
_TREATMENT = {"Intercept": "bias + kernel[g[a]]", "C(g)[T.b]": "kernel[g[b]] - kernel[g[a]]"}
_THIRD = "0.333333*kernel[g[a]] + 0.333333*kernel[g[b]] + 0.333333*kernel[g[c]]"

STRUCTURES = {
    "the GLM's own columns": Structure(
        "y ~ x1 + C(g)",
        unit("x1", "C(g)[T.b]", "C(g)[T.c]"),
        {"Intercept": "same", "x1": "same", "C(g)[T.b]": "same", "C(g)[T.c]": "same"},
        expressions={"Intercept": "bias", "x1": "kernel[x1]"},
    ),
    "another order of the inputs": Structure(
        "y ~ x1 + x2 + x3",
        unit("x3", "x1", "x2"),
        {"Intercept": "same", "x1": "same", "x2": "same", "x3": "same"},
        expressions={"x1": "kernel[x1]", "x3": "kernel[x3]"},
    ),
    "one-hot beside a bias, treatment contrasts": Structure(
        "y ~ x1 + C(g)",
        unit("x1", *ONE_HOT),
        {"Intercept": "combined", "x1": "same", "C(g)[T.b]": "combined", "C(g)[T.c]": "combined"},
        expressions=_TREATMENT,
        redundant=1,
    ),
    "one-hot of two factors beside a bias": Structure(
        "y ~ C(g) + h",
        unit(*ONE_HOT, "h[u]", "h[v]"),
        {"Intercept": "combined", "h[T.v]": "combined", "C(g)[T.b]": "combined", "C(g)[T.c]": "combined"},
        expressions={
            "Intercept": "bias + kernel[g[a]] + kernel[h[u]]",
            "h[T.v]": "kernel[h[v]] - kernel[h[u]]",
        },
        redundant=2,
    ),
    "one-hot without its first level": Structure(
        "y ~ C(g)",
        unit("g[b]", "g[c]"),
        {"Intercept": "same", "C(g)[T.b]": "same", "C(g)[T.c]": "same"},
    ),
    "one-hot, sum contrasts": Structure(
        "y ~ C(g, Sum)",
        unit(*ONE_HOT),
        {"Intercept": "combined", "C(g, Sum)[S.a]": "combined", "C(g, Sum)[S.b]": "combined"},
        expressions={
            "Intercept": f"bias + {_THIRD}",
            "C(g, Sum)[S.a]": "0.666667*kernel[g[a]] - 0.333333*kernel[g[b]] - 0.333333*kernel[g[c]]",
        },
        redundant=1,
    ),
    "one-hot, Helmert contrasts": Structure(
        "y ~ C(g, Helmert) + x1",
        unit(*ONE_HOT, "x1"),
        {"Intercept": "combined", "x1": "same", "C(g, Helmert)[H.b]": "combined"},
        expressions={"C(g, Helmert)[H.b]": "0.5*kernel[g[b]] - 0.5*kernel[g[a]]"},
        redundant=1,
    ),
    "one-hot, differences": Structure(
        "y ~ C(g, Diff)",
        unit(*ONE_HOT),
        {"Intercept": "combined"},
        redundant=1,
    ),
    "one-hot, polynomial contrasts": Structure(
        "y ~ C(g, Poly)",
        unit(*ONE_HOT, bias=False),
        {"C(g, Poly).Linear": "combined", "C(g, Poly).Quadratic": "combined"},
        expressions={"C(g, Poly).Linear": "0.707107*kernel[g[c]] - 0.707107*kernel[g[a]]"},
    ),
    "one-hot of whole numbers": Structure(
        "y ~ C(k)",
        unit("k[1]", "k[2]", "k[3]"),
        {"Intercept": "combined"},
        expressions={"C(k)[T.3]": "kernel[k[3]] - kernel[k[1]]"},
        redundant=1,
    ),
    "a yes/no column as it is": Structure(
        "y ~ flag + x1", unit("flag", "x1"), {"Intercept": "same", "flag[T.True]": "same", "x1": "same"}
    ),
    "full coding without intercept, a bias": Structure(
        "y ~ 0 + C(g) + x1",
        unit("x1", *ONE_HOT),
        {"C(g)[a]": "combined", "x1": "same"},
        expressions={"C(g)[a]": "bias + kernel[g[a]]"},
        redundant=1,
    ),
    "no intercept, a bias": Structure(
        "y ~ 0 + x1 + x3",
        unit("x1", "x3"),
        {"x1": "same", "x3": "same", "Intercept": "network only"},
        expressions={"Intercept": "bias"},
    ),
    "neither intercept nor bias": Structure(
        "y ~ 0 + x1 + x3", unit("x1", "x3", bias=False), {"x1": "same", "x3": "same"}
    ),
    "intercept, no bias": Structure(
        "y ~ x1", unit("x1", bias=False), {"Intercept": "glm only", "x1": "same"}, ties=("b[Intercept] = 0",)
    ),
    "standardised by hand": Structure(
        "y ~ x1 + x2",
        unit("z1", "z2"),
        {"Intercept": "combined", "x1": "scaled", "x2": "scaled"},
        inputs=((_Z - _MEAN) / _SCALE).to_numpy(),
    ),
    "standardised by a layer": Structure(
        "y ~ x1 + x2",
        network(("x1", "x2"), Normalise(_MEAN, _SCALE), Affine(2)),
        {"Intercept": "combined", "x1": "scaled", "x2": "scaled"},
        folded=True,
    ),
    "normalised before the link": Structure(
        "y ~ x1",
        network(("x1",), Affine(1), Normalise(np.array([0.3]), np.array([2.0]))),
        {"Intercept": "scaled", "x1": "scaled"},
        expressions={"Intercept": "0.5*bias - 0.15", "x1": "0.5*kernel[x1]"},
        folded=True,
    ),
    "two logits against one": Structure(
        "y ~ x1 + x3",
        network(("x1", "x3"), Affine(2, 2), Contrast(2)),
        {"Intercept": "combined", "x1": "combined", "x3": "combined"},
        expressions={"Intercept": "bias[1] - bias[0]", "x1": "kernel[x1, 1] - kernel[x1, 0]"},
        redundant=3,
    ),
    "two logits, the second as base": Structure(
        "y ~ x1",
        network(("x1",), Affine(1, 2), Contrast(2, base=1)),
        {"Intercept": "combined", "x1": "combined"},
        expressions={"x1": "kernel[x1, 0] - kernel[x1, 1]"},
        redundant=2,
    ),
    "tied inputs": Structure(
        "y ~ x1 + x3",
        unit("I(x1 + x3)"),
        {"Intercept": "same", "x1": "tied", "x3": "tied"},
        inputs="I(x1 + x3)",
        expressions={"x3": "kernel[I(x1 + x3)]"},
        ties=("b[x1] - b[x3] = 0",),
    ),
    "a sum beside its parts": Structure(
        "y ~ x1 + x3",
        unit("x1", "x3", "I(2 * x1 + x3)"),
        {"x1": "combined", "x3": "combined"},
        inputs="x1 + x3 + I(2 * x1 + x3)",
        expressions={"x1": "kernel[x1] + 2*kernel[I(2 * x1 + x3)]"},
        redundant=1,
    ),
    "an input outside the formula": Structure(
        "y ~ x1",
        unit("x1", "x2"),
        {"Intercept": "same", "x1": "same", "x2": "network only"},
        expressions={"x2": "kernel[x2]"},
    ),
    "one-hot of a factor outside the formula": Structure(
        "y ~ x1",
        unit("x1", *ONE_HOT),
        {"Intercept": "combined", "g[a]": "network only", "g[b]": "network only"},
        expressions={"Intercept": "bias + kernel[g[c]]", "g[a]": "kernel[g[a]] - kernel[g[c]]"},
        redundant=1,
    ),
    "a term that is no input": Structure(
        "y ~ x1 + x2",
        unit("x1"),
        {"Intercept": "same", "x1": "same", "x2": "glm only"},
        ties=("b[x2] = 0",),
    ),
    "levels put together": Structure(
        "y ~ C(g)",
        unit("late"),
        {"Intercept": "same", "C(g)[T.b]": "tied", "C(g)[T.c]": "tied"},
        inputs=FRAME["g"].isin(["b", "c"]).to_numpy(),
        ties=("b[C(g)[T.b]] - b[C(g)[T.c]] = 0",),
    ),
    "an input that is always 0": Structure(
        "y ~ x1",
        unit("x1", "nothing"),
        {"Intercept": "same", "x1": "same"},
        inputs=np.column_stack([FRAME["x1"], np.zeros(len(FRAME))]),
        redundant=1,
    ),
    "an input that is always 2": Structure(
        "y ~ x1",
        unit("x1", "two"),
        {"Intercept": "combined", "x1": "same"},
        inputs=np.column_stack([FRAME["x1"], np.full(len(FRAME), 2.0)]),
        expressions={"Intercept": "bias + 2*kernel[two]"},
        redundant=1,
    ),
    "linear layers, one on the other": Structure(
        "y ~ x1 + x3",
        network(("x1", "x3"), Affine(2, 2, name="hidden"), Affine(2, name="output")),
        {"Intercept": "same", "x1": "same", "x3": "same"},
        expressions={"x1": "folded kernel[x1]", "Intercept": "folded bias"},
        redundant=6,
        folded=True,
    ),
    "linear layers on standardised one-hot": Structure(
        "y ~ C(g)",
        network(ONE_HOT, Normalise(np.full(3, 0.3), np.full(3, 0.5)), Affine(3, 2, name="hidden"), Affine(2)),
        {"Intercept": "combined", "C(g)[T.b]": "combined"},
        redundant=8,
        folded=True,
    ),
    "an interaction read as a column": Structure(
        "y ~ x1 * h",
        unit("x1", "h[T.v]", "x1:h[T.v]"),
        {"Intercept": "same", "x1:h[T.v]": "same"},
        inputs="x1 * h",
    ),
    "a formula with aliased columns": Structure(
        "y ~ x1 + x3 + I(x1 + x3)",
        unit("x1", "x3", "I(x1 + x3)"),
        {"x1": "combined", "x3": "combined", "I(x1 + x3)": "glm only"},
        expressions={"x1": "kernel[x1] + kernel[I(x1 + x3)]"},
        redundant=1,
    ),
}
