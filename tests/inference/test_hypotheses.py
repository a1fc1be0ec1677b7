"""Wald tests, contrasts and their texts: against statsmodels, by hand, and what is refused."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.formula.api as smf

import glmnet_bridge as gb
from glmnet_bridge.inference import restrictions

DATA = Path(__file__).parents[1] / "references" / "data"
BIRTHS = pd.read_csv(DATA / "birthwt.csv")
FORMULA = "low ~ age + lwt + C(race) + smoke"


@pytest.fixture(scope="module")
def fit() -> gb.fits.Fit:
    return gb.glm(FORMULA, BIRTHS)


@pytest.fixture(scope="module")
def gaussian() -> gb.fits.Fit:
    return gb.glm(FORMULA.replace("low", "bwt"), BIRTHS, "gaussian")


# --- texts ----------------------------------------------------------------------------------

NAMES = ["Intercept", "a", "ab", "C(g)[T.x y]", "np.log(u)", "bs(x, df=4)[0]", "a:C(g)[T.x y]", "I(u ** 2)", "3"]


@pytest.mark.parametrize(
    ("text", "rows", "values"),
    [
        ("a = 0", [{"a": 1}], [0]),
        ("a", [{"a": 1}], [0]),
        ("ab", [{"ab": 1}], [0]),
        ("2*a - ab/4 = 1 - 3", [{"a": 2, "ab": -0.25}], [-2]),
        ("a = ab = 1.5e1", [{"a": 1, "ab": -1}, {"ab": 1}], [0, 15]),
        ("C(g)[T.x y] = 0, bs(x,df=4)[0] = a", [{"C(g)[T.x y]": 1}, {"bs(x, df=4)[0]": 1, "a": -1}], [0, 0]),
        ("-(a - 2) * 3 = a:C(g)[T.x y]", [{"a": -3, "a:C(g)[T.x y]": -1}], [-6]),
        ("I(u**2) + np.log(u) = 3", [{"I(u ** 2)": 1, "np.log(u)": 1}], [3]),
        ("Intercept+a+a", [{"Intercept": 1, "a": 2}], [0]),
    ],
)
def test_texts(text: str, rows: list[dict], values: list[float]) -> None:
    matrix, found = restrictions.read(text, NAMES)
    assert pd.DataFrame(rows).reindex(columns=NAMES).fillna(0.0).to_numpy().tolist() == matrix.tolist()
    assert found.tolist() == values


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("b = 0", "'b' is no coefficient"),
        ("abc = 0", "Did you mean 'ab'"),
        ("a * ab = 0", "not linear"),
        ("1 / a = 0", "not linear"),
        ("a / 0 = 1", "divides by zero"),
        ("1 = 1", "holds no coefficient"),
        ("a - a = 1", "holds no coefficient"),
        ("3 = 0", "holds no coefficient"),
        ("(a = 0", "parenthesis"),
        ("a = ", "ends where"),
        ("a ab", "cannot be read"),
        ("a = 0,", "ends where"),
        ("a = 1 5", "cannot be read"),
        ("", "ends where"),
        ("__import__('os')", "is no coefficient"),
        ("(" * 300 + "a" + ")" * 300, "nested"),
        ("-" * 300 + "a", "nested"),
    ],
)
def test_texts_that_are_no_equations(text: str, says: str) -> None:
    with pytest.raises(gb.errors.ArgumentError, match=says):
        restrictions.read(text, NAMES)


def test_names_that_differ_in_spaces_alone_are_told_apart() -> None:
    matrix, _ = restrictions.read("g[a b] = 0", ["g[ab]", "g[a b]"])
    assert matrix.tolist() == [[0.0, 1.0]]


# --- Wald tests -----------------------------------------------------------------------------

ASKED = ["age = 0, lwt = 0", "2*age + lwt = 1", "C(race)[T.other] = C(race)[T.white]"]


@pytest.mark.parametrize("what", ASKED)
def test_as_statsmodels(fit: gb.fits.Fit, gaussian: gb.fits.Fit, what: str) -> None:
    theirs = smf.logit(FORMULA, BIRTHS).fit(disp=0, tol=1e-14).wald_test(what, use_f=False, scalar=True)
    ours = fit.wald_test(what).iloc[0]
    assert ours["statistic"] == pytest.approx(float(theirs.statistic), rel=1e-6)
    assert ours["p_value"] == pytest.approx(float(theirs.pvalue), rel=1e-4, abs=1e-300)
    theirs = smf.ols(FORMULA.replace("low", "bwt"), BIRTHS).fit().wald_test(what, use_f=True, scalar=True)
    ours = gaussian.wald_test(what).iloc[0]
    assert ours["statistic"] == pytest.approx(float(theirs.statistic), rel=1e-8)
    assert ours["p_value"] == pytest.approx(float(theirs.pvalue), rel=1e-6)
    assert ours["resid_df"] == 183


def test_ways_to_ask(fit: gb.fits.Fit) -> None:
    by_text = fit.wald_test("C(race)[T.other] = 0, C(race)[T.white] = 0")
    matrix = np.eye(6)[[1, 2]]
    frame = pd.DataFrame(np.eye(2), columns=["C(race)[T.other]", "C(race)[T.white]"])
    asked = ("C(race)", ["C(race)"], matrix, matrix.tolist(), (matrix, 0), (matrix, [0, 0]), frame)
    for what in asked:
        pd.testing.assert_frame_equal(fit.wald_test(what), by_text)
    one = fit.wald_test("age")
    assert one.index.tolist() == ["age = 0"]
    assert one["statistic"].iloc[0] == pytest.approx(fit.tvalues["age"] ** 2, rel=1e-12)
    assert fit.wald_test((np.eye(6)[3], 1)).index.tolist() == ["age = 1"]
    assert fit.wald_test(pd.Series({"age": 1, "lwt": -1})).index.tolist() == ["age - lwt = 0"]
    assert fit.wald_test(["age", "lwt = 0.1"]).index.tolist() == ["age = 0, lwt = 0.1"]


def test_covariance_of_choice(fit: gb.fits.Fit) -> None:
    probit = gb.glm(FORMULA, BIRTHS, link="probit")
    expected, observed = (
        probit.wald_test("C(race)", vcov=kind)["statistic"].iloc[0] for kind in ("expected", "observed")
    )
    spread = probit.cov_params("observed").iloc[1:3, 1:3]
    beta = probit.params.iloc[1:3]
    assert observed == pytest.approx(float(beta @ np.linalg.solve(spread, beta)), rel=1e-10)
    assert observed != pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("agee", "Did you mean 'age'"),
        ("age = 0, lwt = 0, age = lwt", "follows from the other equations"),
        ("age = 0, age = 1", "contradicts"),
        (np.eye(5), "one column for each of the 6"),
        (np.full((1, 6), np.nan), "finite"),
        ((np.eye(6), ["x"] * 6), "right side"),
        (pd.DataFrame({"agee": [1.0]}), "Did you mean 'age'"),
        (None, "Give a text"),
        (3, "Give a text"),
        ([], "Give a text"),
    ],
)
def test_refused(fit: gb.fits.Fit, what: object, says: str) -> None:
    with pytest.raises(gb.errors.ArgumentError, match=says):
        fit.wald_test(what)


def test_of_several_classes() -> None:
    """A term is its columns in every class; of two classes all is as for the binomial family."""
    visits = BIRTHS.assign(visits=np.array(["few", "more", "none"])[np.minimum(BIRTHS["ftv"], 2)])
    fit = gb.glm("visits ~ age + C(race)", visits, "multinomial")
    table = fit.wald_test("C(race)")
    places = [j for j, name in enumerate(fit.names) if "race" in name]
    beta, spread = fit.params.to_numpy()[places], fit.cov_params().to_numpy()[np.ix_(places, places)]
    assert table["df"].iloc[0] == 4
    assert table["statistic"].iloc[0] == pytest.approx(beta @ np.linalg.solve(spread, beta), rel=1e-10)
    assert fit.wald_test("more: age = none: age")["df"].iloc[0] == 1
    two, one = gb.glm("low ~ age + C(race)", BIRTHS, "multinomial"), gb.glm("low ~ age + C(race)", BIRTHS)
    for what in ("C(race)", "age"):
        assert np.allclose(two.wald_test(what), one.wald_test(what), rtol=1e-9)
    ours, theirs = two.pairwise("race"), one.pairwise("race")
    assert [label.split(": ")[1] for label in ours.index] == theirs.index.tolist()
    assert np.allclose(ours, theirs, rtol=1e-9)
    with pytest.raises(gb.errors.ArgumentError, match="tukey"):
        two.pairwise("race", adjust="tukey")


# --- aliased, separated, penalised ----------------------------------------------------------


def aliased() -> gb.fits.Fit:
    with pytest.warns(gb.errors.AliasWarning):
        return gb.glm("low ~ age + lwt + both + smoke", BIRTHS.assign(both=BIRTHS["age"] + BIRTHS["lwt"]))


def test_estimable_with_aliased_columns() -> None:
    """age + b lwt + c both: what depends on the column left out is refused, what does not is the same either way."""
    fit = aliased()
    with pytest.warns(gb.errors.AliasWarning):
        turned = gb.glm("low ~ both + lwt + age + smoke", BIRTHS.assign(both=BIRTHS["age"] + BIRTHS["lwt"]))
    for what in ("age + both", "lwt + both = 0.1", "age - lwt", "smoke"):
        assert np.allclose(fit.wald_test(what), turned.wald_test(what), rtol=1e-8)
        one, other = (each.contrasts([what]) for each in (fit, turned))
        assert np.allclose(one, other, rtol=1e-8)
    for what in ("age = 0", "both = 0", "age - both", np.eye(5)[1], "age, lwt"):
        with pytest.raises(gb.errors.DataError, match="estimable|cannot be tested"):
            fit.wald_test(what)
    doubled = BIRTHS.assign(again=BIRTHS["race"])
    with pytest.warns(gb.errors.AliasWarning):
        twice = gb.glm("low ~ C(race) + C(again)", doubled)
    for term in ("C(race)", "C(again)"):
        with pytest.raises(gb.errors.DataError, match="cannot be tested"):
            twice.wald_test(term)
    assert fit.contrasts(["age", "both"]).isna().all(axis=None)


def test_type_three_counts_what_a_term_adds() -> None:
    fit = aliased()
    table, refits = gb.anova(fit, kind=3), gb.anova(fit, kind=3, test="Chisq")
    assert table["df"].tolist() == [1, 0, 0, 0, 1]
    assert refits["df"].tolist() == table["df"].tolist()
    assert table.loc[["age", "lwt", "both"], ["statistic", "p_value"]].isna().all(axis=None)
    part = gb.glm("low ~ age + lwt + smoke", BIRTHS)
    assert table.loc["smoke", "statistic"] == pytest.approx(part.tvalues["smoke"] ** 2, rel=1e-9)


def test_a_factor_with_an_empty_cell() -> None:
    """Of the interaction that others determine in part, the rest is tested: as many as leaving it out costs."""
    quine = pd.read_csv(DATA / "quine.csv")
    with pytest.warns(gb.errors.AliasWarning):
        fit = gb.glm("Days ~ Sex + Age * Lrn", quine, "poisson")
    table, refits = gb.anova(fit, kind=3), gb.anova(fit, kind=3, test="Chisq")
    assert table["df"].tolist() == refits["df"].tolist()
    assert table.loc["Age:Lrn", "df"] == 2
    kept = [name for name in fit.names if ":" in name and name not in fit.aliased]
    beta, spread = fit.params[kept], fit.cov_params().loc[kept, kept]
    assert table.loc["Age:Lrn", "statistic"] == pytest.approx(beta @ np.linalg.solve(spread, beta), rel=1e-8)


def test_separated() -> None:
    data = BIRTHS.assign(only=((BIRTHS["low"] == 1) & (BIRTHS["age"] > 25)).astype(int))
    with pytest.warns(gb.errors.SeparationWarning):
        fit = gb.glm("low ~ only + lwt + smoke", data)
    with pytest.raises(gb.errors.FitError, match="only is infinite"):
        fit.wald_test("only = 0")
    with pytest.raises(gb.errors.FitError, match="only is infinite"):
        fit.wald_test("only + lwt = 0")
    assert fit.wald_test("lwt").iloc[0]["statistic"] == pytest.approx(fit.tvalues["lwt"] ** 2, rel=1e-10)
    table = gb.anova(fit, kind=3)
    assert np.isnan(table.loc["only", "statistic"]) and np.isfinite(table.loc["lwt", "p_value"])
    found = fit.contrasts({"runs": "only - lwt", "back": "lwt - only", "stays": "lwt"})
    assert found["estimate"].tolist()[:2] == [np.inf, -np.inf]
    assert found.iloc[:2][["std_error", "statistic", "p_value", "conf_low", "conf_high"]].isna().all(axis=None)
    assert np.isfinite(found.loc["stays"]).all()


def test_fits_that_are_no_maximum() -> None:
    ridge = gb.glm("low ~ age", BIRTHS, penalty=gb.penalties.ridge(1.0))
    with pytest.raises(gb.errors.ArgumentError, match="penalised"):
        ridge.wald_test("age")
    with pytest.raises(gb.errors.ArgumentError, match="penalised"):
        ridge.contrasts("age")
    net = gb.network("low ~ age", BIRTHS, start=[0.0, 0.0], train=None)
    with pytest.raises(gb.errors.FitError, match="maximum"):
        net.wald_test("age")
    hidden = gb.network("low ~ lwt", BIRTHS, activation="tanh", start=[0.1, 0.001], train=None)
    with pytest.raises(gb.errors.ArgumentError, match="hidden"):
        hidden.wald_test("lwt")
    fit = gb.glm("low ~ age", BIRTHS)
    same = gb.network("low ~ age", BIRTHS, start=fit.params.to_numpy(), train=None)
    assert np.allclose(same.wald_test("age"), fit.wald_test("age"), rtol=1e-6)
    with pytest.warns(gb.errors.ConvergenceWarning):
        edge = gb.fit(np.arange(5.0), [0, 0, 4, 6, 9], "poisson", "identity")
    assert edge.outcome == "boundary"
    with pytest.raises(gb.errors.FitError, match="boundary"):
        edge.wald_test("x1")


# --- contrasts and pairs --------------------------------------------------------------------


def test_contrasts(fit: gb.fits.Fit, gaussian: gb.fits.Fit) -> None:
    combination = {"a": "age - 2*lwt", "b": "C(race)[T.other] - C(race)[T.white]"}
    matrix = np.array([[0, 0, 0, 1, -2, 0], [0, 1, -1, 0, 0, 0]], dtype=float)
    for each, theirs in (
        (fit, smf.logit(FORMULA, BIRTHS).fit(disp=0, tol=1e-14)),
        (gaussian, smf.ols(FORMULA.replace("low", "bwt"), BIRTHS).fit()),
    ):
        table = each.contrasts(combination, level=0.9)
        assert table.index.tolist() == ["a", "b"]
        test = theirs.t_test(matrix)
        assert np.allclose(table["estimate"], test.effect, rtol=1e-6)
        assert np.allclose(table["std_error"], test.sd.ravel(), rtol=1e-6)
        assert np.allclose(table["p_value"], test.pvalue, rtol=1e-5)
        assert np.allclose(table[["conf_low", "conf_high"]], test.conf_int(0.1), rtol=1e-5)
        by_matrix = each.contrasts(matrix, level=0.9)
        assert by_matrix.index.tolist() == ["age - 2*lwt", "C(race)[T.other] - C(race)[T.white]"]
        assert np.array_equal(by_matrix, table)
        named = pd.DataFrame(matrix, index=["a", "b"], columns=list(each.names))
        pd.testing.assert_frame_equal(each.contrasts(named, level=0.9), table)
    ratio = fit.contrasts(combination, level=0.9, exponentiate=True)
    plain = fit.contrasts(combination, level=0.9)
    ends = ["estimate", "conf_low", "conf_high"]
    assert np.allclose(ratio[ends], np.exp(plain[ends])) and np.array_equal(ratio["p_value"], plain["p_value"])
    shifted = fit.contrasts("age = 0.1")
    assert shifted["estimate"].iloc[0] == fit.params["age"]
    assert shifted["statistic"].iloc[0] == pytest.approx((fit.params["age"] - 0.1) / fit.bse["age"], rel=1e-12)


@pytest.mark.parametrize("wanted", [{}, {"a": "age = 0, lwt = 0"}, {"a": "C(race)"}])
def test_contrasts_refused(fit: gb.fits.Fit, wanted: dict) -> None:
    with pytest.raises(gb.errors.ArgumentError, match="contrast"):
        fit.contrasts(wanted)


def test_adjusted() -> None:
    """As R's p.adjust on the same p-values; Bonferroni's limits are of level 1 - 0.05 / m."""
    sprays = gb.glm("count ~ spray", pd.read_csv(DATA / "insectsprays.csv"), "poisson")
    plain, bonferroni, holm = (sprays.pairwise("spray", adjust=each) for each in ("none", "bonferroni", "holm"))
    p = plain["p_value"].to_numpy()
    assert len(p) == 15
    assert np.allclose(bonferroni["p_value"], np.minimum(15 * p, 1.0))
    order, running = np.argsort(p), 0.0
    for place, at in enumerate(order):
        running = max(running, min(1.0, (15 - place) * p[at]))
        assert holm["p_value"].iloc[at] == pytest.approx(running, rel=1e-12)
    narrow = sprays.pairwise("spray", adjust="none", level=1 - 0.05 / 15)
    for each in (bonferroni, holm):
        assert np.allclose(each[["conf_low", "conf_high"]], narrow[["conf_low", "conf_high"]], rtol=1e-10)
    assert (holm["p_value"] <= bonferroni["p_value"]).all() and (holm["p_value"] >= p).all()


def test_pairs_do_not_depend_on_the_coding() -> None:
    data = pd.read_csv(DATA / "insectsprays.csv")
    codings = ("spray", "C(spray, Sum)", "C(spray, Helmert)", "C(spray, Treatment('C'))", "0 + spray")
    tables = [gb.glm(f"count ~ {each}", data, "poisson").pairwise("spray") for each in codings]
    means = np.log(data.groupby("spray")["count"].mean())
    pairs = [(a, b) for a, b in itertools.combinations("ABCDEF", 2)]
    assert tables[0].index.tolist() == [f"{b} - {a}" for a, b in pairs]
    assert np.allclose(tables[0]["estimate"], [means[b] - means[a] for a, b in pairs], rtol=1e-8)
    for table in tables[1:]:
        assert np.allclose(table, tables[0], rtol=1e-8, atol=1e-12)


def test_tukey_is_exact_in_a_balanced_layout() -> None:
    """As scipy's and R's TukeyHSD."""
    data = pd.read_csv(DATA / "insectsprays.csv")
    fit = gb.glm("count ~ spray", data, "gaussian")
    ours = fit.pairwise("spray", adjust="tukey")
    groups = [group["count"].to_numpy() for _, group in data.groupby("spray")]
    theirs = scipy.stats.tukey_hsd(*groups)
    limits = theirs.confidence_interval(0.95)
    for row, (a, b) in zip(ours.itertuples(), itertools.combinations(range(6), 2), strict=True):
        assert row.p_value == pytest.approx(theirs.pvalue[b, a], rel=1e-6, abs=1e-12)
        assert row.conf_low == pytest.approx(limits.low[b, a], rel=1e-6)
        assert row.conf_high == pytest.approx(limits.high[b, a], rel=1e-6)
    # of a known dispersion: two levels are one normal test
    two = gb.glm("count ~ spray", data[data["spray"].isin(["A", "C"])], "poisson")
    assert two.pairwise("spray", adjust="tukey")["p_value"].iloc[0] == pytest.approx(two.pvalues.iloc[1], rel=1e-4)


def test_pairs_refused(fit: gb.fits.Fit) -> None:
    refused = gb.errors.ArgumentError
    with pytest.raises(refused, match="factors are C"):
        fit.pairwise("age")
    with pytest.raises(refused, match="Did you mean 'holm'"):
        fit.pairwise("race", adjust="hom")
    with pytest.raises(refused, match="all pairs"):
        fit.contrasts("age", adjust="tukey")
    with pytest.raises(refused, match="level=2"):
        fit.pairwise("race", level=2)
    with pytest.raises(refused, match="interacts"):
        gb.glm("low ~ age * C(race)", BIRTHS).pairwise("race")
    with pytest.raises(refused, match="no factor"):
        gb.fit(BIRTHS[["age"]], BIRTHS["low"]).pairwise("age")
