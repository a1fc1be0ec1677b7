"""Profile and score limits against known formulas, refits and definitions; infinite ones; what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.inference import profiles

Z = stats.norm.ppf(0.975)


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    random = np.random.default_rng(11)
    n = 90
    data = pd.DataFrame({"x": random.normal(1000, 2, n), "g": np.repeat(["a", "b", "c"], n // 3), "e": 1.5})
    data["y"] = (random.random(n) < 0.4).astype(int)
    data["count"] = random.poisson(2.0, n)
    data["time"] = random.gamma(2.0, 1.0, n)
    data["kind"] = random.choice(["p", "q", "r"], n)
    data["w"] = random.uniform(0.5, 2, n)
    return data


def separated(formula: str, data: pd.DataFrame, **options: object) -> gb.fits.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gb.errors.SeparationWarning)
        return gb.glm(formula, data, **options)


def test_score_limits_of_a_proportion_are_wilsons() -> None:
    data = pd.DataFrame({"y": [1] * 7 + [0] * 3})
    low, high = gb.glm("y ~ 1", data).conf_int(method="score").iloc[0]
    centre, half = (7 + Z**2 / 2) / (10 + Z**2), Z / (10 + Z**2) * np.sqrt(2.1 + Z**2 / 4)
    assert [low, high] == pytest.approx([logit(centre - half), logit(centre + half)], rel=1e-7)


FITS = {
    "logit": ("y ~ x + g", {}),
    "cauchit": ("y ~ x + g", {"link": "cauchit"}),
    "poisson": ("count ~ x + g", {"family": "poisson", "exposure": "e"}),
    "gamma": ("time ~ x + g", {"family": "gamma"}),
    "gaussian log": ("time ~ x + g", {"family": "gaussian", "link": "log"}),
    "weights": ("count ~ x + g", {"family": "poisson", "prior_weights": "w"}),
}


def statistics_of(formula: str, data: pd.DataFrame, value: float, options: dict, fit: gb.fits.Fit):
    """Signed root and score statistic of g[T.c] at a value, from a fit of the others with an offset."""
    held = np.where(data["g"] == "c", value, 0.0)
    rest = gb.glm(formula.replace("g", "I(1.0 * (g == 'b'))"), data, offset=held, **options)
    side = np.sign(value - fit.params["g[T.c]"])
    root = side * np.sqrt((rest.deviance - fit.deviance) / fit.dispersion)
    X = np.column_stack([np.ones(len(data)), data["g"] == "b", data["g"] == "c", data["x"] - 1000]).astype(float)
    eta = rest.predict(kind="link", offset=held).to_numpy()
    if "exposure" in options:
        eta = rest.estimate.model.eta(rest.rows.block(0, rest.rows.n), rest.estimate.theta)[:, 0]
    local = rest.family.local(rest.rows.response[:, 0], eta)
    w = rest.rows.weights
    inverse = np.linalg.inv(X.T @ ((w * local.expected)[:, None] * X))
    score = X.T @ (w * local.score)
    return root, -float(score @ inverse[2]) / np.sqrt(inverse[2, 2] * fit.dispersion)


@pytest.mark.parametrize("name", FITS)
def test_the_statistic_is_the_quantile_at_the_limits(frame: pd.DataFrame, name: str) -> None:
    formula, options = FITS[name]
    fit = gb.glm(formula, frame, **options)
    for place, method in enumerate(("profile", "score")):
        for side, end in zip((-1, 1), fit.conf_int(method=method, level=0.9).loc["g[T.c]"], strict=True):
            found = statistics_of(formula, frame, end, options, fit)[place]
            assert found == pytest.approx(side * stats.norm.ppf(0.95), abs=1e-6)


@pytest.mark.parametrize("name", FITS)
def test_the_way_does_not_matter(monkeypatch, frame: pd.DataFrame, name: str) -> None:
    """Newton's walk, the walk along maxima, and whole fits with an offset."""
    formula, options = FITS[name]
    fit = gb.glm(formula, frame, **options)
    walked = fit.conf_int(method="profile")
    monkeypatch.setattr(profiles, "_walk", lambda *_: np.nan)
    traced = fit.conf_int(method="profile")
    monkeypatch.setattr(profiles, "limit", lambda *_: np.nan)
    refitted = fit.conf_int(method="profile")
    for other in (traced, refitted):
        assert (np.abs(other - walked).div(fit.bse, axis=0) < 1e-6).all(axis=None)


