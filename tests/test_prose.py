"""Words about fits: inline numbers, results paragraphs, labels, reference rows; nothing that does not hold."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError, BridgeError
from glmnet_bridge.report import paragraphs
from glmnet_bridge.report.paragraphs import PLAIN, Effect, Measure

OR = Measure("OR", "odds ratio", 1.0)
SILENT = pytest.mark.filterwarnings("ignore::glmnet_bridge.errors.BridgeWarning")


def made() -> pd.DataFrame:
    random = np.random.default_rng(2)
    n = 300
    frame = pd.DataFrame({"age": random.normal(30, 8, n), "race": random.choice(["black", "other", "white"], n)})
    frame["smoke"] = random.integers(0, 2, n)
    eta = 1.2 * frame.smoke - 0.4
    frame["low"] = (random.random(n) < 1 / (1 + np.exp(-eta))).astype(int)
    frame["visits"] = random.poisson(np.exp(0.5 * frame.smoke))
    frame["place"] = random.choice(["home", "icu", "ward"], n)
    frame["weight"] = random.normal(3000, 400, n) - 200 * frame.smoke
    frame["always"] = (frame.low == 1) & (frame.age > 30)
    frame["never"] = (frame.low == 0) & (frame.age < 25)
    frame.loc[:4, "age"] = np.nan
    return frame


FRAME = made()


@pytest.fixture(scope="module")
def fit() -> gb.fits.Fit:
    return gb.glm("low ~ age + C(race) + smoke", FRAME)


def numbers_of(text: str) -> list[float]:
    return [float(part) for part in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", text.replace("95 % CI", ""))]


def test_inline_says_the_numbers_of_the_table(fit):
    text = fit.inline("smoke")
    assert re.fullmatch(r"OR \d\.\d\d, 95 % CI \d\.\d\d to \d\.\d\d, p < 0\.001", text)
    row = fit.tidy(exponentiate=True).set_index("term").loc["smoke"]
    wanted = [row.estimate, row.conf_low, row.conf_high]
    np.testing.assert_allclose(numbers_of(text)[:3], wanted, atol=0.0051)
    assert fit.inline("smoke", exponentiate=False).startswith(f"b {fit.params['smoke']:.1f}")
    assert "90 % CI" in fit.inline("smoke", level=0.9)


def test_inline_of_a_factor_says_each_level(fit):
    text = fit.inline("race")
    assert text == fit.inline("C(race)") and text.count("OR") == 2
    assert text.startswith("C(race)[T.other]: OR ") and "; C(race)[T.white]: OR " in text
    assert fit.inline("C(race)[T.other]") in text
    assert fit.inline("race", labels={"race": "Race"}).startswith("Race: other: OR ")


def test_inline_of_unknown_terms_names_the_nearest(fit):
    with pytest.raises(ArgumentError, match="no term 'smok'.*Did you mean 'smoke'"):
        fit.inline("smok")


def test_inline_of_several_classes_says_each():
    fit = gb.glm("place ~ smoke", FRAME, "multinomial", base="home")
    text = fit.inline("smoke")
    assert text.startswith("icu: smoke: RRR ") and "; ward: smoke: RRR " in text
    assert fit.inline("icu: smoke") in text
    paragraph = fit.report_text()
    assert "multinomial logistic regression on smoke" in paragraph and "RRR is the relative-risk ratio" in paragraph
    assert "Intercept" not in paragraph


@pytest.mark.parametrize(
    "response, family, link, short",
    [
        ("low", "binomial", "logit", "OR"),
        ("low", "binomial", "probit", "b"),
        ("low", "binomial", "cloglog", "b"),
        ("low", "binomial", "log", "RR"),
        ("visits", "poisson", "log", "RR"),
        ("visits", "poisson", "sqrt", "b"),
        ("weight", "gaussian", "identity", "b"),
        ("weight", "gamma", "log", "ratio"),
        ("weight", "gamma", "inverse", "b"),
    ],
)
def test_each_link_has_its_measure(response, family, link, short):
    fit = gb.glm(f"{response} ~ smoke", FRAME, family, link)
    text = fit.inline("smoke")
    assert text.startswith(f"{short} ")
    estimate = fit.params["smoke"] if short == "b" else np.exp(fit.params["smoke"])
    stated = float(text.split(",")[0].split(" ")[1])
    error = fit.bse["smoke"] * (1 if short == "b" else estimate)
    assert abs(stated - estimate) <= max(error, 1e-12)
    assert f"{text})" in fit.report_text()


def test_small_effects_keep_their_digits():
    """A limit beside 1 is not rounded to 1, a small number not to 0, and p near the level shows its side."""
    phrase = paragraphs.phrase
    near = Effect("x", "finite", 0.9873, 0.97467, 0.99999, 0.04991)
    assert phrase(near, OR, 0.95) == "OR 0.98730, 95 % CI 0.97467 to 0.99999, p = 0.0499"
    assert (
        phrase(Effect("x", "finite", 1.7, 0.004, 700.0, 0.8), OR, 0.95) == "OR 1.70, 95 % CI 0.0040 to 700.00, p = 0.80"
    )
    assert phrase(Effect("x", "finite", 1e-9, -1e-9, 3e-9, 0.3), PLAIN, 0.95).startswith("b 1.0e-9, 95 % CI -1.0e-9")
    assert (
        phrase(Effect("x", "finite", 4e9, 2.0, 8e18, 0.9999), OR, 0.95) == "OR 4.00e+9, 95 % CI 2 to 8.00e+18, p > 0.99"
    )
    assert [paragraphs.p_value(p) for p in (0.0, 0.00099, 0.001, 0.0495, 0.051, 0.42, np.nan)] == [
        "p < 0.001", "p < 0.001", "p = 0.001", "p = 0.0495", "p = 0.051", "p = 0.42", "",
    ]  # fmt: skip


def test_the_paragraph_says_model_rows_terms_and_fit(fit):
    text = fit.report_text(labels={"smoke": "Smoking", "race": "Race"})
    assert text.startswith(
        "A logistic regression on Race, age, Smoking (Binomial, logit link; modelling P(low = 1)) was"
    )
    assert "by maximum likelihood. It used 295 rows. 5 of 300 rows left out for missing values (age: 5)." in text
    significant, rest = re.search(
        r"Significant at the 5 % level: (.*?)\. Not significant: (.*?)\. The model", text
    ).groups()
    assert f"Smoking ({fit.inline('smoke')})" in significant and "age" not in significant
    assert f"age ({fit.inline('age')})" in rest and "Race: other (" in rest
    assert f"deviance {fit.deviance:.2f} on {fit.df_resid:.0f} degrees of freedom" in text
    assert f"AIC {fit.aic:.2f}" in text and "OR is the odds ratio" in text
    assert text == fit.report_text(labels={"smoke": "Smoking", "race": "Race"})


def test_the_dispersion_and_its_tests_are_named():
    text = gb.glm("weight ~ smoke", FRAME, "gaussian").report_text()
    assert "A linear regression on smoke" in text and "dispersion " in text and "t tests are two-sided" in text


@SILENT
def test_separated_data():
    fit = gb.glm("low ~ smoke + always + never", FRAME)
    assert fit.inline("always") == "OR tends to infinity: the data are separated"
    assert fit.inline("never") == "OR tends to 0: the data are separated"
    assert fit.inline("never", exponentiate=False) == "b tends to minus infinity: the data are separated"
    text = fit.report_text()
    assert "always[T.True] -> +inf" in text and "Without a test: always[T.True]" in text
    assert "rows that are not separated" in text


@SILENT
def test_aliased_columns():
    fit = gb.glm("low ~ smoke + twice", FRAME.assign(twice=2 * FRAME.smoke))
    assert fit.inline("twice") == "aliased, no coefficient of its own"
    assert "Aliased columns were left out: twice = 2*smoke." in fit.report_text()


@SILENT
def test_what_is_no_maximum_has_no_tests():
    started = gb.glm("low ~ smoke", FRAME, max_steps=1)
    ridge = gb.glm("low ~ smoke", FRAME, penalty=gb.penalties.ridge(5))
    given = gb.network("low ~ smoke", FRAME, start=[0.1, 0.5], train=None)
    constant = gb.glm("y ~ smoke", FRAME.assign(y=2.5), "gaussian")
    edge = gb.glm("y ~ smoke", pd.DataFrame({"y": [1, 1, 1, 0, 1, 0], "smoke": [1, 1, 1, 0, 0, 0]}), "binomial", "log")
    assert edge.outcome == "boundary"
    for fit, caveat, way in (
        (started, "not converged", "without reaching the maximum of the likelihood"),
        (ridge, "shrunken by a penalty", "by penalised maximum likelihood (ridge(5))"),
        (given, "weights as given", "was evaluated at given weights"),
        (constant, "every row is fitted exactly", "was fitted by maximum likelihood"),
        (edge, "on the edge of what the link allows", "on the edge"),
    ):
        inline, text = fit.inline("smoke"), fit.report_text()
        assert caveat in inline and "p =" not in inline and "CI" not in inline
        assert way in text and "Estimates: smoke (" in text
        assert "ignificant" not in text and "p <" not in text and "p =" not in text and "% CI" not in text


def test_a_hidden_network_has_no_terms():
    fit = gb.network("low ~ smoke + age", FRAME, activation="tanh")
    with pytest.raises(BridgeError, match="hidden activations"):
        fit.inline("smoke")
    text = fit.report_text()
    assert text.startswith("A neural network with 3 weights on smoke, age") and "no standard errors" in text


def test_a_bridge_says_its_verdict_first():
    bridge = gb.bridge("low ~ smoke", FRAME)
    assert bridge.report_text() == f"{bridge.verdict} {bridge.glm.report_text()}"


def test_a_loaded_fit_says_the_same(fit, tmp_path):
    twin = gb.load(fit.save(tmp_path / "fit.gb"))
    assert twin.report_text() == fit.report_text() and twin.inline("race") == fit.inline("race")


# --- tables -----------------------------------------------------------------------------------


def test_reference_rows_stand_at_their_place():
    fit = gb.glm("low ~ age + C(race, Treatment('other')) + smoke", FRAME)
    plain, table = fit.tidy(exponentiate=True), fit.tidy(exponentiate=True, reference_rows=True)
    assert table["term"].tolist()[:4] == [
        "Intercept",
        "C(race, Treatment('other'))[T.black]",
        "C(race, Treatment('other'))[other]",
        "C(race, Treatment('other'))[T.white]",
    ]
    assert table["reference"].tolist() == [False, False, True, *[False] * 3]
    assert table.loc[2, "estimate"] == 1.0 and table.loc[2, ["std_error", "p_value", "conf_low"]].isna().all()
    rest = table[~table["reference"]].drop(columns="reference").reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, plain, check_exact=True)
    assert fit.tidy(reference_rows=True).loc[2, "estimate"] == 0.0


@pytest.mark.parametrize("formula", ["low ~ age", "low ~ 0 + race", "low ~ C(race, Sum)", "low ~ age:race"])
def test_codings_without_a_reference_have_no_such_row(formula):
    assert not gb.glm(formula, FRAME).tidy(reference_rows=True)["reference"].any()


def test_reference_rows_of_several_classes():
    table = gb.glm("place ~ race", FRAME, "multinomial").tidy(reference_rows=True)
    found = table[table["reference"]]
    assert found[["response_level", "term"]].to_numpy().tolist() == [["icu", "race[black]"], ["ward", "race[black]"]]


def test_reference_rows_of_arrays():
    fit = gb.fit(FRAME[["smoke"]], FRAME["low"])
    assert not fit.tidy(reference_rows=True)["reference"].any()
    assert fit.tidy(labels={"smoke": "Smoking"})["term"].tolist() == ["Intercept", "Smoking"]


def test_labels_name_columns_levels_and_interactions():
    fit = gb.glm("low ~ np.log(age) + smoke*C(race)", FRAME)
    labels = {"np.log(age)": "Log age", "smoke": "Smoking", "race": "Race", "Intercept": "Constant"}
    assert fit.tidy(labels=labels)["term"].tolist() == [
        "Constant", "Race: other", "Race: white", "Log age", "Smoking", "Smoking x Race: other",
        "Smoking x Race: white",
    ]  # fmt: skip
    own = fit.tidy(labels={"smoke:C(race)[T.other]": "both"})["term"].tolist()
    assert own[5:] == ["both", "smoke:C(race)[T.white]"]
    assert fit.tidy(labels={"race": "Race"}, reference_rows=True)["term"].tolist()[1] == "Race: black"
    with pytest.raises(ArgumentError, match="labels= names 'smok'.*Did you mean 'smoke'"):
        fit.tidy(labels={"smok": "Smoking"})


def test_the_hooks_of_maketables(fit):
    table = fit.__maketables_coef_table__
    assert table.columns.tolist() == ["b", "se", "t", "p", "ci95l", "ci95u"]
    pd.testing.assert_series_equal(table["b"], fit.params, check_names=False, check_exact=True)
    pd.testing.assert_series_equal(table["ci95u"], fit.conf_int()["conf_high"], check_names=False, check_exact=True)
    assert (fit.__maketables_stat__("N"), fit.__maketables_stat__("ll")) == (295, fit.llf)
    assert fit.__maketables_stat__("r2") is None and fit.__maketables_depvar__ == "low"
    assert fit.__maketables_vcov_info__ == {"se_type": fit.__maketables_stat__("se_type")}
