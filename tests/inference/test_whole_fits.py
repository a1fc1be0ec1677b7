"""Tests of the fit as a whole: discrimination, calibration, variance, link, against definitions written out."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.stats

import glmnet_bridge as gb
from glmnet_bridge import diagnostics
from glmnet_bridge.errors import AliasWarning, ArgumentError, DataError, DataWarning, SeparationWarning
from glmnet_bridge.inference import calibrations, discriminations
from glmnet_bridge.inference.discriminations import Scored


def frame(n: int = 200) -> pd.DataFrame:
    random = np.random.default_rng(5)
    data = pd.DataFrame({"x": np.round(random.normal(size=n), 1), "z": random.normal(size=n)})
    data["g"] = random.choice(list("abc"), n)
    data["y"] = (random.uniform(size=n) < 1 / (1 + np.exp(-data["x"]))).astype(float)
    data["k"] = random.poisson(np.exp(1 + 0.3 * data["x"]))
    data["n"] = random.integers(1, 9, n)
    data["share"] = random.binomial(data["n"], 1 / (1 + np.exp(-data["x"]))) / data["n"]
    return data


def by_pairs(events: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """AUC and DeLong's standard error from all pairs."""
    won = (events[:, None] > others) + 0.5 * (events[:, None] == others)
    one, two = won.mean(axis=1), won.mean(axis=0)
    return won.mean(), np.sqrt(one.var(ddof=1) / len(events) + two.var(ddof=1) / len(others))


def test_auc_by_pairs_with_ties() -> None:
    data = frame()
    fit = gb.glm("y ~ x", data)
    eta = fit.predict(kind="link").round(12)
    area, error = by_pairs(eta[data["y"] == 1].to_numpy(), eta[data["y"] == 0].to_numpy())
    found = fit.auc(level=0.9)
    assert found["auc"] == pytest.approx(area, rel=1e-12)
    assert found["std_error"] == pytest.approx(error, rel=1e-10)
    assert found["conf_high"] == pytest.approx(area + 1.6448536269514722 * error, rel=1e-10)


def test_trials_and_frequencies_are_single_rows() -> None:
    data = frame(60)
    grouped = gb.glm("share ~ x", data, trials="n")
    hits = np.round(data["share"] * data["n"]).astype(int)
    long = pd.concat(
        [data.loc[data.index.repeat(hits)].assign(y=1), data.loc[data.index.repeat(data["n"] - hits)].assign(y=0)]
    )
    single = gb.glm("y ~ x", long)
    often = gb.glm("y ~ x", data.assign(y=data["y"]), freq_weights="n")
    repeated = gb.glm("y ~ x", data.loc[data.index.repeat(data["n"])])
    for one, other in ((grouped, single), (often, repeated)):
        assert np.allclose(one.auc(), other.auc(), rtol=1e-9)
        assert one.brier() == pytest.approx(other.brier(), rel=1e-10)
        assert one.pseudo_r2["tjur"] == pytest.approx(other.pseudo_r2["tjur"], rel=1e-9)
        assert np.allclose(one.hosmer_lemeshow(groups=6), other.hosmer_lemeshow(groups=6), rtol=1e-7)


def test_area_of_the_drawn_curve_is_the_auc() -> None:
    fit = gb.glm("y ~ x", frame())
    curve = diagnostics.roc(fit)
    assert scipy.integrate.trapezoid(curve["true_positive_rate"], curve["false_positive_rate"]) == pytest.approx(
        fit.auc()["auc"]
    )


def test_one_kind_alone_has_no_auc() -> None:
    rows = Scored(np.ones(3), np.arange(3.0), np.full(3, 0.5), np.ones(3))
    assert np.isnan(discriminations.area(rows)).all()
    perfect = Scored(
        np.array([0.0, 0.0, 1.0, 1.0]), np.array([-np.inf, -np.inf, 1.0, np.inf]), np.full(4, 0.5), np.ones(4)
    )
    assert discriminations.area(perfect) == (1.0, 0.0)


