"""Plots: the numbers that are drawn, and the manners of every figure."""

from __future__ import annotations

import matplotlib
import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from report.readers import quietly

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError, DataError
from glmnet_bridge.report import canvas, curves, diagrams, graphs, likelihoods

SINGLE = ("coefficients", "curve", "boundary", "network", "contours", "likelihood")


def loglik(theta, spector, columns):
    """Of a logistic regression, by numpy alone."""
    eta = np.column_stack([np.ones(len(spector)), spector[columns]]) @ theta
    return float(np.sum(spector["GRADE"] * eta - np.logaddexp(0, eta)))


# --- data twins -----------------------------------------------------------------------------


def test_coefficients_data(fit):
    data = fit.plot.coefficients_data(intercept=True).set_index("term")
    assert np.array_equal(data["estimate"], fit.params)
    assert np.array_equal(data[["conf_low", "conf_high"]], fit.conf_int())
    assert "Intercept" not in set(fit.plot.coefficients_data()["term"])


def test_a_network_short_of_the_optimum_has_no_limits(trained):
    data = trained.plot.coefficients_data().set_index("view")
    assert np.isfinite(data.loc["GLM", "conf_low"]) and np.isnan(data.loc["network", "conf_low"])


def test_curve_data(fit, spector):
    data = fit.plot.curve_data("GPA", points=5)
    rows = spector.iloc[:5].assign(GPA=np.linspace(spector["GPA"].min(), spector["GPA"].max(), 5))
    rows = rows.assign(TUCE=spector["TUCE"].mean(), PSI=0)  # of two values, the more common one
    expected = fit.get_prediction(rows)
    for name in ("estimate", "conf_low", "conf_high"):
        assert np.allclose(data[name], expected[name], rtol=1e-14)
    assert set(data["view"]) == {"GLM"}


def test_curve_holds_levels_at_the_most_common_one(rough):
    fit = gb.glm("y ~ x + g", rough)
    common = rough["g"].mode().iloc[0]
    rows = rough.iloc[:2].assign(x=[rough["x"].min(), rough["x"].max()], g=common)
    assert np.allclose(fit.plot.curve_data(points=2)["estimate"], fit.predict(rows), rtol=1e-14)


@pytest.mark.parametrize("given", ["column", "array", "formula"])
def test_curve_with_an_exposure(rough, given):
    data = rough.assign(e=np.linspace(1, 3, len(rough)))
    right = {"formula": "x + offset(np.log(e))"}.get(given, "x")
    exposure = {"column": "e", "array": data["e"].to_numpy()}.get(given)
    fit = gb.glm(f"k ~ {right}", data, family="poisson", exposure=exposure)
    level = np.log(data["e"]).mean() if given == "array" else np.log(data["e"].mean())
    expected = np.exp(fit.params["Intercept"] + fit.params["x"] * data["x"].min() + level)
    assert fit.plot.curve_data(points=2)["estimate"][0] == pytest.approx(expected, rel=1e-12)


def test_curve_of_arrays(spector):
    fit = gb.fit(spector[["GPA", "TUCE"]].to_numpy(), spector["GRADE"].to_numpy(), names=["GPA", "TUCE"])
    same = gb.glm("GRADE ~ GPA + TUCE", spector)
    ours, theirs = (each.plot.curve_data("GPA", points=3)["estimate"] for each in (fit, same))
    assert np.allclose(ours, theirs, rtol=1e-10)


def test_boundary_data(fit):
    data = fit.plot.boundary_data("GPA", "TUCE", points=7)
    assert len(data) == 49
    eta = np.log(data["mean"] / (1 - data["mean"]))
    inner = fit.params["GPA"] * data["x"] + fit.params["TUCE"] * data["y"]
    assert np.ptp(eta - inner) < 1e-10


