"""Units that do nothing or repeat another, and outputs that are stuck, are named with their layer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from mapping.structures import FRAME, network

import glmnet_bridge as gb
from glmnet_bridge.errors import ConvergenceWarning
from glmnet_bridge.mapping import faults
from glmnet_bridge.model.layers import Activation, Affine, Contrast, Gain

INPUTS = ("x1", "x3")
USUAL = [(0.8, -0.3, 0.1), (-0.2, 0.9, 0.3), (0.5, 0.6, -0.4)]
"""Incoming weights and bias of units with which nothing is wrong."""


def hidden(units, kind="tanh", out=None, between=()):
    """A network with these hidden units `(x1, x3, bias)`, and its bridge."""
    h, table = len(units), np.array(units, dtype=float)
    layers = (Affine(2, h, name="fc1"), *between, Activation(h, kind, "act"), Affine(h, 1, name="out"))
    theta = [*table[:, :2].T.ravel(), *table[:, 2], *(out or np.linspace(0.4, 1.0, h)), -0.2]
    if between:
        theta = [*theta[: 3 * h], *np.ones(h), *np.zeros(h), *theta[3 * h :]]
    return gb.bridge("y ~ x1 + x3", FRAME, network=network(INPUTS, *layers), start=theta)


def said(bridge) -> str:
    return " ".join(bridge.remarks.units)


# --- units ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tanh", "sigmoid", "relu", "leaky_relu"])
def test_nothing_is_said_of_units_that_work(kind):
    bridge = hidden(USUAL, kind)
    assert bridge.remarks.units == () and bridge.local is None
    assert not any(word in bridge.verdict for word in ("saturated", "dead", "are the same", "but for scale"))


@pytest.mark.parametrize(("kind", "bias", "limits"), [("tanh", 6.0, "0.99998 and 0.99999"), ("sigmoid", -12.0, "e-0")])
def test_a_saturated_unit(kind, bias, limits):
    bridge = hidden([*USUAL, (0.1, 0.0, bias)], kind)
    assert said(bridge).startswith(f"{kind} 'fc1': unit 3 is saturated on all 300 rows (output between ")
    assert limits in said(bridge) and said(bridge).endswith("it adds a constant.") and said(bridge) in bridge.verdict


def test_units_that_are_saturated_on_either_side_are_steps_and_no_constants():
    assert said(hidden([*USUAL, (5e5, 0.0, 100.0)])) == (
        "tanh 'fc1': unit 3 is saturated on all 300 rows (output between -1 and 1): it adds a step, of which these "
        "rows do not tell the weights."
    )
    assert hidden([*USUAL, (50.0, 0.0, 1.0)]).remarks.units == ()  # one row is on the slope


def test_units_that_are_dead_or_fed_nothing():
    bridge = hidden([*USUAL, (0.1, 0.1, -90.0), (0.0, 0.2, -80.0), (0.0, 0.0, 0.5)], "relu")
    assert "relu 'fc1': units 3, 4 are dead on all 300 rows: they add nothing." in bridge.remarks.units
    assert any("unit 5 is constant on all 300 rows (output 0.5)" in each for each in bridge.remarks.units)
    assert said(bridge) in bridge.verdict


def test_dead_units_of_a_network_that_is_a_line_are_named_too():
    bridge = hidden([(0.1, 0.1, -90.0), (0.2, 0.1, 90.0)], "relu")
    assert bridge.local is not None
    assert "relu 'fc1': unit 0 is dead on all 300 rows (output 0): it adds nothing." in bridge.notes


@pytest.mark.parametrize("between", [(), (Gain(4, name="bn"),)])
def test_units_with_equal_weights(between):
    """A layer unit by unit in between (batch normalisation) does not hide who made them."""
    bridge = hidden([*USUAL, tuple(weight * (1 + 1e-10) for weight in USUAL[1])], between=between)
    assert said(bridge).startswith("Units 1 and 3 of 'fc1' are the same (weights equal to ")
    assert 1e-11 < float(said(bridge).split("equal to ")[1].split(")")[0]) < 1e-9


def test_all_units_alike_are_one_group():
    bridge = hidden([USUAL[0]] * 4)
    assert said(bridge).startswith("Units 0, 1, 2 and 3 of 'fc1' are the same (equal weights)")


@pytest.mark.parametrize(
    ("kind", "factor", "one"), [("tanh", -1.0, USUAL[0]), ("relu", 2.0, USUAL[0]), ("sigmoid", -1.0, USUAL[2])]
)
def test_units_that_are_another_one_but_for_scale(kind, factor, one):
    """tanh(-z) = -tanh(z), relu(2 z) = 2 relu(z), sigmoid(-z) = 1 - sigmoid(z)."""
    bridge = hidden([*USUAL, tuple(factor * weight for weight in one)], kind)
    first = USUAL.index(one)
    assert said(bridge).startswith(f"Unit 3 of 'fc1' is unit {first} but for scale and constant on these rows")


def test_units_that_differ_on_one_row_are_two():
    """What some rows suggest is looked up on all: 3000 of them, of which one tells the units apart."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x1": rng.normal(size=3001), "x3": np.zeros(3001), "y": rng.integers(0, 2, 3001)})
    frame.loc[1350, "x3"] = 1.0
    layers = (Affine(2, 2, name="fc1"), Activation(2, "tanh", "act"), Affine(2, 1, name="out"))
    theta = [0.5, 0.5, 0.1, 0.9, 0.2, 0.2, 0.3, 0.4, 0.0]
    assert not any(start <= 1350 < stop for start, stop in faults.runs(3001))
    for x3, words in ((frame.x3, ""), (0.0 * frame.x3, "Units 0 and 1 of 'fc1' are the same (on these rows)")):
        with np.errstate(all="ignore"):
            bridge = gb.bridge("y ~ x1", frame.assign(x3=x3), network=network(INPUTS, *layers), start=theta)
        assert said(bridge).startswith(words) and bool(said(bridge)) == bool(words)