def test_new_rows() -> None:
    data = frame(400)
    fit = gb.glm("y ~ x + z", data[:200])
    new = data[200:]
    eta = fit.predict(new, kind="link").to_numpy()
    happened = new["y"].to_numpy() == 1
    assert fit.auc(new)["auc"] == pytest.approx(by_pairs(eta[happened], eta[~happened])[0], rel=1e-12)
    assert fit.brier(new) == pytest.approx(np.mean((fit.predict(new) - new["y"]) ** 2), rel=1e-12)
    found = fit.calibration(new).set_index("term")
    peer = gb.glm("y ~ eta", new.assign(eta=eta))
    assert found.loc["slope", "estimate"] == pytest.approx(peer.params["eta"], rel=1e-9)
    assert found.loc["slope", "p_value"] == pytest.approx(
        2 * scipy.stats.norm.sf(abs(peer.params["eta"] - 1) / peer.bse["eta"]), rel=1e-6
    )
    large = gb.glm("y ~ 1", new.assign(eta=eta), offset="eta")
    assert found.loc["in the large", "estimate"] == pytest.approx(large.params["Intercept"], rel=1e-9)
    assert fit.hosmer_lemeshow(new)["df"][0] == fit.hosmer_lemeshow()["df"][0] + 2
    with pytest.raises(DataError, match="response"):
        fit.auc(new.drop(columns="y"))


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_a_canonical_fit_is_calibrated_on_its_own_rows(family: str) -> None:
    data = frame()
    fit = gb.glm(f"{'y' if family == 'binomial' else 'k'} ~ x + z", data, family=family)
    assert np.allclose(fit.calibration()["estimate"], [0.0, 1.0], atol=1e-8)


def test_hosmer_lemeshow_by_hand() -> None:
    data = frame()
    fit = gb.glm("y ~ x + z", data)
    mean = fit.fittedvalues
    group = pd.cut(mean, np.quantile(mean, np.linspace(0, 1, 11)), include_lowest=True)
    sums = pd.DataFrame({"o": data["y"], "e": mean, "n": 1.0}).groupby(group, observed=True).sum()
    chi2 = ((sums["o"] - sums["e"]) ** 2 * (1 / sums["e"] + 1 / (sums["n"] - sums["e"]))).sum()
    found = fit.hosmer_lemeshow()
    assert found["chi2"][0] == pytest.approx(chi2, rel=1e-10)
    assert found["p_value"][0] == pytest.approx(scipy.stats.chi2.sf(chi2, 8), rel=1e-10)


def test_equal_probabilities_stay_together() -> None:
    rows = Scored(np.tile([0.0, 1.0], 8), np.repeat([0.0, 1.0], 8), np.repeat([0.3, 0.6], 8), np.ones(16))
    assert calibrations.groups(rows, 10)["n"].tolist() == [8.0, 8.0]


def test_vif_of_single_columns_is_the_textbook_one() -> None:
    data = frame().assign(w=lambda d: d["x"] + 0.5 * d["z"] + np.sin(np.arange(len(d))))
    found = gb.glm("k ~ x + z + w", data, family="gaussian").vif().set_index("term")["gvif"]
    for name, others in (("x", ["z", "w"]), ("w", ["x", "z"])):
        matrix = np.column_stack([np.ones(len(data)), data[others]])
        rest = data[name] - matrix @ np.linalg.lstsq(matrix, data[name], rcond=None)[0]
        assert found[name] == pytest.approx(((data[name] - data[name].mean()) ** 2).sum() / (rest**2).sum(), rel=1e-9)


def test_vif_does_not_depend_on_the_coding() -> None:
    data = frame()
    one, other = (gb.glm(f"y ~ {g} + x", data).vif()["gvif"] for g in ("C(g)", "C(g, Sum)"))
    assert np.allclose(one, other, rtol=1e-9)


def test_vif_of_an_aliased_term() -> None:
    data = frame().assign(twice=lambda d: 2 * d["x"])
    with pytest.warns(AliasWarning):
        fit = gb.glm("y ~ x + twice + z", data)
    found = fit.vif().set_index("term")
    assert np.isnan(found.loc["twice", "gvif"]) and found.loc["twice", "df"] == 0
    assert found.loc["x", "gvif"] == pytest.approx(gb.glm("y ~ x + z", data).vif()["gvif"][0], rel=1e-9)
    with pytest.warns(DataWarning, match="intercept"):
        gb.glm("y ~ 0 + x + z", data).vif()


