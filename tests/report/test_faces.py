"""What people see of a fit and of a bridge: repr, summary, notebook, report."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from report.readers import HOSTILE, parsed, quietly

import glmnet_bridge as gb
from glmnet_bridge import faces
from glmnet_bridge.errors import ArgumentError

LARGEST = 30_000  # bytes of a notebook cell


def test_repr_of_a_fit(fit):
    text = repr(fit)
    assert text.startswith("Binomial, logit link; modelling P(GRADE = 1")
    assert "GRADE ~ GPA + TUCE + PSI" in text
    assert re.search(r"^GPA +2\.83 +1\.26 +2\.24 +0\.025 ", text, re.M)
    assert "n = 32, log-likelihood -12.89, deviance 25.78" in text
    assert "converged after" in text and "SE from the maximum" in text


def test_summary_says_everything(rough):
    fit = quietly(lambda: gb.glm("k + m ~ z + x + twice + g", rough, prior_weights=np.full(240, 2.0)))
    text = " ".join(str(fit.summary(level=0.9)).split())
    for words in (
        "modelling P(success) from k successes and m failures",
        "k + m ~ z + x + twice + g",
        "230 of 240 rows",
        "10 of 240 rows left out for missing values (z: 10).",
        "Aliased columns were left out: twice = 2*x.",
        "Levels without a row were dropped (g: nobody).",
        "Reference level (g: a).",
        "prior weights (the variance is divided by them) and trials",
        "90 % Wald limits",
        "expected information",
        "1 (known)",
        "binomial constants of grouped data",
        "activation = inverse link (sigmoid)",
        "Outcome: converged, with aliased columns left out (rank deficient) after",
    ):
        assert words in text
    assert text.count("activation = inverse link") == 1


@pytest.mark.parametrize("family", ["gaussian", "gamma"])
def test_an_estimated_dispersion_is_said(rough, family):
    fit = gb.glm("w ~ x", rough.assign(w=rough["k"] + 1.0), family=family)
    text = " ".join(str(fit.summary()).split())
    assert f"{fit.dispersion:.5g}" in text and "Pearson's chi2 / df" in text
    assert "Student's t tests" in text and " t p 95 % low" in text
    assert "AIC and BIC count as a parameter" in text


def test_a_penalty_is_said(spector):
    text = " ".join(str(gb.glm("GRADE ~ GPA", spector, penalty=gb.penalties.ridge(2)).summary()).split())
    assert "Penalised: ridge(2), on the sum of the log-likelihood" in text
    assert "from the penalised maximum" in text


def test_infinite_and_aliased_coefficients(wrecked):
    table = wrecked.summary().as_text()
    assert re.search(r"^rare +inf *$", table, re.M)
    assert re.search(r"^twice +aliased *$", table, re.M)
    assert "nan" not in table
    assert "rare -> +inf" in table.split("coefficient")[0], "the warning comes before the numbers"
    assert "separated: there is no maximum" in repr(wrecked)
    assert "inf</td>" in wrecked._repr_html_() and "aliased</td>" in wrecked._repr_html_()


def test_a_fit_that_stopped_early_says_so_first(spector):
    fit = quietly(lambda: gb.glm("GRADE ~ GPA", spector, max_steps=1))
    assert "step limit" in repr(fit)
    assert 'class="warning"' in fit._repr_html_()


@pytest.mark.parametrize("columns", [1, 12, 300])
def test_sizes(columns):
    random = np.random.default_rng(0)
    x = random.normal(size=(900, columns))
    names = [f"a_rather_long_name_of_a_column_{j}" for j in range(columns)]
    fit = gb.fit(x, random.integers(0, 2, 900), names=names)
    assert len(repr(fit).splitlines()) <= 25
    assert max(map(len, repr(fit).splitlines())) <= 110
    assert len(fit._repr_html_().encode()) < LARGEST
    assert len(fit.summary().tables[0]) == columns + 1


def test_repr_of_many_columns_says_how_many_more():
    random = np.random.default_rng(0)
    fit = gb.fit(random.normal(size=(200, 40)), random.integers(0, 2, 200))
    assert re.search(r"\.\.\. \d+ more rows; summary\(\) shows all", repr(fit))


def test_notebook_html(hostile):
    page = hostile._repr_html_()
    found = parsed(page)
    tags = {tag for tag, _ in found.tags}
    assert {"table", "caption", "details", "svg"} <= tags
    assert "script" not in tags and "http" not in page
    for level in HOSTILE[1:]:
        assert f"g[T.{level}]" in found.text
    assert "kernel[x]" in found.text and "bias" in found.text
    assert page == hostile._repr_html_()
    assert "background" not in page.replace("background:none", "").replace("background:rgba", "")


def test_hostile_names_in_every_format(hostile, tmp_path):
    latex = hostile.summary().as_latex()
    assert r"g[T.\$\_\% \& \#\{\}\textasciitilde" in latex
    assert "<script" not in hostile.summary().as_markdown()
    page = hostile.report(tmp_path / "r.html").read_text(encoding="utf-8")
    assert "script" not in {tag for tag, _ in parsed(page).tags}


def test_report_of_a_fit(fit, tmp_path):
    page = fit.report(tmp_path / "fit.html").read_text(encoding="utf-8")
    tags = [tag for tag, _ in parsed(page).tags]
    assert tags.count("svg") == 5 and tags.count("figure") == 5
    assert {"script", "link", "img", "image"}.isdisjoint(tags)
    assert "http" not in page and "xlink" not in page and "Made with glmnet_bridge" in page
    assert page == fit.report(tmp_path / "again.html").read_text(encoding="utf-8")
    markdown = fit.report(tmp_path / "fit.md").read_text(encoding="utf-8")
    assert markdown.startswith("# Binomial, logit link; modelling P(GRADE = 1")
    assert "| GPA | 2.83 | 1.26 |" in markdown and "GRADE \\~ GPA" in markdown
    latex = fit.report(tmp_path / "fit.tex").read_text(encoding="utf-8")
    assert latex.startswith("\\documentclass") and latex.rstrip().endswith("\\end{document}")


def test_a_bad_path_is_refused_before_any_work(fit, tmp_path, monkeypatch):
    def never(*_):
        raise AssertionError("worked before looking at the path")

    monkeypatch.setattr(faces, "facts", never)
    with pytest.raises(ArgumentError, match="does not exist"):
        fit.report(tmp_path / "missing" / "r.html")


def test_repr_of_a_bridge(bridge):
    text = repr(bridge)
    assert len(text.splitlines()) <= 25
    heading = next(line for line in text.splitlines() if line.startswith("GLM column"))
    assert heading.split("  ") != [] and "coefficient" in heading and "as GLM" not in heading
    assert re.search(r"^GPA +kernel\[GPA\] +same +2\.83 +1\.26 +0 +exact$", text, re.M)
    assert bridge.verdict.split(".")[0] in text
    assert "log-likelihood -12.89" in text and "n = 32" in text and "Outcome: converged" in text


def test_repr_of_a_trained_network(trained):
    text = " ".join(repr(trained).split())
    assert "as GLM GLM std. error distance (SE) status" in text
    assert "GLM: n = 32, log-likelihood -16.21, deviance 32.42 (null 41.18), AIC 36.42; converged after" in text
    goodness = f"log-likelihood {trained.network.llf:.2f}, deviance {trained.network.deviance:.2f}"
    assert text.endswith(f"Network: {goodness}; stopped at the step limit after 60 epochs of gradient descent.")


def test_a_bridge_says_one_distance(trained, tmp_path):
    """The verdict's; the network's own summary says what its Newton decrement is."""
    both = " ".join(str(trained.summary()).split("Ideas")[0].split())
    page = parsed(trained._repr_html_()).text.split("Ideas")[0]
    markdown, latex = trained.summary().as_markdown(), trained.summary().as_latex()
    decrement = f"{trained.network.distance_to_mle:.2f} SE"
    for text in (both, page, markdown, latex):
        assert "Network: log-likelihood" in text and "GLM: n = 32" in text
        assert f"{trained.distances.joint:.2g} SE short" in text
        assert "Newton decrement" not in text.split("Ideas")[0] and "SE from the optimum" not in text
    assert "Stopped after 60 epochs. Train on with epochs=600" in both
    assert f"gradient descent, Newton decrement {decrement}." in " ".join(str(trained.network.summary()).split())


def test_where_a_verdict_has_no_distance_the_outcome_has_it(clipped):
    text = " ".join(repr(clipped).split())
    assert "from a local maximum of the likelihood" in text.split("Network:")[1]
    assert "Newton decrement (SE)" in str(clipped.summary())


def test_a_network_without_errors_says_nothing_of_them(clipped):
    text = " ".join(str(clipped.network.summary()).split())
    assert "Standard errors" not in text and "The weights have no standard errors" in text


def test_weights_that_were_given_are_no_failure(spector):
    net = gb.network("GRADE ~ GPA", spector, start=[-3.0, 1.0], train=None)
    text = " ".join(str(net.summary()).split())
    assert "The weights are as given, not fitted: likelihood, standard errors and tests" in text
    assert "Outcome: weights as given, not fitted, Newton decrement" in text
    assert 'class="warning"' not in net._repr_html_() and "The fit ended" not in text
    bridge = gb.bridge("GRADE ~ GPA", spector, inputs=["GPA"], start=[1.0, -3.0])
    assert "The weights are as given; they are" in bridge.verdict and "but" not in bridge.verdict
    assert " ".join(repr(bridge).split()).endswith("weights as given, not fitted.")


def test_a_start_that_was_the_maximum(spector):
    text = " ".join(repr(gb.glm("GRADE ~ 1", spector)).split())
    assert "converged (the start was already the maximum of the likelihood, to less than 1e-8 SE)" in text
    best = gb.glm("GRADE ~ GPA", spector).params
    given = repr(gb.network("GRADE ~ GPA", spector, start=best.to_numpy(), train=None))
    assert "the weights given are the maximum" in " ".join(given.split())


def test_no_null_deviance_is_not_shown(fit):
    from dataclasses import replace

    from glmnet_bridge.report import summaries

    known = faces.facts(fit)
    line = summaries.likelihood(replace(known, figures={**known.figures, "null_deviance": np.nan}))
    assert "null" not in line and line.endswith("deviance 25.78, AIC 33.78")


@pytest.mark.parametrize(
    "note",
    [
        "Stopped after 3 epochs, 2.5 SE from the optimum.",
        "Stopped after 3 epochs, 1e+02 SE from the optimum (kernel[C(g)[T.b]] alone is +2.5 SE away).",
        "Stopped after 3 epochs, 2.5 SE from the optimum of the rows trained on (bias alone is -2 SE away).",
    ],
)
def test_a_note_without_its_distance(note):
    from glmnet_bridge.report import sentences

    assert sentences.without_distance(f"{note} Train on.") == "Stopped after 3 epochs. Train on."


def test_text_columns_of_pages_are_at_the_left(bridge):
    """JupyterLab's own rule (two classes and an element) must not win."""
    page = bridge._repr_html_()
    assert ".gb.gb th[scope=row],.gb.gb .t.t{text-align:left}" in page
    heads = [attributes.get("class") for tag, attributes in parsed(page).tags if tag == "th" and "scope" in attributes]
    assert heads[:3] == ["t", "t", "t"] and heads[3] is None


