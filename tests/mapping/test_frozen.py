"""Weights that are fixed numbers: what is said of their columns is true, and counts in the constrained GLM."""

from __future__ import annotations

import numpy as np
import pytest
from mapping.structures import FRAME

import glmnet_bridge as gb
from glmnet_bridge.mapping import verdicts
from glmnet_bridge.model.layers import Affine, Branch, Fixed
from glmnet_bridge.model.networks import Inputs, Network

RATE = 0.7
"""The fixed weight of x3."""


def held(value: float = RATE) -> Network:
    """`kernel * x1 + bias + value * x3`: x3 goes past the layer that learns."""
    layers = (
        Branch(Affine(1, 1), 2, (0,), (1,)),
        Fixed(np.array([[value], [1.0]]), np.zeros(1), "rate", "frozen"),
    )
    return Network(Inputs(("x1", "x3")), layers, ("kernel[x1]", "bias"))


def offset(formula: str) -> gb.Fit:
    return gb.glm(formula, FRAME.assign(known=RATE * FRAME.x3), offset="known")


def test_a_term_that_the_network_holds_fixed():
    bridge = gb.bridge("y ~ x1 + x3", FRAME, network=held(), start=[0.1, -0.2])
    row = bridge.table.set_index("glm_term").loc["x3"]
    assert (row.relation, row.status, row.expression) == ("fixed", "frozen", "0.7") and row.as_glm == RATE
    assert "It gives x3 a fixed coefficient (b[x3] = 0.7), which no training of it can change." in bridge.verdict
    assert "leaves out" not in bridge.verdict and "also uses" not in bridge.verdict


def test_an_input_outside_the_formula_that_the_network_holds_fixed():
    bridge = gb.bridge("y ~ x1", FRAME, network=held(), start=[0.1, -0.2])
    row = bridge.table.set_index("glm_term").loc["x3"]
    assert (row.relation, row.status) == ("network only", "frozen") and row.as_glm == RATE
    assert "It also uses x3, which the formula lacks, and whose coefficient is fixed (b[x3] = 0.7)" in bridge.verdict
    assert "leaves out" not in bridge.verdict


@pytest.mark.parametrize("formula", ["y ~ x1", "y ~ x1 + x3"])
def test_the_best_that_a_fixed_weight_allows_is_the_glm_with_that_offset(formula):
    bridge = gb.bridge(formula, FRAME, network=held(), start=[0.1, -0.2])
    wanted = offset("y ~ x1")
    assert bridge.constrained.deviance == pytest.approx(wanted.deviance, rel=1e-12)
    found = bridge.constrained.params
    np.testing.assert_allclose(found[["Intercept", "x1"]], wanted.params, rtol=1e-9)
    assert found["x3"] == RATE
    np.testing.assert_allclose(bridge.constrained.fittedvalues, wanted.fittedvalues, rtol=1e-9)
    toll = wanted.deviance - bridge.union.deviance
    assert f"of which the constraint costs {verdicts.figure(toll)}" in bridge.verdict


def test_a_fixed_weight_of_nothing_leaves_the_term_out():
    bridge = gb.bridge("y ~ x1 + x3", FRAME, network=held(0.0), start=[0.1, -0.2])
    assert "It leaves out x3 (b[x3] = 0)." in bridge.verdict and "fixed" not in bridge.verdict
    assert bridge.table.set_index("glm_term").relation["x3"] == "glm only"


@pytest.mark.parametrize("formula", ["y ~ x1", "y ~ x1 + logex"])
def test_a_frozen_layer_of_torch(formula):
    """As an offset is built into a module: a linear layer that is not trained."""
    torch = pytest.importorskip("torch")

    class Rate(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = torch.nn.Linear(1, 1)
            self.off = torch.nn.Linear(1, 1, bias=False).requires_grad_(False)

        def forward(self, x):
            return torch.sigmoid(self.fc(x[:, :1]) + self.off(x[:, 1:]))

    model = Rate().double()
    frame = FRAME.assign(logex=np.log(1.0 + FRAME.x2))
    fit = gb.glm("y ~ x1", frame, offset="logex")
    for entry, value in zip((model.fc.bias, model.fc.weight, model.off.weight), (*fit.params, 1.0), strict=True):
        torch.nn.init.constant_(entry, value)
    bridge = gb.bridge(formula, frame, network=model, inputs=["x1", "logex"])
    assert bridge.verdict.startswith("The network is a constrained GLM at its own optimum")
    assert "b[logex] = 1" in bridge.verdict and "leaves out" not in bridge.verdict
    assert ("also uses logex" in bridge.verdict) == (formula == "y ~ x1")
    assert bridge.table.set_index("glm_term").status["logex"] == "frozen"
    assert bridge.constrained.deviance == pytest.approx(fit.deviance, rel=1e-10)
