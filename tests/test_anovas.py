"""Tables of deviance: refits by formula give the same, whatever the rows are like; what is refused; what is said."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import glmnet_bridge as gb
from glmnet_bridge.data.rows import ArraySource, Columns, Source
from glmnet_bridge.data.splices import Joined, Picked

DATA = Path(__file__).parent / "references" / "data"
BIRTHS = pd.read_csv(DATA / "birthwt.csv").assign(site=lambda d: np.array(["x", "y", "z"])[d.index % 3])
EDGE = pd.DataFrame({"x": np.arange(6.0), "z": [0.0, 0, 0, 1, 0, 1], "y": [0, 1, 2, 7, 1, 3]})
FULL = "low ~ age + lwt + C(race) + smoke"


@pytest.fixture(scope="module")
def fit() -> gb.fits.Fit:
    return gb.glm(FULL, BIRTHS)


# --- columns side by side -------------------------------------------------------------------


def matrix(source: Source) -> np.ndarray:
    return Columns(*source.read(3, 50), source.layout).matrix()


@pytest.mark.parametrize("formula", ["low ~ age + lwt", "low ~ C(race) * site + age:site + lwt", "low ~ 0 + site"])
def test_splices(formula: str) -> None:
    """Any columns of any source, in any order, and two sources side by side."""
    random = np.random.default_rng(1)
    source = gb.glm(formula, BIRTHS).sample.source
    whole = matrix(source)
    for _ in range(20):
        at = random.permutation(source.layout.width)[: random.integers(0, source.layout.width + 1)]
        part = Picked(source, at)
        assert np.array_equal(matrix(part), whole[:, at])
        both = Joined(part, source)
        assert np.array_equal(matrix(both), np.column_stack([whole[:, at], whole]))
        beta = random.normal(size=(both.layout.width, 1))
        assert np.allclose(Columns(*both.read(3, 50), both.layout).dot(beta), matrix(both) @ beta)
    numbers = ArraySource(np.asfortranarray(random.normal(size=(len(BIRTHS), 2))), intercept=True)
    assert np.array_equal(matrix(Joined(source, numbers)), np.column_stack([whole, matrix(numbers)]))


# --- the same as by formulas ----------------------------------------------------------------

MODELS: list[tuple[str, list[str], str, dict[str, Any]]] = [
    ("low", ["age", "lwt", "C(race)", "smoke"], "binomial", {}),
    ("low", ["C(race)", "lwt", "site", "C(race):site"], "binomial", {"link": "probit"}),
    ("ftv", ["age", "C(race)", "lwt", "age:C(race)"], "poisson", {"offset": "0.01 * age"}),
    ("bwt", ["bs(lwt, df=4)", "site", "smoke"], "gaussian", {"freq_weights": "1 + ftv"}),
    ("bwt", ["C(race)", "smoke"], "gamma", {"link": "log", "prior_weights": "age"}),
    ("site", ["age", "C(race)"], "multinomial", {}),
]


@pytest.mark.parametrize(("response", "terms", "family", "more"), MODELS)
def test_sequential_as_by_formulas(response: str, terms: list[str], family: str, more: dict[str, Any]) -> None:
    fits = [
        gb.glm(f"{response} ~ {' + '.join(terms[:count]) or '1'}", BIRTHS, family, **more)
        for count in range(len(terms) + 1)
    ]
    for test in ("Chisq", "Rao", *(["F"] if fits[0].family.distribution.free_dispersion else [])):
        table, compared = gb.anova(fits[-1], test=test), gb.anova(*fits, test=test)
        assert table.index.tolist() == ["NULL", *terms] and compared.index.tolist() == list("123456"[: len(fits)])
        assert table.columns.tolist() == compared.columns.tolist()
        np.testing.assert_allclose(compared, table, rtol=1e-7, atol=1e-9 * fits[0].deviance)
        assert np.allclose(table["resid_deviance"], [fit.deviance for fit in fits], rtol=1e-10)
        assert table["resid_df"].tolist() == [fit.df_resid for fit in fits]
    backwards = gb.anova(*fits[::-1])
    forwards = gb.anova(*fits)
    for sign, name in ((-1, "df"), (-1, "deviance"), (1, "statistic"), (1, "p_value")):
        np.testing.assert_allclose(sign * backwards[name].iloc[1:], forwards[name].iloc[:0:-1], rtol=1e-8)


@pytest.mark.parametrize(("response", "terms", "family", "more"), MODELS)
def test_left_out_and_put_in_as_by_formulas(response: str, terms: list[str], family: str, more: dict[str, Any]) -> None:
    """drop1 and add1 are each other's mirror: the deviance of what is left, AIC, and the test."""
    whole = gb.glm(f"{response} ~ {' + '.join(terms)}", BIRTHS, family, **more)
    margins = {part for term in terms if ":" in term for part in term.split(":")}
    table = gb.drop1(whole, test="Chisq")
    assert table.index.tolist() == ["<none>", *(term for term in terms if term not in margins)]
    for term in table.index[1:]:
        rest = gb.glm(f"{response} ~ {' + '.join(each for each in terms if each != term)}", BIRTHS, family, **more)
        assert table.loc[term, "deviance"] == pytest.approx(rest.deviance, rel=1e-9)
        assert table.loc[term, "df"] == rest.df_resid - whole.df_resid
        if not whole.family.distribution.free_dispersion or family == "gaussian":
            assert table.loc[term, "aic"] == pytest.approx(rest.aic, rel=1e-9)
        back = gb.add1(rest, term, test="Chisq")
        assert back.loc[term, "deviance"] == pytest.approx(whole.deviance, rel=1e-9)
        assert back.loc[term, "df"] == table.loc[term, "df"]
        by_score, score = gb.add1(rest, f"~ . + {term}", test="Rao"), gb.score_test(rest, term)
        assert score.iloc[0].tolist() == pytest.approx(by_score.loc[term, ["df", "statistic", "p_value"]].tolist())
        in_table = gb.drop1(whole, test="Rao").loc[term, "statistic"] * whole.dispersion
        assert score["statistic"].iloc[0] * rest.dispersion == pytest.approx(in_table, rel=1e-7)