def test_units_of_the_second_layer_are_numbered_in_their_own():
    layers = (
        Affine(2, 3, name="fc1"), Activation(3, "tanh", "a1"),
        Affine(3, 2, name="fc2"), Activation(2, "tanh", "a2"), Affine(2, 1, name="out"),
    )  # fmt: skip
    table = np.array(USUAL)
    theta = [*table[:, :2].T.ravel(), *table[:, 2], 0.3, 0.1, -0.4, 0.1, 0.2, 0.1, 0.1, 15.0, 1.0, 1.0, 0.0]
    bridge = gb.bridge("y ~ x1 + x3", FRAME, network=network(INPUTS, *layers), start=theta)
    assert said(bridge).startswith("tanh 'fc2': unit 1 is saturated")


# --- the last layer -----------------------------------------------------------------------------------


def test_the_last_layer_leaves_out_units_that_are_constants_or_repeat():
    extra = [(1e-3, 0.0, 12.0), USUAL[0], tuple(-weight for weight in USUAL[1])]
    fit, plain = hidden([*USUAL, *extra]).last_layer, hidden(USUAL).last_layer
    assert list(fit.aliased) == ["unit 3", "unit 4", "unit 5"]
    assert (fit.aliased["unit 4"], fit.aliased["unit 5"]) == ("unit 0", "-unit 1")
    assert fit.aliased["unit 3"].endswith("Intercept") and fit.outcome == "rank deficient"
    np.testing.assert_allclose(fit.params[plain.names[0] : "unit 2"], plain.params, rtol=1e-6)
    assert fit.params[["unit 3", "unit 4", "unit 5"]].isna().all() and fit.bse[:4].max() < 10


def test_a_unit_in_its_linear_range_stays_however_small_it_is():
    fit = hidden([(1e-7, 0.0, 0.0), (0.0, 1.0, 0.0)]).last_layer
    assert not fit.aliased and np.isfinite(fit.params).all()


