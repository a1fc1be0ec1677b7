"""Outputs of foreign networks and classes of the response: matched by their labels, refused where they differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from adapters.kit import FRAME

import glmnet_bridge as gb
from glmnet_bridge.adapters import outputs
from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.wirings import Wiring
from glmnet_bridge.errors import ReadError
from glmnet_bridge.mapping.raws import Intake
from glmnet_bridge.model import families
from glmnet_bridge.model.layers import Affine

LEVELS = ("home", "icu", "ward")


def foreign(units: int, activation: str = "softmax", classes: tuple = (), family=None) -> Foreign:
    """A network of `units` outputs on age and lwt."""
    wiring = Wiring(("age", "lwt"))
    theta = np.random.default_rng(2).normal(size=3 * units) * 0.02
    entries = [f"w[{j}]" for j in range(2 * units)] + [f"b[{j}]" for j in range(units)]
    network, theta, features = wiring.network(wiring.add(Affine(2, units), wiring.inputs, theta, entries))

    def forward(table: pd.DataFrame) -> np.ndarray:
        values = table.to_numpy(dtype=float) @ theta[: 2 * units].reshape(2, units) + theta[2 * units :]
        return outputs.OUTPUTS[activation](values)

    intake = Intake(("age", "lwt"), features, named=True)
    return Foreign("small network", intake, network, theta, forward, activation, family, classes=classes)


def bridge(given: Foreign, monkeypatch, frame: pd.DataFrame = FRAME, **arguments) -> gb.Bridge:
    from glmnet_bridge.adapters import recognition

    monkeypatch.setattr(recognition, "read", lambda model, options: given)
    return gb.bridge("outcome ~ age + lwt", frame, network=object(), **arguments)


@pytest.mark.parametrize("order", [("home", "icu", "ward"), ("ward", "home", "icu"), ("icu", "ward", "home")])
@pytest.mark.parametrize("base", LEVELS)
def test_outputs_are_matched_by_label(order, base, monkeypatch):
    given = foreign(3, classes=order)
    found = bridge(given, monkeypatch, base=base)
    shares = pd.DataFrame(given.forward(FRAME[["age", "lwt"]]), columns=list(order))
    assert found.network.family == families.multinomial() and found.network.modelled.endswith(f"against {base}")
    np.testing.assert_allclose(found.network.fittedvalues, shares[list(LEVELS)], rtol=1e-12)
    assert not any("does not name its classes" in note for note in found.notes)
    place = {name: order.index(name) for name in LEVELS}
    other = next(name for name in LEVELS if name != base)
    row = found.table.set_index("glm_term").loc[f"{other}: Intercept"]
    assert row.expression == f"b[{place[other]}] - b[{place[base]}]"


def test_without_labels_the_order_of_the_classes_is_taken_and_said(monkeypatch):
    given = foreign(3)
    found = bridge(given, monkeypatch)
    np.testing.assert_allclose(found.network.fittedvalues, given.forward(FRAME[["age", "lwt"]]), rtol=1e-12)
    assert "its outputs are taken to be home, icu, ward, in this order." in " ".join(found.notes)


def test_logits_without_softmax_are_the_same(monkeypatch):
    given = foreign(3, "linear", LEVELS)
    found = bridge(given, monkeypatch, family="multinomial")
    soft = outputs.OUTPUTS["softmax"](given.forward(FRAME[["age", "lwt"]]))
    np.testing.assert_allclose(found.network.fittedvalues, soft, rtol=1e-12)


def test_logits_against_the_base_are_taken_as_they_are(monkeypatch):
    given = foreign(2, "linear")
    found = bridge(given, monkeypatch, family="multinomial")
    np.testing.assert_allclose(found.network.predict(kind="link"), given.forward(FRAME[["age", "lwt"]]), rtol=1e-12)
    assert set(found.table.relation) == {"same"}


@pytest.mark.parametrize(("base", "sign"), [("home", 1.0), ("ward", -1.0)])
def test_one_logit_speaks_of_the_second_of_two_classes(base, sign, monkeypatch):
    two = FRAME[FRAME.outcome != "icu"].reset_index(drop=True)
    given = foreign(1, "sigmoid", ("home", "ward"))
    found = bridge(given, monkeypatch, two, family="multinomial", base=base)
    np.testing.assert_allclose(found.network.fittedvalues["ward"], given.forward(two[["age", "lwt"]])[:, 0], rtol=1e-12)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (foreign(3, classes=("home", "icu", "morgue")), ["morgue", "home, icu, ward", "that it was trained on"]),
        (foreign(4), ["4 units", "'outcome' has 3 classes", "home, icu, ward"]),
        (foreign(3, "sigmoid"), ["3 units with sigmoid each", "3 answers of yes or no"]),
        (foreign(2, "softmax"), ["2 units (softmax)", "3 classes"]),
        (replace(foreign(2), classes=("a", "b")), ["The network's classes are a, b"]),
    ],
)
def test_other_classes_are_refused(given, words, monkeypatch):
    with pytest.raises(ReadError) as caught:
        bridge(given, monkeypatch, family="multinomial")
    for word in words:
        assert word in str(caught.value)


def test_a_softmax_is_no_other_family(monkeypatch):
    with pytest.raises(ReadError, match="ends in softmax, but the log link"):
        bridge(foreign(3), monkeypatch, family="poisson")