def test_f_of_least_squares_is_that_of_the_textbook() -> None:
    """drop1, add1, anova and the Wald test of the last term agree, as they do only there."""
    whole, less = (gb.glm(f"bwt ~ age{last}", BIRTHS, "gaussian") for last in (" + C(race)", ""))
    f = (less.deviance - whole.deviance) / 2 / (whole.deviance / whole.df_resid)
    p = scipy.stats.f.sf(f, 2, whole.df_resid)
    tables = (
        gb.drop1(whole), gb.add1(less, "C(race)"), gb.anova(whole), gb.anova(less, whole), gb.anova(whole, kind=2),
        gb.anova(whole, kind=3), gb.anova(whole, kind=3, test="F"), whole.wald_test("C(race)"),
    )  # fmt: skip
    for table in tables:
        row = table.loc["C(race)"] if "C(race)" in table.index else table.iloc[-1]
        assert row["statistic"] == pytest.approx(f, rel=1e-9) and row["p_value"] == pytest.approx(p, rel=1e-8)


def test_marginality() -> None:
    """Type II: each term given those that do not contain it, so that main effects ignore their interaction."""
    fit = gb.glm("low ~ age * smoke + lwt", BIRTHS)
    without = gb.glm("low ~ age + smoke + lwt", BIRTHS)
    second, third = gb.anova(fit, kind=2), gb.anova(fit, kind=3, test="Chisq")
    assert second.index.tolist() == ["age", "smoke", "lwt", "age:smoke"]
    assert np.allclose(second.loc[["age", "smoke"]], gb.anova(without, kind=2).loc[["age", "smoke"]], rtol=1e-7)
    assert third.index.tolist() == ["Intercept", "age", "smoke", "lwt", "age:smoke"]
    assert np.allclose(second.loc[["lwt", "age:smoke"]], third.loc[["lwt", "age:smoke"]], rtol=1e-7)
    assert third.loc["age", "deviance"] != pytest.approx(second.loc["age", "deviance"], rel=0.1)
    assert gb.drop1(fit).index.tolist() == ["<none>", "lwt", "age:smoke"]
    assert gb.add1(gb.glm("low ~ age", BIRTHS), "age * smoke * lwt").index.tolist() == ["<none>", "smoke", "lwt"]


