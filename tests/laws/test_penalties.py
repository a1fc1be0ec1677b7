"""Penalties: half a quadratic on the sum of the log-likelihood, and the constant goes free."""

from __future__ import annotations

import numpy as np
import pytest

from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.fitting.irls import Objective
from glmnet_bridge.model import layers, networks, penalties
from glmnet_bridge.model.penalties import Penalty, given, none, ridge

ENTRIES = (
    "Intercept",
    "x",
    "bias",
    "hidden.bias[2]",
    "hidden.kernel[x, 2]",
    "bias[yes]",
    "kernel[bias]",
    "kernel[x.bias]",
)
IS_CONSTANT = np.array([True, False, True, True, False, True, False, False])


def test_no_penalty_is_none():
    for penalty in (none(), Penalty(), ridge(0), ridge(0.0, intercept=True), given(None), given("none")):
        assert penalty.strength == 0.0 and penalty.name == "none"
        assert penalty.diagonal(ENTRIES) is None


@pytest.mark.parametrize("strength", [2, 0.5, np.float32(1.5), np.int64(3), 1e-300, 1e300])
def test_constants_are_free_unless_asked(strength):
    np.testing.assert_array_equal(ridge(strength).diagonal(ENTRIES), np.where(IS_CONSTANT, 0.0, float(strength)))
    everything = ridge(strength, intercept=True).diagonal(ENTRIES)
    np.testing.assert_array_equal(everything, np.full(len(ENTRIES), float(strength)))
    assert type(ridge(strength).strength) is float


def test_in_a_network_the_constants_are_the_biases():
    network = networks.Network(
        networks.Inputs(("Intercept", "bias", "x"), None, np.eye(3)[0]),
        stack := (layers.Affine(3, 2, name="in"), layers.Activation(2, "tanh"), layers.Affine(2, 2)),
        networks.dense_entries(stack, ("Intercept", "bias", "x"), ("bias", "b")),
    )
    first, _, last = network.slices()
    free = np.ones(network.parameters)
    free[first.start + 6 : first.stop] = 0.0
    free[last.start + 4 : last.stop] = 0.0
    np.testing.assert_array_equal(ridge(1.0).diagonal(network.entries), free)
    glm = networks.single_unit(("Intercept", "bias", "x"))
    np.testing.assert_array_equal(ridge(1.0).diagonal(glm.entries), [0.0, 1.0, 1.0])


@pytest.mark.parametrize("constants", [False, True])
def test_what_is_maximised_is_less_half_the_sum_of_squares(constants):
    """Value, slope and curvature of what a fit maximises belong together."""
    theta = np.random.default_rng(3).normal(size=len(ENTRIES))
    diagonal = ridge(0.7, intercept=constants).diagonal(ENTRIES)
    objective = Objective(lambda theta, want: None, np.diag(diagonal))
    square = 0.5 * 0.7 * float(np.sum(theta[~IS_CONSTANT | constants] ** 2))
    assert objective.value(theta, 10.0) == pytest.approx(10.0 - square, rel=1e-14)
    score = np.arange(len(theta)) + 1.0
    slope = [
        (objective.value(theta + step, score @ step) - objective.value(theta - step, -score @ step)) / 2.0
        for step in np.eye(len(theta))
    ]
    np.testing.assert_allclose(objective.slope(theta, score), slope, rtol=1e-13, atol=1e-13)
    change = objective.slope(theta, score) - objective.slope(theta + 1.0, score)
    np.testing.assert_allclose(change, diagonal, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("strength", [-1, -1e-300, np.nan, np.inf, -np.inf, "1", None, [1.0], np.ones(2), 1j])
def test_bad_strengths_are_refused(strength):
    with pytest.raises(ArgumentError, match="strength must be a finite number, zero or more"):
        ridge(strength)


@pytest.mark.parametrize("said", ["ridge", "lasso", 1.0, True, ridge, Penalty])
def test_what_is_no_penalty_is_refused(said):
    with pytest.raises(ArgumentError, match="is not understood") as caught:
        given(said)
    assert "penalties.ridge(strength)" in str(caught.value)


def test_a_penalty_is_taken_as_it_is():
    for penalty in (ridge(2.0), ridge(1.0, intercept=True), Penalty()):
        assert given(penalty) is penalty


def test_it_says_what_it_is():
    assert repr(none()) == "no penalty"
    assert repr(ridge(2.5)) == "ridge(2.5)" and ridge(2.5).name == "ridge"
    assert repr(ridge(2.5, intercept=True)) == "ridge(2.5, intercept=True)"
    assert eval(repr(ridge(2.5, intercept=True)), {"ridge": penalties.ridge}) == ridge(2.5, intercept=True)