def test_network_data(fit, spector):
    data = fit.plot.network_data().set_index("source")
    assert data.loc["GPA", "weight"] == fit.params["GPA"]
    assert data.loc["bias", "weight"] == fit.params["Intercept"]
    assert data.loc["TUCE", "size"] == pytest.approx(fit.params["TUCE"] * spector["TUCE"].std(ddof=0))


def test_contours_are_those_of_the_likelihood(spector):
    fit = gb.glm("GRADE ~ GPA + TUCE", spector)
    data = fit.plot.contours_data("GPA", "TUCE")
    near = data[data["region"] == "near"]
    centre = near.loc[near["drop"].idxmin()]
    assert centre["x"] == pytest.approx(fit.params["GPA"], abs=0.1)
    top = loglik(fit.params.to_numpy(), spector, ["GPA", "TUCE"])
    for row in near.iloc[:: len(near) // 7].itertuples():
        there = loglik([fit.params["Intercept"], row.x, row.y], spector, ["GPA", "TUCE"])
        assert row.drop == pytest.approx(2 * (top - there), rel=0.01, abs=0.02)


def test_paths_begin_and_end_where_the_fit_did(trained):
    paths = trained.plot.paths_data("Intercept", "GPA")
    ends = paths.groupby("view", sort=False).last()
    assert list(ends.index) == ["GLM: IRLS", "network: gradient descent"]
    assert np.allclose(ends.iloc[0][["x", "y"]].astype(float), trained.glm.params, rtol=1e-12)
    assert np.allclose(ends.iloc[1][["x", "y"]].astype(float), trained.network.estimate.theta)


def test_likelihood_of_a_coin():
    fit = gb.glm("heads ~ 1", {"heads": [1] * 7 + [0] * 3})
    data = fit.plot.likelihood_data()
    p = data["mean"]
    assert np.allclose(p, 1 / (1 + np.exp(-data["value"])), rtol=1e-12)
    assert np.allclose(data["relative"], 7 * np.log(p / 0.7) + 3 * np.log((1 - p) / 0.3), atol=1e-10)
    marks = data[data["mark"] != ""].set_index("mark")
    assert marks.loc["estimate", "mean"] == pytest.approx(0.7)
    assert -2 * marks.loc[["95 % low", "95 % high"], "relative"].to_numpy() == pytest.approx(3.841459, abs=1e-5)
    ax = fit.plot.likelihood()
    assert ax.get_title(loc="left") == "Log-likelihood over Intercept" and "P(heads = 1)" in ax.get_xlabel()


def test_likelihood_is_the_profile(fit, spector):
    """Of the others maximised anew, as by Newton's steps in numpy alone."""
    data = fit.plot.likelihood_data("PSI")
    others = np.column_stack([np.ones(len(spector)), spector[["GPA", "TUCE"]]])
    for row in data.iloc[::16].itertuples():
        beta = fit.params[["Intercept", "GPA", "TUCE"]].to_numpy()
        for _ in range(30):
            mean = 1 / (1 + np.exp(-(others @ beta + row.value * spector["PSI"])))
            info = (others * (mean * (1 - mean)).to_numpy()[:, None]).T @ others
            beta = beta + np.linalg.solve(info, others.T @ (spector["GRADE"] - mean))
        eta = others @ beta + row.value * spector["PSI"]
        best = float(np.sum(spector["GRADE"] * eta - np.logaddexp(0, eta)))
        assert row.relative == pytest.approx(best - fit.llf, abs=1e-7)
    assert data["mean"].isna().all() and "Profile" in fit.plot.likelihood("PSI").get_title(loc="left")


def test_likelihood_of_many_rows_keeps_the_others(fit, monkeypatch, spector):
    monkeypatch.setattr(likelihoods, "WORK", 1)
    data = fit.plot.likelihood_data("PSI")
    columns = ["GPA", "TUCE", "PSI"]
    for row in data.iloc[::16].itertuples():
        there = loglik([*fit.params.iloc[:3], row.value], spector, columns)
        assert row.relative == pytest.approx(there - fit.llf, abs=1e-9)
    assert "keep their estimates" in fit.plot.likelihood("PSI").get_title(loc="left")


def test_likelihood_of_other_families(rough, wrecked, trained):
    data = rough.assign(w=rough["k"] + 1.0)
    gaussian = gb.glm("w ~ x + g", data, family="gaussian")
    marks = gaussian.plot.likelihood_data("x").query("mark != ''").set_index("mark")["value"]
    assert marks["95 % high"] - marks["estimate"] == pytest.approx(1.959964 * gaussian.bse["x"], rel=1e-5)
    identity = gb.glm("k ~ 1", data, family=gb.families.poisson(link="identity"))
    assert identity.plot.likelihood_data()["relative"].notna().sum() > 40
    assert len(trained.plot.likelihood_data("GPA")) == len(trained.glm.plot.likelihood_data("GPA"))
    with pytest.raises(ArgumentError, match="separated"):
        wrecked.plot.likelihood("x")
    with pytest.raises(ArgumentError, match="There is no coefficient 'X'"):
        gaussian.plot.likelihood("X")
    with pytest.raises(ArgumentError, match="without penalty"):
        gb.glm("w ~ x", data, family="gaussian", penalty=gb.penalties.ridge(1)).plot.likelihood()


def test_legends_have_room_and_name_the_steps(trained):
    ax = trained.plot.contours()
    labels = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert "GLM: IRLS, 5 steps" in labels and "network: gradient descent, 60 epochs" in labels
    for figure in (ax.figure, trained.plot.loss(), trained.plot.likelihood().figure):
        figure.canvas.draw()
        box = figure.legends[0].get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width


def test_loss_data(trained):
    data = trained.plot.loss_data().groupby("view", sort=False).last()
    n = trained.glm.nobs
    assert data["loss"].tolist() == pytest.approx(
        [trained.glm.deviance / (2 * n), trained.network.deviance / (2 * n)], rel=1e-12
    )
    assert data["distance"].iloc[1] == pytest.approx(trained.network.distance_to_mle)


def test_bins_are_weighted_means():
    points = pd.DataFrame({"x": np.repeat([1.0, 2.0], 40), "y": [0.0, 1.0] * 40, "weight": [1.0, 3.0] * 40})
    assert curves.binned(points).to_dict("list") == {"x": [1.0, 2.0], "y": [0.75, 0.75], "weight": [80.0, 80.0]}
    assert len(curves.binned(points.head(30))) == 0


# --- manners --------------------------------------------------------------------------------


def test_no_window_and_no_global_setting(bridge, trained):
    before, figures = dict(matplotlib.rcParams), plt.get_fignums()
    for plot in (bridge.glm.plot, bridge.plot):
        for name in SINGLE:
            ax = getattr(plot, name)()
            canvas.svg(ax.figure, name)
    canvas.svg(trained.plot.loss(), "loss")
    gb.figures.activations(), gb.figures.losses()
    assert plt.get_fignums() == figures
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", SINGLE)
def test_axes_that_are_given_are_drawn_on(fit, name):
    figure, ax = plt.subplots()
    try:
        assert getattr(fit.plot, name)(ax=ax) is ax
        assert ax.has_data() and plt.get_fignums() == [figure.number]
        figure.canvas.draw()
    finally:
        plt.close(figure)


def test_losses_on_given_axes():
    figure, ax = plt.subplots()
    assert gb.figures.losses(ax=ax) is ax
    plt.close(figure)


@pytest.mark.parametrize("name", SINGLE)
def test_what_is_no_axes_is_refused(fit, name):
    with pytest.raises(ArgumentError, match="give a matplotlib Axes"):
        getattr(fit.plot, name)(ax="here")


def test_several_panels_return_the_figure(fit):
    for figure in (fit.plot.loss(), gb.figures.activations()):
        assert isinstance(figure, matplotlib.figure.Figure)
        assert len(figure.axes) in (2, 4)


def test_notebooks_show_them(fit):
    for shown in (fit.plot.network(), fit.plot.loss()):
        assert shown._repr_png_().startswith(b"\x89PNG")


def test_svg_is_part_of_its_page(fit):
    text = canvas.svg(fit.plot.curve("GPA").figure, "curve")
    assert text.startswith("<svg") and "http" not in text and "<style" not in text and "<metadata" not in text
    assert "currentColor" in text and "stroke: #000000" not in text
    assert text == canvas.svg(fit.plot.curve("GPA").figure, "curve")


def test_hostile_names_are_drawn_as_they_are(hostile):
    for ax in (hostile.plot.coefficients(), hostile.plot.network(), hostile.plot.curve()):
        text = canvas.svg(ax.figure, "hostile")
        assert "<script" not in text
    text = canvas.svg(hostile.plot.network().figure, "hostile")
    assert "g[T.$_% &amp; #{}~^\\]" in text and "&lt;script&gt;" in text


def test_numbers_in_labels_are_not_rounded():
    ax = canvas.panel(None)
    ax.set_title("level 1.23456")
    assert "level 1.23456" in canvas.svg(ax.figure, "label")


def test_many_nodes_are_capped():
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 40)) * np.arange(1, 41)
    fit = gb.fit(x, random.integers(0, 2, 300))
    plan = diagrams.plan(fit.plot.network_data(), most=10)
    inputs = plan.nodes[plan.nodes["layer"] == 0]
    assert len(inputs) == 10 and inputs["name"].iloc[-1] == "... 32 more"
    sizes = fit.plot.network_data().dropna().set_index("source")["size"]
    shown = [name for name in inputs["name"] if name in sizes.index]
    assert sizes[shown].min() >= sizes.drop(shown).max()