def test_a_network_that_is_no_glm_shows_both_sides(clipped):
    text = repr(clipped)
    assert re.search(r"^GPA +- +glm only", text, re.M)
    assert re.search(r"^- +kernel\[GPA\] +network only", text, re.M)
    assert "std. error" not in repr(clipped.network)
    assert "weight" in repr(clipped.network)


def test_the_map_never_hides_a_difference(trained, bridge):
    """Columns are left out where they repeat; the numbers of `table` are all there."""
    document = trained.summary()
    pd.testing.assert_series_equal(document.tables[0]["std_error"], trained.table["std_error"])
    shown = faces.map_facts(bridge)
    assert shown.network is None and faces.map_facts(trained).network is not None


def test_bridge_documents(trained, tmp_path):
    text = " ".join(str(trained.summary()).split())
    for words in ("The term map", "Both views", "Ideas", "The network's layers", "activation = inverse link"):
        assert words in text
    page = trained.report(tmp_path / "b.html").read_text(encoding="utf-8")
    found = parsed(page)
    assert [tag for tag, _ in found.tags].count("svg") == 5
    assert "http" not in page and "script" not in {tag for tag, _ in found.tags}
    assert page == trained.report(tmp_path / "c.html").read_text(encoding="utf-8")
    assert len(trained._repr_html_().encode()) < LARGEST
    parsed(trained._repr_html_())


