"""Figures that check a fit, their numbers, and the list of findings."""

from __future__ import annotations

import matplotlib
import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from report.readers import quietly

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError

SINGLE = ("binned_residuals", "quantile_residuals", "calibration", "roc", "influence")


@pytest.fixture(scope="module")
def counts() -> gb.fits.Fit:
    random = np.random.default_rng(0)
    data = pd.DataFrame({"x": random.normal(size=150), "g": random.choice(list("ab"), 150)})
    data["k"] = random.poisson(random.gamma(1.0, np.exp(1 + 0.4 * data["x"])))
    return gb.glm("k ~ x + g", data, family="poisson")


@pytest.mark.parametrize("name", SINGLE)
def test_single_panels_draw_where_they_are_told(fit, name: str) -> None:
    figure = matplotlib.figure.Figure()
    ax = figure.add_subplot()
    assert getattr(fit.plot, name)(ax=ax) is ax
    assert getattr(fit.plot, name)().get_title(loc="left")
    assert len(getattr(fit.plot, f"{name}_data")())
    with pytest.raises(ArgumentError, match="ax="):
        getattr(fit.plot, name)(ax=3)


def test_binned_residuals(fit, counts) -> None:
    data = fit.plot.binned_residuals_data(bins=4)
    assert data["n"].sum() == 32 and len(data) == 4
    order = np.argsort(fit.fittedvalues.to_numpy(), kind="stable")[:8]
    mean = fit.fittedvalues.to_numpy()[order]
    assert data["fitted"][0] == pytest.approx(mean.mean())
    assert data["residual"][0] == pytest.approx(fit.residuals("response").to_numpy()[order].mean())
    assert data["high"][0] == pytest.approx(2 * np.sqrt((mean * (1 - mean)).sum()) / 8)
    assert len(counts.plot.binned_residuals_data()) == 12
    with pytest.raises(ArgumentError, match="bins=0"):
        fit.plot.binned_residuals_data(bins=0)


def test_quantile_residuals(counts) -> None:
    data = counts.plot.quantile_residuals_data(random_state=3)
    assert np.array_equal(data["residual"], np.sort(counts.residuals("quantile", random_state=3)))
    assert data["normal"].is_monotonic_increasing and data["normal"].sum() == pytest.approx(0, abs=1e-9)


def test_calibration(fit) -> None:
    data = fit.plot.calibration_data(groups=4)
    assert data["n"].sum() == 32
    assert (data["n"] * data["observed"]).sum() == pytest.approx((data["n"] * data["mean"]).sum())
    n, share, z = data["n"][3], data["observed"][3], 1.959963984540054
    roots = np.roots([1 + z * z / n, -(2 * share + z * z / n), share * share])  # Wilson's: |p - share| = z se(p)
    assert np.allclose(sorted(roots), data.loc[3, ["conf_low", "conf_high"]].astype(float))


def test_roc_and_influence(fit) -> None:
    curve = fit.plot.roc_data()
    assert curve.iloc[0].tolist() == [np.inf, 0.0, 0.0] and curve.iloc[-1, 1:].tolist() == [1.0, 1.0]
    called = fit.fittedvalues >= curve["threshold"][5]
    happened = fit.residuals("response") > 0
    assert curve["true_positive_rate"][5] == pytest.approx((called & happened).sum() / happened.sum())
    assert f"{fit.auc()['auc']:.3f}" in fit.plot.roc().get_title(loc="left")
    assert np.array_equal(fit.plot.influence_data()["cooks"], fit.influence()["cooks"])


def test_panel(fit, counts) -> None:
    assert len(fit.plot.check(random_state=0).axes) == 4
    assert set(fit.plot.check_data()["panel"]) == {"binned_residuals", "quantile_residuals", "influence", "calibration"}
    words = [text.get_text() for ax in counts.plot.check().axes for text in ax.texts]
    assert "Calibration: not for this model" in words
    assert "calibration" not in set(counts.plot.check_data(random_state=0)["panel"])


# --- findings -------------------------------------------------------------------------------


def test_findings(fit, counts) -> None:
    found = counts.check()
    assert found["dispersion"].status == "problem" and "negative binomial" in found["dispersion"].action
    assert not found.ok and len(found) == len(found.table) == 8
    assert list(found.table) == ["check", "status", "finding", "action"]
    assert {each.status for each in fit.check()} == {"ok", "note"}
    assert "3.67 of the rarer outcome" in fit.check()["sample size"].finding


def test_findings_print_well(counts) -> None:
    found = counts.check()
    text = repr(found)
    assert text.startswith("Check of Poisson, log link; modelling mean of k: 1 problem, 1 note, 6 ok")
    assert max(map(len, text.splitlines())) <= 100
    page = found._repr_html_()
    assert "<script" not in page and page.count("<tr>") == 9


def test_html_is_escaped() -> None:
    data = pd.DataFrame({"a<b>": np.arange(20.0), "y": np.tile([0, 1, 1, 0], 5)})
    page = gb.fit(data[["a<b>"]], data["y"]).check()._repr_html_()
    assert "<b>" not in page


def test_wrecks(rough, wrecked) -> None:
    found = wrecked.check()
    assert found["separation"].status == "problem" and "rare (+inf)" in found["separation"].finding
    assert found["aliasing"].status == "note" and "twice = 2*x" in found["aliasing"].finding
    assert found["link"].finding.startswith("Not checked.")
    unfinished = quietly(lambda: gb.glm("y ~ x", rough, max_steps=0))
    assert unfinished.check()["optimum"].status == "problem"


def test_collinear_influential_and_wrong() -> None:
    random = np.random.default_rng(1)
    data = pd.DataFrame({"x": random.uniform(0, 3, 200)})
    data["near"] = data["x"] + 0.01 * random.normal(size=200)
    data["y"] = np.exp(data["x"]) + random.normal(size=200)
    data.loc[0, ["x", "near", "y"]] = [9.0, 9.0, -50.0]
    data["own"] = (data.index == 3) * 1.0
    found = gb.glm("y ~ x + near", data, family="gaussian").check()
    assert found["collinearity"].status == "problem"
    assert found["influence"].status == "problem" and found["influence"].action.endswith("0.")
    assert found["link"].status == "problem"
    assert "leverage 1" in gb.glm("y ~ x + own", data, family="gaussian").check()["influence"].finding


def test_several_classes_and_penalties_say_why(rough) -> None:
    several = quietly(lambda: gb.glm("g ~ x", rough, family="multinomial")).check()
    assert [each.check for each in several if each.finding.startswith("Not checked")] == [
        "collinearity", "dispersion", "influence", "calibration", "link",
    ]  # fmt: skip
    ridge = gb.glm("y ~ x", rough, penalty=gb.penalties.ridge(1.0)).check()
    assert "without penalty" in ridge["influence"].finding