def test_several_classes(frame: pd.DataFrame) -> None:
    """Of two classes they are the binomial ones; of three they do not depend on the way."""
    two = frame[frame["kind"] != "r"]
    for method in ("profile", "score"):
        ours = gb.glm("kind ~ x", two, family="multinomial").conf_int(method=method)
        assert np.allclose(ours, gb.glm("kind ~ x", two).conf_int(method=method), rtol=1e-8)
    fit = gb.glm("kind ~ x + g", frame, family="multinomial")
    found = fit.conf_int(method="profile")
    name = "r: x"
    walk = profiles.Tracker(
        profiles.surface(fit.estimate.model, fit.rows, fit.estimate.theta, 1.0), np.zeros(0), "profile"
    )
    at = 2 * list(fit.estimate.model.columns).index("x") + 1
    walk.towards = walk.of.to_raw[at]
    assert [walk(value) for value in found.loc[name]] == pytest.approx([-Z, Z], abs=1e-6)


def test_one_side_is_infinite_under_separation(frame: pd.DataFrame) -> None:
    """All events: the log-likelihood of the lower limit is z^2 / 2; Wilson's score limit."""
    ones = pd.DataFrame({"y": [1] * 10})
    fit = separated("y ~ 1", ones)
    assert fit.conf_int(method="profile").iloc[0].tolist() == pytest.approx([logit(np.exp(-(Z**2) / 20)), np.inf])
    assert fit.conf_int(method="score").iloc[0].tolist() == pytest.approx([logit(10 / (10 + Z**2)), np.inf])
    data = frame.assign(y=np.where(frame["g"] == "c", 0, frame["y"]))
    for options in ({}, {"family": "poisson"}):
        fit = separated("y ~ x + g", data, **options)
        limits = fit.conf_int(method="profile")
        assert limits.loc["g[T.c]", "conf_low"] == -np.inf
        high = limits.loc["g[T.c]", "conf_high"]
        held = gb.glm("y ~ x + I(1.0 * (g == 'b'))", data, offset=np.where(data["g"] == "c", high, 0.0), **options)
        assert held.deviance - fit.deviance == pytest.approx(Z**2, abs=1e-6)
        # what stays finite is as if the level were not there
        rest = gb.glm("y ~ x + g", data[data["g"] != "c"], **options)
        for method in ("profile", "score"):
            ours = fit.conf_int(method=method).loc[list(rest.names)]
            assert np.allclose(ours, rest.conf_int(method=method), atol=1e-6 * rest.bse.to_numpy()[:, None])


def test_complete_separation() -> None:
    data = pd.DataFrame({"x": [1.0, 2, 3, 4, 5, 6], "y": [0, 0, 0, 1, 1, 1]})
    fit = separated("y ~ x", data)
    limits = fit.conf_int(method="profile")

    def drop(slope: float) -> float:
        best = optimize.minimize_scalar(
            lambda b: 2 * np.logaddexp(0, np.where(data["y"] == 1, -1, 1) * (b + slope * data["x"])).sum()
        )
        return best.fun - Z**2

    assert limits.loc["x"].tolist() == pytest.approx([optimize.brentq(drop, 0.01, 5), np.inf], rel=1e-6)
    assert limits.loc["Intercept", "conf_low"] == -np.inf
    assert np.isfinite(limits.loc["Intercept", "conf_high"])


def test_aliased_columns_are_nan(frame: pd.DataFrame) -> None:
    with pytest.warns(gb.errors.AliasWarning):
        fit = gb.glm("y ~ x + g + I(2 * x)", frame)
    plain = gb.glm("y ~ x + g", frame).conf_int(method="profile")
    limits = fit.conf_int(method="profile")
    assert limits.loc["I(2 * x)"].isna().all()
    assert np.allclose(limits.loc[plain.index], plain, rtol=1e-8)
    with pytest.raises(ArgumentError, match="aliased"):
        fit.profile("I(2 * x)")


def test_limits_at_the_edge_of_a_link() -> None:
    """The identity link: the profile may end where a mean reaches 0; other maxima slide along the edge."""
    data = pd.DataFrame({"y": [1, 0, 2, 1, 0, 3, 2, 4, 1, 5], "x": np.arange(10.0)})
    fit = gb.glm("y ~ x", data, family="poisson", link="identity")
    limits = fit.conf_int(method="profile", level=0.999)
    for name in fit.names:
        for value in limits.loc[name]:
            part = {"Intercept": 1.0, "x": data["x"]}
            other = next(each for each in fit.names if each != name)

            def deviance(b: float, name=name, other=other, value=value, part=part) -> float:
                mean = value * part[name] + b * part[other]
                if (mean < 0).any() or ((mean == 0) & (data["y"] > 0)).any():
                    return 1e6 + abs(b)
                ratio = np.maximum(data["y"], 1) / np.maximum(mean, 1e-300)
                return float(2 * (np.where(data["y"] > 0, data["y"] * np.log(ratio), 0) - data["y"] + mean).sum())

            grid = np.linspace(-2, 3, 1001)
            near = grid[np.argmin([deviance(b) for b in grid])]
            best = optimize.minimize_scalar(deviance, bounds=(near - 0.01, near + 0.01), method="bounded",
                                            options={"xatol": 1e-10})  # fmt: skip
            assert best.fun - fit.deviance == pytest.approx(stats.chi2.ppf(0.999, 1), abs=1e-5)


