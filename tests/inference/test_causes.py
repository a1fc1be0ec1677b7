"""Each cause of a gap is planted alone, and found with all of the gap; planted together, the shares add up to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mapping.structures import FRAME, network, unit

import glmnet_bridge as gb
from glmnet_bridge import gaps
from glmnet_bridge.inference import causes, optima
from glmnet_bridge.inference.causes import Training
from glmnet_bridge.model.layers import Affine, Normalise
from glmnet_bridge.model.networks import is_bias

FORMULA = "y ~ x1 + x2 + C(g)"
FLOAT32 = float(np.finfo(np.float32).eps)
UNIT = unit("x1", "x2", "C(g)[T.b]", "C(g)[T.c]")
CLASSES = np.array([1.0, 3.0])
WEIGHTS = np.where(FRAME.y == 1, 3.0, 1.0)


def training(net=UNIT, *, l1=0.0, l2=0.0, **known):
    kernels = np.array([not is_bias(entry) for entry in net.entries], dtype=float)
    words = "a penalty" if l1 or l2 else ""
    return Training(l1 * kernels, l2 * kernels, words, **known)


def trained(known, net=UNIT, formula=FORMULA, family="binomial", frame=FRAME, nudge=0.0, rounded=False):
    """A bridge of a network that is at the optimum of its own training, but for a nudge, and for rounding."""
    first = gb.bridge(formula, frame, network=net, start=np.zeros(net.parameters), family=family)
    aim = causes.own(known, gaps._aim(known, first.network))
    rng = np.random.default_rng(1)
    ended = optima.optimum(aim, 0.01 * rng.normal(size=net.parameters), first.union.dispersion)
    assert ended.reached
    theta = ended.theta + nudge
    if rounded:
        theta = theta.astype(np.float32).astype(float)
    found = gb.bridge(formula, frame, network=net, start=theta, family=family)
    return replace(found, training=known)


def shares(br):
    table = br.causes.set_index("cause")
    assert table["share"].sum() == pytest.approx(1.0, abs=1e-12)
    return table["share"]


def test_training_that_stopped():
    br = trained(training(), nudge=0.01)
    table = br.causes
    assert table["cause"].tolist() == ["training"] and table["share"].tolist() == pytest.approx([1.0], abs=1e-12)
    assert table["distance"][0] == pytest.approx(br.distances.joint, rel=0.05)
    assert "stopped short of the optimum of its loss" in table["explanation"][0]


@pytest.mark.parametrize(
    ("cause", "known"),
    [
        ("penalty", {"l2": 5.0}),
        ("penalty", {"l1": 2.0}),
        ("penalty", {"l1": 1.0, "l2": 2.0}),
        ("label smoothing", {"smoothing": 0.2}),
        ("class weights", {"class_weights": CLASSES}),
        ("loss", {"loss": "squared error"}),
    ],
)
@pytest.mark.parametrize("rounded", [False, True])
def test_one_cause_is_all_of_the_gap(cause, known, rounded):
    """Weights in single precision change nothing that matters."""
    br = trained(training(**known, precision=FLOAT32 if rounded else 2e-16), rounded=rounded)
    found = shares(br)
    assert found[cause] == pytest.approx(1.0, abs=1e-5 if rounded else 1e-9)
    assert ("single precision" in found) == rounded
    assert br.distances.joint > 0.1
    assert abs(found.drop(cause)).max() < 1e-5


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_rounding_to_single_precision_whatever_the_unit(scale):
    """Its coefficient may be 1e8 or 1e-8."""
    frame = FRAME.assign(x1=FRAME.x1 * scale)
    br = trained(training(precision=FLOAT32), frame=frame, rounded=True)
    table = br.causes
    assert table["cause"].tolist() == ["single precision"] and shares(br)["single precision"] == pytest.approx(1.0)
    slope = br.network.estimate.theta.copy()
    slope[0] *= 1.0 + 1e-4
    far = gb.bridge(FORMULA, frame, network=UNIT, start=slope)
    assert replace(far, training=br.training).causes["cause"].tolist() == ["training"]


def test_double_precision_is_never_called_single():
    br = trained(training())
    assert "single precision" not in br.causes["cause"].tolist() and br.distances.joint < 1e-7


def test_a_term_left_out():
    br = trained(training(unit("x1", "x2")), unit("x1", "x2"))
    found = shares(br)
    assert found["structure"] == pytest.approx(1.0, abs=1e-9)
    assert "b[C(g)[T.b]] = 0" in br.causes.set_index("cause")["explanation"]["structure"]


def test_inputs_tied():
    net = replace(unit("x1 + x3"), inputs=replace(unit("x1 + x3").inputs, matrix=np.array([[0.0], [1.0], [1.0]]),
                                                  ones=np.array([1.0, 0.0, 0.0])))  # fmt: skip
    br = trained(training(net), net, "y ~ x1 + x3")
    assert shares(br)["structure"] == pytest.approx(1.0, abs=1e-9)
    assert "b[x1] - b[x3] = 0" in br.causes.set_index("cause")["explanation"]["structure"]


def test_all_at_once():
    known = training(unit("x1", "x2"), l1=0.5, l2=2.0, smoothing=0.1, class_weights=CLASSES, loss="squared error")
    br = trained(known, unit("x1", "x2"), nudge=0.002)
    found = shares(br)
    assert found.index.tolist() == [
        "training", "penalty", "label smoothing", "class weights", "loss", "structure",
    ]  # fmt: skip
    by_term = gaps.causes_of(known, br.correspondence, br.network, br.union).by_term()
    np.testing.assert_allclose(by_term.drop(columns="gap").sum(axis=1), by_term["gap"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(by_term["gap"], br.distances.by_refit, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(br.causes["distance"].sum(), np.linalg.norm(
        np.linalg.cholesky(br.union.estimate.sums.expected).T @ (br.distances.folded - br.distances.mle)
    ))  # fmt: skip


def test_each_step_undoes_what_it_says():
    """Smoothing alone after the penalty was taken away; class weights alone after that; by fits of our own."""
    known = training(l2=3.0, smoothing=0.1, class_weights=CLASSES)
    br = trained(known)
    shown = (lambda theta: theta, np.ones(UNIT.parameters))
    steps = {name: by_name(after) for name, _, _, after in gaps.steps_of(known, br.network, shown)}
    assert list(steps) == ["training", "penalty", "label smoothing", "class weights"]
    assert_same(steps["class weights"], br.glm)
    assert_same(steps["label smoothing"], gb.glm(FORMULA, FRAME.assign(w=WEIGHTS), prior_weights="w"))


def by_name(theta):
    return dict(zip(("x1", "x2", "C(g)[T.b]", "C(g)[T.c]", "Intercept"), theta, strict=True))


def assert_same(weights, fit):
    np.testing.assert_allclose([weights[name] for name in fit.names], fit.params, atol=1e-8)


@pytest.mark.parametrize("smoothing", [0.05, 0.4])
def test_smoothing_is_a_likelihood_of_shrunken_responses(smoothing):
    """Two copies of each row, weighted by how much of it the smoothed response gives to either class."""
    br = trained(training(smoothing=smoothing))
    both = np.r_[np.full(len(FRAME), 1), np.full(len(FRAME), 0)]
    shrunken = (1 - smoothing) * FRAME.y.to_numpy() + smoothing / 2
    twice = FRAME.iloc[np.r_[: len(FRAME), : len(FRAME)]].reset_index(drop=True)
    fit = gb.glm(FORMULA, twice.assign(y=both, w=np.r_[shrunken, 1 - shrunken]), prior_weights="w")
    assert_same(by_name(br.network.estimate.theta), fit)


def test_gaussian_with_its_dispersion():
    frame = FRAME.assign(y=40.0 * FRAME.x1 + FRAME.x2 + 90.0 * np.sin(np.arange(len(FRAME))))
    br = trained(training(l2=30.0), frame=frame, family="gaussian")
    assert shares(br)["penalty"] == pytest.approx(1.0, abs=1e-9)
    gap = br.distances.folded - br.distances.mle
    size = np.sqrt(gap @ br.union.estimate.sums.expected @ gap / br.union.dispersion)
    assert br.causes["distance"].sum() == pytest.approx(size, rel=1e-9)


def test_a_loss_whose_end_is_not_known_is_one_cause():
    br = gb.bridge(FORMULA, FRAME, network=UNIT, start=np.full(5, 0.01))
    br = replace(br, training=training(loss="hinge", l2=3.0))
    assert shares(br).index.tolist() == ["loss and training"]
    assert br.causes["explanation"][0].startswith("hinge is not minus a log-likelihood")


@pytest.mark.parametrize("scaled", [False, True])
def test_a_penalty_on_stacked_layers(scaled):
    layers = [Affine(4, 2, name="h"), Affine(2, 1, name="o")]
    if scaled:
        layers.insert(0, Normalise(np.array([0.0, 40.0, 0.3, 0.3]), np.array([1.0, 3.0, 0.5, 0.5])))
    net = network(("x1", "x2", "C(g)[T.b]", "C(g)[T.c]"), *layers)
    frame = FRAME if scaled else FRAME.assign(x2=FRAME.x2 - 40)
    br = trained(training(net, l2=0.5), net, frame=frame)
    assert shares(br)["penalty"] == pytest.approx(1.0, abs=1e-6)


def test_redundant_weights():
    net = network(("g[a]", "g[b]", "g[c]", "x1"), Affine(4, 1))
    br = trained(training(net, l2=4.0), net, "y ~ C(g) + x1")
    assert shares(br)["penalty"] == pytest.approx(1.0, abs=1e-9)


def test_no_finite_estimate_no_causes():
    frame = FRAME.assign(y=(FRAME.x1 > 0).astype(int))
    with pytest.warns(gb.errors.SeparationWarning):
        br = gb.bridge("y ~ x1", frame, network=unit("x1"), start=[1.0, 0.0])
    assert len(br.causes) == 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({0: 1.0, 1: 3.0}, (1.0, 3.0)),
        ({1: 3.0}, (1.0, 3.0)),
        ({0: 5.0}, (5.0, 1.0)),
        ({"no": 2.0, "yes": 7.0}, (2.0, 7.0)),
        ({}, (1.0, 1.0)),
    ],
)
def test_class_weights_by_label_or_by_place(given, expected):
    response = gb.glm("y ~ x1", FRAME).recipe.response
    assert gaps._both(given, response) == expected
