"""Inputs without names in the wrong order are noticed; those in the right one raise no alarm."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pandas as pd
import pytest
from adapters import kit
from adapters.kit import FRAME, Case

import glmnet_bridge as gb
from glmnet_bridge.errors import DataWarning

CASES = kit.cases()
COLUMNS = ["age", "lwt", "smoke"]


@functools.cache
def case(name: str) -> Case:
    return CASES[name]()


def read(found: Case, inputs):
    """The bridge, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bridge = gb.bridge(found.formula, found.frame, network=found.network, inputs=inputs, **found.arguments)
    return bridge, [str(each.message) for each in caught if issubclass(each.category, DataWarning)]


def of_arrays(columns=COLUMNS, response="low"):
    """A model that was trained on an array of the columns."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    return linear_model.LogisticRegression(C=np.inf, max_iter=10_000, tol=1e-10).fit(
        FRAME[columns].to_numpy(dtype=float), FRAME[response]
    )


# --- every reader's cases ------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_no_alarm_at_any_reader(name):
    found = case(name)
    bridge, warned = read(found, found.inputs)
    assert not bridge.remarks.misplaced and not any("the deviance would be" in each for each in warned)
    if found.optimal:
        assert bridge.remarks.output == () and "no better than a constant" not in bridge.verdict


@pytest.mark.parametrize("name", CASES)
def test_turned_inputs_of_networks_trained_to_the_end(name):
    """Each list of columns, turned round: where that costs much, the right order is the one that is named."""
    found = case(name)
    if not found.optimal or not isinstance(found.inputs, list) or found.arguments:
        pytest.skip("no list of inputs, or not trained to the end")
    turned = found.inputs[::-1]
    try:
        bridge, warned = read(found, turned)
    except gb.errors.BridgeError:
        pytest.skip("the model knows its columns by name, or codes one of them")
    if not all(feature.plain for feature in bridge.foreign.intake.features):
        pytest.skip("the model computes columns from its inputs")
    right = read(found, found.inputs)[0]
    if bridge.network.deviance > bridge.network.null_deviance + 60:
        least = f"In the order {', '.join(found.inputs)} the deviance would be {right.network.deviance:.1f} instead of "
        assert [each.startswith(least) for each in warned] == [True]
        assert bridge.remarks.order in bridge.verdict


# --- what is said --------------------------------------------------------------------------------


def test_the_right_order_is_named():
    model = of_arrays()
    with pytest.warns(DataWarning, match="In the order age, lwt, smoke the deviance would be") as caught:
        bridge = gb.bridge("low ~ age + lwt + smoke", FRAME, network=model, inputs=["lwt", "smoke", "age"])
    right = gb.bridge("low ~ age + lwt + smoke", FRAME, network=model, inputs=COLUMNS)
    figures = f"{right.network.deviance:.1f} instead of {bridge.network.deviance:.1f}: is inputs= in the wrong order?"
    assert str(caught[0].message).endswith(figures) and bridge.remarks.order == str(caught[0].message)
    assert bridge.verdict.startswith("The network is no better than a constant") and figures in bridge.verdict
    assert "looks untrained" not in bridge.verdict and right.remarks.order == ""


def test_an_order_that_was_assumed():
    with pytest.warns(
        DataWarning, match="In the order age, lwt, smoke .*: say by inputs= what it is fed, in its order"
    ):
        gb.bridge("low ~ smoke + lwt + age", FRAME, network=of_arrays())


def test_numbers_without_names():
    with pytest.warns(DataWarning, match="In the order input 2, input 1 the deviance would be"):
        gb.bridge("low ~ age + lwt", FRAME, network=of_arrays(["age", "lwt"]), inputs=FRAME[["lwt", "age"]].to_numpy())


def test_a_hidden_network():
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1), torch.nn.Sigmoid())
    model = model.double()
    fit = gb.glm("low ~ age + lwt", FRAME)
    with torch.no_grad():
        model[0].weight[:] = torch.tensor([[0.001, 0.0], [0.0, 0.001]])
        model[0].bias[:] = 0.0
        model[2].weight[:] = torch.tensor(1000 * fit.params[["age", "lwt"]].to_numpy())
        model[2].bias[:] = fit.params["Intercept"]
    right = gb.bridge("low ~ age + lwt", FRAME, network=model, inputs=["age", "lwt"])
    with pytest.warns(
        DataWarning, match=f"In the order age, lwt the deviance would be {right.network.deviance:.1f} in"
    ):
        bridge = gb.bridge("low ~ age + lwt", FRAME, network=model, inputs=["lwt", "age"])
    assert bridge.correspondence is None and bridge.remarks.order in bridge.verdict


def test_columns_that_the_model_knows_by_name_are_not_asked_about():
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LogisticRegression().fit(FRAME[["age", "lwt"]], FRAME.low)
    turned = FRAME.assign(age=FRAME.lwt, lwt=FRAME.age)
    bridge = gb.bridge("low ~ age + lwt", turned, network=model)
    assert bridge.remarks.order == "" and "looks untrained, or its inputs come in another order" in bridge.verdict


def test_one_of_several_inputs_is_put_in_order_on_its_own():
    """Codes stay where they are, and so does every column of another input."""
    name = "torch: two_inputs"
    if name not in CASES:
        pytest.skip("without torch")
    found = case(name)
    bridge, warned = read(found, found.inputs | {"x_num": ["dose", "age"]})
    assert bridge.network.deviance > bridge.network.null_deviance
    assert [each.startswith("In the order age, dose, arm the deviance would be") for each in warned] == [True]


@pytest.mark.parametrize("count", [7, 8, 20, 21])
def test_pairs_of_up_to_20_inputs_are_tried_and_of_more_are_not(count):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(6_000, count))
    beta = np.linspace(-1.0, 1.5, count)
    frame = pd.DataFrame(x, columns=[f"v{j}" for j in range(count)])
    frame["low"] = (rng.random(len(x)) < 1 / (1 + np.exp(-x @ beta))).astype(int)
    names = list(frame.columns[:-1])
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LogisticRegression(C=np.inf).fit(x, frame.low)
    turned = [*names[3:7], *names[:3], *names[7:]]
    bridge, warned = read(Case(model, "low ~ " + " + ".join(names), frame=frame), turned)
    assert bool(warned) == (count <= 20)
    if count <= 8:  # slopes of more inputs are too close to tell neighbours apart
        assert f"In the order {', '.join(names)} the" in warned[0]


def test_a_network_that_was_trained_for_more_than_the_likelihood_is_not_called_untrained():
    linear_model = pytest.importorskip("sklearn.linear_model")
    rare = (FRAME.lwt > FRAME.lwt.quantile(0.95)).astype(int)
    noise = pd.DataFrame({"rare": rare, "x": np.random.default_rng(0).normal(size=len(FRAME))})
    model = linear_model.LogisticRegression(class_weight="balanced").fit(noise[["x"]], noise.rare)
    bridge = gb.bridge("rare ~ x", noise, network=model)
    assert bridge.verdict.startswith("The network is no better than a constant")
    assert "it was trained for more than the likelihood (class weights" in bridge.verdict


# --- more inputs than all orders can be tried of ------------------------------------------------------


def test_two_of_many_inputs_that_changed_places():
    linear_model = pytest.importorskip("sklearn.linear_model")
    draw = np.random.default_rng(0)
    numbers = draw.normal(size=(1000, 12))
    names = [f"v{j}" for j in range(12)]
    slopes = np.array([1, 1, 1, 1, 1, 1, 0.8, -0.2, 0.3, 0.6, -0.5, 0.0])
    frame = pd.DataFrame(numbers, columns=names).assign(y=draw.random(1000) < 1 / (1 + np.exp(-numbers @ slopes)))
    model = linear_model.LogisticRegression(C=np.inf, tol=1e-10).fit(numbers, frame.y)
    formula = f"y ~ {' + '.join(names)}"
    given = [*names[:6], "v7", "v6", "v10", "v9", "v8", "v11"]
    with pytest.warns(DataWarning, match=f"In the order {', '.join(names)} the deviance would be"):
        gb.bridge(formula, frame, network=model, inputs=given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gb.bridge(formula, frame, network=model, inputs=names)


@pytest.mark.parametrize("levels", [(0, 1), (False, True)])
def test_a_mirrored_event_of_a_response_without_words(levels):
    torch = pytest.importorskip("torch")
    frame = FRAME.assign(low=np.array(levels)[FRAME.low.astype(int)])
    params = gb.glm("low ~ age + lwt", frame).params
    unit = torch.nn.Linear(2, 1).double()
    with torch.no_grad():
        unit.weight[:] = -torch.tensor(params[["age", "lwt"]].to_numpy())[None]
        unit.bias[:] = -float(params["Intercept"])
    mirrored = torch.nn.Sequential(unit, torch.nn.Sigmoid())
    with pytest.warns(DataWarning, match=rf"As P\(low = {levels[0]}\) the deviance would be .* the other way round"):
        bridge = gb.bridge("low ~ age + lwt", frame, network=mirrored)
    assert "the other way round" in bridge.verdict and "untrained" not in bridge.verdict
