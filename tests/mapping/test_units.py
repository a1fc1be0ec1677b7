"""Hidden units: what they do on the rows, what of them the GLM has, and ReLUs that are lines."""

from __future__ import annotations

import numpy as np
import pytest
from mapping.structures import FRAME, network

import glmnet_bridge as gb
from glmnet_bridge.errors import BridgeError
from glmnet_bridge.model.layers import Activation, Affine, Branch

FORMULA = "y ~ x1 + x3"
INPUTS = ("x1", "x3")
HIDDEN = Affine(2, 2, name="hidden")


def read(*layers, theta, formula=FORMULA):
    return gb.bridge(formula, FRAME, network=network(INPUTS, *layers), start=theta)


RELU = (HIDDEN, Activation(2, "relu", "relu"), Affine(2, 1, name="output"))
# z = 0.3 x1 + 5 and -0.2 x3 - 6: active everywhere, and dead everywhere
LINE = [0.3, 0.0, 0.0, -0.2, 5.0, -6.0, 2.0, 7.0, -10.5]


def test_a_relu_that_never_bends_is_a_glm_on_these_rows():
    bridge = read(*RELU, theta=LINE)
    table = bridge.table.set_index("glm_term")
    assert table.as_glm[["Intercept", "x1", "x3"]].tolist() == pytest.approx([2 * 5.0 - 10.5, 0.6, 0.0])
    assert table.network_term["x1"] == "folded kernel[x1]"
    (said,) = bridge.margins
    assert said.startswith(
        "relu 'relu' is linear on these rows (1 of its 2 units are active on all 300; the nearest row"
    )
    nearest = min((0.3 * FRAME.x1 + 5).min(), (0.2 * FRAME.x3 + 6).min())
    assert f"{nearest:.3g} from 0" in said and said in bridge.notes
    assert bridge.local.estimate.model.network.affine and not bridge.network.estimate.model.network.affine
    eta = bridge.network.predict(kind="link")
    np.testing.assert_allclose(eta, 0.6 * FRAME.x1 - 0.5, rtol=1e-12, atol=1e-12)


def test_away_from_the_rows_the_network_stays_itself():
    """The map is of these rows; predictions are the network's own."""
    bridge = read(*RELU, theta=LINE)
    far = FRAME.iloc[:1].assign(x1=-100.0)
    assert bridge.network.predict(far, kind="link")[0] == pytest.approx(-10.5)


def test_one_row_that_bends_is_enough():
    theta = [*LINE[:4], 0.0, *LINE[5:]]
    bridge = read(*RELU, theta=theta)
    assert bridge.local is None and bridge.correspondence is None and bridge.margins == ()
    assert (bridge.table.status == "no GLM counterpart").all()


def test_leaky_units_keep_their_small_slope():
    bridge = read(HIDDEN, Activation(2, "leaky_relu", "leaky"), Affine(2, 1, name="output"), theta=LINE)
    assert bridge.table.set_index("glm_term").as_glm["x3"] == pytest.approx(7.0 * 0.01 * -0.2)


def tanh(theta, skip=False):
    if not skip:
        return read(HIDDEN, Activation(2, "tanh"), Affine(2, 1, name="output"), theta=theta)
    layers = Branch(HIDDEN, 2, (0, 1), (0, 1)), Branch(Activation(2, "tanh"), 4, (2, 3), (0, 1)), Affine(4, 1)
    return read(*layers, theta=theta)


def test_units_say_what_the_columns_lack():
    """A unit in its linear range is a column that the GLM has; one that bends is not."""
    units = tanh([1e-5, 2.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]).units
    assert units["unit"].tolist() == ["unit 0", "unit 1"]
    assert units["outside"][0] < 1e-8 and 0.02 < units["outside"][1] < 0.5


def test_the_share_outside_is_that_of_weighted_least_squares():
    bridge = tanh([0.5, 2.0, 0.3, 1.0, 0.1, 0.0, 1.0, -1.0, 0.2])
    x = np.column_stack([np.ones(len(FRAME)), FRAME.x1, FRAME.x3])
    h = np.tanh(x @ np.array([[0.1, 0.0], [0.5, 2.0], [0.3, 1.0]]))
    mean = bridge.network.predict().to_numpy()
    root = np.sqrt(mean * (1 - mean))
    left = (
        root[:, None] * h - (root[:, None] * x) @ np.linalg.lstsq(root[:, None] * x, root[:, None] * h, rcond=None)[0]
    )
    centred = root[:, None] * (h - np.average(h, axis=0, weights=root**2))
    np.testing.assert_allclose(bridge.units["outside"], (left**2).sum(axis=0) / (centred**2).sum(axis=0), rtol=1e-9)


def test_the_last_layer_is_a_glm_on_the_learnt_features():
    bridge = tanh([0.5, 2.0, 0.3, 1.0, 0.1, 0.0, 1.0, -1.0, 0.2])
    fit = bridge.last_layer
    assert fit.names == ("Intercept", "unit 0", "unit 1") and fit.converged
    assert fit.llf >= bridge.network.llf
    h = np.tanh(np.column_stack([0.1 + 0.5 * FRAME.x1 + 0.3 * FRAME.x3, 2.0 * FRAME.x1 + FRAME.x3]))
    again = gb.fit(h, FRAME.y, names=["unit 0", "unit 1"])
    np.testing.assert_allclose(fit.params, again.params, rtol=1e-10)


def test_skip_connections_carry_the_linear_part():
    bridge = tanh([0.5, 2.0, 0.3, 1.0, 0.1, 0.0, 0.7, -0.4, 1.0, -1.0, 0.2], skip=True)
    table = bridge.table.set_index("glm_term")
    assert table.as_glm[["x1", "x3"]].tolist() == pytest.approx([0.7, -0.4])
    assert table.expression["x1"] == "what goes past the activations"
    assert bridge.last_layer.names == ("Intercept", "x1", "x3", "unit 0", "unit 1")


def test_an_affine_network_has_no_last_layer_of_its_own():
    bridge = gb.bridge(FORMULA, FRAME)
    assert len(bridge.units) == 0
    with pytest.raises(BridgeError, match="its last layer is the GLM itself"):
        _ = bridge.last_layer
