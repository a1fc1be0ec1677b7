"""Outputs that were matched with the levels by place: the verdict says so, and a match that is far better warns."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from adapters.test_classes import bridge as of_foreign
from adapters.test_classes import foreign

import glmnet_bridge as gb
from glmnet_bridge.adapters.places import taken
from glmnet_bridge.design.expressions import build
from glmnet_bridge.design.responses import Response
from glmnet_bridge.errors import DataWarning

COLUMNS = ["x1", "x2"]
ASSUMED = "The network's output is taken to be P(yr = 'dead'): it calls its classes 0, 1."


def made(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(n, 2)), columns=COLUMNS)
    logits = np.column_stack([np.zeros(n), 1.5 * frame.x1, frame.x2 - frame.x1, 2 * frame.x2, -frame.x2])
    noisy = logits + rng.gumbel(size=logits.shape)
    return frame.assign(
        yr=np.where(noisy[:, 1] > noisy[:, 0], "alive", "dead"),
        of=np.array(list("abc"))[noisy[:, :3].argmax(axis=1)],
        five=np.array(list("pqrst"))[noisy.argmax(axis=1)],
        w=rng.uniform(0.5, 2.0, n),
        known=0.3 * rng.normal(size=n),
    )


FRAME = made()


def logistic(response, C: float = np.inf):
    linear_model = pytest.importorskip("sklearn.linear_model")
    return linear_model.LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(FRAME[COLUMNS], response)


def read(network, response: str = "yr", frame: pd.DataFrame = FRAME, **arguments):
    """The bridge, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bridge = gb.bridge(f"{response} ~ x1 + x2", frame, network=network, **arguments)
    return bridge, [str(each.message) for each in caught if issubclass(each.category, DataWarning)]


def mended(network, levels, response: str = "yr", **arguments) -> gb.Bridge:
    """Read as the sentence says: the response as a category with the levels in this order."""
    frame = FRAME.assign(**{response: pd.Categorical(FRAME[response], levels)})
    bridge, warned = read(network, response, frame, **arguments)
    assert not warned and bridge.remarks.match == "" and bridge.remarks.taken
    return bridge


def one(value: float) -> str:
    return f"{value:.1f}"


# --- two levels ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [{}, {"event": "alive"}, {"prior_weights": "w"}, {"offset": "known", "event": "dead"}]
)
def test_an_event_the_other_way_round(arguments):
    """Whatever the event, an output without a name is that of the last level: to model the other one does not help."""
    model = logistic((FRAME.yr == "alive").astype(int))
    bridge, (warned,) = read(model, **arguments)
    right = mended(model, ["dead", "alive"], **arguments)
    figures = f"{one(right.network.deviance)} instead of {one(bridge.network.deviance)}: is it the other way round?"
    assert warned.startswith(f"{ASSUMED} As P(yr = 'alive') the deviance would be {figures}")
    assert warned.endswith("or a category whose last level is 'alive'.")
    assert warned in bridge.verdict and "training" not in bridge.verdict and bridge.telling_causes.empty
    assert "looks untrained" not in bridge.verdict


def test_a_match_that_is_right_is_said_and_raises_no_alarm():
    bridge, warned = read(logistic((FRAME.yr == "dead").astype(int)))
    assert warned == [] and bridge.verdict.startswith(f"{ASSUMED} The network is the GLM")
    penalised, warned = read(logistic((FRAME.yr == "dead").astype(int), C=0.01))
    assert warned == [] and penalised.verdict.startswith(ASSUMED) and "the penalty" in penalised.verdict


def test_labels_that_are_the_levels_are_no_assumption():
    bridge, warned = read(logistic(FRAME.yr))
    assert warned == [] and bridge.remarks.taken == "" and "is taken to be" not in bridge.verdict


def test_true_of_an_expression():
    """Its own name: no more than a note, unless it was of another expression."""
    bridge, warned = read(logistic(FRAME.yr == "dead"), "I(yr == 'dead')")
    taken = "The network's output is taken to be P(I(yr == 'dead') = True): it calls its classes False, True."
    assert warned == [] and taken in bridge.notes and bridge.verdict.startswith("The network is the GLM")
    bridge, (warned,) = read(logistic(FRAME.yr == "alive"), "I(yr == 'dead')")
    assert (
        warned.startswith(f"{taken} As P(I(yr == 'dead') = False) the deviance would be") and warned in bridge.verdict
    )


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("units", [1, 2])
def test_networks_without_labels(units, hidden):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    trunk = [nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, units)] if hidden else [nn.Linear(2, units)]
    model = nn.Sequential(*trunk, nn.Sigmoid() if units == 1 else nn.Softmax(dim=1)).double()
    params = gb.glm("yr ~ x1 + x2", FRAME, event="alive").params
    with torch.no_grad():
        for each in model.parameters():
            each.zero_()
        if hidden:  # units in their linear range
            model[0].weight[:2] = 1e-3 * torch.eye(2)
        model[-2].weight[-1, :2] = torch.tensor(params[COLUMNS].to_numpy()) * (1e3 if hidden else 1.0)
        model[-2].bias[-1] = params["Intercept"]
    bridge, (warned,) = read(model, inputs=COLUMNS)
    least = gb.glm("yr ~ x1 + x2", FRAME).deviance
    assert "P(yr = 'dead'): it does not name its classes. As P(yr = 'alive')" in warned and warned in bridge.verdict
    assert f"would be {one(least)} instead of {one(bridge.network.deviance)}: is it the other way round?" in warned
    assert (bridge.correspondence is None) == hidden