def test_arrays_have_a_term_per_column() -> None:
    names = ["age", "lwt", "smoke"]
    arrays, formula = gb.fit(BIRTHS[names], BIRTHS["low"]), gb.glm("low ~ age + lwt + smoke", BIRTHS)
    for call in (gb.anova, gb.drop1, lambda fit: gb.anova(fit, kind=2), lambda fit: gb.anova(fit, kind=3)):
        ours, theirs = call(arrays), call(formula)
        assert ours.index.tolist() == theirs.index.tolist()
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    plain = gb.fit(BIRTHS[names].to_numpy(), BIRTHS["low"], intercept=False)
    assert gb.anova(plain).index.tolist() == ["NULL", "x1", "x2", "x3"]
    assert gb.anova(plain)["resid_deviance"].iloc[0] == pytest.approx(plain.null_deviance, rel=1e-12)
    added = [gb.add1(arrays, extra) for extra in (BIRTHS[["ht", "ui"]], BIRTHS[["ht", "ui"]].to_numpy())]
    by_text = gb.add1(formula, ["ht", "ui"])
    assert added[0].index.tolist() == by_text.index.tolist() and added[1].index.tolist()[1:] == ["added1", "added2"]
    for table in added:
        np.testing.assert_allclose(table, by_text, rtol=1e-8)
    series = gb.score_test(formula, BIRTHS["ht"])
    np.testing.assert_allclose(series, gb.score_test(formula, "ht"), rtol=1e-8)
    assert series.index.tolist() == ["ht"]


def test_without_an_intercept_and_without_columns() -> None:
    fit = gb.glm("low ~ 0 + C(race)", BIRTHS)
    assert gb.drop1(fit).loc["C(race)", "deviance"] == pytest.approx(fit.null_deviance, rel=1e-12)
    assert gb.anova(fit)["df"].iloc[1] == 3
    several = gb.glm("site ~ 0 + age", BIRTHS, "multinomial")
    empty = 2 * len(BIRTHS) * np.log(3)
    assert gb.drop1(several).loc["age", "deviance"] == pytest.approx(empty, rel=1e-12)
    rao = gb.drop1(several, test="Rao").loc["age"]
    assert rao["df"] == 2 and np.isfinite(rao["p_value"])
    nothing = gb.glm("low ~ 1", BIRTHS)
    assert gb.anova(nothing).index.tolist() == ["NULL"] and gb.drop1(nothing).index.tolist() == ["<none>"]
    assert gb.anova(nothing, kind=2).empty and gb.anova(nothing, kind=3).index.tolist() == ["Intercept"]


def test_score_of_two_classes_is_that_of_the_binomial() -> None:
    two, one = gb.glm(FULL, BIRTHS, "multinomial"), gb.glm(FULL, BIRTHS)
    for test in ("Chisq", "Rao"):
        np.testing.assert_allclose(gb.anova(two, test=test), gb.anova(one, test=test), rtol=1e-7)
        np.testing.assert_allclose(gb.drop1(two, test=test), gb.drop1(one, test=test), rtol=1e-7)
    assert gb.score_test(two, "ht").iloc[0].tolist() == pytest.approx(gb.score_test(one, "ht").iloc[0].tolist())


def test_many_blocks() -> None:
    """Refits read the rows in blocks, as the fit does."""
    random = np.random.default_rng(2)
    n = 40_000
    data = pd.DataFrame({"x": random.normal(size=n), "g": random.choice(list("abc"), n), "z": random.normal(size=n)})
    data["y"] = (random.random(n) < 1 / (1 + np.exp(-0.3 * data["x"] - (data["g"] == "b")))).astype(int)
    fit = gb.glm("y ~ x + g + z", data)
    table = gb.drop1(fit)
    for term, rest in {"x": "g + z", "g": "x + z", "z": "x + g"}.items():
        assert table.loc[term, "deviance"] == pytest.approx(gb.glm(f"y ~ {rest}", data).deviance, rel=1e-11)
    assert gb.anova(gb.glm("y ~ x", data), fit, test="Rao")["p_value"].iloc[1] < 1e-10


