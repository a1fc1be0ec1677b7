"""What people see of a model of several classes."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError

LARGEST = 30_000  # bytes of a notebook cell


@pytest.fixture(scope="module")
def bridge() -> gb.Bridge:
    random = np.random.default_rng(12)
    frame = pd.DataFrame({"age": random.normal(50.0, 9.0, 250), "z": random.normal(size=250)})
    eta = np.column_stack([np.zeros(250), 0.02 * (frame.age - 50), 0.8 * frame.z])
    own = (eta + random.gumbel(size=eta.shape)).argmax(axis=1)
    frame["outcome"] = pd.Categorical.from_codes(own, ["home", "ward", "icu"])
    return gb.bridge("outcome ~ age + z", frame, "multinomial")


def test_repr_names_what_is_modelled_and_each_coefficient(bridge):
    text = repr(bridge.glm)
    assert text.startswith("Multinomial, logit link; modelling P(outcome = ward), P(outcome = icu) against home\n")
    for name, value in bridge.glm.params.items():
        shown = re.search(rf"^{name} +(\S+)", text, re.M)
        assert shown and float(shown.group(1)) == pytest.approx(value, abs=1e-3), name
    assert len(repr(bridge).splitlines()) <= 25 and "kernel[age, icu]" in repr(bridge)


def test_the_summary_speaks_both_languages(bridge):
    text = " ".join(str(bridge.glm.summary()).split())
    for words in (
        "2 units (one for each class after the base) on the same columns",
        "activation = inverse link (softmax)",
        "mean loss = categorical cross-entropy per row",
        f"Null deviance {bridge.glm.null_deviance:.2f}",
    ):
        assert words in text
    ideas = bridge.concepts.set_index("glm").value
    assert ideas["distribution: multinomial"] == "categorical cross-entropy" and ideas["link: logit"] == "softmax"


@pytest.mark.parametrize("ending", ["html", "md", "tex"])
def test_reports_are_written(bridge, ending, tmp_path):
    for shown in (bridge, bridge.glm):
        written = shown.report(tmp_path / f"report.{ending}").read_text(encoding="utf-8")
        assert "ward: age" in written
    if ending == "html":
        assert written.count("<svg") >= 2


def test_notebook_cells_are_small(bridge):
    for shown in (bridge, bridge.glm):
        html = shown._repr_html_()
        assert len(html.encode()) < LARGEST and "<script" not in html and "kernel[z, icu]" in html


def test_figures_that_a_model_of_several_classes_has(bridge):
    data = bridge.plot.coefficients_data()
    assert data.term.tolist() == ["ward: age", "ward: z", "icu: age", "icu: z"]
    assert bridge.plot.coefficients_data(intercept=True).term.tolist()[0] == "ward: Intercept"
    edges = bridge.plot.network_data()
    assert sorted(set(edges.target)) == ["icu", "ward"] and sorted(set(edges.source)) == ["age", "bias", "z"]
    kernel = edges.set_index(["source", "target"]).weight
    assert kernel["age", "icu"] == bridge.glm.params["icu: age"]
    assert bridge.plot.loss_data().loss.iloc[-1] == pytest.approx(bridge.glm.deviance / 500, rel=1e-12)
    for draw in (bridge.plot.coefficients, bridge.plot.network):
        draw()
    bridge.plot.loss()


@pytest.mark.parametrize("figure", ["curve", "boundary", "contours", "likelihood"])
def test_figures_of_one_mean_are_refused_in_words(bridge, figure):
    with pytest.raises(ArgumentError, match="one for each class|two levels|one coefficient for each column"):
        getattr(bridge.plot, figure)()
