"""Why do two fits differ: each cause is planted alone, and found with its share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mapping.structures import FRAME, unit

import glmnet_bridge as gb

RIDGE = gb.penalties.ridge


def causes(a, b):
    found = gb.compare(a, b)
    assert found.causes["share"].sum() == pytest.approx(1.0 if found.size > 1e-6 else 0.0, abs=1e-9)
    return found.causes.set_index("cause")


def test_a_fit_does_not_differ_from_itself():
    fit = gb.glm("y ~ x1 + g", FRAME)
    found = gb.compare(fit, fit)
    assert found.size == 0.0 and len(found.causes) == 0 and (found.table["difference"] == 0).all()
    assert found.verdict == "Both fits make the same predictions (less than 1e-06 SE apart)."


def test_coding_changes_coefficients_and_no_prediction():
    found = gb.compare(gb.glm("y ~ x1 + C(g)", FRAME), gb.glm("y ~ x1 + C(g, Sum)", FRAME))
    assert found.causes["cause"].tolist() == ["coding"] and found.size < 1e-6
    assert "code the same model in different columns" in found.verdict


@pytest.mark.parametrize(
    ("cause", "a", "b"),
    [
        ("penalty", {"penalty": RIDGE(3)}, {}),
        ("penalty", {}, {"penalty": RIDGE(3)}),
        ("terms", {"formula": "y ~ x1 + g"}, {}),
        ("family", {"link": "probit"}, {}),
        ("event", {"event": 0}, {}),
        ("rows", {"data": FRAME.iloc[:200]}, {}),
        ("rows", {"prior_weights": "w"}, {}),
        ("training", {"max_steps": 1}, {}),
    ],
)
@pytest.mark.filterwarnings("ignore::glmnet_bridge.errors.ConvergenceWarning")
def test_one_cause_is_all_of_the_gap(cause, a, b):
    frame = FRAME.assign(w=np.linspace(0.5, 1.5, len(FRAME)))
    one, two = ({"formula": "y ~ x1 + x2", "data": frame} | each for each in (a, b))
    found = causes(gb.glm(**one), gb.glm(**two))
    assert found.share[cause] == pytest.approx(1.0, abs=2e-3), found


def test_causes_of_both_sides_are_told_apart():
    found = gb.compare(gb.glm("y ~ x1", FRAME, penalty=RIDGE(5)), gb.glm("y ~ x1 + x3", FRAME, penalty=RIDGE(1)))
    assert found.causes["cause"].tolist() == ["penalty", "terms", "penalty"]
    assert found.causes["side"].tolist() == ["a", "", "b"]
    assert "the penalty of a" in found.verdict and "other terms" in found.verdict


@pytest.mark.filterwarnings("ignore::glmnet_bridge.errors.ConvergenceWarning")
def test_trained_networks_are_compared_with_fits():
    net = gb.network("y ~ x1 + x3", FRAME, train="adam", epochs=3, random_state=1, start=[0.0, 0.0, 0.0])
    found = causes(net, gb.glm("y ~ x1 + x3", FRAME))
    assert found.share["training"] == pytest.approx(1.0)


def test_a_bridge_stands_for_its_network():
    bridge = gb.bridge("y ~ x1", FRAME)
    assert gb.compare(bridge, bridge.glm).size < 1e-6


def test_it_is_shown_in_text_and_html():
    found = gb.compare(gb.glm("y ~ x1", FRAME, penalty=RIDGE(5)), gb.glm("y ~ x1", FRAME))
    assert "Of this gap, 100 % is the penalty of a." in " ".join(repr(found).split())
    assert "Both side by side" in found._repr_html_() and "<script" not in found._repr_html_()


def test_what_is_no_fit_is_refused():
    fit = gb.glm("y ~ x1", FRAME)
    with pytest.raises(gb.errors.ArgumentError, match=r"second argument of compare is a dict\. Give a Fit or a Bridge"):
        gb.compare(fit, {})


def test_other_rows_need_the_data():
    one, two = gb.glm("y ~ x1", FRAME.iloc[:200]), gb.glm("y ~ x1", FRAME, keep_data=False)
    with pytest.raises(gb.errors.BridgeError, match=r"different rows.*keep_data=True"):
        gb.compare(one, two)


@pytest.mark.parametrize("shuffled", [False, True])
def test_other_data_under_the_same_labels_are_other_rows(shuffled):
    other = FRAME.assign(x1=0.5 * FRAME.x1 + FRAME.x3)
    if shuffled:
        other = FRAME.sample(frac=1.0, random_state=1).reset_index(drop=True)
    found = gb.compare(gb.glm("y ~ x1", FRAME, penalty=RIDGE(3)), gb.glm("y ~ x1", other))
    assert set(found.causes["cause"]) <= {"penalty", "rows"} and "other terms" not in found.verdict
    assert found.causes["share"].sum() == pytest.approx(1.0)
    found = gb.compare(gb.glm("y ~ x1", FRAME), gb.glm("y ~ x1", FRAME.copy()))
    assert found.size < 1e-9 and len(found.causes) == 0


def tied(**options):
    net = unit("x1 + x3")
    matrix, ones = np.array([[0.0], [1.0], [1.0]]), np.array([1.0, 0.0, 0.0])
    return gb.network("y ~ x1 + x3", FRAME, network=replace(net, inputs=replace(net.inputs, matrix=matrix, ones=ones)),
                      **options)  # fmt: skip


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_tied_network_at_its_own_optimum_differs_by_its_structure(side):
    net, glm = tied(train="lbfgs", start=[0.0, 0.0]), gb.glm("y ~ x1 + x3", FRAME)
    assert net.converged
    found = gb.compare(*((net, glm) if side == "a" else (glm, net)))
    assert found.causes["cause"].tolist() == ["structure"] and found.causes["side"].tolist() == [side]
    gap = (
        FRAME[["x1", "x3"]].to_numpy() @ (net.params - glm.params)[["x1", "x3"]]
        + (net.params - glm.params)["Intercept"]
    )
    assert np.abs(gap).max() > 0.5
    assert float(found.causes["largest"][0].split(":")[1].split()[0]) == pytest.approx(
        gap[np.abs(gap).argmax()] * (1 if side == "a" else -1), rel=0.01
    )


@pytest.mark.filterwarnings("ignore::glmnet_bridge.errors.ConvergenceWarning")
def test_all_at_once_adds_up():
    net = tied(train="sgd", epochs=2, start=[0.0, 0.0], penalty=RIDGE(4), random_state=1)
    found = causes(net, gb.glm("y ~ x1 + x2", FRAME.iloc[:250], link="probit", penalty=RIDGE(2)))
    assert found.index.tolist() == ["training", "penalty", "structure", "family", "rows", "terms", "penalty"]


@pytest.mark.filterwarnings("ignore::glmnet_bridge.errors.SeparationWarning")
def test_predictions_at_infinity_have_no_gap():
    frame = FRAME.assign(y=(FRAME.x1 > 0).astype(int))
    found = gb.compare(gb.glm("y ~ x1", frame), gb.glm("y ~ x1", frame, penalty=RIDGE(1)))
    assert np.isnan(found.size) and len(found.causes) == 0 and "at infinity" in found.verdict
    assert found.table["a"].isin([np.inf, -np.inf]).any() and "at infinity" in repr(found)


def test_other_links_are_compared_by_their_means():
    """Their linear predictors have other units; the probabilities hardly differ."""
    a, b = gb.glm("y ~ x1 + x2", FRAME), gb.glm("y ~ x1 + x2", FRAME, link="probit")
    found = gb.compare(a, b)
    mean = b.fittedvalues
    by_hand = np.sqrt((((a.fittedvalues - mean) ** 2) / (mean * (1 - mean))).sum())
    assert found.size == pytest.approx(by_hand, rel=1e-9) and found.size < 0.5
    assert found.causes["largest"][0].endswith("in the mean")


# --- other responses, several classes ----------------------------------------------------------------


def test_another_response_of_the_same_rows_is_said():
    frame = FRAME.assign(other=(FRAME.x2 + 3 * FRAME.y > 41).astype(int))
    found = causes(gb.glm("other ~ x1 + x3", frame), gb.glm("y ~ x1 + x3", frame))
    assert found.share["response"] == pytest.approx(1.0, abs=1e-6)
    assert found.explanation["response"] == "a models P(other = 1), b P(y = 1)"
    found = causes(gb.glm("I(x2 > 40) ~ x1", FRAME), gb.glm("y ~ x1", FRAME))
    assert found.index.tolist() == ["response"]


@pytest.mark.filterwarnings("ignore::glmnet_bridge.errors.SeparationWarning")
def test_a_separated_fit_on_the_way_leaves_no_shares():
    """b's response is separated by a's columns, of which b itself has none."""
    frame = FRAME.assign(parted=(FRAME.x1 > 0).astype(int))
    found = gb.compare(gb.glm("y ~ x1", frame), gb.glm("parted ~ x3", frame))
    assert np.isnan(found.size) and len(found.causes) == 0 and "on the way" in found.verdict


CLASSES = FRAME.assign(
    kind=np.array(["low", "mid", "high"])[
        np.digitize(FRAME.x3 + 0.7 * FRAME.y + np.sin(np.arange(len(FRAME))), [0.0, 0.8])
    ]
)


@pytest.mark.parametrize(
    ("cause", "a", "b"),
    [
        ("penalty", {"penalty": RIDGE(3)}, {}),
        ("terms", {"formula": "kind ~ x1"}, {}),
        ("rows", {"data": CLASSES.iloc[:200]}, {}),
        ("training", {"max_steps": 1}, {}),
        ("penalty", {"base": "mid"}, {"penalty": RIDGE(3)}),
        ("terms", {"base": "mid", "formula": "kind ~ x1"}, {"base": "high"}),
    ],
)
@pytest.mark.filterwarnings("ignore::glmnet_bridge.errors.ConvergenceWarning")
def test_several_classes(cause, a, b):
    """The size of the gap is the same whatever the bases: it is one of the probabilities."""
    plain = {"formula": "kind ~ x1 + x3", "data": CLASSES, "family": "multinomial"}
    one, two = (gb.glm(**(plain | each)) for each in (a, b))
    found = causes(one, two)
    assert found.share[cause] == pytest.approx(1.0, abs=2e-3), found
    eta = [np.log(fit.predict(CLASSES)[["high", "low", "mid"]]).to_numpy() for fit in (one, two)]
    shares = two.fittedvalues[["high", "low", "mid"]].to_numpy()
    apart = eta[0] - eta[1]
    middle = (shares * apart).sum(axis=1)
    by_hand = np.sqrt((shares * (apart - middle[:, None]) ** 2).sum())
    assert gb.compare(one, two).size == pytest.approx(by_hand, rel=1e-8)


def test_another_base_is_a_coding():
    one, two = (gb.glm("kind ~ x1", CLASSES, "multinomial", base=base) for base in ("low", "mid"))
    found = gb.compare(one, two)
    assert found.size < 1e-6 and found.causes["cause"].tolist() == ["coding"]
    other = gb.glm("kind ~ x1", CLASSES.assign(kind=CLASSES.kind.str.upper()), "multinomial")
    for pair in ((one, other), (one, gb.glm("y ~ x1", CLASSES))):
        with pytest.raises(gb.errors.ArgumentError, match="no predictions in common"):
            gb.compare(*pair)


def test_arrays_of_other_rows_and_of_other_units():
    draw = np.random.default_rng(3)
    one, two = draw.normal(size=(2, 300, 2))
    fits = [gb.fit(X, (draw.random(300) < 1 / (1 + np.exp(-X[:, 0]))).astype(int)) for X in (one, two)]
    assert causes(*fits).index.tolist() == ["rows"]
    y = fits[0].rows.response[:, 0]
    found = gb.compare(gb.fit(one, y), gb.fit(2 * one, y))
    assert found.size < 1e-6 and found.causes["cause"].tolist() == ["coding"]
    with pytest.raises(gb.errors.BridgeError, match="other responses and other columns"):
        gb.compare(fits[0], gb.fit(two, 1 - fits[1].rows.response[:, 0], names=["u", "v"]))
