"""Penalties: half a quadratic on the sum of the log-likelihood, and the constant goes free."""

from __future__ import annotations

import numpy as np
import pytest

from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.fitting.irls import Objective
from glmnet_bridge.model import families, layers, networks, penalties
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.penalties import Penalty, given, none, ridge

BIASES = np.array([True, False, True, True, False])


def test_no_penalty_is_none():
    for penalty in (none(), Penalty(), ridge(0), ridge(0.0, intercept=True), given(None), given("none")):
        assert penalty.strength == 0.0 and penalty.name == "none"
        assert penalty.diagonal(BIASES) is None


@pytest.mark.parametrize("strength", [2, 0.5, np.float32(1.5), np.int64(3), 1e-300, 1e300])
def test_constants_are_free_unless_asked(strength):
    np.testing.assert_array_equal(ridge(strength).diagonal(BIASES), np.where(BIASES, 0.0, float(strength)))
    everything = ridge(strength, intercept=True).diagonal(BIASES)
    np.testing.assert_array_equal(everything, np.full(len(BIASES), float(strength)))
    assert type(ridge(strength).strength) is float


def test_biases_are_what_is_added_in_every_row():
    """Of an affine layer, of a constant column, of a constant unit behind it, and of a shift, whatever its name."""
    stack = (
        layers.Affine(3, 2, name="in"),
        layers.Activation(2, "tanh"),
        layers.Branch(layers.Fixed(np.zeros((1, 1)), np.ones(1), "one", "constant"), 2, (0,), (0, 1)),
        layers.Affine(3, 2, bias=False),
        layers.Gain(2),
    )
    names = tuple(f"w{j}" for j in range(8 + 6 + 4))
    network = networks.Network(networks.Inputs(("Intercept", "bias", "x"), None, np.eye(3)[0]), stack, names)
    first = [True, True, False, False, False, False, True, True]  # the constant column's kernel, two others, biases
    last = [False, False, False, False, True, True]  # of two tanh units, and of the constant one
    np.testing.assert_array_equal(network.biases, [*first, *last, False, False, True, True])
    glm = networks.single_unit(("Intercept", "bias", "x"))
    np.testing.assert_array_equal(glm.biases, [True, False, False])
    assert Model(("Intercept", "bias", "x"), glm, families.binomial(), ridge(2.0)).decay.tolist() == [0.0, 2.0, 2.0]
    assert Model(("Intercept", "bias", "x"), glm, families.binomial()).decay is None


@pytest.mark.parametrize("name", ["bias", "hidden.bias[2]", "dense/bias[0]", "intercept_[1]", "params[const]"])
def test_biases_that_packages_call_so(name):
    assert networks.is_bias(name) and not networks.is_bias(f"kernel[{name}]")


@pytest.mark.parametrize("constants", [False, True])
def test_what_is_maximised_is_less_half_the_sum_of_squares(constants):
    """Value, slope and curvature of what a fit maximises belong together."""
    theta = np.random.default_rng(3).normal(size=len(BIASES))
    diagonal = ridge(0.7, intercept=constants).diagonal(BIASES)
    objective = Objective(lambda theta, want: None, np.diag(diagonal))
    square = 0.5 * 0.7 * float(np.sum(theta[~BIASES | constants] ** 2))
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