def test_columns_of_any_size() -> None:
    """Columns far from zero and of odd units change no test."""
    data = BIRTHS.assign(far=BIRTHS["age"] + 1e7, tiny=BIRTHS["lwt"] * 1e-9)
    fit, plain = gb.glm("low ~ far + tiny + smoke", data), gb.glm("low ~ age + lwt + smoke", data)
    for test in ("Chisq", "Rao"):
        for call in (gb.anova, gb.drop1):
            np.testing.assert_allclose(call(fit, test=test), call(plain, test=test), rtol=1e-7)
    np.testing.assert_allclose(fit.wald_test(["far", "tiny"]), plain.wald_test(["age", "lwt"]), rtol=1e-7)


# --- words ----------------------------------------------------------------------------------


def test_words(fit: gb.fits.Fit) -> None:
    small = gb.glm("low ~ age", BIRTHS)
    before = gb.drop1(fit)
    for test in ("Chisq", "chisq", "LRT", None):
        pd.testing.assert_frame_equal(gb.drop1(fit, test=test), before)
    assert gb.anova(fit).attrs["heading"] == (
        "Terms added one after the other, likelihood ratio test. Model: low ~ age + lwt + C(race) + smoke. "
        "Binomial, logit link; modelling P(low = 1)"
    )
    assert "1: low ~ age; 2: low ~ age + lwt" in gb.anova(small, fit).attrs["heading"]
    for table in (
        before,
        gb.anova(small, fit),
        gb.add1(small, "lwt"),
        gb.score_test(small, "lwt"),
        fit.wald_test("age"),
    ):
        assert "modelling P(low = 1)" in table.attrs["heading"]
        assert not table.columns.str.contains("[A-Z ]").any()
    assert before.columns.tolist() == ["df", "deviance", "aic", "statistic", "p_value"]
    assert gb.anova(fit, test="Rao").columns.tolist() == [
        "df", "deviance", "resid_df", "resid_deviance", "rao", "statistic", "p_value",
    ]  # fmt: skip


def test_a_bridge_stands_for_its_glm(fit: gb.fits.Fit) -> None:
    br = gb.bridge(FULL, BIRTHS)
    for call in (gb.anova, gb.drop1, lambda each: gb.score_test(each, "ht"), lambda each: gb.add1(each, "ht")):
        pd.testing.assert_frame_equal(call(br), call(fit), rtol=1e-9)
    pd.testing.assert_frame_equal(gb.anova(br.network), gb.anova(fit), rtol=1e-9)
    with pytest.warns(gb.errors.ConvergenceWarning):
        trained = gb.bridge("low ~ age", BIRTHS, train="gradient descent", epochs=3, random_state=1)
    np.testing.assert_allclose(gb.anova(trained), gb.anova(gb.glm("low ~ age", BIRTHS)), rtol=1e-8)
    with pytest.raises(gb.errors.FitError, match="maximum"):
        gb.anova(trained.network)


# --- what is refused ------------------------------------------------------------------------


