"""Two classes: which level an output speaks of is matched by labels, said where it is assumed, and never guessed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from adapters.kit import FRAME
from adapters.test_classes import foreign

import glmnet_bridge as gb
from glmnet_bridge.adapters import recognition
from glmnet_bridge.adapters.labels import column_of, key, spoken
from glmnet_bridge.adapters.outputs import with_family
from glmnet_bridge.adapters.places import taken
from glmnet_bridge.design.expressions import build
from glmnet_bridge.design.responses import Response
from glmnet_bridge.errors import ReadError
from glmnet_bridge.model import families

LOW = FRAME.low.to_numpy()
DATA = FRAME.assign(
    one_two=LOW + 1,
    text=pd.Categorical(LOW.astype(str)),
    sick=np.where(LOW == 1, "sick", "healthy"),
    graded=np.where(LOW == 1, "bad", "good"),
    yes=LOW == 1,
    sign=2 * LOW - 1,
)


def logistic(response: str, frame: pd.DataFrame = DATA):
    """scikit-learn's, to the maximum of the likelihood."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000)
    return model.fit(frame[["age", "lwt"]], frame[response])


def joint(bridge: gb.Bridge) -> float:
    return float(np.nanmax(np.abs(bridge.distances.by_refit)))


MATCHED = [
    ("text", "low", None),
    ("low", "text", None),
    ("low", "yes", None),
    ("yes", "low", None),
    ("text", "yes", None),
    ("one_two", "one_two", 2),
    ("one_two", "one_two", 1),
    ("sick", "sick", "healthy"),
    ("graded", "graded", "bad"),
    ("yes", "I(low == 1)", None),
    ("yes", "I(sick == 'sick')", None),
    ("low", "sick", None),
    ("low", "sick", "healthy"),
    ("yes", "sick", "healthy"),
    ("sign", "sick", "healthy"),
    ("sign", "low", None),
    ("low", "C(low)", None),
]


@pytest.mark.parametrize(("trained", "written", "event"), MATCHED)
def test_labels_are_matched_by_value(trained, written, event):
    bridge = gb.bridge(f"{written} ~ age + lwt", DATA, network=logistic(trained), event=event)
    assert joint(bridge) < 1e-3


@pytest.mark.parametrize(
    ("trained", "written", "event", "words"),
    [
        ("one_two", "low", None, ["1, 2", "'low' has the levels 0, 1", "event=", "recode"]),
        ("low", "one_two", 2, ["0, 1", "'one_two' has the levels 1, 2"]),
        ("graded", "low", None, ["'bad', 'good'", "0, 1"]),
        ("sick", "graded", None, ["'healthy', 'sick'", "'bad', 'good'"]),
        ("sick", "I(sick == 'healthy')", None, ["'healthy', 'sick'", "False, True"]),
        ("low", "I(low == 0)", None, ["0, 1", "is an expression", "event="]),
        ("low", "I(1 - low)", None, ["is an expression"]),
        ("low", "I(sick == 'healthy')", None, ["is an expression"]),
    ],
)
def test_labels_that_do_not_match_are_refused(trained, written, event, words):
    with pytest.raises(ReadError) as caught:
        gb.bridge(f"{written} ~ age + lwt", DATA, network=logistic(trained), event=event)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(("trained", "calls"), [("low", "0, 1"), ("yes", "False, True"), ("sign", "-1, 1")])
def test_codes_beside_words_are_said(trained, calls):
    notes = gb.bridge("sick ~ age + lwt", DATA, network=logistic(trained)).notes
    assert f"The network's output is taken to be P(sick = 'sick'): it calls its classes {calls}." in notes


def answer(kind: str, levels: tuple, event, units: int, activation: str, classes: tuple, family=None):
    """Means that our reading gives the event."""
    response = Response(kind, (build("y", None, learn=False),), levels, event)
    given = foreign(units, activation, classes)
    family = family or families.named("binomial")
    network = with_family(given, response, family)
    table = FRAME[["age", "lwt"]]
    values = table.to_numpy(dtype=float)
    for layer, run in zip(network.layers, network.slices(), strict=True):
        values = layer.forward(values, given.theta[run])
    return family.mean(values)[:, 0], given.forward(table), response, given