def test_layers_are_drawn_from_left_to_right():
    from glmnet_bridge.model.layers import Activation, Affine
    from glmnet_bridge.model.networks import Inputs, Network, dense_entries

    layers = (Affine(2, 3, name="hidden"), Activation(3, "tanh"), Affine(3, 1))
    network = Network(Inputs(("a", "b")), layers, dense_entries(layers, ("a", "b")))
    data = graphs.edges(network, np.arange(13.0))
    assert data.groupby("layer").size().tolist() == [9, 4]
    assert data.query("layer == 0 and source == 'b' and target == 'hidden 1.2'")["weight"].item() == 5.0
    plan = diagrams.plan(data)
    assert plan.nodes.groupby("layer").size().tolist() == [3, 4, 1]
    ax = diagrams.draw_network(data, activation="sigmoid", response="P(y = 1)")
    assert canvas.svg(ax.figure, "layers")


# --- refusals -------------------------------------------------------------------------------


def test_refusals(fit, spector, clipped, rough):
    with pytest.raises(ArgumentError, match="'GPAA' is no numeric variable.*Did you mean 'GPA'"):
        fit.plot.curve("GPAA")
    with pytest.raises(ArgumentError, match="There is no coefficient 'gpa'.*Did you mean"):
        fit.plot.contours("gpa")
    with pytest.raises(ArgumentError, match="two levels"):
        gb.glm("GPA ~ TUCE + PSI", spector, family="gaussian").plot.boundary()
    with pytest.raises(ArgumentError, match="this model reads none\\."):
        gb.glm("GRADE ~ 1", spector).plot.boundary()
    with pytest.raises(ArgumentError, match="two coefficients"):
        gb.glm("GRADE ~ 1", spector).plot.contours()
    with pytest.raises(ArgumentError, match="no numeric variable"):
        gb.glm("GRADE ~ C(PSI)", spector).plot.curve()
    with pytest.raises(DataError, match="keep_data=True"):
        gb.glm("GRADE ~ GPA", spector, keep_data=False).plot.curve()
    with pytest.raises(ArgumentError, match="hidden activations"):
        clipped.network.plot.coefficients()