def test_overdispersion_by_hand() -> None:
    data = frame()
    fit = gb.glm("k ~ x", data, family="poisson")
    found = fit.overdispersion().set_index("test")
    mean = fit.fittedvalues
    excess = ((data["k"] - mean) ** 2 - data["k"]) / mean
    t = np.sqrt(len(data)) * excess.mean() / excess.std()
    assert found.loc["linear", "statistic"] == pytest.approx(t, rel=1e-10)
    peer = gb.glm("e ~ 0 + m", pd.DataFrame({"e": excess, "m": mean}), family="gaussian")
    assert found.loc["quadratic", "dispersion"] == pytest.approx(peer.params["m"], rel=1e-9)
    assert found.loc["quadratic", "statistic"] == pytest.approx(peer.tvalues["m"], rel=1e-9)
    assert found.loc["pearson", "p_value"] == pytest.approx(
        scipy.stats.chi2.sf(fit.pearson_chi2, fit.df_resid), rel=1e-9
    )
    with pytest.raises(DataError, match="single yes or no"):
        gb.glm("y ~ x", data).overdispersion()
    with pytest.raises(ArgumentError, match="estimates its dispersion"):
        gb.glm("z ~ x", data, family="gaussian").overdispersion()
    assert list(gb.glm("share ~ x", data, trials="n").overdispersion()["test"]) == ["pearson"]


@pytest.mark.parametrize(("family", "y"), [("binomial", "y"), ("poisson", "k"), ("gaussian", "z")])
def test_link_test_is_the_fit_on_eta_and_its_square(family: str, y: str) -> None:
    data = frame()
    fit = gb.glm(f"{y} ~ x + g", data, family=family)
    eta = fit.predict(kind="link")
    peer = gb.glm(f"{y} ~ eta + square", data.assign(eta=eta, square=eta**2), family=family)
    found = fit.link_test()
    assert list(found["term"]) == ["Intercept", "eta", "eta_squared"]
    assert np.allclose(found["p_value"], peer.pvalues, rtol=1e-5)


def test_link_test_finds_a_wrong_link() -> None:
    random = np.random.default_rng(0)
    data = pd.DataFrame({"x": random.uniform(0, 3, 500)})
    data["y"] = random.poisson((1 + data["x"]) ** 2)
    assert gb.glm("y ~ x", data, family="poisson").link_test()["p_value"].iloc[-1] < 1e-4
    assert gb.glm("y ~ x", data, family="poisson", link="sqrt").link_test()["p_value"].iloc[-1] > 0.05
    with pytest.raises(DataError, match="1 different"):
        gb.glm("y ~ 1", data, family="poisson").link_test()


def test_pseudo_r2_of_gaussian_is_r_squared() -> None:
    data = frame()
    found = gb.glm("z ~ x", data, family="gaussian").pseudo_r2
    assert found["cox_snell"] == pytest.approx(np.corrcoef(data["x"], data["z"])[0, 1] ** 2, rel=1e-9)
    assert found[["mcfadden", "nagelkerke", "tjur"]].isna().all()


def test_separated_fits_are_refused_where_eta_is_infinite() -> None:
    data = frame().assign(rare=lambda d: ((d["y"] == 1) & (d.index % 3 == 0)) * 1.0)
    with pytest.warns(SeparationWarning):
        fit = gb.glm("y ~ x + rare", data)
    for question in (fit.link_test, fit.calibration):
        with pytest.raises(DataError, match="separated"):
            question()
    happened = data["y"] == 1
    eta = fit.predict(kind="link").replace(np.inf, 1e9)
    assert fit.auc()["auc"] == pytest.approx(
        by_pairs(eta[happened].to_numpy(), eta[~happened].to_numpy())[0], rel=1e-12
    )


def test_refusals() -> None:
    data = frame()
    several, count = gb.glm("g ~ x", data, family="multinomial"), gb.glm("k ~ x", data, family="poisson")
    whole = ("vif", "overdispersion", "link_test", "hosmer_lemeshow", "calibration", "auc", "brier")
    for name in whole:
        with pytest.raises(ArgumentError, match="several classes"):
            getattr(several, name)()
    for name, fit in itertools.product(("hosmer_lemeshow", "auc", "brier"), (count,)):
        with pytest.raises(ArgumentError, match="yes or no"):
            getattr(fit, name)()
    assert several.pseudo_r2.notna().tolist() == [True, True, True, False]
    with pytest.raises(ArgumentError, match="groups=2"):
        gb.glm("y ~ x", data).hosmer_lemeshow(groups=2)
    with pytest.raises(ArgumentError, match="without penalty"):
        gb.glm("y ~ x", data, penalty=gb.penalties.ridge(1.0)).vif()