def test_the_last_layer_of_several_classes():
    rng = np.random.default_rng(1)
    frame = FRAME.assign(of=rng.choice(["a", "b", "c"], len(FRAME)))
    layers = (Affine(2, 2, name="fc1"), Activation(2, "tanh"), Affine(2, 3, name="out"), Contrast(3))
    theta = rng.normal(size=15)
    bridge = gb.bridge("of ~ x1 + x3", frame, "multinomial", network=network(INPUTS, *layers), start=theta)
    fit = bridge.last_layer
    assert fit.names == tuple(f"{of}: {name}" for of in "bc" for name in ("Intercept", "unit 0", "unit 1"))
    assert fit.llf >= bridge.network.llf and fit.converged
    assert bridge.units["outside"].between(0, 1).all()


# --- outputs --------------------------------------------------------------------------------------------


def unit(*theta, data=FRAME):
    return gb.bridge("y ~ x1 + x2", data, network=network(("x1", "x2"), Affine(2, 1, name="fc")), start=list(theta))


def test_a_saturated_output():
    bridge = unit(1.0, 20.0, 0.0)
    (told,) = bridge.remarks.output
    assert told.startswith("The network's output is saturated: on 300 of 300 rows the sigmoid after 'fc' is 0 or 1")
    eta = bridge.network.predict(kind="link")
    assert f"(eta reaches {eta.abs().max():.3g})" in told
    figures = f"(deviance {bridge.network.deviance:.1f}; a constant's is {bridge.glm.null_deviance:.1f})"
    assert bridge.verdict.startswith(f"The network is no better than a constant {figures}: the network looks untrained")
    assert "in another order or on another scale" in bridge.verdict and told in bridge.verdict


def test_rows_are_counted_one_by_one():
    """Most rows, not some: 36.04 is where 1 - p is the rounding of 1."""
    edge = -np.log(np.finfo(float).eps)
    for share, words in ((0.45, 0), (0.55, 1)):
        cut = FRAME.x2.quantile(1 - share)
        assert len(unit(0.0, 3.0, edge - 3.0 * cut).remarks.output) == words


def test_saturated_classes():
    frame = FRAME.assign(of=np.where(FRAME.x1 < -0.5, "a", np.where(FRAME.x1 < 0.5, "b", "c")))
    layers = (Affine(2, 3, name="fc"), Contrast(3))
    theta = [3.0, -2.0, 1.0, 5.0, 1.0, 2.0, 0.0, 0.0, 0.0]
    bridge = gb.bridge("of ~ x2 + x3", frame, "multinomial", network=network(("x2", "x3"), *layers), start=theta)
    assert bridge.remarks.output[0].startswith("The network's output is saturated: on 300 of 300 rows the softmax")


def test_a_constant_output():
    bridge = unit(0.0, 0.0, 0.3)
    assert bridge.remarks.output == (
        "The network predicts the same on every row (eta = 0.3): the kernel of 'fc' is all 0.",
    )
    assert bridge.remarks.output[0] in bridge.verdict and "looks untrained" not in bridge.verdict
    stuck = hidden([(1e-9, 0.0, 40.0), (0.0, 1e-9, -40.0)])
    assert "predicts the same on every row (eta = -0.8): what 'out' is fed does not vary." in stuck.verdict


def test_a_constant_is_right_where_the_formula_is_one():
    bridge = gb.bridge("y ~ 1", FRAME, network=network(("Intercept",), Affine(1, 1, bias=False)), start=[0.2])
    assert bridge.remarks.output == ()


def test_what_is_better_than_a_constant_is_not_called_untrained():
    fit = gb.glm("y ~ x1 + x2", FRAME)
    bridge = unit(*fit.params[["x1", "x2", "Intercept"]])
    assert "constant" not in bridge.verdict and bridge.remarks == type(bridge.remarks)()


def test_a_short_training_is_told_apart_from_none():
    with pytest.warns(ConvergenceWarning):
        bridge = gb.bridge("y ~ x1 + x2", FRAME, train="sgd", epochs=1, learning_rate=1e-9, start=[0.0, 3.0, 0.0])
    assert bridge.verdict.startswith("The network is no better than a constant")
    assert "training has not got any further" in bridge.verdict and "looks untrained" not in bridge.verdict
