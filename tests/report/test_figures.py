"""Figures for teaching: their numbers."""

from __future__ import annotations

import numpy as np
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "leaky_relu"])
def test_derivatives(name):
    data = gb.figures.activations_data(points=4001).query("activation == @name")
    slope = np.gradient(data["value"], data["z"])
    smooth = np.abs(data["z"]) > 0.01
    assert np.abs(slope - data["derivative"])[smooth].max() < 1e-3


def test_the_sigmoid_at_zero():
    data = gb.figures.activations_data().query("activation == 'sigmoid' and z == 0")
    assert data[["value", "derivative"]].to_numpy().tolist() == [[0.5, 0.25]]


def test_losses_over_the_margin():
    data = gb.figures.losses_data().set_index("margin")
    assert data.loc[0.0].tolist() == [np.log(2.0), 1.0, 1.0, 1.0]
    assert data.loc[1.5, "squared"] == 0.25
    assert np.allclose(data["logistic"], np.log1p(np.exp(-data.index)))
    assert (data["logistic_base_2"] >= data["zero_one"]).all()
    assert data.loc[data.index > 0, "zero_one"].eq(0).all()


def test_losses_are_those_of_the_family():
    """The natural logistic loss is minus the log-likelihood of an event at eta = margin."""
    data = gb.figures.losses_data()
    eta = data["margin"].to_numpy()[:, None]
    loglik = gb.families.binomial().local(np.ones_like(eta), eta).loglik[:, 0]
    assert np.allclose(data["logistic"], -loglik, rtol=1e-15)


def test_ranges_are_checked():
    with pytest.raises(ArgumentError, match="lower one first"):
        gb.figures.losses_data(2.0, 1.0)