def test_profile_frames(frame: pd.DataFrame) -> None:
    fit = gb.glm("time ~ x + g", frame, family="gamma", link="log")
    found = fit.profile("x", points=9)
    assert list(found.columns) == ["value", "signed_root", "deviance"]
    assert len(found) == 9
    assert (np.diff(found["signed_root"]) > 0).all()
    at = found[found["value"] == fit.params["x"]].iloc[0]
    assert at["signed_root"] == 0.0
    assert at["deviance"] == pytest.approx(fit.deviance)
    assert found["signed_root"].iloc[[0, -1]].tolist() == pytest.approx([-3, 3], abs=1e-6)
    assert np.allclose((found["deviance"] - fit.deviance) / fit.dispersion, found["signed_root"] ** 2, atol=1e-9)
    gaussian = gb.glm("time ~ x + g", frame, family="gaussian")
    straight = gaussian.plot.profile_data("x")
    assert np.allclose(straight["wald"], straight["signed_root"], atol=1e-6)
    data = frame.assign(y=np.where(frame["g"] == "c", 0, frame["y"]))
    away = separated("y ~ x + g", data).profile("g[T.c]", points=5)
    assert away["signed_root"].iloc[[0, -1]].tolist() == pytest.approx([0.1, 3.0], abs=1e-6)


def test_what_does_not_hold_is_refused(frame: pd.DataFrame) -> None:
    fit = gb.glm("y ~ x", frame)
    for call, words in (
        (lambda: gb.glm("y ~ x", frame, penalty=gb.penalties.ridge(1.0)).conf_int(method="profile"), "penalised"),
        (lambda: fit.conf_int(method="profil"), "Did you mean 'profile'"),
        (lambda: fit.conf_int(method="score", vcov="HC0"), "vcov="),
        (lambda: fit.conf_int(method="profile", distribution="z"), "distribution"),
        (lambda: fit.conf_int(method="profile", level=2), "level"),
        (lambda: fit.profile("z"), "There is no coefficient"),
        (lambda: fit.profile("x", points=2), "points"),
    ):
        with pytest.raises(ArgumentError, match=words):
            call()
    with pytest.warns(gb.errors.ConvergenceWarning):
        unfinished = gb.glm("y ~ x", frame, max_steps=0)
    with pytest.raises(ArgumentError, match="not at the maximum"):
        unfinished.conf_int(method="profile")
    edge = pd.DataFrame({"x": [0, 0, 1, 1, 1], "y": [0, 1, 1, 1, 1]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        boundary = gb.glm("y ~ x", edge, link="log")
    assert boundary.outcome == "boundary"
    with pytest.raises(ArgumentError, match="edge"):
        boundary.conf_int(method="profile")
    classes = frame.assign(v=(frame["kind"] == "r") * 1.0)
    with pytest.raises(ArgumentError, match="classes are separated"):
        separated("kind ~ v", classes, family="multinomial").conf_int(method="profile")


def test_large_weights(frame: pd.DataFrame) -> None:
    """Where a drop of the log-likelihood is lost in rounding it is a parabola; before that it keeps its digits."""
    for weight, tolerance in ((1e6, 1e-2), (1e12, 1e-9), (1e15, 1e-9)):
        fit = gb.glm("count ~ x + g", frame, family="poisson", prior_weights=weight)
        apart = (fit.conf_int(method="profile") - fit.conf_int()).div(fit.bse, axis=0)
        assert (np.abs(apart) < tolerance).all(axis=None)


def test_an_exact_fit_has_no_limits() -> None:
    """Neither where its dispersion is rounding, nor where there are as many columns as rows."""
    for n in (6, 2):
        data = pd.DataFrame({"x": np.arange(float(n)), "y": 2 * np.arange(float(n))})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gb.errors.DataWarning)
            fit = gb.glm("y ~ x", data, family="gaussian")
        assert fit.conf_int(method="profile").isna().all(axis=None)
        with pytest.raises(ArgumentError, match="exactly"):
            fit.profile("x")


def test_figure(frame: pd.DataFrame) -> None:
    fit = gb.glm("y ~ x + g", frame)
    data = fit.plot.profile_data("g[T.b]", level=0.9, points=11)
    limits = fit.conf_int(level=0.9, method="profile").loc["g[T.b]"]
    marked = data.set_index("mark")["value"]
    assert [marked["low"], marked["estimate"], marked["high"]] == pytest.approx(
        [limits.iloc[0], fit.params["g[T.b]"], limits.iloc[1]]
    )
    ax = fit.plot.profile("g[T.b]", level=0.9)
    assert "90 % profile limits" in [line.get_label() for line in ax.get_lines()]
    assert ax.get_xlabel() == "g[T.b]"
    assert fit.plot.profile().get_xlabel() == "g[T.b]"