@pytest.mark.parametrize(("units", "activation"), [(1, "sigmoid"), (2, "softmax")])
@pytest.mark.parametrize(
    ("levels", "event"),
    [((0, 1), 0), ((0, 1), 1), (("healthy", "sick"), "healthy"), (("healthy", "sick"), "sick"), ((1, 2), 1)],
)
def test_without_labels_the_last_level_is_meant_whatever_the_event(units, activation, levels, event):
    mean, own, response, given = answer("binary", levels, event, units, activation, ())
    last = own[:, -1]
    np.testing.assert_allclose(mean, last if event == levels[-1] else 1 - last, rtol=1e-12)
    found = taken(given, response)
    words = f"The network's output is taken to be P(y = {levels[-1]!r}): it does not name its classes."
    assert (found.note, found.levels) == ("" if (levels, event) == ((0, 1), 1) else words, levels)


@pytest.mark.parametrize("event", ["healthy", "sick"])
def test_tanh_speaks_of_the_last_level_too(event):
    mean, own, *_ = answer("binary", ("healthy", "sick"), event, 1, "tanh", ())
    sick = (1 + own[:, 0]) / 2
    np.testing.assert_allclose(mean, sick if event == "sick" else 1 - sick, rtol=1e-9)


@pytest.mark.parametrize("kind", ["proportion", "successes"])
@pytest.mark.parametrize(("units", "activation"), [(1, "sigmoid"), (2, "softmax")])
def test_successes_are_the_last_output(kind, units, activation):
    for classes, note in (
        (("a", "b"), "The network's output is taken to be P(success): it is that of its class 'b'."),
        ((0, 1), ""),
        ((), ""),
    ):
        mean, own, response, given = answer(kind, (), None, units, activation, classes)
        np.testing.assert_allclose(mean, own[:, -1], rtol=1e-12)
        found = taken(given, response)
        assert (found.note if found else "") == note


def test_a_link_that_is_not_symmetric_is_not_turned():
    with pytest.raises(ReadError, match=r"by the cloglog link.* Give event='b'"):
        family = families.named("binomial", "cloglog")
        answer("binary", ("a", "b"), "a", 1, "1 - exp(-exp(eta))", ("a", "b"), family)


def test_keys_and_columns():
    labels = [0, 0.0, False, "0", np.False_, np.int64(0), "False"]
    assert {key(label) for label in labels} == {"0"} and key(1.5) == "1.5" and key("sick") == "sick"
    assert [column_of(text) for text in ("low", "C(low)", "Q('my low')", "I(low == 0)", "np.log(low)", "a + b")] == [
        "low", "low", "my low", None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("trained", "written"),
    [("I(low == 0)", "low"), ("I(low==0)", "sick"), ("low", "I(low == 0)"), ("I(low == 1)", "yes"), ("sick", "low")],
)
def test_the_response_of_a_statsmodels_formula_is_kept(trained, written):
    smf = pytest.importorskip("statsmodels.formula.api")
    sm = pytest.importorskip("statsmodels.api")
    model = smf.glm(f"{trained} ~ age + lwt", DATA, family=sm.families.Binomial()).fit(tol=1e-12)
    with pytest.raises(ReadError, match=r"The network's (response is|classes are)"):
        gb.bridge(f"{written} ~ age + lwt", DATA, network=model)
    same = gb.bridge(f"{trained} ~ age + lwt", DATA, network=model)
    assert joint(same) < 1e-6 and not any("is taken to be P" in note for note in same.notes)


@pytest.mark.parametrize("event", [0, 1])
def test_a_statsmodels_formula_of_a_number_is_about_1(event):
    smf = pytest.importorskip("statsmodels.formula.api")
    model = smf.logit("low ~ age + lwt", DATA).fit(disp=0, tol=1e-12)
    bridge = gb.bridge("low ~ age + lwt", DATA, network=model, event=event)
    assert joint(bridge) < 1e-6
    sign = 1 if event else -1
    assert bridge.table.set_index("glm_term").as_glm["age"] == pytest.approx(sign * model.params["age"])


def test_spoken_level_is_the_models_own():
    response = Response("binary", (build("y", None, learn=False),), ("bad", "good"), "good")
    assert spoken(foreign(1, "sigmoid", ("good", "bad")), response).level == "bad"
    assert recognition.read(logistic("graded")).classes == ("bad", "good")