def test_figures_of_odd_fits(rough, wrecked, clipped):
    """Separated, aliased, grouped, without limits: all that can be drawn is drawn."""
    grouped = gb.glm("k + m ~ x", rough)
    flat = quietly(lambda: gb.glm("y ~ x", rough, max_steps=0))
    with pytest.raises(ArgumentError, match="twice = 2\\*x held in every row"):
        wrecked.plot.curve("x")
    canvas.svg(wrecked.plot.coefficients().figure, "odd")
    for plot in (grouped.plot, clipped.plot, flat.plot):
        for draw in (plot.coefficients, plot.curve, plot.network, plot.contours):
            canvas.svg(draw().figure, "odd")
        canvas.svg(plot.loss(), "odd")


def _drawn(layers, theta, names=("a", "b"), scales=None):
    from glmnet_bridge.model.networks import Inputs, Network, dense_entries

    network = Network(Inputs(names), layers, dense_entries(layers, names))
    data = graphs.edges(network, np.asarray(theta, dtype=float), scales)
    ax = diagrams.draw_network(data, activation="sigmoid", response="P(y = 1)")
    assert canvas.svg(ax.figure, "drawn")
    return data


def test_a_skip_connection_is_drawn_past_the_hidden_layer():
    from glmnet_bridge.model.layers import Activation, Affine, Branch

    hidden = Branch(Affine(2, 2, name="hidden"), 2, (0, 1), (0, 1))
    layers = (hidden, Branch(Activation(2, "tanh"), 4, (2, 3), (0, 1)), Affine(4, 1))
    data = _drawn(layers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    past = data.query("layer == 0 and into == 2").set_index("source")["weight"]
    assert past.to_dict() == {"a": 7.0, "b": 8.0}
    assert data.query("layer == 1 and source != 'bias'")["weight"].tolist() == [9.0, 10.0]
    assert sorted(data["weight"]) == list(range(1, 12))


def test_values_that_are_added_meet_in_one_node():
    from glmnet_bridge.model.layers import Affine, Branch, Fixed

    added = Fixed(np.ones((2, 1)), np.zeros(1), "add", "sum")
    layers = (Branch(Affine(2, 1, name="one"), 2, (0, 1), (0, 1)), Branch(Affine(2, 1), 3, (0, 1), (2,)), added)
    data = _drawn(layers, [1, 2, 3, 4, 5, 6])
    assert set(data["target"]) == {"output"} and sorted(data["weight"]) == [1, 2, 3, 4, 5, 6]


def test_sizes_are_those_of_scaled_inputs():
    from glmnet_bridge.model.layers import Affine, Normalise

    layers = (Normalise(np.array([1.0, 2.0]), np.array([8.0, 0.5])), Affine(2, 1, bias=False))
    data = _drawn(layers, [3.0, -4.0], scales=np.array([8.0, 0.25]))
    assert data["size"].tolist() == [3.0, 2.0] and data["weight"].tolist() == [3.0, -4.0]


def test_a_frozen_layer_has_lines_of_its_own():
    from glmnet_bridge.model.layers import Affine, Fixed

    data = _drawn((Fixed(np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([0.0, 7.0])), Affine(2, 1)), [4.0, 5.0, 6.0])
    assert data.query("into == 1")["weight"].tolist() == [1.0, 2.0, 3.0, 7.0]
    assert data.query("into == 2")["weight"].tolist() == [4.0, 5.0, 6.0]


def test_logits_are_drawn_with_their_classes():
    from glmnet_bridge.model.layers import Affine, Contrast
    from glmnet_bridge.model.networks import Inputs, Network, dense_entries

    layers = (Affine(2, 3), Contrast(3, base=1, others=(2, 0)))
    network = Network(Inputs(("a", "b")), layers, dense_entries(layers, ("a", "b")))
    assert graphs.logit_names(network, ("icu", "ward"), "home") == ("ward", "home", "icu")