def test_likelihoods_that_cannot_be_compared(fit: gb.fits.Fit) -> None:
    data, refused = gb.errors.DataError, gb.errors.ArgumentError
    gaps = BIRTHS.assign(ht=BIRTHS["ht"].where(BIRTHS.index > 3))
    shuffled = gb.glm("low ~ age", BIRTHS.sample(frac=1, random_state=1))
    cases: list[tuple[type, str, Any]] = [
        (data, "different rows", gb.glm("low ~ ht", gaps)),
        (data, "different responses", gb.glm("ui ~ age", BIRTHS)),
        (data, "different responses", gb.glm("low ~ age", BIRTHS, event=0)),
        (data, "different responses", shuffled),
        (data, "different weights", gb.glm("low ~ age", BIRTHS, prior_weights=np.arange(1.0, 190.0))),
        (data, "different offsets", gb.glm("low ~ age", BIRTHS, offset="0.01 * lwt")),
        (refused, "different families", gb.glm("low ~ age", BIRTHS, link="probit")),
        (refused, "not nested", gb.glm("low ~ age + ht", BIRTHS)),
        (refused, "not nested", gb.glm("low ~ smoke + lwt + C(race) + age", BIRTHS)),
        (refused, "penalised", gb.glm("low ~ age", BIRTHS, penalty=gb.penalties.ridge(1))),
    ]
    for kind, says, other in cases:
        with pytest.raises(kind, match=says):
            gb.anova(fit, other)
    one, other = (gaps.assign(age=gaps["age"].where(gaps.index != drop)).dropna() for drop in (5, 7))
    with pytest.raises(data, match="different rows .other labels"):
        gb.anova(gb.glm("low ~ 1", one), gb.glm("low ~ age", other))
    numbered = gb.fit(BIRTHS[["age"]].to_numpy(), BIRTHS["low"].to_numpy())  # rows without labels match by position
    named = gb.glm(FULL, BIRTHS.set_index(BIRTHS.index.astype(str) + "th"))
    assert gb.anova(numbered, named)["df"].iloc[1] == 4
    constant = gb.glm("low ~ age", BIRTHS, offset=np.zeros(len(BIRTHS)))
    assert gb.anova(constant, fit)["df"].iloc[1] == 4  # an offset of 0 is none


def test_nested_in_other_words(fit: gb.fits.Fit) -> None:
    """Nesting is of columns, not of names."""
    coarse = gb.glm("low ~ age + I((race == 'white') * 1)", BIRTHS)
    table = gb.anova(coarse, fit)
    assert table["df"].iloc[1] == 3
    assert table["deviance"].iloc[1] == pytest.approx(coarse.deviance - fit.deviance, rel=1e-9)


def test_arguments_refused(fit: gb.fits.Fit) -> None:
    refused = gb.errors.ArgumentError
    small = gb.glm("low ~ age", BIRTHS)
    calls: list[tuple[str, Any]] = [
        ("one fit or several", lambda: gb.anova()),
        ("this is a int", lambda: gb.anova(3)),
        ("kind=4", lambda: gb.anova(fit, kind=4)),
        ("kind=True", lambda: gb.anova(fit, kind=True)),
        ("terms of one fit", lambda: gb.anova(small, fit, kind=2)),
        ("test='Wald' is unknown", lambda: gb.anova(fit, test="Wald")),
        ("test='chi' is unknown", lambda: gb.anova(fit, test="chi")),
        ("test=3 is unknown", lambda: gb.drop1(fit, test=3)),
        ("estimated dispersion", lambda: gb.anova(fit, test="F")),
        ("has no argument 'tst'", lambda: gb.drop1(fit, tst="F")),
        ("in the model already", lambda: gb.add1(fit, "age")),
        ("holds an offset", lambda: gb.add1(fit, "ht + offset(ui)")),
        ("know no formula", lambda: gb.add1(gb.fit(BIRTHS[["age"]], BIRTHS["low"]), "lwt")),
        ("would have the name 'age'", lambda: gb.add1(fit, BIRTHS[["age"]])),
    ]
    for says, call in calls:
        with pytest.raises(refused, match=says):
            call()
    for says, call in (
        ("'hte'.*Did you mean 'ht'", lambda: gb.add1(fit, "hte")),
        ("has not kept its data", lambda: gb.add1(gb.glm("low ~ age", BIRTHS, keep_data=False), "lwt")),
        ("one for each", lambda: gb.add1(fit, np.zeros(3))),
        ("not all numbers", lambda: gb.add1(fit, BIRTHS[["site"]])),
        ("missing values", lambda: gb.score_test(fit, np.where(BIRTHS["ht"] == 1, np.nan, 1.0))),
        ("infinite", lambda: gb.score_test(fit, np.where(BIRTHS["ht"] == 1, np.inf, 1.0))),
    ):
        with pytest.raises(gb.errors.DataError, match=says):
            call()