def test_redundant_weights_and_extra_inputs(spector):
    """A network with an input that the formula lacks: its row stands beside, and says so."""
    bridge = quietly(lambda: gb.bridge("GRADE ~ GPA", spector, inputs=["GPA", "TUCE"], train="lbfgs"))
    text = repr(bridge)
    assert re.search(r"^TUCE +kernel\[TUCE\] +network only", text, re.M)
    assert set(bridge.plot.curve_data(points=5)["view"]) == {"GLM", "network"}


def test_nothing_is_finite(tmp_path):
    data = pd.DataFrame({"x": np.arange(6.0), "y": [0, 0, 0, 1, 1, 1]})
    fit = quietly(lambda: gb.glm("y ~ x", data))
    assert "no coefficient is finite" in repr(fit) and re.search(r"^x +inf$", repr(fit), re.M)
    parsed(fit._repr_html_())
    parsed(fit.report(tmp_path / "r.html").read_text(encoding="utf-8"))


def test_no_dispersion_and_no_inference(spector):
    exact = quietly(lambda: gb.glm("y ~ x", pd.DataFrame({"x": [0.0, 1, 2], "y": [1.0, 3, 5]}), "gaussian"))
    assert "fits every row exactly" in repr(exact)
    data = pd.DataFrame({"x": np.tile(np.arange(6.0), 5), "y": np.tile([0, 0, 0, 1, 1, 1], 5)})
    edge = quietly(lambda: gb.glm("y ~ x", data, link="identity"))
    assert "standard errors do not apply there, nor do tests and limits" in " ".join(repr(edge).split())
    assert "std. error" not in repr(edge)