@pytest.mark.parametrize("seed", range(20))
def test_weights_that_say_nothing_raise_no_alarm(seed):
    """Of a network that is wrong either way the other way is not suggested."""
    model = logistic((FRAME.yr == "alive").astype(int))
    direction = np.random.default_rng(seed).normal(size=2)
    bent = gb.glm("yr ~ x1 + x2", FRAME, event="alive").params[COLUMNS].to_numpy()
    direction -= bent * (direction @ bent) / (bent @ bent)  # says nothing of what the GLM says
    model.coef_ = 2.0 * direction[None] / np.linalg.norm(direction)
    bridge, warned = read(model)
    assert warned == [] and bridge.remarks.match == "" and ASSUMED in bridge.verdict


def test_a_link_that_is_not_symmetric_is_left_alone(monkeypatch):
    """With the sign of eta turned it would be the GLM, but not as the probability of the other level."""
    from glmnet_bridge.adapters import recognition

    frame = FRAME.assign(age=FRAME.x1, lwt=FRAME.x2)
    given = foreign(1, "1 - exp(-exp(eta))", ())
    best = gb.glm("yr ~ age + lwt", frame, link="cloglog")
    given.theta[:] = -best.params[["age", "lwt", "Intercept"]]
    monkeypatch.setattr(recognition, "read", lambda model, options: given)
    bridge = gb.bridge("yr ~ age + lwt", frame, link="cloglog", network=object())
    assert bridge.network.deviance > best.deviance + 100 and bridge.remarks.match == ""
    assert "is taken to be P(yr = 'dead')" in bridge.verdict


# --- several classes -----------------------------------------------------------------------------


@pytest.mark.parametrize("base", [None, "b"])
@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
def test_classes_in_another_order(order, base):
    """Codes 0, 1, 2 stand for the classes in this order; read as a, b, c."""
    model = logistic(pd.Categorical(FRAME.of, order).codes)
    bridge, warned = read(model, "of", base=base, family="multinomial")
    assumed = "The network does not name its classes: its outputs are taken to be a, b, c, in this order."
    assert bridge.verdict.count(assumed) == 1
    if order == ("a", "b", "c"):
        assert warned == [] and bridge.remarks.match == ""
        return
    right = mended(model, list(order), "of", base=base, family="multinomial")
    figures = f"{one(right.network.deviance)} instead of {one(bridge.network.deviance)}"
    assert warned == [
        f"{assumed} As {', '.join(order)} the deviance would be {figures}: are its classes in another order? Give "
        "the column that it was trained on as the response, or a category with its levels in that order."
    ]
    assert warned[0] in bridge.verdict and right.network.llf == pytest.approx(right.union.llf, abs=1e-4)


def test_five_classes():
    order = list("srpqt")
    model = logistic(pd.Categorical(FRAME.five, order).codes)
    _, (warned,) = read(model, "five", family="multinomial")
    right = mended(model, order, "five", family="multinomial")
    assert f"As s, r, p, q, t the deviance would be {one(right.network.deviance)} instead of" in warned


def test_two_classes_of_the_multinomial_family():
    model = logistic((FRAME.yr == "alive").astype(int))
    _, (warned,) = read(model, family="multinomial")
    assert "As P(yr = 'alive') the deviance would be" in warned


def test_log_odds_against_the_base(monkeypatch):
    """An output less than classes: the assumption says against which."""
    given = foreign(2, "linear")
    found = of_foreign(given, monkeypatch, family="multinomial", base="icu")
    words = "its outputs are taken to be the log-odds of home, ward against icu, in this order."
    assert words in found.verdict and any(note.endswith(words) for note in found.notes)
    response = Response("classes", (build("of", None, learn=False),), ("a", "b", "c"), base="b")
    assert taken(given, response).levels == ("b", "a", "c") and taken(given, response).less