def test_a_term_that_lacks_values_is_refused() -> None:
    gaps = BIRTHS.assign(ht=BIRTHS["ht"].where(BIRTHS.index > 3), old=BIRTHS["age"].where(BIRTHS.index > 5))
    fit = gb.glm("low ~ old", gaps)
    assert gb.add1(fit, "ht")["df"].iloc[1] == 1  # lacking where the fit has no row anyway
    table, known = gb.add1(fit, gaps["ht"].to_numpy()), gb.add1(fit, "ht")
    np.testing.assert_allclose(table, known, rtol=1e-8)
    with pytest.raises(gb.errors.DataError, match="'old' has 6 missing values in the rows of the fit"):
        gb.add1(gb.glm("low ~ lwt", gaps), "old")


# --- where the likelihood has no maximum ----------------------------------------------------


def test_separated() -> None:
    """The deviance is the limit; the tables say so, and are those of the rows that are left where Wald has nothing."""
    data = BIRTHS.assign(only=((BIRTHS["low"] == 1) & (BIRTHS["age"] > 25)).astype(int))
    with pytest.warns(gb.errors.SeparationWarning):
        fit = gb.glm("low ~ only + lwt + smoke", data)
    with pytest.warns(gb.errors.SeparationWarning, match="limit at infinite"):
        table = gb.drop1(fit)
    assert table.loc["only", "deviance"] == pytest.approx(gb.glm("low ~ lwt + smoke", data).deviance, rel=1e-10)
    with pytest.warns(gb.errors.SeparationWarning):
        kept = gb.glm("low ~ only + smoke", data)
    assert table.loc["lwt", "deviance"] == pytest.approx(kept.deviance, rel=1e-9)
    left = gb.glm("low ~ lwt + smoke", data[data["only"] == 0])
    with pytest.warns(gb.errors.SeparationWarning):
        score = gb.drop1(fit, test="Rao")
    assert score.loc["lwt", "statistic"] == pytest.approx(gb.drop1(left, test="Rao").loc["lwt", "statistic"], rel=1e-7)
    null = gb.glm("low ~ lwt + smoke", data)
    assert score.loc["only", "statistic"] == pytest.approx(gb.score_test(null, "only")["statistic"].iloc[0], rel=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gb.score_test(null, "only")["p_value"].iloc[0] < 1e-6  # that needs no maximum with the column


def test_at_the_edge_of_the_link() -> None:
    with pytest.warns(gb.errors.ConvergenceWarning):
        edge = gb.fit(np.arange(5.0), [0, 0, 4, 6, 9], "poisson", "identity")
    assert edge.outcome == "boundary"
    for call in (gb.anova, gb.drop1, lambda fit: gb.score_test(fit, np.arange(5.0) ** 2)):
        with pytest.raises(gb.errors.FitError, match="edge"):
            call(edge)
    # the fit is inside, what is left without a term is not: its deviance is known, its distribution is not
    inside = gb.glm("y ~ x + z", EDGE, "poisson", "identity")
    with pytest.warns(gb.errors.ConvergenceWarning, match="p_value is nan"):
        table = gb.drop1(inside)
    with pytest.warns(gb.errors.ConvergenceWarning):
        small = gb.glm("y ~ x", EDGE, "poisson", "identity")
    assert inside.converged and small.outcome == "boundary"
    assert table.loc["z", "deviance"] == pytest.approx(small.deviance, rel=1e-8)
    assert np.isnan(table.loc["z", "p_value"]) and np.isfinite(table.loc["x", "p_value"])
    with pytest.raises(gb.errors.FitError, match="edge"):
        gb.anova(small, inside)


def test_exact_fits_have_no_dispersion() -> None:
    data = {"y": [1.0, 2, 3, 4], "x": [0.0, 1, 2, 3]}
    with pytest.warns(gb.errors.DataWarning):
        fit = gb.glm("y ~ x", data, "gaussian")
    assert gb.drop1(fit).loc["x", "p_value"] < 1e-10
    with pytest.warns(gb.errors.DataWarning):
        full = gb.fit(np.arange(2.0), [1.0, 3.0], "gaussian")
    for call in (gb.anova, gb.drop1):
        with pytest.raises(gb.errors.DataError, match="residual degrees of freedom"):
            call(full)
